//! A span by itself, as bytes: what a store outside keeps of it. The bytes are canonical: spans equal
//! in every field (D2) have equal ones, so that their hash can be a part of the store's key. Version
//! 1, numbers LEB128 varints, texts and byte strings preceded by their length:
//!
//! ```text
//! version · resource block · scope block · kind | status << 4 · flags · marks · parent (0 or 8 bytes)
//! · start · duration · operation · status message · attributes · event attributes · rest
//! resource block: service · schema · attributes · rest    scope block: name · version · schema · attributes · rest
//! attributes: count (key, type, value)*                   value: 8 bytes for numbers, else a byte string
//! ```
//! Ids are not in it: they are the key. Reading is safe, whatever the bytes.

use hashbrown::HashMap;
use tracewell_model::attribute::ValueType;
use tracewell_model::builder::{ResourceHandle, ScopeHandle};
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, SpanRef, StatusCode, TraceId, Value,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::varint::{Reader, put, put_bytes};

const VERSION: u8 = 1;

/// Encodes spans of one batch; what many of them share is encoded once.
#[derive(Debug)]
pub struct RowEncoder<'a> {
    batch: &'a SpanBatch,
    resources: Vec<Vec<u8>>,
    scopes: Vec<Vec<u8>>,
}

impl<'a> RowEncoder<'a> {
    /// An encoder of this batch's spans.
    pub fn new(batch: &'a SpanBatch) -> Self {
        let columns = batch.columns();
        RowEncoder {
            batch,
            resources: vec![Vec::new(); columns.resources.len()],
            scopes: vec![Vec::new(); columns.scopes.len()],
        }
    }

    /// Appends the row of this span.
    pub fn encode(&mut self, row: u32, out: &mut Vec<u8>) {
        let span = self.batch.span(row);
        out.push(VERSION);
        let resource = &mut self.resources[span.resource().position() as usize];
        put_bytes(out, block(resource, |out| put_resource(out, span)));
        let scope = &mut self.scopes[span.scope().position() as usize];
        put_bytes(out, block(scope, |out| put_scope(out, span)));
        out.push(span.kind() as u8 | (span.status() as u8) << 4);
        put(out, u64::from(span.flags()));
        put(out, u64::from(span.marks().0));
        put_bytes(out, span.parent().as_ref().map_or(&[], |id| &id.0[..]));
        put(out, span.start_unix_ns());
        put(out, span.duration_ns());
        put_bytes(out, span.operation().as_bytes());
        put_bytes(out, span.status_message().as_bytes());
        put_attributes(out, span.attributes());
        put_attributes(out, span.event_attributes());
        put_bytes(out, span.rest());
    }
}

/// The hash of a row, for keys: rows of one span id that differ have different ones.
pub fn content_hash(row: &[u8]) -> u64 {
    xxh3_64(row)
}

/// Encoded when it is first asked for; a block is never empty.
fn block(known: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
    if known.is_empty() {
        encode(known);
    }
    known
}

fn put_resource(out: &mut Vec<u8>, span: SpanRef<'_>) {
    let resource = span.resource();
    put_bytes(out, resource.service().as_bytes());
    put_bytes(out, resource.schema_url().as_bytes());
    put_attributes(out, resource.attributes());
    put_bytes(out, resource.rest());
}

fn put_scope(out: &mut Vec<u8>, span: SpanRef<'_>) {
    let scope = span.scope();
    put_bytes(out, scope.name().as_bytes());
    put_bytes(out, scope.version().as_bytes());
    put_bytes(out, scope.schema_url().as_bytes());
    put_attributes(out, scope.attributes());
    put_bytes(out, scope.rest());
}

fn put_attributes<'a>(out: &mut Vec<u8>, attributes: impl Iterator<Item = Attribute<'a>> + Clone) {
    put(out, attributes.clone().count() as u64);
    for Attribute { key, value } in attributes {
        put_bytes(out, key.as_bytes());
        out.push(value.value_type() as u8);
        match value {
            Value::Str(text) => put_bytes(out, text.as_bytes()),
            Value::Int(number) => out.extend_from_slice(&number.to_le_bytes()),
            Value::Double(number) => out.extend_from_slice(&number.to_bits().to_le_bytes()),
            Value::Bool(bit) => out.push(u8::from(bit)),
            Value::Bytes(bytes) | Value::Any(bytes) => put_bytes(out, bytes),
        }
    }
}

