//! Which rows of a block satisfy a condition on an attribute (D17): the first of span, resource,
//! scope and event attributes that has the key decides. The condition is asked once per distinct
//! value.
#![warn(clippy::indexing_slicing)]

use tracewell_model::Value;
use tracewell_model::attribute::ValueType;
use tracewell_storage::{Error, TagFilter};

use super::decode::{ColumnReader, Cursors};
use super::layout::{class, column, lane};
use super::open::{Block, senseless};
use super::parts::Section;
use super::structure::{Slot, Structure};
use super::tails::{EventValue, Tail};
use super::values::Values;
use crate::codec::Damaged;
use crate::segment::values::word_of;

/// For each row whether it holds.
pub(super) fn holding(block: &Block, filter: &TagFilter) -> Result<Vec<bool>, Error> {
    let structure = &block.structure;
    let own = structure.columns.iter().skip(column::ATTRIBUTES);
    if !own.clone().any(|place| place.name == filter.key) {
        return Ok(vec![false; block.rows() as usize]);
    }
    let columns = ColumnReader::new(block, block.rows())?;
    let mut search = Search {
        structure,
        filter,
        verdicts: structure.columns.iter().map(|_| None).collect(),
        columns,
    };
    search.judge().map_err(senseless)?;
    let decided = search.origins().map_err(senseless)?;
    let events = search.event_classes().map_err(senseless)?;
    // Tails are opened only where events can have the key.
    let tails = match events.contains(&true) {
        true => Some(block.section(Section::Rest)?),
        false => None,
    };
    search.rows(&decided, &events, tails).map_err(senseless)
}

struct Search<'b> {
    structure: &'b Structure,
    filter: &'b TagFilter,
    columns: ColumnReader<'b>,
    /// For the columns of the key: the condition's answer for each value of the column.
    verdicts: Vec<Option<Vec<bool>>>,
}

/// What resources and scopes decide; none where they do not have the key.
struct Decided {
    resources: Vec<Option<bool>>,
    scopes: Vec<Option<bool>>,
}

