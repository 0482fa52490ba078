//! Sections: the compressed parts of a block, each with a checksum.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;

use super::parts::SectionBytes;
use crate::format;
use crate::segment::frame;

/// zstd's level, measured: 3 costs a third more time for 2 % fewer bytes of a block; -1 saves 1 % of a
/// seal's instructions for 10 % more bytes, -3 saves 4 % for 14 %.
const LEVEL: i32 = 1;

/// Compresses sections; making one costs more than compressing a block.
pub(super) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> Result<Self, Error> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)
            .map_err(|error| Error::retryable(format!("make a compressor: {error}")))?;
        Ok(Packer {
            compressor,
            packed: Vec::new(),
        })
    }

    /// Appends a section, compressed if that makes it shorter.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, raw: &[u8]) -> Result<SectionBytes, Error> {
        self.packed.clear();
        self.packed
            .reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor
            .compress_to_buffer(raw, &mut self.packed)
            .map_err(|error| Error::retryable(format!("compress a block: {error}")))?;
        let shorter = self.packed.len() < raw.len();
        let stored = if shorter { &self.packed } else { raw };
        store(out, stored, raw.len())
    }
}

/// Appends a section of what does not compress.
pub(super) fn put_raw(out: &mut Vec<u8>, raw: &[u8]) -> Result<SectionBytes, Error> {
    store(out, raw, raw.len())
}

fn store(out: &mut Vec<u8>, stored: &[u8], raw: usize) -> Result<SectionBytes, Error> {
    if stored.is_empty() {
        // A checksum that nobody has a reason to read could change unnoticed.
        return Ok(SectionBytes::default());
    }
    let bytes = SectionBytes::new(stored.len() + 4, raw)
        .ok_or_else(|| Error::invalid("a section of a block is larger than 1 GiB"))?;
    out.extend_from_slice(&format::checksum(stored).to_le_bytes());
    out.extend_from_slice(stored);
    Ok(bytes)
}

/// What lies in a section, given its bytes of the file.
pub(super) fn open(bytes: &[u8], raw: u32) -> Result<Vec<u8>, Error> {
    match raw {
        0 => Ok(Vec::new()),
        _ => frame::open_stored(bytes, raw),
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}
