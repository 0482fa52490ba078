//! Backends that are wrong on purpose, each in one way: a suite that passes one of them proves
//! nothing (D10). Each wraps the memory backend and breaks one promise of its seam.

mod log;
mod stats;
mod store;

pub use log::{BrokenLog, LogFault};
pub use stats::{BrokenStats, StatsFault};
pub use store::{BrokenStore, StoreFault};
