//! What a box is fit for, for `reeld doctor`: each thing is read once, judged by a pure function,
//! and what is not good says what to do about it. Nothing is changed: the only file that is
//! written is one of 1.3 MB in the output directory, to see how fast the disk is, and the cache of
//! trials.
//!
//! ```text
//!  /proc, /sys, /dev  ─► read ─► facts ─► judge ─► Finding { grade, subject, what, advice }
//!  output directory, server          │                         │
//!                                    └──────► Report ◄─────────┘
//! ```
//!
//! - [`finding`]: grades. [`report`]: all of it, as `--json` prints it. [`examine`]: from the
//!   questions to the report.
//! - [`machine`], [`cgroup`], [`pressure`], [`watchdog`], [`clock`], [`disk`], [`server`]: one
//!   subject each, its reader beside its judgement.
//! - [`coders`]: trials of encoders and decoders.
//! - [`sync_times`]: how long the disk takes. [`ask`]: another
//!   program's answer, in a limited time.

pub mod ask;
pub mod cgroup;
pub mod clock;
pub mod coders;
pub mod disk;
pub mod examine;
pub mod finding;
pub mod machine;
pub mod pressure;
pub mod report;
pub mod server;
pub mod sync_times;
pub mod watchdog;

pub use examine::{Questions, examine};
pub use finding::{Finding, Grade};
pub use report::Report;
