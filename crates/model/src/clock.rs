//! The only way any crate learns the time: a `Clock` is passed in, so a failing seed replays.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Tells the time. Cheap; called per request or per tick, never per span.
pub trait Clock: Send + Sync {
    /// Wall-clock time. May jump either way.
    fn unix_ns(&self) -> u64;
    /// Time since some fixed point; never goes back. For timeouts and ages.
    fn monotonic_ns(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[allow(clippy::disallowed_methods)] // this is the door the ban points to
impl Clock for SystemClock {
    fn unix_ns(&self) -> u64 {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 reads as 1970; nothing here may panic on it.
        since_epoch.map_or(0, |elapsed| elapsed.as_nanos() as u64)
    }

    fn monotonic_ns(&self) -> u64 {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let start = *START.get_or_init(std::time::Instant::now);
        start.elapsed().as_nanos() as u64
    }
}

/// A clock that stands still until told: for tests and the simulator.
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ns: AtomicU64,
    jumped_ns: AtomicI64,
}

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(unix_ns: u64) -> Self {
        ManualClock {
            now_ns: AtomicU64::new(unix_ns),
            jumped_ns: AtomicI64::new(0),
        }
    }

    /// Moves the hands forward.
    pub fn advance(&self, by_ns: u64) {
        self.now_ns.fetch_add(by_ns, Ordering::SeqCst);
    }

    /// Moves the wall clock alone, as an operator does who sets it.
    pub fn jump(&self, by_ns: i64) {
        self.jumped_ns.fetch_add(by_ns, Ordering::SeqCst);
    }

    /// Sets the hands, backwards too.
    pub fn set(&self, unix_ns: u64) {
        self.now_ns.store(unix_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_ns(&self) -> u64 {
        let jumped_ns = self.jumped_ns.load(Ordering::SeqCst);
        self.monotonic_ns().saturating_add_signed(jumped_ns)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ns.load(Ordering::SeqCst)
    }
}