impl Search<'_> {
    /// Asks the condition about all values of the key.
    fn judge(&mut self) -> Result<(), Damaged> {
        let places = self.structure.columns.iter().enumerate();
        for (at, place) in places.skip(column::ATTRIBUTES) {
            if place.name != self.filter.key {
                continue;
            }
            let verdicts = match self.columns.get(at)? {
                Values::Bytes { codes, dictionary } => {
                    let mut by_code = Vec::with_capacity(dictionary.len());
                    for code in 0..dictionary.len() as u32 {
                        let bytes = dictionary.get(code).ok_or(Damaged("text"))?;
                        by_code.push(self.holds(place.value_type, EventValue::Bytes(bytes))?);
                    }
                    let verdict = |&code: &u32| by_code.get(code as usize) == Some(&true);
                    codes.iter().map(verdict).collect()
                }
                Values::Numbers(numbers) => {
                    let mut verdicts = Vec::with_capacity(numbers.len());
                    let mut last = None;
                    for &number in numbers {
                        let word = word_of(place.value_type, number);
                        let verdict = match last {
                            Some((before, verdict)) if before == word => verdict,
                            _ => self.holds(place.value_type, EventValue::Number(word))?,
                        };
                        last = Some((word, verdict));
                        verdicts.push(verdict);
                    }
                    verdicts
                }
            };
            if let Some(slot) = self.verdicts.get_mut(at) {
                *slot = Some(verdicts);
            }
        }
        Ok(())
    }

    fn holds(&self, value_type: ValueType, value: EventValue<'_>) -> Result<bool, Damaged> {
        let value = match (value_type, value) {
            (ValueType::Str, EventValue::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes);
                Value::Str(text.map_err(|_| Damaged("text is not UTF-8"))?)
            }
            (ValueType::Any, EventValue::Bytes(bytes)) => Value::Any(bytes),
            (_, EventValue::Bytes(bytes)) => Value::Bytes(bytes),
            (ValueType::Double, EventValue::Number(word)) => Value::Double(f64::from_bits(word)),
            (ValueType::Bool, EventValue::Number(word)) => Value::Bool(word != 0),
            (_, EventValue::Number(word)) => Value::Int(word as i64),
        };
        Ok(self.filter.condition.holds(&value))
    }

    /// The answer for the value at this place of a column; none if the key is another.
    #[inline]
    fn verdict(&self, column: u32, at: u32) -> Option<bool> {
        let verdicts = self.verdicts.get(column as usize)?.as_ref()?;
        verdicts.get(at as usize).copied()
    }

    /// What each resource and scope decides.
    fn origins(&self) -> Result<Decided, Damaged> {
        let decide = |&place| {
            let values = self.structure.values_of(place);
            any(values.map(|(column, at)| self.verdict(column, at)))
        };
        Ok(Decided {
            resources: self.structure.resources.iter().map(decide).collect(),
            scopes: self.structure.scopes.iter().map(decide).collect(),
        })
    }

    /// For each class whether its events have the key.
    fn event_classes(&self) -> Result<Vec<bool>, Damaged> {
        let shapes = self.columns.get(column::CLASSES + class::EVENTS)?;
        let has = |class| {
            let shape = u32::try_from(shapes.number(class)?).unwrap_or(u32::MAX);
            let columns = self.structure.shape(shape).iter();
            let mut named = columns.map(|&column| self.verdicts.get(column as usize));
            Ok(named.any(|verdicts| matches!(verdicts, Some(Some(_)))))
        };
        (0..self.structure.classes as u32).map(has).collect()
    }

    fn rows(
        &self,
        decided: &Decided,
        events: &[bool],
        mut tails: Option<&[u8]>,
    ) -> Result<Vec<bool>, Damaged> {
        let scopes = self.columns.get(column::CLASSES + class::SCOPE)?;
        let mut cursors = Cursors::at(self.structure, 0);
        let mut holding = Vec::with_capacity(self.structure.rows.len());
        for row in 0..self.structure.rows.len() {
            let (_, template) = self.structure.template(row).ok_or(Damaged("row"))?;
            let slots = self.structure.slots(template);
            let lanes = slots.split_first_chunk::<{ lane::COUNT }>();
            let (lanes, own) = lanes.ok_or(Damaged("lanes"))?;
            let mut numbers = [0u64; lane::COUNT];
            for (number, &slot) in numbers.iter_mut().zip(lanes) {
                let at = cursors.next(slot);
                *number = self.columns.get(slot.column as usize)?.number(at)?;
            }
            let [resource, class, tail] = numbers;
            let own = any(own.iter().map(|&slot: &Slot| {
                let at = cursors.next(slot);
                self.verdict(slot.column, at)
            }));
            let tail = take_tail(&mut tails, tail)?;
            let scope = || {
                let scope = scopes.number(u32::try_from(class).ok()?).ok()?;
                *decided.scopes.get(usize::try_from(scope).ok()?)?
            };
            let origin = || {
                let resource = usize::try_from(resource).ok()?;
                let resource = *decided.resources.get(resource)?;
                resource.or_else(scope)
            };
            let verdict = match own.or_else(origin) {
                Some(verdict) => verdict,
                None if usize::try_from(class).is_ok_and(|at| events.get(at) == Some(&true)) => {
                    self.events(class, tail)?
                }
                None => false,
            };
            holding.push(verdict);
        }
        Ok(holding)
    }

    /// What the events of a row decide.
    fn events(&self, class: u64, tail: &[u8]) -> Result<bool, Damaged> {
        let shapes = self.columns.get(column::CLASSES + class::EVENTS)?;
        let shape = shapes.number(class as u32)?;
        let mut tail = Tail::open(tail)?;
        let mut verdict = false;
        for &column in self.structure.shape(shape as u32) {
            let place = self.structure.columns.get(column as usize);
            let value_type = place.ok_or(Damaged("column"))?.value_type;
            let value = tail.value(value_type)?;
            if matches!(self.verdicts.get(column as usize), Some(Some(_))) {
                verdict |= self.holds(value_type, value)?;
            }
        }
        Ok(verdict)
    }
}

/// True when any of the answers is; none when there is none.
fn any(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    verdicts.fold(None, |all, verdict| match verdict {
        None => all,
        Some(verdict) => Some(verdict || all == Some(true)),
    })
}

fn take_tail<'b>(tails: &mut Option<&'b [u8]>, bytes: u64) -> Result<&'b [u8], Damaged> {
    let Some(all) = tails else { return Ok(&[]) };
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let (tail, others) = all
        .split_at_checked(bytes)
        .ok_or(Damaged("bytes of a tail"))?;
    *tails = Some(others);
    Ok(tail)
}
