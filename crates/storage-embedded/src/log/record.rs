//! The bytes of a log file: its head, and the head of each record. docs/formats/log.md has them one by one.
#![warn(clippy::indexing_slicing)]

use std::path::Path;

use crate::codec::{Damaged, Reader};
use crate::format::{self, HEADER_BYTES, Kind};

/// One copy of a file's head.
const BLOCK_BYTES: usize = HEADER_BYTES + 6 * 8 + 8;
/// A file begins with two copies of its head: one flipped bit must not cost a whole file.
pub(super) const FILE_HEAD_BYTES: u64 = 2 * BLOCK_BYTES as u64;
/// Bytes before a record's payload.
pub(super) const RECORD_HEAD_BYTES: usize = 44;

const RECORD_MAGIC: [u8; 4] = [0xa7, b'R', b'e', b'c'];

/// What a file says of itself and of what came before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileHead {
    /// Offset of its first record.
    pub(super) base: u64,
    /// The offset that would have followed the file before it; less than `base` where offsets
    /// were left out on purpose, and only there.
    pub(super) follows: u64,
    /// `base` of the file before it; 0 for the very first.
    pub(super) previous_base: u64,
    /// Spans accepted before its first record, since the log began.
    pub(super) accepted_before: u64,
    /// Arrival of the last record before it.
    pub(super) arrived_before: u64,
    /// Goes into every record's checksum, so that bytes a sender put into an attribute can never
    /// pass for a record, nor a record of another file for one of this.
    pub(super) salt: u64,
}

impl FileHead {
    /// Both copies.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut block = format::header(Kind::Log).to_vec();
        let numbers = [
            self.base,
            self.follows,
            self.previous_base,
            self.accepted_before,
            self.arrived_before,
            self.salt,
        ];
        numbers
            .iter()
            .for_each(|number| block.extend_from_slice(&number.to_le_bytes()));
        let crc = format::checksum(&block);
        block.extend_from_slice(&crc.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.repeat(2)
    }

    /// The head, from whichever copy is sound.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<FileHead, format::Error> {
        let (first, second) = bytes.split_at_checked(BLOCK_BYTES).unwrap_or((bytes, &[]));
        match Self::parse_block(path, first) {
            Err(format::Error::Damaged { .. } | format::Error::Foreign { .. })
                if !second.is_empty() =>
            {
                Self::parse_block(path, second)
            }
            parsed => parsed,
        }
    }

    fn parse_block(path: &Path, block: &[u8]) -> Result<FileHead, format::Error> {
        // A newer version is told apart before anything else is believed.
        format::check_header(Kind::Log, path, block)?;
        Self::parse_numbers(block).map_err(|Damaged(what)| format::Error::damaged(path, what))
    }

    fn parse_numbers(block: &[u8]) -> Result<FileHead, Damaged> {
        let mut reader = Reader::new(block);
        let front = reader.take(BLOCK_BYTES - 8)?;
        if u32::from_le_bytes(reader.array()?) != format::checksum(front) {
            return Err(Damaged("the checksum of its head does not hold"));
        }
        let mut reader = Reader::new(front);
        reader.take(HEADER_BYTES)?;
        let mut number = || reader.array().map(u64::from_le_bytes);
        Ok(FileHead {
            base: number()?,
            follows: number()?,
            previous_base: number()?,
            accepted_before: number()?,
            arrived_before: number()?,
            salt: number()?,
        })
    }
}

/// What stands before a record's payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordHead {
    /// Bytes of the payload.
    pub(super) payload_bytes: u32,
    /// Which record.
    pub(super) offset: u64,
    /// When it came.
    pub(super) arrived_unix_ns: u64,
    /// Spans accepted before it since the log began: neighbours tell what a lost record held.
    pub(super) accepted_before: u64,
    /// Its spans.
    pub(super) spans: u32,
    /// Checksum of the payload.
    pub(super) payload_crc: u32,
}

