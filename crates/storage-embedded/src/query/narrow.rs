//! The blocks of a segment that may hold the attributes that are asked for: by postings and, for keys
//! with too many values for them, by filters.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeSet;

use tracewell_storage::find::TagCondition;
use tracewell_storage::{Error, TagFilter, TraceQuery};

use super::probe::Probe;
use crate::segment::Segment;
use crate::segment::block::Block;
use crate::segment::index::IndexFile;
use crate::segment::postings::Key;
use crate::segment::values::filter_hash;

/// Blocks that may satisfy all of these attributes; none when no block may. Filters are large: they
/// are asked only if that is wanted.
pub(super) fn tagged_blocks(
    probe: &mut Probe<'_>,
    tags: &[TagFilter],
    segment: &Segment,
    by_filters: bool,
) -> Option<BTreeSet<u32>> {
    let (keys, index) = (probe.keys(segment)?, probe.index(segment)?);
    let data = probe.data(segment, "traces that match may be missing")?;
    let all_blocks = data.blocks.len() as u32;
    let mut common: Option<BTreeSet<u32>> = None;
    for tag in tags {
        let key = keys.find(&tag.key)?;
        let blocks = match &tag.condition {
            TagCondition::Equals(text) if key.high && by_filters => {
                let hash = filter_hash(&tag.key, text);
                let mut blocks = filtered_blocks(probe, segment, index, hash);
                // Where it was not high when they were sealed, they are posted still.
                blocks.extend(posted_blocks(probe, segment, key, &tag.condition));
                blocks
            }
            // The values are in filters, which only know what is equal.
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

/// True when a span of this duration is as long as is asked for.
pub(super) fn is_as_long(query: &TraceQuery, duration_ns: u64) -> bool {
    let (least, most) = (query.min_span_duration_ns, query.max_span_duration_ns);
    least.is_none_or(|least| duration_ns >= least) && most.is_none_or(|most| duration_ns <= most)
}
