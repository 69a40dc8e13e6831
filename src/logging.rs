//! Logging: human lines on standard error, or structured entries in the journal.
//!
//! Spans and events name what they are about by the fields `room`, `participant`, `track` and
//! `segment`; in the journal these are ROOM, PARTICIPANT, TRACK and SEGMENT. Strings from the
//! network go in as plain values (`participant = identity`), which are quoted and escaped on a
//! terminal, and not by `%`.
//!
//! The events that matter have an id ([`crate::events`]), which the journal gets and a terminal does
//! not. Of one kind and room no more than so many a minute are let through ([`bound`]).
//!
//! Crates that write through the `log` facade are left out on purpose: no bridge is installed,
//! because `tungstenite` traces the whole request with its token.

mod bound;
mod fields;

use std::env;
use std::io::{self, IsTerminal};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::Subscriber;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::{FilterExt, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::UtcTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use bound::Bound;
use fields::ForPeople;

/// Crates that say at `info` and below what matters only to those who work on them, and may
/// show what is private (ICE passwords).
const QUIET: [&str; 3] = ["str0m", "hyper", "hyper_util"];

/// Time of day, UTC: whole dates are for the journal and for whoever keeps the output.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Not a level, nor a list of levels for modules.
    #[error(
        "{0:?} is no log level: write off, error, warn, info, debug or trace, and after commas \
         module=level"
    )]
    Level(String),
    /// It was set up before.
    #[error("logging is set up already")]
    Twice(#[from] SetGlobalDefaultError),
}

/// Where log entries go, and how they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// To the journal, with its fields.
    Journal,
    /// Lines on standard error.
    Human {
        /// Coloured by ANSI escapes.
        colour: bool,
    },
}

/// A file's identity: two names with the same are the same open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl Style {
    /// The style for this process's standard error.
    #[must_use]
    pub fn detect() -> Self {
        let stderr = nix::sys::stat::fstat(io::stderr()).ok().map(|stat| FileId {
            device: stat.st_dev,
            inode: stat.st_ino,
        });
        let journal = env::var("JOURNAL_STREAM").ok();
        // https://no-color.org
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::choose(
            journal.as_deref(),
            stderr,
            io::stderr().is_terminal() && !plain,
        )
    }

    /// The journal if standard error leads there: `JOURNAL_STREAM` is `device:inode` of the
    /// journal's socket, in decimal, and children inherit it even where their standard error
    /// leads elsewhere (systemd.exec(5)).
    fn choose(journal_stream: Option<&str>, stderr: Option<FileId>, colour: bool) -> Self {
        let journal = journal_stream.and_then(parse_journal_stream);
        if journal.is_some() && journal == stderr {
            Self::Journal
        } else {
            Self::Human { colour }
        }
    }
}

fn parse_journal_stream(text: &str) -> Option<FileId> {
    let (device, inode) = text.split_once(':')?;
    Some(FileId {
        device: device.parse().ok()?,
        inode: inode.parse().ok()?,
    })
}

/// Sets logging up for the process. `level` is `log.level` of the configuration.
///
/// Where the journal cannot be reached the entries go to standard error, which leads there too,
/// and the first of them says so.
///
/// # Errors
/// [`LoggingError`] for a bad level, or when it is called twice.
pub fn init(level: &str, style: Style) -> Result<(), LoggingError> {
    let filter = filter(level)?;
    match style {
        Style::Human { colour } => install(filter, human(io::stderr, colour)),
        Style::Journal => match tracing_journald::layer() {
            Ok(journal) => install(
                filter,
                journal
                    .with_field_prefix(None)
                    .with_priority_mappings(priorities()),
            ),
            Err(error) => {
                install(filter, human(io::stderr, false))?;
                tracing::warn!(%error, "the journal cannot be reached, logging to standard error");
                Ok(())
            }
        },
    }
}

/// Whether [`init`] would take this level.
///
/// # Errors
/// [`LoggingError::Level`].
pub fn check_level(level: &str) -> Result<(), LoggingError> {
    filter(level).map(drop)
}

fn install(
    filter: EnvFilter,
    output: impl Layer<Registry> + Send + Sync,
) -> Result<(), LoggingError> {
    let filter = filter.and(Bound::default());
    let subscriber = Registry::default().with(output.with_filter(filter));
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(())
}

/// One compact line an event.
fn human<S, W>(writer: W, colour: bool) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .compact()
        .fmt_fields(ForPeople)
        .with_timer(UtcTime::new(TIME))
        .with_ansi(colour)
        .with_writer(writer)
}

/// The journal's own words for the levels; the crate's default makes `info` a notice.
fn priorities() -> PriorityMappings {
    PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    }
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let wrong = || LoggingError::Level(level.to_owned());
    let directives = directives(level).ok_or_else(wrong)?;
    EnvFilter::builder().parse(directives).map_err(|_| wrong())
}

