//! Reading records back from the files, past whatever is damaged there: what should have come and
//! did not is counted, once, by its first offset.
#![warn(clippy::indexing_slicing)]

use std::io::ErrorKind;
use std::sync::Arc;

use tracewell_storage::{Error, Position, Record};

use super::super::lock;
use super::super::record::FileHead;
use super::super::saved::Mark;
use super::super::scan::Item;
use super::super::state::FileMeta;
use super::{LogConsumer, Reader, Step, View};
use crate::codec;
use crate::fs;

impl LogConsumer {
    /// Opens the file of the next record if it is not open, and says what it can give. None: there
    /// is nothing to read from files.
    pub(super) fn view(&mut self) -> Result<Option<View>, Error> {
        let (meta, view) = {
            let state = lock(&self.shared.state);
            let open = self.reader.as_ref().map(|reader| reader.meta.head);
            let open =
                open.and_then(|head| state.files.get(&head.base).filter(|meta| meta.head == head));
            let Some(meta) = open.or_else(|| state.file_of(self.next)) else {
                return Ok(None);
            };
            let next = state.file_after(meta.head.base).map(|meta| meta.head);
            let mark = |head: FileHead| Mark {
                next_offset: head.follows,
                accepted: head.accepted_before,
            };
            let newest = Mark {
                next_offset: state.tail,
                ..state.end
            };
            let end = next.map_or(newest, mark);
            let view = View {
                length: meta.length,
                end,
                next_base: next.map(|head| head.base),
            };
            (meta.clone(), view)
        };
        if self
            .reader
            .as_ref()
            .is_none_or(|reader| reader.meta.head != meta.head)
        {
            match self.shared.fs.open(&meta.path) {
                Ok(file) => self.reader = Some(Reader::new(meta, file)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.lose_file(&meta, &view);
                }
                Err(error) => return Err(fs::io_error("open", &meta.path, &error)),
            }
        }
        Ok(Some(view))
    }

    /// A file that was there when the log was opened is gone.
    fn lose_file(&mut self, meta: &FileMeta, view: &View) {
        self.reader = None;
        let head = meta.head;
        let start = Mark {
            next_offset: head.base,
            accepted: head.accepted_before,
        };
        let mut state = lock(&self.shared.state);
        // Unless the file was trimmed meanwhile, because this group has passed it.
        if state.files.contains_key(&head.base) {
            state.lose(start, view.end);
            state.problem(format!(
                "{} is missing: its records are lost",
                meta.path.display()
            ));
        }
        drop(state);
        self.miss(start.until(view.end).spans);
        self.next = self
            .next
            .max(view.next_base.unwrap_or(view.end.next_offset));
        self.accepted = view.end.accepted;
    }

    /// This group is not given these spans, whoever else was.
    fn miss(&self, spans: u64) {
        if let Ok(group) = lock(&self.shared.state).group(&self.group, self.member) {
            group.lost_spans += spans;
        }
    }

    /// Takes one item of the open file.
    pub(super) fn step(&mut self, view: &View) -> Result<Step, Error> {
        let Some(reader) = &mut self.reader else {
            return Ok(Step::Passed);
        };
        let expected = reader.expected;
        let item = reader
            .scanner
            .next(view.length, expected.next_offset, self.next);
        let item = item.map_err(|error| fs::io_error("read", &reader.meta.path, &error))?;
        let (head, batch, bad) = match item {
            Item::Garbage { from, to } => {
                reader.garbage = Some((from, to));
                return Ok(Step::Passed);
            }
            // Beyond the file's last record lie at most the remains of a failed write.
            Item::Record { head, .. } | Item::BadPayload { head, .. }
                if head.offset >= view.end.next_offset =>
            {
                return Ok(Step::FileEnd);
            }
            Item::End => return Ok(Step::FileEnd),
            Item::BadPayload { head, from, to } => (head, None, Some((from, to))),
            Item::Record { head, .. } if head.offset < self.next => (head, None, None),
            Item::Record { head, payload } => {
                // A checksum that holds over bytes that do not decode: a writer's fault. The
                // record is counted as damaged, so that no consumer is stuck on it.
                let batch = codec::decode(payload).ok();
                let batch = batch.filter(|batch| batch.len() == head.spans as usize);
                let bad = batch.is_none().then(|| (head.end(0), 0));
                (head, batch, bad)
            }
        };
        let before = Mark {
            next_offset: head.offset,
            accepted: head.accepted_before,
        };
        let after = Mark {
            next_offset: head.offset + 1,
            accepted: head.accepted_after(),
        };
        self.lose_until(before);
        if let Some(region) = bad {
            self.lose_record(before, after, region);
        }
        if let Some(reader) = &mut self.reader {
            reader.expected = after;
        }
        self.next = self.next.max(after.next_offset);
        self.accepted = after.accepted;
        let Some(batch) = batch else {
            return Ok(Step::Passed);
        };
        let position = Position {
            partition: 0,
            offset: head.offset,
        };
        let arrived_unix_ns = head.arrived_unix_ns;
        Ok(Step::Record(Record {
            position,
            arrived_unix_ns,
            batch: Arc::new(batch),
        }))
    }

