//! Compaction: neighbouring segments become one (segment/merge.rs) where the policy says so
//! (tiers.rs), beside seals, expiry and readers. One edit of the manifest names the new segment and
//! forgets its inputs; whoever reads those keeps them open until it is done.
//!
//! A segment whose index is lost or damaged is copied by itself, with an index made of its data. One
//! whose data is damaged is never an input: it stays as it is, the status names it, and others are
//! merged past it; and past one that cannot be read, until the next try. A disk that takes nothing, or is
//! full, leaves everything as it was; the next try waits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracewell_storage::{Class, Error, Position};

use super::tiers::{self, Candidate, Unsettled};
use super::{Engine, View, lock};
use crate::failpoint;
use crate::manifest::{Edit, Gone};
use crate::segment::Segment;
use crate::segment::cache::UnitKey;
use crate::segment::cut::BLOCK_BYTES_MAX;
use crate::segment::merge::{self, Failure, Figures, Keep, MergeOptions, Merged, Watch};
use crate::segment::meta::{index_name, segments_dir};

/// Unsettled segments at which sealing waits for merges: as many as two merges of small ones take, and
/// what a steady state has beside them. With so many open a search is slower already.
const BEHIND_SEGMENTS: usize = 96;
/// Arrivals in one segment are no further apart: then it goes as a whole, and in time.
const WINDOW_NS_MAX: u64 = 86_400 * 1_000_000_000;
/// And no further than this share of the retention.
const WINDOW_SHARE: u64 = 7;
/// How long the next try waits after a failure; twice as long after each further one.
const PAUSE_NS: u64 = 10_000_000_000;
const PAUSE_NS_MAX: u64 = 600_000_000_000;

/// What compaction did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Merges that are done.
    pub merges: u64,
    /// Merges that failed.
    pub failures: u64,
    /// Of those that are done: lost indexes that were made anew.
    pub indexes_remade: u64,
    /// What those that are done came to.
    pub figures: Figures,
}

/// What is known of it beside a merge that goes on.
#[derive(Debug, Default)]
pub(super) struct Progress {
    done: Compaction,
    /// Segments that no merge may touch, and why.
    damaged: BTreeMap<u64, String>,
    /// Segments that a merge found damaged, and why: perhaps it is only the index.
    suspects: BTreeMap<u64, String>,
    /// Segments that a merge could not read.
    unread: BTreeMap<u64, Trouble>,
    /// The last merge failed, for none of its inputs.
    trouble: Option<Trouble>,
    /// Spans in a segment of traces that the sampler drops, by segment.
    dropped: BTreeMap<u64, u64>,
}

/// Something failed, and is tried again.
#[derive(Debug)]
struct Trouble {
    said: String,
    pause_ns: u64,
    /// On the monotonic clock.
    until_ns: u64,
}

impl Trouble {
    /// Of the last time, if there was one, and this.
    fn after(before: Option<Trouble>, error: &Error, now_ns: u64) -> Trouble {
        let pause_ns = before.map_or(PAUSE_NS, |before| before.pause_ns * 2);
        let pause_ns = pause_ns.min(PAUSE_NS_MAX);
        Trouble {
            said: error.message.clone(),
            pause_ns,
            until_ns: now_ns.saturating_add(pause_ns),
        }
    }

    fn pause_s(&self) -> u64 {
        self.pause_ns / 1_000_000_000
    }
}

impl Progress {
    /// True when this segment may be tried.
    fn may_read(&self, id: u64, now_ns: u64) -> bool {
        let waits = |trouble: &Trouble| now_ns < trouble.until_ns;
        !self.damaged.contains_key(&id) && !self.unread.get(&id).is_some_and(waits)
    }

    fn succeed(
        &mut self,
        options: &MergeOptions,
        is_input: impl Fn(&u64) -> bool,
        figures: &Figures,
    ) {
        self.trouble = None;
        self.unread.retain(|id, _| !is_input(id));
        self.suspects.retain(|id, _| !is_input(id));
        self.done.merges += 1;
        self.done.indexes_remade += u64::from(options.remakes_index);
        self.done.figures.add(figures);
    }

    /// An input is at fault.
    fn blame(&mut self, id: u64, options: &MergeOptions, error: &Error, now_ns: u64) {
        let why = error.message.clone();
        match (error.class, options.remakes_index) {
            (Class::Corrupt, true) => {
                self.suspects.remove(&id);
                self.damaged.insert(id, why);
            }
            (Class::Corrupt, false) => {
                self.suspects.insert(id, why);
            }
            _ => {
                let trouble = Trouble::after(self.unread.remove(&id), error, now_ns);
                self.unread.insert(id, trouble);
            }
        }
    }

