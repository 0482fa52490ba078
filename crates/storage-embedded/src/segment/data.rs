//! The data file: blocks of spans, and the table by which a trace id finds its blocks. It answers
//! a read by id alone; search's index may be missing. Byte by byte: docs/formats/segment.md.
//!
//! Of the many segments that a trace may lie in, a filter over their trace ids, kept in memory,
//! leaves out nearly all that do not have it; the table, read page by page, has the last word.
#![warn(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_model::{SpanId, TraceId};
use tracewell_storage::Error;

use super::block::{Block, BlockParts, Body, IDS_PER_CHUNK, ids_of_chunks};
use super::frame::{self, FrameRef, FrameWriter};
use super::fuse::{Fuse16, FuseBuilder};
use super::meta::{SegmentMeta, data_name};
use crate::codec::{Damaged, Reader, put_varint};
use crate::format::Kind;
use crate::fs::{File, Fs};

/// Entries in a page of the trace-id table: about 750 bytes.
const ENTRIES_PER_PAGE: usize = 128;

/// Where a block lies and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockEntry {
    pub(crate) offset: u64,
    pub(crate) parts: BlockParts,
    pub(crate) first_row: u64,
    /// Its first and last fragment; a giant one lies in several blocks.
    pub(crate) first_fragment: u32,
    pub(crate) last_fragment: u32,
}

impl BlockEntry {
    pub(crate) fn end_row(&self) -> u64 {
        self.first_row + u64::from(self.parts.rows)
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        self.parts.put(out);
        put_varint(out, u64::from(self.first_fragment));
        put_varint(out, u64::from(self.last_fragment - self.first_fragment));
    }

    fn read(r: &mut Reader<'_>, first_row: u64) -> Result<BlockEntry, Damaged> {
        let (offset, parts) = (r.varint()?, BlockParts::read(r)?);
        let first_fragment = r.u32()?;
        let last_fragment = first_fragment.checked_add(r.u32()?);
        Ok(BlockEntry {
            offset,
            parts,
            first_row,
            first_fragment,
            last_fragment: last_fragment.ok_or(Damaged("fragments of a block"))?,
        })
    }
}

/// Where a trace id lies: a chunk of them, and its place in that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceIdPlace {
    pub(crate) block: usize,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    pub(crate) at: usize,
}

#[derive(Clone, Copy, Debug)]
struct TablePage {
    frame: FrameRef,
    first_hash: u32,
}

/// An entry of the trace-id table: hash and fragment.
pub(crate) type TraceEntry = (u32, u32);

/// The open data file.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    pub(crate) file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<BlockEntry>,
    pages: Vec<TablePage>,
    /// Fragments of traces that have several here, ascending.
    divided: Vec<u32>,
    /// Its trace ids. If it is damaged, or there is no room for it, or someone chose ids that no filter
    /// fits, the table is asked about each.
    pub(crate) filter: Result<Option<Fuse16>, Error>,
}

/// What traces are found by: a hash whose spread no sender can spoil by padding ids.
pub(crate) fn trace_hash(id: TraceId) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&id.0)
}

/// As much of it as stands in the table.
fn table_hash(hash: u64) -> u32 {
    hash as u32
}

impl DataFile {
    /// Opens it and reads its footer and its filter.
    pub(crate) fn open(fs: &dyn Fs, path: &Path) -> Result<(DataFile, SegmentMeta), Error> {
        let file = fs
            .open(path)
            .map_err(|error| crate::fs::io_error("open", path, &error))?;
        let footer = frame::read_footer(file.as_ref(), path, Kind::Segment)?;
        let footer = Footer::read(&mut Reader::new(&footer)).map_err(frame::senseless)?;
        let filter = frame::read_frame(file.as_ref(), path, &footer.filter)
            .and_then(|raw| read_filter(&raw).map_err(frame::senseless));
        let data = DataFile {
            file,
            path: path.to_owned(),
            blocks: footer.blocks,
            pages: footer.pages,
            divided: footer.divided,
            filter,
        };
        Ok((data, footer.meta))
    }

