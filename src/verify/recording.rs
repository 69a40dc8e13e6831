//! A recording's manifest and playlist against its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::target::is_sealed;
use super::{FileReport, VerifyError};

pub(super) const MANIFEST: &str = "manifest.json";
const PLAYLIST: &str = "index.m3u8";

/// What is wrong with a recording as a whole. In JSON the variant is the field `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RecordingProblem {
    /// The manifest is no manifest.
    BadManifest {
        /// Where and why it could not be understood.
        reason: String,
    },
    /// There is a manifest but no playlist.
    NoPlaylist,
    /// The manifest names a segment that is not there.
    SegmentMissing {
        /// Its file name.
        file: String,
    },
    /// A sealed segment that the manifest does not name.
    NotInManifest {
        /// Its file name.
        file: String,
    },
    /// A segment is not as long as the manifest says.
    WrongSize {
        /// Its file name.
        file: String,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A segment's content is not what was written.
    WrongDigest {
        /// Its file name.
        file: String,
    },
    /// A sealed segment that the playlist does not list.
    NotInPlaylist {
        /// Its file name.
        file: String,
    },
    /// The playlist lists something that is no sealed segment here.
    PlaylistAhead {
        /// What it lists.
        file: String,
    },
}

impl fmt::Display for RecordingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadManifest { reason } => write!(f, "{MANIFEST} is malformed: {reason}"),
            Self::NoPlaylist => write!(f, "{PLAYLIST} is missing"),
            Self::SegmentMissing { file } => write!(f, "{file} is in {MANIFEST} but missing"),
            Self::NotInManifest { file } => write!(f, "{file} is not in {MANIFEST}"),
            Self::WrongSize {
                file,
                expected,
                found,
            } => {
                write!(f, "{file} has {found} bytes, {MANIFEST} says {expected}")
            }
            Self::WrongDigest { file } => {
                write!(f, "{file} has another SHA-256 than {MANIFEST} says")
            }
            Self::NotInPlaylist { file } => write!(f, "{file} is not in {PLAYLIST}"),
            Self::PlaylistAhead { file } => {
                write!(
                    f,
                    "{PLAYLIST} lists {file}, which is no sealed segment here"
                )
            }
        }
    }
}

/// What was found in a recording's directory, its segments aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordingReport {
    /// The directory.
    #[serde(serialize_with = "super::render::path")]
    pub path: PathBuf,
    /// Whether there are no problems here; the segments have reports of their own.
    pub sound: bool,
    /// Segments with their final names.
    pub sealed_segments: usize,
    /// Segments that are still open or were left by a crash.
    pub open_segments: usize,
    /// Whether there is a manifest; without one sizes and digests are not compared.
    pub has_manifest: bool,
    /// What makes it unsound: at most a few for each segment.
    pub problems: Vec<RecordingProblem>,
}

/// The part of a manifest that can be held against the files.
#[derive(Debug, Deserialize)]
struct Manifest {
    segments: Vec<Segment>,
}

#[derive(Debug, Deserialize)]
struct Segment {
    file: String,
    bytes: Option<u64>,
    sha256: Option<String>,
    /// Writing it failed: what is on the disk is not what was counted.
    #[serde(default)]
    damaged: bool,
}

/// A segment as it was read.
#[derive(Debug)]
pub(super) struct SegmentOnDisk {
    file: String,
    sealed: bool,
    bytes: u64,
    sha256: Option<String>,
}

impl SegmentOnDisk {
    /// None for a path without a file name.
    pub(super) fn of(report: &FileReport) -> Option<Self> {
        Some(Self {
            file: report.path.file_name()?.to_string_lossy().into_owned(),
            sealed: is_sealed(&report.path),
            bytes: report.bytes,
            sha256: report.sha256.clone(),
        })
    }
}

/// What the directory says about its segments.
#[derive(Debug)]
pub(super) struct Catalogue {
    directory: PathBuf,
    manifest: Option<Result<Manifest, serde_json::Error>>,
    /// The names that the playlist lists.
    playlist: Option<BTreeSet<String>>,
}

