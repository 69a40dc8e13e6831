//! What systemd is told, by `sd_notify(3)`.

use std::time::Duration;

use sd_notify::NotifyState;

/// One message. Each goes out as one datagram, so that what belongs together arrives together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The configuration is valid and the storage can be written.
    Ready,
    /// The configuration is being read again.
    Reloading,
    /// We are ending.
    Stopping,
    /// All is well.
    Alive,
    /// Nothing will be well again in this process.
    DeadEnd,
    /// How things stand.
    Status(String),
    /// Ending takes this much longer at most.
    NeedsTime(Duration),
}

/// Tells systemd, where it wants to be told.
///
/// # Errors
/// What the operating system says.
pub fn tell(message: &Message) -> std::io::Result<()> {
    match message {
        Message::Ready => sd_notify::notify(&[NotifyState::Ready]),
        // A service of Type=notify-reload needs to know when (systemd.service(5)).
        Message::Reloading => {
            sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
        }
        Message::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        Message::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
        Message::DeadEnd => sd_notify::notify(&[NotifyState::WatchdogTrigger]),
        Message::Status(text) => sd_notify::notify(&[NotifyState::Status(&one_line(text))]),
        Message::NeedsTime(time) => {
            let usec = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
            sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(usec)])
        }
    }
}

/// How long systemd waits for [`Message::Alive`] at most; none where it waits for nothing.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// A new line would begin another assignment: names come from the network.
fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_can_assign_nothing_else() {
        let status = "recording \"a\nWATCHDOG=trigger\"";
        assert_eq!(one_line(status), "recording \"a WATCHDOG=trigger\"");
    }
}
