//! A `SpanBatch` as bytes and back: what log records carry. Self-contained, so that a damaged
//! record costs only itself. Byte by byte: docs/formats/log.md.
//!
//! Decoding trusts nothing: lengths are held against the input that is left before anything is
//! allocated, so memory stays a small multiple of the input, and `SpanBatch::new` checks every
//! position at the end.
#![warn(clippy::indexing_slicing)]

mod primitive;
#[cfg(test)]
mod tests;

pub use primitive::{Damaged, Reader, put_text, put_varint, put_zigzag};

use tracewell_model::attribute::ValueType;
use tracewell_model::batch::{AttributeSet, Columns, Resource, Scope, Shape};
use tracewell_model::dictionary::{BytesDictionary, TextDictionary};
use tracewell_model::{SpanBatch, SpanId, TraceId};
use tracewell_storage::Error;

/// Appends the batch's bytes.
pub fn encode(batch: &SpanBatch, out: &mut Vec<u8>) {
    let c = batch.columns();
    put_varint(out, u64::from(c.shard));
    put_lengths(out, &c.text.ends);
    out.extend_from_slice(c.text.text.as_bytes());
    put_lengths(out, &c.bytes.ends);
    out.extend_from_slice(&c.bytes.bytes);
    put_shapes(out, &c.shapes);
    put_varint(out, c.resources.len() as u64);
    for resource in &c.resources {
        for position in [resource.service, resource.schema_url, resource.rest] {
            put_varint(out, u64::from(position));
        }
        put_set(out, c, &resource.attributes);
    }
    put_varint(out, c.scopes.len() as u64);
    for scope in &c.scopes {
        for position in [scope.name, scope.version, scope.schema_url, scope.rest] {
            put_varint(out, u64::from(position));
        }
        put_set(out, c, &scope.attributes);
    }
    put_varint(out, c.traces.len() as u64);
    c.traces.iter().for_each(|id| out.extend_from_slice(&id.0));
    put_rows(out, c);
}

/// The columns with one entry per span.
fn put_rows(out: &mut Vec<u8>, c: &Columns) {
    put_varint(out, c.span_id.len() as u64);
    c.span_id.iter().for_each(|id| out.extend_from_slice(&id.0));
    let mut before = 0;
    for &trace in &c.trace {
        put_zigzag(out, i64::from(trace) - before);
        before = i64::from(trace);
    }
    put_parents(out, c);
    let mut before = 0u64;
    for &start in &c.start_unix_ns {
        put_zigzag(out, start.wrapping_sub(before) as i64);
        before = start;
    }
    c.duration_ns
        .iter()
        .for_each(|&duration| put_varint(out, duration));
    let kinds = c
        .kind
        .iter()
        .zip(&c.status)
        .map(|(&kind, &status)| u32::from(kind | status << 4));
    put_column(out, kinds);
    for column in [
        &c.operation,
        &c.resource,
        &c.scope,
        &c.status_message,
        &c.flags,
    ] {
        put_column(out, column.iter().copied());
    }
    put_column(out, c.marks.iter().map(|&marks| u32::from(marks)));
    put_column(out, c.shape.iter().copied());
    put_column(out, c.event_shape.iter().copied());
    let mut words = c.values.as_slice();
    for (&own, &event) in c.shape.iter().zip(&c.event_shape) {
        for shape in [own, event] {
            let shape = shape_at(&c.shapes, shape);
            let (these, rest) = words.split_at_checked(shape.len()).unwrap_or_default();
            put_words(out, shape, these);
            words = rest;
        }
    }
    put_column(out, lengths(&c.rest_end));
    out.extend_from_slice(&c.rest);
}