    /// What should have come before this mark and did not is lost.
    fn lose_until(&mut self, mark: Mark) {
        let Some(reader) = &mut self.reader else {
            return;
        };
        let garbage = reader.garbage.take();
        let from = reader.expected;
        let loss = from.until(mark);
        reader.expected = Mark {
            next_offset: mark.next_offset.max(from.next_offset),
            ..mark
        };
        let path = reader.meta.path.clone();
        if mark.next_offset > self.next {
            self.miss(loss.spans);
        }
        if loss.records > 0 && lock(&self.shared.state).lose(from, mark) {
            self.shared.report_loss(&path, loss, garbage);
        }
    }

    /// The record between these marks is damaged, at these bytes of the file.
    fn lose_record(&mut self, before: Mark, after: Mark, (from, to): (u64, u64)) {
        let Some(reader) = &self.reader else { return };
        let loss = before.until(after);
        if before.next_offset >= self.next {
            self.miss(loss.spans);
        }
        if lock(&self.shared.state).lose(before, after) {
            let region = (from < to).then_some((from, to));
            self.shared
                .report_loss(&reader.meta.path.clone(), loss, region);
        }
    }

    /// Reads records back until there are about `spans_max` spans of them, or the ring has the rest.
    pub(super) fn read_files(&mut self, spans_max: usize) -> Result<Vec<Record>, Error> {
        let (mut records, mut spans) = (Vec::new(), 0);
        loop {
            let ring_from = lock(&self.shared.state).ring.from;
            if self.next >= ring_from {
                break;
            }
            let Some(view) = self.view()? else { break };
            match self.next_record(
                &view,
                ring_from,
                spans_max.saturating_sub(spans),
                records.is_empty(),
            ) {
                Ok(Some(record)) => {
                    spans += record.batch.len();
                    records.push(record);
                }
                Ok(None) if self.reader.is_some() => break,
                Ok(None) => {}
                // What was read is delivered first; the error comes again.
                Err(_) if !records.is_empty() => break,
                Err(error) => return Err(error),
            }
            if spans >= spans_max {
                break;
            }
        }
        self.note_progress();
        Ok(records)
    }

    /// The next record of the open file, unless it is too large for what is still wanted. None
    /// with the reader closed: the file is done, go on with the next one.
    fn next_record(
        &mut self,
        view: &View,
        ring_from: u64,
        room: usize,
        first: bool,
    ) -> Result<Option<Record>, Error> {
        while let Some(reader) = &mut self.reader {
            let head = reader.scanner.peek(view.length);
            let head = head
                .map_err(|error| fs::io_error("read", &reader.meta.path, &error))?
                .filter(|head| head.offset >= self.next);
            if head.is_some_and(|head| !first && head.spans as usize > room)
                || self.next >= ring_from
            {
                return Ok(None);
            }
            match self.step(view)? {
                Step::Record(record) => return Ok(Some(record)),
                Step::Passed => {}
                Step::FileEnd => {
                    self.lose_until(view.end);
                    self.accepted = view.end.accepted;
                    self.next = self
                        .next
                        .max(view.next_base.unwrap_or(view.end.next_offset));
                    if view.next_base.is_none() {
                        return Ok(None);
                    }
                    self.reader = None;
                }
            }
        }
        Ok(None)
    }

    /// Figures of the group after reading from files.
    fn note_progress(&mut self) {
        let mut arrived = None;
        if let Some(reader) = &mut self.reader {
            let length = lock(&self.shared.state)
                .files
                .get(&reader.meta.head.base)
                .map_or(0, |meta| meta.length);
            let head = reader.scanner.peek(length).ok().flatten();
            arrived = head.map(|head| head.arrived_unix_ns);
        }
        let mut state = lock(&self.shared.state);
        if let Ok(group) = state.group(&self.group, self.member) {
            group.delivered = self.next - 1;
            group.delivered_accepted = self.accepted;
            group.next_arrived = arrived;
        }
    }
}
