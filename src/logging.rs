//! Logging: human lines on standard error, structured fields in the journal.

use tracing_subscriber::EnvFilter;

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Not a level, nor a list of levels for modules.
    #[error(
        "{0:?} is no log level: write off, error, warn, info, debug or trace, and after commas \
         module=level"
    )]
    Level(String),
}

/// Whether [`init`] would take this level.
///
/// # Errors
/// [`LoggingError::Level`].
pub fn check_level(level: &str) -> Result<(), LoggingError> {
    EnvFilter::builder()
        .parse(level)
        .map(drop)
        .map_err(|_| LoggingError::Level(level.to_owned()))
}
