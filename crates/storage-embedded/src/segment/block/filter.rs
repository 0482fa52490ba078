//! Which rows of a block satisfy a condition on an attribute (D17): the first of span, resource,
//! scope and event attributes that has the key decides. The condition is asked once per distinct
//! text, and only columns that matter are read.
#![warn(clippy::indexing_slicing)]

use tracewell_model::attribute::ValueType;
use tracewell_storage::{Error, TagFilter};

use super::column_reader::{ColumnReader, Cursors};
use super::layout::{class, column, lane};
use super::open::Body;
use super::parts::Section;
use super::structure::{ColumnPlace, Slot, Structure};
use super::tails::{EventValue, Tail};
use crate::codec::Damaged;
use crate::segment::values::word_of;

/// For each row whether it holds.
pub(super) fn holding(block: &Body, filter: &TagFilter) -> Result<Vec<bool>, Error> {
    let structure = &block.structure;
    let mut search = Search {
        structure,
        filter,
        verdicts: structure.columns.iter().map(|_| None).collect(),
        columns: ColumnReader::new(block, &(0..block.rows())),
    };
    if !search.judge()? {
        return Ok(vec![false; structure.rows.len()]);
    }
    let origins = search.origins();
    let classes = search.classes(&origins)?;
    let own = search.own_slots();
    // Tails are opened only where events can decide.
    let tails = match classes.iter().any(|class| class.events.is_some()) {
        true => Some(block.section_once(Section::Rest)?),
        false => None,
    };
    search.rows(&own, &origins.resources, &classes, tails.as_deref())
}

struct Search<'b> {
    structure: &'b Structure,
    filter: &'b TagFilter,
    columns: ColumnReader<'b>,
    /// For the columns of the key: the condition's answer for each value of the column.
    verdicts: Vec<Option<Vec<bool>>>,
}

/// What resources and scopes decide; none where they do not have the key.
struct Origins {
    resources: Vec<Option<bool>>,
    scopes: Vec<Option<bool>>,
}

/// What a class decides.
struct Class {
    scope: Option<bool>,
    /// The shape of events, if they have the key.
    events: Option<u32>,
}

