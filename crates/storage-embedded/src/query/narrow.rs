//! What the index of a segment leaves of it: the rows that satisfy service, operation, error and
//! duration, by the projection; and the blocks that may hold the attributes, by postings and, for
//! keys with too many values for them, by filters.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeSet;

use tracewell_storage::find::TagCondition;
use tracewell_storage::{Error, TagFilter, TraceQuery};

use super::probe::Probe;
use crate::segment::Segment;
use crate::segment::block::Block;
use crate::segment::index::IndexFile;
use crate::segment::names::NameTable;
use crate::segment::postings::Key;
use crate::segment::projection::ProjectionEntry;
use crate::segment::values::filter_hash;

/// A row that satisfies the predicates of the projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProjectedRow {
    pub(super) row: u32,
    /// False when only its exact duration can tell.
    pub(super) is_sure: bool,
}

/// True when the projection has something to say.
pub(super) fn is_projected(query: &TraceQuery) -> bool {
    query.service.is_some()
        || query.operation.is_some()
        || query.span_error.is_some()
        || query.min_span_duration_ns.is_some()
        || query.max_span_duration_ns.is_some()
}

/// Rows that satisfy the span predicates other than attributes, in order; none when there is none.
pub(super) fn projected_rows(
    probe: &mut Probe<'_>,
    query: &TraceQuery,
    segment: &Segment,
) -> Option<Vec<ProjectedRow>> {
    let names = probe.names(segment)?;
    let groups = groups_of(query, &names);
    let index = segment.index.as_ref().ok()?;
    let mut rows = Vec::new();
    for (number, entry) in index.directory.projection.iter().enumerate() {
        if !may_match(query, &groups, entry) {
            continue;
        }
        if let Err(stopped) = probe.context.check() {
            probe.note(stopped.message);
            break;
        }
        let Some(frame) = probe.projection(segment, number) else {
            continue;
        };
        for (group, spans) in frame.pieces() {
            if !groups.contains(&group) {
                continue;
            }
            let alike =
                spans.filter(|span| query.span_error.is_none_or(|wanted| wanted == span.error));
            rows.extend(alike.filter_map(|span| {
                let bounds = (query.min_span_duration_ns, query.max_span_duration_ns);
                let is_sure = match span.duration.lies_within(bounds.0, bounds.1) {
                    Some(false) => return None,
                    decided => decided.is_some(),
                };
                Some(ProjectedRow {
                    row: span.row,
                    is_sure,
                })
            }));
        }
    }
    rows.sort_unstable();
    (!rows.is_empty()).then_some(rows)
}

/// The groups of the service and operation that are asked for.
fn groups_of(query: &TraceQuery, names: &NameTable) -> BTreeSet<u32> {
    let wanted = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    let is_wanted = |group: &u32| {
        names.group(*group).is_some_and(|(service, operation)| {
            wanted(&query.service, service) && wanted(&query.operation, operation)
        })
    };
    (0..names.groups.len() as u32).filter(is_wanted).collect()
}

/// False when no span of this frame can match.
fn may_match(query: &TraceQuery, groups: &BTreeSet<u32>, entry: &ProjectionEntry) -> bool {
    let mut here = groups.range(entry.first_group..=entry.last_group);
    let long_enough = entry.longest.lies_within(query.min_span_duration_ns, None);
    here.next().is_some()
        && (query.span_error != Some(true) || entry.has_error)
        && long_enough != Some(false)
}

/// Blocks that may satisfy all of these attributes; none when no block may.
pub(super) fn tagged_blocks(
    probe: &mut Probe<'_>,
    tags: &[TagFilter],
    segment: &Segment,
) -> Option<BTreeSet<u32>> {
    let (keys, index) = (probe.keys(segment)?, probe.index(segment)?);
    let data = probe.data(segment, "traces that match may be missing")?;
    let all_blocks = data.blocks.len() as u32;
    let mut common: Option<BTreeSet<u32>> = None;
    for tag in tags {
        let key = keys.find(&tag.key)?;
        let blocks = match &tag.condition {
            TagCondition::Equals(text) if key.high => {
                let hash = filter_hash(&tag.key, text);
                let mut blocks = filtered_blocks(probe, segment, index, hash);
                // Where it was not high when they were sealed, they are posted still.
                blocks.extend(posted_blocks(probe, segment, key, &tag.condition));
                blocks
            }
            // Its values are in filters, which only know what is equal.
            _ if key.high => (0..all_blocks).collect(),
            condition => posted_blocks(probe, segment, key, condition),
        };
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

fn filtered_blocks(
    probe: &mut Probe<'_>,
    segment: &Segment,
    index: &IndexFile,
    hash: u64,
) -> BTreeSet<u32> {
    let mut blocks = BTreeSet::new();
    for frame in &index.directory.filters {
        if let Some(frame) = probe.filters(segment, frame) {
            blocks.extend(frame.blocks_with(hash));
        }
    }
    blocks
}

fn posted_blocks(
    probe: &mut Probe<'_>,
    segment: &Segment,
    key: &Key,
    condition: &TagCondition,
) -> BTreeSet<u32> {
    let mut blocks = BTreeSet::new();
    for (frame, _) in key.frames_for(condition) {
        let Some(frame) = probe.postings(segment, frame) else {
            continue;
        };
        let postings = frame.postings.iter();
        let holding = postings.filter(|posting| posting.may_hold(condition));
        blocks.extend(holding.flat_map(|posting| &posting.blocks));
    }
    blocks
}

/// For each row of the block whether it satisfies all of these attributes.
pub(super) fn rows_with(block: &Block, tags: &[TagFilter]) -> Result<Vec<bool>, Error> {
    let mut all = vec![true; block.rows() as usize];
    for tag in tags {
        let these = block.holding(tag)?;
        all.iter_mut()
            .zip(these)
            .for_each(|(all, this)| *all &= this);
    }
    Ok(all)
}
