//! The `reeld` program.
fn main() {}
