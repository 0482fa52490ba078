//! Seal: a head becomes a segment. Its spans are brought in order (run.rs), cut into blocks
//! (cut.rs) that go to the data file one after the other, and what the index needs of them is
//! gathered on the way (gather.rs).

use std::path::Path;

use tracewell_storage::Error;

use super::block::BlockWriter;
use super::cut::{self, Cut};
use super::data::DataWriter;
use super::failed;
use super::gather::Gathered;
use super::index::IndexWriter;
use super::meta::SegmentMeta;
use super::names::NameTable;
use super::run::{Run, RunScratch};
use super::values::RunValues;
use crate::failpoint;
use crate::fs::Fs;
use crate::head::{Extent, Head, State};

/// Room that a seal keeps for the next one: a head of the default size needs less. Larger rooms go
/// back.
const SCRATCH_BYTES_MAX: usize = 32 << 20;

/// What a seal is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealOptions {
    pub(crate) id: u64,
    /// Spans in a block.
    pub(crate) block_spans: usize,
}

/// Room to seal in, used again from one seal to the next: fresh memory costs more than sorting.
#[derive(Debug)]
pub(crate) struct SealScratch {
    pub(super) run: RunScratch,
    pub(super) block: BlockWriter,
    pub(super) gathered: Gathered,
}

impl SealScratch {
    pub(crate) fn new() -> Result<SealScratch, Error> {
        Ok(SealScratch {
            run: RunScratch::default(),
            block: BlockWriter::new()?,
            gathered: Gathered::default(),
        })
    }

    /// Bytes that it holds between seals.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.run.memory_bytes() + self.gathered.memory_bytes()
    }

    pub(super) fn shrink(&mut self) {
        if self.memory_bytes() > SCRATCH_BYTES_MAX {
            (self.run, self.gathered) = (RunScratch::default(), Gathered::default());
        }
    }
}

/// Writes the head's spans as a segment: both files are complete and safe when this returns. They
/// mean nothing until the manifest names them.
pub(crate) fn seal(
    fs: &dyn Fs,
    dir: &Path,
    head: &Head,
    options: SealOptions,
    scratch: &mut SealScratch,
) -> Result<SegmentMeta, Error> {
    let ranges = head.ranges();
    let state = head.read();
    let run = Run::from_head(&state, &mut scratch.run);
    let mut meta = SegmentMeta {
        id: options.id,
        ranges,
        ..describe(&run, &state)
    };
    let mut values = RunValues::new(&run.batches);
    let mut data = DataWriter::create(fs, dir, meta.id)?;
    let mut index = IndexWriter::create(fs, dir, meta.id)?;
    let block_spans = options.block_spans;
    write_blocks(
        &run,
        block_spans,
        &mut values,
        scratch,
        &mut data,
        Some(&mut index),
    )?;
    failpoint::hit("seal-before-write");
    let names = write_index(&run, 0, block_spans, values, scratch, &mut index)?;
    let index_bytes = index.finish(&meta, &names)?;
    failpoint::hit("seal-between-files");
    // The data file last: recovery adopts a segment only if both are there.
    let data_bytes = data.finish(&meta)?;
    failpoint::hit("seal-after-write");
    (meta.data_bytes, meta.index_bytes) = (data_bytes, index_bytes);
    scratch.shrink();
    Ok(meta)
}

/// Writes a run's blocks, and gathers what its index, if it is to have one, needs of them.
pub(super) fn write_blocks<'a>(
    run: &Run<'a>,
    block_spans: usize,
    values: &mut RunValues<'a>,
    scratch: &mut SealScratch,
    data: &mut DataWriter<'_>,
    mut index: Option<&mut IndexWriter<'_>>,
) -> Result<(), Error> {
    scratch.gathered.clear();
    for cut in cut::cuts(run, block_spans) {
        write_block(run, &cut, values, scratch, data, index.as_deref_mut())?;
    }
    Ok(())
}

/// Writes the index of a run whose blocks are written, but for its names, which it answers.
/// `first_row` is where the run begins in the segment.
pub(super) fn write_index<'a>(
    run: &Run<'a>,
    first_row: u32,
    block_spans: usize,
    mut values: RunValues<'a>,
    scratch: &mut SealScratch,
    index: &mut IndexWriter<'_>,
) -> Result<NameTable, Error> {
    let names = scratch.gathered.write(run, first_row, &values, index)?;
    let (failed, writer) = (scratch.gathered.failed(), (&mut scratch.block, block_spans));
    failed::write(run, first_row, &failed, &mut values, writer, index)?;
    Ok(names)
}

/// What the index is told of a block that stands in the data file already: it is encoded for that.
pub(super) fn index_block<'a>(
    run: &Run<'a>,
    cut: &Cut,
    number: u32,
    values: &mut RunValues<'a>,
    scratch: &mut SealScratch,
    index: &mut IndexWriter<'_>,
) -> Result<(), Error> {
    let SealScratch {
        block, gathered, ..
    } = scratch;
    block.write(run, cut.rows.clone(), values)?;
    index.filters.add(&mut index.out, number, block.hashes())?;
    gathered.block(number, run, cut, block);
    Ok(())
}

fn write_block<'a>(
    run: &Run<'a>,
    cut: &Cut,
    values: &mut RunValues<'a>,
    scratch: &mut SealScratch,
    data: &mut DataWriter<'_>,
    index: Option<&mut IndexWriter<'_>>,
) -> Result<(), Error> {
    let SealScratch {
        block, gathered, ..
    } = scratch;
    let parts = block.write(run, cut.rows.clone(), values)?;
    let number = data.blocks();
    let begun = run.traces[cut.traces.clone()].iter().map(|trace| trace.id);
    data.block(block.bytes(), parts, cut.goes_on, begun)?;
    if let Some(index) = index {
        index.filters.add(&mut index.out, number, block.hashes())?;
        gathered.block(number, run, cut, block);
    }
    Ok(())
}

fn describe(run: &Run<'_>, state: &State) -> SegmentMeta {
    let mut whole = Extent::NONE;
    let mut start_max_unix_ns = 0;
    for trace in &run.traces {
        let extent = trace.steps.last();
        whole.join(extent);
        start_max_unix_ns = start_max_unix_ns.max(extent.start);
    }
    let arrivals = || state.batches.iter().map(|batch| batch.arrived_unix_ns);
    SegmentMeta {
        spans: run.rows.len() as u64,
        duplicates: run.duplicates,
        fragments: run.traces.len() as u64,
        start_min_unix_ns: whole.start,
        start_max_unix_ns,
        end_max_unix_ns: whole.end,
        arrived_min_unix_ns: arrivals().min().unwrap_or(0),
        arrived_max_unix_ns: arrivals().max().unwrap_or(0),
        ..SegmentMeta::default()
    }
}
