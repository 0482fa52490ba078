//! Reading a trace by its id.

use std::sync::Arc;

use tracewell_model::{SpanBatch, SpanRef, TraceId};

use crate::context::{ReadContext, Searched};
use crate::error::Error;

/// Gives all stored spans of a trace.
///
/// Contract: spans come in any order and may repeat; the caller leaves repeats out (D2). Never
/// bounded by a time range (Q17). Damage does not fail the read: it is named in `incomplete`, and
/// so is a cut at the context's `spans_max` or `bytes_max`. When the time is up or the caller gone,
/// the answer is an error of class `DeadlineExceeded`, or what was read so far, named as incomplete.
pub trait TraceReader: Send + Sync {
    /// Everything stored of this trace; no spans when there is none.
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error>;
}

/// The spans of one trace, where they lie.
#[derive(Clone, Debug, Default)]
pub struct FoundTrace {
    /// Batches with the rows that belong to the trace.
    pub parts: Vec<(Arc<SpanBatch>, Vec<u32>)>,
    /// What was looked at.
    pub searched: Searched,
    /// Why spans may be missing (a damaged block, a cap, a store that did not answer); sentences.
    pub incomplete: Vec<String>,
}

impl FoundTrace {
    /// All its spans.
    pub fn spans(&self) -> impl Iterator<Item = SpanRef<'_>> + Clone {
        self.parts
            .iter()
            .flat_map(|(batch, rows)| rows.iter().map(|&row| batch.span(row)))
    }

    /// How many spans, repeats included.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// True when nothing is stored of it.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|(_, rows)| rows.is_empty())
    }
}
