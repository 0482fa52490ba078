//! What a trace can come to, known from one of its pieces: no trace starts later than any of its
//! fragments, so newest first a fragment ranks by its start. Slowest first nothing of the kind holds:
//! a trace in several pieces may be longer than all of them. But few traces are in several, and the
//! trace-id tables tell which may be; those rank above everything, to be looked at first, and all
//! others by their only piece.
#![warn(clippy::indexing_slicing)]

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use tracewell_model::TraceId;
use tracewell_storage::{Error, Order, TraceQuery};

use super::by_id;
use super::probe::Probe;
use crate::head::Extent;
use crate::segment::Segment;
use crate::segment::index::IndexFile;
use crate::segment::pages::FRAGMENTS_PER_PAGE;

/// Of what may come to anything.
const HIGHEST: u64 = u64::MAX;

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Ranking {
    Newest,
    Slowest(Arc<Pieces>),
}

/// Which traces may lie in several places, and how far those of the head reach.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// By the segment's place in the view: fragments of such traces.
    shared: Vec<Shared>,
    head: HashMap<TraceId, HeadTrace>,
}

#[derive(Clone, Debug)]
enum Shared {
    /// And the pages of the fragment table that they are in.
    These(HashSet<u32>, HashSet<u32>),
    /// The table is damaged.
    All,
}

#[derive(Clone, Copy, Debug)]
struct HeadTrace {
    extent: Extent,
    is_shared: bool,
}

impl Ranking {
    /// Looks at what the query's order needs; an error when the time was up.
    pub(super) fn new(query: &TraceQuery, probe: &mut Probe<'_>) -> Result<Ranking, Error> {
        Ok(match query.order {
            Order::Newest => Ranking::Newest,
            Order::Slowest => Ranking::Slowest(Arc::new(Pieces::find(probe)?)),
        })
    }

    /// The rank of a fragment of the segment at this place.
    pub(super) fn of_fragment(&self, at: usize, fragment: u32, extent: Extent) -> u64 {
        match self {
            Ranking::Newest => extent.start,
            Ranking::Slowest(pieces) if pieces.is_shared(at, fragment) => HIGHEST,
            Ranking::Slowest(_) => duration(extent),
        }
    }

    /// The rank of a trace of which a batch of the head has this part.
    pub(super) fn of_head(&self, id: TraceId, start_unix_ns: u64) -> u64 {
        match self {
            Ranking::Newest => start_unix_ns,
            Ranking::Slowest(pieces) => match pieces.head.get(&id) {
                Some(trace) if !trace.is_shared => duration(trace.extent),
                _ => HIGHEST,
            },
        }
    }

    /// The highest rank in a segment.
    pub(super) fn of_segment(&self, segment: &Segment) -> u64 {
        match self {
            Ranking::Newest => segment.meta.start_max_unix_ns,
            Ranking::Slowest(_) => HIGHEST,
        }
    }

    /// The pages of the segment at this place with the highest rank in each, the highest last.
    pub(super) fn pages(&self, index: &IndexFile, at: usize) -> Vec<(u64, u32)> {
        let entries = (0u32..).zip(&index.directory.pages);
        let mut pages: Vec<(u64, u32)> = match self {
            Ranking::Newest => entries
                .map(|(number, page)| (page.start_max_unix_ns, number))
                .collect(),
            Ranking::Slowest(pieces) => entries
                .map(|(number, page)| match pieces.has_shared(at, number) {
                    true => (HIGHEST, number),
                    false => (page.duration_max_ns, number),
                })
                .collect(),
        };
        pages.sort_unstable();
        pages
    }

    /// True when nothing of this rank, or of a lower one, can be a hit.
    pub(super) fn is_too_low(&self, query: &TraceQuery, rank: u64) -> bool {
        let least = match self {
            Ranking::Newest => query.start_unix_ns,
            Ranking::Slowest(_) => query.min_duration_ns,
        };
        least.is_some_and(|least| rank < least)
    }
}

impl Pieces {
    fn find(probe: &mut Probe<'_>) -> Result<Pieces, Error> {
        let mut pieces = Pieces::default();
        let mut entries = Vec::new();
        for at in 0..probe.view.segments.len() {
            let shared = match read_table(probe, at, &mut entries)? {
                true => Shared::These(HashSet::new(), HashSet::new()),
                false => Shared::All,
            };
            pieces.shared.push(shared);
        }
        // Runs in order, one a segment: this sort merges them.
        entries.sort_by_key(|&(hash, ..)| hash);
        for alike in entries.chunk_by(|a, b| a.0 == b.0).filter(|a| a.len() > 1) {
            for &(_, at, fragment) in alike {
                pieces.share(at as usize, fragment);
            }
        }
        pieces.add_head(probe)?;
        Ok(pieces)
    }

    fn add_head(&mut self, probe: &mut Probe<'_>) -> Result<(), Error> {
        for batch in probe.head.batches() {
            let parts = batch.batch.columns().traces.iter().zip(&batch.extents);
            for (&id, &extent) in parts {
                let trace = self.head.entry(id).or_insert(HeadTrace {
                    extent: Extent::NONE,
                    is_shared: false,
                });
                trace.extent.join(extent);
            }
        }
        let ids: Vec<TraceId> = self.head.keys().copied().collect();
        for at in 0..probe.view.segments.len() {
            probe.context.check()?;
            let segment = probe.segment(at);
            for &id in &ids {
                for fragment in by_id::fragments_of(probe, &segment, id) {
                    self.share(at, fragment);
                    if let Some(trace) = self.head.get_mut(&id) {
                        trace.is_shared = true;
                    }
                }
            }
        }
        Ok(())
    }

    fn share(&mut self, at: usize, fragment: u32) {
        if let Some(Shared::These(fragments, pages)) = self.shared.get_mut(at) {
            fragments.insert(fragment);
            pages.insert(fragment / FRAGMENTS_PER_PAGE);
        }
    }

    fn is_shared(&self, at: usize, fragment: u32) -> bool {
        match self.shared.get(at) {
            Some(Shared::These(fragments, _)) => fragments.contains(&fragment),
            _ => true,
        }
    }

    fn has_shared(&self, at: usize, page: u32) -> bool {
        match self.shared.get(at) {
            Some(Shared::These(_, pages)) => pages.contains(&page),
            _ => true,
        }
    }
}

/// Adds the segment's fragments by the hash of their trace; false when not all could be read.
fn read_table(
    probe: &mut Probe<'_>,
    at: usize,
    entries: &mut Vec<(u32, u32, u32)>,
) -> Result<bool, Error> {
    let segment = probe.segment(at);
    let Some(data) = probe.data(&segment, "traces that match may be missing") else {
        return Ok(true);
    };
    let mut is_whole = true;
    for page in 0..data.pages() {
        probe.context.check()?;
        match probe.trace_page(&segment, data, page) {
            Some(page) => entries.extend(page.iter().map(|&(hash, of)| (hash, at as u32, of))),
            None => is_whole = false,
        }
    }
    Ok(is_whole)
}

fn duration(extent: Extent) -> u64 {
    extent.end.saturating_sub(extent.start)
}
