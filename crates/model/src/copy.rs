//! Copies spans of other batches into a builder: what sealing does to every span. A batch names its
//! distinct values by position, so each value is hashed once per batch it comes from, not once per
//! span that has it; after that a copied value is a look into a table.

use std::num::NonZeroU32;

use hashbrown::HashMap;

use crate::attribute::{Attribute, ValueType};
use crate::batch::SpanBatch;
use crate::builder::{BatchBuilder, Home, ResourceHandle, ResourceInput, ScopeHandle, ScopeInput};
use crate::row::{RowInput, TextHandle};
use crate::shard::{CHECKED, ShardBuilder};
use crate::span::SpanRef;

/// What [`BatchBuilder::copy`] knows of the batches it copied from. For one builder only.
#[derive(Debug, Default)]
pub struct CopyScratch<'a> {
    attributes: Vec<Attribute<'a>>,
    /// Batches are borrowed for 'a, so their addresses stay theirs while this lives.
    tables: HashMap<(*const SpanBatch, u16), Tables>,
}

/// Where the values of a batch went.
#[derive(Debug)]
struct Tables {
    texts: Positions,
    bytes: Positions,
    shapes: Positions,
    resources: Positions,
    scopes: Positions,
}

impl Tables {
    fn of(batch: &SpanBatch) -> Tables {
        let c = batch.columns();
        Tables {
            texts: Positions::none(c.text.len()),
            bytes: Positions::none(c.bytes.len()),
            shapes: Positions::none(c.shapes.len()),
            resources: Positions::none(c.resources.len()),
            scopes: Positions::none(c.scopes.len()),
        }
    }
}

/// Position in a batch → position in a shard of the builder, plus one: a table is zeroes at
/// first, which the allocator has for nothing, however few entries of a large one are used.
#[derive(Debug)]
struct Positions(Vec<Option<NonZeroU32>>);

impl Positions {
    fn none(count: usize) -> Positions {
        Positions(vec![None; count])
    }

    fn get(&self, at: u32) -> Option<u32> {
        self.0[at as usize].map(|position| position.get() - 1)
    }

    /// The position, asked for when it is not known yet.
    #[inline]
    fn get_or(&mut self, at: u32, find: impl FnOnce() -> u32) -> u32 {
        if let Some(known) = self.get(at) {
            return known;
        }
        let found = find();
        self.0[at as usize] = NonZeroU32::new(found + 1);
        found
    }
}

impl BatchBuilder {
    /// Copies a span of another batch.
    pub fn copy<'a>(&mut self, span: SpanRef<'a>, scratch: &mut CopyScratch<'a>) {
        let shard = span.trace_id().shard(self.shards.len() as u16);
        let tables = scratch
            .tables
            .entry((std::ptr::from_ref(span.batch), shard))
            .or_insert_with(|| Tables::of(span.batch));
        let attributes = &mut scratch.attributes;
        let builder = &mut self.shards[shard as usize];
        let resource = builder.copy_resource(span, tables, attributes);
        let scope = builder.copy_scope(span, tables, attributes);
        let columns = span.batch.columns();
        let row = span.row as usize;
        let [operation, status_message] = [columns.operation[row], columns.status_message[row]]
            .map(|text| TextHandle(builder.copy_text(span.batch, text, tables)));
        let input = RowInput {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent: span.parent(),
            resource: ResourceHandle(Home {
                shard,
                at: resource,
            }),
            scope: ScopeHandle(Home { shard, at: scope }),
            start_unix_ns: span.start_unix_ns(),
            duration_ns: span.duration_ns(),
            operation,
            kind: span.kind(),
            status: span.status(),
            status_message,
            flags: span.flags(),
            rest: span.rest(),
            marks: span.marks(),
        };
        let (own, event) = span.values();
        let shape = builder.copy_words(span.batch, columns.shape[row], own, tables);
        let event_shape = builder.copy_words(span.batch, columns.event_shape[row], event, tables);
        builder.push(&input, (resource, scope), shape, event_shape);
        self.spans += 1;
    }
}

