//! The span log in memory: one partition, a vector of records, a count per group.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tracewell_model::{Clock, SpanBatch};

use super::lock;
use crate::error::{Class, Error};
use crate::log::{Ack, Completion, Consumer, GroupStatus, LogStatus, Position, Record, SpanLog};

/// A log in memory. Clones are handles of the same log.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    appended: Condvar,
}

#[derive(Default)]
struct State {
    /// What no group has yet committed, oldest first.
    records: VecDeque<Record>,
    /// Offset of the newest record ever.
    last_offset: u64,
    last_arrived_unix_ns: u64,
    accepted_spans: u64,
    groups: BTreeMap<String, Group>,
    bytes_max: Option<usize>,
    refusal: Option<Error>,
}

/// Offsets; 0 is before the first record.
#[derive(Clone, Copy, Default)]
struct Group {
    committed: u64,
    delivered: u64,
}

impl std::fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryLog")
            .field("status", &self.status())
            .finish()
    }
}

impl MemoryLog {
    /// An empty log.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            clock,
            state: Mutex::default(),
            appended: Condvar::new(),
        };
        MemoryLog {
            shared: Arc::new(shared),
        }
    }

    /// Appends at once and waits for nothing: for tests.
    pub fn push(&self, batch: SpanBatch) {
        self.append(vec![batch], Ack::Logged, Box::new(|_answer| ()));
    }

    /// From now on refuses, as overloaded, what would make it hold more than this.
    pub fn set_bytes_max(&self, bytes_max: Option<usize>) {
        lock(&self.shared.state).bytes_max = bytes_max;
    }

    /// From now on answers every append with this error, until told `None`: a disk that failed.
    pub fn refuse(&self, refusal: Option<Error>) {
        lock(&self.shared.state).refusal = refusal;
    }

    /// What a new process would find: every record, and delivery from what was committed. A crash
    /// and a clean stop are the same to it; drop the old handles.
    pub fn restart(&self) -> MemoryLog {
        let state = lock(&self.shared.state);
        let mut found = State {
            records: state.records.clone(),
            last_offset: state.last_offset,
            last_arrived_unix_ns: state.last_arrived_unix_ns,
            accepted_spans: state.accepted_spans,
            groups: state.groups.clone(),
            ..State::default()
        };
        found
            .groups
            .values_mut()
            .for_each(|group| group.delivered = group.committed);
        let shared = Shared {
            clock: self.shared.clock.clone(),
            state: Mutex::new(found),
            appended: Condvar::new(),
        };
        MemoryLog {
            shared: Arc::new(shared),
        }
    }
}

impl SpanLog for MemoryLog {
    fn append(&self, batches: Vec<SpanBatch>, _ack: Ack, done: Completion) {
        let now_unix_ns = self.shared.clock.unix_ns();
        // Every level is reached at once here: there is no slower medium to wait for.
        let answer = lock(&self.shared.state).append(batches, now_unix_ns);
        self.shared.appended.notify_all();
        done(answer);
    }

    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        let mut state = lock(&self.shared.state);
        let last_offset = state.last_offset;
        let member = state.groups.entry(group.to_owned()).or_default();
        let saved = durable.iter().filter(|position| position.partition == 0);
        let saved = saved.map(|position| position.offset).max().unwrap_or(0);
        member.committed = member.committed.max(saved.min(last_offset));
        member.delivered = member.committed;
        drop(state);
        Ok(Box::new(MemoryConsumer {
            shared: self.shared.clone(),
            group: group.to_owned(),
        }))
    }

    fn status(&self) -> LogStatus {
        lock(&self.shared.state).status(self.shared.clock.unix_ns())
    }
}

impl State {
    fn append(&mut self, batches: Vec<SpanBatch>, now_unix_ns: u64) -> Result<(), Error> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let bytes = self.bytes() + batches.iter().map(SpanBatch::memory_bytes).sum::<usize>();
        if self.bytes_max.is_some_and(|most| bytes > most) {
            return Err(Error::overloaded("the log in memory is full", 1));
        }
        self.last_arrived_unix_ns = self.last_arrived_unix_ns.max(now_unix_ns);
        for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
            self.last_offset += 1;
            self.accepted_spans += batch.len() as u64;
            self.records.push_back(Record {
                position: Position {
                    partition: 0,
                    offset: self.last_offset,
                },
                arrived_unix_ns: self.last_arrived_unix_ns,
                batch: Arc::new(batch),
            });
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.records
            .iter()
            .map(|record| record.batch.memory_bytes())
            .sum()
    }

    /// Records after this offset, oldest first.
    fn after(&self, offset: u64) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(move |record| record.position.offset > offset)
    }

    fn deliver(&mut self, group: &str, spans_max: usize) -> Vec<Record> {
        let delivered = self.groups.get(group).map_or(0, |group| group.delivered);
        let mut records: Vec<Record> = Vec::new();
        let mut spans = 0;
        for record in self.after(delivered) {
            spans += record.batch.len();
            if !records.is_empty() && spans > spans_max {
                break;
            }
            records.push(record.clone());
        }
        if let Some((last, group)) = records.last().zip(self.groups.get_mut(group)) {
            group.delivered = last.position.offset;
        }
        records
    }

    fn commit(&mut self, group: &str, offset: u64) {
        let Some(group) = self.groups.get_mut(group) else {
            return;
        };
        group.committed = group.committed.max(offset.min(self.last_offset));
        group.delivered = group.delivered.max(group.committed);
        let passed = self
            .groups
            .values()
            .map(|group| group.committed)
            .min()
            .unwrap_or(0);
        while self
            .records
            .front()
            .is_some_and(|record| record.position.offset <= passed)
        {
            self.records.pop_front();
        }
    }

    fn status(&self, now_unix_ns: u64) -> LogStatus {
        let groups = self.groups.iter().map(|(name, group)| {
            let oldest = self.after(group.delivered).next();
            GroupStatus {
                group: name.clone(),
                lag_records: self.after(group.delivered).count() as u64,
                lag_spans: self
                    .after(group.delivered)
                    .map(|r| r.batch.len() as u64)
                    .sum(),
                lag_ns: oldest.map_or(0, |r| now_unix_ns.saturating_sub(r.arrived_unix_ns)),
                uncommitted_records: group.delivered - group.committed,
                ..GroupStatus::default()
            }
        });
        LogStatus {
            accepted_spans: self.accepted_spans,
            records: self.records.len() as u64,
            bytes: self.bytes() as u64,
            groups: groups.collect(),
            ..LogStatus::default()
        }
    }
}

/// A member of a group of a [`MemoryLog`].
pub struct MemoryConsumer {
    shared: Arc<Shared>,
    group: String,
}

impl std::fmt::Debug for MemoryConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryConsumer")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl Consumer for MemoryConsumer {
    fn poll(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        let mut state = lock(&self.shared.state);
        let records = state.deliver(&self.group, spans_max);
        if !records.is_empty() || wait.is_zero() {
            return Ok(records);
        }
        // Woken without a record is an empty answer: the caller polls again anyway.
        let waited = self.shared.appended.wait_timeout(state, wait);
        let (mut state, _timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        Ok(state.deliver(&self.group, spans_max))
    }

    fn commit(&mut self, positions: &[Position]) -> Result<(), Error> {
        if positions.iter().any(|position| position.partition != 0) {
            return Err(Error::new(
                Class::Invalid,
                "the log in memory has one partition, 0",
            ));
        }
        let mut state = lock(&self.shared.state);
        for position in positions {
            state.commit(&self.group, position.offset);
        }
        Ok(())
    }
}