/// `level` with what keeps the [`QUIET`] crates quiet unless it names them; none when a part of
/// it is neither a level nor `module=level`. `EnvFilter` itself takes any word, such as `inof`,
/// for a module, and would then log nothing else.
fn directives(level: &str) -> Option<String> {
    let mut general = LevelFilter::OFF;
    let mut named = Vec::new();
    for part in level.split(',').map(str::trim) {
        match part.rsplit_once('=') {
            Some((module, level)) if !module.is_empty() => {
                parse_level(level)?;
                named.push(module);
            }
            Some(_) => return None,
            None => general = parse_level(part)?,
        }
    }
    // Less than `warn` for all is less than `warn` for these.
    let loud = |quiet: &&str| {
        general > LevelFilter::WARN && !named.iter().any(|module| module.starts_with(quiet))
    };
    let quiet = QUIET.into_iter().filter(loud);
    Some(quiet.fold(level.to_owned(), |all, quiet| all + "," + quiet + "=warn"))
}

/// A level by its name; `LevelFilter` itself also takes numbers and nothing at all.
fn parse_level(name: &str) -> Option<LevelFilter> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
    name.parse().ok().filter(|_| is_name)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::{Config, Secret};

    const STDERR: FileId = FileId {
        device: 8,
        inode: 12_345,
    };

    #[test]
    fn the_journal_is_chosen_only_when_standard_error_leads_there() {
        for (stream, stderr, journal) in [
            (Some("8:12345"), Some(STDERR), true),
            (Some("8:12346"), Some(STDERR), false),
            (Some("9:12345"), Some(STDERR), false),
            (Some("8:12345"), None, false),
            (None, Some(STDERR), false),
            (None, None, false),
            (Some(""), Some(STDERR), false),
            (Some("8"), None, false),
            (Some("8:12345:1"), Some(STDERR), false),
            (Some("0x8:12345"), Some(STDERR), false),
        ] {
            let expected = if journal {
                Style::Journal
            } else {
                Style::Human { colour: true }
            };
            assert_eq!(Style::choose(stream, stderr, true), expected, "{stream:?}");
        }
    }

    #[test]
    fn noisy_crates_are_quiet_unless_they_are_named() {
        for (level, expected) in [
            ("info", "info,str0m=warn,hyper=warn,hyper_util=warn"),
            (
                "trace,str0m=debug",
                "trace,str0m=debug,hyper=warn,hyper_util=warn",
            ),
            (
                "reeld=trace, debug,str0m::ice=trace",
                "reeld=trace, debug,str0m::ice=trace,hyper=warn,hyper_util=warn",
            ),
            ("error", "error"),
            ("off", "off"),
            ("reeld=debug", "reeld=debug"),
        ] {
            assert_eq!(directives(level).as_deref(), Some(expected));
            check_level(level).unwrap();
        }
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for level in [
            "",
            "inof",
            "3",
            "info,",
            "reeld=loud",
            "=info",
            "reeld=",
            "warning",
        ] {
            let error = check_level(level).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "{level:?} is no log level: write off, error, warn, info, debug or trace, \
                     and after commas module=level"
                )
            );
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What [`human`] writes while `log` runs.
    fn lines_of(log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let output = human(move || writer.clone(), false).with_filter(Bound::default());
        let subscriber = Registry::default().with(output);
        tracing::subscriber::with_default(subscriber, log);
        let written = written.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn a_secret_does_not_reach_the_log() {
        let mut config = Config::default();
        config.livekit.token = Some(Secret::new("s3cr3t"));
        config.livekit.api_secret = Some(Secret::new("s3cr3t"));
        let token = Secret::new("s3cr3t");
        let lines = lines_of(|| {
            let _span = tracing::info_span!("join", ?token).entered();
            tracing::info!(?config, "joining with {token:?}");
        });
        assert!(lines.contains("joining with …"), "{lines}");
        assert!(lines.contains("token: Some(…)"), "{lines}");
        assert!(!lines.contains("s3cr3t"), "{lines}");
    }

    #[test]
    fn a_flood_of_one_kind_is_held_back_and_nothing_else() {
        let lines = lines_of(|| {
            for number in 0..100 {
                tracing::warn!(room = "lobby", number, "flood");
                tracing::debug!(room = "lobby", number, "asked for");
            }
            tracing::info!(room = "lobby", "another");
        });
        let count = |text| lines.lines().filter(|line| line.contains(text)).count();
        assert_eq!(count(" flood "), 30, "{lines}");
        assert_eq!(count(" asked for "), 100, "{lines}");
        assert_eq!(count(" another "), 1, "{lines}");
    }

    #[test]
    fn an_event_is_one_line_whatever_the_network_named_its_people() {
        let participant = "eve\n12:00:00.000Z ERROR forged\u{1b}[31m";
        let message_id = crate::events::SEGMENT_SEALED;
        let lines = lines_of(|| tracing::info!(message_id, participant, segment = 3, "sealed"));
        assert!(!lines.contains("message_id"), "{lines}");
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(!lines.contains('\u{1b}'), "{lines}");
        assert!(lines.contains("segment=3"), "{lines}");
        let time = lines.split(' ').next().unwrap();
        assert_eq!(time.len(), "12:34:56.789Z".len(), "{lines}");
    }
}
