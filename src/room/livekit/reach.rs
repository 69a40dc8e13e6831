//! Whether a server would let us in, without joining: what `/rtc/validate` says of a token, and
//! where the way to it ends.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use livekit_net::{Header, HttpClientExt as _, HttpResponse};
use livekit_signaling::SignalError;
use reqwest::Url;
use serde::Serialize;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Credentials, LiveKitError};

/// How long each step may take. LiveKit's own client waits as long for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a LiveKit server answers to a token that it takes (`v0Validate` in livekit-server's
/// `pkg/service/rtcservice.go`).
const WELCOME: &[u8] = b"success";

/// The server would let us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// How long it took to say so, from the first look for its name.
    pub took: Duration,
    /// Whether the room can be joined now. A server with `auto_create` makes any.
    pub room_exists: bool,
}

/// Where the way in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The URL is not one.
    Url,
    /// There is no token, or one that plainly can't be used.
    Token,
    /// The host's name has no address.
    Name,
    /// Nobody takes a connection there.
    Connection,
    /// There is no agreement on encryption, or on whom to trust.
    Tls,
    /// Something answers, and not as a LiveKit server does.
    Answer,
    /// The server refused the key, the token or its grants.
    Access,
}

/// We would not get in.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unreached {
    /// How far the way in went.
    pub step: Step,
    /// Why it ended.
    #[source]
    pub error: LiveKitError,
}

/// Asks the server at `url` whether it would let us into `room`. Joins nothing.
///
/// # Errors
/// [`Unreached`] when it would not, or is not there.
pub async fn validate(
    url: &str,
    room: &str,
    credentials: &Credentials,
) -> Result<Reached, Unreached> {
    let begun = Instant::now();
    let at = |step| move |error| Unreached { step, error };
    let target = target(url).map_err(at(Step::Url))?;
    let token = credentials
        .token_for(room, SystemTime::now())
        .map_err(at(Step::Token))?;
    let answer = match ask(&target, &token).await {
        Ok(answer) => answer,
        Err(reason) => return Err(why_not(url, &target, reason).await),
    };
    match judge(url, &answer) {
        Ok(room_exists) => Ok(Reached {
            took: begun.elapsed(),
            room_exists,
        }),
        Err(error) => Err(Unreached {
            step: step_of(&error),
            error,
        }),
    }
}

/// The address that says whether a token is good, built as LiveKit's client builds its own.
fn target(url: &str) -> Result<Url, LiveKitError> {
    let bad = |reason: &str| LiveKitError::BadUrl {
        url: url.to_owned(),
        reason: reason.to_owned(),
    };
    let mut target = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
    let scheme = match target.scheme() {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        _ => return Err(bad("another scheme")),
    };
    target
        .set_scheme(scheme)
        .and_then(|()| {
            target.path_segments_mut().map(|mut path| {
                path.pop_if_empty().extend(["rtc", "validate"]);
            })
        })
        .map_err(|()| bad("no host"))?;
    target.set_query(None);
    Ok(target)
}

