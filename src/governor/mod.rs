//! What is given up so that memory stays within its budget and the rest keeps up.

mod level;
mod orders;

pub use level::Level;
pub use orders::Orders;

#[derive(Debug, Default)]
pub struct Load {
    pub encoder_lag: std::time::Duration,
    pub disk_lag: std::time::Duration,
    pub pictures: u64,
    pub dropped: u64,
}
