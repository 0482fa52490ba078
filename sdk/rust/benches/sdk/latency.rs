//! Many short times, and their percentiles, without the clock's own.

use std::sync::OnceLock;
use std::time::Instant;

/// Times up to this are counted by the nanosecond; longer ones are kept as they are.
const FINE_NS: usize = 4096;

pub(crate) struct Latencies {
    fine: Vec<u64>,
    long: Vec<u64>,
}

impl Latencies {
    /// Makes room first: nothing is allocated while it measures, unless very much takes very long.
    pub(crate) fn new() -> Self {
        Latencies {
            fine: vec![0; FINE_NS],
            long: Vec::with_capacity(1 << 16),
        }
    }

    /// Times one run.
    #[inline]
    pub(crate) fn time(&mut self, run: impl FnOnce()) {
        let start = Instant::now();
        run();
        let ns = start.elapsed().as_nanos() as u64;
        let ns = ns.saturating_sub(clock_ns());
        match self.fine.get_mut(ns as usize) {
            Some(count) => *count += 1,
            None => self.long.push(ns),
        }
    }

    pub(crate) fn add(&mut self, other: &Latencies) {
        for (sum, count) in self.fine.iter_mut().zip(&other.fine) {
            *sum += count;
        }
        self.long.extend_from_slice(&other.long);
    }

    /// The time that this share of runs did not exceed.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.long.sort_unstable();
        let fine: u64 = self.fine.iter().sum();
        let all = fine + self.long.len() as u64;
        let mut rank = ((all as f64 * share) as u64).min(all.saturating_sub(1));
        for (ns, count) in self.fine.iter().enumerate() {
            if rank < *count {
                return ns as f64;
            }
            rank -= count;
        }
        self.long.get(rank as usize).map_or(0.0, |ns| *ns as f64)
    }
}

/// What an empty measurement takes, which is the clock's.
fn clock_ns() -> u64 {
    static NS: OnceLock<u64> = OnceLock::new();
    *NS.get_or_init(|| {
        let mut empty: Vec<u64> = (0..10_001)
            .map(|_| {
                let start = Instant::now();
                start.elapsed().as_nanos() as u64
            })
            .collect();
        empty.sort_unstable();
        empty[5_000]
    })
}
