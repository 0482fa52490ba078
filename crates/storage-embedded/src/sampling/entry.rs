//! An entry of the journal of decisions, and its bytes (docs/formats/decisions.md).
#![warn(clippy::indexing_slicing)]

use tracewell_model::TraceId;
use tracewell_storage::Position;
use tracewell_storage::sampling::{Books, HealthyShare};

use crate::codec::{Damaged, Reader, put_varint};
use crate::format;

/// One thing that happened, applied whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Everything that arrived by then is decided.
    Round(Round),
    /// The books alone.
    Books(Books),
    /// Someone opened a trace.
    Pinned(Pin),
    /// What was kept up to here has moved to the shelf of this number.
    Shelved(u64),
}

/// Someone opened a trace that starts at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) id: TraceId,
    pub(super) start_unix_ns: u64,
    pub(super) at_unix_ns: u64,
}

/// What was decided about a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) at_unix_ns: u64,
    pub(super) books: Books,
    pub(super) decided_through_unix_ns: u64,
    pub(super) segment: u64,
    /// Spans of it whose traces are dropped.
    pub(super) dropped_spans: u64,
    /// The earliest and the latest start of a trace that is kept.
    pub(super) starts: (u64, u64),
    /// Traces with the code of their reason.
    pub(super) kept: Vec<(TraceId, u8)>,
    /// Hashes of ids.
    pub(super) dropped: Vec<u64>,
}

const ROUND: u8 = 1;
const BOOKS: u8 = 2;
const PINNED: u8 = 3;
const SHELVED: u8 = 4;

impl Entry {
    /// length u32 · crc32 of the body · body
    pub(super) fn framed(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.put(&mut body);
        let mut framed = Vec::with_capacity(body.len() + 8);
        framed.extend_from_slice(&(body.len() as u32).to_le_bytes());
        framed.extend_from_slice(&format::checksum(&body).to_le_bytes());
        framed.extend_from_slice(&body);
        framed
    }

    /// The entry at the beginning of these bytes, and what follows; none if it is cut or damaged.
    pub(super) fn next(bytes: &[u8]) -> Option<(Entry, &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        if u32::from_le_bytes(*crc) != format::checksum(body) {
            return None;
        }
        Some((Entry::read(body).ok()?, rest))
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Entry::Round(round) => {
                out.push(ROUND);
                round.put(out);
            }
            Entry::Books(books) => {
                out.push(BOOKS);
                put_books(books, out);
            }
            Entry::Pinned(pin) => {
                out.push(PINNED);
                out.extend_from_slice(&pin.id.0);
                put_varint(out, pin.start_unix_ns);
                put_varint(out, pin.at_unix_ns);
            }
            Entry::Shelved(number) => {
                out.push(SHELVED);
                put_varint(out, *number);
            }
        }
    }

    fn read(body: &[u8]) -> Result<Entry, Damaged> {
        let mut r = Reader::new(body);
        let entry = match r.byte()? {
            ROUND => Entry::Round(Round::read(&mut r)?),
            BOOKS => Entry::Books(read_books(&mut r)?),
            PINNED => Entry::Pinned(Pin {
                id: TraceId(r.array()?),
                start_unix_ns: r.varint()?,
                at_unix_ns: r.varint()?,
            }),
            SHELVED => Entry::Shelved(r.varint()?),
            _ => return Err(Damaged("kind of an entry")),
        };
        match r.remaining() {
            0 => Ok(entry),
            _ => Err(Damaged("bytes after an entry")),
        }
    }
}

impl Round {
    fn put(&self, out: &mut Vec<u8>) {
        for number in [
            self.at_unix_ns,
            self.decided_through_unix_ns,
            self.segment,
            self.dropped_spans,
            self.starts.0,
            self.starts.1,
        ] {
            put_varint(out, number);
        }
        put_books(&self.books, out);
        put_varint(out, self.kept.len() as u64);
        for (id, reason) in &self.kept {
            out.extend_from_slice(&id.0);
            out.push(*reason);
        }
        put_varint(out, self.dropped.len() as u64);
        for hash in &self.dropped {
            out.extend_from_slice(&hash.to_le_bytes());
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Round, Damaged> {
        let mut round = Round {
            at_unix_ns: r.varint()?,
            decided_through_unix_ns: r.varint()?,
            segment: r.varint()?,
            dropped_spans: r.varint()?,
            starts: (r.varint()?, r.varint()?),
            books: read_books(r)?,
            ..Round::default()
        };
        for _ in 0..r.count(17)? {
            round.kept.push((TraceId(r.array()?), r.byte()?));
        }
        for _ in 0..r.count(8)? {
            round.dropped.push(u64::from_le_bytes(r.array()?));
        }
        Ok(round)
    }
}

fn put_books(books: &Books, out: &mut Vec<u8>) {
    for counts in [&books.kept[..], &books.dropped[..]] {
        put_varint(out, counts.len() as u64);
        counts.iter().for_each(|&count| put_varint(out, count));
    }
    let HealthyShare {
        window,
        healthy,
        kept,
    } = books.share;
    for number in [books.kept_spans, books.dropped_spans, window, healthy, kept] {
        put_varint(out, number);
    }
    put_varint(out, books.positions.len() as u64);
    for (Position { partition, offset }, arrived_unix_ns) in &books.positions {
        put_varint(out, u64::from(*partition));
        put_varint(out, *offset);
        put_varint(out, *arrived_unix_ns);
    }
}

fn read_books(r: &mut Reader<'_>) -> Result<Books, Damaged> {
    let mut books = Books::default();
    let Books { kept, dropped, .. } = &mut books;
    for counts in [&mut kept[..], &mut dropped[..]] {
        let written = r.count(1)?;
        if written > counts.len() {
            return Err(Damaged("reasons"));
        }
        for count in counts.iter_mut().take(written) {
            *count = r.varint()?;
        }
    }
    books.kept_spans = r.varint()?;
    books.dropped_spans = r.varint()?;
    books.share = HealthyShare {
        window: r.varint()?,
        healthy: r.varint()?,
        kept: r.varint()?,
    };
    for _ in 0..r.count(3)? {
        let (partition, offset) = (r.u32()?, r.varint()?);
        let position = Position { partition, offset };
        books.positions.push((position, r.varint()?));
    }
    Ok(books)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let mut books = Books {
            kept_spans: 7,
            positions: vec![(
                Position {
                    partition: 1,
                    offset: 300,
                },
                u64::MAX,
            )],
            ..Books::default()
        };
        books.kept[3] = 1_000;
        books.dropped[1] = 2;
        vec![
            Entry::Round(Round {
                at_unix_ns: 1,
                books: books.clone(),
                decided_through_unix_ns: 2,
                segment: 3,
                dropped_spans: 4,
                starts: (5, 6),
                kept: vec![(TraceId([7; 16]), 8)],
                dropped: vec![u64::MAX, 9],
            }),
            Entry::Books(books),
            Entry::Pinned(Pin {
                id: TraceId([1; 16]),
                start_unix_ns: 2,
                at_unix_ns: 3,
            }),
            Entry::Shelved(12),
        ]
    }

    #[test]
    fn entries_go_in_and_out() {
        let bytes: Vec<u8> = entries().iter().flat_map(Entry::framed).collect();
        let mut rest = &bytes[..];
        for entry in entries() {
            let (read, after) = Entry::next(rest).unwrap();
            assert_eq!(read, entry);
            rest = after;
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = entries()[0].framed();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::next(&flipped), None, "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(Entry::next(&bytes[..cut]), None, "cut {cut}");
        }
    }
}
