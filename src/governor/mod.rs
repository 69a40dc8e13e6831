//! How much memory is used, and what is given up to keep within the budget.
//!
//! ```text
//!  /sys/fs/cgroup, /proc ─► Probe ─► Reading ─┐
//!                                             ├─► Policy ─► Change, Warning ─► who acts on it
//!  recordings ──────────────────────► Load ───┘
//!      └──────────── who starts to encode asks ─► Door ─► Grant
//! ```
//!
//! - [`Policy`] is pure; so are `admission` (who may start to encode), `strain` (how short each
//!   thing is), `drops` (the share of dropped pictures lately), [`Budget`], [`Level`] and
//!   [`Thresholds`].
//! - [`cgroup`]: which groups account our memory. [`pressure`]: how long tasks wait. [`probe`]
//!   reads both again and again; [`Alarm`] comes at once where the kernel allows it.

mod admission;
mod alarm;
mod budget;
pub mod cgroup;
mod change;
mod door;
mod drops;
pub mod facts;
mod group;
mod level;
mod orders;
mod policy;
#[cfg(test)]
mod policy_tests;
pub mod pressure;
pub mod probe;
#[cfg(test)]
mod probe_tests;
mod reading;
mod scratch;
#[cfg(test)]
mod simulation;
mod strain;
mod thresholds;

pub use admission::cost;
pub use alarm::Alarm;
pub use budget::Budget;
pub use change::{Cause, Change, Figures, Warning};
pub use door::{Answer, Door, Grant};
pub use facts::Facts;
pub use level::Level;
pub use orders::Orders;
pub use policy::Policy;
pub use pressure::{Pressure, Stalls};
pub use probe::Probe;
pub use reading::{Load, Nearest, Reading};
pub use thresholds::Thresholds;
