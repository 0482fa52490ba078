//! A ladder as bytes, and back. Version 1, all numbers LEB128 varints:
//!
//! ```text
//! version · now · too_old · future · folded
//! names: count (length, UTF-8)*
//! 3 × rung: slot count (slot number less the one before, entries)*
//! entries: count (sort, a, b, spans, errors, bucket count (bucket less the one before, spans)*)*
//! ```
//! `sort` is 0 for an operation, 1 for an entry operation, 2 for an edge; a and b are names.
//! Whoever saves these bytes adds a checksum; reading them is safe all the same.

use std::collections::BTreeMap;

use tracewell_model::histogram::{Histogram, bucket_of};

use super::names::{Key, Names};
use super::{Ladder, LadderCounts, LadderLimits, RUNGS, Slot};
use crate::stats::Figures;

const VERSION: u8 = 1;
/// More spans than this in one ladder is damage; below it no sum of counts can overflow.
const SPANS_MAX: u64 = 1 << 62;

impl Ladder {
    /// Writes the ladder; equal ladders of one history give equal bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        let counts = self.counts;
        for number in [
            self.now_unix_ns,
            counts.too_old,
            counts.future,
            counts.folded,
        ] {
            write(out, number);
        }
        write(out, self.names.texts().len() as u64);
        for text in self.names.texts() {
            write(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        for slots in &self.rungs {
            write(out, slots.len() as u64);
            let mut before = 0;
            for (&number, slot) in slots {
                write(out, number - before);
                before = number;
                write_slot(out, slot);
            }
        }
    }

    /// Reads a ladder; `None` for anything but what [`Ladder::encode`] writes. Takes no more memory
    /// than a small multiple of the bytes. The limits, the house's, hold for series yet to come.
    pub fn decode(bytes: &[u8]) -> Option<Ladder> {
        Ladder::decode_with(bytes, LadderLimits::default())
    }

    /// As [`Ladder::decode`], for a ladder with these limits.
    pub fn decode_with(bytes: &[u8], limits: LadderLimits) -> Option<Ladder> {
        let mut reader = Reader { bytes, spans: 0 };
        if reader.take(1)? != [VERSION] {
            return None;
        }
        let mut ladder = Ladder::with_limits(limits);
        ladder.now_unix_ns = reader.number()?;
        ladder.counts = LadderCounts {
            too_old: reader.count()?,
            future: reader.count()?,
            folded: reader.count()?,
        };
        ladder.names = reader.names()?;
        for (rung, slots) in RUNGS.iter().zip(&mut ladder.rungs) {
            let mut number = 0u64;
            for at in 0..reader.number()? {
                let step = reader.number()?;
                if at > 0 && step == 0 {
                    return None;
                }
                number = number.checked_add(step)?;
                number.checked_mul(rung.slot_ns)?;
                slots.insert(number, reader.slot(&mut ladder.names)?);
            }
        }
        reader.bytes.is_empty().then_some(ladder)
    }
}

fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write_slot(out: &mut Vec<u8>, slot: &Slot) {
    // Sorted, so that the bytes do not depend on a hash table's order.
    let sorted: BTreeMap<&Key, &Figures> = slot.iter().collect();
    write(out, sorted.len() as u64);
    for (key, figures) in sorted {
        let (sort, a, b) = match *key {
            Key::Operation {
                service,
                operation,
                entry,
            } => (u64::from(entry), service, operation),
            Key::Edge { parent, child } => (2, parent, child),
        };
        let buckets = &figures.latency.buckets;
        let head = [sort, a.into(), b.into(), figures.count, figures.error_count];
        head.into_iter()
            .chain([buckets.len() as u64])
            .for_each(|number| write(out, number));
        let mut before = 0;
        for &(bucket, count) in buckets {
            write(out, u64::from(bucket - before));
            write(out, count);
            before = bucket;
        }
    }
}

/// Reads from the front; every method is `None` once the bytes make no sense.
struct Reader<'a> {
    bytes: &'a [u8],
    /// Spans read so far, for [`SPANS_MAX`].
    spans: u64,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(length)?;
        self.bytes = tail;
        Some(head)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return None;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number of spans, none of which may make a sum overflow.
    fn count(&mut self) -> Option<u64> {
        let count = self.number()?;
        self.spans = self
            .spans
            .checked_add(count)
            .filter(|&spans| spans <= SPANS_MAX)?;
        Some(count)
    }

    fn names(&mut self) -> Option<Names> {
        let mut names = Names::default();
        for at in 0..self.number()? {
            let length = usize::try_from(self.number()?).ok()?;
            let name = std::str::from_utf8(self.take(length)?).ok()?;
            // A name that stands twice would get its first position.
            if u64::from(names.intern(name)) != at {
                return None;
            }
        }
        Some(names)
    }

    fn slot(&mut self, names: &mut Names) -> Option<Slot> {
        let mut slot = Slot::new();
        for _ in 0..self.number()? {
            let (sort, a, b) = (self.number()?, self.name(names)?, self.name(names)?);
            let key = match sort {
                0 | 1 => Key::Operation {
                    service: a,
                    operation: b,
                    entry: sort == 1,
                },
                2 => Key::Edge {
                    parent: a,
                    child: b,
                },
                _ => return None,
            };
            names.note(key);
            if slot.insert(key, self.figures()?).is_some() {
                return None;
            }
        }
        Some(slot)
    }

    fn name(&mut self, names: &Names) -> Option<u32> {
        let at = self.number()?;
        (at < names.texts().len() as u64).then_some(at as u32)
    }

    fn figures(&mut self) -> Option<Figures> {
        let (count, error_count) = (self.count()?, self.number()?);
        let mut buckets = Vec::new();
        let (mut bucket, mut total) = (0u64, 0u64);
        for at in 0..self.number()? {
            let step = self.number()?;
            bucket = bucket.checked_add(step)?;
            if (at > 0 && step == 0) || bucket > u64::from(bucket_of(u64::MAX)) {
                return None;
            }
            let count = self.number()?;
            total = total.checked_add(count)?;
            buckets.push((bucket as u16, count));
        }
        let sound = total == count && error_count <= count;
        sound.then_some(Figures {
            count,
            error_count,
            latency: Histogram { buckets },
        })
    }
}
