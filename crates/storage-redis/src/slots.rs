//! What one writer counted, by slot of time: each figure in a slot of every rung that still keeps
//! it, so that coarse figures are there when fine ones expire. Saved slots nobody adds to are let
//! go; one that comes back begins a field of its own in Redis, to be added to the field before.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use tracewell_storage::StatsDelta;
use tracewell_storage::ladder::{FUTURE_NS, Ladder, LadderCounts, RUNGS};
use tracewell_storage::stats::{Figures, STEP_NS, SeriesKey};

/// How long a saved slot is remembered after it was last added to: longer than spans are late.
const KEPT_NS: u64 = 600_000_000_000;

/// A slot's place: which rung, which slot of it.
pub(crate) type At = (usize, u64);

#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: BTreeMap<At, Slot>,
    begun: u64,
    counts: LadderCounts,
}

#[derive(Debug)]
pub(crate) struct Slot {
    /// Which of this writer's fields.
    pub(crate) field: u64,
    pub(crate) figures: Ladder,
    saved: bool,
    touched_unix_ns: u64,
}

impl Slots {
    /// Adds figures; those of no time that is kept are counted.
    pub(crate) fn add(&mut self, delta: &StatsDelta) {
        let now = delta.now_unix_ns;
        let mut by_slot: HashMap<At, HashMap<(u64, SeriesKey), Figures>> = HashMap::new();
        for (series, figures) in &delta.figures {
            let at_unix_ns = series.0.saturating_mul(STEP_NS);
            let spans = match series.1 {
                SeriesKey::Operation { .. } => figures.count,
                SeriesKey::Edge { .. } => 0,
            };
            if at_unix_ns > now.saturating_add(FUTURE_NS) {
                self.counts.future += spans;
                continue;
            }
            let mut kept = false;
            for (rung, of) in RUNGS.iter().enumerate() {
                if at_unix_ns >= of.from_unix_ns(now) {
                    let slot = by_slot.entry((rung, at_unix_ns / of.slot_ns)).or_default();
                    slot.insert(series.clone(), figures.clone());
                    kept = true;
                }
            }
            self.counts.too_old += if kept { 0 } else { spans };
        }
        for (at, figures) in by_slot {
            let slot = self.slots.entry(at).or_insert_with(|| {
                self.begun += 1;
                Slot {
                    field: self.begun,
                    figures: Ladder::new(),
                    saved: false,
                    touched_unix_ns: now,
                }
            });
            slot.figures.add(&StatsDelta {
                figures,
                now_unix_ns: seen_from(at),
                ..StatsDelta::default()
            });
            (slot.saved, slot.touched_unix_ns) = (false, now);
        }
    }

    /// What is not saved yet.
    pub(crate) fn unsaved(&self) -> impl Iterator<Item = (At, &Slot)> {
        let unsaved = self.slots.iter().filter(|(_, slot)| !slot.saved);
        unsaved.map(|(at, slot)| (*at, slot))
    }

    /// Everything is saved; what was not touched for long is let go.
    pub(crate) fn saved(&mut self, now_unix_ns: u64) {
        self.slots.retain(|_, slot| {
            slot.saved = true;
            now_unix_ns.abs_diff(slot.touched_unix_ns) < KEPT_NS
        });
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let slots = self.slots.values();
        slots.map(|slot| slot.figures.memory_bytes()).sum()
    }

    /// Spans of a time that is not kept.
    pub(crate) fn counts(&self) -> LadderCounts {
        self.counts
    }
}

/// A time from which this slot lies in its rung: a ladder that never learns of another keeps it there.
fn seen_from((rung, number): At) -> u64 {
    let end = (number + 1) * RUNGS[rung].slot_ns;
    end + rung.checked_sub(1).map_or(0, |finer| RUNGS[finer].reach_ns)
}