/// 0 for none, 1 and eight bytes for one from elsewhere, else 2 and up: how far away its row is.
fn put_parents(out: &mut Vec<u8>, c: &Columns) {
    // A direct-mapped table instead of a hash map: what collides is written out, seven bytes more.
    let size = (c.span_id.len() * 2).next_power_of_two().min(1 << 16);
    let mut rows = vec![u32::MAX; size];
    let slot = |id: SpanId| {
        (u64::from_le_bytes(id.0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize & (size - 1)
    };
    for (row, &id) in c.span_id.iter().enumerate() {
        if let Some(entry) = rows.get_mut(slot(id)) {
            *entry = row as u32;
        }
    }
    for (row, &parent) in c.parent.iter().enumerate() {
        if parent.is_zero() {
            out.push(0);
            continue;
        }
        let at = rows.get(slot(parent)).copied().unwrap_or(u32::MAX);
        if c.span_id.get(at as usize) == Some(&parent) {
            let distance = i64::from(at) - row as i64;
            put_varint(out, primitive::zigzag(distance) + 2);
        } else {
            out.push(1);
            out.extend_from_slice(&parent.0);
        }
    }
}

/// A column: 0 and the one value that all rows have, or 1 and each row's. Empty: nothing.
fn put_column(out: &mut Vec<u8>, mut values: impl Iterator<Item = u32> + Clone) {
    let all = values.clone();
    let Some(first) = values.next() else { return };
    if values.all(|value| value == first) {
        out.push(0);
        put_varint(out, u64::from(first));
    } else {
        out.push(1);
        all.for_each(|value| put_varint(out, u64::from(value)));
    }
}

fn lengths(ends: &[u32]) -> impl Iterator<Item = u32> + Clone {
    let before = std::iter::once(0).chain(ends.iter().copied());
    ends.iter()
        .zip(before)
        .map(|(&end, before)| end.wrapping_sub(before))
}

fn put_lengths(out: &mut Vec<u8>, ends: &[u32]) {
    put_varint(out, ends.len() as u64);
    lengths(ends).for_each(|length| put_varint(out, u64::from(length)));
}

fn put_shapes(out: &mut Vec<u8>, shapes: &[Shape]) {
    put_varint(out, shapes.len() as u64);
    for shape in shapes {
        put_varint(out, shape.len() as u64);
        for &(key, value_type) in shape {
            put_varint(out, u64::from(key) << 3 | value_type as u64);
        }
    }
}

fn put_set(out: &mut Vec<u8>, c: &Columns, set: &AttributeSet) {
    put_varint(out, u64::from(set.shape));
    put_words(out, shape_at(&c.shapes, set.shape), &set.values);
}

fn put_words(out: &mut Vec<u8>, shape: &[(u32, ValueType)], words: &[u64]) {
    for (&(_, value_type), &word) in shape.iter().zip(words) {
        match value_type {
            ValueType::Int => put_zigzag(out, word as i64),
            ValueType::Double => out.extend_from_slice(&word.to_le_bytes()),
            ValueType::Str | ValueType::Bool | ValueType::Bytes | ValueType::Any => {
                put_varint(out, word);
            }
        }
    }
}

fn shape_at(shapes: &[Shape], position: u32) -> &[(u32, ValueType)] {
    shapes.get(position as usize).map_or(&[], |shape| shape)
}

/// The batch that these bytes are; anything wrong with them is an error, never a panic.
pub fn decode(bytes: &[u8]) -> Result<SpanBatch, Error> {
    let mut reader = Reader::new(bytes);
    let columns = read_columns(&mut reader)
        .map_err(|Damaged(what)| Error::corrupt(format!("decode span batch: {what}")))?;
    SpanBatch::new(columns).map_err(|unsound| Error::corrupt(unsound.to_string()))
}

fn read_columns(r: &mut Reader<'_>) -> Result<Columns, Damaged> {
    let mut c = Columns {
        shard: r.u16()?,
        ..Columns::default()
    };
    let (ends, text) = read_dictionary(r)?;
    let text = std::str::from_utf8(text)
        .map_err(|_| Damaged("text is not UTF-8"))?
        .to_owned();
    c.text = TextDictionary { text, ends };
    let (ends, bytes) = read_dictionary(r)?;
    c.bytes = BytesDictionary {
        bytes: bytes.to_vec(),
        ends,
    };
    for _ in 0..r.count(1)? {
        c.shapes.push(read_shape(r)?);
    }
    for _ in 0..r.count(4)? {
        let (service, schema_url, rest) = (r.u32()?, r.u32()?, r.u32()?);
        let attributes = read_set(r, &c.shapes)?;
        c.resources.push(Resource {
            service,
            schema_url,
            attributes,
            rest,
        });
    }
    for _ in 0..r.count(5)? {
        let (name, version, schema_url, rest) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?);
        let attributes = read_set(r, &c.shapes)?;
        c.scopes.push(Scope {
            name,
            version,
            schema_url,
            attributes,
            rest,
        });
    }
    for _ in 0..r.count(16)? {
        c.traces.push(TraceId(r.array()?));
    }
    read_rows(r, &mut c)?;
    if r.remaining() > 0 {
        return Err(Damaged("bytes after the end"));
    }
    Ok(c)
}

fn read_rows(r: &mut Reader<'_>, c: &mut Columns) -> Result<(), Damaged> {
    // A row is eight bytes of span id at least: this bounds every column below.
    let rows = r.count(8)?;
    for _ in 0..rows {
        c.span_id.push(SpanId(r.array()?));
    }
    let mut trace = 0i64;
    for _ in 0..rows {
        trace = trace.wrapping_add(r.zigzag()?);
        c.trace
            .push(u32::try_from(trace).map_err(|_| Damaged("trace position"))?);
    }
    for row in 0..rows {
        let parent = read_parent(r, row, &c.span_id)?;
        c.parent.push(parent);
    }
    let mut start = 0u64;
    for _ in 0..rows {
        start = start.wrapping_add(r.zigzag()? as u64);
        c.start_unix_ns.push(start);
    }
    for _ in 0..rows {
        c.duration_ns.push(r.varint()?);
    }
    for packed in read_column(r, rows)? {
        let packed = u8::try_from(packed).map_err(|_| Damaged("kind and status"))?;
        c.kind.push(packed & 15);
        c.status.push(packed >> 4);
    }
    for column in [
        &mut c.operation,
        &mut c.resource,
        &mut c.scope,
        &mut c.status_message,
        &mut c.flags,
    ] {
        *column = read_column(r, rows)?;
    }
    for marks in read_column(r, rows)? {
        c.marks
            .push(u16::try_from(marks).map_err(|_| Damaged("marks"))?);
    }
    c.shape = read_column(r, rows)?;
    c.event_shape = read_column(r, rows)?;
    for (&own, &event) in c.shape.iter().zip(&c.event_shape) {
        read_words(r, shape_at(&c.shapes, own), &mut c.values)?;
        read_words(r, shape_at(&c.shapes, event), &mut c.values)?;
        c.value_end
            .push(u32::try_from(c.values.len()).map_err(|_| Damaged("too many values"))?);
    }
    c.rest_end = ends_of(read_column(r, rows)?)?;
    let total = c.rest_end.last().map_or(0, |&end| end as usize);
    c.rest = r.take(total)?.to_vec();
    Ok(())
}

fn read_parent(r: &mut Reader<'_>, row: usize, ids: &[SpanId]) -> Result<SpanId, Damaged> {
    match r.varint()? {
        0 => Ok(SpanId::default()),
        1 => Ok(SpanId(r.array()?)),
        code => {
            let at = (row as i64).checked_add(primitive::unzigzag(code - 2));
            let at = at.and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| ids.get(at))
                .copied()
                .ok_or(Damaged("row of a parent"))
        }
    }
}

