//! The one latency histogram, used everywhere (D16): log-linear, 16 sub-buckets per power of two,
//! so a quantile is at most 3.2 % off. Histograms merge by addition; percentiles are never averaged.

/// Sub-buckets per power of two, as bits.
const SUB_BITS: u32 = 4;

/// Counts of durations by bucket, sparse and sorted by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// (bucket, count), ascending by bucket.
    pub buckets: Vec<(u16, u64)>,
}

/// The bucket of a value. Values under 16 have their own; above, 16 buckets share an octave.
pub fn bucket_of(value: u64) -> u16 {
    if value < 1 << SUB_BITS {
        return value as u16;
    }
    let octave = 63 - value.leading_zeros();
    let sub = (value >> (octave - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    (((octave - SUB_BITS + 1) << SUB_BITS) as u16) | sub as u16
}

/// The smallest value of a bucket, and the smallest of the next one.
pub fn bucket_bounds(bucket: u16) -> (u64, u64) {
    let lower = |bucket: u16| -> u64 {
        let bucket = u32::from(bucket);
        if bucket < 1 << SUB_BITS {
            return u64::from(bucket);
        }
        let octave = (bucket >> SUB_BITS) + SUB_BITS - 1;
        if octave > 63 {
            return u64::MAX;
        }
        let sub = u64::from(bucket & ((1 << SUB_BITS) - 1));
        (1u64 << octave) | (sub << (octave - SUB_BITS))
    };
    (lower(bucket), lower(bucket.saturating_add(1)))
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.add(bucket_of(value), 1);
    }

    /// Adds to one bucket.
    pub fn add(&mut self, bucket: u16, count: u64) {
        match self
            .buckets
            .binary_search_by_key(&bucket, |&(bucket, _)| bucket)
        {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// Adds all of another histogram; the result is what one histogram of all values would be.
    pub fn merge(&mut self, other: &Histogram) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        let mut merged = Vec::with_capacity(self.buckets.len().max(other.buckets.len()));
        let (mut ours, mut theirs) = (
            self.buckets.iter().peekable(),
            other.buckets.iter().peekable(),
        );
        loop {
            match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    merged.push((a.0, a.1 + b.1));
                    ours.next();
                    theirs.next();
                }
                (Some(a), Some(b)) if a.0 < b.0 => merged.extend(ours.next().copied()),
                (Some(_), Some(_)) | (None, Some(_)) => merged.extend(theirs.next().copied()),
                (Some(_), None) => merged.extend(ours.next().copied()),
                (None, None) => break,
            }
        }
        self.buckets = merged;
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|&(_, count)| count).sum()
    }

    /// The value below which `q` (0–1) of the values lie, at most 3.2 % off; none when empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for &(bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                let (low, high) = bucket_bounds(bucket);
                return Some(low + (high - low) / 2);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_lies_in_its_bucket(value in any::<u64>()) {
            let (low, high) = bucket_bounds(bucket_of(value));
            prop_assert!(low <= value && (value < high || high == u64::MAX));
        }

        #[test]
        fn quantile_is_within_the_stated_error(mut values in prop::collection::vec(1u64..1 << 40, 1..200), q in 0.0f64..=1.0) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|&value| histogram.record(value));
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1] as f64;
            let got = histogram.quantile(q).unwrap() as f64;
            prop_assert!((got - exact).abs() <= exact * 0.0323 + 1.0, "{got} for {exact}");
        }

        #[test]
        fn merged_equals_one(a in prop::collection::vec(any::<u64>(), 0..50), b in prop::collection::vec(any::<u64>(), 0..50)) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::default();
                values.iter().for_each(|&value| histogram.record(value));
                histogram
            };
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }
    }
}
