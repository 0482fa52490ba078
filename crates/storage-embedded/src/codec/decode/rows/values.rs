//! The values of attributes, from what `encode::rows::values` wrote.
#![warn(clippy::indexing_slicing)]

use tracewell_model::batch::Columns;

use super::super::super::bits::{BitReader, Field, Packing};
use super::super::super::primitive::{Damaged, Reader};
use super::super::super::{narrow_words_max, slots};
use super::super::is_sound;

/// How the values of each shape are read.
pub(super) struct Values {
    shapes: Vec<Option<Slots>>,
    /// Where there may be no more words than this, for some take less than a byte.
    words_max: usize,
}

struct Slots {
    bases: Vec<u64>,
    packing: Packing,
    /// The largest word of each.
    largest: Vec<u64>,
}

impl Values {
    /// Reads what the rows of each shape have in common.
    pub(super) fn read(r: &mut Reader<'_>, c: &Columns) -> Result<Values, Damaged> {
        let mut values = Values {
            shapes: Vec::with_capacity(c.shapes.len()),
            words_max: usize::MAX,
        };
        for shape in &c.shapes {
            let form = r.byte()?;
            if form == slots::NO_ROWS {
                values.shapes.push(None);
                continue;
            }
            let mut fields = Vec::with_capacity(shape.len());
            for _ in shape {
                fields.push(match form {
                    slots::ALL_EQUAL => Field {
                        base: r.zigzag()? as u64,
                        width: 0,
                    },
                    slots::WIDTHS => Field::read(r, u64::BITS)?,
                    _ => return Err(Damaged("form of slots")),
                });
            }
            if fields.iter().any(|field| field.width < 8) {
                values.words_max = narrow_words_max(c.span_id.len());
            }
            values.shapes.push(Some(Slots::new(&fields)));
        }
        Ok(values)
    }

    /// Appends a row's words.
    #[inline]
    pub(super) fn read_row(
        &mut self,
        bits: &mut BitReader<'_>,
        words: &mut Vec<u64>,
        shape: u64,
        event_shape: u64,
    ) -> Result<(), Damaged> {
        for shape in [shape, event_shape] {
            let slots = self.shapes.get_mut(shape as usize).and_then(Option::as_mut);
            slots
                .ok_or(Damaged("shape of a row"))?
                .read_row(bits, words)?;
        }
        if words.len() > self.words_max {
            return Err(Damaged("more values than their bytes allow"));
        }
        Ok(())
    }

    /// Holds the words against what they point into.
    pub(super) fn check(&self, c: &Columns) -> Result<(), Damaged> {
        for (slots, shape) in self.shapes.iter().zip(&c.shapes) {
            let largest = slots.iter().flat_map(|slots| &slots.largest);
            let mut words = largest.zip(shape);
            if !words.all(|(&word, &(_, value_type))| is_sound(word, value_type, c)) {
                return Err(Damaged("value of a row"));
            }
        }
        Ok(())
    }
}

impl Slots {
    fn new(fields: &[Field]) -> Slots {
        Slots {
            bases: fields.iter().map(|field| field.base).collect(),
            packing: Packing::new(fields),
            largest: vec![0; fields.len()],
        }
    }

    #[inline]
    fn read_row(&mut self, bits: &mut BitReader<'_>, words: &mut Vec<u64>) -> Result<(), Damaged> {
        let from = words.len();
        words.extend_from_slice(&self.bases);
        let words = words.get_mut(from..).unwrap_or_default();
        self.packing.get(bits, words)?;
        for (largest, word) in self.largest.iter_mut().zip(words.iter()) {
            *largest = (*largest).max(*word);
        }
        Ok(())
    }
}
