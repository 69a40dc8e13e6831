//! Why a LiveKit room could not be joined or kept, and whether trying again can help.

use std::path::PathBuf;

use livekit_signaling::SignalError;

use super::CaError;

/// Joining or staying in a LiveKit room failed.
#[derive(Debug, thiserror::Error)]
pub enum LiveKitError {
    /// No address of a server is configured.
    #[error(
        "no LiveKit server: give --url, livekit.url or LIVEKIT_URL (ws://host:7880 or wss://…)"
    )]
    NoUrl,
    /// The address is not a URL that LiveKit can be reached by.
    #[error("'{url}' is not a LiveKit address ({reason}): use ws://, wss://, http:// or https://")]
    BadUrl {
        /// The address as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither a key and secret nor a token is configured.
    #[error(
        "no way to sign in: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or give a token in LIVEKIT_TOKEN"
    )]
    NoCredentials,
    /// The token given is not one, or can't be used for this room.
    #[error("the token can't be used: {reason}")]
    BadToken {
        /// What is wrong with it.
        reason: String,
    },
    /// A token could not be signed.
    #[error("could not sign a token with LIVEKIT_API_KEY and LIVEKIT_API_SECRET")]
    Sign(#[source] livekit_token::AccessTokenError),
    /// The server knows us and says no.
    #[error(
        "{url} refused the recorder: {reason} (check the key, the secret and the token's grants)"
    )]
    Refused {
        /// The server's address.
        url: String,
        /// Status and text as the server gave them.
        reason: String,
    },
    /// The server says that the room does not exist.
    #[error("{url} has no such room: {reason}")]
    NoRoom {
        /// The server's address.
        url: String,
        /// The text as the server gave it.
        reason: String,
    },
    /// The file with CAs to trust can't be used.
    #[error("the CA file {} can't be used", .path.display())]
    BadCa {
        /// The file as given.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CaError,
    },
    /// The server's certificate is signed by nobody whom we trust.
    #[error("{url} is not trusted: {reason} (name its CA in livekit.ca_file or by --ca-file)")]
    Untrusted {
        /// The server's address.
        url: String,
        /// The TLS library's words.
        reason: String,
    },
    /// The server can't be reached, or answers like no LiveKit server.
    #[error("can't reach a LiveKit server at {url}: {reason}")]
    Unreachable {
        /// The server's address.
        url: String,
        /// The failing step.
        reason: String,
    },
    /// No socket could be opened for media.
    #[error("no network address of this machine can be used for media")]
    NoSocket(#[source] std::io::Error),
    /// The media stack gave up.
    #[error("the media connection failed while {doing}")]
    Peer {
        /// What was being done.
        doing: &'static str,
        /// The stack's own error.
        #[source]
        source: str0m::RtcError,
    },
    /// The server sent something that the protocol does not allow.
    #[error("the server sent an unusable {what}: {reason}")]
    Protocol {
        /// Which message.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The selection can't be used.
    #[error(transparent)]
    Selection(#[from] crate::room::SelectionError),
}

/// What to do about a [`LiveKitError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Somebody must change the configuration: a one-shot recording ends, a daemon tries again
    /// slowly (clocks and servers' key files do change).
    Configure,
    /// The same configuration may work later.
    Retry,
}

impl LiveKitError {
    /// Whether the same configuration may work later.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::NoUrl
            | Self::BadUrl { .. }
            | Self::NoCredentials
            | Self::BadToken { .. }
            | Self::BadCa { .. }
            | Self::Sign(_)
            | Self::Refused { .. }
            | Self::Selection(_) => Remedy::Configure,
            Self::NoRoom { .. }
            | Self::Untrusted { .. }
            | Self::Unreachable { .. }
            | Self::NoSocket(_)
            | Self::Peer { .. }
            | Self::Protocol { .. } => Remedy::Retry,
        }
    }

    /// Sorts an error of LiveKit's signalling by what it means to us.
    #[must_use]
    pub fn from_signal(url: &str, error: SignalError) -> Self {
        let url = url.to_owned();
        let unreachable = |reason: String| Self::Unreachable {
            url: url.clone(),
            reason,
        };
        match error {
            SignalError::UrlParse(reason) => Self::BadUrl { url, reason },
            SignalError::TokenFormat => Self::BadToken {
                reason: "it has characters that no token has".to_owned(),
            },
            SignalError::Client(status, text) => {
                let reason = one_line(&format!("{} {}", status.as_u16(), text));
                match status.as_u16() {
                    401 | 403 => Self::Refused { url, reason },
                    404 if text.contains("room") => Self::NoRoom { url, reason },
                    404 => unreachable(format!("{reason} (is this a LiveKit server?)")),
                    _ => unreachable(reason),
                }
            }
            SignalError::Server(status, text) => {
                unreachable(one_line(&format!("{} {}", status.as_u16(), text)))
            }
            other => {
                let reason = one_line(&other.to_string());
                // Told by the TLS library's words only: no type of it gets through livekit-net.
                if reason.contains("UnknownIssuer") {
                    return Self::Untrusted { url, reason };
                }
                unreachable(reason)
            }
        }
    }
}

/// A server's text on one line and of bounded length, fit for a log.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_retried_and_an_outage_is() {
        let refused = SignalError::Client(401.try_into().unwrap(), "invalid token\n".to_owned());
        let refused = LiveKitError::from_signal("ws://h", refused);
        assert_eq!(refused.remedy(), Remedy::Configure);
        assert!(refused.to_string().contains("401 invalid token (check"));

        let away = LiveKitError::from_signal("ws://h", SignalError::Connection("no".to_owned()));
        assert_eq!(away.remedy(), Remedy::Retry);
        assert_eq!(
            away.to_string(),
            "can't reach a LiveKit server at ws://h: transport connection error: no"
        );
    }

    #[test]
    fn a_missing_room_is_told_from_a_foreign_server() {
        let missing = SignalError::Client(
            404.try_into().unwrap(),
            "requested room does not exist".to_owned(),
        );
        assert!(matches!(
            LiveKitError::from_signal("u", missing),
            LiveKitError::NoRoom { .. }
        ));
        let foreign = SignalError::Client(404.try_into().unwrap(), "<html>".to_owned());
        assert!(matches!(
            LiveKitError::from_signal("u", foreign),
            LiveKitError::Unreachable { .. }
        ));
    }

    #[test]
    fn a_servers_text_stays_on_one_line() {
        assert_eq!(one_line("a\n  b\tc"), "a b c");
        assert_eq!(one_line("a\u{1b}[2Jb"), "a[2Jb");
        assert_eq!(one_line(&"x".repeat(999)).len(), 200);
    }
}
