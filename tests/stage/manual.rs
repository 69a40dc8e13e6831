//! The commands of docs/operations.md, as they stand there.

use std::fs;

const MANUAL: &str = "docs/operations.md";

/// Where blocks of commands are meant to be given; the first line says it.
const PLACES: [&str; 3] = ["# on the laptop", "# on the box", "# with the package"];

/// The commands that are given in a place, comments taken off.
pub fn commands(place: &str) -> Vec<String> {
    let text = fs::read_to_string(MANUAL).unwrap();
    let mut found = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let mut lines = block.split("```").next().unwrap().lines();
        let first = lines.next().unwrap();
        assert!(PLACES.contains(&first), "where is this given? {first}");
        if first == place {
            found.extend(lines.map(|line| line.split(" #").next().unwrap().trim().to_owned()));
        }
    }
    assert!(!found.is_empty(), "{place}: no commands");
    found
}
