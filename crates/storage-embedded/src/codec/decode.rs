//! From bytes to the batch that they are.
#![warn(clippy::indexing_slicing)]

mod rest;
mod rows;
mod texts;

use tracewell_model::attribute::ValueType;
use tracewell_model::batch::{AttributeSet, Columns, Resource, Scope, Shape};
use tracewell_model::dictionary::BytesDictionary;
use tracewell_model::{SpanBatch, TraceId};
use tracewell_storage::Error;

use super::copies::Copies;
use super::primitive::{Damaged, Reader};

/// The batch that these bytes are; anything wrong with them is an error, never a panic.
pub fn decode(bytes: &[u8]) -> Result<SpanBatch, Error> {
    let columns = read(&mut Reader::new(bytes));
    let columns =
        columns.map_err(|Damaged(what)| Error::corrupt(format!("decode span batch: {what}")))?;
    Ok(SpanBatch::checked(columns))
}

fn read(r: &mut Reader<'_>) -> Result<Columns, Damaged> {
    let mut copies = Copies::new();
    let mut c = Columns {
        shard: r.u16()?,
        text: texts::read(r, &mut copies)?,
        bytes: read_bytes(r)?,
        ..Columns::default()
    };
    for _ in 0..r.count(1)? {
        c.shapes.push(read_shape(r, c.text.len())?);
    }
    for _ in 0..r.count(4)? {
        c.resources.push(read_resource(r, &c)?);
    }
    for _ in 0..r.count(5)? {
        c.scopes.push(read_scope(r, &c)?);
    }
    for _ in 0..r.count(size_of::<TraceId>())? {
        c.traces.push(TraceId(r.array()?));
    }
    let with_rest = rows::read(r, &mut c)?;
    rest::read(r, &mut c, &with_rest, &mut copies)?;
    if r.remaining() > 0 {
        return Err(Damaged("bytes after the end"));
    }
    Ok(c)
}

/// A position below this count.
fn position(r: &mut Reader<'_>, count: usize, what: &'static str) -> Result<u32, Damaged> {
    let position = r.u32()?;
    if (position as usize) < count {
        Ok(position)
    } else {
        Err(Damaged(what))
    }
}

fn text(r: &mut Reader<'_>, c: &Columns) -> Result<u32, Damaged> {
    position(r, c.text.len(), "position of a text")
}

fn read_bytes(r: &mut Reader<'_>) -> Result<BytesDictionary, Damaged> {
    let mut ends = Vec::new();
    let mut end = 0u32;
    for _ in 0..r.count(1)? {
        end = end
            .checked_add(r.u32()?)
            .ok_or(Damaged("bytes beyond 4 GiB"))?;
        ends.push(end);
    }
    let bytes = r.take(end as usize)?.to_vec();
    Ok(BytesDictionary { bytes, ends })
}

fn read_shape(r: &mut Reader<'_>, texts: usize) -> Result<Shape, Damaged> {
    let mut shape = Shape::new();
    for _ in 0..r.count(1)? {
        let packed = r.varint()?;
        let key = u32::try_from(packed >> 3)
            .ok()
            .filter(|&key| (key as usize) < texts);
        let key = key.ok_or(Damaged("key of a shape"))?;
        let value_type = ValueType::from_u8((packed & 7) as u8);
        shape.push((key, value_type.ok_or(Damaged("type of a value"))?));
    }
    Ok(shape)
}

fn read_resource(r: &mut Reader<'_>, c: &Columns) -> Result<Resource, Damaged> {
    Ok(Resource {
        service: text(r, c)?,
        schema_url: text(r, c)?,
        rest: position(r, c.bytes.len(), "bytes of a resource")?,
        attributes: read_set(r, c)?,
    })
}

fn read_scope(r: &mut Reader<'_>, c: &Columns) -> Result<Scope, Damaged> {
    Ok(Scope {
        name: text(r, c)?,
        version: text(r, c)?,
        schema_url: text(r, c)?,
        rest: position(r, c.bytes.len(), "bytes of a scope")?,
        attributes: read_set(r, c)?,
    })
}

fn read_set(r: &mut Reader<'_>, c: &Columns) -> Result<AttributeSet, Damaged> {
    let shape = position(r, c.shapes.len(), "shape of a set")?;
    let mut values = Vec::new();
    for &(_, value_type) in c.shapes.get(shape as usize).into_iter().flatten() {
        let word = match value_type {
            ValueType::Int => r.zigzag()? as u64,
            ValueType::Double => u64::from_le_bytes(r.array()?),
            ValueType::Str | ValueType::Bool | ValueType::Bytes | ValueType::Any => r.varint()?,
        };
        if !is_sound(word, value_type, c) {
            return Err(Damaged("value of a set"));
        }
        values.push(word);
    }
    Ok(AttributeSet { shape, values })
}

/// Whether a word of this type can be what it says.
fn is_sound(word: u64, value_type: ValueType, c: &Columns) -> bool {
    match value_type {
        ValueType::Str => word < c.text.len() as u64,
        ValueType::Bytes | ValueType::Any => word < c.bytes.len() as u64,
        ValueType::Bool => word <= 1,
        ValueType::Int | ValueType::Double => true,
    }
}
