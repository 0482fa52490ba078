//! The values of attributes: each slot of a shape has as many bits as tell its values apart.

use tracewell_model::batch::Columns;

use super::super::super::bits::{BitWriter, Field, Packing};
use super::super::super::primitive::put_zigzag;
use super::super::super::{narrow_words_max, slots};

/// How the values of each shape are put.
pub(super) struct Values {
    shapes: Vec<Packing>,
    bits: usize,
}

/// The values of a shape's slots.
#[derive(Default)]
struct Slots {
    rows: usize,
    first: Vec<u64>,
    /// In which bits some row differs from the first.
    differing: Vec<u64>,
}

impl Values {
    /// Appends, for each shape, what its rows have in common and how far they differ.
    pub(super) fn put_slots(out: &mut Vec<u8>, c: &Columns) -> Values {
        let mut shapes: Vec<Slots> = c.shapes.iter().map(|_| Slots::default()).collect();
        let mut rest = c.values.as_slice();
        for (&own, &event) in c.shape.iter().zip(&c.event_shape) {
            for shape in [own as usize, event as usize] {
                let (words, after) = rest.split_at(c.shapes[shape].len());
                shapes[shape].add(words);
                rest = after;
            }
        }
        let width_min = if c.values.len() > narrow_words_max(c.span_id.len()) {
            8
        } else {
            0
        };
        let mut bits = 0;
        let packings = shapes.iter().enumerate().map(|(shape, slots)| {
            let packing = slots.put(out, c, shape, width_min);
            bits += slots.rows * packing.width();
            packing
        });
        let shapes = packings.collect();
        Values { shapes, bits }
    }

    /// Bits of all rows.
    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    /// Puts a row's values.
    #[inline]
    pub(super) fn put(&self, bits: &mut BitWriter<'_>, c: &Columns, row: usize) {
        let from = row
            .checked_sub(1)
            .map_or(0, |before| c.value_end[before] as usize);
        let (own, event) = (c.shape[row] as usize, c.event_shape[row] as usize);
        let words = &c.values[from..c.value_end[row] as usize];
        let (words, events) = words.split_at(c.shapes[own].len());
        self.shapes[own].put(bits, |slot| words[slot]);
        self.shapes[event].put(bits, |slot| events[slot]);
    }
}

impl Slots {
    #[inline]
    fn add(&mut self, words: &[u64]) {
        if self.rows == 0 {
            self.first = words.to_vec();
            self.differing = vec![0; words.len()];
        }
        self.rows += 1;
        for ((differing, first), word) in self.differing.iter_mut().zip(&self.first).zip(words) {
            *differing |= word ^ first;
        }
    }

    fn put(&self, out: &mut Vec<u8>, c: &Columns, shape: usize, width_min: u32) -> Packing {
        let field = |(slot, &differing): (usize, &u64)| {
            let field = match differing >> 63 {
                0 => Field::of_differing(self.first[slot], differing),
                _ => signed(c, shape, slot),
            };
            let width = field.width.max(width_min);
            Field { width, ..field }
        };
        let fields: Vec<Field> = self.differing.iter().enumerate().map(field).collect();
        let form = match fields.iter().any(|field| field.width > 0) {
            _ if self.rows == 0 => slots::NO_ROWS,
            false => slots::ALL_EQUAL,
            true => slots::WIDTHS,
        };
        out.push(form);
        for field in &fields {
            match form {
                slots::WIDTHS => field.put(out),
                _ => put_zigzag(out, field.base as i64),
            }
        }
        Packing::new(&fields)
    }
}

/// The slot's values are of both signs, and may be small all the same.
fn signed(c: &Columns, shape: usize, slot: usize) -> Field {
    let mut from = 0;
    let (mut least, mut largest) = (i64::MAX, i64::MIN);
    for (&own, &event) in c.shape.iter().zip(&c.event_shape) {
        for this in [own as usize, event as usize] {
            if this == shape {
                let word = c.values[from + slot] as i64;
                (least, largest) = (least.min(word), largest.max(word));
            }
            from += c.shapes[this].len();
        }
    }
    Field::between(least, largest)
}
