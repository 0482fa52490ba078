//! Stored traces as the sampler sees them, out of the tables of segments: fragments say most of it,
//! the projection which spans are slow. Only a trace that is also elsewhere has its spans read.
#![warn(clippy::indexing_slicing)]

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::{HashMap, HashSet};
use tracewell_model::{SpanRef, TraceId, TraceSummary, identity};
use tracewell_storage::sampling::{Bound, Bounds, Candidate, Pace, Portion};
use tracewell_storage::{Error, FoundTrace, ReadContext, TraceReader};

use super::book::Book;
use crate::engine::{Engine, View};
use crate::head::HeadView;
use crate::segment::Segment;
use crate::segment::data::{DataFile, trace_hash};
use crate::segment::index::IndexFile;
use crate::segment::names::NameTable;
use crate::segment::rough::Rough;

/// Reads candidates of one view of the engine.
pub(super) struct Reading<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) view: Arc<View>,
    pub(super) head: HeadView,
    pub(super) book: &'a RwLock<Book>,
    pub(super) bounds: &'a dyn Bounds,
    pub(super) context: &'a ReadContext,
    pub(super) portion: Portion,
    operations: HashMap<(String, String), u32>,
    /// Traces in several places that are in the portion already.
    seen: HashSet<TraceId>,
}

/// Fragments of one trace arrive within so much of each other, nearly always.
const NEAR_NS: u64 = 900_000_000_000;

/// A fragment that is to be a candidate.
struct Row {
    candidate: Candidate,
    first_row: u64,
    is_divided: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        engine: &'a Arc<Engine>,
        book: &'a RwLock<Book>,
        bounds: &'a dyn Bounds,
        context: &'a ReadContext,
    ) -> Reading<'a> {
        let view = engine.view.load_full();
        Reading {
            head: view.heads(),
            engine,
            view,
            book,
            bounds,
            context,
            portion: Portion::default(),
            operations: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    /// Adds the traces of a segment.
    pub(super) fn segment(&mut self, segment: &Segment) -> Result<(), Error> {
        let data = segment.data.as_ref().map_err(Error::clone)?;
        let index = segment.index.as_ref().map_err(Error::clone)?;
        let names = index.read_names()?;
        let mut rows = self.fragments(data, index, &names)?;
        self.paces(index, &names, &mut rows)?;
        let near = self.near(segment);
        for mut row in rows {
            let id = row.candidate.trace_id;
            self.remember(&mut row.candidate);
            let is_elsewhere = row.is_divided || is_near(&near, &self.head, id);
            if is_elsewhere && !self.seen.insert(id) {
                continue;
            }
            if is_elsewhere && row.candidate.before.is_none() {
                self.read_whole(&mut row.candidate)?;
            }
            self.portion.candidates.push(row.candidate);
        }
        Ok(())
    }

    /// Adds the traces that are in the head only.
    pub(super) fn head(&mut self) -> Result<(), Error> {
        let known: HashSet<TraceId> = self
            .portion
            .candidates
            .iter()
            .map(|candidate| candidate.trace_id)
            .collect();
        let mut fresh: HashMap<TraceId, u64> = HashMap::new();
        for batch in self.head.batches() {
            for &id in &batch.batch.columns().traces {
                if !known.contains(&id) {
                    fresh.entry(id).or_insert(batch.arrived_unix_ns);
                }
            }
        }
        for (id, arrived_unix_ns) in fresh {
            let mut candidate = nothing_of(id, arrived_unix_ns);
            self.remember(&mut candidate);
            self.read_whole(&mut candidate)?;
            self.portion.candidates.push(candidate);
        }
        Ok(())
    }

    /// Whoever pins a trace does not wait for all of this.
    fn remember(&self, candidate: &mut Candidate) {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        candidate.before = book.recent(candidate.trace_id);
        candidate.is_pinned = book.is_pinned(candidate.trace_id);
    }

    fn fragments(
        &mut self,
        data: &DataFile,
        index: &IndexFile,
        names: &NameTable,
    ) -> Result<Vec<Row>, Error> {
        let mut ids = Ids { data, chunk: None };
        // The place in the portion of each group, once it is a root.
        let mut roots: Vec<Option<u32>> = vec![None; names.groups.len()];
        let mut rows = Vec::new();
        let mut number = 0;
        for entry in &index.directory.pages {
            self.context.check()?;
            for fragment in index.read_page(entry)?.iter() {
                let first = fragment.steps.first();
                let root = fragment.root.and_then(|group| {
                    let place = roots.get_mut(group as usize)?;
                    let (service, operation) = names.group(group)?;
                    Some(*place.get_or_insert_with(|| self.operation(service, operation)))
                });
                let candidate = Candidate {
                    start_unix_ns: fragment.extent.start,
                    duration_ns: fragment.extent.end.saturating_sub(fragment.extent.start),
                    spans: u64::from(fragment.spans),
                    root,
                    has_error: fragment.errors > 0,
                    is_partial: fragment.orphans > 0 || fragment.root.is_none(),
                    ..nothing_of(
                        ids.get(number)?,
                        first.map_or(0, |step| step.arrived_unix_ns),
                    )
                };
                rows.push(Row {
                    candidate,
                    first_row: fragment.first_row,
                    is_divided: data.is_divided(number),
                });
                number += 1;
            }
        }
        Ok(rows)
    }

    /// The place of an operation in the portion.
    fn operation(&mut self, service: &str, operation: &str) -> u32 {
        let named = (service.to_owned(), operation.to_owned());
        let next = self.portion.operations.len() as u32;
        let at = *self.operations.entry(named.clone()).or_insert(next);
        if at == next {
            self.portion.operations.push(named);
        }
        at
    }

    /// Finds the slow spans.
    fn paces(&self, index: &IndexFile, names: &NameTable, rows: &mut [Row]) -> Result<(), Error> {
        let bound = |group| match names.group(group) {
            Some((service, operation)) => self.bounds.bound(service, operation),
            None => Bound::Unknown,
        };
        let bounds: Vec<Bound> = (0..names.groups.len() as u32).map(bound).collect();
        for entry in &index.directory.projection {
            self.context.check()?;
            let groups = bounds.get(entry.first_group as usize..=entry.last_group as usize);
            let groups = groups.ok_or_else(|| Error::corrupt("groups of a projection frame"))?;
            let may_matter = |bound: &Bound| match *bound {
                Bound::Unknown => true,
                Bound::Beyond(ns) => may_exceed(entry.longest, ns),
            };
            if !groups.iter().any(may_matter) {
                continue;
            }
            let frame = index.read_projection(entry)?;
            for at in 0.. {
                let Some((group, spans)) = frame.piece(at) else {
                    break;
                };
                let bound = bounds
                    .get(group as usize)
                    .copied()
                    .unwrap_or(Bound::Unknown);
                for span in spans {
                    let pace = match bound {
                        Bound::Unknown => Pace::Unknown,
                        Bound::Beyond(ns) if may_exceed(span.duration, ns) => Pace::Slow,
                        Bound::Beyond(_) => continue,
                    };
                    let after = rows.partition_point(|row| row.first_row <= u64::from(span.row));
                    let row = after.checked_sub(1).and_then(|at| rows.get_mut(at));
                    if let Some(Row { candidate, .. }) = row {
                        candidate.pace = candidate.pace.max(pace);
                    }
                }
            }
        }
        Ok(())
    }

    /// The other segments in which spans of these traces may be: those that are not decided about, and
    /// those from about the same time.
    fn near(&self, segment: &Segment) -> Vec<Arc<Segment>> {
        let meta = &segment.meta;
        let length = meta
            .arrived_max_unix_ns
            .saturating_sub(meta.arrived_min_unix_ns);
        let from = meta.arrived_min_unix_ns.saturating_sub(length.max(NEAR_NS));
        let others = self.view.segments.iter();
        let others = others.filter(|other| other.meta.id != meta.id);
        others
            .filter(|other| other.meta.arrived_max_unix_ns >= from)
            .cloned()
            .collect()
    }

    /// What a trace is as a whole, wherever its spans are. What cannot be read of it makes it partial.
    fn read_whole(&mut self, candidate: &mut Candidate) -> Result<(), Error> {
        let traces = self.engine.traces();
        let found = traces.get_trace(candidate.trace_id, self.context)?;
        let FoundTrace { incomplete, .. } = &found;
        let (spans, _duplicates) = identity::distinct(found.spans());
        let Some(summary) = TraceSummary::of_distinct(&spans) else {
            candidate.is_partial = true;
            return Ok(());
        };
        candidate.start_unix_ns = summary.start_unix_ns;
        candidate.duration_ns = summary.duration_ns;
        candidate.spans = summary.span_count;
        candidate.has_error |= summary.error_count > 0;
        candidate.is_partial =
            summary.orphan_count > 0 || summary.root.is_none() || !incomplete.is_empty();
        candidate.root = summary
            .root
            .map(|(service, operation)| self.operation(&service, &operation));
        let pace = |span: &SpanRef<'_>| match self.bounds.bound(span.service(), span.operation()) {
            Bound::Unknown => Pace::Unknown,
            Bound::Beyond(ns) if span.duration_ns() > ns => Pace::Slow,
            Bound::Beyond(_) => Pace::Usual,
        };
        candidate.pace = spans.iter().map(pace).fold(candidate.pace, Pace::max);
        Ok(())
    }
}

