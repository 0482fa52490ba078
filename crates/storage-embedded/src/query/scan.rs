//! The fragments of one segment that have a matching span, by what their traces can come to in the
//! order that is asked for (rank.rs), a page of the fragment table at a time. What the index says
//! (narrow.rs) leaves out most of them; attributes, and durations asked for to the last digit, are
//! decided on the blocks.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use tracewell_storage::TraceQuery;

use super::failed::FailedSpans;
use super::locate::{self, Seen};
use super::narrow;
use super::probe::Probe;
use super::projected::{self, ProjectedRow, ProjectedRows};
use super::rank::Ranking;
use crate::segment::Segment;
use crate::segment::block::Block;
use crate::segment::fragment::FragmentPage;
use crate::segment::pages::FRAGMENTS_PER_PAGE;

/// What an answer lacks when a block cannot be read.
const COST: &str = "traces that match may be missing";

/// A fragment with a matching span.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    rank: u64,
    seen: Seen,
}

/// See the module.
#[derive(Debug)]
pub(super) struct SegmentScan {
    at: usize,
    segment: Arc<Segment>,
    /// Rows that satisfy the predicates of the projection; none: all do.
    rows: Option<ProjectedRows>,
    /// Blocks that may satisfy the attributes; none: no attribute was asked for.
    blocks: Option<BTreeSet<u32>>,
    /// The rows of the block that was asked for last, and whether it is one of these: rows are asked
    /// for side by side.
    asked_last: (Range<u64>, bool),
    /// What copies of failed spans decide.
    failed: Option<FailedSpans>,
    ranking: Ranking,
    /// Pages to look at with the highest rank in them, the highest last.
    pages: Vec<(u64, u32)>,
    /// Fragments found, the highest rank last.
    found: Vec<Candidate>,
    /// The block at hand: fragments side by side share it.
    block: Option<BlockAtHand>,
}

/// The rows of the fragments of a page that may become hits, in stretches.
fn hopeful(page: &FragmentPage, query: &TraceQuery) -> Vec<Range<u64>> {
    let mut stretches: Vec<Range<u64>> = Vec::new();
    for (extent, rows) in page.extents() {
        if locate::is_hopeless(query, extent) {
            continue;
        }
        match stretches.last_mut() {
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => stretches.push(rows),
        }
    }
    stretches
}

/// A block, and which of its rows satisfy what the index left open.
#[derive(Debug)]
struct BlockAtHand {
    number: usize,
    first_row: u64,
    /// None when it is damaged.
    block: Option<Arc<Block>>,
    /// By row, once it was asked for.
    attributes: Option<Vec<bool>>,
    durations: Option<Vec<u64>>,
}

impl SegmentScan {
    /// Begins; none when the segment cannot hold a match.
    pub(super) fn open(
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        ranking: Ranking,
        at: usize,
    ) -> Option<SegmentScan> {
        let segment = probe.segment(at);
        if locate::is_too_early(query, &segment) {
            return None;
        }
        let pages = ranking.pages(probe.index(&segment)?, at);
        let rows = match projected::is_projected(query) {
            true => Some(ProjectedRows::open(probe, query, &segment)?),
            false => None,
        };
        let failed = FailedSpans::open(query, &segment);
        let blocks = match query.tags.as_slice() {
            [] => None,
            tags => Some(narrow::tagged_blocks(
                probe,
                tags,
                &segment,
                failed.is_none(),
            )?),
        };
        Some(SegmentScan {
            at,
            segment,
            rows,
            blocks,
            asked_last: (0..0, false),
            failed,
            ranking,
            pages,
            found: Vec::new(),
            block: None,
        })
    }

    /// No fragment to come ranks higher than this; none at the end.
    pub(super) fn bound(&self) -> Option<u64> {
        let found = self.found.last().map(|next| next.rank);
        found.max(self.pages.last().map(|(rank, _)| *rank))
    }

    /// The next fragment, if it is at hand.
    pub(super) fn pop(&mut self) -> Option<Seen> {
        let to_come = self.pages.last().map(|(rank, _)| *rank);
        let is_next = |next: &mut Candidate| to_come.is_none_or(|to_come| next.rank >= to_come);
        self.found.pop_if(is_next).map(|next| next.seen)
    }

