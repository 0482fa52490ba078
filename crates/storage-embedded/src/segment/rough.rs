//! Durations to two decimal digits: a byte each for the digits and the power of ten. People ask for
//! "at least 250 ms", so two digits decide nearly every question about a span exactly, and cost a
//! quarter of what all of its digits would (docs/formats/segment.md, *projection*).

/// Powers of ten below 2^64.
const SCALES: usize = 20;
const POWERS: [u64; SCALES] = {
    let mut powers = [1; SCALES];
    let mut at = 1;
    while at < SCALES {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// The two leading digits of a number of nanoseconds and the power of ten they stand for. Ordered as
/// the durations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rough {
    scale: u8,
    /// 10 to 99; with scale 0 anything below.
    digits: u8,
}

impl Rough {
    /// Of this duration.
    #[inline]
    pub(crate) fn of(duration_ns: u64) -> Rough {
        let scale = duration_ns.max(10).ilog10() - 1;
        Rough {
            scale: scale as u8,
            digits: (duration_ns / POWERS[scale as usize]) as u8,
        }
    }

    /// With these digits and this scale, if they make sense.
    pub(crate) fn new(digits: u8, scale: u8) -> Option<Rough> {
        let has_sense =
            digits < 100 && (scale == 0 || digits >= 10) && usize::from(scale) < SCALES - 1;
        has_sense.then_some(Rough { scale, digits })
    }

    pub(crate) fn digits(self) -> u8 {
        self.digits
    }

    pub(crate) fn scale(self) -> u8 {
        self.scale
    }

    /// The shortest duration that it stands for.
    fn least(self) -> u64 {
        u64::from(self.digits).saturating_mul(POWERS[usize::from(self.scale)])
    }

    /// The longest one.
    fn most(self) -> u64 {
        let next = (u64::from(self.digits) + 1).checked_mul(POWERS[usize::from(self.scale)]);
        next.map_or(u64::MAX, |next| next - 1)
    }

    /// True when all durations that it stands for lie between these bounds, false when none does;
    /// none when only the exact duration can tell.
    #[inline]
    pub(crate) fn lies_within(self, least_ns: Option<u64>, most_ns: Option<u64>) -> Option<bool> {
        let (least_ns, most_ns) = (least_ns.unwrap_or(0), most_ns.unwrap_or(u64::MAX));
        if self.least() >= least_ns && self.most() <= most_ns {
            Some(true)
        } else if self.most() < least_ns || self.least() > most_ns {
            Some(false)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations() -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(1);
        let edges = POWERS.iter().flat_map(|power| {
            let near = |digits: u64| power.saturating_mul(digits);
            [near(1), near(10), near(99), near(100)].map(|n| [n - 1, n, n.saturating_add(1)])
        });
        let some = std::iter::repeat_with(|| random.u64(..) >> random.u32(..64)).take(10_000);
        let some: Vec<_> = some.collect();
        edges.flatten().chain(some).chain([0, u64::MAX]).collect()
    }

    #[test]
    fn every_duration_lies_in_its_own_range_and_order_stays() {
        let mut durations = durations();
        durations.sort_unstable();
        for pair in durations.windows(2) {
            let (rough, next) = (Rough::of(pair[0]), Rough::of(pair[1]));
            assert!(
                rough.least() <= pair[0] && pair[0] <= rough.most(),
                "{pair:?}"
            );
            assert!(rough <= next, "{pair:?}");
            assert_eq!(Rough::new(rough.digits(), rough.scale()), Some(rough));
        }
    }

    #[test]
    fn it_decides_as_the_duration_does_or_not_at_all() {
        let durations = durations();
        let mut random = fastrand::Rng::with_seed(2);
        let mut open = 0;
        for &duration in &durations {
            let bound = |at: usize| random_bound(&durations, at);
            let (least, most) = (bound(random.usize(..)), bound(random.usize(..)));
            let holds = least.is_none_or(|least| duration >= least)
                && most.is_none_or(|most| duration <= most);
            match Rough::of(duration).lies_within(least, most) {
                Some(decided) => assert_eq!(decided, holds, "{duration} in {least:?}..={most:?}"),
                None => open += 1,
            }
        }
        assert!(
            open * 20 < durations.len(),
            "{open} of {} stay open",
            durations.len()
        );
    }

    fn random_bound(durations: &[u64], at: usize) -> Option<u64> {
        (!at.is_multiple_of(3)).then(|| durations[at % durations.len()])
    }

    #[test]
    fn a_bound_of_two_digits_is_always_decided() {
        for duration in durations() {
            for bound in [25, 100_000_000, 250_000_000, 1_500_000_000] {
                assert!(Rough::of(duration).lies_within(Some(bound), None).is_some());
                assert!(
                    Rough::of(duration)
                        .lies_within(None, Some(bound - 1))
                        .is_some()
                );
            }
        }
    }
}
