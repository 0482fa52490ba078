//! Resources and scopes while a batch grows. A shard holds those that its own spans have: one is taken in
//! with the first span that has it, and copied from there when a span of another shard has it, too.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use crate::attribute::ValueType;
use crate::batch::{AttributeSet, Resource, Scope};
use crate::builder::{Home, ResourceInput, ScopeInput};
use crate::intern::Interner;
use crate::row::{NotUtf8, RawAttribute, RawValue};
use crate::shard::{CHECKED, ShardBuilder};

/// Where a shard has its resources, or its scopes.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    known: Interner,
    /// By the shard that one was copied from and its position there: its position here plus one, or 0.
    copied: Vec<Vec<u32>>,
}

impl Origins {
    /// The position of one that is like this one.
    fn position<T: Hash + PartialEq>(
        &mut self,
        all: &mut Vec<T>,
        hasher: &RandomState,
        origin: T,
    ) -> u32 {
        let hash = hasher.hash_one(&origin);
        let same = |at: u32| all[at as usize] == origin;
        match self.known.find(hash, same) {
            Ok(position) => position,
            Err(free) => {
                let position = all.len() as u32;
                all.push(origin);
                self.known.insert(free, position);
                position
            }
        }
    }

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
    pub(crate) fn resource<'v, A: Copy + Into<RawAttribute<'v>>>(
        &mut self,
        input: &ResourceInput<'_, A>,
    ) -> Result<u32, NotUtf8> {
        let resource = Resource {
            service: self.text(input.service),
            schema_url: self.text(input.schema_url),
            attributes: self.attribute_set(input.attributes.iter().copied())?,
            rest: self.bytes(input.rest),
        };
        Ok(self.take_resource(resource))
    }

    pub(crate) fn scope<'v, A: Copy + Into<RawAttribute<'v>>>(
        &mut self,
        input: &ScopeInput<'_, A>,
    ) -> Result<u32, NotUtf8> {
        let scope = Scope {
            name: self.text(input.name),
            version: self.text(input.version),
            schema_url: self.text(input.schema_url),
            attributes: self.attribute_set(input.attributes.iter().copied())?,
            rest: self.bytes(input.rest),
        };
        Ok(self.take_scope(scope))
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
        let attributes = self.attribute_set(from.attributes(&resource.attributes));
        let resource = Resource {
            service: self.copy_text_of(from, resource.service),
            schema_url: self.copy_text_of(from, resource.schema_url),
            attributes: attributes.expect(CHECKED),
            rest: self.bytes(from.bytes.get(resource.rest)),
        };
        let at = self.take_resource(resource);
        self.resources.note_copied(home, at);
        at
    }

    /// Copies a scope of another shard, unless it is here.
    pub(crate) fn copy_scope_of(&mut self, from: &ShardBuilder, home: Home) -> u32 {
        if let Some(at) = self.scopes.copied(home) {
            return at;
        }
        let scope = &from.columns.scopes[home.at as usize];
        let attributes = self.attribute_set(from.attributes(&scope.attributes));
        let scope = Scope {
            name: self.copy_text_of(from, scope.name),
            version: self.copy_text_of(from, scope.version),
            schema_url: self.copy_text_of(from, scope.schema_url),
            attributes: attributes.expect(CHECKED),
            rest: self.bytes(from.bytes.get(scope.rest)),
        };
        let at = self.take_scope(scope);
        self.scopes.note_copied(home, at);
        at
    }

    fn take_resource(&mut self, resource: Resource) -> u32 {
        let all = &mut self.columns.resources;
        self.resources.position(all, &self.hasher, resource)
    }

    fn take_scope(&mut self, scope: Scope) -> u32 {
        let all = &mut self.columns.scopes;
        self.scopes.position(all, &self.hasher, scope)
    }

    fn copy_text_of(&mut self, from: &ShardBuilder, position: u32) -> u32 {
        self.texts.intern(&self.hasher, from.texts.get(position))
    }

    fn attribute_set<'v>(
        &mut self,
        attributes: impl Iterator<Item: Into<RawAttribute<'v>>>,
    ) -> Result<AttributeSet, NotUtf8> {
        let before = self.columns.values.len();
        let shape = self.words_beside(attributes)?.shape;
        let values = self.columns.values[before..].to_vec();
        self.columns.values.truncate(before);
        Ok(AttributeSet { shape, values })
    }

    fn attributes<'v>(&'v self, set: &'v AttributeSet) -> impl Iterator<Item = RawAttribute<'v>> {
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
                let key = self.texts.get(key);
                RawAttribute { key, value }
            })
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
