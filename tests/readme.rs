//! The commands of the documentation are ones that `reeld` understands, and its files exist.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states its assumptions by failing"
)]

use std::fs;
use std::path::Path;

use clap::Parser as _;
use reeld::cli::Cli;

const DOCUMENTS: [&str; 9] = [
    "README.md",
    "docs/hardware.md",
    "docs/limits.md",
    "docs/operations.md",
    "docs/status.md",
    "docs/storage.md",
    "docs/testing.md",
    "docs/performance.md",
    "docs/yocto.md",
];

/// The lines of fenced `sh` blocks, continuation lines joined, comments and variables taken off.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let blocks = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(str::lines)
        .map(|line| line.split(" #").next().unwrap_or_default())
        .map(|line| {
            line.split_whitespace()
                .map(|word| word.trim_matches('\'').to_owned())
                .collect()
        })
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

#[test]
fn every_reeld_command_is_understood() {
    let mut seen = 0;
    for document in DOCUMENTS {
        for words in commands(&fs::read_to_string(document).unwrap()) {
            if words.first().is_some_and(|word| word == "reeld") {
                Cli::try_parse_from(&words)
                    .unwrap_or_else(|error| panic!("{document}: {words:?}: {error}"));
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "{seen} commands");
}

#[test]
fn every_script_and_linked_file_is_there() {
    for document in DOCUMENTS {
        let text = fs::read_to_string(document).unwrap();
        for words in commands(&text) {
            if let Some(script) = words.first().filter(|word| word.starts_with("scripts/")) {
                assert!(Path::new(script).exists(), "{document}: {script}");
            }
        }
        let folder = Path::new(document).parent().unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !file.is_empty() {
                assert!(folder.join(file).exists(), "{document}: {link}");
            }
        }
    }
}

/// `--help` and the README agree on the exit codes.
#[test]
fn the_exit_codes_are_documented_twice_alike() {
    use clap::CommandFactory as _;
    let help = Cli::command().render_help().to_string();
    let readme = fs::read_to_string("README.md").unwrap();
    for (code, words) in [
        (4, "can't be reached"),
        (5, "refused"),
        (6, "output directory"),
        (7, "nothing was there to record"),
        (8, "GStreamer"),
    ] {
        assert!(help.contains(&format!("{code}  ")), "{code}");
        assert!(help.contains(words), "--help: {words}");
        assert!(readme.contains(&format!("| {code} |")), "{code}");
        assert!(readme.contains(words), "README: {words}");
    }
}
