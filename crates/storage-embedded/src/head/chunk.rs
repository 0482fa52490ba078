//! Batches side by side, with what a search asks of them first. A reader takes the handles of chunks
//! instead of those of all batches: thousands of counters would be touched for each question.

use std::sync::Arc;

use super::HeadBatch;

/// Batches of a whole chunk.
pub(super) const BATCHES: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) batches: Vec<Arc<HeadBatch>>,
    pub(crate) spans: u64,
    /// The latest start of a trace's part.
    pub(crate) start_max_unix_ns: u64,
    /// The last arrival.
    pub(crate) arrived_max_unix_ns: u64,
}

impl Chunk {
    pub(super) fn of(batches: &[Arc<HeadBatch>]) -> Chunk {
        let most = |of: fn(&HeadBatch) -> u64| batches.iter().map(|batch| of(batch)).max();
        Chunk {
            batches: batches.to_vec(),
            spans: batches.iter().map(|batch| batch.batch.len() as u64).sum(),
            start_max_unix_ns: most(|batch| batch.start_max_unix_ns).unwrap_or(0),
            arrived_max_unix_ns: most(|batch| batch.arrived_unix_ns).unwrap_or(0),
        }
    }
}
