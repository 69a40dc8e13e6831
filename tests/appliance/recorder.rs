//! The recorder in the machine, as somebody sees it who has come in: systemctl, journalctl, reeld.

use serde_json::Value;

use crate::machine::Machine;

pub const UNIT: &str = "reeld@lobby";

/// The recorder of the room `lobby`.
pub struct Recorder<'a>(pub &'a Machine);

impl Recorder<'_> {
    /// Waits until this much of a recording that goes on is on its way to the disk.
    pub fn records(&self, milliseconds: u64) -> Value {
        // What `--json` says of the only recording; there is no jq on the box.
        let length = "reeld status --json 2>/dev/null | sed -n 's/.*\"recordings\":\\[{[^]]*\"duration_ms\":\\([0-9]*\\).*/\\1/p'";
        self.0.until(
            "a recording goes on",
            90,
            &format!("[ \"$({length})\" -gt {milliseconds} ] 2>/dev/null"),
        );
        self.status()
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.0.run("reeld status --json")).expect("JSON")
    }

    /// Length of what is recorded now.
    pub fn milliseconds(status: &Value) -> u64 {
        status["recordings"][0]["duration_ms"]
            .as_u64()
            .expect("a recording")
    }

    pub fn property(&self, name: &str) -> String {
        self.0
            .run(&format!("systemctl show --value -p {name} {UNIT}"))
    }

    pub fn restarts(&self) -> u32 {
        self.property("NRestarts").parse().expect("a number")
    }

    /// Waits until systemd has started it once more than `before`, and it records again.
    pub fn comes_back(&self, before: u32, seconds: u32) {
        self.0.until(
            "systemd starts it again",
            seconds,
            &format!("[ $(systemctl show --value -p NRestarts {UNIT}) -gt {before} ]"),
        );
        self.records(1_000);
    }

    /// Every recording there is can be played. One that goes on is sound as far as it is.
    pub fn is_sound(&self) {
        self.0.run("reeld verify /var/lib/reeld");
    }

    /// The recordings, the oldest first, as `reeld ls` tells them.
    pub fn list(&self) -> Vec<Value> {
        let said = self.0.run("reeld ls --json /var/lib/reeld");
        let told: Value = serde_json::from_str(&said).expect("JSON");
        told["recordings"].as_array().expect("a list").clone()
    }

    /// What the journal has of an event since the machine was started, the newest last.
    pub fn events(&self, id: &str) -> Vec<Value> {
        let said = self.0.run(&format!(
            "journalctl -b -o json --no-pager -q MESSAGE_ID={id}"
        ));
        let lines = said.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("JSON, a line each")
    }
}