impl ShardBuilder {
    fn copy_resource<'a>(
        &mut self,
        span: SpanRef<'a>,
        tables: &mut Tables,
        attributes: &mut Vec<Attribute<'a>>,
    ) -> u32 {
        let resource = span.resource();
        tables.resources.get_or(resource.position(), || {
            attributes.clear();
            attributes.extend(resource.attributes());
            let copied = self.resource(&ResourceInput {
                service: resource.service(),
                schema_url: resource.schema_url(),
                attributes,
                rest: resource.rest(),
            });
            copied.expect(CHECKED)
        })
    }

    fn copy_scope<'a>(
        &mut self,
        span: SpanRef<'a>,
        tables: &mut Tables,
        attributes: &mut Vec<Attribute<'a>>,
    ) -> u32 {
        let scope = span.scope();
        tables.scopes.get_or(scope.position(), || {
            attributes.clear();
            attributes.extend(scope.attributes());
            let copied = self.scope(&ScopeInput {
                name: scope.name(),
                version: scope.version(),
                schema_url: scope.schema_url(),
                attributes,
                rest: scope.rest(),
            });
            copied.expect(CHECKED)
        })
    }

    /// Writes the words of these attributes and answers their shape.
    fn copy_words(
        &mut self,
        batch: &SpanBatch,
        shape: u32,
        values: &[u64],
        tables: &mut Tables,
    ) -> u32 {
        let Some(here) = tables.shapes.get(shape) else {
            let attributes = batch.attributes(shape, values);
            return tables
                .shapes
                .get_or(shape, || self.words(attributes).expect(CHECKED).shape);
        };
        for (&(_, value_type), &word) in batch.shape(shape).iter().zip(values) {
            let word = match value_type {
                ValueType::Str => u64::from(self.copy_text(batch, word as u32, tables)),
                ValueType::Bytes | ValueType::Any => u64::from(
                    tables
                        .bytes
                        .get_or(word as u32, || self.bytes(batch.bytes(word as u32))),
                ),
                ValueType::Int | ValueType::Double | ValueType::Bool => word,
            };
            self.columns.values.push(word);
        }
        here
    }

    fn copy_text(&mut self, batch: &SpanBatch, position: u32, tables: &mut Tables) -> u32 {
        tables
            .texts
            .get_or(position, || self.text(batch.text(position)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Value;
    use crate::identity::same_content;
    use crate::{Marks, SpanId, SpanInput, SpanKind, StatusCode, TraceId};

    /// Spans that share values with those of other seeds, at other positions.
    fn batch(seed: u8) -> SpanBatch {
        let mut builder = BatchBuilder::new(1);
        let own = format!("only-{seed}");
        for row in 1..=6u8 {
            let raw = [seed % 2, row];
            let attributes = [
                Attribute::new("who", Value::Str(if row % 2 == 0 { &own } else { "all" })),
                Attribute::new("row", Value::Int(i64::from(row))),
                Attribute::new("raw", Value::Bytes(&raw)),
            ];
            let attributes = &attributes[usize::from(row % 3)..];
            let resource = builder.resource(&ResourceInput {
                service: if row < 4 { "cart" } else { &own },
                attributes,
                ..ResourceInput::default()
            });
            let scope = builder.scope(&ScopeInput {
                name: &own,
                ..ScopeInput::default()
            });
            builder.push(&SpanInput {
                trace_id: TraceId([row; 16]),
                span_id: SpanId([seed; 8]),
                parent: None,
                resource,
                scope,
                start_unix_ns: u64::from(seed),
                duration_ns: u64::from(row),
                operation: ["get", "put"][usize::from(seed % 2)],
                kind: SpanKind::Client,
                status: StatusCode::Error,
                status_message: &own,
                flags: 1,
                attributes,
                event_attributes: attributes,
                rest: &[seed, row],
                marks: Marks::SHARED_ID,
            });
        }
        builder.finish_one()
    }

    #[test]
    fn copied_spans_are_equal_whatever_batches_they_come_from() {
        let batches: Vec<_> = (1..=4).map(batch).collect();
        let (mut builder, mut scratch) = (BatchBuilder::new(2), CopyScratch::default());
        // Alternating, as a seal does: a trace's spans lie in several batches.
        for row in 0..6 {
            let spans = batches.iter().map(|batch| batch.span(row));
            spans.for_each(|span| builder.copy(span, &mut scratch));
        }
        assert_eq!(builder.len(), 24);
        let copies = builder.finish();
        assert_eq!(copies.len(), 2, "both shards got spans");
        for span in batches.iter().flat_map(SpanBatch::spans) {
            let mut copied = copies.iter().flat_map(SpanBatch::spans);
            let same = |copy: SpanRef<'_>| {
                same_content(copy, span) && copy.event_attributes().eq(span.event_attributes())
            };
            assert!(copied.any(same), "{span:?}");
            let attributes = span.attributes().chain(span.event_attributes());
            let by_place = (0..).map_while(|at| span.attribute(at));
            assert!(attributes.eq(by_place));
        }
    }
}
