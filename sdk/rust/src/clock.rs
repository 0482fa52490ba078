//! The SDK's door to time (`tsc` is the shorter way through it). Spans need a wall-clock start and a steady duration; one reading of the
//! monotonic clock gives both, through the difference between the two clocks, which the flusher
//! takes anew with every round, so that a clock set right is followed within a flush interval.
#![allow(clippy::disallowed_methods)] // this module is the door

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds of a steady clock since the SDK's first use.
#[inline]
pub(crate) fn steady_ns() -> u64 {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if let Some(ns) = crate::tsc::ns() {
        return ns;
    }
    system_ns()
}

/// The same, from the system.
pub(crate) fn system_ns() -> u64 {
    let base = match BASE.get() {
        Some(base) => base,
        None => first_use(),
    };
    let since = Instant::now().saturating_duration_since(*base);
    since.as_secs() * NS_PER_S + u64::from(since.subsec_nanos())
}

/// The Unix time of a reading of [`steady_ns`].
#[inline]
pub(crate) fn unix_ns(steady_ns: u64) -> u64 {
    UNIX_OF_BASE
        .load(Ordering::Relaxed)
        .saturating_add(steady_ns)
}

/// Takes the difference between the two clocks anew.
fn align() {
    let steady = steady_ns();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix_ns = unix.map_or(0, |since| saturated(since.as_nanos()));
    UNIX_OF_BASE.store(unix_ns.saturating_sub(steady), Ordering::Relaxed);
}

/// Keeps the clocks right; the flusher calls it with every look.
#[derive(Debug)]
pub(crate) struct Keeper {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    measuring: Option<crate::tsc::Measuring>,
}

impl Keeper {
    pub(crate) fn new() -> Self {
        Keeper {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            measuring: crate::tsc::Measuring::begin(system_ns),
        }
    }

    pub(crate) fn keep(&mut self) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        self.measuring.take_if(|measuring| measuring.end(system_ns));
        align();
    }
}

/// A wall-clock time given by the application.
pub(crate) fn unix_ns_of(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| saturated(since.as_nanos()))
}

/// The steady time so long from now.
pub(crate) fn after(duration: Duration) -> u64 {
    steady_ns().saturating_add(saturated(duration.as_nanos()))
}

/// What is left until a steady time.
pub(crate) fn left_until(steady_ns_then: u64) -> Duration {
    Duration::from_nanos(steady_ns_then.saturating_sub(steady_ns()))
}

/// Waits for a condition that another thread brings about, and says whether it came in time. It looks
/// again every millisecond: a caller's own parking is not ours to use, and a lock might be held by a
/// thread that a fork left behind.
pub(crate) fn wait_until(over: impl Fn() -> bool, timeout: Duration) -> bool {
    let by = after(timeout);
    loop {
        if over() {
            return true;
        }
        let left = left_until(by);
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_millis(1)));
    }
}

const NS_PER_S: u64 = 1_000_000_000;
static BASE: OnceLock<Instant> = OnceLock::new();
static UNIX_OF_BASE: AtomicU64 = AtomicU64::new(0);

#[cold]
fn first_use() -> &'static Instant {
    if BASE.set(Instant::now()).is_ok() {
        align();
    }
    BASE.get_or_init(Instant::now)
}

fn saturated(nanoseconds: u128) -> u64 {
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}
