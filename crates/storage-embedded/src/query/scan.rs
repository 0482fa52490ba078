//! The fragments of one segment that have a matching span, latest start first, a page of the
//! fragment table at a time. Service, operation, error and duration are decided by the projection;
//! attributes narrow to blocks by the postings, and are decided on the spans themselves.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use tracewell_model::{SpanBatch, TraceId};
use tracewell_storage::{TagFilter, TraceQuery};

use super::locate::{self, Seen};
use super::probe::Probe;
use crate::head::Extent;
use crate::segment::Segment;
use crate::segment::fragment::Fragment;

/// A fragment with a matching span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) start: u64,
    pub(super) trace_id: TraceId,
    pub(super) seen: Seen,
}

/// See the module.
#[derive(Debug)]
pub(super) struct SegmentScan {
    at: usize,
    segment: Arc<Segment>,
    /// Rows that satisfy the predicates of the projection, in order; none: all may.
    rows: Option<Vec<u64>>,
    /// Blocks that may satisfy the attributes; none: no attribute was asked for.
    blocks: Option<BTreeSet<u32>>,
    /// Pages not yet looked at are those before this one.
    pages_left: usize,
    /// Fragments found, the next one last.
    found: Vec<Candidate>,
    /// The block at hand: fragments side by side share it.
    block: Option<(usize, Option<Arc<SpanBatch>>)>,
}

impl SegmentScan {
    /// Begins; none when the segment cannot hold a match.
    pub(super) fn open(
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        at: usize,
    ) -> Option<SegmentScan> {
        let segment = probe.segment(at);
        if locate::is_too_early(query, &segment) {
            return None;
        }
        let pages_left = probe.index(&segment)?.pages.len();
        let by_name = query.service.is_some() || query.operation.is_some();
        let mut rows = None;
        // With attributes but no name, the spans are asked anyway: the projection would say little.
        if by_name || query.tags.is_empty() && query.has_span_predicates() {
            let projected = projected_rows(probe, query, &segment);
            if projected.is_empty() {
                return None;
            }
            rows = Some(projected);
        }
        let blocks = match query.tags.as_slice() {
            [] => None,
            tags => Some(posted_blocks(probe, tags, &segment)?),
        };
        let found = Vec::new();
        Some(SegmentScan {
            at,
            segment,
            rows,
            blocks,
            pages_left,
            found,
            block: None,
        })
    }

    /// No fragment to come starts later than this; none at the end.
    pub(super) fn bound(&self) -> Option<u64> {
        if let Some(next) = self.found.last() {
            return Some(next.start);
        }
        let last = self.pages_left.checked_sub(1)?;
        let after = self
            .segment
            .index
            .as_ref()
            .ok()
            .and_then(|index| index.pages.get(last + 1));
        Some(after.map_or(self.segment.meta.start_max_unix_ns, |page| {
            page.start_unix_ns
        }))
    }

    /// The next fragment, if it is at hand.
    pub(super) fn pop(&mut self) -> Option<Candidate> {
        self.found.pop()
    }

    /// Looks at one more page.
    pub(super) fn advance(&mut self, probe: &mut Probe<'_>, query: &TraceQuery) {
        let Some(number) = self.pages_left.checked_sub(1) else {
            return;
        };
        self.pages_left = number;
        let segment = Arc::clone(&self.segment);
        let Some(page) = probe.fragments(&segment, number) else {
            return;
        };
        let first = number as u32 * crate::segment::fragment::FRAGMENTS_PER_PAGE;
        for (ordinal, fragment) in (first..).zip(&page.fragments) {
            let Extent { start, .. } = fragment.extent();
            if query.start_unix_ns.is_some_and(|from| start < from) {
                // So do all pages before this one.
                self.pages_left = 0;
                continue;
            }
            if locate::is_hopeless(query, fragment.extent()) {
                continue;
            }
            if let Some(row) = self.first_match(probe, query, fragment) {
                let seen = Seen {
                    segment: self.at,
                    fragment: ordinal,
                    row,
                };
                self.found.push(Candidate {
                    start,
                    trace_id: fragment.trace_id,
                    seen,
                });
            }
        }
        // Equal starts are ordered by trace id upwards in the table and in answers: the order
        // among them is the caller's business, which sorts by (key, trace id).
    }