    /// Reads a block; one `pread`.
    pub(crate) fn read_block(&self, block: &BlockEntry) -> Result<Block, Error> {
        let bytes = self.read(block.offset, block.parts.bytes())?;
        Block::open(block.parts, bytes)
    }

    /// Reads a block without its ids.
    pub(crate) fn read_body(&self, block: &BlockEntry) -> Result<Body, Error> {
        let bytes = self.read(block.offset, block.parts.sections_bytes())?;
        Body::open(block.parts, bytes)
    }

    /// Reads the bytes of a block as they are.
    pub(crate) fn read_bytes(&self, block: &BlockEntry, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let length = block.parts.bytes();
        frame::read_into(self.file.as_ref(), &self.path, block.offset, length, bytes)
    }

    /// The id of one span, by its row in the block, and how many bytes were read for it.
    pub(crate) fn read_span_id(
        &self,
        block: &BlockEntry,
        row: u32,
    ) -> Result<(SpanId, usize), Error> {
        let (at, length) = block.parts.id_chunk(row);
        let ids = ids_of_chunks(&self.read(block.offset + at as u64, length)?)?;
        let id = ids.get(row as usize % IDS_PER_CHUNK).copied();
        let id = id.ok_or_else(|| Error::corrupt("the row is beyond its chunk"))?;
        Ok((SpanId(id), length))
    }

    /// Where the trace id of this fragment lies.
    pub(crate) fn trace_id_of(&self, fragment: u32) -> Option<TraceIdPlace> {
        let block = self.blocks_of_fragment(fragment).start;
        let entry = self.blocks.get(block)?;
        let number = fragment.checked_sub(entry.first_fragment)?;
        let (at, length) = entry.parts.trace_id_chunk(number);
        Some(TraceIdPlace {
            block,
            offset: entry.offset + at as u64,
            length,
            at: number as usize % IDS_PER_CHUNK,
        })
    }

    /// The trace ids of a chunk.
    pub(crate) fn read_trace_ids(&self, place: &TraceIdPlace) -> Result<Vec<TraceId>, Error> {
        let ids = ids_of_chunks(&self.read(place.offset, place.length)?)?;
        Ok(ids.into_iter().map(TraceId).collect())
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        frame::read(self.file.as_ref(), &self.path, offset, length)
    }

    pub(crate) fn filter_bytes(&self) -> usize {
        let filter = self.filter.as_ref().ok().and_then(Option::as_ref);
        filter.map_or(0, Fuse16::memory_bytes)
    }

    pub(crate) fn drop_filter(&mut self) {
        if self.filter.is_ok() {
            self.filter = Ok(None);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(self.blocks.as_slice())
            + size_of_val(self.pages.as_slice())
            + size_of_val(self.divided.as_slice())
            + self.filter_bytes()
    }

    /// False when no trace of this hash is here; true when one is, and rarely otherwise.
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let filter = self.filter.as_ref().ok().and_then(Option::as_ref);
        filter.is_none_or(|filter| filter.may_hold(hash))
    }

    /// The pages of the trace-id table that may have this hash; two if it is a page's first.
    pub(crate) fn pages_of(&self, hash: u64) -> std::ops::Range<usize> {
        let hash = table_hash(hash);
        let after = self.pages.partition_point(|page| page.first_hash <= hash);
        let before = self.pages.partition_point(|page| page.first_hash < hash);
        before.saturating_sub(1)..after
    }

    /// Pages of the trace-id table.
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// True when this fragment's trace has another one here: it was too large to be joined.
    pub(crate) fn is_divided(&self, fragment: u32) -> bool {
        self.divided.binary_search(&fragment).is_ok()
    }

    pub(crate) fn page_bytes(&self, page: usize) -> usize {
        self.pages
            .get(page)
            .map_or(0, |page| page.frame.bytes as usize)
    }

    /// Reads a page of the trace-id table, by hash.
    pub(crate) fn read_page(&self, page: usize) -> Result<Vec<TraceEntry>, Error> {
        let page = self
            .pages
            .get(page)
            .ok_or_else(|| Error::corrupt("no such page"))?;
        let raw = frame::read_frame(self.file.as_ref(), &self.path, &page.frame)?;
        read_table_page(&raw).map_err(frame::senseless)
    }

