//! A column that is counted: how many spans of two sets have each of its values, by code.
#![warn(clippy::indexing_slicing)]

use std::borrow::Cow;

use tracewell_model::attribute::ValueType;
use tracewell_storage::value_counts::Counts;

use super::column_values::Coded;
use super::tails::EventValue;
use crate::codec::Damaged;
use crate::segment::values::word_of;

/// With more codes than these most are of no span that is counted.
const CODES_MAX: usize = 512;

/// See the module.
#[derive(Debug)]
pub(super) struct CountedColumn<'b> {
    values: Coded<'b>,
    by_code: Vec<Counts>,
    /// Of columns with many codes, or none: one after the other.
    others: Vec<(u64, Counts)>,
}

impl<'b> CountedColumn<'b> {
    pub(super) fn new(values: Coded<'b>) -> Self {
        let codes = match &values {
            Coded::Bytes(_, dictionary) => dictionary.len(),
            Coded::Numbers(_, dictionary) => dictionary.len(),
            Coded::Distinct(_) => 0,
        };
        let codes = if codes > CODES_MAX { 0 } else { codes };
        CountedColumn {
            values,
            by_code: vec![[0; 2]; codes],
            others: Vec::new(),
        }
    }

    /// The value at this place, told from others of the column.
    #[inline]
    pub(super) fn id(&self, at: u32) -> Result<u64, Damaged> {
        let id = match &self.values {
            Coded::Bytes(codes, _) | Coded::Numbers(codes, _) => {
                codes.get(at as usize).map(|&code| u64::from(code))
            }
            Coded::Distinct(numbers) => numbers.get(at as usize).copied(),
        };
        id.ok_or(Damaged("place of a value"))
    }

    /// Counts spans with the value of this id.
    #[inline]
    pub(super) fn take(&mut self, id: u64, counts: Counts) {
        match self.by_code.get_mut(id as usize) {
            Some(of) => *of = [of[0] + counts[0], of[1] + counts[1]],
            None => self.others.push((id, counts)),
        }
    }

    /// What was counted, by text.
    pub(super) fn texts(
        &mut self,
        value_type: ValueType,
    ) -> Result<Vec<(Cow<'_, str>, Counts)>, Damaged> {
        self.others.sort_unstable();
        let same = self.others.chunk_by(|one, other| one.0 == other.0);
        let others = same.filter_map(|same| {
            let counts = same.iter().map(|(_, counts)| counts);
            let sum = counts.fold([0; 2], |sum, of| [sum[0] + of[0], sum[1] + of[1]]);
            Some((same.first()?.0, sum))
        });
        let coded = (0..).zip(self.by_code.iter().copied());
        let counted = coded.chain(others).filter(|(_, counts)| *counts != [0; 2]);
        let texts = counted.map(|(id, counts)| {
            let value = self.value(id, value_type)?;
            Ok((value.typed(value_type)?.text(), counts))
        });
        texts.collect()
    }

    fn value(&self, id: u64, value_type: ValueType) -> Result<EventValue<'b>, Damaged> {
        let number = match &self.values {
            Coded::Bytes(_, dictionary) => {
                return Ok(EventValue::Bytes(dictionary.get(id as u32)?));
            }
            Coded::Numbers(_, dictionary) => dictionary.get(id as usize).copied(),
            Coded::Distinct(_) => Some(id),
        };
        let number = number.ok_or(Damaged("code of a number"))?;
        Ok(EventValue::Number(word_of(value_type, number)))
    }
}
