//! The trace store in memory: a sink that keeps records, and a reader by id over them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tracewell_model::{SpanBatch, TraceId};

use super::{Restart, lock};
use crate::context::{ReadContext, Searched};
use crate::error::Error;
use crate::log::{Position, Record};
use crate::sink::Sink;
use crate::traces::{FoundTrace, TraceReader};

/// A trace store in memory: the storage group's sink, and its readers (`find` and `scan` have the others).
/// Clones are handles of the same store: one is the sink, others read.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    pub(super) state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) arrivals: Vec<Arrival>,
    /// The last offset seen, per partition.
    applied: BTreeMap<u32, u64>,
    /// What a crash leaves: so many arrivals, up to these offsets.
    durable_arrivals: usize,
    durable: BTreeMap<u32, u64>,
}

/// A batch, and when it arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) arrived_unix_ns: u64,
    pub(super) batch: Arc<SpanBatch>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// A store that holds these batches, arrived at this time: for tests of readers.
    pub fn with(batches: impl IntoIterator<Item = SpanBatch>, arrived_unix_ns: u64) -> Self {
        let store = MemoryStore::new();
        batches
            .into_iter()
            .for_each(|batch| store.push(batch, arrived_unix_ns));
        store
    }

    /// Takes a batch in, past any log.
    pub fn push(&self, batch: SpanBatch, arrived_unix_ns: u64) {
        let arrival = Arrival {
            arrived_unix_ns,
            batch: Arc::new(batch),
        };
        lock(&self.state).arrivals.push(arrival);
    }

    /// What a new process would find.
    pub fn restart(&self, how: Restart) -> MemoryStore {
        let mut state = lock(&self.state).clone();
        match how {
            Restart::CleanStop => state.save(),
            Restart::Crash => {
                state.arrivals.truncate(state.durable_arrivals);
                state.applied = state.durable.clone();
            }
        }
        MemoryStore {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// What it holds now, for a read that takes its time.
    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.state).arrivals.clone()
    }
}

impl State {
    fn save(&mut self) {
        self.durable_arrivals = self.arrivals.len();
        self.durable = self.applied.clone();
    }
}

impl Sink for MemoryStore {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        let mut state = lock(&self.state);
        for Record {
            position,
            arrived_unix_ns,
            batch,
        } in records
        {
            let applied = state.applied.entry(position.partition).or_default();
            // Offsets begin at 1: a record at 0 comes from a test that does not care.
            if position.offset != 0 && position.offset <= *applied {
                continue;
            }
            *applied = position.offset.max(*applied);
            let arrival = Arrival {
                arrived_unix_ns: *arrived_unix_ns,
                batch: batch.clone(),
            };
            state.arrivals.push(arrival);
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let durable = lock(&self.state).durable.clone();
        durable
            .into_iter()
            .map(|(partition, offset)| Position { partition, offset })
            .collect()
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        lock(&self.state).save();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        lock(&self.state).save();
        Ok(())
    }
}

impl TraceReader for MemoryStore {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        let mut found = FoundTrace {
            searched: searched(),
            ..FoundTrace::default()
        };
        let (mut spans, mut bytes) = (0, 0);
        for Arrival { batch, .. } in self.arrivals() {
            context.check()?;
            found.searched.head_spans += batch.len() as u64;
            let of_trace = batch.spans().filter(|span| span.trace_id() == id);
            let mut rows: Vec<u32> = of_trace.map(|span| span.row).collect();
            // A batch's share of its bytes: near enough for a cap.
            let row_bytes = batch.memory_bytes() / batch.len().max(1) + 1;
            let room = (context.spans_max - spans).min((context.bytes_max - bytes) / row_bytes);
            if rows.len() > room {
                rows.truncate(room);
                let cut = format!("the trace is cut after {} spans", spans + rows.len());
                found.incomplete.push(cut);
            }
            spans += rows.len();
            bytes += rows.len() * row_bytes;
            if !rows.is_empty() {
                found.parts.push((batch, rows));
            }
            if !found.incomplete.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

pub(super) fn searched() -> Searched {
    Searched {
        backend: "memory",
        ..Searched::default()
    }
}
