//! What the log knows in memory: its files, the newest records, the groups, the losses. Guarded by
//! one lock that is never held over a call to the disk.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use tracewell_storage::{Error, GroupStatus, LogStatus, Record};

use super::record::FileHead;
use super::saved::{Loss, Mark, Saved};

/// Sentences for the operator that are kept; a disk that breaks everywhere must not fill memory.
const PROBLEMS_MAX: usize = 100;

/// A file of the log.
#[derive(Clone, Debug)]
pub(super) struct FileMeta {
    pub(super) head: FileHead,
    pub(super) path: PathBuf,
    /// Bytes that may be read; for all but the active one, a torn end may lie within.
    pub(super) length: u64,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Last committed offset.
    pub(super) committed: u64,
    /// Last delivered offset, and the spans accepted up to it.
    pub(super) delivered: u64,
    pub(super) delivered_accepted: u64,
    /// Arrival of the record after it, where it is known and not in the ring.
    pub(super) next_arrived: Option<u64>,
    /// Spans that were skipped since it joined.
    pub(super) lost_spans: u64,
    /// Counts subscriptions: a new member takes over from the one before.
    pub(super) member: u64,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    accepted_after: u64,
    bytes: usize,
}

/// The newest records, shared as they were appended.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
    /// Every record from this offset on is here.
    pub(super) from: u64,
}

impl Ring {
    fn push(&mut self, record: Record, accepted_after: u64) {
        let bytes = record.batch.memory_bytes() + size_of::<Entry>();
        self.bytes += bytes;
        self.entries.push_back(Entry {
            record,
            accepted_after,
            bytes,
        });
    }

    fn evict(&mut self) -> Option<Record> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        self.from = entry.record.position.offset + 1;
        Some(entry.record)
    }

    fn evict_through(&mut self, offset: u64) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.record.position.offset <= offset)
        {
            self.evict();
        }
    }

    fn first_at(&self, offset: u64) -> usize {
        self.entries
            .partition_point(|entry| entry.record.position.offset < offset)
    }

    /// Spans accepted before the record at this offset; none when no such record is here.
    pub(super) fn accepted_before(&self, offset: u64) -> Option<u64> {
        let entry = self.entries.get(self.first_at(offset))?;
        Some(entry.accepted_after - entry.record.batch.len() as u64)
    }

    fn arrived_at(&self, offset: u64) -> Option<u64> {
        let entry = self.entries.get(self.first_at(offset))?;
        Some(entry.record.arrived_unix_ns)
    }

    /// Records from this offset on, about so many spans of them, and the spans accepted up to the last.
    pub(super) fn take(&self, offset: u64, spans_max: usize) -> (Vec<Record>, u64) {
        let (mut records, mut spans, mut accepted) = (Vec::new(), 0, 0);
        for entry in self.entries.range(self.first_at(offset)..) {
            if !records.is_empty() && spans + entry.record.batch.len() > spans_max {
                break;
            }
            spans += entry.record.batch.len();
            accepted = entry.accepted_after;
            records.push(entry.record.clone());
        }
        (records, accepted)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<u64, FileMeta>,
    pub(super) ring: Ring,
    pub(super) end: Mark,
    /// What would follow the newest file's last record: less than the end's offset while offsets
    /// are left out and no file has begun after them.
    pub(super) tail: u64,
    pub(super) groups: BTreeMap<String, Group>,
    /// Groups that must pass before a file is unlinked; empty for all that are known.
    pub(super) required: Vec<String>,
    pub(super) trimmed: Mark,
    pub(super) lost_before: Loss,
    pub(super) losses: BTreeMap<u64, Loss>,
    /// Something of `losses` or `lost_before` is not in the file yet.
    pub(super) has_unsaved_loss: bool,
    pub(super) problems: Vec<String>,
    /// Why appends are refused just now.
    pub(super) refusal: Option<String>,
    /// The log's end when it was opened: what a sink may know from an earlier life at most.
    pub(super) opened_at: u64,
}

