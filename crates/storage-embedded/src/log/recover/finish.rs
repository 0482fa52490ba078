//! The last step of opening: from what was found to a log that goes on after it.

use std::sync::{Arc, Condvar, Mutex};

use tracewell_model::Clock;
use tracewell_storage::Error;

use super::super::saved::Mark;
use super::super::state::{FileMeta, Group, State};
use super::super::sync::SyncState;
use super::super::writer::{Active, Writer};
use super::super::{Options, Recovery, Shared};
use super::{Opening, Tail};

impl Opening {
    pub(super) fn finish(
        mut self,
        tail: Option<(FileMeta, Tail)>,
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<(Shared, Recovery), Error> {
        let loaded = self.saved.clone();
        let saved = loaded.clone().unwrap_or_default();
        let start = Mark {
            next_offset: 1,
            accepted: 0,
        };
        // Without files the log ends where it was trimmed to.
        let trimmed = if saved.trimmed.next_offset > 0 {
            saved.trimmed
        } else {
            start
        };
        let read = tail.as_ref().map_or(trimmed, |(_, tail)| tail.end);
        let said = "the span log ends before what was saved of it";
        self.lose(read, saved.end, said);
        let follows = read.next_offset.max(saved.end.next_offset);
        let committed = saved
            .committed
            .values()
            .max()
            .map_or(0, |offset| offset + 1);
        let end = Mark {
            next_offset: follows.max(committed).max(self.offset_floor),
            accepted: read.accepted.max(saved.end.accepted),
        };
        let mut state = State::with_ring(options.ring_bytes_max, end);
        let first = self.files.first_key_value().map(|(_, meta)| meta.head);
        state.trimmed = match (&loaded, first) {
            (None, Some(head)) => Mark {
                next_offset: head.follows,
                accepted: head.accepted_before,
            },
            _ => trimmed,
        };
        state.tail = follows;
        state.lost_before = saved.lost_before;
        state.losses = saved.losses;
        for (from, to) in std::mem::take(&mut self.losses) {
            state.lose(from, to);
        }
        state.groups = saved
            .committed
            .into_iter()
            .map(|(name, committed)| (name, group_at(committed)))
            .collect();
        state.required = options.groups.clone();
        state.files = std::mem::take(&mut self.files);
        let mut writer = Writer::default();
        writer.end = end;
        writer.follows = (follows < end.next_offset).then_some(follows);
        writer.last_arrived_unix_ns = tail.as_ref().map_or(0, |(_, tail)| tail.arrived_unix_ns);
        writer.active = self.active(tail.as_ref(), end, &options);
        let recovery = self.report(&mut state);
        let left = state.files.iter();
        // What cannot be opened cannot be read either, and is reported by who tries.
        let left = left.filter_map(|(&base, meta)| Some((base, self.fs.open(&meta.path).ok()?)));
        let sync = SyncState::after(left.collect(), clock.monotonic_ns());
        let shared = Shared {
            fs: self.fs,
            dir: self.dir,
            options,
            clock,
            saving: Mutex::new(loaded.unwrap_or_default()),
            writer: Mutex::new(writer),
            sync: Mutex::new(sync),
            sync_wanted: Condvar::new(),
            sync_pause: Condvar::new(),
            state: Mutex::new(state),
            appended: Condvar::new(),
        };
        Ok((shared, recovery))
    }

    /// The last file, when appending to it keeps its offsets without a gap.
    fn active(
        &self,
        tail: Option<&(FileMeta, Tail)>,
        end: Mark,
        options: &Options,
    ) -> Option<Active> {
        let (meta, tail) = tail?;
        let fits = tail.appendable && tail.end == end && tail.length < options.file_bytes_max;
        let file = self.fs.open_append(&meta.path).ok().filter(|_| fits)?;
        Some(Active {
            file,
            base: meta.head.base,
            salt: meta.head.salt,
            length: tail.length,
        })
    }

    fn report(&mut self, state: &mut State) -> Recovery {
        let mut recovery = std::mem::take(&mut self.recovery);
        recovery
            .problems
            .iter()
            .for_each(|said| state.problem(said.clone()));
        let mut lost = state.lost_before;
        state.losses.values().for_each(|&loss| lost.add(loss));
        recovery.files = state.files.len() as u64;
        recovery.bytes = state.files.values().map(|meta| meta.length).sum();
        recovery.accepted_spans = state.end.accepted;
        recovery.next_offset = state.end.next_offset;
        recovery.lost_records = lost.records;
        recovery.lost_spans = lost.spans;
        recovery
    }
}

fn group_at(committed: u64) -> Group {
    Group {
        committed,
        delivered: committed,
        ..Default::default()
    }
}
