//! Walks the records of one file in bounded memory and finds its way again after damage.
#![warn(clippy::indexing_slicing)]

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::record::{FILE_HEAD_BYTES, RECORD_HEAD_BYTES, RecordHead, find_head};
use crate::format::checksum;
use crate::fs::{File, read_full_at};

/// Bytes read at once: large enough for sequential speed, small enough for 20 GiB of log.
const CHUNK_BYTES: usize = 256 * 1024;

/// What lies at the scanner's place.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A sound record. The payload is empty when only heads were asked for.
    Record { head: RecordHead, payload: &'a [u8] },
    /// A record whose head is sound and whose payload is not.
    BadPayload {
        head: RecordHead,
        from: u64,
        to: u64,
    },
    /// Bytes that are no record, up to the next one or to the limit.
    Garbage { from: u64, to: u64 },
    /// The limit.
    End,
}

/// A place in a file.
#[derive(Debug)]
pub(super) struct Scanner {
    file: Arc<dyn File>,
    salt: u64,
    at: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl Scanner {
    /// At the first record.
    pub(super) fn new(file: Arc<dyn File>, salt: u64) -> Self {
        Scanner {
            file,
            salt,
            at: FILE_HEAD_BYTES,
            buffer: Vec::new(),
            buffer_at: 0,
        }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The record here, without going on.
    pub(super) fn peek(&mut self, limit: u64) -> io::Result<Option<RecordHead>> {
        self.head(limit)
    }

    /// Takes the next item before `limit`. Records with an offset below `offset_min` do not count
    /// as records after damage: offsets never go back. `payload_from` is the first offset whose
    /// payload is wanted; those before it are passed by their heads.
    pub(super) fn next(
        &mut self,
        limit: u64,
        offset_min: u64,
        payload_from: u64,
    ) -> io::Result<Item<'_>> {
        if self.at >= limit {
            return Ok(Item::End);
        }
        let from = self.at;
        let head = self
            .head(limit)?
            .filter(|head| head.offset >= offset_min && head.end(from) <= limit);
        let Some(head) = head else {
            let to = self.resync(from + 1, limit, offset_min)?;
            self.at = to;
            return Ok(Item::Garbage { from, to });
        };
        let to = head.end(from);
        if head.offset < payload_from {
            self.at = to;
            return Ok(Item::Record { head, payload: &[] });
        }
        let body = from + RECORD_HEAD_BYTES as u64;
        // A read that fails must not pass the record: it is asked for again.
        self.window(body, head.payload_bytes as usize, limit)?;
        self.at = to;
        let payload = self.window(body, head.payload_bytes as usize, limit)?;
        if checksum(payload) != head.payload_crc {
            return Ok(Item::BadPayload { head, from, to });
        }
        Ok(Item::Record { head, payload })
    }

    fn head(&mut self, limit: u64) -> io::Result<Option<RecordHead>> {
        if limit.saturating_sub(self.at) < RECORD_HEAD_BYTES as u64 {
            return Ok(None);
        }
        let salt = self.salt;
        Ok(RecordHead::parse(
            salt,
            self.window(self.at, RECORD_HEAD_BYTES, limit)?,
        ))
    }

    /// The next place at or after `from` where a record stands that ends before the limit.
    fn resync(&mut self, mut from: u64, limit: u64, offset_min: u64) -> io::Result<u64> {
        let salt = self.salt;
        while limit.saturating_sub(from) >= RECORD_HEAD_BYTES as u64 {
            let length = (limit - from).min(CHUNK_BYTES as u64) as usize;
            let window = self.window(from, length, limit)?;
            let fits = |at: usize, head: &RecordHead| {
                head.offset >= offset_min && head.end(from + at as u64) <= limit
            };
            if let Some(at) = find_head(salt, window, fits) {
                return Ok(from + at as u64);
            }
            from += (length - RECORD_HEAD_BYTES + 1) as u64;
        }
        Ok(limit)
    }

    /// These bytes of the file, through the buffer. Callers ask for what lies before the limit,
    /// so a length from a damaged head cannot ask for more than the file has.
    fn window(&mut self, at: u64, length: usize, limit: u64) -> io::Result<&[u8]> {
        let held = self.buffer_at + self.buffer.len() as u64;
        if at < self.buffer_at || at + length as u64 > held {
            let fill = (limit - at).min(CHUNK_BYTES.max(length) as u64) as usize;
            self.buffer.resize(fill, 0);
            let got = read_full_at(self.file.as_ref(), &mut self.buffer, at);
            self.buffer_at = at;
            // After a failed read the buffer holds nothing, lest old bytes be taken for new ones.
            self.buffer.truncate(*got.as_ref().unwrap_or(&0));
            got?;
        }
        let from = (at - self.buffer_at) as usize;
        self.buffer
            .get(from..from + length)
            .ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }
}
