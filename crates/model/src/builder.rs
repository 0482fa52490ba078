//! Builds batches from input: interns each distinct value once and splits spans by shard of trace id.
//! Decoders in `wire` push into it; sealing copies rows of other batches into it (`copy`).

use crate::attribute::{Attribute, Value, ValueType};
use crate::batch::{AttributeSet, Columns, Resource, Scope, Shape, SpanBatch};
use crate::dictionary::Interner;
use crate::id::{SpanId, TraceId};
use crate::span::{Marks, SpanKind, StatusCode};

/// Names a resource of this builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceHandle(pub(crate) u32);

/// Names a scope of this builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeHandle(pub(crate) u32);

/// A resource as a decoder found it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceInput<'a> {
    /// The service (D5 says where each format has it).
    pub service: &'a str,
    /// OTLP's schema URL.
    pub schema_url: &'a str,
    /// All attributes, `service.name` included, in their order.
    pub attributes: &'a [Attribute<'a>],
    /// Fields of the OTLP message that are not modelled.
    pub rest: &'a [u8],
}

/// A scope as a decoder found it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeInput<'a> {
    /// The library's name.
    pub name: &'a str,
    /// The library's version.
    pub version: &'a str,
    /// OTLP's schema URL of the scope's spans.
    pub schema_url: &'a str,
    /// Its attributes.
    pub attributes: &'a [Attribute<'a>],
    /// Fields of the OTLP message that are not modelled.
    pub rest: &'a [u8],
}

/// A span as a decoder found it, normalized as D5 says.
#[derive(Clone, Copy, Debug)]
pub struct SpanInput<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Its parent; none for a root.
    pub parent: Option<SpanId>,
    /// Where it came from.
    pub resource: ResourceHandle,
    /// What made it.
    pub scope: ScopeHandle,
    /// Start.
    pub start_unix_ns: u64,
    /// Duration.
    pub duration_ns: u64,
    /// The operation's name.
    pub operation: &'a str,
    /// The side of a call.
    pub kind: SpanKind,
    /// Status as it came.
    pub status: StatusCode,
    /// Status message.
    pub status_message: &'a str,
    /// OTLP flags.
    pub flags: u32,
    /// Its own attributes, in their order.
    pub attributes: &'a [Attribute<'a>],
    /// The attributes of all its events, lifted for search.
    pub event_attributes: &'a [Attribute<'a>],
    /// Events, links, trace state, dropped counts, unknown fields: OTLP field encoding.
    pub rest: &'a [u8],
    /// What was changed or noticed.
    pub marks: Marks,
}

/// Collects spans into one batch per shard.
#[derive(Debug)]
pub struct BatchBuilder {
    pub(crate) shards: Vec<ShardBuilder>,
    pub(crate) spans: usize,
}

impl BatchBuilder {
    /// An empty builder for this many shards (at least one).
    pub fn new(shards: u16) -> Self {
        let shards = (0..shards.max(1)).map(ShardBuilder::new).collect();
        BatchBuilder { shards, spans: 0 }
    }

    /// Spans pushed so far.
    pub fn len(&self) -> usize {
        self.spans
    }

    /// True when nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.spans == 0
    }

    /// Takes a resource in; equal ones get equal handles. Every shard interns it at the same
    /// position, so that one handle serves all: resources are few, spans are many.
    pub fn resource(&mut self, input: &ResourceInput<'_>) -> ResourceHandle {
        let mut position = 0;
        for shard in &mut self.shards {
            position = shard.resource(input);
        }
        ResourceHandle(position)
    }

    /// Takes a scope in; equal ones get equal handles.
    pub fn scope(&mut self, input: &ScopeInput<'_>) -> ScopeHandle {
        let mut position = 0;
        for shard in &mut self.shards {
            position = shard.scope(input);
        }
        ScopeHandle(position)
    }

    /// Takes a span in.
    pub fn push(&mut self, span: &SpanInput<'_>) {
        let shard = span.trace_id.shard(self.shards.len() as u16);
        self.shards[shard as usize].push(span);
        self.spans += 1;
    }

    /// The batches, one for each shard that got a span.
    pub fn finish(self) -> Vec<SpanBatch> {
        let shards = self.shards.into_iter().map(|shard| shard.columns);
        shards
            .filter(|columns| !columns.span_id.is_empty())
            .map(|columns| {
                SpanBatch::new(columns).expect("the builder only makes positions that exist")
            })
            .collect()
    }

    /// The one batch of a builder with one shard, even an empty one.
    pub fn finish_one(self) -> SpanBatch {
        debug_assert_eq!(self.shards.len(), 1);
        let columns = self.shards.into_iter().next().map(|shard| shard.columns);
        SpanBatch::new(columns.unwrap_or_default())
            .expect("the builder only makes positions that exist")
    }
}

/// A span's texts and attributes as positions of a shard's batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coded {
    pub(crate) operation: u32,
    pub(crate) status_message: u32,
    pub(crate) shape: u32,
    pub(crate) event_shape: u32,
}

/// One shard's growing batch.
#[derive(Debug)]
pub(crate) struct ShardBuilder {
    pub(crate) columns: Columns,
    texts: Interner,
    bytes: Interner,
    shapes: Interner,
    resources: Interner,
    scopes: Interner,
    traces: Interner,
    shape: Shape,
}

