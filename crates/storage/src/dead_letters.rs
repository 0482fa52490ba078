//! What a sink can never take in, kept apart from its neighbours (P14).

use tracewell_model::SpanBatch;

use crate::error::Error;

/// Keeps what a store refuses for good: a span larger than a row may be, a document that no mapping
/// fits.
///
/// Contract: after Ok the spans are kept and counted, with their reason, where an operator finds
/// them. They may come again after a crash. On an error the sink fails the same way, and its caller
/// repeats what it did.
pub trait DeadLetters: Send + Sync {
    /// Sets these spans aside.
    fn set_aside(&self, spans: SpanBatch, reason: &str) -> Result<(), Error>;
}
