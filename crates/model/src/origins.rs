//! Resources and scopes while a batch grows. A shard holds those that its own spans have: one is taken in
//! with the first span that has it, and copied from there when a span of another shard has it, too.

use std::hash::BuildHasher;

use crate::attribute::ValueType;
use crate::batch::{AttributeSet, Resource, Scope};
use crate::builder::{Home, ResourceInput, ScopeInput};
use crate::intern::Interner;
use crate::row::RawValue;
use crate::shard::{Checked, ShardBuilder, raw};

/// Where a shard has its resources, or its scopes.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    known: Interner,
    /// By the shard that one was copied from and its position there: its position here plus one, or 0.
    copied: Vec<Vec<u32>>,
}

impl Origins {
    #[inline]
    fn copied(&self, home: Home) -> Option<u32> {
        let of_shard = self.copied.get(usize::from(home.shard))?;
        of_shard.get(home.at as usize)?.checked_sub(1)
    }

    fn note_copied(&mut self, home: Home, at: u32) {
        let (shard, place) = (usize::from(home.shard), home.at as usize);
        if self.copied.len() <= shard {
            self.copied.resize_with(shard + 1, Vec::new);
        }
        let of_shard = &mut self.copied[shard];
        if of_shard.len() <= place {
            of_shard.resize(place + 1, 0);
        }
        of_shard[place] = at + 1;
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.copied.iter_mut().for_each(Vec::clear);
    }
}

impl ShardBuilder {
    pub(crate) fn resource(&mut self, input: &ResourceInput<'_>) -> u32 {
        let names = [input.service, input.schema_url].map(str::as_bytes);
        self.take_resource(names, input.rest, raw(input.attributes.iter().copied()))
    }

    pub(crate) fn scope(&mut self, input: &ScopeInput<'_>) -> u32 {
        let names = [input.name, input.version, input.schema_url].map(str::as_bytes);
        self.take_scope(names, input.rest, raw(input.attributes.iter().copied()))
    }

    /// The positions of a span's resource and scope, if both are here.
    #[inline]
    pub(crate) fn known_origin(&self, resource: Home, scope: Home) -> Option<(u32, u32)> {
        let known = |origins: &Origins, home: Home| match home.shard == self.columns.shard {
            true => Some(home.at),
            false => origins.copied(home),
        };
        Some((
            known(&self.resources, resource)?,
            known(&self.scopes, scope)?,
        ))
    }

    /// Copies a resource of another shard, unless it is here.
    pub(crate) fn copy_resource_of(&mut self, from: &ShardBuilder, home: Home) -> u32 {
        if let Some(at) = self.resources.copied(home) {
            return at;
        }
        let resource = &from.columns.resources[home.at as usize];
        let names = [resource.service, resource.schema_url].map(|at| from.texts.get(at));
        let attributes = from.attributes(&resource.attributes);
        let at = self.take_resource(names, from.bytes.get(resource.rest), attributes);
        self.resources.note_copied(home, at);
        at
    }

    /// Copies a scope of another shard, unless it is here.
    pub(crate) fn copy_scope_of(&mut self, from: &ShardBuilder, home: Home) -> u32 {
        if let Some(at) = self.scopes.copied(home) {
            return at;
        }
        let scope = &from.columns.scopes[home.at as usize];
        let names = [scope.name, scope.version, scope.schema_url].map(|at| from.texts.get(at));
        let attributes = from.attributes(&scope.attributes);
        let at = self.take_scope(names, from.bytes.get(scope.rest), attributes);
        self.scopes.note_copied(home, at);
        at
    }