    /// The block that has this row.
    pub(crate) fn block_of_row(&self, row: u64) -> Option<usize> {
        let after = self.blocks.partition_point(|block| block.first_row <= row);
        let at = after.checked_sub(1)?;
        self.blocks
            .get(at)
            .filter(|block| row < block.end_row())
            .map(|_| at)
    }

    /// The blocks in which this fragment lies.
    pub(crate) fn blocks_of_fragment(&self, fragment: u32) -> std::ops::Range<usize> {
        let from = self
            .blocks
            .partition_point(|block| block.last_fragment < fragment);
        let to = self
            .blocks
            .partition_point(|block| block.first_fragment <= fragment);
        from..to.max(from)
    }
}

/// The fragments of a page that have this hash.
pub(crate) fn fragments_with(page: &[TraceEntry], hash: u64) -> impl Iterator<Item = u32> {
    let hash = table_hash(hash);
    let from = page.partition_point(|&(entry, _)| entry < hash);
    let these = page.get(from..).unwrap_or_default().iter();
    let these = these.take_while(move |(entry, _)| *entry == hash);
    these.map(|&(_, fragment)| fragment)
}

/// Nothing stands for no filter.
fn read_filter(bytes: &[u8]) -> Result<Option<Fuse16>, Damaged> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Fuse16::read(&mut Reader::new(bytes)).map(Some)
}

fn put_table_page(out: &mut Vec<u8>, entries: &[TraceEntry]) {
    let mut before = 0;
    for &(hash, fragment) in entries {
        put_varint(out, u64::from(hash - before));
        put_varint(out, u64::from(fragment));
        before = hash;
    }
}

fn read_table_page(bytes: &[u8]) -> Result<Vec<TraceEntry>, Damaged> {
    let mut r = Reader::new(bytes);
    let mut entries = Vec::with_capacity(ENTRIES_PER_PAGE);
    let mut hash = 0u32;
    while r.remaining() > 0 {
        hash = hash
            .checked_add(r.u32()?)
            .ok_or(Damaged("hash of a trace"))?;
        entries.push((hash, r.u32()?));
    }
    Ok(entries)
}

#[derive(Debug)]
struct Footer {
    meta: SegmentMeta,
    blocks: Vec<BlockEntry>,
    filter: FrameRef,
    pages: Vec<TablePage>,
    divided: Vec<u32>,
}

impl Footer {
    fn read(r: &mut Reader<'_>) -> Result<Footer, Damaged> {
        let meta = SegmentMeta::read(r)?;
        let mut blocks: Vec<BlockEntry> = Vec::new();
        for _ in 0..r.count(7)? {
            let first_row = blocks.last().map_or(0, BlockEntry::end_row);
            blocks.push(BlockEntry::read(r, first_row)?);
        }
        let filter = FrameRef::read(r)?;
        let mut pages = Vec::new();
        for _ in 0..r.count(4)? {
            pages.push(TablePage {
                frame: FrameRef::read(r)?,
                first_hash: r.u32()?,
            });
        }
        let mut divided = Vec::new();
        let mut fragment = 0u32;
        for _ in 0..r.count(1)? {
            let next = fragment.checked_add(r.u32()?);
            fragment = next.ok_or(Damaged("number of a fragment"))?;
            divided.push(fragment);
        }
        Ok(Footer {
            meta,
            blocks,
            filter,
            pages,
            divided,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.meta.put(out);
        put_varint(out, self.blocks.len() as u64);
        self.blocks.iter().for_each(|block| block.put(out));
        self.filter.put(out);
        put_varint(out, self.pages.len() as u64);
        for page in &self.pages {
            page.frame.put(out);
            put_varint(out, u64::from(page.first_hash));
        }
        put_varint(out, self.divided.len() as u64);
        let mut before = 0;
        for &fragment in &self.divided {
            put_varint(out, u64::from(fragment - before));
            before = fragment;
        }
    }
}

/// Fragments whose traces have several: whole hashes are taken for traces, since one fragment too
/// many is only looked up in vain.
fn divided(entries: &[TraceEntry], hashes: &[u64]) -> Vec<u32> {
    let hash = |fragment: u32| hashes.get(fragment as usize);
    let mut divided = Vec::new();
    for alike in entries
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|alike| alike.len() > 1)
    {
        let mut alike: Vec<_> = alike.iter().map(|&(_, at)| (hash(at), at)).collect();
        alike.sort_unstable();
        let several = alike
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|same| same.len() > 1);
        divided.extend(several.flatten().map(|&(_, at)| at));
    }
    divided.sort_unstable();
    divided
}

