//! A shelf: why traces are kept, by trace id, in a file that never changes. Pages of sorted entries,
//! each with its checksum, found by halving (docs/formats/decisions.md).
#![warn(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use tracewell_model::TraceId;
use tracewell_storage::Error;

use crate::codec::{Damaged, Reader};
use crate::format::{self, HEADER_BYTES, Kind};
use crate::fs::{self, File, Fs};

/// Bytes of an entry: an id and the code of a reason.
const ENTRY_BYTES: usize = 17;
/// Entries of a page: with its checksum it is a page of memory, nearly.
const PAGE_ENTRIES: usize = 240;
const PAGE_BYTES: usize = PAGE_ENTRIES * ENTRY_BYTES + 4;
/// Entries, starts, time; and their checksum.
const FOOTER_BYTES: usize = 4 * 8 + 4;
/// A trace may turn out to have started so much earlier than when it was decided about.
const SLACK_NS: u64 = 3_600_000_000_000;

/// What is known of a shelf without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shelf {
    path: PathBuf,
    pub(super) number: u64,
    entries: u64,
    /// The earliest and the latest start of a trace on it.
    starts: (u64, u64),
    /// When the last of it was decided.
    pub(super) at_unix_ns: u64,
}

/// The name of a shelf's file.
pub(super) fn name(number: u64) -> String {
    format!("{number:016x}.kept")
}

impl Shelf {
    /// Writes these, which are sorted by id.
    pub(super) fn write(
        fs: &dyn Fs,
        dir: &Path,
        number: u64,
        entries: &[(TraceId, u8)],
        starts: (u64, u64),
        at_unix_ns: u64,
    ) -> Result<Shelf, Error> {
        let mut bytes = format::header(Kind::Kept).to_vec();
        for page in entries.chunks(PAGE_ENTRIES) {
            let from = bytes.len();
            for (id, reason) in page {
                bytes.extend_from_slice(&id.0);
                bytes.push(*reason);
            }
            seal(&mut bytes, from);
        }
        let from = bytes.len();
        for number in [entries.len() as u64, starts.0, starts.1, at_unix_ns] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        seal(&mut bytes, from);
        let path = dir.join(name(number));
        fs::write_atomic(fs, dir, &name(number), &bytes)
            .map_err(|error| fs::io_error("write", &path, &error))?;
        Ok(Shelf {
            path,
            number,
            entries: entries.len() as u64,
            starts,
            at_unix_ns,
        })
    }

    /// Opens what was written.
    pub(super) fn open(fs: &dyn Fs, dir: &Path, number: u64) -> Result<Shelf, Error> {
        let path = dir.join(name(number));
        let fault = |error: std::io::Error| fs::io_error("read", &path, &error);
        let file = fs.open(&path).map_err(fault)?;
        let header = fs::read_exact_at(file.as_ref(), 0, HEADER_BYTES).map_err(fault)?;
        format::check_header(Kind::Kept, &path, &header)?;
        let end = file.len().map_err(fault)?;
        let damaged = |what| Error::from(format::Error::damaged(&path, what));
        let from = end.checked_sub(FOOTER_BYTES as u64);
        let from = from.ok_or_else(|| damaged("it is cut"))?;
        let footer = fs::read_exact_at(file.as_ref(), from, FOOTER_BYTES).map_err(fault)?;
        let footer = checked(&footer).ok_or_else(|| damaged("its footer"))?;
        let mut r = Reader::new(footer);
        let mut number_of = || Ok::<_, Damaged>(u64::from_le_bytes(r.array()?));
        let mut read =
            || Ok::<_, Damaged>([number_of()?, number_of()?, number_of()?, number_of()?]);
        let [entries, start_min, start_max, at_unix_ns] =
            read().map_err(|Damaged(what)| damaged(what))?;
        let pages = entries.div_ceil(PAGE_ENTRIES as u64);
        let body = entries
            .saturating_mul(ENTRY_BYTES as u64)
            .saturating_add(pages * 4);
        if body.saturating_add(HEADER_BYTES as u64) != from {
            return Err(damaged("its length is another than it says"));
        }
        Ok(Shelf {
            path,
            number,
            entries,
            starts: (start_min, start_max),
            at_unix_ns,
        })
    }

