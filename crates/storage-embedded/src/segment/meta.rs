//! What the manifest knows of a segment, and its own footer repeats: enough to leave it out of a
//! search, to account for its spans, and to know which records of the log it holds.
#![warn(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use crate::codec::{Damaged, Reader, put_varint};
use crate::head::OffsetRange;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentMeta {
    pub(crate) id: u64,
    /// 0 as sealed from the head; more for what compaction merged.
    pub(crate) level: u8,
    pub(crate) spans: u64,
    /// Exact repeats that the seal left out.
    pub(crate) duplicates: u64,
    pub(crate) fragments: u64,
    /// The earliest and the latest start of a fragment.
    pub(crate) start_min_unix_ns: u64,
    pub(crate) start_max_unix_ns: u64,
    pub(crate) end_max_unix_ns: u64,
    pub(crate) arrived_min_unix_ns: u64,
    pub(crate) arrived_max_unix_ns: u64,
    /// The records of the log whose spans it holds.
    pub(crate) ranges: Vec<OffsetRange>,
    /// Bytes of its files; 0 in its own footer, which cannot know.
    pub(crate) data_bytes: u64,
    pub(crate) index_bytes: u64,
}

impl SegmentMeta {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        for number in [
            self.id,
            u64::from(self.level),
            self.spans,
            self.duplicates,
            self.fragments,
            self.start_min_unix_ns,
            self.start_max_unix_ns,
            self.end_max_unix_ns,
            self.arrived_min_unix_ns,
            self.arrived_max_unix_ns,
            self.data_bytes,
            self.index_bytes,
            self.ranges.len() as u64,
        ] {
            put_varint(out, number);
        }
        for range in &self.ranges {
            put_varint(out, u64::from(range.partition));
            put_varint(out, range.first);
            put_varint(out, range.last);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<SegmentMeta, Damaged> {
        let mut meta = SegmentMeta {
            id: r.varint()?,
            level: u8::try_from(r.varint()?).map_err(|_| Damaged("level"))?,
            spans: r.varint()?,
            duplicates: r.varint()?,
            fragments: r.varint()?,
            start_min_unix_ns: r.varint()?,
            start_max_unix_ns: r.varint()?,
            end_max_unix_ns: r.varint()?,
            arrived_min_unix_ns: r.varint()?,
            arrived_max_unix_ns: r.varint()?,
            data_bytes: r.varint()?,
            index_bytes: r.varint()?,
            ranges: Vec::new(),
        };
        for _ in 0..r.count(3)? {
            let (partition, first, last) = (r.u32()?, r.varint()?, r.varint()?);
            meta.ranges.push(OffsetRange {
                partition,
                first,
                last,
            });
        }
        Ok(meta)
    }

    /// False once its index was removed by age: searches leave it out.
    pub(crate) fn has_index(&self) -> bool {
        self.index_bytes > 0
    }

    /// True when it holds the spans of all records of the other.
    pub(crate) fn covers(&self, other: &SegmentMeta) -> bool {
        let holds = |of: &OffsetRange, all: &OffsetRange| {
            all.partition == of.partition && all.first <= of.first && of.last <= all.last
        };
        let mut ranges = other.ranges.iter();
        ranges.all(|of| self.ranges.iter().any(|all| holds(of, all)))
    }

    /// True when both hold spans of one record.
    pub(crate) fn overlaps(&self, other: &SegmentMeta) -> bool {
        let meets = |a: &OffsetRange, b: &OffsetRange| {
            a.partition == b.partition && a.first <= b.last && b.first <= a.last
        };
        self.ranges
            .iter()
            .any(|a| other.ranges.iter().any(|b| meets(a, b)))
    }
}

/// The name of the data file.
pub(crate) fn data_name(id: u64) -> String {
    format!("{id:016x}.seg")
}

/// The name of the index file.
pub(crate) fn index_name(id: u64) -> String {
    format!("{id:016x}.idx")
}

/// The id in the name of a segment's file.
pub(crate) fn id_of_name(name: &str) -> Option<u64> {
    let stem = name
        .strip_suffix(".seg")
        .or_else(|| name.strip_suffix(".idx"))?;
    (stem.len() == 16).then(|| u64::from_str_radix(stem, 16).ok())?
}

/// The directory of the segments' files.
pub(crate) fn segments_dir(dir: &Path) -> PathBuf {
    dir.join("segments")
}
