//! Error flags: which traces are known to have failed (R57). A cache for the sampler, which decides
//! from what is stored and keeps what it does not know of (Q3): losing a flag loses no trace.

use std::collections::BTreeSet;

use tracewell_model::TraceId;
use tracewell_storage::{Error, KnownErrors, Position, Record, Sink};

use crate::connection::Redis;
use crate::keys::Keys;

/// A sink that flags what failed on the way to another. A flag that cannot be set is left out: see above.
#[derive(Debug)]
pub struct Flagging<S> {
    /// Gets the records.
    pub sink: S,
    /// Gets the traces that failed.
    pub flags: ErrorFlags,
}

impl<S: Sink> Sink for Flagging<S> {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        if let Err(error) = self.flags.set(records) {
            tracing::debug!(%error, "error flags are left out");
        }
        self.sink.apply(records)
    }

    fn durable(&self) -> Vec<Position> {
        self.sink.durable()
    }

    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        self.sink.tick(now_unix_ns)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.sink.flush()
    }
}

/// Sets and reads error flags.
#[derive(Debug)]
pub struct ErrorFlags {
    redis: Redis,
    keys: Keys,
    kept_s: u64,
}

impl ErrorFlags {
    /// Flags that go out this long after the trace's last failed span.
    pub fn new(redis: Redis, kept_s: u64) -> ErrorFlags {
        let keys = Keys::new(&redis.settings().prefix);
        ErrorFlags {
            redis,
            keys,
            kept_s,
        }
    }

    /// Flags the traces of these records that have a failed span; answers how many those are.
    pub fn set(&self, records: &[Record]) -> Result<usize, Error> {
        let spans = records.iter().flat_map(|record| record.batch.spans());
        let failed = spans.filter(|span| span.is_error());
        let ids: BTreeSet<TraceId> = failed.map(|span| span.trace_id()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut pipe = redis::pipe();
        for &id in &ids {
            pipe.set_ex(self.keys.error(id), 1, self.kept_s).ignore();
        }
        self.redis.call(|connection| pipe.query::<()>(connection))?;
        Ok(ids.len())
    }

    /// Which of these traces are flagged, in their order, in one read.
    pub fn get(&self, ids: &[TraceId]) -> Result<Vec<bool>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = redis::cmd("MGET");
        ids.iter().for_each(|&id| {
            get.arg(self.keys.error(id));
        });
        let flags: Vec<Option<u8>> = self.redis.call(|connection| get.query(connection))?;
        Ok(flags.iter().map(Option::is_some).collect())
    }
}

impl KnownErrors for ErrorFlags {
    fn have_failed(&self, ids: &[TraceId]) -> Result<Vec<bool>, Error> {
        self.get(ids)
    }
}
