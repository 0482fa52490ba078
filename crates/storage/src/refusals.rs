//! Spans that the door refused and that can be named: what explains a parent that is missing. Kept in memory,
//! the latest of them, for the process that refused them; the counters have all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use tracewell_model::{SpanId, TraceId};

/// How many are remembered: a few megabytes.
const KEPT_MAX: usize = 50_000;

/// A span that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedSpan {
    /// Its trace.
    pub trace_id: TraceId,
    /// Itself.
    pub span_id: SpanId,
    /// Why: a name of the door's.
    pub reason: &'static str,
    /// When.
    pub at_unix_ns: u64,
}

/// The latest refused spans. Copies share them.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    in_order: VecDeque<(TraceId, SpanId)>,
    spans: HashMap<(TraceId, SpanId), RefusedSpan>,
}

impl Refusals {
    /// Remembers a span; of one that is sent again and again the first time.
    pub fn add(&self, span: RefusedSpan) {
        let mut kept = self.lock();
        let key = (span.trace_id, span.span_id);
        if kept.spans.contains_key(&key) {
            return;
        }
        if kept.in_order.len() >= KEPT_MAX
            && let Some(oldest) = kept.in_order.pop_front()
        {
            kept.spans.remove(&oldest);
        }
        kept.in_order.push_back(key);
        kept.spans.insert(key, span);
    }

    /// This span, if it was refused lately.
    pub fn get(&self, trace_id: TraceId, span_id: SpanId) -> Option<RefusedSpan> {
        self.lock().spans.get(&(trace_id, span_id)).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u64, at_unix_ns: u64) -> RefusedSpan {
        RefusedSpan {
            trace_id: TraceId(u128::from(number).to_be_bytes()),
            span_id: SpanId(number.to_be_bytes()),
            reason: "duration",
            at_unix_ns,
        }
    }

    #[test]
    fn the_latest_are_kept_and_the_first_time_of_each() {
        let refusals = Refusals::default();
        for number in 1..=KEPT_MAX as u64 + 1 {
            refusals.add(span(number, number));
        }
        refusals.add(span(9, 99));
        let kept = |number| refusals.get(span(number, 0).trace_id, span(number, 0).span_id);
        assert_eq!(kept(1), None);
        assert_eq!(kept(9), Some(span(9, 9)));
        assert_eq!(refusals.lock().spans.len(), KEPT_MAX);
    }
}