impl Search<'_> {
    /// Asks the condition about all values of the key; false when there are none.
    fn judge(&mut self) -> Result<bool, Error> {
        let structure = self.structure;
        let places = structure.columns.iter().enumerate();
        let mut any = false;
        for (at, place) in places.skip(column::ATTRIBUTES) {
            if place.name == self.filter.key {
                let verdicts = self.judge_column(at, place)?;
                if let Some(slot) = self.verdicts.get_mut(at) {
                    *slot = Some(verdicts);
                }
                any = true;
            }
        }
        Ok(any)
    }

    /// Asks it about each distinct text, or about each number that is not the one before.
    fn judge_column(&self, at: usize, place: &ColumnPlace) -> Result<Vec<bool>, Error> {
        let values = self.columns.get(at)?;
        let count = self.structure.values_of_column(at);
        let mut verdicts = Vec::new();
        if values.has_numbers() {
            let mut last = None;
            for at in 0..count {
                let number = values.number(at)?;
                let verdict = match last {
                    Some((before, verdict)) if before == number => verdict,
                    _ => {
                        let word = word_of(place.value_type, number);
                        self.holds(place.value_type, EventValue::Number(word))?
                    }
                };
                last = Some((number, verdict));
                verdicts.push(verdict);
            }
            return Ok(verdicts);
        }
        let dictionary = values.dictionary()?;
        let mut by_code = Vec::with_capacity(dictionary.len());
        for code in 0..dictionary.len() as u32 {
            let text = EventValue::Bytes(dictionary.get(code)?);
            by_code.push(self.holds(place.value_type, text)?);
        }
        for at in 0..count {
            let verdict = by_code.get(values.code(at)? as usize);
            verdicts.push(verdict == Some(&true));
        }
        Ok(verdicts)
    }

    fn holds(&self, value_type: ValueType, value: EventValue<'_>) -> Result<bool, Damaged> {
        Ok(self.filter.condition.holds(&value.typed(value_type)?))
    }

    fn has_key(&self, column: u32) -> bool {
        matches!(self.verdicts.get(column as usize), Some(Some(_)))
    }

    /// The answer for the value at this place of a column; none if the key is another.
    #[inline]
    fn verdict(&self, column: u32, at: u32) -> Option<bool> {
        let verdicts = self.verdicts.get(column as usize)?.as_ref()?;
        verdicts.get(at as usize).copied()
    }

    fn origins(&self) -> Origins {
        let decide = |&place| {
            let values = self.structure.values_of(place);
            any(values.map(|(column, at)| self.verdict(column, at)))
        };
        Origins {
            resources: self.structure.resources.iter().map(decide).collect(),
            scopes: self.structure.scopes.iter().map(decide).collect(),
        }
    }

    fn classes(&self, origins: &Origins) -> Result<Vec<Class>, Error> {
        let scopes = self.columns.get(column::CLASSES + class::SCOPE)?;
        let events = self.columns.get(column::CLASSES + class::EVENTS)?;
        let mut classes = Vec::new();
        for class in 0..self.structure.classes as u32 {
            let scope = usize::try_from(scopes.number(class)?).unwrap_or(usize::MAX);
            let scope = origins.scopes.get(scope).ok_or(Damaged("scope"))?;
            let shape = u32::try_from(events.number(class)?).unwrap_or(u32::MAX);
            let columns = self.structure.shape(shape);
            let has_key = columns.iter().any(|&column| self.has_key(column));
            classes.push(Class {
                scope: *scope,
                events: has_key.then_some(shape),
            });
        }
        Ok(classes)
    }

    /// For each template its own slots with the key.
    fn own_slots(&self) -> Vec<Vec<Slot>> {
        let own = |template| {
            let slots = self.structure.slots(template).iter().skip(lane::COUNT);
            slots
                .copied()
                .filter(|slot| self.has_key(slot.column))
                .collect()
        };
        self.structure.templates.iter().map(own).collect()
    }

    fn rows(
        &self,
        own: &[Vec<Slot>],
        resources: &[Option<bool>],
        classes: &[Class],
        mut tails: Option<&[u8]>,
    ) -> Result<Vec<bool>, Error> {
        let mut cursors = Cursors::at(self.structure, 0);
        let mut holding = Vec::with_capacity(self.structure.rows.len());
        // What is asked only where spans themselves do not decide need not be read for it.
        let lanes_needed = tails.is_some()
            || resources.iter().any(Option::is_some)
            || classes.iter().any(|class| class.scope.is_some());
        for row in 0..self.structure.rows.len() {
            let (number, template) = self.structure.template(row).ok_or(Damaged("row"))?;
            let own = own.get(number as usize).map_or(&[][..], |own| own);
            let verdict = any(own.iter().map(|&slot| {
                let at = cursors.next(slot);
                self.verdict(slot.column, at)
            }));
            if !lanes_needed {
                holding.push(verdict == Some(true));
                continue;
            }
            let slots = self.structure.slots(template);
            let mut numbers = [0usize; lane::COUNT];
            for (number, &slot) in numbers.iter_mut().zip(slots) {
                let at = cursors.next(slot);
                let value = self.columns.get(slot.column as usize)?.number(at)?;
                *number = usize::try_from(value).unwrap_or(usize::MAX);
            }
            let [resource, class, tail] = numbers;
            let tail = take_tail(&mut tails, tail)?;
            let resource = *resources.get(resource).ok_or(Damaged("resource"))?;
            let class = classes.get(class).ok_or(Damaged("class"))?;
            let verdict = match (verdict.or(resource).or(class.scope), class.events) {
                (Some(verdict), _) => verdict,
                (None, Some(shape)) => self.events(shape, tail)?,
                (None, None) => false,
            };
            holding.push(verdict);
        }
        Ok(holding)
    }

    /// What the events of a row decide.
    fn events(&self, shape: u32, tail: &[u8]) -> Result<bool, Damaged> {
        let mut tail = Tail::open(tail)?;
        let mut verdict = false;
        for &column in self.structure.shape(shape) {
            let place = self.structure.columns.get(column as usize);
            let value_type = place.ok_or(Damaged("column"))?.value_type;
            let value = tail.value(value_type)?;
            if self.has_key(column) {
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

fn take_tail<'b>(tails: &mut Option<&'b [u8]>, bytes: usize) -> Result<&'b [u8], Damaged> {
    let Some(all) = tails else { return Ok(&[]) };
    let (tail, others) = all
        .split_at_checked(bytes)
        .ok_or(Damaged("bytes of a tail"))?;
    *tails = Some(others);
    Ok(tail)
}
