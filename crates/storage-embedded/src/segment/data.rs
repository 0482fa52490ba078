//! The data file: blocks of spans, and the table by which a trace id finds its blocks. It answers
//! a read by id alone; search's index may be missing. Byte by byte: docs/formats/segment.md.
//!
//! A block is whole traces, about 4,096 spans: a coded, compressed batch, then its span ids raw,
//! in chunks with a checksum each. Ids do not compress, and a search result needs one of them: it
//! reads a chunk instead of a block.
#![warn(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_model::{SpanBatch, SpanId, SpanRef, TraceId};
use tracewell_storage::Error;

use super::frame::{self, FrameRef, FrameWriter};
use super::meta::{SegmentMeta, data_name};
use crate::codec::{self, Damaged, Reader, put_varint};
use crate::format::{self, Kind};
use crate::fs::{File, Fs};

/// Span ids with a checksum of their own: 260 bytes to read for one id, 0.13 bytes a span.
const IDS_PER_CHUNK: usize = 32;
const CHUNK_BYTES: usize = IDS_PER_CHUNK * 8 + 4;
/// Entries in a page of the trace-id table: 1 KiB.
const ENTRIES_PER_PAGE: usize = 128;

/// Where a block lies and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockEntry {
    pub(crate) frame: FrameRef,
    /// Where the span ids belong in the coded batch.
    ids_at: u32,
    pub(crate) rows: u32,
    pub(crate) first_row: u64,
    /// Its first and last fragment; a giant one lies in several blocks.
    pub(crate) first_fragment: u32,
    pub(crate) last_fragment: u32,
}

impl BlockEntry {
    fn ids_bytes(&self) -> usize {
        self.rows as usize * 8 + (self.rows as usize).div_ceil(IDS_PER_CHUNK) * 4
    }

    pub(crate) fn end_row(&self) -> u64 {
        self.first_row + u64::from(self.rows)
    }

    /// Bytes to read for all of it.
    pub(crate) fn bytes(&self) -> usize {
        self.frame.bytes as usize + self.ids_bytes()
    }
}

#[derive(Debug)]
struct TablePage {
    frame: FrameRef,
    first_hash: u32,
}

/// An entry of the trace-id table.
pub(crate) type TraceEntry = (u32, u32);

/// The open data file.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<BlockEntry>,
    pages: Vec<TablePage>,
}

/// What traces are found by: 32 bits of a hash whose spread no sender can spoil by padding ids.
pub(crate) fn trace_hash(id: TraceId) -> u32 {
    xxhash_rust::xxh3::xxh3_64(&id.0) as u32
}

impl DataFile {
    /// Opens it and reads its footer.
    pub(crate) fn open(fs: &dyn Fs, path: &Path) -> Result<(DataFile, SegmentMeta), Error> {
        let file = fs
            .open(path)
            .map_err(|error| crate::fs::io_error("open", path, &error))?;
        let footer = frame::read_footer(file.as_ref(), path, Kind::Segment)?;
        let (meta, blocks, pages) =
            read_footer(&mut Reader::new(&footer)).map_err(frame::senseless)?;
        Ok((
            DataFile {
                file,
                path: path.to_owned(),
                blocks,
                pages,
            },
            meta,
        ))
    }

    /// Reads a block; one `pread`.
    pub(crate) fn read_block(&self, block: &BlockEntry) -> Result<SpanBatch, Error> {
        let bytes = frame::read(
            self.file.as_ref(),
            &self.path,
            block.frame.offset,
            block.bytes(),
        )?;
        let (coded, chunks) = bytes
            .split_at_checked(block.frame.bytes as usize)
            .ok_or_else(|| Error::corrupt("the block is cut"))?;
        let mut coded = frame::open_frame(&block.frame, coded)?;
        let ids = open_chunks(chunks)?;
        let at = block.ids_at as usize;
        if at > coded.len() {
            return Err(Error::corrupt("the place of its span ids"));
        }
        coded.splice(at..at, ids);
        let batch = codec::decode(&coded)?;
        if batch.len() == block.rows as usize {
            Ok(batch)
        } else {
            Err(Error::corrupt(
                "it has another number of spans than its entry says",
            ))
        }
    }

