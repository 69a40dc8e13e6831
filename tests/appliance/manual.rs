//! What docs/operations.md has somebody do: on the box, and on a laptop with the box or its card.

use std::process::Command;

use crate::card::Card;
use crate::commands::commands;
use crate::machine::Machine;

/// Gives all that are meant for the box, one after another.
pub fn works(machine: &Machine) {
    for command in commands("# on the box") {
        // These would go on until somebody has seen enough.
        if command.ends_with(" -f") || command.ends_with(" --watch") {
            let (_, said) = machine.try_run(&format!("timeout 5 {command}; echo ended $?"));
            assert!(said.trim().ends_with("ended 124"), "{command}: {said}");
            assert!(said.lines().count() > 1, "{command}: {said}");
        } else {
            machine.run(&command);
        }
    }
}

/// The only command for the laptop that begins like this.
pub fn on_the_laptop(begin: &str) -> String {
    let mut found = commands("# on the laptop");
    found.retain(|it| it.starts_with(begin));
    assert_eq!(found.len(), 1, "{begin}: {found:?}");
    found.remove(0)
}

/// Recordings come over ssh while others are recorded.
pub fn fetches(machine: &Machine) {
    let command = on_the_laptop("ssh ");
    let command = command.strip_prefix("ssh root@kiosk-7 ").unwrap();
    let (remote, _) = command.split_once(" >").unwrap();
    let said = machine.run(&format!("{remote} | tar -tf -"));
    assert!(said.contains("/manifest.json"), "{said}");
}

/// What an old card still has can be made whole on another machine.
pub fn takes_an_old_card(card: &Card) {
    let command = on_the_laptop("reeld recover ");
    let at = card.file.with_file_name("mnt");
    std::fs::create_dir(&at).unwrap();
    let recover = command
        .replacen("reeld", env!("CARGO_BIN_EXE_reeld"), 1)
        .replace("/mnt", at.to_str().unwrap());
    // The mount is gone with its name space.
    let script = format!("mount -o loop,offset=$1 $2 $3 && {recover}");
    let done = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .args(["sh", "-c", &script, "sh"])
        .arg(card.last_partition().to_string())
        .args([&card.file, &at])
        .output()
        .expect("unshare");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{recover}: {done:?}");
    assert!(said.contains("lobby/"), "{said}");
}
