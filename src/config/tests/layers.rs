//! Several files, and what systemd hands over.

use super::*;

/// Files and credentials in a directory.
struct Directory(TempDir);

impl Directory {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = Self(TempDir::new().unwrap());
        for (name, text) in files {
            fs::write(directory.file(name), text).unwrap();
        }
        directory
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, files: &[&str], more: &[(&str, &str)]) -> Result<Config, String> {
        let files: Vec<_> = files.iter().map(|name| self.file(name)).collect();
        let mut variables = os(more);
        variables.push(("CREDENTIALS_DIRECTORY".into(), self.0.path().into()));
        let loaded = load(&files, variables, Flags::default());
        let directory = format!("{}/", self.0.path().display());
        loaded
            .map(|loaded| loaded.config)
            .map_err(|error| error.to_string().replace(&directory, ""))
    }
}

#[test]
fn a_later_file_comes_over_an_earlier_one_and_a_list_replaces_a_list() {
    let directory = Directory::new(&[
        (
            "a.toml",
            "[segment]\nduration = \"10m\"\n[audio]\ncodec = \"opus\"\n\
             [[room]]\nname = \"x\"\n[[room]]\nname = \"y\"\n",
        ),
        (
            "b.toml",
            "[segment]\nduration = \"20m\"\n[[room]]\nname = \"lobby\"\n",
        ),
    ]);
    let config = directory.load(&["a.toml", "b.toml"], &[]).unwrap();
    assert_eq!(config.segment.duration, Duration::from_mins(20));
    assert_eq!(config.audio.codec, AudioCodec::Opus);
    let rooms: Vec<_> = config.rooms.iter().map(|room| &room.name).collect();
    assert_eq!(rooms, ["lobby"]);
}

#[test]
fn a_mistake_is_found_in_its_file() {
    let directory = Directory::new(&[
        ("a.toml", "[memory]\nlower = 90\n"),
        ("b.toml", "\n[video]\nin_flight = 9\n"),
        ("c.toml", "[memory]\nupper = 85\n"),
    ]);
    let wrong = directory.load(&["a.toml", "b.toml"], &[]).unwrap_err();
    assert!(
        wrong.starts_with("b.toml:3:13: video.in_flight: "),
        "{wrong}"
    );
    // Neither of these is wrong by itself.
    let wrong = directory.load(&["a.toml", "c.toml"], &[]).unwrap_err();
    assert!(wrong.starts_with("a.toml:2:9: memory.lower: "), "{wrong}");
}

#[test]
fn credentials_come_over_files_and_below_variables() {
    let directory = Directory::new(&[
        (
            "a.toml",
            "[livekit]\napi_key = \"file\"\napi_secret = \"file\"\n",
        ),
        ("livekit-api-key", "credential\n"),
        ("livekit-api-secret", "\n"),
        ("livekit-e2ee-key", "shared\n"),
    ]);
    let secret = |config: &Config| {
        let livekit = &config.livekit;
        [&livekit.api_key, &livekit.api_secret]
            .map(|secret| secret.as_ref().unwrap().expose().to_owned())
    };
    let config = directory.load(&["a.toml"], &[]).unwrap();
    assert_eq!(
        secret(&config),
        ["credential", "file"],
        "an empty one is none"
    );
    assert!(config.livekit.token.is_none());
    let shared = config.livekit.e2ee_key.as_ref().map(Secret::expose);
    assert_eq!(shared, Some("shared"));
    let variable = [("LIVEKIT_API_KEY", "variable")];
    let config = directory.load(&["a.toml"], &variable).unwrap();
    assert_eq!(secret(&config), ["variable", "file"]);
}

#[test]
fn a_credential_that_cannot_be_read_is_named() {
    let directory = Directory::new(&[]);
    fs::create_dir(directory.file("livekit-token")).unwrap();
    let wrong = directory.load(&[], &[]).unwrap_err();
    let expected = "livekit-token: cannot read the credential that systemd handed over";
    assert_eq!(wrong, expected);
}

#[test]
fn a_room_can_be_synthetic_and_then_needs_no_key() {
    let place = |url: &str| {
        let text = format!("[[room]]\nname = \"a\"\nurl = \"{url}\"\n");
        let config = load_text(&text)?;
        match config.place(&config.rooms[0]) {
            Ok(Place::Synthetic { width, height }) => Ok((width, height)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    };
    assert_eq!(place("synthetic:"), Ok((1280, 720)));
    assert_eq!(place("synthetic:640x360"), Ok((640, 360)));
    for wrong in [
        "synthetic:x",
        "synthetic:7x7",
        "synthetic:640x361",
        "synthetic:99999x360",
    ] {
        let error = place(wrong).unwrap_err();
        assert!(error.contains("is no synthetic room"), "{error}");
    }
    assert!(
        place("wss://x")
            .unwrap_err()
            .contains("no token and no key")
    );
}