impl State {
    pub(super) fn with_ring(bytes_max: usize, end: Mark) -> State {
        let ring = Ring {
            bytes_max,
            from: end.next_offset,
            ..Ring::default()
        };
        State {
            ring,
            end,
            opened_at: end.next_offset,
            tail: end.next_offset,
            ..State::default()
        }
    }

    /// A record was written: into the ring with it, and what has no more room out.
    pub(super) fn publish(&mut self, record: Record, accepted_after: u64) {
        self.end = Mark {
            next_offset: record.position.offset + 1,
            accepted: accepted_after,
        };
        self.tail = self.end.next_offset;
        self.ring.push(record, accepted_after);
        while self.ring.bytes > self.ring.bytes_max {
            let Some(gone) = self.ring.evict() else { break };
            // For whom it was the next one, its age would be unknown until the file is read.
            for group in self.groups.values_mut() {
                if group.delivered < gone.position.offset {
                    group.next_arrived.get_or_insert(gone.arrived_unix_ns);
                }
            }
        }
    }

    /// Remembers a loss; true when it is news. One offset range is one loss, whoever comes by; it
    /// may grow, when what follows it is lost too. Of what was trimmed nobody misses anything.
    pub(super) fn lose(&mut self, from: Mark, to: Mark) -> bool {
        let from = from.or_later(self.trimmed);
        let loss = from.until(to);
        let known = self.losses.get(&from.next_offset);
        if loss.records <= known.map_or(0, |known| known.records) {
            return false;
        }
        self.losses.insert(from.next_offset, loss);
        self.has_unsaved_loss = true;
        true
    }

    /// The store has so many spans, up to this record, and what the log has begins later: what lay
    /// between is lost. Where the log's own notes were lost too, nothing else tells how much.
    pub(super) fn lost_before_first(&mut self, offset: u64, spans: u64) {
        let between = Loss {
            records: self.trimmed.next_offset.saturating_sub(offset + 1),
            spans: self.trimmed.accepted.saturating_sub(spans),
        };
        if between.records > 0 && between.spans > self.lost_before.spans {
            self.lost_before = between;
            // Once the store has come further, nothing tells it any more.
            self.has_unsaved_loss = true;
        }
    }

