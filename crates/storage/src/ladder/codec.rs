//! A ladder as bytes, and back. All numbers LEB128 varints:
//!
//! ```text
//! version · now · too_old · future · folded
//! names: count (length, UTF-8)*
//! 3 × rung: slot count (slot number less the one before, entries)*
//! entries: count (an entry as in packed.rs)*, by key
//! ```
//! That is version 1. Where some figures lie on a shelf, or some names were forgotten, it is
//! version 2: a name's length is one more, 0 for a free position; the names are followed by the
//! series there are, `count (sort, a, b)*`; and the entries by `count (file, offset, length)*`.
//! Whoever saves these bytes adds a checksum; reading them is safe all the same.

use std::sync::Arc;

use tracewell_model::histogram::bucket_of;

use super::names::{Key, Names};
use super::packed::{Packed, key_of, number, numbers_of, write};
use super::slot::{Place, Slot};
use super::{Ladder, LadderCounts, LadderLimits, RUNGS};

const PLAIN: u8 = 1;
const WITH_PLACES: u8 = 2;
/// More spans than this in one ladder is damage; below it no sum of counts can overflow.
const SPANS_MAX: u64 = 1 << 62;

impl Ladder {
    /// Writes the ladder; equal ladders of one history give equal bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let is_plain =
            self.places().next().is_none() && self.names.texts().iter().all(|t| t.is_some());
        let version = if is_plain { PLAIN } else { WITH_PLACES };
        out.push(version);
        let counts = self.counts;
        let head = [
            self.now_unix_ns,
            counts.too_old,
            counts.future,
            counts.folded,
        ];
        head.into_iter().for_each(|number| write(out, number));
        write_names(out, &self.names, version);
        for slots in &self.rungs {
            write(out, slots.len() as u64);
            let mut before = 0;
            for (&number, slot) in slots {
                write(out, number - before);
                before = number;
                write_slot(out, slot, version);
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
        let (&version, bytes) = bytes.split_first()?;
        if !matches!(version, PLAIN | WITH_PLACES) {
            return None;
        }
        let mut reader = Reader {
            version,
            bytes,
            spans: 0,
        };
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

fn write_names(out: &mut Vec<u8>, names: &Names, version: u8) {
    write(out, names.texts().len() as u64);
    let is_plain = version == PLAIN;
    for text in names.texts() {
        let text = text.as_deref();
        let length = text.map_or(0, |text| text.len() + usize::from(!is_plain));
        write(out, length as u64);
        out.extend_from_slice(text.unwrap_or("").as_bytes());
    }
    if is_plain {
        return;
    }
    let mut series: Vec<Key> = names.series_noted().collect();
    series.sort_unstable();
    write(out, series.len() as u64);
    for (sort, a, b) in series.iter().map(numbers_of) {
        [sort.into(), a.into(), b.into()]
            .into_iter()
            .for_each(|number| write(out, number));
    }
}

fn write_slot(out: &mut Vec<u8>, slot: &Slot, version: u8) {
    let packed = slot.to_packed();
    write(out, packed.entries().count() as u64);
    out.extend_from_slice(packed.bytes());
    if version == PLAIN {
        return;
    }
    write(out, slot.away().len() as u64);
    for place in slot.away() {
        [place.file, place.offset, place.length.into()]
            .into_iter()
            .for_each(|number| write(out, number));
    }
}

/// Reads from the front; every method is `None` once the bytes make no sense.
struct Reader<'a> {
    version: u8,
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
        number(&mut self.bytes)
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
        let mut texts = Vec::new();
        for _ in 0..self.number()? {
            texts.push(self.text()?);
        }
        let mut names = Names::with_texts(texts)?;
        if self.version == WITH_PLACES {
            for _ in 0..self.number()? {
                names.note(self.key(&names)?);
            }
        }
        Some(names)
    }

    fn text(&mut self) -> Option<Option<Arc<str>>> {
        let length = self.number()?;
        let length = match self.version {
            PLAIN => Some(length),
            _ => length.checked_sub(1),
        };
        let Some(length) = length else {
            return Some(None);
        };
        let text = std::str::from_utf8(self.take(usize::try_from(length).ok()?)?);
        Some(Some(Arc::from(text.ok()?)))
    }

    fn slot(&mut self, names: &mut Names) -> Option<Slot> {
        let entries = self.number()?;
        let from = self.bytes;
        let mut before = None;
        for _ in 0..entries {
            let key = self.key(names)?;
            if before.is_some_and(|before| before >= key) {
                return None;
            }
            before = Some(key);
            names.note(key);
            self.figures()?;
        }
        let packed = Packed::of(from.get(..from.len() - self.bytes.len())?.to_vec());
        Some(Slot::at_rest(packed, self.places()?))
    }

    fn places(&mut self) -> Option<Vec<Place>> {
        if self.version == PLAIN {
            return Some(Vec::new());
        }
        let mut places = Vec::new();
        for _ in 0..self.number()? {
            places.push(Place {
                file: self.number()?,
                offset: self.number()?,
                length: self.number()?.try_into().ok()?,
            });
        }
        Some(places)
    }

    fn key(&mut self, names: &Names) -> Option<Key> {
        let sort = self.number()?;
        key_of(sort, self.name(names)?, self.name(names)?)
    }

    fn name(&mut self, names: &Names) -> Option<u32> {
        let at = self.number()?;
        let text = names.texts().get(usize::try_from(at).ok()?)?;
        text.is_some().then_some(at as u32)
    }

    /// Passes over the figures of an entry that are sound.
    fn figures(&mut self) -> Option<()> {
        let (count, error_count) = (self.count()?, self.number()?);
        let (mut bucket, mut total) = (0u64, 0u64);
        for at in 0..self.number()? {
            let step = self.number()?;
            bucket = bucket.checked_add(step)?;
            if (at > 0 && step == 0) || bucket > u64::from(bucket_of(u64::MAX)) {
                return None;
            }
            total = total.checked_add(self.number()?)?;
        }
        (total == count && error_count <= count).then_some(())
    }
}
