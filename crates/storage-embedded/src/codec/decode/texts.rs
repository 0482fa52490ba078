//! The texts of a batch, from what `encode::texts` wrote.
#![warn(clippy::indexing_slicing)]

use tracewell_model::dictionary::TextDictionary;

use super::super::copies::{Copies, form};
use super::super::primitive::{Damaged, Reader};

/// What is not simply the next bytes that stand there.
enum Special {
    /// So many bytes of two digits each.
    Hex(usize),
    /// So many bytes of the start of another text, of its own, and of the other's end.
    Shared {
        other: usize,
        start: usize,
        own: usize,
        end: usize,
    },
}

/// The lengths of texts, and what is special about some.
#[derive(Default)]
struct Heads {
    ends: Vec<u32>,
    /// With the bytes of the plain texts before it.
    special: Vec<(usize, Special)>,
    /// Plain bytes since the last special one.
    plain: usize,
    /// All bytes that stand there.
    own: usize,
}

/// Reads the texts.
pub(super) fn read(r: &mut Reader<'_>, copies: &mut Copies) -> Result<TextDictionary, Damaged> {
    let count = r.count(1)?;
    let own = u32::from_le_bytes(r.array()?) as usize;
    let mut own = Reader::new(r.take(own)?);
    // What is copied is held against what is there before the next text relies on it.
    let mut heads = Heads {
        ends: Vec::with_capacity(count),
        ..Heads::default()
    };
    for number in 0..count {
        heads.read(r, number, copies)?;
        if heads.own > own.remaining() {
            return Err(Damaged("cut short"));
        }
    }
    if heads.own < own.remaining() {
        return Err(Damaged("bytes after the last text"));
    }
    let length = heads.ends.last().map_or(0, |&end| end as usize);
    let mut bytes = Vec::with_capacity(length);
    for (plain, special) in &heads.special {
        bytes.extend_from_slice(own.take(*plain)?);
        special.put(&mut own, &heads.ends, &mut bytes)?;
    }
    bytes.extend_from_slice(own.take(own.remaining())?);
    let text = String::from_utf8(bytes).map_err(|_| Damaged("text is not UTF-8"))?;
    let whole = |&end: &u32| text.is_char_boundary(end as usize);
    if text.len() != length || !heads.ends.iter().all(whole) {
        return Err(Damaged("end of a text"));
    }
    let ends = heads.ends;
    Ok(TextDictionary { text, ends })
}

impl Heads {
    fn read(
        &mut self,
        r: &mut Reader<'_>,
        number: usize,
        copies: &mut Copies,
    ) -> Result<(), Damaged> {
        let head = r.varint()?;
        let length = u32::try_from(head >> form::BITS).map_err(|_| Damaged("length of a text"))?;
        let end = self.ends.last().copied().unwrap_or(0).checked_add(length);
        self.ends.push(end.ok_or(Damaged("texts beyond 4 GiB"))?);
        let length = length as usize;
        let own = match head & ((1 << form::BITS) - 1) {
            form::PLAIN => {
                self.plain += length;
                length
            }
            form::HEX if length.is_multiple_of(2) => {
                self.note(Special::Hex(length / 2));
                length / 2
            }
            form::SHARED => {
                let (back, start, end) = (r.u32()? as usize, r.u32()? as usize, r.u32()? as usize);
                let other = number.checked_sub(back).filter(|&other| other < number);
                let other = other.ok_or(Damaged("number of a text"))?;
                let own = length
                    .checked_sub(start + end)
                    .filter(|_| copies.take(start + end));
                let own = own.ok_or(Damaged("what texts share"))?;
                self.note(Special::Shared {
                    other,
                    start,
                    own,
                    end,
                });
                own
            }
            _ => return Err(Damaged("form of a text")),
        };
        copies.note_own(own);
        self.own = self.own.saturating_add(own);
        Ok(())
    }

    fn note(&mut self, special: Special) {
        self.special
            .push((std::mem::take(&mut self.plain), special));
    }
}

impl Special {
    fn put(&self, from: &mut Reader<'_>, ends: &[u32], bytes: &mut Vec<u8>) -> Result<(), Damaged> {
        match *self {
            Special::Hex(own) => {
                let digits = from
                    .take(own)?
                    .iter()
                    .flat_map(|byte| [byte >> 4, byte & 15]);
                bytes.extend(digits.map(|digit| digit + if digit < 10 { b'0' } else { b'a' - 10 }));
            }
            Special::Shared {
                other,
                start,
                own,
                end,
            } => {
                let place = |number: usize| ends.get(number).map_or(0, |&end| end as usize);
                let (from_at, to) = (other.checked_sub(1).map_or(0, place), place(other));
                let tail = to.checked_sub(end).filter(|&tail| tail >= from_at);
                let tail = tail.ok_or(Damaged("what texts share"))?;
                if from_at + start > to || to > bytes.len() {
                    return Err(Damaged("what texts share"));
                }
                bytes.extend_from_within(from_at..from_at + start);
                bytes.extend_from_slice(from.take(own)?);
                bytes.extend_from_within(tail..to);
            }
        }
        Ok(())
    }
}