/// A data file that is being written.
#[derive(Debug)]
pub(crate) struct DataWriter<'f> {
    out: FrameWriter<'f>,
    blocks: Vec<BlockEntry>,
    /// Hash of each fragment's trace.
    hashes: Vec<u64>,
}

impl<'f> DataWriter<'f> {
    /// Begins the data file of this segment.
    pub(crate) fn create(fs: &'f dyn Fs, dir: &Path, id: u64) -> Result<Self, Error> {
        Ok(DataWriter {
            out: FrameWriter::create(fs, dir, &data_name(id), Kind::Segment)?,
            blocks: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Blocks so far: the number of the next one.
    pub(crate) fn blocks(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// Fragments so far: the number of the next one.
    pub(crate) fn fragments(&self) -> u32 {
        self.hashes.len() as u32
    }

    /// Rows so far: the number of the next one.
    pub(crate) fn rows(&self) -> u64 {
        self.blocks.last().map_or(0, BlockEntry::end_row)
    }

    /// Bytes that it holds until it is finished; then more for each fragment, for the filter and
    /// the table of trace ids.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let tables = self.hashes.capacity() * size_of::<u64>()
            + self.blocks.capacity() * size_of::<BlockEntry>();
        tables as u64
    }

    /// Appends a block as it is, with the traces that begin in it. The last trace before them may
    /// go on in it: `goes_on` says so.
    pub(crate) fn block(
        &mut self,
        bytes: &[u8],
        parts: BlockParts,
        goes_on: bool,
        traces: impl Iterator<Item = TraceId>,
    ) -> Result<(), Error> {
        let begun = self.hashes.len() as u32;
        self.hashes.extend(traces.map(trace_hash));
        let entry = BlockEntry {
            offset: self.out.offset(),
            parts,
            first_row: self.rows(),
            first_fragment: begun - u32::from(goes_on),
            last_fragment: (self.hashes.len() as u32).saturating_sub(1),
        };
        // The index names rows and fragments by 32 bits.
        if entry.end_row() > u64::from(u32::MAX) {
            return Err(Error::invalid("a segment has room for 2^32 spans"));
        }
        self.out.append(bytes)?;
        self.blocks.push(entry);
        Ok(())
    }

    /// Ends the file; answers its length.
    pub(crate) fn finish(mut self, meta: &SegmentMeta) -> Result<u64, Error> {
        let filter: Option<Fuse16> = FuseBuilder::default().build(&self.hashes);
        let mut raw = Vec::new();
        filter.iter().for_each(|filter| filter.put(&mut raw));
        let mut footer = Footer {
            meta: meta.clone(),
            blocks: self.blocks,
            filter: self.out.put_raw(&raw)?,
            pages: Vec::new(),
            divided: Vec::new(),
        };
        let hashes = self.hashes.iter().map(|&hash| table_hash(hash));
        let mut entries: Vec<TraceEntry> = hashes.zip(0..).collect();
        entries.sort_unstable();
        footer.divided = divided(&entries, &self.hashes);
        for page in entries.chunks(ENTRIES_PER_PAGE) {
            raw.clear();
            put_table_page(&mut raw, page);
            footer.pages.push(TablePage {
                frame: self.out.put_raw(&raw)?,
                first_hash: page.first().map_or(0, |&(hash, _)| hash),
            });
        }
        raw.clear();
        footer.put(&mut raw);
        self.out.finish(&raw)
    }
}