/// The answer, or why there is none, in the words of the HTTP client.
async fn ask(target: &Url, token: &str) -> Result<HttpResponse, String> {
    let client = livekit_net::http_client().ok_or("no HTTP client")?;
    let authorization = Header {
        name: "Authorization".to_owned(),
        value: format!("Bearer {token}"),
    };
    let asking = client.get(target.to_string(), vec![authorization]);
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

/// Whether the room exists, of a server that takes the token.
fn judge(url: &str, answer: &HttpResponse) -> Result<bool, LiveKitError> {
    let foreign = |reason: String| LiveKitError::Unreachable {
        url: url.to_owned(),
        reason: format!("{reason} (is this a LiveKit server?)"),
    };
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let status = answer.status;
    let error = match (status, status.try_into()) {
        (200, _) if answer.body.trim_ascii() == WELCOME => return Ok(true),
        (400..=499, Ok(status)) => SignalError::Client(status, text),
        (500..=599, Ok(status)) => SignalError::Server(status, text),
        _ => {
            return Err(foreign(format!(
                "it answers with {status} and something else"
            )));
        }
    };
    match LiveKitError::from_signal(url, error) {
        LiveKitError::NoRoom { .. } => Ok(false),
        error => Err(error),
    }
}

/// Looks at the way to the server step by step, after it could not be asked. A proxy may stand
/// between: the steps only explain.
async fn why_not(url: &str, target: &Url, reason: String) -> Unreached {
    let ended = |step, reason: String| Unreached {
        step,
        error: LiveKitError::Unreachable {
            url: url.to_owned(),
            reason,
        },
    };
    let host = target.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let port = target.port_or_known_default().unwrap_or(0);
    let addresses = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<SocketAddr>>(),
        Ok(Err(error)) => return ended(Step::Name, error.to_string()),
        Err(_) => {
            let reason = format!("no name server answers within {PATIENCE:?}");
            return ended(Step::Name, reason);
        }
    };
    if let Err(error) = connect(&addresses).await {
        return ended(Step::Connection, error.to_string());
    }
    // What is wrong with a certificate is told by the words for it.
    let error = LiveKitError::from_signal(url, SignalError::Connection(reason));
    let step = if target.scheme() == "https" {
        Step::Tls
    } else {
        Step::Answer
    };
    Unreached { step, error }
}

/// Whether any of the addresses takes a connection.
async fn connect(addresses: &[SocketAddr]) -> io::Result<()> {
    let connecting = TcpStream::connect(addresses);
    match timeout(PATIENCE, connecting).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

const fn step_of(error: &LiveKitError) -> Step {
    match error {
        LiveKitError::Refused { .. } => Step::Access,
        LiveKitError::Untrusted { .. } => Step::Tls,
        _ => Step::Answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_address_is_the_clients_own() {
        for (url, expected) in [
            ("ws://h:7880", "http://h:7880/rtc/validate"),
            ("wss://live.example", "https://live.example/rtc/validate"),
            ("https://h/livekit/", "https://h/livekit/rtc/validate"),
            ("ws://[::1]:80/?x=y", "http://[::1]/rtc/validate"),
        ] {
            assert_eq!(target(url).unwrap().as_str(), expected);
        }
        for url in ["ftp://h", "h:7880", "", "ws://"] {
            let error = target(url).unwrap_err();
            assert!(
                matches!(error, LiveKitError::BadUrl { .. }),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn a_servers_answer_is_understood() {
        let judged = |status, body| judge("ws://h", &answer(status, body));
        assert!(judged(200, "success").unwrap());
        assert!(!judged(404, "requested room does not exist").unwrap());
        for (status, body, step) in [
            (401, "invalid API key: nobody", Step::Access),
            (403, "", Step::Access),
            // A server of something else, a captive portal, one that is overloaded.
            (404, "<html>not found</html>", Step::Answer),
            (200, "<html>log in here</html>", Step::Answer),
            (301, "", Step::Answer),
            (503, "limit exceeded", Step::Answer),
        ] {
            let error = judged(status, body).unwrap_err();
            assert_eq!(step_of(&error), step, "{status} {body}: {error}");
        }
    }

    #[tokio::test]
    async fn the_way_is_followed_up_to_where_it_ends() {
        let step = async |url: &str| {
            let reason = "it failed".to_owned();
            why_not(url, &target(url).unwrap(), reason).await.step
        };
        // RFC 6761: this name has no address, ever.
        assert_eq!(step("ws://reeld.invalid:7880").await, Step::Name);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(step(&format!("ws://{address}")).await, Step::Answer);
        assert_eq!(step(&format!("wss://{address}")).await, Step::Tls);
        drop(listener);
        assert_eq!(step(&format!("ws://{address}")).await, Step::Connection);
    }

    #[tokio::test]
    async fn a_token_that_can_not_be_used_is_not_sent() {
        let token = Credentials::Token("no token".to_owned());
        let refused = validate("ws://127.0.0.1:9", "lobby", &token).await;
        assert_eq!(refused.unwrap_err().step, Step::Token);
    }
}
