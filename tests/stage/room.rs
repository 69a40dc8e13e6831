//! Tokens, and the part of the server's API that tests need.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use livekit_token::{AccessToken, VideoGrants};

use super::server::{API_KEY, API_SECRET, Server};

/// A token for `identity` with `grants`, valid for `ttl`.
pub fn token(identity: &str, grants: VideoGrants, ttl: Duration) -> String {
    AccessToken::with_api_key(API_KEY, API_SECRET)
        .with_identity(identity)
        .with_grants(grants)
        .with_ttl(ttl)
        .to_jwt()
        .expect("a token")
}

/// What somebody needs who takes part in `room`.
pub fn member(room: &str) -> VideoGrants {
    VideoGrants {
        room_join: true,
        room: room.to_owned(),
        ..VideoGrants::default()
    }
}

/// Closes the room: the server disconnects everybody in it.
pub fn delete(server: &Server, room: &str) {
    let grants = VideoGrants {
        room_create: true,
        ..VideoGrants::default()
    };
    let body = serde_json::json!({ "room": room });
    ask(server, "DeleteRoom", grants, &body);
}

/// Sends one participant out of the room.
pub fn remove(server: &Server, room: &str, identity: &str) {
    let grants = VideoGrants {
        room_admin: true,
        room: room.to_owned(),
        ..VideoGrants::default()
    };
    let body = serde_json::json!({ "room": room, "identity": identity });
    ask(server, "RemoveParticipant", grants, &body);
}

/// The names of the rooms that there are.
pub fn list(server: &Server) -> Vec<String> {
    let grants = VideoGrants {
        room_list: true,
        ..VideoGrants::default()
    };
    let answer = ask(server, "ListRooms", grants, &serde_json::json!({}));
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer's body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let rooms = body["rooms"].as_array().expect("a list of rooms").iter();
    rooms
        .map(|room| room["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The whole of the server's answer, which must be that all is well.
fn ask(server: &Server, method: &str, grants: VideoGrants, body: &serde_json::Value) -> String {
    let token = token("stage", grants, Duration::from_mins(1));
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.address()).expect("the server's API answers");
    write!(
        stream,
        "POST /twirp/livekit.RoomService/{method} HTTP/1.0\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.lines().next().unwrap_or_default();
    assert!(status.contains(" 200 "), "{method}: {answer}");
    answer
}
