//! One slot of a rung: figures by series. Those that still come in lie in a table; those at rest are
//! packed into a small part of its room, and may be put away on a shelf altogether.
//!
//! A series may have figures in all three places: they are sums, and a reader adds them up.

use std::fmt::Debug;
use std::sync::Arc;

use hashbrown::HashMap;
use tracewell_model::histogram::Histogram;

use super::absorb;
use super::names::Key;
use super::packed::{self, Packed, PackedBuckets};
use crate::error::Error;
use crate::stats::Figures;

/// A table that no delta touched for so many deltas is packed: an aggregator's seconds.
const PACK_AFTER_DELTAS: u8 = 4;

/// Where figures lie that were put away; what the numbers mean is the shelf's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub file: u64,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub length: u32,
}

/// Where packed figures are put that need not be in memory.
pub trait Shelf: Debug + Send + Sync {
    /// The bytes that were put there.
    fn read(&self, place: Place) -> Result<Vec<u8>, Error>;
}

/// Figures of one series, wherever they lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'a> {
    pub(super) count: u64,
    pub(super) error_count: u64,
    pub(super) buckets: Buckets<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Buckets<'a> {
    Listed(&'a [(u16, u64)]),
    Packed(PackedBuckets<'a>),
}

impl<'a> From<&'a Figures> for Counted<'a> {
    fn from(figures: &'a Figures) -> Self {
        Counted {
            count: figures.count,
            error_count: figures.error_count,
            buckets: Buckets::Listed(&figures.latency.buckets),
        }
    }
}

impl From<Counted<'_>> for Figures {
    fn from(counted: Counted<'_>) -> Self {
        let buckets = match counted.buckets {
            Buckets::Listed(listed) => listed.to_vec(),
            Buckets::Packed(packed) => packed.collect(),
        };
        Figures {
            count: counted.count,
            error_count: counted.error_count,
            latency: Histogram { buckets },
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    open: HashMap<Key, Figures>,
    packed: Packed,
    away: Vec<Place>,
    untouched_deltas: u8,
}

impl Slot {
    /// A slot of figures at rest.
    pub(super) fn at_rest(packed: Packed, away: Vec<Place>) -> Slot {
        Slot {
            packed,
            away,
            ..Slot::default()
        }
    }

    /// Adds to a series.
    pub(super) fn add(&mut self, key: Key, figures: Counted<'_>) {
        self.untouched_deltas = 0;
        absorb(self.open.entry(key).or_default(), figures);
    }

    /// Adds all of an older slot. What its shelf does not give out is not lost: it lies there on.
    pub(super) fn take(&mut self, older: Slot, shelf: Option<&dyn Shelf>) {
        let unread = older.each(shelf, |key, figures| self.add(key, figures));
        let still_away = unread.into_iter().map(|(place, _)| place);
        self.away.extend(still_away);
    }

    /// Shows all figures, those of a series one after the other; answers what could not be read.
    pub(super) fn each(
        &self,
        shelf: Option<&dyn Shelf>,
        mut see: impl FnMut(Key, Counted<'_>),
    ) -> Vec<(Place, Error)> {
        self.open
            .iter()
            .for_each(|(key, figures)| see(*key, figures.into()));
        self.packed
            .entries()
            .for_each(|entry| see(entry.key, entry.figures));
        let mut unread = Vec::new();
        for &place in &self.away {
            let read = match shelf {
                Some(shelf) => shelf.read(place),
                None => Err(Error::corrupt("figures lie on a shelf that is not here")),
            };
            match read {
                Ok(bytes) => {
                    packed::entries(&bytes).for_each(|entry| see(entry.key, entry.figures));
                }
                Err(error) => unread.push((place, error)),
            }
        }
        unread
    }

    /// A delta has passed: what nobody adds to any more is packed.
    pub(super) fn rest(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.untouched_deltas += 1;
        if self.untouched_deltas > PACK_AFTER_DELTAS {
            self.packed = self.to_packed();
            self.open = HashMap::new();
        }
    }

    /// All that is in memory.
    pub(super) fn to_packed(&self) -> Packed {
        self.packed.merged(self.open.iter())
    }

    /// What was put away.
    pub(super) fn away(&self) -> &[Place] {
        &self.away
    }

    /// The bytes that may be put away: those of a slot that nobody adds to.
    pub(super) fn resting(&self) -> Option<&Arc<[u8]>> {
        let bytes = self.packed.bytes();
        (self.open.is_empty() && !bytes.is_empty()).then_some(bytes)
    }

    /// These bytes lie there from now on. False if they were added to meanwhile: they stay.
    pub(super) fn put_away(&mut self, bytes: &Arc<[u8]>, place: Place) -> bool {
        let is_same = Arc::ptr_eq(self.packed.bytes(), bytes);
        if is_same {
            self.packed = Packed::default();
            self.away.push(place);
        }
        is_same
    }

    /// About how many bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        let open = self.open.values().map(|figures| {
            size_of::<(Key, Figures)>() * 8 / 7 + figures.latency.buckets.capacity() * 16
        });
        open.sum::<usize>() + self.packed.bytes().len() + size_of_val(self.away.as_slice())
    }
}

#[cfg(test)]
mod tests;
