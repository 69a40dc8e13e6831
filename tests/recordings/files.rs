//! What a recording left on the disk, read back by a reader that is not the writer's.

use std::path::{Path, PathBuf};
use std::process::Command;

use reeld::recorder::Manifest;
use reeld::recorder::manifest::RecordingState;
use reeld::verify::{self, FileReport, StreamCodec, StreamReport};

/// A sealed recording all of whose files are sound.
pub struct Recording {
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub files: Vec<FileReport>,
}

impl Recording {
    /// Reads a recording and checks all that must hold whatever happened to it.
    ///
    /// # Panics
    /// When something does not.
    pub fn read(folder: &Path) -> Self {
        let mut report = Vec::new();
        let verdict = verify::run(&[folder.to_owned()], verify::Format::Human, &mut report);
        assert_eq!(
            verdict.unwrap().exit_code(),
            0,
            "{}",
            String::from_utf8_lossy(&report)
        );
        assert_eq!(names(folder, ".recording.ts"), [] as [&str; 0]);
        assert_eq!(names(folder, ".tmp"), [] as [&str; 0]);
        let manifest = Manifest::read(&folder.join("manifest.json")).unwrap();
        assert_eq!(manifest.state, RecordingState::Sealed);
        let files: Vec<_> = names(folder, ".ts")
            .iter()
            .map(|name| verify::verify_file(&folder.join(name), false).unwrap())
            .collect();
        let recording = Self {
            folder: folder.to_owned(),
            manifest,
            files,
        };
        recording.agrees_with_itself();
        recording
    }

    fn agrees_with_itself(&self) {
        let named: Vec<_> = self.manifest.segments.iter().map(|s| &s.file).collect();
        assert_eq!(named, names(&self.folder, ".ts").iter().collect::<Vec<_>>());
        assert_eq!(self.playlist(), names(&self.folder, ".ts"));
        for (segment, file) in self.manifest.segments.iter().zip(&self.files) {
            let frames = |stream: Option<&StreamReport>| stream.map_or(0, |s| s.frames);
            assert_eq!(segment.frames.video, frames(video(file)), "{segment:#?}");
            // What arrived for one that was recovered went with its process, or its disk.
            assert!(
                segment.recovered || segment.frames.video <= segment.received.video,
                "{segment:#?}"
            );
            probe(file);
        }
    }

    /// The files that the playlist lists.
    pub fn playlist(&self) -> Vec<String> {
        let playlist = std::fs::read_to_string(self.folder.join("index.m3u8")).unwrap();
        assert!(playlist.ends_with("#EXT-X-ENDLIST\n"), "{playlist}");
        let lines = playlist.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    /// What each file holds: "h264", "aac" or "h264+aac".
    pub fn layouts(&self) -> Vec<String> {
        let codecs = |file: &FileReport| {
            let codecs: Vec<_> = file.streams.iter().map(|s| s.codec.to_string()).collect();
            codecs.join("+")
        };
        self.files.iter().map(codecs).collect()
    }

    pub fn pictures(&self) -> u64 {
        self.files.iter().filter_map(video).map(|s| s.frames).sum()
    }

    /// Milliseconds from the first picture to the end of the last one, in each file.
    pub fn picture_lengths(&self) -> Vec<u64> {
        let videos = self.files.iter().filter_map(video);
        videos.map(|stream| stream.duration_ms).collect()
    }
}

pub fn video(file: &FileReport) -> Option<&StreamReport> {
    file.streams
        .iter()
        .find(|stream| stream.codec == StreamCodec::H264)
}

pub fn audio(file: &FileReport) -> Option<&StreamReport> {
    file.streams
        .iter()
        .find(|stream| stream.codec == StreamCodec::Aac)
}

/// The names in `folder` that end like this, in order.
pub fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

/// Lets ffprobe, where it is installed, decode each frame of a file.
fn probe(file: &FileReport) {
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames"])
        .args(["-show_entries", "stream=codec_name,nb_read_frames"])
        .args(["-of", "csv=p=0"])
        .arg(&file.path)
        .output();
    let probe = match probe {
        Ok(probe) => probe,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: ffprobe is not installed");
            return;
        }
        Err(error) => panic!("ffprobe: {error}"),
    };
    let said = String::from_utf8_lossy(&probe.stderr);
    assert!(
        probe.status.success() && said.is_empty(),
        "{}: {said}",
        file.path.display()
    );
    let counted = String::from_utf8_lossy(&probe.stdout).into_owned();
    if let Some(video) = video(file) {
        let expected = format!("h264,{}", video.frames);
        // ffprobe lists a stream once more under its program.
        assert!(
            counted.lines().any(|line| line == expected),
            "{}: {counted}, not {expected}",
            file.path.display()
        );
    }
}