    /// Looks at one more page.
    pub(super) fn advance(&mut self, probe: &mut Probe<'_>, query: &TraceQuery) {
        let Some((_, number)) = self.pages.pop() else {
            return;
        };
        let segment = Arc::clone(&self.segment);
        if !self.may_have_match(probe, query, number) {
            return;
        }
        let Some(page) = probe.fragments(&segment, number as usize) else {
            return;
        };
        for stretch in hopeful(&page, query) {
            let mut from = stretch.start;
            while let Some(row) = self.first_match(probe, query, from..stretch.end) {
                let Some((place, extent, rows)) = page.with_row(row) else {
                    break;
                };
                let fragment = number * FRAGMENTS_PER_PAGE + place as u32;
                let seen = Seen {
                    segment: self.at,
                    fragment,
                    row,
                };
                let rank = self.ranking.of_fragment(self.at, fragment, extent);
                self.found.push(Candidate { rank, seen });
                from = rows.end;
            }
        }
        // Equal ranks may stand in any order: it is the caller's business, who sorts by (key,
        // trace id).
        self.found.sort_by_key(|candidate| candidate.rank);
    }

    /// False when no row of a page is one that is asked for, as far as the index decides: then it
    /// need not be read. The blocks of its fragments say which rows those are, and a few more.
    fn may_have_match(&mut self, probe: &mut Probe<'_>, query: &TraceQuery, page: u32) -> bool {
        let Some((blocks, rows)) = self.blocks_of_page(page) else {
            return true;
        };
        let tagged = self.blocks.as_ref();
        if tagged.is_some_and(|tagged| tagged.range(blocks).next().is_none()) {
            return false;
        }
        let Some(mut projected) = self.rows.take() else {
            return true;
        };
        let segment = Arc::clone(&self.segment);
        let found = projected.find(probe, (query, &segment), rows, |probe, at| {
            self.decided(probe, query, at) != Some(false)
        });
        self.rows = Some(projected);
        found.is_some()
    }

    /// The blocks of a page's fragments, and their rows.
    fn blocks_of_page(&self, page: u32) -> Option<(Range<u32>, Range<u64>)> {
        let data = self.segment.data.as_ref().ok()?;
        let first = page * FRAGMENTS_PER_PAGE;
        let last = first.saturating_add(FRAGMENTS_PER_PAGE - 1);
        let numbers = data.blocks_of_fragment(first).start..data.blocks_of_fragment(last).end;
        let blocks = data.blocks.get(numbers.clone())?;
        let rows = blocks.first()?.first_row..blocks.last()?.end_row();
        Some((numbers.start as u32..numbers.end as u32, rows))
    }

    /// The first of these rows that satisfies all span predicates.
    fn first_match(
        &mut self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        rows: Range<u64>,
    ) -> Option<u64> {
        if rows.is_empty() {
            return None;
        }
        let Some(mut projected) = self.rows.take() else {
            return self.first_with_attributes(probe, query, &rows);
        };
        let segment = Arc::clone(&self.segment);
        let found = projected.find(probe, (query, &segment), rows, |probe, at| {
            self.decided(probe, query, at).unwrap_or_else(|| {
                let row = u64::from(at.row);
                self.has_attributes(probe, query, row)
                    && (at.is_sure || self.has_duration(probe, query, row))
            })
        });
        self.rows = Some(projected);
        found
    }

    /// Whether a row of the projection is one that is asked for; none when only its block can tell.
    fn decided(
        &mut self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        at: &ProjectedRow,
    ) -> Option<bool> {
        let row = u64::from(at.row);
        if !self.may_have_attributes(row) {
            return Some(false);
        }
        if self.blocks.is_none() && at.is_sure {
            return Some(true);
        }
        let failed = self.failed.as_mut()?;
        failed.holds(probe, (query, &self.segment), row)
    }

