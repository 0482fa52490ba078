//! Which failed spans of a segment are those that are asked for, by the copies that its index has of
//! them: one block of failed spans tells of some seventy blocks.
#![warn(clippy::indexing_slicing)]

use hashbrown::HashMap;
use tracewell_storage::{Error, TraceQuery};

use super::narrow;
use super::probe::Probe;
use crate::segment::Segment;
use crate::segment::failed::FailedBlock;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FailedSpans {
    /// By number of the block; none where it cannot be read.
    answers: HashMap<usize, Option<Answers>>,
}

/// What a block of failed spans says.
#[derive(Debug)]
struct Answers {
    /// Rows of the segment, ascending.
    rows: Vec<u32>,
    /// For each whether it satisfies what the projection cannot decide.
    holding: Vec<bool>,
}

impl FailedSpans {
    /// None when they are not what is asked for, or the segment has no copies.
    pub(super) fn open(query: &TraceQuery, segment: &Segment) -> Option<FailedSpans> {
        let index = segment.index.as_ref().ok()?;
        let has_copies = !index.directory.failed.is_empty();
        (query.span_error == Some(true) && has_copies).then(FailedSpans::default)
    }

    /// Whether the attributes and the duration of this row are those that are asked for; none when
    /// it was not copied.
    pub(super) fn holds(
        &mut self,
        probe: &mut Probe<'_>,
        (query, segment): (&TraceQuery, &Segment),
        row: u64,
    ) -> Option<bool> {
        let (row, index) = (u32::try_from(row).ok()?, segment.index.as_ref().ok()?);
        let entries = &index.directory.failed;
        let number = entries.partition_point(|entry| entry.first_row <= row);
        let number = number.checked_sub(1)?;
        let _within = entries.get(number).filter(|entry| row <= entry.last_row)?;
        let answers = self.answers.entry(number).or_insert_with(|| {
            let block = probe.failed(segment, number)?;
            let holding = holding(&block, query);
            let holding = probe.or_count(holding, segment, number)?;
            Some(Answers {
                rows: block.rows.clone(),
                holding,
            })
        });
        let answers = answers.as_ref()?;
        let at = answers.rows.binary_search(&row).ok()?;
        answers.holding.get(at).copied()
    }
}

fn holding(failed: &FailedBlock, query: &TraceQuery) -> Result<Vec<bool>, Error> {
    let mut holding = narrow::rows_with(&failed.block, &query.tags)?;
    if query.min_span_duration_ns.is_some() || query.max_span_duration_ns.is_some() {
        let durations = failed.block.durations()?;
        for (holding, duration) in holding.iter_mut().zip(durations) {
            *holding &= narrow::is_as_long(query, duration);
        }
    }
    Ok(holding)
}
