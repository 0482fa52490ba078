//! Makes a batch of rows of a block.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_model::SpanBatch;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::{AttributeSet, Columns, Resource, Scope};
use tracewell_storage::Error;

use super::column_reader::{ColumnReader, Cursors};
use super::layout::{class, column, has_bytes, lane};
use super::open::Block;
use super::parts::Section;
use super::structure::{OriginPlace, Structure};
use super::tails::{EventValue, Tail};
use crate::codec::Damaged;
use crate::segment::values::word_of;

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
    /// Tails of the rows to come, once one is asked for.
    tails: Option<&'b [u8]>,
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
    pub(super) fn new(block: &'b Block, rows: Range<u32>) -> Self {
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
        RowReader {
            block,
            structure: s,
            columns: ColumnReader::new(block, &rows),
            cursors: Cursors::at(s, rows.start),
            rows,
            batch: Columns::default(),
            known,
            tails: None,
        }
    }

    pub(super) fn read(mut self) -> Result<SpanBatch, Error> {
        self.take_columns()?;
        self.take_traces();
        for row in self.rows.clone() {
            self.take_row(row)?;
        }
        SpanBatch::new(self.batch).map_err(|unsound| Error::corrupt(unsound.to_string()))
    }

    /// Takes what is not coded by template.
    fn take_columns(&mut self) -> Result<(), Error> {
        let rows = self.rows.clone();
        self.batch.span_id = self.block.span_ids(rows.clone())?;
        self.batch.parent = self.block.parents_of(rows.clone())?;
        self.batch.start_unix_ns = self.block.starts_of(rows.clone())?;
        self.batch.duration_ns = self.block.durations_of(rows)?;
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

    /// The tails from the first row on.
    fn open_tails(&self) -> Result<&'b [u8], Error> {
        let column = column::LANES + lane::TAIL;
        let mut before = 0u64;
        let templates = self.structure.templates.iter();
        let counts = self.structure.rows_of_templates(self.rows.start as usize);
        for (template, count) in templates.zip(counts) {
            let slot = self.structure.slots(template).get(lane::TAIL);
            if let (Some(constant), true) = (slot.and_then(|slot| slot.constant), count > 0) {
                let tail = self.number(column as u32, constant)?;
                before = before.saturating_add(tail.saturating_mul(u64::from(count)));
            }
        }
        let place = self.structure.columns.get(column);
        let varying = place.map_or(0, |place| place.constants)..self.columns.start_of(column);
        if !varying.is_empty() {
            let column = self.columns.read(column, 0..varying.end as usize);
            let column = column?;
            for at in varying {
                let tail = column.number(at)?;
                before = before.saturating_add(tail);
            }
        }
        let tails = self.block.section(Section::Rest)?;
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        tails
            .get(before..)
            .ok_or_else(|| Error::corrupt("place of a tail"))
    }

    fn take_row(&mut self, row: u32) -> Result<(), Error> {
        let (tail, events) = self.take_slots(row)?;
        if tail > 0 || !self.structure.shape(events).is_empty() {
            if self.tails.is_none() {
                self.tails = Some(self.open_tails()?);
            }
            self.take_tail(tail, events)?;
        }
        let c = &mut self.batch;
        c.value_end.push(end(c.values.len())?);
        c.rest_end.push(end(c.rest.len())?);
        Ok(())
    }

    /// Takes the slots of a row; answers how many bytes its tail has, and the shape of its events.
    fn take_slots(&mut self, row: u32) -> Result<(u64, u32), Error> {
        let structure = self.structure;
        let (number, template) = structure.template(row as usize).ok_or(Damaged("row"))?;
        let slots = structure.slots(template);
        let lanes = slots.split_first_chunk::<{ lane::COUNT }>();
        let (lanes, own) = lanes.ok_or(Damaged("lanes"))?;
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
        Ok((tail, class.event_shape))
    }

    /// Takes a row's rest and the values of its events' attributes.
    fn take_tail(&mut self, bytes: u64, event_shape: u32) -> Result<(), Error> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let tails = self.tails.unwrap_or_default();
        let (tail, others) = tails
            .split_at_checked(bytes)
            .ok_or(Damaged("bytes of a tail"))?;
        self.tails = Some(others);
        let mut tail = Tail::open(tail)?;
        self.batch.rest.extend_from_slice(tail.rest);
        for &column in self.structure.shape(event_shape) {
            let value_type = self.value_type(column)?;
            let word = match tail.value(value_type)? {
                EventValue::Number(word) => word,
                EventValue::Bytes(bytes) => u64::from(self.push_bytes(value_type, bytes)?),
            };
            self.batch.values.push(word);
        }
        Ok(tail.finish()?)
    }

    fn value_type(&self, column: u32) -> Result<ValueType, Error> {
        let place = self.structure.columns.get(column as usize);
        Ok(place.ok_or(Damaged("column"))?.value_type)
    }

    fn number(&self, column: u32, at: u32) -> Result<u64, Error> {
        Ok(self.columns.get(column as usize)?.number(at)?)
    }

    /// The batch's word of a value.
    fn word(&mut self, column: u32, at: u32) -> Result<u64, Error> {
        let value_type = self.value_type(column)?;
        if has_bytes(value_type) {
            return Ok(u64::from(self.position(column, at)?));
        }
        let word = word_of(value_type, self.number(column, at)?);
        // Anything but a truth value is no number of that type.
        if value_type == ValueType::Bool && word > 1 {
            return Err(Damaged("truth value").into());
        }
        Ok(word)
    }

    /// The batch's position of a text or byte string.
    fn position(&mut self, column: u32, at: u32) -> Result<u32, Error> {
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
        let dictionary = values.dictionary()?;
        if known.is_empty() {
            known.resize(dictionary.len(), 0);
        }
        let bytes = dictionary.get(code)?;
        let value_type = self.value_type(column)?;
        let position = self.push_bytes(value_type, bytes)?;
        let known = self.known.values.get_mut(column as usize);
        if let Some(known) = known.and_then(|known| known.get_mut(code as usize)) {
            *known = position + 1;
        }
        Ok(position)
    }

    /// Appends a text or byte string to the batch's dictionary.
    fn push_bytes(&mut self, value_type: ValueType, bytes: &[u8]) -> Result<u32, Error> {
        if value_type == ValueType::Str {
            let text = std::str::from_utf8(bytes).map_err(|_| Damaged("text is not UTF-8"))?;
            return self.push_text(text);
        }
        let dictionary = &mut self.batch.bytes;
        dictionary.bytes.extend_from_slice(bytes);
        dictionary.ends.push(end(dictionary.bytes.len())?);
        Ok(dictionary.ends.len() as u32 - 1)
    }

    fn push_text(&mut self, text: &str) -> Result<u32, Error> {
        let dictionary = &mut self.batch.text;
        dictionary.text.push_str(text);
        dictionary.ends.push(end(dictionary.text.len())?);
        Ok(dictionary.ends.len() as u32 - 1)
    }

    /// The operation of a template.
    fn operation(&mut self, template: u32) -> Result<u32, Error> {
        if let Some(known) = known(&self.known.operations, template) {
            return Ok(known);
        }
        let position = self.position(column::OPERATION as u32, template)?;
        Ok(learn(&mut self.known.operations, template, position))
    }

    fn shape(&mut self, shape: u32) -> Result<u32, Error> {
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

    fn resource(&mut self, number: u64) -> Result<u32, Error> {
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

    fn scope(&mut self, number: u64) -> Result<u32, Error> {
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

    fn attributes(&mut self, place: OriginPlace) -> Result<AttributeSet, Error> {
        let structure = self.structure;
        let mut values = Vec::new();
        for (column, at) in structure.values_of(place) {
            values.push(self.word(column, at)?);
        }
        let shape = self.shape(place.shape)?;
        Ok(AttributeSet { shape, values })
    }

    fn class(&mut self, number: u64) -> Result<Class, Error> {
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

fn end(length: usize) -> Result<u32, Damaged> {
    u32::try_from(length).map_err(|_| Damaged("more than 4 GiB"))
}