impl Catalogue {
    pub(super) fn read(directory: &Path) -> Result<Self, VerifyError> {
        let manifest = read_if_there(&directory.join(MANIFEST))?;
        let playlist = read_if_there(&directory.join(PLAYLIST))?;
        Ok(Self {
            directory: directory.to_owned(),
            manifest: manifest.map(|bytes| serde_json::from_slice(&bytes)),
            playlist: playlist.map(|bytes| listed(&String::from_utf8_lossy(&bytes))),
        })
    }

    pub(super) fn has_manifest(&self) -> bool {
        self.manifest.is_some()
    }

    pub(super) fn compare(&self, segments: &[SegmentOnDisk]) -> RecordingReport {
        let mut problems = Vec::new();
        let sealed: BTreeSet<_> = segments
            .iter()
            .filter(|it| it.sealed)
            .map(|it| it.file.as_str())
            .collect();
        match &self.manifest {
            Some(Ok(manifest)) => compare_manifest(manifest, segments, &sealed, &mut problems),
            Some(Err(error)) => {
                problems.push(RecordingProblem::BadManifest {
                    reason: error.to_string(),
                });
            }
            None => {}
        }
        match &self.playlist {
            Some(listed) => compare_playlist(listed, &sealed, &mut problems),
            None if self.has_manifest() => problems.push(RecordingProblem::NoPlaylist),
            None => {}
        }
        RecordingReport {
            path: self.directory.clone(),
            sound: problems.is_empty(),
            sealed_segments: sealed.len(),
            open_segments: segments.len() - sealed.len(),
            has_manifest: self.has_manifest(),
            problems,
        }
    }
}

fn compare_manifest(
    manifest: &Manifest,
    segments: &[SegmentOnDisk],
    sealed: &BTreeSet<&str>,
    problems: &mut Vec<RecordingProblem>,
) {
    let on_disk: BTreeMap<_, _> = segments.iter().map(|it| (it.file.as_str(), it)).collect();
    for segment in manifest.segments.iter().filter(|segment| !segment.damaged) {
        let file = segment.file.clone();
        let Some(found) = on_disk.get(file.as_str()) else {
            problems.push(RecordingProblem::SegmentMissing { file });
            continue;
        };
        // One that is still written to grows after the manifest.
        if !found.sealed {
            continue;
        }
        let digest = found.sha256.as_deref().unwrap_or_default();
        match segment.bytes {
            Some(expected) if expected != found.bytes => {
                let found = found.bytes;
                problems.push(RecordingProblem::WrongSize {
                    file,
                    expected,
                    found,
                });
            }
            _ if segment
                .sha256
                .as_ref()
                .is_some_and(|it| !it.eq_ignore_ascii_case(digest)) =>
            {
                problems.push(RecordingProblem::WrongDigest { file });
            }
            _ => {}
        }
    }
    let named: BTreeSet<_> = manifest
        .segments
        .iter()
        .map(|it| it.file.as_str())
        .collect();
    problems.extend(
        sealed
            .difference(&named)
            .map(|&file| RecordingProblem::NotInManifest { file: file.into() }),
    );
}

fn compare_playlist(
    listed: &BTreeSet<String>,
    sealed: &BTreeSet<&str>,
    problems: &mut Vec<RecordingProblem>,
) {
    let listed: BTreeSet<_> = listed.iter().map(String::as_str).collect();
    problems.extend(
        sealed
            .difference(&listed)
            .map(|&file| RecordingProblem::NotInPlaylist { file: file.into() }),
    );
    problems.extend(
        listed
            .difference(sealed)
            .map(|&file| RecordingProblem::PlaylistAhead { file: file.into() }),
    );
}

