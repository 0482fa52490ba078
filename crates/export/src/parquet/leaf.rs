//! One column of a row group: values and levels, a few thousand rows at a time.

use std::collections::HashSet;
use std::io::Write;

use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::writer::{SerializedColumnWriter, SerializedRowGroupWriter};
use bytes::Bytes;
use tracewell_model::batch::Shape;
use tracewell_model::{Attribute, SpanBatch, SpanRef, Value};

use super::table::{Column, Kind, Source};

/// Rows whose values are held beside the batch at once.
const ROWS: usize = 4_096;

/// Writes a column, which is two in Parquet's eyes if it is a map.
pub(super) fn write<W: Write + Send>(
    column: &Column,
    batch: &SpanBatch,
    group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<()> {
    match column.kind {
        Kind::Text(value) => texts(open(group)?, batch, |span, leaf| {
            value(span, &mut leaf.text);
            leaf.end(0, 0);
        }),
        Kind::TextOrNull(value) | Kind::Id(value) | Kind::Json(value) => {
            texts(open(group)?, batch, |span, leaf| {
                match value(span, &mut leaf.text) {
                    true => leaf.end(1, 0),
                    false => leaf.null(0, 0),
                }
            })
        }
        Kind::Time(value) | Kind::Int(value) => {
            numbers::<Int64Type>(open(group)?, batch, |span| Some(value(span)))
        }
        Kind::Bool(value) => numbers::<BoolType>(open(group)?, batch, |span| Some(value(span))),
        Kind::Marks => texts(open(group)?, batch, |span, leaf| {
            leaf.list(span.marks().names(), 1, |name, out| {
                out.push_str(name);
                true
            });
        }),
        Kind::Map(source) => {
            let firsts = Firsts::of(batch);
            texts(open(group)?, batch, |span, leaf| {
                let key = |attribute: Attribute<'_>, out: &mut String| {
                    out.push_str(attribute.key);
                    true
                };
                firsts.visit(source, span, |all| leaf.list(all, 1, key));
            })?;
            texts(open(group)?, batch, |span, leaf| {
                let value = |attribute: Attribute<'_>, out: &mut String| put(attribute.value, out);
                firsts.visit(source, span, |all| leaf.list(all, 2, value));
            })
        }
        Kind::Lifted(source, keys) => {
            let slots = Slots::of(batch, keys);
            texts(open(group)?, batch, |span, leaf| {
                let value = slots.value(source, span);
                match value.is_some_and(|value| put(value, &mut leaf.text)) {
                    true => leaf.end(1, 0),
                    false => leaf.null(0, 0),
                }
            })
        }
        Kind::LiftedInt(source, keys) => {
            let slots = Slots::of(batch, keys);
            numbers::<Int64Type>(open(group)?, batch, |span| {
                match slots.value(source, span)? {
                    Value::Int(number) => Some(number),
                    value => value.text().parse().ok(),
                }
            })
        }
    }
}

/// The group's next column: they come in the order of the table.
fn open<'g, W: Write + Send>(
    group: &'g mut SerializedRowGroupWriter<'_, W>,
) -> Result<SerializedColumnWriter<'g>> {
    let next = group.next_column()?;
    next.ok_or_else(|| ParquetError::General("a column more than the schema has".to_owned()))
}

/// Appends a value's text; false when there is no value.
fn put(value: Value<'_>, out: &mut String) -> bool {
    match value {
        Value::Str(text) => out.push_str(text),
        Value::Any([]) => return false,
        value => out.push_str(&value.text()),
    }
    true
}

/// Texts of some rows, end to end, with their levels.
#[derive(Default)]
struct Leaf {
    text: String,
    ends: Vec<usize>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Leaf {
    /// What was appended to `text` since the last end is a value.
    fn end(&mut self, definition: i16, repetition: i16) {
        self.ends.push(self.text.len());
        self.null(definition, repetition);
    }

    /// There is none.
    fn null(&mut self, definition: i16, repetition: i16) {
        self.definition.push(definition);
        self.repetition.push(repetition);
    }

    /// The members of one row's list; `present` is the level of a member with a value, and `put`
    /// says whether this one has.
    fn list<T>(
        &mut self,
        members: impl Iterator<Item = T>,
        present: i16,
        put: impl Fn(T, &mut String) -> bool,
    ) {
        let before = self.definition.len();
        for member in members {
            let repetition = i16::from(self.definition.len() > before);
            match put(member, &mut self.text) {
                true => self.end(present, repetition),
                false => self.null(1, repetition),
            }
        }
        if self.definition.len() == before {
            self.null(0, 0);
        }
    }

    /// Hands over what was gathered, and begins again.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.text));
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let values = starts
            .zip(&self.ends)
            .map(|(start, &end)| bytes.slice(start..end));
        let values: Vec<ByteArray> = values.map(ByteArray::from).collect();
        let (definition, repetition) = (&self.definition[..], &self.repetition[..]);
        column
            .typed::<ByteArrayType>()
            .write_batch(&values, Some(definition), Some(repetition))?;
        self.ends.clear();
        self.definition.clear();
        self.repetition.clear();
        Ok(())
    }
}

