//! `[memory]`: what the governor is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds;
use super::units::{self, ByteSize, Percent};

/// How much memory may be used, and when quality is given up to keep within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// What may be used; 32 MiB to 64 GiB, and never more than 80 % of the tightest limit of our
    /// control group. By default 120 MiB.
    #[serde(deserialize_with = "bounds::budget")]
    pub budget: Option<ByteSize>,
    /// From this share of the budget on quality is given up, a step at a time; 30 to 95.
    #[serde(deserialize_with = "bounds::upper")]
    pub upper: Percent,
    /// Below this share it may come back; 10 to 90, and less than `upper`.
    #[serde(deserialize_with = "bounds::lower")]
    pub lower: Percent,
    /// From this share on it is given up at once, two steps at a time; 40 to 100, and more than
    /// `upper`.
    #[serde(deserialize_with = "bounds::emergency")]
    pub emergency: Percent,
    /// Between two steps at least, but in an emergency; 500 ms to 1 min.
    #[serde(
        deserialize_with = "bounds::dwell",
        serialize_with = "units::serialize_duration"
    )]
    pub dwell: Duration,
    /// How long nothing may be short before a step back; 5 s to 10 min.
    #[serde(
        deserialize_with = "bounds::quiet",
        serialize_with = "units::serialize_duration"
    )]
    pub quiet: Duration,
    /// When more of the pictures of the last 10 s were dropped, a warning is logged; 1 to 50.
    #[serde(deserialize_with = "bounds::drop_warn")]
    pub drop_warn: Percent,
    /// When more were dropped, it is an error, and quality is given up; 2 to 90, and more than
    /// `drop_warn`.
    #[serde(deserialize_with = "bounds::drop_error")]
    pub drop_error: Percent,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            budget: None,
            upper: Percent::new(80),
            lower: Percent::new(65),
            emergency: Percent::new(95),
            dwell: Duration::from_secs(2),
            quiet: Duration::from_secs(30),
            drop_warn: Percent::new(5),
            drop_error: Percent::new(10),
        }
    }
}
