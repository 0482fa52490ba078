//! The index of a segment that lost its own, made of its blocks: they are decoded, and encoded once
//! more for what that tells an index, stretch by stretch. Only when each trace arrived is nowhere but
//! in an index: from here on all arrived with the segment's first span, so that none is hidden from a
//! search whose pages were being turned.

use std::path::Path;

use tracewell_model::SpanBatch;

use super::plan::{self, Unit};
use super::source::Source;
use super::stretch::Stretches;
use super::{Failure, MergeOptions, Watch, index};
use crate::fs::Fs;
use crate::head::Extent;
use crate::segment::Segment;
use crate::segment::cut::Cut;
use crate::segment::data::DataFile;
use crate::segment::index::{IndexFile, IndexWriter};
use crate::segment::run::{RowRef, Run, RunTrace};
use crate::segment::seal::{SealScratch, index_block, write_index};
use crate::segment::values::RunValues;

/// Makes it; the file has no name.
pub(super) fn index_of(
    place: (&dyn Fs, &Path),
    segment: &Segment,
    options: &MergeOptions,
    watch: &Watch<'_>,
    scratch: &mut SealScratch,
) -> Result<IndexFile, Failure> {
    let blame = Failure::of(segment.meta.id);
    let data = segment
        .data
        .as_ref()
        .map_err(|error| blame(error.clone()))?;
    let remaking = Remaking {
        place,
        segment,
        data,
        options,
    };
    let mut runs = Vec::new();
    let units = plan::units(&data.blocks);
    let mut left = units.as_slice();
    while !left.is_empty() {
        watch.check()?;
        let (these, rest) = left.split_at(first_run(left, options));
        runs.push(remaking.run(these, scratch)?);
        left = rest;
    }
    let sources = runs.iter().map(|(index, stretches)| Source {
        id: options.id,
        index,
        stretches,
    });
    let sources: Vec<_> = sources.collect();
    let mut index = IndexWriter::create(place.0, place.1, options.id)?;
    let names = index::merge(&mut index, &sources, options, &mut scratch.block, watch)?;
    Ok(index.finish_unnamed(&names)?)
}

/// How many of these units are decoded together: one at least.
fn first_run(units: &[Unit], options: &MergeOptions) -> usize {
    let (mut spans, mut bytes) = (0, 0);
    let fits = |unit: &&Unit| {
        spans += u64::from(unit.rows.end - unit.rows.start);
        bytes += unit.bytes;
        spans <= options.run_spans_max && bytes <= options.run_bytes_max
    };
    units.iter().take_while(fits).count().max(1)
}

struct Remaking<'a> {
    place: (&'a dyn Fs, &'a Path),
    segment: &'a Segment,
    data: &'a DataFile,
    options: &'a MergeOptions,
}

/// Spans of a run, in the order in which they stand, and the blocks that they stand in.
#[derive(Default)]
struct Decoded {
    batches: Vec<SpanBatch>,
    traces: Vec<RunTrace>,
    rows: Vec<RowRef>,
    cuts: Vec<Cut>,
}

impl Remaking<'_> {
    /// The index of these units alone, and where what it tells of stands in the segment: where it
    /// says.
    fn run(
        &self,
        units: &[Unit],
        scratch: &mut SealScratch,
    ) -> Result<(IndexFile, Stretches), Failure> {
        let [first, ..] = units else {
            return Err(Failure::Stopped);
        };
        let mut decoded = Decoded::default();
        for number in units.iter().flat_map(|unit| unit.blocks.clone()) {
            self.decode(number, &mut decoded)?;
        }
        let run = Run {
            batches: decoded.batches.iter().collect(),
            traces: decoded.traces,
            rows: decoded.rows,
            duplicates: 0,
        };
        let (fs, dir) = self.place;
        let mut index = IndexWriter::create(fs, dir, self.options.id)?;
        let mut values = RunValues::new(&run.batches);
        scratch.gathered.clear();
        let first_block = first.blocks.start as u32;
        for (number, cut) in (first_block..).zip(&decoded.cuts) {
            index_block(&run, cut, number, &mut values, scratch, &mut index)?;
        }
        let (first_row, block_spans) = (first.rows.start, self.options.block_spans);
        let names = write_index(&run, first_row, block_spans, values, scratch, &mut index)?;
        let mut stretches = Stretches::default();
        let (traces, rows) = (run.traces.len() as u32, run.rows.len() as u32);
        stretches.fragments.push(0, traces, first.fragments.start);
        stretches.rows.push(first_row, rows, first_row);
        let blocks = decoded.cuts.len() as u32;
        stretches.blocks.push(first_block, blocks, first_block);
        Ok((index.finish_unnamed(&names)?, stretches))
    }

    fn decode(&self, number: usize, decoded: &mut Decoded) -> Result<(), Failure> {
        let blame = Failure::of(self.segment.meta.id);
        let Some(entry) = self.data.blocks.get(number) else {
            return Ok(());
        };
        let block = self.data.read_block(entry).map_err(&blame)?;
        let batch = block.batch().map_err(&blame)?;
        let before = number
            .checked_sub(1)
            .and_then(|at| self.data.blocks.get(at));
        let goes_on = before.is_some_and(|before| before.last_fragment == entry.first_fragment);
        let (first_row, first_trace) = (decoded.rows.len(), decoded.traces.len());
        for (at, trace) in block.traces().iter().enumerate() {
            let rows = trace.first..trace.first + trace.spans;
            let extent = extent(&batch, rows.clone());
            match decoded.traces.last_mut() {
                Some(last) if at == 0 && goes_on => {
                    last.spans += trace.spans;
                    last.steps
                        .add(self.segment.meta.arrived_min_unix_ns, extent);
                }
                _ => {
                    let mut begun = RunTrace {
                        id: trace.id,
                        steps: Default::default(),
                        first: decoded.rows.len() as u32,
                        spans: trace.spans,
                    };
                    begun
                        .steps
                        .add(self.segment.meta.arrived_min_unix_ns, extent);
                    decoded.traces.push(begun);
                }
            }
            let batch = decoded.batches.len() as u32;
            decoded.rows.extend(rows.map(|row| RowRef { batch, row }));
        }
        decoded.cuts.push(Cut {
            rows: first_row..decoded.rows.len(),
            traces: first_trace..decoded.traces.len(),
            goes_on,
        });
        decoded.batches.push(batch);
        Ok(())
    }
}

fn extent(batch: &SpanBatch, rows: std::ops::Range<u32>) -> Extent {
    let mut whole = Extent::NONE;
    for row in rows {
        let span = batch.span(row);
        whole.join(Extent {
            start: span.start_unix_ns(),
            end: span.end_unix_ns(),
        });
    }
    whole
}
