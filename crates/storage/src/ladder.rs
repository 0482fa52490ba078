//! The ladder: figures per step and series, fine for the last hour, coarser for what is older (D16).
//! Deltas of the aggregator go in, rows of `stats` come out; a pure structure, saved by its owner.
//!
//! Every figure lies in exactly one slot of one rung; rolling moves it to the next coarser rung.
//! Reading therefore sums the slots of all rungs that the window touches, whatever the clock did.

mod codec;
mod names;
mod packed;
mod read;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use tracewell_model::limits;

use crate::error::Error;
use crate::stats::{Figures, STEP_NS, SeriesKey, StatsDelta, Unjoined};
use names::{Key, Names};
use slot::{Buckets, Counted, Slot};
pub use slot::{Place, Shelf};

const SECOND_NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3_600 * SECOND_NS;
const DAY_NS: u64 = 24 * HOUR_NS;

/// One rung: how long a slot is, and how far back the rung reaches.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// How long a slot is.
    pub slot_ns: u64,
    /// How far back it reaches.
    pub reach_ns: u64,
    /// The reach is rounded down to the next rung's slot, so that slots move up whole.
    round_ns: u64,
}

impl Rung {
    /// The earliest time that the rung keeps.
    pub fn from_unix_ns(&self, now_unix_ns: u64) -> u64 {
        let from = now_unix_ns.saturating_sub(self.reach_ns);
        from - from % self.round_ns
    }
}

/// D16. Eight days, so that "the same hour a week ago" is always there.
pub const RUNGS: [Rung; 3] = [
    Rung {
        slot_ns: STEP_NS,
        reach_ns: HOUR_NS,
        round_ns: 60 * SECOND_NS,
    },
    Rung {
        slot_ns: 60 * SECOND_NS,
        reach_ns: DAY_NS,
        round_ns: 600 * SECOND_NS,
    },
    Rung {
        slot_ns: 600 * SECOND_NS,
        reach_ns: 8 * DAY_NS,
        round_ns: 600 * SECOND_NS,
    },
];

/// Figures of spans that start later than this after now are ignored: a sender's clock is wrong.
pub const FUTURE_NS: u64 = HOUR_NS;
/// A leap of the clock longer than this is believed only after it has lasted [`LEAP_HELD_NS`]:
/// a clock that jumps and comes back must not expire a week of figures (P18).
const LEAP_NS: u64 = HOUR_NS;
/// How long a leap must last.
const LEAP_HELD_NS: u64 = 600 * SECOND_NS;
/// Names nobody uses any more are forgotten after this many slots have expired, a day's; and if that
/// failed, after an hour's.
const EXPIRED_SLOTS_PER_SWEEP: u32 = 144;
const EXPIRED_SLOTS_PER_RETRY: u32 = 6;

/// How many series of each sort a ladder keeps apart; further ones are counted in `__other__`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LadderLimits {
    /// Services.
    pub services_max: usize,
    /// Operations of one service.
    pub operations_per_service_max: usize,
    /// Operations of all services together, and edges likewise.
    pub series_max: usize,
}

impl Default for LadderLimits {
    fn default() -> Self {
        LadderLimits {
            services_max: limits::SERVICES_MAX,
            operations_per_service_max: limits::OPERATIONS_PER_SERVICE_MAX,
            // The two caps above multiply to 25 million; a hundred thousand series of some
            // hundred bytes in each of some 3,000 slots is what a disk can be asked to hold.
            series_max: 100_000,
        }
    }
}

/// Spans that a ladder could not keep as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LadderCounts {
    /// Spans that started before the last rung.
    pub too_old: u64,
    /// Spans that start more than an hour from now.
    pub future: u64,
    /// Spans counted in `__other__`.
    pub folded: u64,
}

/// Figures at rest that may be put away.
#[derive(Debug)]
pub struct Resting {
    rung: usize,
    number: u64,
    bytes: Arc<[u8]>,
}

impl Resting {
    /// What is to be put away.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Figures by step and series, in three rungs.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    limits: LadderLimits,
    names: Names,
    /// Slot number (time / slot length) to figures, per rung.
    rungs: [BTreeMap<u64, Slot>; 3],
    counts: LadderCounts,
    unjoined: Unjoined,
    now_unix_ns: u64,
    /// When the clock leapt ahead, as it showed then.
    leapt_to_unix_ns: Option<u64>,
    expired_slots: u32,
    shelf: Option<Arc<dyn Shelf>>,
}

impl Ladder {
    /// An empty ladder with the house's limits.
    pub fn new() -> Self {
        Ladder::default()
    }

