//! Block filters: which blocks may hold a value of a high key, one that has too many values for
//! postings. A filter per block over the hashes of its high values; filters of several blocks lie
//! in one frame. A block may have two: a key becomes high while blocks are written, and what was
//! posted of it before is filtered afterwards.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;

use super::frame::{FrameRef, FrameWriter};
use super::fuse::{Fuse8, FuseBuilder};
use crate::codec::{Damaged, Reader, put_varint};

/// A frame ends after about so many bytes: some ten blocks.
const FRAME_BYTES: usize = 64 * 1_024;

/// A decoded frame.
#[derive(Debug)]
pub(crate) struct FilterFrame {
    /// Blocks, each with its filter; without one it may hold anything.
    filters: Vec<(u32, Option<Fuse8>)>,
}

impl FilterFrame {
    pub(crate) fn memory_bytes(&self) -> usize {
        let filters = self.filters.iter().flat_map(|(_, filter)| filter);
        self.filters.len() * 8 + filters.map(Fuse8::memory_bytes).sum::<usize>()
    }

    /// All of them, each with its block.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (u32, Option<&Fuse8>)> {
        let filters = self.filters.iter();
        filters.map(|(block, filter)| (*block, filter.as_ref()))
    }

    /// The blocks that may hold a value with this hash.
    pub(crate) fn blocks_with(&self, hash: u64) -> impl Iterator<Item = u32> {
        let may_hold =
            move |filter: &Option<Fuse8>| filter.as_ref().is_none_or(|f| f.may_hold(hash));
        let blocks = self
            .filters
            .iter()
            .filter(move |(_, filter)| may_hold(filter));
        blocks.map(|(block, _)| *block)
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<FilterFrame, Damaged> {
        let mut r = Reader::new(bytes);
        let mut filters = Vec::new();
        while r.remaining() > 0 {
            let block = r.u32()?;
            let filter = match r.byte()? {
                0 => None,
                1 => Some(Fuse8::read(&mut r)?),
                _ => return Err(Damaged("kind of a filter")),
            };
            filters.push((block, filter));
        }
        Ok(FilterFrame { filters })
    }
}

/// Builds filters and writes them, block by block.
#[derive(Debug, Default)]
pub(crate) struct FilterWriter {
    builder: FuseBuilder,
    raw: Vec<u8>,
    frames: Vec<FrameRef>,
}

impl FilterWriter {
    /// Adds the filter of a block's high values, if it has any.
    pub(crate) fn add(
        &mut self,
        out: &mut FrameWriter<'_>,
        block: u32,
        hashes: &[u64],
    ) -> Result<(), Error> {
        if hashes.is_empty() {
            return Ok(());
        }
        let filter = self.builder.build(hashes);
        self.add_made(out, block, filter.as_ref())
    }

    /// Adds a filter that was made before.
    pub(crate) fn add_made(
        &mut self,
        out: &mut FrameWriter<'_>,
        block: u32,
        filter: Option<&Fuse8>,
    ) -> Result<(), Error> {
        put_varint(&mut self.raw, u64::from(block));
        self.raw.push(u8::from(filter.is_some()));
        filter.iter().for_each(|filter| filter.put(&mut self.raw));
        if self.raw.len() >= FRAME_BYTES {
            self.end_frame(out)?;
        }
        Ok(())
    }

    /// Writes what is left; answers all frames.
    pub(crate) fn finish(&mut self, out: &mut FrameWriter<'_>) -> Result<Vec<FrameRef>, Error> {
        if !self.raw.is_empty() {
            self.end_frame(out)?;
        }
        Ok(std::mem::take(&mut self.frames))
    }

    fn end_frame(&mut self, out: &mut FrameWriter<'_>) -> Result<(), Error> {
        self.frames.push(out.put_raw(&self.raw)?);
        self.raw.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_by_either_of_its_filters_and_by_none() {
        let mut raw = Vec::new();
        let mut builder = FuseBuilder::default();
        for (block, hashes) in [(1u32, [1u64, 2]), (2, [3, 4]), (1, [5, 6])] {
            put_varint(&mut raw, u64::from(block));
            raw.push(1);
            let filter: Fuse8 = builder.build(&hashes).expect("a fit set");
            filter.put(&mut raw);
        }
        put_varint(&mut raw, 9);
        raw.push(0);
        let frame = FilterFrame::read(&raw).expect("is sound");
        for (hash, block) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 1), (6, 1)] {
            let blocks: Vec<_> = frame.blocks_with(hash).collect();
            assert!(
                blocks.contains(&block) && blocks.contains(&9),
                "{hash}: {blocks:?}"
            );
        }
        raw.push(7);
        assert!(FilterFrame::read(&raw).is_err());
    }
}
