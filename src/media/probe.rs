//! One trial of an encoder or a decoder: the order for it, in this process or in another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::aside::{Outcome, Program};
use super::verdict::Verdict;
use super::{decoder, encoder};

/// From picture to picture of a trial.
pub(super) const FRAME: Duration = Duration::from_nanos(33_333_333);

/// The number of the picture of a trial that has this time.
pub(super) fn number_at(at: Duration) -> u32 {
    let number = (at + FRAME / 2).as_nanos() / FRAME.as_nanos();
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// An encoder.
    Encoder(encoder::probe::Order),
    /// A decoder.
    Decoder(decoder::probe::Order),
}

/// Tries it in this process, which may die of it. Gives the report, as JSON on one line.
///
/// # Errors
/// When it can't be written as JSON.
pub fn here(order: &Order) -> serde_json::Result<String> {
    match order {
        Order::Encoder(order) => serde_json::to_string(&encoder::probe::run(order)),
        Order::Decoder(order) => serde_json::to_string(&decoder::probe::run(order)),
    }
}

/// Tries it in a process of its own.
///
/// # Errors
/// A verdict, when there can be no such process.
pub(super) fn elsewhere(
    program: &Program,
    order: &Order,
    limit: Duration,
) -> Result<Outcome, Verdict> {
    let failed = |reason: String| Verdict::Failed { reason };
    let order = serde_json::to_string(order)
        .map_err(|error| failed(format!("the order can't be written: {error}")))?;
    let outcome = program.run(&order, limit);
    outcome.map_err(|error| failed(format!("no process for a trial: {error}")))
}
