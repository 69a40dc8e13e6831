//! How much of the disk may be used, what is deleted for it, and whether it can be written.
//!
//! ```text
//!  "reeld-storage" thread                      decisions, pure
//!  ┌────────────────────────────────────┐
//!  │ space: statvfs, a probe file       │──►  state: may there be recordings?  ──► watch
//!  │ inventory: what is on the disk     │──►  retention: what is to go, in which order
//!  │ recorder::deletion: away with it   │◄──  clock: is the age of a recording known?
//!  └────────────────────────────────────┘
//! ```
//!
//! - [`keeper`]: the thread; a card that hangs holds up nobody else. [`custodian`]: what it does.
//! - [`state`]: what is published. [`retention`], [`clock`]: decisions. [`space`], [`inventory`]:
//!   what they are made from. [`listing`]: the recordings for people and programs.
//!
//! Nothing is deleted unless there is a quota or an age; see [`retention`].

pub mod clock;
pub mod custodian;
pub mod inventory;
pub mod keeper;
pub mod listing;
pub mod retention;
pub mod space;
pub mod state;
#[cfg(test)]
mod tests;

pub use keeper::Keeper;
pub use retention::Limits;
pub use space::Space;
pub use state::{Storage, StorageState};
