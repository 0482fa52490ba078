//! The bench a store is tested on: plays log and worker, and checks after each step what must
//! always hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracewell_model::clock::ManualClock;
use tracewell_model::{Clock, TraceId};

use super::spans::{SpanSpec, batches};
use super::{OpenStore, Restart, StoreFixture, ensure, worked};
use crate::context::ReadContext;
use crate::find::{Found, TraceQuery};
use crate::log::{Position, Record};

/// Now, where every case begins: a Tuesday in November 2023.
pub(super) const NOW: u64 = 1_700_000_000_000_000_000;
pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

pub(super) struct Bench {
    pub(super) clock: Arc<ManualClock>,
    store: Option<Box<dyn OpenStore>>,
    shards: u16,
    /// Everything ever appended, as the log would keep it.
    pub(super) log: Vec<Record>,
    durable: BTreeMap<u32, u64>,
}

impl Bench {
    pub(super) fn new(fixture: &dyn StoreFixture) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        Bench {
            store: Some(fixture.open_new(clock.clone())),
            shards: fixture.shards(),
            log: Vec::new(),
            durable: BTreeMap::new(),
            clock,
        }
    }

    /// One request: appended, applied, visible.
    pub(super) fn push(&mut self, spans: &[SpanSpec]) -> Result<(), String> {
        let from = self.log.len();
        self.append(spans);
        self.apply(from)
    }

    /// Into the log only, a millisecond after what came before.
    pub(super) fn append(&mut self, spans: &[SpanSpec]) {
        self.clock.advance(MS);
        for batch in batches(spans, self.shards) {
            let offset = self.log.len() as u64 + 1;
            self.log.push(Record {
                position: Position {
                    partition: 0,
                    offset,
                },
                arrived_unix_ns: self.clock.unix_ns(),
                batch: Arc::new(batch),
            });
        }
    }

    /// Delivers the log from here on, as one call.
    pub(super) fn apply(&mut self, from: usize) -> Result<(), String> {
        let records = self.log[from..].to_vec();
        worked("apply", self.store()?.sink().apply(&records))?;
        self.store()?.settle();
        self.check_durable()
    }

    pub(super) fn tick(&mut self) -> Result<(), String> {
        self.clock.advance(SECOND);
        let now = self.clock.unix_ns();
        worked("tick", self.store()?.sink().tick(now))?;
        self.check_durable()
    }

    pub(super) fn flush(&mut self) -> Result<(), String> {
        worked("flush", self.store()?.sink().flush())?;
        self.check_durable()?;
        let last = self.log.len() as u64;
        ensure!(
            self.durable_offset() == last,
            "after flush, durable is {} of {last} records",
            self.durable_offset()
        );
        Ok(())
    }

    /// Ends the store and opens what is left, which is at least what it called durable.
    pub(super) fn restart(&mut self, how: Restart) -> Result<(), String> {
        let store = self
            .store
            .take()
            .ok_or("the store did not come back from a restart")?;
        self.store = Some(store.restart(how));
        self.check_durable()
    }

    /// What a worker does after a restart: delivers everything after what is durable.
    pub(super) fn redeliver(&mut self) -> Result<(), String> {
        let from = self.durable_offset() as usize;
        ensure!(
            from <= self.log.len(),
            "durable is ahead of the log: {from}"
        );
        self.apply(from)
    }

    pub(super) fn durable_offset(&self) -> u64 {
        self.durable.get(&0).copied().unwrap_or(0)
    }

    pub(super) fn context(&self) -> ReadContext {
        ReadContext::new(self.clock.clone(), 60 * SECOND)
    }

    pub(super) fn store(&mut self) -> Result<&mut Box<dyn OpenStore>, String> {
        self.store
            .as_mut()
            .ok_or_else(|| "the store did not come back from a restart".to_owned())
    }

    /// All spans of a trace, repeats left out.
    pub(super) fn get(&mut self, id: TraceId) -> Result<Vec<SpanSpec>, String> {
        let context = self.context();
        let found = worked("get_trace", self.store()?.reader().get_trace(id, &context))?;
        ensure!(
            found.incomplete.is_empty(),
            "get_trace is incomplete: {:?}",
            found.incomplete
        );
        let mut spans: Vec<SpanSpec> = Vec::new();
        for span in found.spans().map(SpanSpec::of) {
            ensure!(
                span.trace_id == id,
                "get_trace of {id} gave a span of {}",
                span.trace_id
            );
            if !spans.contains(&span) {
                spans.push(span);
            }
        }
        Ok(spans)
    }

    pub(super) fn find(&mut self, query: &TraceQuery) -> Result<Found, String> {
        let context = self.context();
        let found = worked(
            "find_traces",
            self.store()?.finder().find_traces(query, &context),
        )?;
        ensure!(
            found.incomplete.is_empty(),
            "find_traces is incomplete: {:?}",
            found.incomplete
        );
        ensure!(
            found.hits.len() <= query.limit,
            "{} hits of {}",
            found.hits.len(),
            query.limit
        );
        Ok(found)
    }

    /// Checks that by id exactly these spans come back, trace by trace.
    pub(super) fn expect_stored(&mut self, spans: &[SpanSpec]) -> Result<(), String> {
        let mut traces: BTreeMap<TraceId, Vec<&SpanSpec>> = BTreeMap::new();
        for span in spans {
            let of_trace = traces.entry(span.trace_id).or_default();
            if !of_trace.contains(&span) {
                of_trace.push(span);
            }
        }
        for (id, expected) in traces {
            let got = self.get(id)?;
            let missing = expected.iter().find(|span| !got.contains(span));
            if let Some(missing) = missing {
                let namesake = got.iter().find(|span| span.span_id == missing.span_id);
                return Err(match namesake {
                    Some(altered) => format!("a span was altered: {missing:?} to {altered:?}"),
                    None => format!("a span is missing of {id}: {missing:?}"),
                });
            }
            let made_up = got.iter().find(|span| !expected.contains(span));
            ensure!(made_up.is_none(), "a span was made up: {made_up:?}");
        }
        Ok(())
    }

    fn check_durable(&mut self) -> Result<(), String> {
        let now: BTreeMap<u32, u64> = self
            .store()?
            .sink()
            .durable()
            .into_iter()
            .map(|position| (position.partition, position.offset))
            .collect();
        for (partition, before) in &self.durable {
            let after = now.get(partition).copied().unwrap_or(0);
            ensure!(
                after >= *before,
                "durable went back from {before} to {after}"
            );
        }
        let ahead = now
            .get(&0)
            .is_some_and(|&offset| offset > self.log.len() as u64);
        ensure!(!ahead, "durable is ahead of what was applied: {now:?}");
        self.durable = now;
        Ok(())
    }
}
