//! Figures at rest: an entry for each series, by key, all numbers LEB128 varints, as they also lie
//! in a file (`codec.rs`): `sort, a, b, spans, errors, bucket count (bucket less the one before, spans)*`.
//! `sort` is 0 for an operation, 1 for an entry operation, 2 for an edge; a and b are names.

use std::sync::Arc;

use super::absorb;
use super::names::Key;
use super::slot::{Buckets, Counted};
use crate::stats::Figures;

/// Entries by key, end to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    bytes: Arc<[u8]>,
}

/// An entry, and its own bytes.
pub(super) struct Entry<'a> {
    pub(super) key: Key,
    pub(super) figures: Counted<'a>,
    bytes: &'a [u8],
}

/// The buckets of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedBuckets<'a> {
    bytes: &'a [u8],
    bucket: u16,
}

/// The entries of bytes that were checked when they came, or that we wrote: where they make no
/// sense all the same, they end.
struct Entries<'a> {
    rest: &'a [u8],
}

impl Packed {
    /// Bytes that are entries.
    pub(super) fn of(bytes: Vec<u8>) -> Packed {
        Packed {
            bytes: bytes.into(),
        }
    }

    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        entries(&self.bytes)
    }

    /// These entries with others added. Those of a series that has no others are copied as they are.
    pub(super) fn merged<'a>(
        &self,
        others: impl Iterator<Item = (&'a Key, &'a Figures)>,
    ) -> Packed {
        let mut others: Vec<_> = others.collect();
        others.sort_unstable_by_key(|(key, _)| **key);
        let mut others = others.into_iter().peekable();
        let mut bytes = Vec::with_capacity(self.bytes.len() + others.len() * 32);
        for entry in self.entries() {
            while let Some((key, figures)) = others.next_if(|(key, _)| **key < entry.key) {
                write_entry(&mut bytes, key, figures);
            }
            match others.next_if(|(key, _)| **key == entry.key) {
                Some((key, more)) => {
                    let mut figures = Figures::from(entry.figures);
                    absorb(&mut figures, more.into());
                    write_entry(&mut bytes, key, &figures);
                }
                None => bytes.extend_from_slice(entry.bytes),
            }
        }
        others.for_each(|(key, figures)| write_entry(&mut bytes, key, figures));
        Packed::of(bytes)
    }
}

/// The entries of bytes that may be on a shelf.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    Entries { rest: bytes }
}

/// A key as three numbers.
pub(super) fn numbers_of(key: &Key) -> (u8, u32, u32) {
    match *key {
        Key::Operation {
            service,
            operation,
            entry,
        } => (u8::from(entry), service, operation),
        Key::Edge { parent, child } => (2, parent, child),
    }
}

/// The key of these three numbers.
pub(super) fn key_of(sort: u64, a: u32, b: u32) -> Option<Key> {
    match sort {
        0 | 1 => Some(Key::Operation {
            service: a,
            operation: b,
            entry: sort == 1,
        }),
        2 => Some(Key::Edge {
            parent: a,
            child: b,
        }),
        _ => None,
    }
}

pub(super) fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front.
#[inline]
pub(super) fn number(bytes: &mut &[u8]) -> Option<u64> {
    if let [byte @ 0..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Some(u64::from(*byte));
    }
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn write_entry(out: &mut Vec<u8>, key: &Key, figures: &Figures) {
    let (sort, a, b) = numbers_of(key);
    let buckets = &figures.latency.buckets;
    let head = [sort.into(), a.into(), b.into(), figures.count];
    let head = head.into_iter().chain([figures.error_count]);
    head.chain([buckets.len() as u64])
        .for_each(|number| write(out, number));
    let mut before = 0;
    for &(bucket, count) in buckets {
        write(out, u64::from(bucket - before));
        write(out, count);
        before = bucket;
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let whole = self.rest;
        let mut rest = whole;
        let mut next = || number(&mut rest);
        let sort = next()?;
        let (a, b) = (next()?.try_into().ok()?, next()?.try_into().ok()?);
        let (count, error_count, buckets) = (next()?, next()?, next()?);
        let length = bytes_of_numbers(rest, buckets.checked_mul(2)?)?;
        let (buckets, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        let buckets = Buckets::Packed(PackedBuckets {
            bytes: buckets,
            bucket: 0,
        });
        Some(Entry {
            key: key_of(sort, a, b)?,
            figures: Counted {
                count,
                error_count,
                buckets,
            },
            bytes: whole.get(..whole.len() - rest.len())?,
        })
    }
}

/// How many bytes the next numbers take. Most entries are passed over: eight bytes at a time, of
/// which those without the highest bit end a number.
fn bytes_of_numbers(bytes: &[u8], mut numbers: u64) -> Option<usize> {
    let mut at = 0;
    while numbers >= 8 {
        let eight = bytes.get(at..)?.first_chunk::<8>()?;
        let going_on = u64::from_ne_bytes(*eight) & 0x8080_8080_8080_8080;
        numbers -= u64::from(8 - going_on.count_ones());
        at += 8;
    }
    while numbers > 0 {
        numbers -= u64::from(*bytes.get(at)? < 0x80);
        at += 1;
    }
    Some(at)
}

impl Iterator for PackedBuckets<'_> {
    type Item = (u16, u64);

    #[inline]
    fn next(&mut self) -> Option<(u16, u64)> {
        let step = number(&mut self.bytes)?;
        self.bucket = self.bucket.checked_add(u16::try_from(step).ok()?)?;
        Some((self.bucket, number(&mut self.bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_passed_over_as_they_are_read() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in 0..200 {
            let mut bytes = Vec::new();
            for _ in 0..count {
                write(&mut bytes, random.u64(..) >> random.u32(..64));
            }
            let length = bytes.len();
            bytes.extend([7; 3]);
            assert_eq!(bytes_of_numbers(&bytes, count), Some(length));
            assert_eq!(bytes_of_numbers(&bytes[..length], count + 1), None);
        }
    }
}
