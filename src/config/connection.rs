//! What one room needs, after `[livekit]`, `[select]` and its own overrides.

use super::error::ConfigError;
use super::schema::{Config, Room, Selection};
use super::secret::Secret;

/// Where a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// On a server.
    Server(Connection<'a>),
    /// Nowhere: a test card is recorded, to try a box out.
    Synthetic {
        /// Pixels across.
        width: u16,
        /// Pixels down.
        height: u16,
    },
}

/// What the URL of a room that is nowhere starts with.
pub(super) const SYNTHETIC: &str = "synthetic:";

/// The pixels of its camera where nothing else is said.
const SYNTHETIC_SIZE: (u16, u16) = (1280, 720);

/// How to get into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The server.
    pub url: &'a str,
    /// The room's name.
    pub room: &'a str,
    /// Who we are, where we sign the token.
    pub identity: &'a str,
    /// What opens the room.
    pub credentials: Credentials<'a>,
}

/// What opens a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// A ready-made token.
    Token(&'a Secret),
    /// A key to sign tokens with.
    Key {
        /// Its name.
        api_key: &'a Secret,
        /// Its secret.
        api_secret: &'a Secret,
    },
}

impl Config {
    /// The rooms to record, for a command that needs some.
    ///
    /// # Errors
    /// [`ConfigError::NoRooms`], or what [`Config::place`] says of the first room that
    /// cannot be joined.
    pub fn require_rooms(&self) -> Result<&[Room], ConfigError> {
        if self.rooms.is_empty() {
            return Err(ConfigError::NoRooms);
        }
        for room in &self.rooms {
            self.place(room)?;
        }
        Ok(&self.rooms)
    }

    /// What to record of `room`: its own selection or else the general one.
    #[must_use]
    pub fn selection<'a>(&'a self, room: &'a Room) -> &'a Selection {
        room.select.as_ref().unwrap_or(&self.select)
    }

    /// Where `room` is.
    ///
    /// # Errors
    /// What [`Config::connection`] says.
    pub fn place<'a>(&'a self, room: &'a Room) -> Result<Place<'a>, ConfigError> {
        match self.url(room).and_then(synthetic) {
            Some((width, height)) => Ok(Place::Synthetic { width, height }),
            None => self.connection(room).map(Place::Server),
        }
    }

    fn url<'a>(&'a self, room: &'a Room) -> Option<&'a str> {
        room.url.as_deref().or(self.livekit.url.as_deref())
    }

    /// How to get into `room`. Its own token or key comes before `[livekit]`'s, and in either
    /// a token before a key.
    ///
    /// # Errors
    /// [`ConfigError`] when there is no server, or no token and no whole key.
    pub fn connection<'a>(&'a self, room: &'a Room) -> Result<Connection<'a>, ConfigError> {
        let general = &self.livekit;
        let name = || room.name.clone();
        let own = credentials(room, [&room.token, &room.api_key, &room.api_secret])?;
        let shared = [&general.token, &general.api_key, &general.api_secret];
        let credentials = match own {
            None => credentials(room, shared)?,
            own => own,
        };
        Ok(Connection {
            url: self
                .url(room)
                .ok_or_else(|| ConfigError::NoUrl { room: name() })?,
            room: &room.name,
            identity: &general.identity,
            credentials: credentials.ok_or_else(|| ConfigError::NoCredentials { room: name() })?,
        })
    }
}

fn credentials<'a>(
    room: &Room,
    [token, api_key, api_secret]: [&'a Option<Secret>; 3],
) -> Result<Option<Credentials<'a>>, ConfigError> {
    let half = |present, missing| ConfigError::HalfKey {
        room: room.name.clone(),
        present,
        missing,
    };
    match (token, api_key, api_secret) {
        (Some(token), _, _) => Ok(Some(Credentials::Token(token))),
        (None, Some(api_key), Some(api_secret)) => Ok(Some(Credentials::Key {
            api_key,
            api_secret,
        })),
        (None, None, None) => Ok(None),
        (None, Some(_), None) => Err(half("api_key", "api_secret")),
        (None, None, Some(_)) => Err(half("api_secret", "api_key")),
    }
}

/// The test card's pixels across and down, where the URL asks for one: `synthetic:`, or
/// `synthetic:640x360`.
pub(super) fn synthetic(url: &str) -> Option<(u16, u16)> {
    match url.strip_prefix(SYNTHETIC)? {
        "" => Some(SYNTHETIC_SIZE),
        size => card_size(size),
    }
}

/// A test card's pixels across and down, such as `1280x720`; none where there is no such card.
#[must_use]
pub fn card_size(text: &str) -> Option<(u16, u16)> {
    const SIDE: std::ops::RangeInclusive<u16> = 160..=4096;
    let (width, height) = text.split_once('x')?;
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    let fits = SIDE.contains(&width) && SIDE.contains(&height);
    (fits && width % 8 == 0 && height % 2 == 0).then_some((width, height))
}