impl ShardBuilder {
    fn new(shard: u16) -> Self {
        ShardBuilder {
            columns: Columns {
                shard,
                ..Columns::default()
            },
            texts: Interner::default(),
            bytes: Interner::default(),
            shapes: Interner::default(),
            resources: Interner::default(),
            scopes: Interner::default(),
            traces: Interner::default(),
            shape: Shape::new(),
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.texts.text(&mut self.columns.text, text)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.bytes(&mut self.columns.bytes, bytes)
    }

    fn resource(&mut self, input: &ResourceInput<'_>) -> u32 {
        let resource = Resource {
            service: self.text(input.service),
            schema_url: self.text(input.schema_url),
            attributes: self.attribute_set(input.attributes),
            rest: self.bytes(input.rest),
        };
        let key = |r: &Resource| {
            (
                r.service,
                r.schema_url,
                r.attributes.shape,
                r.attributes.values.clone(),
                r.rest,
            )
        };
        let interner = &mut self.resources;
        let hasher = Interner::default();
        let hash = hasher.hash_one(key(&resource));
        let at = &mut self.columns.resources;
        interner.element(
            at,
            hash,
            |r| *r == resource,
            |r| hasher.hash_one(key(r)),
            || resource.clone(),
        )
    }

    fn scope(&mut self, input: &ScopeInput<'_>) -> u32 {
        let scope = Scope {
            name: self.text(input.name),
            version: self.text(input.version),
            schema_url: self.text(input.schema_url),
            attributes: self.attribute_set(input.attributes),
            rest: self.bytes(input.rest),
        };
        let key = |s: &Scope| {
            (
                s.name,
                s.version,
                s.schema_url,
                s.attributes.shape,
                s.attributes.values.clone(),
                s.rest,
            )
        };
        let interner = &mut self.scopes;
        let hasher = Interner::default();
        let hash = hasher.hash_one(key(&scope));
        let at = &mut self.columns.scopes;
        interner.element(
            at,
            hash,
            |s| *s == scope,
            |s| hasher.hash_one(key(s)),
            || scope.clone(),
        )
    }

    fn attribute_set(&mut self, attributes: &[Attribute<'_>]) -> AttributeSet {
        let mut values = Vec::with_capacity(attributes.len());
        let shape = self.encode(attributes.iter().copied(), &mut values);
        AttributeSet { shape, values }
    }

    /// Writes the words of these attributes and answers their shape.
    pub(crate) fn encode<'v>(
        &mut self,
        attributes: impl IntoIterator<Item = Attribute<'v>>,
        words: &mut Vec<u64>,
    ) -> u32 {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        for attribute in attributes {
            let key = self.text(attribute.key);
            shape.push((key, attribute.value.value_type()));
            words.push(self.word(attribute.value));
        }
        let position = self.intern_shape(&shape);
        self.shape = shape;
        position
    }

    fn intern_shape(&mut self, shape: &Shape) -> u32 {
        let hasher = Interner::default();
        let hash = hasher.hash_one(shape);
        let at = &mut self.columns.shapes;
        self.shapes.element(
            at,
            hash,
            |s| s == shape,
            |s| hasher.hash_one(s),
            || shape.clone(),
        )
    }

    fn word(&mut self, value: Value<'_>) -> u64 {
        debug_assert!(value.value_type() as u8 <= ValueType::Any as u8);
        match value {
            Value::Str(text) => u64::from(self.text(text)),
            Value::Int(number) => number as u64,
            Value::Double(number) => number.to_bits(),
            Value::Bool(bit) => u64::from(bit),
            Value::Bytes(bytes) | Value::Any(bytes) => u64::from(self.bytes(bytes)),
        }
    }

    fn push(&mut self, span: &SpanInput<'_>) {
        let operation = self.text(span.operation);
        let status_message = self.text(span.status_message);
        let mut words = std::mem::take(&mut self.columns.values);
        let shape = self.encode(span.attributes.iter().copied(), &mut words);
        let event_shape = self.encode(span.event_attributes.iter().copied(), &mut words);
        self.columns.values = words;
        let coded = Coded {
            operation,
            status_message,
            shape,
            event_shape,
        };
        self.push_coded(span, coded);
    }

    /// Appends a row whose words were written before. Texts and attributes are those of `coded`;
    /// the rest of `span` counts.
    pub(crate) fn push_coded(&mut self, span: &SpanInput<'_>, coded: Coded) {
        let trace = self.trace(span.trace_id);
        let c = &mut self.columns;
        c.value_end.push(c.values.len() as u32);
        c.trace.push(trace);
        c.span_id.push(span.span_id);
        c.parent.push(span.parent.unwrap_or_default());
        c.start_unix_ns.push(span.start_unix_ns);
        c.duration_ns.push(span.duration_ns);
        c.operation.push(coded.operation);
        c.resource.push(span.resource.0);
        c.scope.push(span.scope.0);
        c.kind.push(span.kind as u8);
        c.status.push(span.status as u8);
        c.status_message.push(coded.status_message);
        c.flags.push(span.flags);
        c.marks.push(span.marks.0);
        c.shape.push(coded.shape);
        c.event_shape.push(coded.event_shape);
        c.rest.extend_from_slice(span.rest);
        c.rest_end.push(c.rest.len() as u32);
    }

    fn trace(&mut self, id: TraceId) -> u32 {
        // Spans of a trace mostly come one after the other.
        if let Some(&last) = self.columns.trace.last()
            && self.columns.traces.get(last as usize) == Some(&id)
        {
            return last;
        }
        let hasher = Interner::default();
        self.traces.element(
            &mut self.columns.traces,
            hasher.hash_one(id),
            |known| *known == id,
            |known| hasher.hash_one(*known),
            || id,
        )
    }
}
