//! Segments: immutable files of sealed spans, each with its index. `seal` writes them, the rest
//! reads them. A segment whose data or index file is missing or damaged is still open: what it
//! has is answered, what it lacks is named.

pub(crate) mod block;
pub(crate) mod cache;
pub(crate) mod cut;
pub(crate) mod data;
pub(crate) mod failed;
pub(crate) mod filter;
pub(crate) mod fragment;
pub(crate) mod frame;
pub(crate) mod fuse;
pub(crate) mod gather;
pub(crate) mod index;
pub(crate) mod merge;
pub(crate) mod meta;
pub(crate) mod names;
pub(crate) mod pages;
pub(crate) mod posted;
pub(crate) mod postings;
pub(crate) mod projection;
pub(crate) mod rough;
pub(crate) mod run;
pub(crate) mod seal;
pub(crate) mod steps;
mod tally;
pub(crate) mod values;

use std::path::Path;

use tracewell_storage::Error;

use crate::fs::Fs;
use data::DataFile;
use index::IndexFile;
use meta::{SegmentMeta, data_name, index_name};

/// An open segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) meta: SegmentMeta,
    pub(crate) data: Result<DataFile, Error>,
    pub(crate) index: Result<IndexFile, Error>,
}

impl Segment {
    /// Opens the files of a segment that the manifest names.
    pub(crate) fn open(fs: &dyn Fs, dir: &Path, meta: SegmentMeta) -> Segment {
        let data = DataFile::open(fs, &dir.join(data_name(meta.id)));
        let index = match meta.has_index() {
            true => IndexFile::open(fs, &dir.join(index_name(meta.id))),
            false => Err(Error::invalid("it was removed by age")),
        };
        let (data, index) = (
            check(&meta, data, DataFile::is_whole),
            check(&meta, index, IndexFile::is_whole),
        );
        Segment { meta, data, index }
    }

    /// Bytes of its trace-id filter in memory.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, DataFile::filter_bytes)
    }

    /// From now on its table is asked for each trace id.
    pub(crate) fn drop_filter(&mut self) {
        if let Ok(data) = &mut self.data {
            data.drop_filter();
        }
    }

    /// Bytes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, IndexFile::memory_bytes);
        self.data.as_ref().map_or(0, DataFile::memory_bytes) + index
    }

    /// What of it is known to be damaged, or missing though it is young enough to be there.
    pub(crate) fn damage(&self) -> Option<&Error> {
        let filter = self.data.as_ref().map(|data| data.filter.as_ref().err());
        let index = self.index.as_ref().err().filter(|_| self.meta.has_index());
        filter.unwrap_or_else(Some).or(index)
    }

    /// Opens a segment that no manifest names, if its data is whole. The data file is the last to
    /// get its name: without an index, the index was removed by age, or damaged since.
    pub(crate) fn adopt(fs: &dyn Fs, dir: &Path, id: u64) -> Result<Segment, Error> {
        let (data, mut meta) = DataFile::open(fs, &dir.join(data_name(id)))?;
        if meta.id != id {
            return Err(Error::corrupt("its footer is another segment's"));
        }
        check(&meta, Ok((data, meta.clone())), DataFile::is_whole)?;
        let length = |name: String| fs.open(&dir.join(name)).and_then(|file| file.len());
        meta.data_bytes = length(data_name(id))
            .map_err(|error| Error::retryable(format!("stat a segment: {error}")))?;
        meta.index_bytes = length(index_name(id)).unwrap_or(0);
        Ok(Segment::open(fs, dir, meta))
    }
}

/// A file that belongs to another segment, or whose tables do not add up to what its segment
/// holds, is as good as damaged: rows and fragments would be looked for in the wrong place.
fn check<F>(
    meta: &SegmentMeta,
    opened: Result<(F, SegmentMeta), Error>,
    is_whole: impl Fn(&F, &SegmentMeta) -> bool,
) -> Result<F, Error> {
    let (file, own) = opened?;
    let same = own.id == meta.id && own.spans == meta.spans && own.fragments == meta.fragments;
    if same && is_whole(&file, meta) {
        Ok(file)
    } else {
        Err(Error::corrupt("its footer does not fit the manifest"))
    }
}

impl DataFile {
    fn is_whole(&self, meta: &SegmentMeta) -> bool {
        let rows = self.blocks.last().map_or(0, data::BlockEntry::end_row);
        rows == meta.spans
    }
}

impl IndexFile {
    fn is_whole(&self, meta: &SegmentMeta) -> bool {
        let pages = meta
            .fragments
            .div_ceil(u64::from(pages::FRAGMENTS_PER_PAGE));
        pages == self.directory.pages.len() as u64
    }
}