impl RecordHead {
    /// Writes the head into the room left for it.
    pub(super) fn write(&self, salt: u64, room: &mut [u8]) {
        let mut head = Vec::with_capacity(RECORD_HEAD_BYTES);
        head.extend_from_slice(&RECORD_MAGIC);
        head.extend_from_slice(&self.payload_bytes.to_le_bytes());
        for number in [self.offset, self.arrived_unix_ns, self.accepted_before] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        head.extend_from_slice(&self.spans.to_le_bytes());
        head.extend_from_slice(&self.payload_crc.to_le_bytes());
        let crc = salted(salt, &head);
        head.extend_from_slice(&crc.to_le_bytes());
        debug_assert_eq!(head.len(), room.len());
        room.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    }

    /// The head at the start of these bytes, if they are one.
    pub(super) fn parse(salt: u64, bytes: &[u8]) -> Option<RecordHead> {
        if !bytes.starts_with(&RECORD_MAGIC) {
            return None;
        }
        let mut reader = Reader::new(bytes);
        let front = reader.take(RECORD_HEAD_BYTES - 4).ok()?;
        if u32::from_le_bytes(reader.array().ok()?) != salted(salt, front) {
            return None;
        }
        let mut reader = Reader::new(front);
        reader.take(4).ok()?;
        Some(RecordHead {
            payload_bytes: u32::from_le_bytes(reader.array().ok()?),
            offset: u64::from_le_bytes(reader.array().ok()?),
            arrived_unix_ns: u64::from_le_bytes(reader.array().ok()?),
            accepted_before: u64::from_le_bytes(reader.array().ok()?),
            spans: u32::from_le_bytes(reader.array().ok()?),
            payload_crc: u32::from_le_bytes(reader.array().ok()?),
        })
    }

    /// Where the record ends when it begins here.
    pub(super) fn end(&self, at: u64) -> u64 {
        at.saturating_add(RECORD_HEAD_BYTES as u64)
            .saturating_add(u64::from(self.payload_bytes))
    }

    /// Spans accepted up to and with it.
    pub(super) fn accepted_after(&self) -> u64 {
        self.accepted_before.saturating_add(u64::from(self.spans))
    }
}

fn salted(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Looks for the first place in `bytes` where a whole record's head stands.
pub(super) fn find_head(
    salt: u64,
    bytes: &[u8],
    fits: impl Fn(usize, &RecordHead) -> bool,
) -> Option<usize> {
    let starts = bytes.windows(RECORD_HEAD_BYTES).enumerate();
    let first = RECORD_MAGIC.first();
    let mut candidates = starts.filter(|(_, window)| window.first() == first);
    candidates
        .find(|(at, window)| RecordHead::parse(salt, window).is_some_and(|head| fits(*at, &head)))
        .map(|(at, _)| at)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    const HEAD: FileHead = FileHead {
        base: 9,
        follows: 7,
        previous_base: 3,
        accepted_before: 40,
        arrived_before: 5,
        salt: 77,
    };

    #[test]
    fn one_copy_of_a_files_head_is_enough() {
        let bytes = HEAD.encode();
        assert_eq!(bytes.len() as u64, FILE_HEAD_BYTES);
        let path = Path::new("x");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHead::parse(path, &flipped), Ok(HEAD), "bit {bit}");
        }
        assert!(FileHead::parse(path, &bytes[..BLOCK_BYTES - 5]).is_err());
        assert!(FileHead::parse(path, &[]).is_err());
    }

    #[test]
    fn a_records_head_is_of_one_file() {
        let head = RecordHead {
            payload_bytes: 3,
            offset: 9,
            spans: 2,
            ..RecordHead::default()
        };
        let mut bytes = [0; RECORD_HEAD_BYTES];
        head.write(77, &mut bytes);
        assert_eq!(RecordHead::parse(77, &bytes), Some(head));
        assert_eq!(RecordHead::parse(78, &bytes), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHead::parse(77, &flipped), None, "bit {bit}");
        }
    }
}
