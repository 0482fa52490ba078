//! About how many distinct attribute keys a head has: each is a column, a directory entry and a list
//! of postings while it is sealed, many times its bytes in the batch. Counted so that a flood of
//! keys makes heads small instead of seals large; ordinary services have some hundred.

use tracewell_model::SpanBatch;

/// What sealing takes for a key beside its spans, measured with a million of them.
const SEAL_BYTES_PER_KEY: usize = 1_024;
const BITS: usize = 1 << 16;

/// A bit for each hash of a key; two keys with one bit count once, which so many bits make rare.
#[derive(Debug, Default)]
pub(super) struct KeyCount {
    seen: Vec<u64>,
}

impl KeyCount {
    /// What the keys of this batch that are new here will take.
    pub(super) fn seal_bytes(&mut self, batch: &SpanBatch) -> usize {
        self.seen.resize(BITS / 64, 0);
        let columns = batch.columns();
        let mut new = 0;
        for &(key, _) in columns.shapes.iter().flat_map(|shape| shape.iter()) {
            let hash = xxhash_rust::xxh3::xxh3_64(columns.text.get(key).as_bytes());
            let (word, bit) = (hash as usize % BITS / 64, 1 << (hash % 64));
            new += usize::from(self.seen[word] & bit == 0);
            self.seen[word] |= bit;
        }
        new * SEAL_BYTES_PER_KEY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracewell_storage::conformance::SpanSpec;
    use tracewell_storage::conformance::spans::batch;

    #[test]
    fn a_key_is_charged_once() {
        let with = |keys: std::ops::Range<u32>| {
            let spec = |key| SpanSpec::new(1, u64::from(key) + 1, 5).with(&format!("k{key}"), 1);
            batch(&keys.map(spec).collect::<Vec<_>>())
        };
        let mut count = KeyCount::default();
        assert_eq!(count.seal_bytes(&with(0..20)), 20 * SEAL_BYTES_PER_KEY);
        assert_eq!(count.seal_bytes(&with(0..20)), 0);
        assert_eq!(count.seal_bytes(&with(10..30)), 10 * SEAL_BYTES_PER_KEY);
    }
}
