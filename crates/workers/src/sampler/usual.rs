//! What is usual: how long each operation took over the last hour, by the figures of the stats
//! group (D16). With too few samples nobody knows, and what nobody knows is kept (P12).

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use tracewell_model::Clock;
use tracewell_model::histogram::{Histogram, bucket_bounds, bucket_of};
use tracewell_storage::sampling::{Bound, Bounds};
use tracewell_storage::stats::OTHER;
use tracewell_storage::{Error, StatsReader, Window};

use super::ROUND_NS;
use super::policy::Standing;

/// Over how long (D20).
const HOUR_NS: u64 = 3_600_000_000_000;
/// Samples below which nothing is known (D20).
const SAMPLES_MIN: u64 = 100;
/// A span is slow beyond so many times p99, and beyond p99 and so much more (D20).
const SLOW_TIMES: u64 = 3;
const SLOW_MORE_NS: u64 = 100_000_000;

/// What operations took.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    services: HashMap<String, HashMap<String, Duration>>,
}

/// What one did. p99 is known as well as the histogram tells: it lies in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Duration {
    /// Its least value.
    p99_ns: u64,
    /// The bucket from which on a trace is an outlier.
    outlier: u16,
}

impl Duration {
    fn of(latency: &Histogram) -> Option<Duration> {
        let count = latency.count();
        if count < SAMPLES_MIN {
            return None;
        }
        let p99 = bucket_of(latency.quantile(0.99)?);
        // Of two values in one bucket nobody knows which is larger. All of it counts as beyond p99
        // where that is nearly true; where most traces take the same time, none of it does.
        let from_here: u64 = latency
            .buckets
            .iter()
            .filter(|&&(bucket, _)| bucket >= p99)
            .map(|&(_, count)| count)
            .sum();
        let is_thin = from_here * 20 <= count;
        Some(Duration {
            p99_ns: bucket_bounds(p99).0,
            outlier: p99 + u16::from(!is_thin),
        })
    }
}

impl Usual {
    /// Reads the last hour's figures.
    pub fn read(stats: &dyn StatsReader, now_unix_ns: u64) -> Result<Usual, Error> {
        let window = Window {
            from_unix_ns: now_unix_ns.saturating_sub(HOUR_NS),
            to_unix_ns: now_unix_ns,
            steps: 0,
        };
        let mut usual = Usual::default();
        for (service, row) in stats.read_every_operation(&window)?.rows {
            usual.learn(&service, &row.operation, &row.figures.latency);
        }
        Ok(usual)
    }

    /// Takes note of an operation's latencies.
    pub fn learn(&mut self, service: &str, operation: &str, latency: &Histogram) {
        let is_one = service != OTHER && operation != OTHER;
        if let Some(duration) = Duration::of(latency).filter(|_| is_one) {
            let of_service = self.services.entry_ref(service).or_default();
            of_service.insert(operation.to_owned(), duration);
        }
    }

    /// How many operations are known.
    pub fn operations(&self) -> usize {
        self.services.values().map(HashMap::len).sum()
    }

    fn get(&self, service: &str, operation: &str) -> Option<&Duration> {
        self.services.get(service)?.get(operation)
    }

    /// How a trace of this root and duration stands; without a root nobody knows.
    pub fn standing(&self, root: Option<(&str, &str)>, duration_ns: u64) -> Standing {
        let known = root.and_then(|(service, operation)| self.get(service, operation));
        match known {
            None => Standing::Unknown,
            Some(known) if bucket_of(duration_ns) >= known.outlier => Standing::Outlier,
            Some(_) => Standing::Usual,
        }
    }
}

/// How long figures of few operations are good for, and those of many, which cost more to read.
const GOOD_FOR_NS: [u64; 2] = [ROUND_NS, 6 * ROUND_NS];
/// From so many operations on they are many.
const MANY_OPERATIONS: usize = 1_000;

/// What was usual as of lately, read anew now and then.
pub(super) struct Lately {
    stats: Arc<dyn StatsReader>,
    clock: Arc<dyn Clock>,
    /// The last figures, and when they were read, on the monotonic clock.
    last: Mutex<Option<(u64, Arc<Usual>)>>,
}