fn read_column(r: &mut Reader<'_>, rows: usize) -> Result<Vec<u32>, Damaged> {
    if rows == 0 {
        return Ok(Vec::new());
    }
    match r.byte()? {
        0 => Ok(vec![r.u32()?; rows]),
        1 => (0..rows).map(|_| r.u32()).collect(),
        _ => Err(Damaged("form of a column")),
    }
}

fn ends_of(mut lengths: Vec<u32>) -> Result<Vec<u32>, Damaged> {
    let mut end = 0u32;
    for length in &mut lengths {
        end = end
            .checked_add(*length)
            .ok_or(Damaged("lengths add up beyond 4 GiB"))?;
        *length = end;
    }
    Ok(lengths)
}

fn read_dictionary<'a>(r: &mut Reader<'a>) -> Result<(Vec<u32>, &'a [u8]), Damaged> {
    let count = r.count(1)?;
    let lengths = (0..count).map(|_| r.u32()).collect::<Result<Vec<_>, _>>()?;
    let ends = ends_of(lengths)?;
    let total = ends.last().map_or(0, |&end| end as usize);
    Ok((ends, r.take(total)?))
}

fn read_shape(r: &mut Reader<'_>) -> Result<Shape, Damaged> {
    let mut shape = Shape::new();
    for _ in 0..r.count(1)? {
        let packed = r.varint()?;
        let key = u32::try_from(packed >> 3).map_err(|_| Damaged("key of a shape"))?;
        let value_type =
            ValueType::from_u8((packed & 7) as u8).ok_or(Damaged("type of a value"))?;
        shape.push((key, value_type));
    }
    Ok(shape)
}

fn read_set(r: &mut Reader<'_>, shapes: &[Shape]) -> Result<AttributeSet, Damaged> {
    let shape = r.u32()?;
    let mut values = Vec::new();
    read_words(r, shape_at(shapes, shape), &mut values)?;
    Ok(AttributeSet { shape, values })
}

fn read_words(
    r: &mut Reader<'_>,
    shape: &[(u32, ValueType)],
    words: &mut Vec<u64>,
) -> Result<(), Damaged> {
    for &(_, value_type) in shape {
        words.push(match value_type {
            ValueType::Int => r.zigzag()? as u64,
            ValueType::Double => u64::from_le_bytes(r.array()?),
            ValueType::Str | ValueType::Bool | ValueType::Bytes | ValueType::Any => r.varint()?,
        });
    }
    Ok(())
}