    pub(super) fn problem(&mut self, sentence: String) {
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&sentence) {
            self.problems.push(sentence);
        }
    }

    pub(super) fn saved(&self) -> Saved {
        Saved {
            end: self.end,
            trimmed: self.trimmed,
            lost_before: self.lost_before,
            losses: self.losses.clone(),
            committed: self
                .groups
                .iter()
                .map(|(name, group)| (name.clone(), group.committed))
                .collect(),
        }
    }

    /// The groups that hold files back.
    fn holders(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.groups.iter().filter(|(name, group)| {
            self.required.is_empty() || group.member > 0 || self.required.contains(name)
        })
    }

    /// The last offset that every group has committed; 0 when some group never came.
    pub(super) fn passed_by_all(&self) -> u64 {
        if self
            .required
            .iter()
            .any(|name| !self.groups.contains_key(name))
        {
            return 0;
        }
        self.holders()
            .map(|(_, group)| group.committed)
            .min()
            .unwrap_or(0)
    }

    /// Drops from memory what every group has been given; it stays in the files.
    pub(super) fn evict_delivered(&mut self) {
        if self
            .required
            .iter()
            .any(|name| !self.groups.contains_key(name))
        {
            return;
        }
        if let Some(offset) = self.holders().map(|(_, group)| group.delivered).min() {
            self.ring.evict_through(offset);
        }
    }

    /// The file in which this offset lies, or the first one after it.
    pub(super) fn file_of(&self, offset: u64) -> Option<&FileMeta> {
        let before = self.files.range(..=offset).next_back();
        before
            .or_else(|| self.files.first_key_value())
            .map(|(_, meta)| meta)
    }

    /// The file after the one with this base.
    pub(super) fn file_after(&self, base: u64) -> Option<&FileMeta> {
        self.files.range(base + 1..).next().map(|(_, meta)| meta)
    }

    /// Offsets after `offset` that never were records.
    fn left_out_after(&self, offset: u64) -> u64 {
        let head = |meta: &FileMeta| meta.head;
        let gap = |head: FileHead| head.base.saturating_sub(head.follows.max(offset + 1));
        self.files
            .range(offset + 1..)
            .map(|(_, meta)| gap(head(meta)))
            .sum()
    }

    fn records_after(&self, offset: u64) -> u64 {
        let all = self.end.next_offset.saturating_sub(offset + 1);
        let pending = self.end.next_offset - self.tail.max(offset + 1).min(self.end.next_offset);
        all.saturating_sub(self.left_out_after(offset) + pending)
    }

    pub(super) fn group(&mut self, name: &str, member: u64) -> Result<&mut Group, Error> {
        let group = self
            .groups
            .get_mut(name)
            .filter(|group| group.member == member);
        group.ok_or_else(|| {
            Error::invalid(format!("group {name} was taken over by a later subscriber"))
        })
    }

    pub(super) fn status(&self, now_unix_ns: u64, retention_ns: u64) -> LogStatus {
        let mut lost = self.lost_before;
        self.losses.values().for_each(|&loss| lost.add(loss));
        let mut problems: Vec<String> = self.refusal.iter().cloned().collect();
        problems.extend(self.problems.iter().cloned());
        problems.extend(self.alarms(now_unix_ns, retention_ns));
        let first = self
            .files
            .first_key_value()
            .map_or(self.end.next_offset, |(&base, _)| base);
        LogStatus {
            accepted_spans: self.end.accepted,
            records: self.records_after(first.saturating_sub(1)),
            bytes: self.files.values().map(|meta| meta.length).sum(),
            files: self.files.len() as u64,
            damaged_records: lost.records,
            damaged_spans: lost.spans,
            groups: self
                .groups
                .iter()
                .map(|(name, group)| self.group_status(name, group, now_unix_ns))
                .collect(),
            problems,
        }
    }

    fn group_status(&self, name: &str, group: &Group, now_unix_ns: u64) -> GroupStatus {
        let lag_records = self.records_after(group.delivered);
        let next = group.delivered + 1;
        let arrived = if next >= self.ring.from {
            self.ring.arrived_at(next)
        } else {
            let floor = self.file_of(next).map(|meta| meta.head.arrived_before);
            group.next_arrived.or(floor)
        };
        let behind = lag_records > 0;
        GroupStatus {
            group: name.to_owned(),
            lag_records,
            lag_spans: if behind {
                self.end.accepted.saturating_sub(group.delivered_accepted)
            } else {
                0
            },
            lag_ns: arrived
                .filter(|_| behind)
                .map_or(0, |arrived| now_unix_ns.saturating_sub(arrived)),
            uncommitted_records: group.delivered.saturating_sub(group.committed),
            lost_spans: group.lost_spans,
            ..GroupStatus::default()
        }
    }

    /// A group that holds files for longer than the retention; they stay, and someone must look.
    fn alarms(&self, now_unix_ns: u64, retention_ns: u64) -> Vec<String> {
        let mut sentences = Vec::new();
        for (name, group) in self.holders() {
            // A file is surely too old when even its successor began too long ago.
            let held = self
                .file_of(group.committed + 1)
                .and_then(|meta| self.file_after(meta.head.base));
            let Some(held) = held else { continue };
            let age = now_unix_ns.saturating_sub(held.head.arrived_before);
            if age > retention_ns {
                let minutes = age / 60_000_000_000;
                sentences.push(format!(
                    "group {name} has not committed past offset {} for {minutes} minutes; the log keeps everything since",
                    group.committed
                ));
            }
        }
        sentences
    }
}