    /// The id of one span, by its row in the block, and how many bytes were read for it.
    pub(crate) fn read_span_id(
        &self,
        block: &BlockEntry,
        row: u32,
    ) -> Result<(SpanId, usize), Error> {
        let chunk = row as usize / IDS_PER_CHUNK * CHUNK_BYTES;
        let length = CHUNK_BYTES.min(block.ids_bytes().saturating_sub(chunk));
        let offset = block.frame.offset + u64::from(block.frame.bytes) + chunk as u64;
        let bytes = frame::read(self.file.as_ref(), &self.path, offset, length)?;
        let ids = open_chunks(&bytes)?;
        let at = row as usize % IDS_PER_CHUNK * 8;
        let id = ids
            .get(at..at + 8)
            .and_then(|id| id.try_into().ok())
            .map(SpanId);
        Ok((
            id.ok_or_else(|| Error::corrupt("the row is beyond its chunk"))?,
            length,
        ))
    }

    /// The pages of the trace-id table that may have this hash; two if it is a page's first.
    pub(crate) fn pages_of(&self, hash: u32) -> std::ops::Range<usize> {
        let after = self.pages.partition_point(|page| page.first_hash <= hash);
        let before = self.pages.partition_point(|page| page.first_hash < hash);
        before.saturating_sub(1)..after
    }

    pub(crate) fn page_bytes(&self, page: usize) -> usize {
        self.pages
            .get(page)
            .map_or(0, |page| page.frame.bytes as usize)
    }

    /// Reads a page of the trace-id table: (hash, fragment), by hash.
    pub(crate) fn read_page(&self, page: usize) -> Result<Vec<TraceEntry>, Error> {
        let page = self
            .pages
            .get(page)
            .ok_or_else(|| Error::corrupt("no such page"))?;
        let raw = frame::read_frame(self.file.as_ref(), &self.path, &page.frame)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
        let entry = |entry: &[u8]| {
            let (hash, fragment) = entry.split_at_checked(4).unwrap_or_default();
            (number(hash), number(fragment))
        };
        Ok(raw.chunks_exact(8).map(entry).collect())
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

/// The ids of some chunks, each checked.
fn open_chunks(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut ids = Vec::with_capacity(bytes.len());
    for chunk in bytes.chunks(CHUNK_BYTES) {
        let (these, crc) = chunk
            .split_last_chunk::<4>()
            .ok_or_else(|| Error::corrupt("its span ids are cut"))?;
        if u32::from_le_bytes(*crc) != format::checksum(these) {
            return Err(Error::corrupt("the checksum of its span ids does not hold"));
        }
        ids.extend_from_slice(these);
    }
    Ok(ids)
}

type Footer = (SegmentMeta, Vec<BlockEntry>, Vec<TablePage>);

fn read_footer(r: &mut Reader<'_>) -> Result<Footer, Damaged> {
    let meta = SegmentMeta::read(r)?;
    let mut blocks = Vec::new();
    let mut row = 0u64;
    for _ in 0..r.count(7)? {
        let frame = FrameRef::read(r)?;
        let (ids_at, rows) = (r.u32()?, r.u32()?);
        let (first_fragment, last_fragment) = (r.u32()?, r.u32()?);
        let block = BlockEntry {
            frame,
            ids_at,
            rows,
            first_row: row,
            first_fragment,
            last_fragment,
        };
        row += u64::from(rows);
        blocks.push(block);
    }
    let mut pages = Vec::new();
    for _ in 0..r.count(4)? {
        pages.push(TablePage {
            frame: FrameRef::read(r)?,
            first_hash: r.u32()?,
        });
    }
    Ok((meta, blocks, pages))
}

/// A data file that is being put together.
#[derive(Debug)]
pub(crate) struct DataWriter<'f> {
    out: FrameWriter<'f>,
    blocks: Vec<BlockEntry>,
    rows: u64,
}

impl<'f> DataWriter<'f> {
    /// Begins the data file of this segment.
    pub(crate) fn create(fs: &'f dyn Fs, dir: &Path, id: u64) -> Result<Self, Error> {
        Ok(DataWriter {
            out: FrameWriter::create(fs, dir, &data_name(id), Kind::Segment)?,
            blocks: Vec::new(),
            rows: 0,
        })
    }

