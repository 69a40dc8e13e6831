//! Whether the LiveKit servers of a configuration would let us in.

use std::collections::BTreeSet;

use serde::Serialize;

use super::finding::Finding;
use crate::config::{Config, ConfigError, Connection, Credentials, Room};
use crate::daemon::join;
use crate::recorder::recording::one_line;
use crate::room::livekit::{self, Step};

const SUBJECT: &str = "server";

/// The room that is asked for where none is configured. Nobody joins it.
const ANY_ROOM: &str = "reeld-doctor";

/// A server, and what it says of one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Its address.
    pub url: String,
    /// The room.
    pub room: String,
    /// How long it took to be let in, in milliseconds; none when we were not.
    pub took_ms: Option<u64>,
    /// Whether the room is there; none when we were not let in.
    pub room_exists: Option<bool>,
    /// Where the way in ended.
    pub failed_at: Option<Step>,
    /// Why.
    pub error: Option<String>,
}

/// What was asked, and what came of it.
#[derive(Debug, Default)]
pub struct Asked {
    /// Each server, with one room for a key and with each room for tokens.
    pub servers: Vec<Server>,
    /// What could not be asked for want of a URL, a key or a token.
    pub findings: Vec<Finding>,
}

/// Asks the servers of all rooms, or the one of `[livekit]` where there are no rooms. One after
/// the other, and none again that could not be reached.
pub async fn ask(config: &Config) -> Asked {
    let mut asked = Asked::default();
    let mut away = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for room in rooms(config) {
        let connection = match config.connection(&room) {
            Ok(connection) => connection,
            Err(error) => {
                asked.findings.push(incomplete(&error));
                continue;
            }
        };
        if away.contains(connection.url) || !seen.insert(what_is_asked(&connection)) {
            continue;
        }
        let server = ask_one(&connection).await;
        if server
            .failed_at
            .is_some_and(|step| step != Step::Access && step != Step::Token)
        {
            away.insert(server.url.clone());
        }
        asked.servers.push(server);
    }
    asked
}

fn rooms(config: &Config) -> Vec<Room> {
    if !config.rooms.is_empty() {
        return config.rooms.clone();
    }
    let any = Room {
        name: ANY_ROOM.to_owned(),
        url: None,
        api_key: None,
        api_secret: None,
        token: None,
        select: None,
    };
    let name = config
        .connection(&any)
        .ok()
        .and_then(|connection| join::credentials(&connection).room());
    vec![Room {
        name: name.unwrap_or_else(|| any.name.clone()),
        ..any
    }]
}

/// Two connections with the same of these get the same answer: a key opens every room.
fn what_is_asked(connection: &Connection<'_>) -> [String; 3] {
    let (secret, room) = match connection.credentials {
        Credentials::Key {
            api_key,
            api_secret,
        } => (format!("{} {}", api_key.expose(), api_secret.expose()), ""),
        Credentials::Token(token) => (token.expose().to_owned(), connection.room),
    };
    [connection.url.to_owned(), secret, room.to_owned()]
}

async fn ask_one(connection: &Connection<'_>) -> Server {
    let credentials = join::credentials(connection);
    let answer = livekit::validate(connection.url, connection.room, &credentials).await;
    let server = Server {
        url: connection.url.to_owned(),
        room: connection.room.to_owned(),
        took_ms: None,
        room_exists: None,
        failed_at: None,
        error: None,
    };
    match answer {
        Ok(reached) => Server {
            took_ms: u64::try_from(reached.took.as_millis()).ok(),
            room_exists: Some(reached.room_exists),
            ..server
        },
        Err(unreached) => Server {
            failed_at: Some(unreached.step),
            // The step's own words are in it already.
            error: Some(one_line(&unreached.error)),
            ..server
        },
    }
}

fn incomplete(error: &ConfigError) -> Finding {
    Finding::bad(
        SUBJECT,
        one_line(error),
        "set LIVEKIT_URL (or --url), and LIVEKIT_API_KEY with LIVEKIT_API_SECRET or LIVEKIT_TOKEN; \
         or the keys of [livekit] in the configuration",
    )
}

/// The server must let us in; a room that is not there yet is waited for.
#[must_use]
pub fn judge(server: &Server) -> Finding {
    let Server { url, room, .. } = server;
    let Some(step) = server.failed_at else {
        let took = server.took_ms.unwrap_or_default();
        let room = if server.room_exists == Some(false) {
            format!("; the room {room:?} does not exist yet")
        } else {
            String::new()
        };
        return Finding::good(
            SUBJECT,
            format!("{url} would let us in, said after {took} ms{room}"),
        );
    };
    let error = server.error.clone().unwrap_or_default();
    Finding::bad(SUBJECT, error, advice(step))
}