    /// The first row of the fragment that satisfies all span predicates.
    fn first_match(
        &mut self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        fragment: &Fragment,
    ) -> Option<u64> {
        let rows = fragment.first_row..fragment.end_row();
        if self.blocks.is_none() {
            let Some(projected) = &self.rows else {
                return Some(rows.start);
            };
            let at = projected.partition_point(|&row| row < rows.start);
            return projected.get(at).copied().filter(|&row| row < rows.end);
        }
        match self.rows.take() {
            None => rows.into_iter().find(|&row| self.holds(probe, query, row)),
            Some(projected) => {
                let from = projected.partition_point(|&row| row < rows.start);
                let to = projected.partition_point(|&row| row < rows.end);
                let these = projected.get(from..to).unwrap_or(&[]);
                let found = these
                    .iter()
                    .copied()
                    .find(|&row| self.holds(probe, query, row));
                self.rows = Some(projected);
                found
            }
        }
    }

    /// Asks the span itself.
    fn holds(&mut self, probe: &mut Probe<'_>, query: &TraceQuery, row: u64) -> bool {
        let segment = Arc::clone(&self.segment);
        let cost = "traces that match may be missing";
        let Some(data) = probe.data(&segment, cost) else {
            return false;
        };
        let Some(number) = data.block_of_row(row) else {
            return false;
        };
        let posted = self
            .blocks
            .as_ref()
            .is_none_or(|blocks| blocks.contains(&(number as u32)));
        if !posted {
            return false;
        }
        if self.block.as_ref().is_none_or(|(at, _)| *at != number) {
            self.block = Some((number, probe.block(&segment, number, |_| cost.to_owned())));
        }
        let Some((_, Some(block))) = &self.block else {
            return false;
        };
        let first_row = data.blocks.get(number).map_or(0, |block| block.first_row);
        let row = (row - first_row) as u32;
        (row as usize) < block.len() && query.matches_span(block.span(row))
    }
}

/// Rows that satisfy the span predicates other than attributes.
fn projected_rows(probe: &mut Probe<'_>, query: &TraceQuery, segment: &Segment) -> Vec<u64> {
    let Some(names) = probe.names(segment) else {
        return Vec::new();
    };
    let wanted = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    let groups: BTreeSet<u32> = (0u32..names.groups.len() as u32)
        .filter(|&group| {
            names.group(group).is_some_and(|(service, operation)| {
                wanted(&query.service, service) && wanted(&query.operation, operation)
            })
        })
        .collect();
    let Ok(index) = &segment.index else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (number, entry) in index.projection.iter().enumerate() {
        if groups
            .range(entry.first_group..=entry.last_group.max(entry.first_group))
            .next()
            .is_none()
        {
            continue;
        }
        if let Err(stopped) = probe.context.check() {
            probe.note(stopped.message);
            break;
        }
        let Some(frame) = probe.projection(segment, number) else {
            continue;
        };
        for piece in frame
            .pieces
            .iter()
            .filter(|piece| groups.contains(&piece.group))
        {
            let Some((service, operation)) = names.group(piece.group) else {
                continue;
            };
            let matching = piece.spans.iter().filter(|span| {
                query.matches_span_columns(service, operation, span.error, span.duration_ns)
            });
            rows.extend(matching.map(|span| span.row));
        }
    }
    rows.sort_unstable();
    rows
}

/// Blocks that may satisfy all of these attributes; none when no block may.
fn posted_blocks(
    probe: &mut Probe<'_>,
    tags: &[TagFilter],
    segment: &Segment,
) -> Option<BTreeSet<u32>> {
    let keys = probe.keys(segment)?;
    let mut common: Option<BTreeSet<u32>> = None;
    for tag in tags {
        let key = keys.find(&tag.key)?;
        let mut blocks = BTreeSet::new();
        for (frame, _) in key.frames_for(&tag.condition) {
            let Some(frame) = probe.postings(segment, frame) else {
                continue;
            };
            let holding = frame
                .postings
                .iter()
                .filter(|posting| posting.may_hold(&tag.condition));
            blocks.extend(holding.flat_map(|posting| &posting.blocks));
        }
        let both = match common {
            None => blocks,
            Some(before) => before.intersection(&blocks).copied().collect(),
        };
        if both.is_empty() {
            return None;
        }
        common = Some(both);
    }
    common
}
