//! The index file: everything search needs of a segment but the spans. It may go before the data
//! does (7 days of search, 30 of spans). Byte by byte: docs/formats/segment.md.
#![warn(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_storage::Error;

use super::fragment::{self, FRAGMENTS_PER_PAGE, Fragment, FragmentPage};
use super::frame::{self, FrameRef, FrameWriter};
use super::meta::{SegmentMeta, index_name};
use super::names::NameTable;
use super::postings::{self, KeyTable, PostingBuilder, PostingFrame};
use super::projection::{self, ProjectionFrame};
use crate::codec::{Damaged, Reader, put_varint};
use crate::format::Kind;
use crate::fs::{File, Fs};

/// A page of the fragment table.
#[derive(Debug)]
pub(crate) struct PageEntry {
    pub(crate) frame: FrameRef,
    /// Start of its first fragment.
    pub(crate) start_unix_ns: u64,
}

/// A frame of the projection and its groups.
#[derive(Debug)]
pub(crate) struct ProjectionEntry {
    pub(crate) frame: FrameRef,
    pub(crate) first_group: u32,
    pub(crate) last_group: u32,
}

/// The open index file.
#[derive(Debug)]
pub(crate) struct IndexFile {
    file: Arc<dyn File>,
    path: PathBuf,
    pub(crate) names: FrameRef,
    pub(crate) keys: FrameRef,
    pub(crate) pages: Vec<PageEntry>,
    pub(crate) projection: Vec<ProjectionEntry>,
}

impl IndexFile {
    /// Opens it and reads its footer.
    pub(crate) fn open(fs: &dyn Fs, path: &Path) -> Result<(IndexFile, SegmentMeta), Error> {
        let file = fs
            .open(path)
            .map_err(|error| crate::fs::io_error("open", path, &error))?;
        let footer = frame::read_footer(file.as_ref(), path, Kind::Index)?;
        read_footer(&mut Reader::new(&footer), file, path).map_err(frame::senseless)
    }

    fn read<T>(
        &self,
        frame: &FrameRef,
        parse: impl FnOnce(&[u8]) -> Result<T, Damaged>,
    ) -> Result<T, Error> {
        let raw = frame::read_frame(self.file.as_ref(), &self.path, frame)?;
        parse(&raw).map_err(frame::senseless)
    }

    pub(crate) fn read_names(&self) -> Result<NameTable, Error> {
        self.read(&self.names, NameTable::read)
    }

    pub(crate) fn read_keys(&self) -> Result<KeyTable, Error> {
        self.read(&self.keys, KeyTable::read)
    }

    pub(crate) fn read_page(&self, page: &PageEntry) -> Result<FragmentPage, Error> {
        self.read(&page.frame, fragment::read_page)
    }

    pub(crate) fn read_projection(
        &self,
        entry: &ProjectionEntry,
    ) -> Result<ProjectionFrame, Error> {
        self.read(&entry.frame, projection::read_frame)
    }

    pub(crate) fn read_postings(&self, frame: &FrameRef) -> Result<PostingFrame, Error> {
        self.read(frame, postings::read_frame)
    }
}

fn read_footer(
    r: &mut Reader<'_>,
    file: Arc<dyn File>,
    path: &Path,
) -> Result<(IndexFile, SegmentMeta), Damaged> {
    let meta = SegmentMeta::read(r)?;
    let (names, keys) = (FrameRef::read(r)?, FrameRef::read(r)?);
    let mut pages = Vec::new();
    for _ in 0..r.count(4)? {
        pages.push(PageEntry {
            frame: FrameRef::read(r)?,
            start_unix_ns: r.varint()?,
        });
    }
    let mut projection = Vec::new();
    for _ in 0..r.count(5)? {
        let frame = FrameRef::read(r)?;
        let (first_group, last_group) = (r.u32()?, r.u32()?);
        projection.push(ProjectionEntry {
            frame,
            first_group,
            last_group,
        });
    }
    let path = path.to_owned();
    Ok((
        IndexFile {
            file,
            path,
            names,
            keys,
            pages,
            projection,
        },
        meta,
    ))
}

/// What an index file is made of.
pub(crate) struct IndexInput<'a> {
    pub(crate) meta: &'a SegmentMeta,
    pub(crate) names: &'a NameTable,
    pub(crate) fragments: &'a [Fragment],
    pub(crate) projection: Vec<ProjectionFrame>,
    pub(crate) postings: PostingBuilder<'a>,
}

/// Writes the whole file; answers its length.
pub(crate) fn write(fs: &dyn Fs, dir: &Path, input: IndexInput<'_>) -> Result<u64, Error> {
    let mut out = FrameWriter::create(fs, dir, &index_name(input.meta.id), Kind::Index)?;
    let mut footer = Vec::new();
    let mut raw = Vec::new();
    input.meta.put(&mut footer);
    input.names.put(&mut raw);
    out.put(&raw)?.put(&mut footer);
    let keys = put_postings(&mut out, input.postings)?;
    raw.clear();
    keys.put(&mut raw);
    out.put(&raw)?.put(&mut footer);
    let pages = input.fragments.chunks(FRAGMENTS_PER_PAGE as usize);
    put_varint(&mut footer, pages.len() as u64);
    for page in pages {
        raw.clear();
        fragment::put_page(&mut raw, page);
        out.put(&raw)?.put(&mut footer);
        put_varint(
            &mut footer,
            page.first().map_or(0, |first| first.extent().start),
        );
    }
    put_varint(&mut footer, input.projection.len() as u64);
    for frame in &input.projection {
        raw.clear();
        projection::put_frame(&mut raw, frame);
        out.put(&raw)?.put(&mut footer);
        let groups = [frame.pieces.first(), frame.pieces.last()];
        for piece in groups {
            put_varint(&mut footer, piece.map_or(0, |piece| u64::from(piece.group)));
        }
    }
    out.finish(&footer)
}

fn put_postings(
    out: &mut FrameWriter<'_>,
    postings: PostingBuilder<'_>,
) -> Result<KeyTable, Error> {
    let mut table = KeyTable::default();
    let mut raw = Vec::new();
    for (name, values) in postings.finish() {
        let mut frames = Vec::new();
        let mut first = None;
        let last = values.len().saturating_sub(1);
        for (number, ((text, cut), blocks)) in values.iter().enumerate() {
            first.get_or_insert(text);
            postings::put_posting(&mut raw, text, *cut, blocks);
            if raw.len() >= postings::FRAME_BYTES || number == last {
                let first = first
                    .take()
                    .map(|text| text.to_string())
                    .unwrap_or_default();
                frames.push((out.put(&raw)?, first));
                raw.clear();
            }
        }
        table.keys.push(postings::Key {
            name: name.to_owned(),
            frames,
        });
    }
    Ok(table)
}
