//! Delivery: a group that keeps up takes the newest batches from the ring, shared; one that lags
//! or has just started reads records back from the files, which `read` does.

mod read;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracewell_storage::{Consumer, Error, Position, Record};

use super::saved::{Loss, Mark};
use super::scan::Scanner;
use super::state::FileMeta;
use super::{Shared, lock, no_partition};
use crate::fs;

/// A group's member.
pub(super) struct LogConsumer {
    shared: Arc<Shared>,
    group: String,
    member: u64,
    /// Offset of the next record to deliver, and the spans accepted before it.
    next: u64,
    accepted: u64,
    reader: Option<Reader>,
    /// Read, and not to be given out before a loss is written down.
    held: Vec<Record>,
}

/// A place in a file.
struct Reader {
    meta: FileMeta,
    scanner: Scanner,
    /// What should come next; what comes instead tells what was lost.
    expected: Mark,
    /// Bytes before this place that were no record.
    garbage: Option<(u64, u64)>,
}

/// What a file can give just now.
struct View {
    /// Readable bytes.
    length: u64,
    /// What follows the file's last record.
    end: Mark,
    /// Where to go on after the file; none for the active one.
    next_base: Option<u64>,
}

enum Step {
    Record(Record),
    /// Something was passed that is not to be delivered.
    Passed,
    FileEnd,
}

impl LogConsumer {
    pub(super) fn join(shared: Arc<Shared>, name: &str, durable: u64) -> LogConsumer {
        let start = shared.start_of(&format!("group {name}"), durable);
        let member = {
            let mut state = lock(&shared.state);
            let group = state.groups.entry(name.to_owned()).or_default();
            group.member += 1;
            group.committed = group.committed.max(start);
            group.delivered = group.committed;
            group.lost_spans = 0;
            group.member
        };
        let next = lock(&shared.state)
            .groups
            .get(name)
            .map_or(1, |group| group.committed + 1);
        let group = name.to_owned();
        let mut consumer = LogConsumer {
            shared,
            group,
            member,
            next,
            accepted: 0,
            reader: None,
            held: Vec::new(),
        };
        consumer.seek();
        consumer
    }

    /// Finds the next record's place, so that lag is exact before the first poll. What cannot be
    /// read now is tried again, and reported, by `poll`.
    fn seek(&mut self) {
        let (accepted, in_ring) = {
            let state = lock(&self.shared.state);
            let in_ring = self.next >= state.ring.from;
            (
                state
                    .ring
                    .accepted_before(self.next)
                    .unwrap_or(state.end.accepted),
                in_ring,
            )
        };
        self.accepted = accepted;
        let mut arrived = None;
        if !in_ring && let Ok(Some(view)) = self.view() {
            while let Some(reader) = &mut self.reader {
                self.accepted = reader.expected.accepted;
                let Ok(head) = reader.scanner.peek(view.length) else {
                    break;
                };
                if let Some(head) = head.filter(|head| head.offset >= self.next) {
                    // What is missing before it is lost, and not in flight.
                    self.accepted = head.accepted_before;
                    arrived = Some(head.arrived_unix_ns);
                    break;
                }
                match self.step(&view) {
                    Ok(Step::Passed) => {}
                    Ok(Step::FileEnd) => {
                        self.accepted = view.end.accepted;
                        break;
                    }
                    Ok(Step::Record(_)) | Err(_) => break,
                }
            }
        }
        if let Ok(group) = lock(&self.shared.state).group(&self.group, self.member) {
            (group.delivered_accepted, group.next_arrived) = (self.accepted, arrived);
        }
    }

    fn take(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        if let Some(records) = self.take_newest(spans_max, wait)? {
            return Ok(records);
        }
        let records = self.read_files(spans_max)?;
        if !records.is_empty() {
            return Ok(records);
        }
        // The files held nothing but damage; the ring may have come within reach.
        Ok(self
            .take_newest(spans_max, Duration::ZERO)?
            .unwrap_or_default())
    }