/// The trace ids of a data file, for fragments that ascend.
struct Ids<'a> {
    data: &'a DataFile,
    chunk: Option<(u64, Vec<TraceId>)>,
}

impl Ids<'_> {
    fn get(&mut self, fragment: u32) -> Result<TraceId, Error> {
        let nowhere = || Error::corrupt("a fragment that is in no block");
        let place = self.data.trace_id_of(fragment).ok_or_else(nowhere)?;
        let known = self.chunk.take().filter(|(at, _)| *at == place.offset);
        let chunk = match known {
            Some(chunk) => chunk,
            None => (place.offset, self.data.read_trace_ids(&place)?),
        };
        let id = chunk.1.get(place.at).copied();
        self.chunk = Some(chunk);
        id.ok_or_else(nowhere)
    }
}

/// True when spans of the trace may be in one of these, or are in the head.
fn is_near(near: &[Arc<Segment>], head: &HeadView, id: TraceId) -> bool {
    let hash = trace_hash(id);
    let may_hold = |segment: &Arc<Segment>| {
        let data = segment.data.as_ref();
        data.is_ok_and(|data| data.may_hold(hash))
    };
    near.iter().any(may_hold) || !head.parts(id).is_empty()
}

fn may_exceed(duration: Rough, ns: u64) -> bool {
    duration.lies_within(Some(ns.saturating_add(1)), None) != Some(false)
}

/// A candidate of which only this is known.
fn nothing_of(trace_id: TraceId, arrived_unix_ns: u64) -> Candidate {
    Candidate {
        trace_id,
        arrived_unix_ns,
        start_unix_ns: 0,
        duration_ns: 0,
        spans: 0,
        root: None,
        has_error: false,
        is_partial: true,
        pace: Pace::Usual,
        is_pinned: false,
        before: None,
    }
}
