//! Makes a batch of rows of a block.
#![warn(clippy::indexing_slicing)]

use std::cell::OnceCell;
use std::ops::Range;

use tracewell_model::SpanBatch;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::{AttributeSet, Columns, Resource, Scope};
use tracewell_storage::Error;

use super::layout::{class, column, has_bytes, lane};
use super::open::{Block, senseless};
use super::parents;
use super::parts::Section;
use super::structure::{OriginPlace, Slot, Structure};
use super::tails::{EventValue, Tail};
use super::values::Values;
use crate::codec::Damaged;
use crate::segment::values::word_of;

/// Reads columns of a block when they are first asked for, as far as the rows need them.
#[derive(Debug)]
pub(super) struct ColumnReader<'b> {
    structure: &'b Structure,
    codes: &'b [u8],
    texts: &'b [u8],
    bits: &'b [u8],
    /// How many values of each column are needed.
    counts: Vec<u32>,
    columns: Vec<OnceCell<Values<'b>>>,
}

impl<'b> ColumnReader<'b> {
    /// For the rows before `end`.
    pub(super) fn new(block: &'b Block, end: u32) -> Result<Self, Error> {
        let structure = &block.structure;
        let bits = block.section(Section::Bits)?;
        let columns = structure.columns.iter().map(|_| OnceCell::new());
        // Bits of columns follow the ids.
        let ids = structure.traces.len() * 16 + structure.parents_elsewhere * 8;
        Ok(ColumnReader {
            structure,
            codes: block.section(Section::Codes)?,
            texts: block.section(Section::Texts)?,
            bits: bits.get(ids..).unwrap_or_default(),
            counts: structure.values_before(end as usize),
            columns: columns.collect(),
        })
    }

    pub(super) fn get(&self, column: usize) -> Result<&Values<'b>, Damaged> {
        let no_column = Damaged("column");
        let cell = self.columns.get(column).ok_or(no_column)?;
        if let Some(values) = cell.get() {
            return Ok(values);
        }
        let place = self.structure.columns.get(column).ok_or(no_column)?;
        let count = self.counts.get(column).copied().unwrap_or(0) as usize;
        let values = Values::read(place, count, self.codes, self.texts, self.bits)?;
        Ok(cell.get_or_init(|| values))
    }
}

/// Where in each column the next row's value is.
#[derive(Debug)]
pub(super) struct Cursors(Vec<u32>);

impl Cursors {
    /// At this row.
    pub(super) fn at(structure: &Structure, row: u32) -> Self {
        Cursors(structure.values_before(row as usize))
    }

