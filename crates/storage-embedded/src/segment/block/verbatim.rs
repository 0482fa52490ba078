//! A block as it is, to be copied: nothing is decompressed, everything is held against its checksum.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;

use super::ids;
use super::parts::{BlockParts, SECTIONS, Section};
use crate::segment::frame;

/// The ids of its traces, once every checksum of the block holds.
pub(crate) fn checked_trace_ids(parts: &BlockParts, bytes: &[u8]) -> Result<Vec<[u8; 16]>, Error> {
    const ALL: [Section; SECTIONS] = [
        Section::Structure,
        Section::Bits,
        Section::Codes,
        Section::Texts,
        Section::Rest,
    ];
    if bytes.len() != parts.bytes() {
        return Err(Error::corrupt("the block is cut"));
    }
    for section in ALL {
        let (from, length) = parts.section(section);
        if length.stored > 0 {
            let stored = bytes.get(from..from + length.stored as usize);
            frame::checked(stored.unwrap_or_default())?;
        }
    }
    let ids = ids::ids_of_chunks(bytes.get(parts.trace_ids()).unwrap_or_default())?;
    if ids.len() != parts.traces as usize {
        return Err(Error::corrupt("number of traces"));
    }
    ids::check_chunks::<8>(bytes.get(parts.ids_at()..).unwrap_or_default())?;
    Ok(ids)
}