/// Decodes rows into batches. Blocks that many rows share are decoded once.
#[derive(Debug)]
pub struct RowDecoder {
    builder: BatchBuilder,
    resources: HashMap<Box<[u8]>, ResourceHandle>,
    scopes: HashMap<Box<[u8]>, ScopeHandle>,
}

impl Default for RowDecoder {
    fn default() -> Self {
        RowDecoder {
            builder: BatchBuilder::new(1),
            resources: HashMap::new(),
            scopes: HashMap::new(),
        }
    }
}

impl RowDecoder {
    /// Takes a row in; `None` for anything but what [`RowEncoder`] writes.
    pub fn push(&mut self, trace_id: TraceId, span_id: SpanId, row: &[u8]) -> Option<()> {
        let mut row = Reader(row);
        if row.byte()? != VERSION {
            return None;
        }
        let (resource, scope) = (row.bytes()?, row.bytes()?);
        let kind_and_status = row.byte()?;
        let flags = u32::try_from(row.number()?).ok()?;
        let marks = Marks(u16::try_from(row.number()?).ok()?);
        let parent = match row.bytes()? {
            [] => None,
            id => Some(SpanId::from_slice(id)?),
        };
        let (start_unix_ns, duration_ns) = (row.number()?, row.number()?);
        let (operation, status_message) = (row.text()?, row.text()?);
        let (own, event) = (attributes(&mut row)?, attributes(&mut row)?);
        let rest = row.bytes()?;
        if !row.is_empty() {
            return None;
        }
        let (resource, scope) = (self.resource(resource)?, self.scope(scope)?);
        self.builder.push(&SpanInput {
            trace_id,
            span_id,
            parent,
            resource,
            scope,
            start_unix_ns,
            duration_ns,
            operation,
            kind: SpanKind::from_u8(kind_and_status & 15)?,
            status: StatusCode::from_u8(kind_and_status >> 4)?,
            status_message,
            flags,
            attributes: &own,
            event_attributes: &event,
            rest,
            marks,
        });
        Some(())
    }

    /// The spans taken in so far; the decoder is empty again.
    pub fn finish(&mut self) -> SpanBatch {
        self.resources.clear();
        self.scopes.clear();
        self.builder.finish_one()
    }

    fn resource(&mut self, block: &[u8]) -> Option<ResourceHandle> {
        if let Some(&known) = self.resources.get(block) {
            return Some(known);
        }
        let mut reader = Reader(block);
        let (service, schema_url) = (reader.text()?, reader.text()?);
        let (attributes, rest) = (attributes(&mut reader)?, reader.bytes()?);
        let handle = reader.is_empty().then(|| {
            self.builder.resource(&ResourceInput {
                service,
                schema_url,
                attributes: &attributes,
                rest,
            })
        })?;
        self.resources.insert(block.into(), handle);
        Some(handle)
    }

    fn scope(&mut self, block: &[u8]) -> Option<ScopeHandle> {
        if let Some(&known) = self.scopes.get(block) {
            return Some(known);
        }
        let mut reader = Reader(block);
        let (name, version, schema_url) = (reader.text()?, reader.text()?, reader.text()?);
        let (attributes, rest) = (attributes(&mut reader)?, reader.bytes()?);
        let handle = reader.is_empty().then(|| {
            self.builder.scope(&ScopeInput {
                name,
                version,
                schema_url,
                attributes: &attributes,
                rest,
            })
        })?;
        self.scopes.insert(block.into(), handle);
        Some(handle)
    }
}

fn attributes<'a>(row: &mut Reader<'a>) -> Option<Vec<Attribute<'a>>> {
    let mut attributes = Vec::new();
    for _ in 0..row.number()? {
        let key = row.text()?;
        let value = match ValueType::from_u8(row.byte()?)? {
            ValueType::Str => Value::Str(row.text()?),
            ValueType::Int => Value::Int(i64::from_le_bytes(row.eight()?)),
            ValueType::Double => Value::Double(f64::from_bits(u64::from_le_bytes(row.eight()?))),
            ValueType::Bool => Value::Bool(row.byte()? != 0),
            ValueType::Bytes => Value::Bytes(row.bytes()?),
            ValueType::Any => Value::Any(row.bytes()?),
        };
        attributes.push(Attribute { key, value });
    }
    Some(attributes)
}

#[cfg(test)]
mod tests;