    /// From the ring, if it has the next record; waits for one up to `wait`.
    fn take_newest(
        &mut self,
        spans_max: usize,
        wait: Duration,
    ) -> Result<Option<Vec<Record>>, Error> {
        let mut state = lock(&self.shared.state);
        state.group(&self.group, self.member)?;
        if self.next >= state.end.next_offset && !wait.is_zero() {
            let next = self.next;
            let none = |state: &mut super::State| next >= state.end.next_offset;
            let waited = self.shared.appended.wait_timeout_while(state, wait, none);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if self.next < state.ring.from {
            return Ok(None);
        }
        let (records, accepted) = state.ring.take(self.next, spans_max);
        let Some(last) = records.last() else {
            return Ok(Some(records));
        };
        self.reader = None;
        self.next = last.position.offset + 1;
        self.accepted = accepted;
        let group = state.group(&self.group, self.member)?;
        group.delivered = last.position.offset;
        group.delivered_accepted = accepted;
        group.next_arrived = None;
        state.evict_delivered();
        Ok(Some(records))
    }
}

impl Reader {
    fn new(meta: FileMeta, file: Arc<dyn fs::File>) -> Reader {
        let expected = Mark {
            next_offset: meta.head.base,
            accepted: meta.head.accepted_before,
        };
        let scanner = Scanner::new(file, meta.head.salt);
        Reader {
            meta,
            scanner,
            expected,
            garbage: None,
        }
    }
}

impl Consumer for LogConsumer {
    fn poll(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        if self.held.is_empty() {
            self.held = self.take(spans_max, wait)?;
        }
        self.shared.save_losses()?;
        Ok(std::mem::take(&mut self.held))
    }

    fn commit(&mut self, positions: &[Position]) -> Result<(), Error> {
        let mut committed = None;
        for position in positions {
            if position.partition != 0 {
                return Err(no_partition(position.partition));
            }
            committed = committed.max(Some(position.offset));
        }
        let Some(committed) = committed else {
            return Ok(());
        };
        {
            let mut state = lock(&self.shared.state);
            let last = state.end.next_offset.saturating_sub(1);
            let group = state.group(&self.group, self.member)?;
            group.committed = group.committed.max(committed.min(last));
            group.delivered = group.delivered.max(group.committed);
            self.next = self.next.max(group.committed + 1);
        }
        self.shared.trim(self.shared.options.passed_bytes_max)
    }
}

impl Shared {
    /// What the store has, before any group joins: so many spans, up to this offset. Where a power
    /// cut took the log's end or its notes, only the store can tell how much it had accepted.
    pub(super) fn note_stored(&self, offset: u64, spans: u64) {
        {
            let mut writer = lock(&self.writer);
            let mut state = lock(&self.state);
            if offset >= state.tail {
                writer.end.accepted = writer.end.accepted.max(spans);
                state.end = writer.end;
            }
            state.lost_before_first(offset, spans);
        }
        self.start_of("the store", offset);
    }

    /// After which offset a sink begins, given what it has.
    ///
    /// Where a power cut took the log's end, the log goes on after what the sink has. Were those
    /// offsets given out again, the sink would take new spans for old ones.
    fn start_of(&self, who: &str, durable: u64) -> u64 {
        let mut writer = lock(&self.writer);
        let mut state = lock(&self.state);
        let before = writer.end.next_offset;
        if durable < before {
            return durable;
        }
        state.problem(format!(
            "{who} has offset {durable}, and the log ends before {before}: the log has lost what lies between"
        ));
        writer.follows.get_or_insert(before);
        writer.end.next_offset = durable.saturating_add(1);
        writer.active = None;
        state.end = writer.end;
        if before > state.opened_at {
            // Records that were appended since the start are new to the sink, whatever their offsets.
            return state.opened_at.saturating_sub(1);
        }
        state.opened_at = writer.end.next_offset;
        durable
    }

    /// Says what was lost and where, and keeps the bytes.
    pub(super) fn report_loss(
        &self,
        path: &std::path::Path,
        loss: Loss,
        region: Option<(u64, u64)>,
    ) {
        let place = region.map_or_else(String::new, |(from, to)| format!(", bytes {from} to {to}"));
        let said = format!(
            "{}{place}: {} records of {} spans are damaged and were skipped",
            path.display(),
            loss.records,
            loss.spans
        );
        tracing::error!("{said}");
        lock(&self.state).problem(said);
        if let Some((from, to)) = region {
            self.keep_aside(path, from, to);
        }
    }
}
