//! What a read may cost, and what it did cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracewell_model::{Clock, limits};

use crate::error::{Class, Error};

/// Bounds of one read: time, size, and whether anyone still wants the answer.
#[derive(Clone)]
pub struct ReadContext {
    clock: Arc<dyn Clock>,
    deadline_monotonic_ns: u64,
    cancelled: Arc<AtomicBool>,
    /// Spans of one trace beyond which the answer is cut and marked (D6).
    pub spans_max: usize,
    /// Bytes of one trace beyond which the answer is cut and marked (D6).
    pub bytes_max: usize,
}

impl std::fmt::Debug for ReadContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadContext")
            .field("spans_max", &self.spans_max)
            .finish_non_exhaustive()
    }
}

impl ReadContext {
    /// Bounds that end after `budget_ns` from now, with the default caps.
    pub fn new(clock: Arc<dyn Clock>, budget_ns: u64) -> Self {
        let deadline_monotonic_ns = clock.monotonic_ns().saturating_add(budget_ns);
        ReadContext {
            clock,
            deadline_monotonic_ns,
            cancelled: Arc::default(),
            spans_max: limits::SPANS_PER_TRACE_MAX,
            bytes_max: limits::TRACE_BYTES_MAX,
        }
    }

    /// The same bounds with this part (0–1) of the time that is left: for a read that others follow,
    /// so that its deadline is not the answer's.
    pub fn part(&self, part: f64) -> ReadContext {
        let now_ns = self.clock.monotonic_ns();
        let left_ns = self.deadline_monotonic_ns.saturating_sub(now_ns);
        let own_ns = (left_ns as f64 * part.clamp(0.0, 1.0)) as u64;
        ReadContext {
            deadline_monotonic_ns: now_ns.saturating_add(own_ns),
            ..self.clone()
        }
    }

    /// The same bounds, but that end after `budget_ns` from now at the latest.
    pub fn at_most(&self, budget_ns: u64) -> ReadContext {
        let own_ns = self.clock.monotonic_ns().saturating_add(budget_ns);
        ReadContext {
            deadline_monotonic_ns: own_ns.min(self.deadline_monotonic_ns),
            ..self.clone()
        }
    }

    /// Set it to stop the read: for connections that closed.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        self.cancelled.clone()
    }

    /// Asked between units of work (a block, a few thousand rows).
    pub fn check(&self) -> Result<(), Error> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Class::DeadlineExceeded, "the caller went away"));
        }
        if self.clock.monotonic_ns() >= self.deadline_monotonic_ns {
            return Err(Error::new(
                Class::DeadlineExceeded,
                "the query's time was up",
            ));
        }
        Ok(())
    }
}

/// What a read looked at. Every answer carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Which backend answered.
    pub backend: &'static str,
    /// Segments (or indices) looked into.
    pub segments: u64,
    /// Segments left out because they cannot hold a match.
    pub segments_skipped: u64,
    /// Spans looked at that are not yet in a segment.
    pub head_spans: u64,
    /// Bytes read from files, cached ones not counted.
    pub bytes_read: u64,
    /// Data blocks read.
    pub blocks_read: u64,
    /// The time range that was searched; none is unbounded.
    pub from_unix_ns: Option<u64>,
    /// The end of that range, exclusive.
    pub to_unix_ns: Option<u64>,
}

impl Searched {
    /// Adds what another part of the read looked at.
    pub fn add(&mut self, other: &Searched) {
        self.segments += other.segments;
        self.segments_skipped += other.segments_skipped;
        self.head_spans += other.head_spans;
        self.bytes_read += other.bytes_read;
        self.blocks_read += other.blocks_read;
    }
}
