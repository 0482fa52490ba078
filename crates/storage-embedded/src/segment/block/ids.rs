//! Ids of spans and of traces: raw, since they do not compress, in chunks with a checksum each, since
//! a search result needs one of each: it reads a chunk instead of a block.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;

use crate::format;

/// Ids with a checksum of their own: of spans 260 bytes, of traces 516.
pub(crate) const IDS_PER_CHUNK: usize = 32;

const fn chunk_bytes(id_bytes: usize) -> usize {
    IDS_PER_CHUNK * id_bytes + 4
}

/// Bytes of so many ids of `N` bytes.
pub(super) fn bytes<const N: usize>(count: u32) -> usize {
    let count = count as usize;
    count * N + count.div_ceil(IDS_PER_CHUNK) * 4
}

/// Where the chunk that has this id lies among the chunks of so many: offset and bytes.
pub(super) fn chunk_of<const N: usize>(count: u32, at: u32) -> (usize, usize) {
    let from = at as usize / IDS_PER_CHUNK * chunk_bytes(N);
    let left = bytes::<N>(count).saturating_sub(from);
    (from, left.min(chunk_bytes(N)))
}

/// Appends the chunks of these ids.
pub(super) fn put<const N: usize>(out: &mut Vec<u8>, ids: impl Iterator<Item = [u8; N]>) {
    let end_chunk = |out: &mut Vec<u8>, from: usize| {
        let crc = format::checksum(out.get(from..).unwrap_or_default());
        out.extend_from_slice(&crc.to_le_bytes());
    };
    let mut from = out.len();
    for id in ids {
        if out.len() - from == IDS_PER_CHUNK * N {
            end_chunk(out, from);
            from = out.len();
        }
        out.extend_from_slice(&id);
    }
    if out.len() > from {
        end_chunk(out, from);
    }
}

/// Holds chunks against their checksums.
pub(super) fn check_chunks<const N: usize>(bytes: &[u8]) -> Result<(), Error> {
    let mut chunks = bytes.chunks(chunk_bytes(N));
    chunks.try_for_each(|chunk| ids_of_chunk(chunk).map(|_| ()))
}

/// The ids of some chunks, each checked.
pub(crate) fn ids_of_chunks<const N: usize>(bytes: &[u8]) -> Result<Vec<[u8; N]>, Error> {
    let mut ids = Vec::with_capacity(bytes.len() / N);
    for chunk in bytes.chunks(chunk_bytes(N)) {
        ids.extend_from_slice(ids_of_chunk(chunk)?.as_chunks::<N>().0);
    }
    Ok(ids)
}

fn ids_of_chunk(chunk: &[u8]) -> Result<&[u8], Error> {
    let (these, crc) = chunk
        .split_last_chunk::<4>()
        .ok_or_else(|| Error::corrupt("its ids are cut"))?;
    if u32::from_le_bytes(*crc) == format::checksum(these) {
        Ok(these)
    } else {
        Err(Error::corrupt("the checksum of its ids does not hold"))
    }
}
