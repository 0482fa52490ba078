//! Dead letters in memory: what a backend under test set aside, and why.

use std::sync::{Mutex, PoisonError};

use tracewell_model::SpanBatch;

use crate::dead_letters::DeadLetters;
use crate::error::Error;

/// What was set aside, in order.
#[derive(Debug, Default)]
pub struct Aside(pub Mutex<Vec<(SpanBatch, String)>>);

impl DeadLetters for Aside {
    fn set_aside(&self, spans: SpanBatch, reason: &str) -> Result<(), Error> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((spans, reason.to_owned()));
        Ok(())
    }
}