    pub(super) fn done(&self) -> Compaction {
        self.done
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let damaged = self.damaged.iter();
        let damaged = damaged.map(|(id, why)| {
            format!("segment {id:016x} is damaged ({why}): it stays as it is, and is not compacted")
        });
        let unread = self.unread.iter().map(|(id, trouble)| {
            let (said, wait_s) = (&trouble.said, trouble.pause_s());
            format!(
                "segment {id:016x} cannot be read ({said}): compaction goes past it for {wait_s} s"
            )
        });
        let trouble = self.trouble.iter().map(|trouble| {
            let (said, wait_s) = (&trouble.said, trouble.pause_s());
            format!("compaction failed, and waits {wait_s} s: {said}")
        });
        let suspects = self.suspects.iter().map(|(id, why)| {
            format!("segment {id:016x} is damaged ({why}): its index is made anew, if that is all")
        });
        damaged.chain(unread).chain(suspects).chain(trouble)
    }
}

impl Engine {
    /// Merges the next segments that are worth it; none when there is nothing to do now, or `go_on`
    /// said no. `keep` is the sampler's word on traces. For a thread of its own, called until it
    /// answers none; it holds up neither seals nor expiry nor reads. Segments that the sampler has not
    /// decided about are merged as they are.
    pub fn compact_step(
        &self,
        keep: Keep<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Figures>, Error> {
        let mut scratch = lock(&self.merging);
        if self.is_pausing() {
            return Ok(None);
        }
        let lacking: Vec<_> = self.lacking_index().into_iter().collect();
        let remakes_index = !lacking.is_empty();
        let inputs = match remakes_index {
            true => lacking,
            false => self.next_inputs(),
        };
        if inputs.is_empty() {
            return Ok(None);
        }
        let decided = self.decided_through_unix_ns();
        let is_decided = |input: &Arc<Segment>| input.meta.arrived_max_unix_ns <= decided;
        // Of an index that is made anew the sampler was asked before, or is asked next.
        let keep = keep.filter(|_| !remakes_index && inputs.iter().all(is_decided));
        let known = keep.map_or(0, |_| self.dropped_in(&inputs));
        let options = MergeOptions {
            id: self.take_id(),
            block_spans: self.options.block_spans,
            // As large as half a head, of which a frozen one may be encoded at the same time.
            run_spans_max: self.options.head_spans_max / 2 / self.tight_part(),
            // A block that is full by its bytes must find room in one, or its traces stay in pieces.
            run_bytes_max: (self.options.head_bytes_max / 2 / self.tight_part())
                .max(2 * BLOCK_BYTES_MAX as u64),
            remakes_index,
        };
        let memory = |bytes| self.compact_scratch_bytes.store(bytes, Ordering::Relaxed);
        let watch = Watch {
            go_on,
            memory: &memory,
        };
        let place = (self.fs.as_ref(), segments_dir(&self.dir));
        let place = (place.0, place.1.as_path());
        let merged = merge::merge(place, &inputs, options, keep, &watch, &mut scratch);
        memory(scratch.memory_bytes() as u64);
        let done = merged.and_then(|merged| {
            let id = merged.meta.id;
            let done = self.put_in_place(merged, &inputs)?;
            if done.is_some() {
                self.carry_over(id, &inputs, known);
            }
            Ok(done)
        });
        self.note(&options, &inputs, done)
    }

    /// The segments of the next merge, by arrival.
    fn next_inputs(&self) -> Vec<Arc<Segment>> {
        let view = self.view.load_full();
        let candidates = self.candidates(&view);
        let many = self.options.merge_segments_min;
        let picked = tiers::pick(&candidates, self.is_quiet(&view), many);
        let picked = picked.and_then(|picked| candidates.get(picked));
        let is_picked = |segment: &&Arc<Segment>| {
            let mut picked = picked.unwrap_or_default().iter();
            picked.any(|candidate| candidate.id == segment.meta.id)
        };
        view.segments.iter().filter(is_picked).cloned().collect()
    }

    /// A segment whose index is gone before its time, or damaged, while its data seems whole.
    fn lacking_index(&self) -> Option<Arc<Segment>> {
        let view = self.view.load_full();
        let damaged = self.damaged_indexes();
        let (progress, now_ns) = (lock(&self.progress), self.clock.monotonic_ns());
        let lacks = |segment: &&Arc<Segment>| {
            let id = segment.meta.id;
            let is_damaged = damaged.contains(&id) || progress.suspects.contains_key(&id);
            segment.meta.has_index()
                && segment.data.as_ref().is_ok_and(|data| data.filter.is_ok())
                && progress.may_read(id, now_ns)
                && (is_damaged || self.has_lost_index(segment))
        };
        view.segments.iter().find(lacks).cloned()
    }

    /// False for one that is there and could not be opened: that may pass.
    fn has_lost_index(&self, segment: &Segment) -> bool {
        let is_gone = || {
            let path = segments_dir(&self.dir).join(index_name(segment.meta.id));
            let opened = self.fs.open(&path);
            opened.is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        let error = segment.index.as_ref().err();
        error.is_some_and(|error| error.class == Class::Corrupt || is_gone())
    }

    /// Segments of whose index readers met something damaged.
    fn damaged_indexes(&self) -> BTreeSet<u64> {
        let damaged = lock(&self.damaged);
        let of_index = damaged.iter().filter(|key| key.unit.is_of_index());
        of_index.map(|key| key.segment).collect()
    }

    fn candidates(&self, view: &View) -> Vec<Candidate> {
        let retention = &self.options.retention;
        let shortest_ns = retention.spans_ns.min(retention.search_ns);
        let window_ns = WINDOW_NS_MAX.min(shortest_ns / WINDOW_SHARE);
        let decided = self.decided_through_unix_ns();
        let (progress, now_ns) = (lock(&self.progress), self.clock.monotonic_ns());
        let whole = view.segments.iter().filter(|segment| {
            let id = segment.meta.id;
            let is_suspect = progress.suspects.contains_key(&id);
            segment.damage().is_none() && !is_suspect && progress.may_read(id, now_ns)
        });
        let candidate = |segment: &Arc<Segment>| {
            let index = segment.index.as_ref();
            let table_bytes = index.map_or(0, |index| index.table_bytes());
            let mut candidate = Candidate::of(&segment.meta, table_bytes, window_ns);
            candidate.party.is_decided = segment.meta.arrived_max_unix_ns <= decided;
            candidate.dropped = progress.dropped.get(&candidate.id).copied().unwrap_or(0);
            candidate
        };
        whole.map(candidate).collect()
    }

    /// The sampler has decided about everything that arrived by then.
    pub(crate) fn decided_through_unix_ns(&self) -> u64 {
        self.decided_through_unix_ns.load(Ordering::Acquire)
    }

    /// It has decided so far, and drops so many spans of a segment.
    pub(crate) fn note_decided(
        &self,
        through_unix_ns: u64,
        dropped: impl IntoIterator<Item = (u64, u64)>,
    ) {
        lock(&self.progress).dropped.extend(dropped);
        self.decided_through_unix_ns
            .store(through_unix_ns, Ordering::Release);
    }

    /// How long segments are kept.
    pub(crate) fn retention(&self) -> &super::Retention {
        &self.options.retention
    }

    /// True when all records up to these positions are in heads or segments.
    pub(crate) fn has_applied(&self, positions: &[Position]) -> bool {
        let applied = &lock(&self.positions).applied;
        let has = |at: &Position| applied.get(&at.partition).copied().unwrap_or(0) >= at.offset;
        positions.iter().all(has)
    }

    fn dropped_in(&self, segments: &[Arc<Segment>]) -> u64 {
        let progress = lock(&self.progress);
        let of = |segment: &Arc<Segment>| progress.dropped.get(&segment.meta.id);
        segments.iter().filter_map(of).sum()
    }

    /// What was dropped of these while they were merged is still in what was made of them.
    fn carry_over(&self, made: u64, inputs: &[Arc<Segment>], known: u64) {
        let since = self.dropped_in(inputs).saturating_sub(known);
        let mut progress = lock(&self.progress);
        for input in inputs {
            progress.dropped.remove(&input.meta.id);
        }
        if since > 0 {
            progress.dropped.insert(made, since);
        }
    }

    /// True when nothing comes any more, and what came is sealed.
    fn is_quiet(&self, view: &View) -> bool {
        let frozen = view.frozen.as_ref().map_or(0, |head| head.size().0);
        view.head.size().0 + frozen == 0 && self.quiet_ns() >= self.options.quiet_head_age_ns
    }

    /// What is not settled of the segments.
    pub(super) fn unsettled(&self, view: &View) -> Unsettled {
        Unsettled::of(&self.candidates(view))
    }

    /// For the operator, and for the seal, which then waits its turn.
    pub(super) fn is_behind(&self) -> Option<String> {
        let Unsettled { segments, .. } = self.unsettled(&self.view.load());
        (segments > BEHIND_SEGMENTS).then(|| {
            format!("{segments} segments wait to be compacted: sealing is slowed down until it catches up")
        })
    }

    fn take_id(&self) -> u64 {
        let mut sealer = lock(&self.sealer);
        sealer.next_id += 1;
        sealer.next_id - 1
    }

    /// Makes the new segment take its inputs' place; none when one of those is not what it was, and
    /// the work in vain.
    fn put_in_place(
        &self,
        merged: Merged,
        inputs: &[Arc<Segment>],
    ) -> Result<Option<Figures>, Failure> {
        let Merged { meta, figures } = merged;
        let is_empty = meta.spans == 0;
        let duplicates = if is_empty { meta.duplicates } else { 0 };
        let id = meta.id;
        let segment = match is_empty {
            true => None,
            false => Some(Arc::new(self.open_written(meta)?)),
        };
        let removed: Vec<u64> = inputs.iter().map(|input| input.meta.id).collect();
        let edit = Edit {
            added: segment.iter().map(|segment| segment.meta.clone()).collect(),
            removed: removed.clone(),
            gone: Gone {
                sampled_out: figures.sampled_out,
                duplicates,
                expired: 0,
            },
            ..Edit::default()
        };
        let mut sealer = lock(&self.sealer);
        let named = &sealer.manifest.state.segments;
        let is_known = |input: &Arc<Segment>| named.get(&input.meta.id) == Some(&input.meta);
        if !inputs.iter().all(is_known) {
            return Ok(None);
        }
        if let Err(error) = sealer.manifest.commit(edit) {
            sealer.uncertain.push(id);
            return Err(Failure::Uncertain(error));
        }
        failpoint::hit("merge-after-commit");
        self.replace(segment, &removed);
        sealer.uncertain.drain(..).for_each(|id| self.unlink(id));
        let gone = sealer.manifest.state.gone;
        lock(&self.keeper).gone = gone;
        drop(sealer);
        removed.into_iter().for_each(|id| self.unlink(id));
        Ok(Some(figures))
    }

    /// Takes down how a merge ended; what is left of one that is not done goes.
    fn note(
        &self,
        options: &MergeOptions,
        inputs: &[Arc<Segment>],
        done: Result<Option<Figures>, Failure>,
    ) -> Result<Option<Figures>, Error> {
        let now_ns = self.clock.monotonic_ns();
        let mut progress = lock(&self.progress);
        if !matches!(done, Ok(Some(_)) | Err(Failure::Uncertain(_))) {
            self.unlink(options.id);
        }
        let is_input = |id: &u64| inputs.iter().any(|input| input.meta.id == *id);
        let failure = match done {
            Ok(Some(figures)) => {
                progress.succeed(options, is_input, &figures);
                if options.remakes_index {
                    self.forget_damage(inputs);
                }
                return Ok(Some(figures));
            }
            Ok(None) | Err(Failure::Stopped) => return Ok(None),
            Err(failure) => failure,
        };
        progress.done.failures += 1;
        match failure {
            Failure::Input { id, error } if is_input(&id) => {
                progress.blame(id, options, &error, now_ns);
                Err(error)
            }
            // What was written of the new segment cannot be read again, for one.
            Failure::Input { error, .. } | Failure::Uncertain(error) | Failure::Other(error) => {
                progress.trouble = Some(Trouble::after(progress.trouble.take(), &error, now_ns));
                Err(error)
            }
            Failure::Stopped => Ok(None),
        }
    }

    /// The indexes of these segments were made anew.
    fn forget_damage(&self, segments: &[Arc<Segment>]) {
        for segment in segments {
            let id = segment.meta.id;
            let of_old = |key: &UnitKey| key.segment == id && key.unit.is_of_index();
            lock(&self.damaged).retain(|key| !of_old(key));
            let (segment, spans) = (format!("{id:016x}"), segment.meta.spans);
            tracing::info!(segment, spans, "a lost index was made anew of the spans");
        }
    }

    fn is_pausing(&self) -> bool {
        let progress = lock(&self.progress);
        let trouble = progress.trouble.as_ref();
        trouble.is_some_and(|trouble| self.clock.monotonic_ns() < trouble.until_ns)
    }
}
