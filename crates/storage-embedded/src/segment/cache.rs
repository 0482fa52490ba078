//! A cache of decoded parts of segments, capped in bytes. Two generations: what was used since the
//! last turn, and what was used in the one before; a turn forgets the older. Costs one hash probe.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

/// The parts of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// A block of spans.
    Block,
    /// A stretch of raw span ids.
    SpanIds,
    /// A stretch of raw trace ids.
    BlockTraceIds,
    /// The filter over the trace ids.
    TraceFilter,
    /// A page of the trace-id table.
    TraceIds,
    /// A page of the fragment table.
    Fragments,
    /// Services and operations.
    Names,
    /// A frame of the projection.
    Projection,
    /// The directory of attribute keys.
    Keys,
    /// A frame of postings.
    Postings,
    /// A frame of block filters.
    Filters,
    /// A block of failed spans.
    Failed,
    /// The data file as a whole.
    Data,
    /// The index file as a whole.
    Index,
}

impl Unit {
    /// True for what stands in the index file.
    pub(crate) fn is_of_index(self) -> bool {
        match self {
            Unit::Fragments
            | Unit::Names
            | Unit::Projection
            | Unit::Keys
            | Unit::Postings
            | Unit::Filters
            | Unit::Failed
            | Unit::Index => true,
            Unit::Block
            | Unit::SpanIds
            | Unit::BlockTraceIds
            | Unit::TraceFilter
            | Unit::TraceIds
            | Unit::Data => false,
        }
    }

    /// The word for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::Block => "block",
            Unit::SpanIds => "span ids of block",
            Unit::BlockTraceIds => "trace ids of block",
            Unit::TraceFilter => "trace-id filter",
            Unit::TraceIds => "trace-id page",
            Unit::Fragments => "fragment page",
            Unit::Names => "name table",
            Unit::Projection => "projection frame",
            Unit::Keys => "attribute directory",
            Unit::Postings => "posting frame at byte",
            Unit::Filters => "filter frame at byte",
            Unit::Failed => "block of failed spans",
            Unit::Data => "data file",
            Unit::Index => "index file",
        }
    }
}

/// Which part of which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnitKey {
    pub(crate) segment: u64,
    pub(crate) unit: Unit,
    pub(crate) number: u64,
}

type Entry = (Arc<dyn Any + Send + Sync>, usize);

/// See the module.
#[derive(Debug)]
pub(crate) struct Cache {
    bytes_max: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<UnitKey, Entry>,
    young_bytes: usize,
    old: HashMap<UnitKey, Entry>,
}

impl Cache {
    /// A cache of about this many bytes; 0 keeps nothing.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Cache {
            bytes_max,
            generations: Mutex::default(),
        }
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self, key: UnitKey) -> Option<Arc<T>> {
        if self.bytes_max == 0 {
            return None;
        }
        let mut generations = self.lock();
        let entry = match generations.young.get(&key) {
            Some(entry) => Arc::clone(&entry.0),
            None => {
                let (entry, bytes) = generations.old.remove(&key)?;
                self.keep(&mut generations, key, Arc::clone(&entry), bytes);
                entry
            }
        };
        entry.downcast().ok()
    }

    pub(crate) fn put<T: Any + Send + Sync>(&self, key: UnitKey, entry: Arc<T>, bytes: usize) {
        // A thing of half the cache would push out all others for one use.
        if bytes <= self.bytes_max / 4 {
            self.keep(&mut self.lock(), key, entry, bytes);
        }
    }

    /// Forgets everything; who uses a thing has it until then.
    pub(crate) fn clear(&self) {
        let forgotten = std::mem::take(&mut *self.lock());
        drop(forgotten);
    }

    fn keep(
        &self,
        generations: &mut Generations,
        key: UnitKey,
        entry: Arc<dyn Any + Send + Sync>,
        bytes: usize,
    ) {
        if generations.young_bytes + bytes > self.bytes_max / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        generations.young_bytes += bytes;
        generations.young.insert(key, (entry, bytes));
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> UnitKey {
        UnitKey {
            segment: 1,
            unit: Unit::Block,
            number,
        }
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let cache = Cache::new(400);
        for number in 0..40 {
            cache.put(key(number), Arc::new(number), 50);
            assert_eq!(
                cache.get::<u64>(key(0)).as_deref(),
                Some(&0),
                "after {number}"
            );
        }
        let kept = (0..40)
            .filter(|&number| cache.get::<u64>(key(number)).is_some())
            .count();
        assert!(kept <= 8, "{kept} entries of 50 bytes in 400");
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let cache = Cache::new(0);
        cache.put(key(1), Arc::new(1u64), 0);
        assert!(cache.get::<u64>(key(1)).is_none());
    }
}
