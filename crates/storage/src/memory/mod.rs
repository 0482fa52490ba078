//! The smallest correct backend: the readable specification of the seams, and the stand-in for a
//! store in the tests of collector, workers and query. Brute force throughout; nothing is tuned.
//!
//! Nothing touches a disk, yet the difference between *applied* and *durable* is kept: `restart`
//! gives a handle to what a new process would find, so that the suites can prove recovery.

mod find;
mod log;
mod scan;
mod stats;
mod store;

pub use log::{MemoryConsumer, MemoryLog};
pub use stats::MemoryStats;
pub use store::MemoryStore;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How a backend came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// As by kill -9: dropped, nothing flushed.
    Crash,
    /// As by SIGTERM: flushed first.
    CleanStop,
}

/// A panic of one test thread must not hide behind a second one here: state is never half made.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
