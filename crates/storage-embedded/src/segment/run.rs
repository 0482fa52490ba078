//! A run: the spans of one seal in the order in which they are written. Nothing is copied to order
//! them: batches stay where they are, and a run is a list of their rows.

use tracewell_model::{SpanBatch, TraceId};

use super::fragment::Steps;

/// A row of one of a run's batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowRef {
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

/// A trace of a run; its rows lie together.
#[derive(Clone, Debug)]
pub(crate) struct RunTrace {
    pub(crate) id: TraceId,
    pub(crate) steps: Steps,
    /// Its first row in `Run::rows`.
    pub(crate) first: u32,
    pub(crate) spans: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Run<'a> {
    pub(crate) batches: Vec<&'a SpanBatch>,
    /// By (start, trace id).
    pub(crate) traces: Vec<RunTrace>,
    /// Trace by trace, each by (start, span id).
    pub(crate) rows: Vec<RowRef>,
    /// Exact repeats that were left out.
    pub(crate) duplicates: u64,
}