/// The media lines of a playlist (RFC 8216, 4.1).
fn listed(playlist: &str) -> BTreeSet<String> {
    let lines = playlist.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, VerifyError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VerifyError::reading(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::Builder;
    use crate::verify::reader::hex;
    use crate::verify::{Format, run};
    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};

    const OTHER: &str = "00001.ts";

    /// A recording of one sealed segment, with a manifest and a playlist that fit.
    struct Files {
        directory: tempfile::TempDir,
        manifest: Value,
    }

    impl Files {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let mut builder = Builder::new();
            builder.media(0, 30);
            let digest = hex(&Sha256::digest(&builder.bytes));
            let segment = json!({"file": "00000.ts", "bytes": builder.bytes.len(),
                "sha256": digest, "damaged": false, "frames": {"video": 30}});
            let files = Self {
                directory,
                manifest: json!({"version": 1, "segments": [segment]}),
            };
            files.write("00000.ts", &builder.bytes);
            files.write_manifest();
            files.write(PLAYLIST, b"#EXTM3U\n#EXTINF:1.0,\n00000.ts\n");
            files
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            fs::write(self.directory.path().join(name), bytes).unwrap();
        }

        fn write_manifest(&self) {
            self.write(MANIFEST, self.manifest.to_string().as_bytes());
        }

        /// Problems of the recording as a whole; the exit code has to agree.
        fn problems(&self) -> Vec<Value> {
            let mut out = Vec::new();
            let verdict = run(&[self.directory.path().to_owned()], Format::Json, &mut out).unwrap();
            let reports: Vec<Value> = serde_json::from_slice(&out).unwrap();
            let recording = reports.last().unwrap();
            assert_eq!(recording["type"], "recording");
            let problems = recording["problems"].as_array().unwrap().clone();
            assert_eq!(recording["sound"], problems.is_empty());
            assert_eq!(verdict.exit_code(), u8::from(!problems.is_empty()));
            problems
        }
    }

    #[test]
    fn a_recording_that_fits_its_manifest_is_sound() {
        let files = Files::new();
        let mut builder = Builder::new();
        builder.media(0, 10);
        files.write("00001.recording.ts", &builder.bytes);
        assert_eq!(
            files.problems(),
            [] as [Value; 0],
            "an open segment may be unlisted"
        );
    }

    #[test]
    fn sizes_and_digests_are_compared() {
        let mut files = Files::new();
        let bytes = files.manifest["segments"][0]["bytes"].as_u64().unwrap();
        files.manifest["segments"][0]["bytes"] = json!(7);
        files.write_manifest();
        let expected =
            json!({"kind": "wrong_size", "file": "00000.ts", "expected": 7, "found": bytes});
        assert_eq!(files.problems(), [expected]);

        files.manifest["segments"][0]["bytes"] = json!(bytes);
        files.manifest["segments"][0]["sha256"] = json!("00".repeat(32));
        files.write_manifest();
        assert_eq!(
            files.problems(),
            [json!({"kind": "wrong_digest", "file": "00000.ts"})]
        );

        files.manifest["segments"][0]["damaged"] = json!(true);
        files.write_manifest();
        assert_eq!(files.problems(), [] as [Value; 0], "known to be damaged");
    }

    #[test]
    fn segments_and_manifest_are_the_same_set() {
        let mut files = Files::new();
        files.manifest["segments"][0]["file"] = json!(OTHER);
        files.write_manifest();
        let missing = json!({"kind": "segment_missing", "file": OTHER});
        let unlisted = json!({"kind": "not_in_manifest", "file": "00000.ts"});
        assert_eq!(files.problems(), [missing, unlisted]);
    }

    #[test]
    fn the_playlist_lists_exactly_the_sealed_segments() {
        let files = Files::new();
        files.write(PLAYLIST, b"#EXTM3U\n00001.ts\n");
        let unlisted = json!({"kind": "not_in_playlist", "file": "00000.ts"});
        let ahead = json!({"kind": "playlist_ahead", "file": OTHER});
        assert_eq!(files.problems(), [unlisted, ahead]);
        fs::remove_file(files.directory.path().join(PLAYLIST)).unwrap();
        assert_eq!(files.problems(), [json!({"kind": "no_playlist"})]);
    }

    #[test]
    fn a_manifest_that_is_none_is_told_with_the_place() {
        let files = Files::new();
        files.write(MANIFEST, b"{\"segments\": [}");
        let problems = files.problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0]["kind"], "bad_manifest");
        assert!(
            problems[0]["reason"].as_str().unwrap().contains("column"),
            "{problems:?}"
        );
    }
}
