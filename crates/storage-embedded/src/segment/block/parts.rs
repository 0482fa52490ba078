//! Where the parts of a block lie: one after the other, so that one `pread` gets all of them.
#![warn(clippy::indexing_slicing)]

use super::ids;
use crate::codec::{Damaged, Reader, put_varint};
use crate::segment::frame::FrameRef;

/// Compressed parts of a block.
pub(super) const SECTIONS: usize = 1;
/// No section of ours is larger.
const RAW_BYTES_MAX: u32 = 1 << 30;

/// How long a section is, in the file with its checksum and decompressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SectionBytes {
    pub(super) stored: u32,
    pub(super) raw: u32,
}

/// The parts of a block relative to its beginning: they stay what they are when it is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockParts {
    pub(crate) rows: u32,
    pub(super) sections: [SectionBytes; SECTIONS],
}

impl BlockParts {
    /// Bytes of the whole block in the file.
    pub(crate) fn bytes(&self) -> usize {
        self.ids_at() + ids::bytes(self.rows)
    }

    /// Where its span ids begin.
    fn ids_at(&self) -> usize {
        self.sections.iter().map(|s| s.stored as usize).sum()
    }

    /// Where the chunk with the id of this row lies in the block: offset and bytes.
    pub(crate) fn id_chunk(&self, row: u32) -> (usize, usize) {
        let (from, length) = ids::chunk_of(self.rows, row);
        (self.ids_at() + from, length)
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.rows));
        for section in &self.sections {
            put_varint(out, u64::from(section.stored));
            put_varint(out, u64::from(section.raw));
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<BlockParts, Damaged> {
        let mut parts = BlockParts {
            rows: r.u32()?,
            ..BlockParts::default()
        };
        for section in &mut parts.sections {
            (section.stored, section.raw) = (r.u32()?, r.u32()?);
            if section.raw > RAW_BYTES_MAX || section.stored < 4 {
                return Err(Damaged("size of a section"));
            }
        }
        Ok(parts)
    }

    /// The sections as frames, given where the block begins.
    pub(super) fn frames(&self, offset: u64) -> [FrameRef; SECTIONS] {
        let mut at = offset;
        self.sections.map(|section| {
            let frame = FrameRef {
                offset: at,
                bytes: section.stored,
                raw_bytes: section.raw,
            };
            at += u64::from(section.stored);
            frame
        })
    }
}