    /// An empty ladder with these limits.
    pub fn with_limits(limits: LadderLimits) -> Self {
        Ladder {
            limits,
            ..Ladder::default()
        }
    }

    /// Adds a delta's figures and rolls to its `now`.
    pub fn add(&mut self, delta: &StatsDelta) {
        self.roll(delta.now_unix_ns);
        for ((step, series), figures) in &delta.figures {
            let at_unix_ns = step.saturating_mul(STEP_NS);
            let spans = if matches!(series, SeriesKey::Operation { .. }) {
                figures.count
            } else {
                0
            };
            if at_unix_ns > delta.now_unix_ns.saturating_add(FUTURE_NS) {
                self.counts.future += spans;
                continue;
            }
            let Some(rung) = self.rung_of(at_unix_ns) else {
                self.counts.too_old += spans;
                continue;
            };
            let (key, folded) = self.names.key(series, &self.limits);
            self.counts.folded += if folded { spans } else { 0 };
            let number = at_unix_ns / RUNGS[rung].slot_ns;
            let slot = self.rungs[rung].entry(number).or_default();
            slot.add(key, figures.into());
        }
        let slots = self.rungs.iter_mut().flat_map(BTreeMap::values_mut);
        slots.for_each(Slot::rest);
        self.unjoined.no_parent_in_window += delta.unjoined.no_parent_in_window;
        self.unjoined.over_cap += delta.unjoined.over_cap;
    }

    /// Adds all of another ladder: what several aggregators counted apart. Fails where the other's
    /// shelf does not give its figures out; what it gave is in.
    pub fn merge(&mut self, other: &Ladder) -> Result<(), Error> {
        let mut unread = Vec::new();
        self.roll(self.now_unix_ns.max(other.now_unix_ns));
        let mut translated = HashMap::new();
        for (theirs, rung) in RUNGS.iter().enumerate() {
            for (&number, slot) in &other.rungs[theirs] {
                let at_unix_ns = number * rung.slot_ns;
                // A coarse slot stays coarse, even where this ladder is still fine.
                let into = self.rung_of(at_unix_ns).map(|ours| ours.max(theirs));
                let Ladder {
                    names,
                    limits,
                    counts,
                    rungs,
                    ..
                } = self;
                let mut to = into.map(|into| {
                    let number = at_unix_ns / RUNGS[into].slot_ns;
                    rungs[into].entry(number).or_default()
                });
                unread.extend(slot.each(other.shelf(), |key, figures| {
                    let is_operation = matches!(key, Key::Operation { .. });
                    let spans = if is_operation { figures.count } else { 0 };
                    let Some(to) = &mut to else {
                        counts.too_old += spans;
                        return;
                    };
                    let (ours, folded) = *translated
                        .entry(key)
                        .or_insert_with(|| names.key(&other.names.series(&key), limits));
                    counts.folded += if folded { spans } else { 0 };
                    to.add(ours, figures);
                }));
            }
        }
        self.counts.too_old += other.counts.too_old;
        self.counts.future += other.counts.future;
        self.counts.folded += other.counts.folded;
        self.unjoined.no_parent_in_window += other.unjoined.no_parent_in_window;
        self.unjoined.over_cap += other.unjoined.over_cap;
        let failed = unread.into_iter().next();
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Moves slots that grew too old for their rung to the next one; lets the oldest go.
    pub fn roll(&mut self, now_unix_ns: u64) {
        if !self.believe(now_unix_ns) {
            return;
        }
        self.now_unix_ns = now_unix_ns;
        let shelf = self.shelf.clone();
        for (rung, this) in RUNGS.iter().enumerate() {
            let keep_from = this.from_unix_ns(now_unix_ns) / this.slot_ns;
            let kept = self.rungs[rung].split_off(&keep_from);
            let old = std::mem::replace(&mut self.rungs[rung], kept);
            let Some(next) = RUNGS.get(rung + 1) else {
                self.expired_slots += old.len() as u32;
                continue;
            };
            for (number, slot) in old {
                let number = number * this.slot_ns / next.slot_ns;
                let into = self.rungs[rung + 1].entry(number).or_default();
                into.take(slot, shelf.as_deref());
            }
        }
        if self.expired_slots >= EXPIRED_SLOTS_PER_SWEEP {
            self.expired_slots = match self.sweep() {
                true => 0,
                false => EXPIRED_SLOTS_PER_SWEEP - EXPIRED_SLOTS_PER_RETRY,
            };
        }
    }

    /// Spans that could not be kept as they came.
    pub fn counts(&self) -> LadderCounts {
        self.counts
    }

    /// Spans that made no edge, since this ladder was made or read.
    pub fn unjoined(&self) -> Unjoined {
        self.unjoined
    }

    /// About how many bytes it holds, for budgets.
    pub fn memory_bytes(&self) -> usize {
        let slots = self.rungs.iter().flat_map(BTreeMap::values);
        slots.map(Slot::memory_bytes).sum::<usize>() + self.names.memory_bytes()
    }

    /// Where figures lie that were put away; without it they are missing.
    pub fn set_shelf(&mut self, shelf: Arc<dyn Shelf>) {
        self.shelf = Some(shelf);
    }

    /// What may be put away: figures at rest, by rung, of rungs that have more bytes of them than these.
    /// Those of a rung expire together.
    pub fn resting(&self, bytes_max: usize) -> Vec<Vec<Resting>> {
        let of_rung = |(rung, slots): (usize, &BTreeMap<u64, Slot>)| {
            let resting = slots.iter().filter_map(|(&number, slot)| {
                let bytes = slot.resting()?.clone();
                Some(Resting {
                    rung,
                    number,
                    bytes,
                })
            });
            resting.collect::<Vec<_>>()
        };
        let rungs = self.rungs.iter().enumerate().map(of_rung);
        rungs
            .filter(|resting| resting.iter().map(|one| one.bytes.len()).sum::<usize>() > bytes_max)
            .collect()
    }

    /// These figures lie on the shelf, there; unless they were added to meanwhile, or have moved.
    pub fn put_away(&mut self, resting: &Resting, place: Place) -> bool {
        let slot = self.rungs[resting.rung].get_mut(&resting.number);
        slot.is_some_and(|slot| slot.put_away(&resting.bytes, place))
    }

    /// Where all lies that was put away.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let slots = self.rungs.iter().flat_map(BTreeMap::values);
        slots.flat_map(|slot| slot.away().iter().copied())
    }