/// What to do about a way in that ends at `step`.
const fn advice(step: Step) -> &'static str {
    match step {
        Step::Url => "write it as wss://host or ws://host:7880",
        Step::Token => {
            "make a new token, for this room, with roomJoin and canSubscribe; look at the line \
             \"clock\""
        }
        Step::Name => {
            "check the host's name, and that this box has a network and name servers (`getent hosts`)"
        }
        Step::Connection => {
            "check the port, that the server runs, and that no firewall is between (LiveKit \
             listens on TCP 7880, behind TLS mostly on 443)"
        }
        Step::Tls => {
            "use ws:// where the server has no TLS; else see that its certificate has this name and \
             has not expired, that the line \"clock\" is good, and name a CA of your own by \
             livekit.ca_file"
        }
        Step::Answer => {
            "check host, port and path: it must be LiveKit's own address, not that of an \
             application or a portal; if it is, look into the server's log"
        }
        Step::Access => {
            "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET against the server's `keys`, or the \
             token's key and grants; look at the line \"clock\""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Flags};
    use crate::doctor::Grade;

    fn config(text: &str) -> Config {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        config::load(&[file.path().to_owned()], [], Flags::default())
            .unwrap()
            .config
    }

    fn server(failed_at: Option<Step>, room_exists: Option<bool>) -> Server {
        Server {
            url: "ws://h:7880".to_owned(),
            room: "lobby".to_owned(),
            took_ms: failed_at.is_none().then_some(12),
            room_exists,
            failed_at,
            error: failed_at.map(|step| format!("can't: {step:?}")),
        }
    }

    #[test]
    fn a_server_that_lets_us_in_is_good_whether_the_room_is_there_or_not() {
        let there = judge(&server(None, Some(true)));
        assert_eq!(
            (there.grade(), there.what()),
            (Grade::Good, "ws://h:7880 would let us in, said after 12 ms")
        );
        let waited_for = judge(&server(None, Some(false)));
        assert_eq!(waited_for.grade(), Grade::Good);
        assert!(waited_for.what().contains("\"lobby\" does not exist yet"));
    }

    #[test]
    fn each_end_of_the_way_has_advice_of_its_own() {
        let mut told = BTreeSet::new();
        for step in [
            Step::Url,
            Step::Token,
            Step::Name,
            Step::Connection,
            Step::Tls,
            Step::Answer,
            Step::Access,
        ] {
            let finding = judge(&server(Some(step), None));
            assert_eq!(finding.grade(), Grade::Bad);
            assert!(
                told.insert(finding.advice().unwrap().to_owned()),
                "{step:?}"
            );
        }
    }

    #[test]
    fn a_key_is_asked_about_once_and_a_token_for_each_room() {
        let config = config(
            "[livekit]\nurl = \"ws://h\"\napi_key = \"k\"\napi_secret = \"s\"\n\
             [[room]]\nname = \"a\"\n[[room]]\nname = \"b\"\n\
             [[room]]\nname = \"c\"\ntoken = \"t\"\n[[room]]\nname = \"d\"\ntoken = \"t\"\n",
        );
        let asked: BTreeSet<_> = config
            .rooms
            .iter()
            .map(|room| what_is_asked(&config.connection(room).unwrap()))
            .collect();
        assert_eq!(asked.len(), 3);
    }

    #[tokio::test]
    async fn what_is_missing_is_said_without_asking_anybody() {
        let asked = ask(&config("[livekit]\nurl = \"ws://h\"\n")).await;
        assert!(asked.servers.is_empty());
        assert_eq!(asked.findings[0].grade(), Grade::Bad);
        assert!(asked.findings[0].what().contains("no token and no key"));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_tried_once() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        drop(listener);
        let secret = "a-secret-of-thirty-two-characters";
        let config = config(&format!(
            "[livekit]\nurl = \"{url}\"\napi_key = \"k\"\napi_secret = \"{secret}\"\n\
             [[room]]\nname = \"a\"\n[[room]]\nname = \"b\"\napi_key = \"other\"\n\
             api_secret = \"{secret}\"\n",
        ));
        let asked = ask(&config).await;
        let steps: Vec<_> = asked.servers.iter().map(|one| one.failed_at).collect();
        assert_eq!(steps, [Some(Step::Connection)]);
    }
}
