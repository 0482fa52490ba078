//! Who was promised what. A client notes what it sent and what the answer was; after a disaster the
//! ledger says what must be there, what may be there, and what nobody ever sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tracewell_model::TraceId;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::{Ack, Completion, FoundTrace};

/// What is owed for a span, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    /// Nothing: it was refused, or the answer never came.
    Nothing,
    /// That it survives the end of the process.
    Logged,
    /// That it survives the end of the power.
    Durable,
}

#[derive(Debug)]
struct Entry {
    span: SpanSpec,
    owed: Owed,
}

/// A request that was answered, or may still be.
#[derive(Debug)]
struct Request {
    /// Its spans: trace, and place among the entries of the trace.
    spans: Vec<(TraceId, usize)>,
    ack: Ack,
    answer: Arc<Mutex<Option<bool>>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    traces: BTreeMap<TraceId, Vec<Entry>>,
    asked: Vec<Request>,
}

impl Ledger {
    /// Notes a request; the completion notes its answer.
    pub fn sent(&mut self, spans: &[SpanSpec], ack: Ack) -> Completion {
        let answer = Arc::new(Mutex::new(None));
        let request = Request {
            spans: spans.iter().map(|span| self.place(span)).collect(),
            ack,
            answer: Arc::clone(&answer),
        };
        self.asked.push(request);
        Box::new(move |result| {
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.is_ok());
        })
    }

    fn place(&mut self, span: &SpanSpec) -> (TraceId, usize) {
        let entries = self.traces.entry(span.trace_id).or_default();
        let known = entries.iter().position(|entry| entry.span == *span);
        let at = known.unwrap_or_else(|| {
            entries.push(Entry {
                span: span.clone(),
                owed: Owed::Nothing,
            });
            entries.len() - 1
        });
        (span.trace_id, at)
    }

    /// Takes the answers that came into account.
    pub fn settle(&mut self) {
        let traces = &mut self.traces;
        self.asked.retain(|request| {
            let answer = *request
                .answer
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let owed = match (answer, request.ack) {
                (None, _) => return true,
                (Some(false), _) | (_, Ack::Received) => Owed::Nothing,
                (_, Ack::Logged) => Owed::Logged,
                (_, Ack::Durable | Ack::Replicated) => Owed::Durable,
            };
            for (trace, at) in &request.spans {
                let entry = traces
                    .get_mut(trace)
                    .and_then(|entries| entries.get_mut(*at));
                if let Some(entry) = entry {
                    entry.owed = entry.owed.max(owed);
                }
            }
            false
        });
    }

    /// The process ended: answers that did not come never will.
    pub fn process_ended(&mut self) {
        self.settle();
        self.asked.clear();
    }

    /// The power went: what was only logged may be gone.
    pub fn power_cut(&mut self) {
        self.process_ended();
        for entry in self.traces.values_mut().flatten() {
            if entry.owed == Owed::Logged {
                entry.owed = Owed::Nothing;
            }
        }
    }

    /// Everything that was logged is now safe on the disk: a clean stop said so.
    pub fn all_synced(&mut self) {
        self.settle();
        for entry in self.traces.values_mut().flatten() {
            if entry.owed == Owed::Logged {
                entry.owed = Owed::Durable;
            }
        }
    }

    /// All traces that anything was sent of.
    pub fn traces(&self) -> impl Iterator<Item = TraceId> + '_ {
        self.traces.keys().copied()
    }

    /// What is wrong with an answer by id; `whole` when it claims that nothing is missing.
    pub fn check(&self, trace: TraceId, found: &FoundTrace, whole: bool) -> Result<(), String> {
        let entries = self.traces.get(&trace).map_or(&[][..], |entries| entries);
        let seen: Vec<SpanSpec> = found.spans().map(SpanSpec::of).collect();
        if let Some(strange) = seen
            .iter()
            .find(|span| entries.iter().all(|e| e.span != **span))
        {
            return Err(format!("nobody sent {strange:?}"));
        }
        let missing = |entry: &&Entry| entry.owed > Owed::Nothing && !seen.contains(&entry.span);
        match entries.iter().find(missing).filter(|_| whole) {
            Some(entry) => Err(format!("{:?} and missing: {:?}", entry.owed, entry.span)),
            None => Ok(()),
        }
    }
}
