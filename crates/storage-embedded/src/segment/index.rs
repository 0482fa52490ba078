//! The index file: everything search needs of a segment but the spans. It may go before the data
//! does (7 days of search, 30 of spans). Byte by byte: docs/formats/segment.md.
//!
//! Each part is a number of frames that are read and written one after the other, so that a merged
//! segment's index is made from those of its inputs without any of them being in memory as a whole.
#![warn(clippy::indexing_slicing)]

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_storage::Error;

use super::block::Block;
use super::failed::{self, FailedBlock, FailedEntry, FailedWriter};
use super::filter::{FilterFrame, FilterWriter};
use super::fragment::{FragmentPage, PageEntry};
use super::frame::{self, FrameRef, FrameWriter};
use super::meta::{SegmentMeta, index_name};
use super::names::NameTable;
use super::pages::{FRAGMENTS_PER_PAGE, FragmentWriter};
use super::postings::{self, KeyTable, PostingFrame, PostingWriter};
use super::projection::{ProjectionEntry, ProjectionFrame, ProjectionWriter};
use crate::codec::{Damaged, Reader, put_varint};
use crate::format::Kind;
use crate::fs::{File, Fs};

/// Where the parts of an index lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) names: FrameRef,
    pub(crate) keys: FrameRef,
    pub(crate) pages: Vec<PageEntry>,
    pub(crate) projection: Vec<ProjectionEntry>,
    pub(crate) filters: Vec<FrameRef>,
    /// By row. None of files that were written before there were such.
    pub(crate) failed: Vec<FailedEntry>,
}

impl Directory {
    fn put(&self, out: &mut Vec<u8>) {
        self.names.put(out);
        self.keys.put(out);
        put_varint(out, self.pages.len() as u64);
        self.pages.iter().for_each(|page| page.put(out));
        put_varint(out, self.projection.len() as u64);
        self.projection.iter().for_each(|entry| entry.put(out));
        put_varint(out, self.filters.len() as u64);
        self.filters.iter().for_each(|frame| frame.put(out));
        put_varint(out, self.failed.len() as u64);
        self.failed.iter().for_each(|entry| entry.put(out));
    }

    fn read(r: &mut Reader<'_>) -> Result<Directory, Damaged> {
        fn list<T>(
            r: &mut Reader<'_>,
            bytes_min: usize,
            read: impl Fn(&mut Reader<'_>) -> Result<T, Damaged>,
        ) -> Result<Vec<T>, Damaged> {
            (0..r.count(bytes_min)?).map(|_| read(r)).collect()
        }
        Ok(Directory {
            names: FrameRef::read(r)?,
            keys: FrameRef::read(r)?,
            pages: list(r, 8, PageEntry::read)?,
            projection: list(r, 9, ProjectionEntry::read)?,
            filters: list(r, 3, FrameRef::read)?,
            failed: match r.remaining() {
                0 => Vec::new(),
                _ => list(r, 18, FailedEntry::read)?,
            },
        })
    }

    /// No span of these fragments begins before the first of these times, or ends after the second.
    pub(crate) fn times_of(&self, fragments: RangeInclusive<u32>) -> Option<(u64, u64)> {
        let page = |fragment: u32| (fragment / FRAGMENTS_PER_PAGE) as usize;
        let pages = page(*fragments.start())..=page(*fragments.end());
        let pages = self.pages.get(pages)?;
        let first = pages.iter().map(|page| page.start_min_unix_ns).min()?;
        Some((first, pages.iter().map(|page| page.end_max_unix_ns).max()?))
    }
}

/// The open index file.
#[derive(Clone, Debug)]
pub(crate) struct IndexFile {
    file: Arc<dyn File>,
    path: PathBuf,
    pub(crate) directory: Directory,
}

impl IndexFile {
    /// Opens it and reads its footer.
    pub(crate) fn open(fs: &dyn Fs, path: &Path) -> Result<(IndexFile, SegmentMeta), Error> {
        let file = fs
            .open(path)
            .map_err(|error| crate::fs::io_error("open", path, &error))?;
        let footer = frame::read_footer(file.as_ref(), path, Kind::Index)?;
        let mut r = Reader::new(&footer);
        let meta = SegmentMeta::read(&mut r).map_err(frame::senseless)?;
        let directory = Directory::read(&mut r).map_err(frame::senseless)?;
        Ok((IndexFile::of(file, path.to_owned(), directory), meta))
    }

    fn of(file: Arc<dyn File>, path: PathBuf, directory: Directory) -> IndexFile {
        IndexFile {
            file,
            path,
            directory,
        }
    }

    fn read<T>(
        &self,
        frame: &FrameRef,
        parse: impl FnOnce(&[u8]) -> Result<T, Damaged>,
    ) -> Result<T, Error> {
        let raw = frame::read_frame(self.file.as_ref(), &self.path, frame)?;
        parse(&raw).map_err(frame::senseless)
    }

