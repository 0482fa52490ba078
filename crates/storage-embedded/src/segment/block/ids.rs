//! Span ids: raw, since they do not compress, in chunks with a checksum each, since a search result
//! needs one of them: it reads 260 bytes instead of a block.
#![warn(clippy::indexing_slicing)]

use tracewell_model::SpanId;
use tracewell_storage::Error;

use crate::format;

/// Span ids with a checksum of their own: 260 bytes to read for one id, 0.13 bytes a span.
pub(crate) const IDS_PER_CHUNK: usize = 32;
const CHUNK_BYTES: usize = IDS_PER_CHUNK * 8 + 4;

/// Bytes of the ids of so many rows.
pub(super) fn bytes(rows: u32) -> usize {
    let rows = rows as usize;
    rows * 8 + rows.div_ceil(IDS_PER_CHUNK) * 4
}

/// Where the chunk that has this row lies among the chunks: offset and bytes.
pub(super) fn chunk_of(rows: u32, row: u32) -> (usize, usize) {
    let from = row as usize / IDS_PER_CHUNK * CHUNK_BYTES;
    (from, CHUNK_BYTES.min(bytes(rows).saturating_sub(from)))
}

/// Appends the chunks of these ids.
pub(super) fn put(out: &mut Vec<u8>, ids: &[SpanId]) {
    for chunk in ids.chunks(IDS_PER_CHUNK) {
        let from = out.len();
        chunk.iter().for_each(|id| out.extend_from_slice(&id.0));
        let crc = format::checksum(out.get(from..).unwrap_or_default());
        out.extend_from_slice(&crc.to_le_bytes());
    }
}

/// The ids of some chunks, each checked.
pub(crate) fn ids_of_chunks(bytes: &[u8]) -> Result<Vec<SpanId>, Error> {
    let mut ids = Vec::with_capacity(bytes.len() / 8);
    for chunk in bytes.chunks(CHUNK_BYTES) {
        let (these, crc) = chunk
            .split_last_chunk::<4>()
            .ok_or_else(|| Error::corrupt("its span ids are cut"))?;
        if u32::from_le_bytes(*crc) != format::checksum(these) {
            return Err(Error::corrupt("the checksum of its span ids does not hold"));
        }
        ids.extend(these.as_chunks::<8>().0.iter().map(|id| SpanId(*id)));
    }
    Ok(ids)
}
