//! Failed spans once more: few spans fail, and those are what is searched for. Blocks as in the data
//! file, but of failed spans only, so that a search for failures with an attribute opens one of
//! them instead of the seventy blocks that its spans are from. Where too many failed to be copied,
//! or a block of these is damaged, the blocks of the data file have them all the same.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;

use super::block::{Block, BlockParts, BlockWriter};
use super::cut;
use super::frame::{FrameRef, FrameWriter};
use super::index::IndexWriter;
use super::run::Run;
use super::values::RunValues;
use crate::codec::{Damaged, Reader, put_varint};

/// Of a run in which more than one span of so many failed nothing is copied: a block then has
/// enough of them to be worth opening.
const SPANS_PER_FAILED_MIN: usize = 16;

/// Failed spans, opened.
#[derive(Debug)]
pub(crate) struct FailedBlock {
    /// Where its spans stand in the data file, ascending.
    pub(crate) rows: Vec<u32>,
    pub(crate) block: Block,
}

impl FailedBlock {
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(self.rows.as_slice()) + self.block.memory_bytes_without_tails()
    }
}

/// What the index's footer says of such a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedEntry {
    pub(crate) offset: u64,
    pub(crate) parts: BlockParts,
    /// Its rows.
    pub(crate) rows: FrameRef,
    /// The lowest and the highest of those.
    pub(crate) first_row: u32,
    pub(crate) last_row: u32,
}

impl FailedEntry {
    /// Bytes of the file that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.bytes() + self.rows.bytes as usize
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        self.parts.put(out);
        self.rows.put(out);
        put_varint(out, u64::from(self.first_row));
        put_varint(out, u64::from(self.last_row - self.first_row));
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<FailedEntry, Damaged> {
        let (offset, parts) = (r.varint()?, BlockParts::read(r)?);
        let (rows, first_row) = (FrameRef::read(r)?, r.u32()?);
        let last_row = first_row.checked_add(r.u32()?);
        Ok(FailedEntry {
            offset,
            parts,
            rows,
            first_row,
            last_row: last_row.ok_or(Damaged("rows of failed spans"))?,
        })
    }
}

/// The rows of a block of failed spans, given its frame.
pub(crate) fn read_rows(bytes: &[u8]) -> Result<Vec<u32>, Damaged> {
    let mut r = Reader::new(bytes);
    let mut rows: Vec<u32> = Vec::new();
    while r.remaining() > 0 {
        let before = rows.last().copied().unwrap_or(0);
        rows.push(before.checked_add(r.u32()?).ok_or(Damaged("row"))?);
    }
    Ok(rows)
}

/// Writes such blocks, by row.
#[derive(Debug, Default)]
pub(crate) struct FailedWriter {
    entries: Vec<FailedEntry>,
    raw: Vec<u8>,
}

impl FailedWriter {
    /// Adds a block of the spans at these rows.
    pub(crate) fn add(
        &mut self,
        out: &mut FrameWriter<'_>,
        rows: &[u32],
        parts: BlockParts,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let [Some(&first_row), Some(&last_row)] = [rows.first(), rows.last()] else {
            return Ok(());
        };
        self.raw.clear();
        let mut before = 0;
        for &row in rows {
            put_varint(&mut self.raw, u64::from(row - before));
            before = row;
        }
        let offset = out.offset();
        out.append(bytes)?;
        self.entries.push(FailedEntry {
            offset,
            parts,
            rows: out.put(&self.raw)?,
            first_row,
            last_row,
        });
        Ok(())
    }

    /// Writes these spans, in blocks of so many; their rows are those.
    pub(crate) fn add_run<'a>(
        &mut self,
        out: &mut FrameWriter<'_>,
        (run, rows): (&Run<'a>, &[u32]),
        values: &mut RunValues<'a>,
        (writer, block_spans): (&mut BlockWriter, usize),
    ) -> Result<(), Error> {
        for cut in cut::cuts(run, block_spans) {
            let rows = rows.get(cut.rows.clone()).unwrap_or_default();
            let parts = writer.write(run, cut.rows, values)?;
            self.add(out, rows, parts, writer.bytes())?;
        }
        Ok(())
    }

    /// Where they lie.
    pub(crate) fn finish(self) -> Vec<FailedEntry> {
        self.entries
    }
}

/// Copies the failed ones of a run's spans, unless too many failed. `first_row` is where the run
/// begins in the segment, `failed` are the places of those in it.
pub(super) fn write<'a>(
    run: &Run<'a>,
    first_row: u32,
    failed: &[u32],
    values: &mut RunValues<'a>,
    writer: (&mut BlockWriter, usize),
    index: &mut IndexWriter<'_>,
) -> Result<(), Error> {
    if failed.len() * SPANS_PER_FAILED_MIN > run.rows.len() {
        return Ok(());
    }
    let rows: Vec<u32> = failed.iter().map(|row| first_row + row).collect();
    let these = (&run.of_rows(failed), rows.as_slice());
    index.failed.add_run(&mut index.out, these, values, writer)
}
