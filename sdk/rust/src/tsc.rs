//! The processor's own counter as a clock, where the kernel too trusts it for one: a reading costs 10 ns, by
//! way of the system 25 ns, and a span takes two, which together was a third of all it costs.
//!
//! The flusher measures the counter's rate against the system's monotonic clock, once, over its first
//! tenth of a second; until then, and wherever the kernel's clock source is another, the system's clock is
//! asked. Wall-clock times follow the system whatever the rate (`clock::align`).
#![allow(unsafe_code)] // one instruction

use std::sync::atomic::{AtomicU64, Ordering};

/// How long the rate is measured: readings are 100 ns off at most, so it is right to a millionth.
const MEASURED_NS: u64 = 100_000_000;
/// What the kernel says when it uses the counter itself: it counts steadily, alike on all processors.
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// Nanoseconds a cycle, times 2^32; 0 until it is known. The bases are written before it.
static RATE: AtomicU64 = AtomicU64::new(0);
static BASE_CYCLES: AtomicU64 = AtomicU64::new(0);
static BASE_NS: AtomicU64 = AtomicU64::new(0);

/// The time, in the nanoseconds of the clock it was measured against.
#[inline]
pub(crate) fn ns() -> Option<u64> {
    let rate = RATE.load(Ordering::Acquire);
    if rate == 0 {
        return None;
    }
    let cycles = cycles().wrapping_sub(BASE_CYCLES.load(Ordering::Relaxed));
    let since = (u128::from(cycles) * u128::from(rate)) >> 32;
    Some(BASE_NS.load(Ordering::Relaxed).saturating_add(since as u64))
}

/// A measurement of the rate that has begun.
#[derive(Debug)]
pub(crate) struct Measuring {
    from: (u64, u64),
}

impl Measuring {
    /// Begins one, if the counter is to be trusted and nobody measured it yet.
    pub(crate) fn begin(system_ns: fn() -> u64) -> Option<Measuring> {
        let source = std::fs::read_to_string(CLOCK_SOURCE).ok()?;
        let trusted = source.trim() == "tsc" && RATE.load(Ordering::Relaxed) == 0;
        trusted.then(|| Measuring {
            from: both(system_ns),
        })
    }

    /// Ends it if it lasted long enough, and says whether it did.
    pub(crate) fn end(&self, system_ns: fn() -> u64) -> bool {
        let ((from_cycles, from_ns), (cycles, ns)) = (self.from, both(system_ns));
        let (cycles, ns) = (cycles.wrapping_sub(from_cycles), ns.saturating_sub(from_ns));
        if ns < MEASURED_NS {
            return false;
        }
        let rate = (u128::from(ns) << 32) / u128::from(cycles.max(1));
        BASE_CYCLES.store(from_cycles, Ordering::Relaxed);
        BASE_NS.store(from_ns, Ordering::Relaxed);
        // From 0.1 to 10 GHz; anything else is no such counter.
        if let Some(rate) = u64::try_from(rate)
            .ok()
            .filter(|rate| ((1 << 28)..(10 << 32)).contains(rate))
        {
            RATE.store(rate, Ordering::Release);
        }
        true
    }
}

/// Both clocks at one moment: of several tries the one with the least time in between.
fn both(system_ns: fn() -> u64) -> (u64, u64) {
    let tries = (0..16).map(|_| {
        let before = cycles();
        let ns = system_ns();
        let between = cycles().wrapping_sub(before);
        (between, (before.wrapping_add(between / 2), ns))
    });
    tries
        .min_by_key(|(between, _)| *between)
        .map_or((0, 0), |(_, pair)| pair)
}

#[inline]
fn cycles() -> u64 {
    // SAFETY: every x86_64 processor has the instruction; it reads a register.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::system_ns;

    #[test]
    #[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
    fn it_tells_the_systems_time() {
        let Some(measuring) = Measuring::begin(system_ns) else {
            return println!("skipped: the kernel's clock is another one");
        };
        while !measuring.end(system_ns) {
            std::thread::yield_now();
        }
        let apart = |_| ns().unwrap().abs_diff(system_ns());
        let least = (0..10_000).map(apart).min().unwrap();
        assert!(least < 10_000, "{least} ns apart");
    }
}
