//! What systemd hands over by `LoadCredential=`: files in a directory that only this service can
//! read (systemd.exec(5), Credentials).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::error::{ConfigError, Origin};
use super::load::Setting;

/// Where systemd says that the directory is.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The files' names, and the keys that they set.
const KEYS: [(&str, &str); 4] = [
    ("livekit-api-key", "livekit.api_key"),
    ("livekit-api-secret", "livekit.api_secret"),
    ("livekit-token", "livekit.token"),
    ("livekit-e2ee-key", "livekit.e2ee_key"),
];

/// What the credentials set. An empty one counts as absent: a unit can't leave one out that does
/// not exist, so the package makes empty files.
pub(super) fn read(variables: &[(OsString, OsString)]) -> Result<Vec<Setting>, ConfigError> {
    let mut found = Vec::new();
    let Some((_, directory)) = variables.iter().find(|(name, _)| name == DIRECTORY) else {
        return Ok(found);
    };
    for (name, key) in KEYS {
        let path = Path::new(directory).join(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(ConfigError::Credential { path, source }),
        };
        // Editors and `echo` end a file with a new line.
        let value = text.trim();
        if !value.is_empty() {
            found.push(Setting {
                origin: Origin::Credential(path),
                key: key.to_owned(),
                value: value.into(),
            });
        }
    }
    Ok(found)
}