    /// Appends a block of these spans, which are those of these fragments; answers what it holds.
    pub(crate) fn block<'a>(
        &mut self,
        spans: &[SpanRef<'a>],
        fragments: std::ops::RangeInclusive<u32>,
    ) -> Result<SpanBatch, Error> {
        let mut builder = tracewell_model::BatchBuilder::new(1);
        let mut scratch = tracewell_model::CopyScratch::default();
        spans
            .iter()
            .for_each(|span| builder.copy(*span, &mut scratch));
        let batch = builder.finish_one();
        let mut coded = Vec::new();
        codec::encode(&batch, &mut coded);
        let ids: Vec<u8> = batch.columns().span_id.iter().flat_map(|id| id.0).collect();
        // Wherever these bytes are found first: putting them back there gives the same batch.
        let ids_at = find(&coded, &ids)
            .ok_or_else(|| Error::invalid("a coded batch does not hold its span ids in a row"))?;
        coded.drain(ids_at..ids_at + ids.len());
        let frame = self.out.put(&coded)?;
        for chunk in ids.chunks(IDS_PER_CHUNK * 8) {
            self.out.append(chunk)?;
            self.out.append(&format::checksum(chunk).to_le_bytes())?;
        }
        self.blocks.push(BlockEntry {
            frame,
            ids_at: ids_at as u32,
            rows: spans.len() as u32,
            first_row: self.rows,
            first_fragment: *fragments.start(),
            last_fragment: *fragments.end(),
        });
        self.rows += spans.len() as u64;
        Ok(batch)
    }

    /// Ends the file, given the traces in fragment order. Answers its length.
    pub(crate) fn finish(
        mut self,
        meta: &SegmentMeta,
        traces: impl Iterator<Item = TraceId>,
    ) -> Result<u64, Error> {
        let mut entries: Vec<TraceEntry> = traces
            .zip(0..)
            .map(|(id, fragment)| (trace_hash(id), fragment))
            .collect();
        entries.sort_unstable();
        let mut footer = Vec::new();
        meta.put(&mut footer);
        put_varint(&mut footer, self.blocks.len() as u64);
        for block in &self.blocks {
            block.frame.put(&mut footer);
            for number in [
                block.ids_at,
                block.rows,
                block.first_fragment,
                block.last_fragment,
            ] {
                put_varint(&mut footer, u64::from(number));
            }
        }
        put_varint(&mut footer, entries.len().div_ceil(ENTRIES_PER_PAGE) as u64);
        for page in entries.chunks(ENTRIES_PER_PAGE) {
            let bytes =
                |&(hash, fragment): &TraceEntry| [hash.to_le_bytes(), fragment.to_le_bytes()];
            let raw = page.iter().flat_map(bytes).flatten().collect::<Vec<u8>>();
            self.out.put_raw(&raw)?.put(&mut footer);
            put_varint(
                &mut footer,
                page.first().map_or(0, |&(hash, _)| u64::from(hash)),
            );
        }
        self.out.finish(&footer)
    }
}

/// Where `needle` lies in `hay`.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(&first) = needle.first() else {
        return Some(0);
    };
    let last = hay.len().checked_sub(needle.len())?;
    (0..=last).find(|&at| {
        let from = hay.get(at..).unwrap_or(&[]);
        from.first() == Some(&first) && from.starts_with(needle)
    })
}