impl Lately {
    pub(super) fn new(stats: Arc<dyn StatsReader>, clock: Arc<dyn Clock>) -> Lately {
        let last = Mutex::default();
        Lately { stats, clock, last }
    }

    /// As of now.
    pub(super) fn read_now(&self) -> Result<Usual, Error> {
        Usual::read(self.stats.as_ref(), self.clock.unix_ns())
    }

    /// As of lately. While the figures are away, those of the last hour do.
    pub(super) fn get(&self) -> Result<Arc<Usual>, Error> {
        let now_ns = self.clock.monotonic_ns();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let age_ns = |at: &u64| now_ns.saturating_sub(*at);
        if let Some((at, usual)) = last.as_ref() {
            let is_many = usual.operations() >= MANY_OPERATIONS;
            if age_ns(at) < GOOD_FOR_NS[usize::from(is_many)] {
                return Ok(usual.clone());
            }
        }
        match (self.read_now(), last.as_ref()) {
            (Ok(usual), _) => {
                let usual = Arc::new(usual);
                *last = Some((now_ns, usual.clone()));
                Ok(usual)
            }
            (Err(error), Some((at, usual))) if age_ns(at) < HOUR_NS => {
                tracing::warn!(%error, "what is usual is not known anew");
                Ok(usual.clone())
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Bounds for Usual {
    fn bound(&self, service: &str, operation: &str) -> Bound {
        let Some(Duration { p99_ns, .. }) = self.get(service, operation) else {
            return Bound::Unknown;
        };
        let times = p99_ns.saturating_mul(SLOW_TIMES);
        Bound::Beyond(times.max(p99_ns.saturating_add(SLOW_MORE_NS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(durations: impl IntoIterator<Item = u64>) -> Usual {
        let mut latency = Histogram::default();
        durations.into_iter().for_each(|ns| latency.record(ns));
        let mut usual = Usual::default();
        usual.learn("shop", "GET /", &latency);
        usual
    }

    const ROOT: Option<(&str, &str)> = Some(("shop", "GET /"));

    #[test]
    fn with_fewer_than_a_hundred_samples_nothing_is_known() {
        let few = usual((0..99).map(|ms| ms * 1_000_000));
        assert_eq!(few.standing(ROOT, u64::MAX), Standing::Unknown);
        assert_eq!(few.bound("shop", "GET /"), Bound::Unknown);
        let enough = usual((0..100).map(|ms| ms * 1_000_000));
        assert_eq!(enough.standing(ROOT, u64::MAX), Standing::Outlier);
        assert_eq!(enough.standing(None, 1), Standing::Unknown);
    }

    #[test]
    fn whatever_is_beyond_p99_is_an_outlier_and_few_others_are() {
        let all: Vec<u64> = (1..=100_000).map(|n| n * 1_000).collect();
        let usual = usual(all.iter().copied());
        let is_outlier = |ns: &&u64| usual.standing(ROOT, **ns) == Standing::Outlier;
        assert!(all[99_000..].iter().all(|ns| is_outlier(&ns)));
        assert!(all.iter().filter(is_outlier).count() <= 6_000);
    }

    #[test]
    fn where_all_take_the_same_time_none_is_an_outlier() {
        let usual = usual(std::iter::repeat_n(10_050_000, 5_000));
        assert_eq!(usual.standing(ROOT, 10_050_000), Standing::Usual);
        assert_eq!(usual.standing(ROOT, 12_000_000), Standing::Outlier);
    }

    #[test]
    fn a_slow_span_is_beyond_three_times_p99_and_a_tenth_of_a_second() {
        let fast = usual(std::iter::repeat_n(1_000_000, 200));
        let slow = usual(std::iter::repeat_n(1_000_000_000, 200));
        let beyond = |usual: &Usual| match usual.bound("shop", "GET /") {
            Bound::Beyond(ns) => ns / 1_000_000,
            Bound::Unknown => 0,
        };
        assert!((100..=101).contains(&beyond(&fast)));
        assert!((2_700..=3_000).contains(&beyond(&slow)));
    }
}