    /// The place of a slot's value; every varying slot of every row is to be asked for, in order.
    #[inline]
    pub(super) fn next(&mut self, slot: Slot) -> u32 {
        if let Some(constant) = slot.constant {
            return constant;
        }
        match self.0.get_mut(slot.column as usize) {
            Some(cursor) => {
                *cursor += 1;
                *cursor - 1
            }
            None => u32::MAX,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct RowReader<'b> {
    block: &'b Block,
    structure: &'b Structure,
    rows: Range<u32>,
    columns: ColumnReader<'b>,
    cursors: Cursors,
    batch: Columns,
    known: Known,
    /// Tails of these and the following rows.
    tails: &'b [u8],
}

/// What positions of the block are in the batch, plus one.
#[derive(Debug)]
struct Known {
    /// By column, by code.
    values: Vec<Vec<u32>>,
    names: Vec<u32>,
    shapes: Vec<u32>,
    resources: Vec<u32>,
    scopes: Vec<u32>,
    operations: Vec<u32>,
    classes: Vec<Option<Class>>,
}

/// A class as the batch has it.
#[derive(Clone, Copy, Debug)]
struct Class {
    message: u32,
    scope: u32,
    kind: u8,
    status: u8,
    flags: u32,
    marks: u16,
    events: u32,
    /// The block's number of the shape.
    event_shape: u32,
}

impl<'b> RowReader<'b> {
    pub(super) fn new(block: &'b Block, rows: Range<u32>) -> Result<Self, Error> {
        let s = &block.structure;
        let known = Known {
            values: s.columns.iter().map(|_| Vec::new()).collect(),
            names: vec![0; s.columns.len()],
            shapes: vec![0; s.shapes.len()],
            resources: vec![0; s.resources.len()],
            scopes: vec![0; s.scopes.len()],
            operations: vec![0; s.templates.len()],
            classes: vec![None; s.classes],
        };
        Ok(RowReader {
            block,
            structure: s,
            columns: ColumnReader::new(block, rows.end)?,
            cursors: Cursors::at(s, rows.start),
            rows,
            batch: Columns::default(),
            known,
            tails: block.section(Section::Rest)?,
        })
    }

    pub(super) fn read(mut self) -> Result<SpanBatch, Error> {
        self.take_columns()?;
        self.take_traces();
        self.skip_tails().map_err(senseless)?;
        for row in self.rows.clone() {
            self.take_row(row).map_err(senseless)?;
        }
        SpanBatch::new(self.batch).map_err(|unsound| Error::corrupt(unsound.to_string()))
    }

    /// Takes what is not coded by template.
    fn take_columns(&mut self) -> Result<(), Error> {
        let (from, to) = (self.rows.start as usize, self.rows.end as usize);
        let block = self.block;
        let ids = block.span_ids()?;
        let structure = block.section(Section::Structure)?;
        let elsewhere = block.section(Section::Bits)?;
        let elsewhere = elsewhere.get(self.structure.traces.len() * 16..);
        let bytes = self.structure.parents_elsewhere * 8;
        let elsewhere = elsewhere.and_then(|ids| ids.get(..bytes));
        let parents = parents::read(
            structure
                .get(self.structure.parents.clone())
                .unwrap_or_default(),
            self.rows.end,
            &self.structure.traces,
            &ids,
            elsewhere.unwrap_or_default(),
        );
        let parents = parents.map_err(senseless)?;
        self.batch.span_id = slice(&ids, from..to);
        self.batch.parent = slice(&parents, from..to);
        self.batch.start_unix_ns = slice(&block.starts_until(self.rows.end)?, from..to);
        self.batch.duration_ns = block.durations_of(self.rows.clone())?;
        Ok(())
    }

    fn take_traces(&mut self) {
        for trace in self.block.traces() {
            let from = trace.first.max(self.rows.start);
            let to = (trace.first + trace.spans).min(self.rows.end);
            if from < to {
                let at = self.batch.traces.len() as u32;
                self.batch.traces.push(trace.id);
                self.batch.trace.extend((from..to).map(|_| at));
            }
        }
    }

    /// Leaves out the tails of the rows before.
    fn skip_tails(&mut self) -> Result<(), Damaged> {
        if self.tails.is_empty() {
            return Ok(());
        }
        let mut cursors = Cursors::at(self.structure, 0);
        let mut skipped = 0usize;
        for row in 0..self.rows.start as usize {
            let (_, template) = self.structure.template(row).ok_or(Damaged("row"))?;
            if let Some(&slot) = self.structure.slots(template).get(lane::TAIL) {
                let tail = self.number(slot.column, cursors.next(slot))?;
                skipped = skipped.saturating_add(usize::try_from(tail).unwrap_or(usize::MAX));
            }
        }
        self.tails = self.tails.get(skipped..).ok_or(Damaged("tails"))?;
        Ok(())
    }

    fn take_row(&mut self, row: u32) -> Result<(), Damaged> {
        let structure = self.structure;
        let (number, template) = structure.template(row as usize).ok_or(Damaged("row"))?;
        let slots = structure.slots(template);
        let (lanes, own) = slots
            .split_first_chunk::<{ lane::COUNT }>()
            .ok_or(Damaged("lanes"))?;
        let operation = self.operation(number)?;
        let mut numbers = [0u64; lane::COUNT];
        for (number, &slot) in numbers.iter_mut().zip(lanes) {
            let at = self.cursors.next(slot);
            *number = self.number(slot.column, at)?;
        }
        let [resource, class, tail] = numbers;
        let resource = self.resource(resource)?;
        let class = self.class(class)?;
        for &slot in own {
            let at = self.cursors.next(slot);
            let word = self.word(slot.column, at)?;
            self.batch.values.push(word);
        }
        self.take_tail(tail, class.event_shape)?;
        let shape = self.shape(template.shape)?;
        let c = &mut self.batch;
        c.operation.push(operation);
        c.resource.push(resource);
        c.scope.push(class.scope);
        c.kind.push(class.kind);
        c.status.push(class.status);
        c.status_message.push(class.message);
        c.flags.push(class.flags);
        c.marks.push(class.marks);
        c.shape.push(shape);
        c.event_shape.push(class.events);
        c.value_end.push(end(c.values.len())?);
        c.rest_end.push(end(c.rest.len())?);
        Ok(())
    }

    /// Takes a row's rest and the values of its events' attributes.
    fn take_tail(&mut self, bytes: u64, event_shape: u32) -> Result<(), Damaged> {
        let events = self.structure.shape(event_shape);
        if bytes == 0 && events.is_empty() {
            return Ok(());
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let (tail, others) = self
            .tails
            .split_at_checked(bytes)
            .ok_or(Damaged("bytes of a tail"))?;
        self.tails = others;
        let mut tail = Tail::open(tail)?;
        self.batch.rest.extend_from_slice(tail.rest);
        for &column in events {
            let value_type = self.value_type(column)?;
            let word = match tail.value(value_type)? {
                EventValue::Number(word) => word,
                EventValue::Bytes(bytes) => u64::from(self.push_bytes(value_type, bytes)?),
            };
            self.batch.values.push(word);
        }
        tail.finish()
    }

    fn value_type(&self, column: u32) -> Result<ValueType, Damaged> {
        let place = self.structure.columns.get(column as usize);
        place.map(|place| place.value_type).ok_or(Damaged("column"))
    }

    fn number(&self, column: u32, at: u32) -> Result<u64, Damaged> {
        self.columns.get(column as usize)?.number(at)
    }

    /// The batch's word of a value.
    fn word(&mut self, column: u32, at: u32) -> Result<u64, Damaged> {
        let value_type = self.value_type(column)?;
        if has_bytes(value_type) {
            return Ok(u64::from(self.position(column, at)?));
        }
        let word = word_of(value_type, self.number(column, at)?);
        // Anything but a truth value is no number of that type.
        if value_type == ValueType::Bool && word > 1 {
            return Err(Damaged("truth value"));
        }
        Ok(word)
    }

    /// The batch's position of a text or byte string.
    fn position(&mut self, column: u32, at: u32) -> Result<u32, Damaged> {
        let values = self.columns.get(column as usize)?;
        let code = values.code(at)?;
        let known = self
            .known
            .values
            .get_mut(column as usize)
            .ok_or(Damaged("column"))?;
        if let Some(&position) = known.get(code as usize)
            && position > 0
        {
            return Ok(position - 1);
        }
        if known.is_empty()
            && let Values::Bytes { dictionary, .. } = values
        {
            known.resize(dictionary.len(), 0);
        }
        let bytes = values.bytes(at)?;
        let value_type = self.value_type(column)?;
        let position = self.push_bytes(value_type, bytes)?;
        let known = self.known.values.get_mut(column as usize);
        if let Some(known) = known.and_then(|known| known.get_mut(code as usize)) {
            *known = position + 1;
        }
        Ok(position)
    }

    /// Appends a text or byte string to the batch's dictionary.
    fn push_bytes(&mut self, value_type: ValueType, bytes: &[u8]) -> Result<u32, Damaged> {
        if value_type == ValueType::Str {
            let text = std::str::from_utf8(bytes).map_err(|_| Damaged("text is not UTF-8"))?;
            return self.push_text(text);
        }
        let dictionary = &mut self.batch.bytes;
        dictionary.bytes.extend_from_slice(bytes);
        dictionary.ends.push(end(dictionary.bytes.len())?);
        Ok(dictionary.ends.len() as u32 - 1)
    }

    fn push_text(&mut self, text: &str) -> Result<u32, Damaged> {
        let dictionary = &mut self.batch.text;
        dictionary.text.push_str(text);
        dictionary.ends.push(end(dictionary.text.len())?);
        Ok(dictionary.ends.len() as u32 - 1)
    }

    /// The operation of a template.
    fn operation(&mut self, template: u32) -> Result<u32, Damaged> {
        if let Some(known) = known(&self.known.operations, template) {
            return Ok(known);
        }
        let position = self.position(column::OPERATION as u32, template)?;
        Ok(learn(&mut self.known.operations, template, position))
    }

    fn shape(&mut self, shape: u32) -> Result<u32, Damaged> {
        if let Some(known) = known(&self.known.shapes, shape) {
            return Ok(known);
        }
        let structure = self.structure;
        let mut names = Vec::new();
        for &column in structure.shape(shape) {
            let place = structure
                .columns
                .get(column as usize)
                .ok_or(Damaged("column"))?;
            let name = match known(&self.known.names, column) {
                Some(known) => known,
                None => {
                    let name = self.push_text(&place.name)?;
                    learn(&mut self.known.names, column, name)
                }
            };
            names.push((name, place.value_type));
        }
        let position = self.batch.shapes.len() as u32;
        self.batch.shapes.push(names);
        Ok(learn(&mut self.known.shapes, shape, position))
    }

    fn resource(&mut self, number: u64) -> Result<u32, Damaged> {
        let at = u32::try_from(number).map_err(|_| Damaged("resource"))?;
        if let Some(known) = known(&self.known.resources, at) {
            return Ok(known);
        }
        let place = self.structure.resources.get(at as usize);
        let place = *place.ok_or(Damaged("resource"))?;
        let name = at.checked_mul(2).ok_or(Damaged("resource"))?;
        let resource = Resource {
            service: self.position(column::NAME as u32, name)?,
            schema_url: self.position(column::NAME as u32, name + 1)?,
            attributes: self.attributes(place)?,
            rest: self.position(column::OPAQUE as u32, at)?,
        };
        let position = self.batch.resources.len() as u32;
        self.batch.resources.push(resource);
        Ok(learn(&mut self.known.resources, at, position))
    }

    fn scope(&mut self, number: u64) -> Result<u32, Damaged> {
        let at = u32::try_from(number).map_err(|_| Damaged("scope"))?;
        if let Some(known) = known(&self.known.scopes, at) {
            return Ok(known);
        }
        let place = *self
            .structure
            .scopes
            .get(at as usize)
            .ok_or(Damaged("scope"))?;
        // Those of resources stand before.
        let resources = self.structure.resources.len() as u32;
        let name = resources * 2 + at * 3;
        let scope = Scope {
            name: self.position(column::NAME as u32, name)?,
            version: self.position(column::NAME as u32, name + 1)?,
            schema_url: self.position(column::NAME as u32, name + 2)?,
            attributes: self.attributes(place)?,
            rest: self.position(column::OPAQUE as u32, resources + at)?,
        };
        let position = self.batch.scopes.len() as u32;
        self.batch.scopes.push(scope);
        Ok(learn(&mut self.known.scopes, at, position))
    }

    fn attributes(&mut self, place: OriginPlace) -> Result<AttributeSet, Damaged> {
        let structure = self.structure;
        let mut values = Vec::new();
        for (column, at) in structure.values_of(place) {
            values.push(self.word(column, at)?);
        }
        let shape = self.shape(place.shape)?;
        Ok(AttributeSet { shape, values })
    }

    fn class(&mut self, number: u64) -> Result<Class, Damaged> {
        let at = usize::try_from(number).map_err(|_| Damaged("class"))?;
        if let Some(known) = *self.known.classes.get(at).ok_or(Damaged("class"))? {
            return Ok(known);
        }
        let place = at as u32;
        let field = |field| self.number((column::CLASSES + field) as u32, place);
        let (scope, events) = (field(class::SCOPE)?, field(class::EVENTS)?);
        let numbers = (
            field(class::KIND)?,
            field(class::STATUS)?,
            field(class::FLAGS)?,
            field(class::MARKS)?,
        );
        let event_shape = u32::try_from(events).ok();
        let event_shape = event_shape.filter(|&at| (at as usize) < self.structure.shapes.len());
        let event_shape = event_shape.ok_or(Damaged("shape of events"))?;
        let class = Class {
            message: self.position(column::MESSAGE as u32, place)?,
            scope: self.scope(scope)?,
            kind: u8::try_from(numbers.0).map_err(|_| Damaged("kind"))?,
            status: u8::try_from(numbers.1).map_err(|_| Damaged("status"))?,
            flags: u32::try_from(numbers.2).map_err(|_| Damaged("flags"))?,
            marks: u16::try_from(numbers.3).map_err(|_| Damaged("marks"))?,
            events: self.shape(event_shape)?,
            event_shape,
        };
        if let Some(known) = self.known.classes.get_mut(at) {
            *known = Some(class);
        }
        Ok(class)
    }
}

fn known(table: &[u32], at: u32) -> Option<u32> {
    table.get(at as usize)?.checked_sub(1)
}

fn learn(table: &mut [u32], at: u32, position: u32) -> u32 {
    if let Some(known) = table.get_mut(at as usize) {
        *known = position + 1;
    }
    position
}

fn slice<T: Copy>(column: &[T], rows: Range<usize>) -> Vec<T> {
    column.get(rows).unwrap_or_default().to_vec()
}

fn end(length: usize) -> Result<u32, Damaged> {
    u32::try_from(length).map_err(|_| Damaged("more than 4 GiB"))
}
