//! Tokens: minted for one room, or given ready made and looked through before use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use livekit_token::{AccessToken, Claims, VideoGrants};

use super::LiveKitError;

/// How long a minted token may be used to join. A connection outlives its token.
const LIFETIME: Duration = Duration::from_mins(10);

/// The server's limit for room names and identities (livekit-server `limit` section, defaults).
pub const MAX_NAME_BYTES: usize = 256;

/// How the recorder signs in.
#[derive(Clone)]
pub enum Credentials {
    /// Mint a token for each join.
    Key {
        /// `LIVEKIT_API_KEY`.
        key: String,
        /// `LIVEKIT_API_SECRET`.
        secret: String,
        /// The identity to join with; unique in the room.
        identity: String,
    },
    /// A token made elsewhere.
    Token(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { key, identity, .. } => f
                .debug_struct("Key")
                .field("key", key)
                .field("identity", identity)
                .finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token(…)"),
        }
    }
}

impl Credentials {
    /// The same with an identity of its own for one stay in a room, told apart by `number`. A
    /// token made elsewhere has its identity in it.
    #[must_use]
    pub fn of_a_stay(&self, number: u32) -> Self {
        match self {
            Self::Key {
                key,
                secret,
                identity,
            } => {
                let suffix = format!("-{number:08x}");
                let room = MAX_NAME_BYTES - suffix.len();
                let end = identity.floor_char_boundary(room);
                let name = identity.get(..end).unwrap_or_default();
                Self::Key {
                    key: key.clone(),
                    secret: secret.clone(),
                    identity: format!("{name}{suffix}"),
                }
            }
            Self::Token(token) => Self::Token(token.clone()),
        }
    }

    /// The room that a token made elsewhere is for; none of a key, which opens any.
    #[must_use]
    pub fn room(&self) -> Option<String> {
        match self {
            Self::Key { .. } => None,
            Self::Token(token) => {
                let claims = Claims::from_unverified(token).ok()?;
                Some(claims.video.room).filter(|room| !room.is_empty())
            }
        }
    }

    /// The token to join `room` with.
    ///
    /// # Errors
    /// When no token can be signed, or when the one given plainly can't be used for `room`.
    pub fn token_for(&self, room: &str, now: SystemTime) -> Result<String, LiveKitError> {
        match self {
            Self::Key {
                key,
                secret,
                identity,
            } => mint(key, secret, identity, room),
            Self::Token(token) => {
                let claims =
                    Claims::from_unverified(token).map_err(|_| LiveKitError::BadToken {
                        reason: "it is not a JSON web token".to_owned(),
                    })?;
                usable(&claims, room, now)?;
                Ok(token.clone())
            }
        }
    }
}

fn mint(key: &str, secret: &str, identity: &str, room: &str) -> Result<String, LiveKitError> {
    AccessToken::with_api_key(key, secret)
        .with_ttl(LIFETIME)
        .with_identity(identity)
        .with_name("reeld recorder")
        .with_grants(VideoGrants {
            room_join: true,
            room: room.to_owned(),
            hidden: true,
            recorder: true,
            can_subscribe: true.into(),
            can_publish: false.into(),
            can_publish_data: false.into(),
            ..VideoGrants::default()
        })
        .to_jwt()
        .map_err(LiveKitError::Sign)
}

/// What the server would refuse, said before asking it, with what to do.
fn usable(claims: &Claims, room: &str, now: SystemTime) -> Result<(), LiveKitError> {
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let bad = |reason: String| Err(LiveKitError::BadToken { reason });
    if (claims.exp as u64) <= now {
        return bad(format!(
            "it expired {} s ago (make a new one; is this machine's clock right?)",
            now - claims.exp as u64
        ));
    }
    if !claims.video.room_join {
        return bad("it lacks the grant roomJoin".to_owned());
    }
    if claims.video.can_subscribe == Some(false) {
        return bad("it lacks the grant canSubscribe".to_owned());
    }
    if claims.video.room != room {
        return bad(format!(
            "it is for the room '{}', not '{room}'",
            claims.video.room
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "secretsecretsecretsecretsecretsecret";

    fn key() -> Credentials {
        Credentials::Key {
            key: "devkey".to_owned(),
            secret: SECRET.to_owned(),
            identity: "reeld".to_owned(),
        }
    }

    #[test]
    fn a_minted_token_can_only_listen() {
        let token = key().token_for("lobby", SystemTime::now()).unwrap();
        let claims = Claims::from_unverified(&token).unwrap();
        assert_eq!(claims.sub, "reeld");
        assert_eq!(claims.video.room, "lobby");
        assert!(claims.video.room_join && claims.video.hidden && claims.video.recorder);
        assert_eq!(claims.video.can_subscribe, Some(true));
        assert_eq!(claims.video.can_publish, Some(false));
        assert_eq!(claims.video.can_publish_data, Some(false));
        assert!(!claims.video.room_admin && !claims.video.room_create);
    }

    #[test]
    fn a_given_token_is_looked_through() {
        let minted = key().token_for("lobby", SystemTime::now()).unwrap();
        let given = Credentials::Token(minted.clone());
        assert_eq!(given.token_for("lobby", SystemTime::now()).unwrap(), minted);

        assert_eq!(given.room().as_deref(), Some("lobby"));
        assert_eq!(key().room(), None);
        assert_eq!(Credentials::Token("abc".to_owned()).room(), None);

        let elsewhere = given.token_for("hall", SystemTime::now()).unwrap_err();
        assert!(
            elsewhere
                .to_string()
                .contains("for the room 'lobby', not 'hall'")
        );

        let later = SystemTime::now() + Duration::from_hours(1);
        let expired = given.token_for("lobby", later).unwrap_err();
        assert!(expired.to_string().contains("it expired"), "{expired}");

        let garbage = Credentials::Token("abc".to_owned()).token_for("lobby", SystemTime::now());
        assert!(
            garbage
                .unwrap_err()
                .to_string()
                .contains("not a JSON web token")
        );
    }

    #[test]
    fn each_stay_has_an_identity_that_the_server_takes() {
        let identity = |credentials: &Credentials| {
            let token = credentials.token_for("lobby", SystemTime::now()).unwrap();
            Claims::from_unverified(&token).unwrap().sub
        };
        assert_eq!(identity(&key().of_a_stay(0xbeef)), "reeld-0000beef");
        let long = Credentials::Key {
            key: "devkey".to_owned(),
            secret: SECRET.to_owned(),
            identity: "é".repeat(128),
        };
        let long = identity(&long.of_a_stay(1));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("é-00000001"));

        let given = Credentials::Token(key().token_for("lobby", SystemTime::now()).unwrap());
        assert_eq!(identity(&given.of_a_stay(1)), "reeld");
    }

    #[test]
    fn neither_secret_nor_token_is_shown() {
        let shown = format!("{:?} {:?}", key(), Credentials::Token(SECRET.to_owned()));
        assert!(!shown.contains("secretsecret"), "{shown}");
    }
}
