//! Where the parts of a block lie: one after the other, so that one `pread` gets all of them.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use super::ids;
use crate::codec::{Damaged, Reader, put_varint};

/// No section of ours is larger.
const RAW_BYTES_MAX: usize = 1 << 30;

/// The sections of a block, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Tables, templates, and the columns that every span has.
    Structure,
    /// Parents outside, and the bits of numbers: nothing that compresses.
    Bits,
    /// Columns of codes.
    Codes,
    /// The dictionaries of those with texts or bytes.
    Texts,
    /// Each span's `rest` and the attributes of its events.
    Rest,
}

pub(super) const SECTIONS: usize = 5;

/// How long a section is, in the file with its checksum and decompressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SectionBytes {
    pub(super) stored: u32,
    pub(super) raw: u32,
}

impl SectionBytes {
    /// None when it would be too large.
    pub(super) fn new(stored: usize, raw: usize) -> Option<SectionBytes> {
        (stored <= RAW_BYTES_MAX && raw <= RAW_BYTES_MAX).then_some(SectionBytes {
            stored: stored as u32,
            raw: raw as u32,
        })
    }
}

/// The parts of a block relative to its beginning: they stay what they are when it is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockParts {
    pub(crate) rows: u32,
    pub(crate) traces: u32,
    pub(super) sections: [SectionBytes; SECTIONS],
}

impl BlockParts {
    /// Bytes of the whole block in the file.
    pub(crate) fn bytes(&self) -> usize {
        self.ids_at() + ids::bytes::<8>(self.rows)
    }

    /// Bytes of its sections, decompressed.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.sections.iter().map(|s| u64::from(s.raw)).sum()
    }

    /// Bytes of its sections in the file; its trace ids begin behind them.
    pub(crate) fn sections_bytes(&self) -> usize {
        self.sections.iter().map(|s| s.stored as usize).sum()
    }

    /// Where its span ids begin.
    pub(super) fn ids_at(&self) -> usize {
        self.sections_bytes() + ids::bytes::<16>(self.traces)
    }

    /// Where all of its trace ids lie in the block.
    pub(super) fn trace_ids(&self) -> Range<usize> {
        self.sections_bytes()..self.ids_at()
    }

    /// Where the chunk with the id of this trace lies in the block: offset and bytes.
    pub(crate) fn trace_id_chunk(&self, trace: u32) -> (usize, usize) {
        let (from, length) = ids::chunk_of::<16>(self.traces, trace);
        (self.sections_bytes() + from, length)
    }

    /// Where the chunk with the id of this row lies in the block: offset and bytes.
    pub(crate) fn id_chunk(&self, row: u32) -> (usize, usize) {
        let (from, length) = ids::chunk_of::<8>(self.rows, row);
        (self.ids_at() + from, length)
    }

    /// Where a section lies in the block, and how long it is.
    pub(super) fn section(&self, section: Section) -> (usize, SectionBytes) {
        let at = section as usize;
        let before = self.sections.iter().take(at);
        let from = before.map(|s| s.stored as usize).sum();
        (from, self.sections.get(at).copied().unwrap_or_default())
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.rows));
        put_varint(out, u64::from(self.traces));
        for section in &self.sections {
            put_varint(out, u64::from(section.stored));
            put_varint(out, u64::from(section.raw));
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<BlockParts, Damaged> {
        let mut parts = BlockParts {
            rows: r.u32()?,
            traces: r.u32()?,
            ..BlockParts::default()
        };
        for section in &mut parts.sections {
            let (stored, raw) = (r.u32()?, r.u32()?);
            *section = SectionBytes::new(stored as usize, raw as usize)
                .filter(|section| section.raw == 0 && section.stored == 0 || section.stored > 4)
                .ok_or(Damaged("size of a section"))?;
        }
        Ok(parts)
    }
}