    fn shelf(&self) -> Option<&dyn Shelf> {
        self.shelf.as_deref()
    }

    /// False while a leap ahead has not lasted long enough.
    fn believe(&mut self, now_unix_ns: u64) -> bool {
        let first = self.now_unix_ns == 0;
        if first || now_unix_ns <= self.now_unix_ns.saturating_add(LEAP_NS) {
            self.leapt_to_unix_ns = None;
            return true;
        }
        let leapt_to = *self.leapt_to_unix_ns.get_or_insert(now_unix_ns);
        let held = now_unix_ns >= leapt_to.saturating_add(LEAP_HELD_NS);
        if held {
            self.leapt_to_unix_ns = None;
        }
        held
    }

    /// The finest rung that still reaches back to this time.
    fn rung_of(&self, at_unix_ns: u64) -> Option<usize> {
        RUNGS
            .iter()
            .position(|rung| at_unix_ns >= rung.from_unix_ns(self.now_unix_ns))
    }

    /// Forgets names without figures, so that services long gone make room for new ones: where it is
    /// wanted, since all figures are looked through for it. False if not all can be read: it is not
    /// known whose they are.
    fn sweep(&mut self) -> bool {
        if !self.names.are_many(&self.limits) {
            return true;
        }
        let mut series = HashSet::new();
        let mut slots = self.rungs.iter().flat_map(BTreeMap::values);
        let all_read = slots.all(|slot| {
            let note = |key, _: Counted<'_>| {
                series.insert(key);
            };
            slot.each(self.shelf(), note).is_empty()
        });
        if all_read {
            self.names.keep(&series);
        }
        all_read
    }
}

/// Adds figures in place, along both histograms at once. Unlike `Figures::merge` it makes no new
/// vector: a day's window adds 1,440 small histograms to one that soon has all their buckets.
fn absorb(into: &mut Figures, figures: Counted<'_>) {
    into.count += figures.count;
    into.error_count += figures.error_count;
    let buckets = &mut into.latency.buckets;
    match figures.buckets {
        Buckets::Listed(listed) if buckets.is_empty() => buckets.extend_from_slice(listed),
        Buckets::Listed(listed) => absorb_buckets(buckets, listed.iter().copied()),
        Buckets::Packed(packed) if buckets.is_empty() => buckets.extend(packed),
        Buckets::Packed(packed) => absorb_buckets(buckets, packed),
    }
}

#[inline]
fn absorb_buckets(buckets: &mut Vec<(u16, u64)>, more: impl Iterator<Item = (u16, u64)>) {
    let mut at = 0;
    for (bucket, count) in more {
        while buckets.get(at).is_some_and(|known| known.0 < bucket) {
            at += 1;
        }
        match buckets.get_mut(at) {
            Some(known) if known.0 == bucket => known.1 += count,
            _ => buckets.insert(at, (bucket, count)),
        }
    }
}
