//! From a batch to its bytes.

mod rest;
mod rows;
mod texts;

use tracewell_model::SpanBatch;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::{AttributeSet, Columns, Shape};

use super::copies::Copies;
use super::primitive::{put_varint, put_zigzag};

/// Appends the batch's bytes.
pub fn encode(batch: &SpanBatch, out: &mut Vec<u8>) {
    let c = batch.columns();
    let mut copies = Copies::new();
    put_varint(out, u64::from(c.shard));
    texts::put(out, &c.text, &mut copies);
    put_bytes(out, c);
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
    rows::put(out, c);
    rest::put(out, c, &mut copies);
}

fn put_bytes(out: &mut Vec<u8>, c: &Columns) {
    put_varint(out, c.bytes.ends.len() as u64);
    let mut before = 0;
    for &end in &c.bytes.ends {
        put_varint(out, u64::from(end - before));
        before = end;
    }
    out.extend_from_slice(&c.bytes.bytes);
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
    let shape = &c.shapes[set.shape as usize];
    for (&(_, value_type), &word) in shape.iter().zip(&set.values) {
        match value_type {
            ValueType::Int => put_zigzag(out, word as i64),
            ValueType::Double => out.extend_from_slice(&word.to_le_bytes()),
            ValueType::Str | ValueType::Bool | ValueType::Bytes | ValueType::Any => {
                put_varint(out, word);
            }
        }
    }
}
