//! Where a trace lies, and what it is as a whole: fragments united (D13). Keys come from the
//! fragment tables alone; only a trace in several pieces has its spans read, because repeats and
//! orphans cannot be told from summaries.
#![warn(clippy::indexing_slicing)]

use tracewell_model::{SpanRef, TraceId, TraceSummary, identity};
use tracewell_storage::{Order, TraceHit, TraceQuery};

use super::by_id;
use super::probe::Probe;
use crate::head::{Extent, Part};
use crate::segment::Segment;
use crate::segment::fragment::Fragment;
use crate::segment::steps::Steps;

/// A fragment with a matching span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its segment's place in the view.
    pub(super) segment: usize,
    pub(super) fragment: u32,
    /// The first of its rows that matches.
    pub(super) row: u64,
}

/// All pieces of a trace.
#[derive(Debug, Default)]
pub(super) struct Located {
    pub(super) fragments: Vec<(usize, Fragment)>,
    pub(super) head: Vec<Part>,
    head_steps: Steps,
    /// Some of its spans are in a segment whose index is gone: nothing is known of them but that.
    has_more: bool,
}

impl Located {
    /// How far the trace reaches now.
    pub(super) fn now(&self) -> Option<Extent> {
        let mut whole = self.head_steps.last();
        for (_, fragment) in &self.fragments {
            whole.join(fragment.extent);
        }
        (whole != Extent::NONE).then_some(whole)
    }

    /// How far it reached at this log time; none when it was not there yet.
    pub(super) fn at(&self, probe: &mut Probe<'_>, horizon_unix_ns: u64) -> Option<Extent> {
        let mut whole = self.head_steps.at(horizon_unix_ns).unwrap_or(Extent::NONE);
        for (segment, fragment) in &self.fragments {
            let Some(step) = fragment.step_at(horizon_unix_ns) else {
                continue;
            };
            let reached = step.reach.and_then(|reach| {
                let segment = probe.segment(*segment);
                let row = |row: u32| fragment.first_row + u64::from(row);
                let start = probe.times(&segment, row(reach.start_row))?.start;
                let end = probe.times(&segment, row(reach.end_row))?.end;
                Some(Extent { start, end })
            });
            // What cannot be read is named; the present order is the best that is left.
            whole.join(reached.unwrap_or(fragment.extent));
        }
        (whole != Extent::NONE).then_some(whole)
    }

    fn is_one_fragment(&self) -> bool {
        self.fragments.len() == 1 && self.head.is_empty() && !self.has_more
    }
}

/// The key by which hits are ordered.
pub(super) fn key(extent: Extent, order: Order) -> u64 {
    match order {
        Order::Newest => extent.start,
        Order::Slowest => extent.end.saturating_sub(extent.start),
    }
}

/// Finds all pieces of a trace, given one that is known already.
pub(super) fn locate(probe: &mut Probe<'_>, id: TraceId, seen: Option<Seen>) -> Located {
    let mut located = Located {
        head: probe.head.parts(id),
        ..Located::default()
    };
    located.head_steps = probe.head.steps(&located.head);
    for at in 0..probe.view.segments.len() {
        let segment = probe.segment(at);
        let ordinals = match seen {
            Some(seen) if seen.segment == at && !is_divided(&segment, seen) => vec![seen.fragment],
            _ => {
                let cost = "spans of the traces in it may be missing";
                if probe.data(&segment, cost).is_none() {
                    continue;
                }
                by_id::fragments_of(probe, &segment, id)
            }
        };
        if !segment.meta.has_index() {
            located.has_more |= !ordinals.is_empty();
            continue;
        }
        for ordinal in ordinals {
            let is_seen = seen.is_some_and(|seen| (seen.segment, seen.fragment) == (at, ordinal));
            if is_seen || probe.trace_id(&segment, ordinal) == Some(id) {
                let fragment = probe.fragment(&segment, ordinal);
                located
                    .fragments
                    .extend(fragment.map(|fragment| (at, fragment)));
            }
        }
    }
    located
}

/// True when the trace has more fragments in the segment in which one was seen.
fn is_divided(segment: &Segment, seen: Seen) -> bool {
    let data = segment.data.as_ref();
    data.is_ok_and(|data| data.is_divided(seen.fragment))
}

/// The hit that a trace is, if all of it satisfies the query.
pub(super) fn finish(
    probe: &mut Probe<'_>,
    query: &TraceQuery,
    id: TraceId,
    seen: Option<Seen>,
) -> Option<TraceHit> {
    let located = locate(probe, id, seen);
    if let (true, Some(seen), Some((at, fragment))) =
        (located.is_one_fragment(), seen, located.fragments.first())
    {
        let segment = probe.segment(*at);
        let names = probe.names(&segment)?;
        let summary = fragment.summary(id, &names);
        if !query.matches_trace(&summary) {
            return None;
        }
        let matched_span_id = probe.span_id(&segment, seen.row)?;
        return Some(TraceHit {
            summary,
            matched_span_id,
        });
    }
    let parts = by_id::read_trace(probe, id);
    let spans = || {
        parts
            .iter()
            .flat_map(|(batch, rows)| rows.iter().map(|&row| batch.span(row)))
    };
    hit_of(query, spans())
}

fn hit_of<'a>(query: &TraceQuery, spans: impl Iterator<Item = SpanRef<'a>>) -> Option<TraceHit> {
    let (spans, _duplicates) = identity::distinct(spans);
    let summary = TraceSummary::of(spans.iter().copied())?;
    if !query.matches_trace(&summary) {
        return None;
    }
    let matching = spans.iter().filter(|span| query.matches_span(**span));
    let matched = matching.min_by_key(|span| (span.start_unix_ns(), span.span_id()))?;
    Some(TraceHit {
        summary,
        matched_span_id: matched.span_id(),
    })
}

/// True when a single fragment cannot become a hit whatever else the trace has: a quick way out
/// before its other pieces are looked for.
pub(super) fn is_hopeless(query: &TraceQuery, extent: Extent) -> bool {
    query.start_unix_ns.is_some_and(|from| extent.start < from)
        || query
            .max_duration_ns
            .is_some_and(|most| extent.end.saturating_sub(extent.start) > most)
}

/// True when this segment cannot hold a fragment of a hit: every trace in it starts too early.
pub(super) fn is_too_early(query: &TraceQuery, segment: &Segment) -> bool {
    query
        .start_unix_ns
        .is_some_and(|from| segment.meta.start_max_unix_ns < from)
}