    /// False when the row lies in a block that does not have the attributes.
    fn may_have_attributes(&mut self, row: u64) -> bool {
        let Some(blocks) = &self.blocks else {
            return true;
        };
        let (rows, may_have) = &mut self.asked_last;
        if !rows.contains(&row) {
            let data = self.segment.data.as_ref().ok();
            let number = data.and_then(|data| data.block_of_row(row));
            let block = number.and_then(|number| data?.blocks.get(number));
            *rows = block.map_or(row..row, |block| block.first_row..block.end_row());
            *may_have = number.is_some_and(|number| blocks.contains(&(number as u32)));
        }
        *may_have
    }

    /// The first of these rows with the attributes that are asked for, whatever else is.
    fn first_with_attributes(
        &mut self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        rows: &Range<u64>,
    ) -> Option<u64> {
        if self.blocks.is_none() {
            return rows.clone().next();
        }
        let segment = Arc::clone(&self.segment);
        let data = segment.data.as_ref().ok()?;
        let mut next = data.block_of_row(rows.start)? as u32;
        loop {
            let number = *self.blocks.as_ref()?.range(next..).next()?;
            next = number + 1;
            let block = data.blocks.get(number as usize)?;
            if block.first_row >= rows.end {
                return None;
            }
            let from = block.first_row.max(rows.start);
            let to = block.end_row().min(rows.end);
            let Some((first_row, holding)) = self.attributes(probe, query, from) else {
                continue;
            };
            let these = (from - first_row) as usize..(to - first_row) as usize;
            let holding = holding.get(these).unwrap_or_default();
            if let Some(at) = holding.iter().position(|holds| *holds) {
                return Some(from + at as u64);
            }
        }
    }

    /// True when the attributes of this row are those that are asked for.
    fn has_attributes(&mut self, probe: &mut Probe<'_>, query: &TraceQuery, row: u64) -> bool {
        if self.blocks.is_none() {
            return true;
        }
        if !self.may_have_attributes(row) {
            return false;
        }
        let holding = self.attributes(probe, query, row);
        holding.is_some_and(|(first_row, holding)| {
            holding.get((row - first_row) as usize) == Some(&true)
        })
    }

    /// For each row of the block with this row, from its first one on, whether its attributes are those
    /// that are asked for.
    fn attributes(
        &mut self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        row: u64,
    ) -> Option<(u64, &[bool])> {
        let segment = Arc::clone(&self.segment);
        let at_hand = self.at_hand(probe, row)?;
        if at_hand.attributes.is_none() {
            let block = at_hand.block.clone();
            let holding = block.map(|block| narrow::rows_with(&block, &query.tags));
            let holding =
                holding.and_then(|holding| probe.decoded(&segment, at_hand.number, holding, COST));
            at_hand.attributes = Some(holding.unwrap_or_default());
        }
        Some((at_hand.first_row, at_hand.attributes.as_deref()?))
    }

    /// True when the duration of this row lies in the range that is asked for.
    fn has_duration(&mut self, probe: &mut Probe<'_>, query: &TraceQuery, row: u64) -> bool {
        let segment = Arc::clone(&self.segment);
        let Some(at_hand) = self.at_hand(probe, row) else {
            return false;
        };
        if at_hand.durations.is_none() {
            let durations = at_hand.block.as_ref().map(|block| block.durations());
            let durations = durations
                .and_then(|durations| probe.decoded(&segment, at_hand.number, durations, COST));
            at_hand.durations = Some(durations.unwrap_or_default());
        }
        let at = (row - at_hand.first_row) as usize;
        let durations = at_hand.durations.as_ref();
        let duration = durations.and_then(|durations| durations.get(at).copied());
        duration.is_some_and(|duration| narrow::is_as_long(query, duration))
    }

    /// The block with this row.
    fn at_hand(&mut self, probe: &mut Probe<'_>, row: u64) -> Option<&mut BlockAtHand> {
        let segment = Arc::clone(&self.segment);
        let data = probe.data(&segment, COST)?;
        let number = data.block_of_row(row)?;
        if self
            .block
            .as_ref()
            .is_none_or(|at_hand| at_hand.number != number)
        {
            self.block = Some(BlockAtHand {
                number,
                first_row: data.blocks.get(number)?.first_row,
                block: probe.block(&segment, number, |_| COST.to_owned()),
                attributes: None,
                durations: None,
            });
        }
        self.block.as_mut()
    }
}