    fn take_resource<'v>(
        &mut self,
        names: [&[u8]; 2],
        rest: &[u8],
        attributes: impl Iterator<Item = Checked<'v>>,
    ) -> u32 {
        let (names, rest) = self.names(names, rest);
        let before = self.columns.values.len();
        let shape = self.words(attributes).shape;
        let c = &mut self.columns;
        let values = &c.values[before..];
        let hash = self.hasher.hash_one((names, rest, shape, values));
        let same = |known: &Resource| {
            ([known.service, known.schema_url], known.rest) == (names, rest)
                && known.attributes.is(shape, values)
        };
        let [service, schema_url] = names;
        let make = || Resource {
            service,
            schema_url,
            attributes: AttributeSet::of(shape, values),
            rest,
        };
        let known = &mut self.resources.known;
        let at = known.element(&mut c.resources, hash, same, make);
        c.values.truncate(before);
        at
    }

    fn take_scope<'v>(
        &mut self,
        names: [&[u8]; 3],
        rest: &[u8],
        attributes: impl Iterator<Item = Checked<'v>>,
    ) -> u32 {
        let (names, rest) = self.names(names, rest);
        let before = self.columns.values.len();
        let shape = self.words(attributes).shape;
        let c = &mut self.columns;
        let values = &c.values[before..];
        let hash = self.hasher.hash_one((names, rest, shape, values));
        let same = |known: &Scope| {
            ([known.name, known.version, known.schema_url], known.rest) == (names, rest)
                && known.attributes.is(shape, values)
        };
        let [name, version, schema_url] = names;
        let make = || Scope {
            name,
            version,
            schema_url,
            attributes: AttributeSet::of(shape, values),
            rest,
        };
        let known = &mut self.scopes.known;
        let at = known.element(&mut c.scopes, hash, same, make);
        c.values.truncate(before);
        at
    }

    fn names<const N: usize>(&mut self, names: [&[u8]; N], rest: &[u8]) -> ([u32; N], u32) {
        let names = names.map(|name| self.texts.intern(&self.hasher, name));
        (names, self.bytes(rest))
    }

    fn attributes<'v>(&'v self, set: &'v AttributeSet) -> impl Iterator<Item = Checked<'v>> {
        let shape = &self.columns.shapes[set.shape as usize];
        shape
            .iter()
            .zip(&set.values)
            .map(|(&(key, value_type), &word)| {
                let value = match value_type {
                    ValueType::Str => RawValue::Str(self.texts.get(word as u32)),
                    ValueType::Int => RawValue::Int(word as i64),
                    ValueType::Double => RawValue::Double(f64::from_bits(word)),
                    ValueType::Bool => RawValue::Bool(word != 0),
                    ValueType::Bytes => RawValue::Bytes(self.bytes.get(word as u32)),
                    ValueType::Any => RawValue::Any(self.bytes.get(word as u32)),
                };
                (self.texts.get(key), value)
            })
    }
}

impl AttributeSet {
    fn of(shape: u32, values: &[u64]) -> AttributeSet {
        let values = values.to_vec();
        AttributeSet { shape, values }
    }

    fn is(&self, shape: u32, values: &[u64]) -> bool {
        self.shape == shape && self.values == values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Attribute, Value};
    use crate::{BatchBuilder, Marks, SpanBatch, SpanId, SpanInput, SpanKind, StatusCode, TraceId};

    /// A span of the service, whose library has its name.
    fn push(builder: &mut BatchBuilder, trace: TraceId, service: &str) {
        let attributes = [
            Attribute::new("host", Value::Str(service)),
            Attribute::new("raw", Value::Bytes(service.as_bytes())),
            Attribute::new("port", Value::Int(80)),
        ];
        let resource = builder.resource(&ResourceInput {
            service,
            attributes: &attributes,
            rest: b"rest",
            ..ResourceInput::default()
        });
        let scope = builder.scope(&ScopeInput {
            name: service,
            attributes: &attributes[1..],
            ..ScopeInput::default()
        });
        for trace_id in [trace, trace] {
            builder.push(&SpanInput {
                trace_id,
                span_id: SpanId([1; 8]),
                parent: None,
                resource,
                scope,
                start_unix_ns: 1,
                duration_ns: 1,
                operation: "op",
                kind: SpanKind::Client,
                status: StatusCode::Ok,
                status_message: "",
                flags: 0,
                attributes: &[],
                event_attributes: &[],
                rest: &[],
                marks: Marks::default(),
            });
        }
    }

    /// Of each span its service and all that its resource and scope say.
    fn said(batch: &SpanBatch) -> Vec<(String, String)> {
        let span = |row| {
            let (resource, scope) = (batch.span(row).resource(), batch.span(row).scope());
            let resource_said: Vec<_> = resource.attributes().collect();
            let scope_said: Vec<_> = scope.attributes().collect();
            let all = format!(
                "{resource_said:?} {:?} {} {scope_said:?}",
                resource.rest(),
                scope.name()
            );
            (resource.service().to_owned(), all)
        };
        (0..batch.len() as u32).map(span).collect()
    }

    #[test]
    fn a_batch_has_the_resources_and_scopes_of_its_own_spans_and_no_others() {
        const SHARDS: u16 = 4;
        let traces: Vec<TraceId> = (1..=40).map(|trace| TraceId([trace; 16])).collect();
        let service = |trace: &TraceId| format!("service-{}", trace.0[0] % 13);
        let mut builder = BatchBuilder::new(SHARDS);
        for _batch in 0..2 {
            for trace in &traces {
                push(&mut builder, *trace, &service(trace));
            }
            let batches = builder.finish();
            assert!(batches.len() > 1);
            for batch in batches.iter().filter(|batch| batch.columns().shard > 0) {
                let here = |trace: &&TraceId| trace.shard(SHARDS) == batch.columns().shard;
                let mut alone = BatchBuilder::new(1);
                for trace in traces.iter().filter(here) {
                    push(&mut alone, *trace, &service(trace));
                }
                let alone = alone.finish_one();
                assert_eq!(said(batch), said(&alone));
                let counts = |batch: &SpanBatch| {
                    let c = batch.columns();
                    (c.resources.len(), c.scopes.len(), c.text.len())
                };
                assert_eq!(counts(batch), counts(&alone));
            }
        }
    }
}
