//! Another program's answer, in a limited time.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// More than this of an answer is not read, in bytes.
const MOST: u64 = 64 << 10;

/// What `program` prints on its standard output. None when it is not installed, fails, or takes
/// longer than `limit`; then it is killed. Blocks. It must be one that ends when it has said all.
#[must_use]
pub fn ask(program: &str, arguments: &[&str], limit: Duration) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    // One answer, and nobody waits to give it.
    let (sender, answers) = sync_channel(1);
    let reader = std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = stdout.take(MOST).read_to_end(&mut answer);
        // Whoever asked has gone: nobody wants to know.
        let _ = sender.send(read.map(|_| answer));
    });
    let answer = answers.recv_timeout(limit);
    let in_time = answer.is_ok();
    if !in_time && child.kill().is_err() {
        return None;
    }
    let status = child.wait().ok()?;
    if !in_time {
        return None;
    }
    reader.join().ok()?;
    let answer = answer.ok()?.ok().filter(|_| status.success())?;
    Some(String::from_utf8_lossy(&answer).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn an_answer_is_what_a_program_that_succeeds_prints() {
        let shell = |script: &str| ask("sh", &["-c", script], LONG);
        assert_eq!(shell("echo ' yes'; echo no >&2").as_deref(), Some("yes"));
        assert_eq!(shell("true").as_deref(), Some(""));
        assert_eq!(shell("echo yes; exit 1"), None);
        assert_eq!(shell("kill -9 $$"), None);
        assert_eq!(ask("reeld-no-such-program", &[], LONG), None);
    }

    #[test]
    fn one_that_does_not_answer_is_left() {
        let before = Instant::now();
        let silent = ask("sleep", &["600"], Duration::from_millis(50));
        assert_eq!(silent, None);
        assert!(before.elapsed() < LONG, "{:?}", before.elapsed());
    }

    #[test]
    fn one_that_never_stops_talking_is_cut_short() {
        // Its reader goes away, and it ends by SIGPIPE.
        assert_eq!(ask("yes", &[], LONG), None);
    }
}