/// The rows of a batch, some thousand at a time.
fn stretches(batch: &SpanBatch) -> impl Iterator<Item = std::ops::Range<u32>> {
    let rows = batch.len() as u32;
    (0..rows)
        .step_by(ROWS)
        .map(move |from| from..rows.min(from + ROWS as u32))
}

fn texts(
    mut column: SerializedColumnWriter<'_>,
    batch: &SpanBatch,
    add: impl Fn(SpanRef<'_>, &mut Leaf),
) -> Result<()> {
    let mut leaf = Leaf::default();
    for rows in stretches(batch) {
        rows.for_each(|row| add(batch.span(row), &mut leaf));
        leaf.write(&mut column)?;
    }
    column.close()
}

fn numbers<T: DataType>(
    mut column: SerializedColumnWriter<'_>,
    batch: &SpanBatch,
    value: impl Fn(SpanRef<'_>) -> Option<T::T>,
) -> Result<()> {
    for rows in stretches(batch) {
        let values: Vec<Option<T::T>> = rows.map(|row| value(batch.span(row))).collect();
        let definition: Vec<i16> = values
            .iter()
            .map(|value| i16::from(value.is_some()))
            .collect();
        let values: Vec<T::T> = values.into_iter().flatten().collect();
        column
            .typed::<T>()
            .write_batch(&values, Some(&definition), None)?;
    }
    column.close()
}

fn attributes<'a>(
    source: Source,
    span: SpanRef<'a>,
    visit: impl FnOnce(&mut dyn Iterator<Item = Attribute<'a>>),
) {
    match source {
        Source::Span => visit(&mut span.attributes()),
        Source::Resource => visit(&mut span.resource().attributes()),
        Source::Scope => visit(&mut span.scope().attributes()),
        Source::Events => visit(&mut span.event_attributes()),
    }
}

/// The shape that says which attributes these are.
fn shape_of(source: Source, span: SpanRef<'_>) -> usize {
    let (columns, row) = (span.batch.columns(), span.row as usize);
    let shape = match source {
        Source::Span => columns.shape.get(row).copied(),
        Source::Events => columns.event_shape.get(row).copied(),
        Source::Resource => {
            let resource = columns.resources.get(span.resource().position() as usize);
            resource.map(|resource| resource.attributes.shape)
        }
        Source::Scope => {
            let scope = columns.scopes.get(span.scope().position() as usize);
            scope.map(|scope| scope.attributes.shape)
        }
    };
    shape.map_or(usize::MAX, |shape| shape as usize)
}

/// Which attributes of each shape are the first of their key: a map has each key once.
struct Firsts(Vec<Vec<bool>>);

impl Firsts {
    fn of(batch: &SpanBatch) -> Firsts {
        let first = |shape: &Shape| {
            let mut seen = HashSet::new();
            shape.iter().map(|(key, _)| seen.insert(*key)).collect()
        };
        Firsts(batch.columns().shapes.iter().map(first).collect())
    }

    fn visit<'a>(
        &self,
        source: Source,
        span: SpanRef<'a>,
        visit: impl FnOnce(&mut dyn Iterator<Item = Attribute<'a>>),
    ) {
        let firsts = self
            .0
            .get(shape_of(source, span))
            .map_or(&[][..], |firsts| firsts);
        attributes(source, span, |all| {
            let pairs = all.zip(firsts).filter(|(_, first)| **first);
            visit(&mut pairs.map(|(attribute, _)| attribute));
        });
    }
}

/// Where the first of some keys stands in each shape.
struct Slots(Vec<Option<usize>>);

impl Slots {
    fn of(batch: &SpanBatch, keys: &[&str]) -> Slots {
        let text = &batch.columns().text;
        let slot = |shape: &Shape| {
            let place = |key: &&str| shape.iter().position(|(at, _)| text.get(*at) == *key);
            keys.iter().find_map(place)
        };
        Slots(batch.columns().shapes.iter().map(slot).collect())
    }

    fn value<'a>(&self, source: Source, span: SpanRef<'a>) -> Option<Value<'a>> {
        let slot = (*self.0.get(shape_of(source, span))?)?;
        let mut value = None;
        attributes(source, span, |all| value = all.nth(slot));
        value.map(|attribute| attribute.value)
    }
}