    fn read_columns<T, const N: usize>(
        &self,
        frame: &FrameRef,
        parse: impl FnOnce(&[Vec<u8>; N]) -> Result<T, Damaged>,
    ) -> Result<T, Error> {
        let columns = frame::read_columns(self.file.as_ref(), &self.path, frame)?;
        parse(&columns).map_err(frame::senseless)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let directory = &self.directory;
        size_of_val(directory.pages.as_slice())
            + size_of_val(directory.projection.as_slice())
            + size_of_val(directory.filters.as_slice())
            + size_of_val(directory.failed.as_slice())
    }

    /// Bytes of names and keys, which are read as a whole.
    pub(crate) fn table_bytes(&self) -> u64 {
        let Directory { names, keys, .. } = &self.directory;
        u64::from(names.raw_bytes) + u64::from(keys.raw_bytes)
    }

    pub(crate) fn read_names(&self) -> Result<NameTable, Error> {
        self.read(&self.directory.names, NameTable::read)
    }

    pub(crate) fn read_keys(&self) -> Result<KeyTable, Error> {
        self.read(&self.directory.keys, KeyTable::read)
    }

    pub(crate) fn read_page(&self, page: &PageEntry) -> Result<FragmentPage, Error> {
        self.read_columns(&page.frame, FragmentPage::read)
    }

    pub(crate) fn read_projection(
        &self,
        entry: &ProjectionEntry,
    ) -> Result<ProjectionFrame, Error> {
        self.read_columns(&entry.frame, ProjectionFrame::read)
    }

    pub(crate) fn read_postings(&self, frame: &FrameRef) -> Result<PostingFrame, Error> {
        self.read(frame, postings::read_frame)
    }

    /// The bytes of a block of failed spans, as they are.
    pub(crate) fn read_failed_bytes(&self, entry: &FailedEntry) -> Result<Vec<u8>, Error> {
        let (file, bytes) = (self.file.as_ref(), entry.parts.bytes());
        frame::read(file, &self.path, entry.offset, bytes)
    }

    /// Where the spans of such a block stand.
    pub(crate) fn read_failed_rows(&self, entry: &FailedEntry) -> Result<Vec<u32>, Error> {
        let rows = self.read(&entry.rows, failed::read_rows)?;
        if rows.len() == entry.parts.rows as usize && rows.is_sorted() {
            Ok(rows)
        } else {
            Err(Error::corrupt("rows of failed spans"))
        }
    }

    /// A block of failed spans.
    pub(crate) fn read_failed(&self, entry: &FailedEntry) -> Result<FailedBlock, Error> {
        Ok(FailedBlock {
            rows: self.read_failed_rows(entry)?,
            block: Block::open(entry.parts, self.read_failed_bytes(entry)?)?,
        })
    }

    pub(crate) fn read_filters(&self, frame: &FrameRef) -> Result<FilterFrame, Error> {
        self.read(frame, FilterFrame::read)
    }
}

/// An index file that is being written. Parts come in any order, each in its own.
#[derive(Debug)]
pub(crate) struct IndexWriter<'f> {
    pub(crate) out: FrameWriter<'f>,
    pub(crate) filters: FilterWriter,
    pub(crate) fragments: FragmentWriter,
    pub(crate) projection: ProjectionWriter,
    pub(crate) postings: PostingWriter,
    pub(crate) failed: FailedWriter,
}

impl<'f> IndexWriter<'f> {
    /// Begins the index file of this segment.
    pub(crate) fn create(fs: &'f dyn Fs, dir: &Path, id: u64) -> Result<Self, Error> {
        Ok(IndexWriter {
            out: FrameWriter::create(fs, dir, &index_name(id), Kind::Index)?,
            filters: FilterWriter::default(),
            fragments: FragmentWriter::default(),
            projection: ProjectionWriter::default(),
            postings: PostingWriter::default(),
            failed: FailedWriter::default(),
        })
    }

    /// Ends the file; answers its length.
    pub(crate) fn finish(self, meta: &SegmentMeta, names: &NameTable) -> Result<u64, Error> {
        let (out, directory) = self.end_parts(names)?;
        let mut footer = Vec::new();
        meta.put(&mut footer);
        directory.put(&mut footer);
        out.finish(&footer)
    }

    /// Ends the file for whoever wrote it: it has no name any more.
    pub(crate) fn finish_unnamed(self, names: &NameTable) -> Result<IndexFile, Error> {
        let (out, directory) = self.end_parts(names)?;
        let (file, path) = out.finish_unnamed()?;
        Ok(IndexFile::of(file, path, directory))
    }

    fn end_parts(mut self, names: &NameTable) -> Result<(FrameWriter<'f>, Directory), Error> {
        let mut raw = Vec::new();
        names.put(&mut raw);
        let out = &mut self.out;
        let directory = Directory {
            names: out.put(&raw)?,
            keys: self.postings.finish(out)?,
            pages: self.fragments.finish(out)?,
            projection: self.projection.finish(out)?,
            filters: self.filters.finish(out)?,
            failed: self.failed.finish(),
        };
        Ok((self.out, directory))
    }
}