    /// Whether a trace that starts at this time may be on it.
    pub(super) fn may_hold(&self, start_unix_ns: u64) -> bool {
        self.starts.0 <= start_unix_ns.saturating_add(SLACK_NS) && start_unix_ns <= self.starts.1
    }

    /// The code of the reason why this trace is kept.
    pub(super) fn get(&self, fs: &dyn Fs, id: TraceId) -> Result<Option<u8>, Error> {
        let file = fs
            .open(&self.path)
            .map_err(|error| fs::io_error("open", &self.path, &error))?;
        let (mut from, mut to) = (0, self.entries.div_ceil(PAGE_ENTRIES as u64));
        while from < to {
            let middle = from + (to - from) / 2;
            let page = self.read_page(file.as_ref(), middle)?;
            let (first, last) = (page.first(), page.last());
            match (first, last) {
                (Some((first, _)), _) if id < *first => to = middle,
                (_, Some((last, _))) if id > *last => from = middle + 1,
                _ => {
                    let at = page.binary_search_by_key(&id, |(id, _)| *id);
                    return Ok(at
                        .ok()
                        .and_then(|at| page.get(at))
                        .map(|&(_, reason)| reason));
                }
            }
        }
        Ok(None)
    }

    fn read_page(&self, file: &dyn File, page: u64) -> Result<Vec<(TraceId, u8)>, Error> {
        let before = page * PAGE_ENTRIES as u64;
        let entries = (self.entries - before).min(PAGE_ENTRIES as u64) as usize;
        let offset = HEADER_BYTES as u64 + page * PAGE_BYTES as u64;
        let bytes = fs::read_exact_at(file, offset, entries * ENTRY_BYTES + 4)
            .map_err(|error| fs::io_error("read", &self.path, &error))?;
        let damaged = || Error::from(format::Error::damaged(&self.path, "a page"));
        let mut r = Reader::new(checked(&bytes).ok_or_else(damaged)?);
        let mut page = Vec::with_capacity(entries);
        for _ in 0..entries {
            let mut entry = || Ok::<_, Damaged>((TraceId(r.array()?), r.byte()?));
            page.push(entry().map_err(|_| damaged())?);
        }
        Ok(page)
    }
}

/// Puts a checksum after what stands from here on.
fn seal(bytes: &mut Vec<u8>, from: usize) {
    let crc = format::checksum(bytes.get(from..).unwrap_or_default());
    bytes.extend_from_slice(&crc.to_le_bytes());
}

/// The bytes before their checksum, if it holds.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (u32::from_le_bytes(*crc) == format::checksum(body)).then_some(body)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::fs::StdFs;

    fn entries(count: u32) -> Vec<(TraceId, u8)> {
        let id = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&(2 * n + 1).to_be_bytes());
            TraceId(id)
        };
        (0..count).map(|n| (id(n), (n % 11) as u8)).collect()
    }

    #[test]
    fn every_trace_is_found_and_no_other() {
        for count in [0, 1, 239, 240, 241, 5_000] {
            let dir = tempfile::tempdir().unwrap();
            let written = entries(count);
            let made = Shelf::write(&StdFs, dir.path(), 3, &written, (10, 20), 30).unwrap();
            let shelf = Shelf::open(&StdFs, dir.path(), 3).unwrap();
            assert_eq!(shelf, made);
            for (id, reason) in &written {
                assert_eq!(shelf.get(&StdFs, *id).unwrap(), Some(*reason));
                let mut other = *id;
                other.0[3] -= 1;
                assert_eq!(shelf.get(&StdFs, other).unwrap(), None);
            }
            assert_eq!(shelf.get(&StdFs, TraceId([255; 16])).unwrap(), None);
        }
    }

    #[test]
    fn damage_is_noticed_and_costs_only_its_page() {
        let dir = tempfile::tempdir().unwrap();
        let written = entries(480);
        Shelf::write(&StdFs, dir.path(), 3, &written, (10, 20), 30).unwrap();
        let path = dir.path().join(name(3));
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[HEADER_BYTES + PAGE_BYTES + 5] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let shelf = Shelf::open(&StdFs, dir.path(), 3).unwrap();
        assert!(shelf.get(&StdFs, written[300].0).is_err());
        for at in [whole.len() - 20, 4] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(Shelf::open(&StdFs, dir.path(), 3).is_err(), "byte {at}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(Shelf::open(&StdFs, dir.path(), 3).is_err());
    }
}
