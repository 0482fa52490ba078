//! Spans as plain values: written by hand or by chance, pushed, and compared with what comes back.

use tracewell_model::CopyScratch;
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, SpanRef, StatusCode, TraceId, Value,
};

/// A [`Value`] that owns what it holds. Equal when the bits are, so that NaN equals itself.
#[derive(Clone, Debug)]
pub enum OwnedValue {
    /// [`Value::Str`]
    Str(String),
    /// [`Value::Int`]
    Int(i64),
    /// [`Value::Double`]
    Double(f64),
    /// [`Value::Bool`]
    Bool(bool),
    /// [`Value::Bytes`]
    Bytes(Vec<u8>),
    /// [`Value::Any`]
    Any(Vec<u8>),
}

impl OwnedValue {
    /// The value, borrowed.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            OwnedValue::Str(text) => Value::Str(text),
            OwnedValue::Int(number) => Value::Int(*number),
            OwnedValue::Double(number) => Value::Double(*number),
            OwnedValue::Bool(bit) => Value::Bool(*bit),
            OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
            OwnedValue::Any(encoded) => Value::Any(encoded),
        }
    }

    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Str(text) => OwnedValue::Str(text.to_owned()),
            Value::Int(number) => OwnedValue::Int(number),
            Value::Double(number) => OwnedValue::Double(number),
            Value::Bool(bit) => OwnedValue::Bool(bit),
            Value::Bytes(bytes) => OwnedValue::Bytes(bytes.to_vec()),
            Value::Any(encoded) => OwnedValue::Any(encoded.to_vec()),
        }
    }
}

impl PartialEq for OwnedValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_value() == other.as_value()
    }
}

impl From<&str> for OwnedValue {
    fn from(text: &str) -> Self {
        OwnedValue::Str(text.to_owned())
    }
}

impl From<i64> for OwnedValue {
    fn from(number: i64) -> Self {
        OwnedValue::Int(number)
    }
}

impl From<f64> for OwnedValue {
    fn from(number: f64) -> Self {
        OwnedValue::Double(number)
    }
}

impl From<bool> for OwnedValue {
    fn from(bit: bool) -> Self {
        OwnedValue::Bool(bit)
    }
}

/// Attributes in their order.
pub type Attributes = Vec<(String, OwnedValue)>;

/// A span with everything that identity (D2) looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanSpec {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Its parent.
    pub parent: Option<SpanId>,
    /// The service.
    pub service: String,
    /// The resource's schema.
    pub resource_schema_url: String,
    /// The resource's attributes.
    pub resource_attributes: Attributes,
    /// The resource's unmodelled fields.
    pub resource_rest: Vec<u8>,
    /// The scope's name.
    pub scope_name: String,
    /// The scope's version.
    pub scope_version: String,
    /// The scope's schema.
    pub scope_schema_url: String,
    /// The scope's attributes.
    pub scope_attributes: Attributes,
    /// The scope's unmodelled fields.
    pub scope_rest: Vec<u8>,
    /// Start.
    pub start_unix_ns: u64,
    /// Duration.
    pub duration_ns: u64,
    /// The operation.
    pub operation: String,
    /// The side of a call.
    pub kind: SpanKind,
    /// Status.
    pub status: StatusCode,
    /// Status message.
    pub status_message: String,
    /// Flags.
    pub flags: u32,
    /// Its own attributes.
    pub attributes: Attributes,
    /// Its events' attributes.
    pub event_attributes: Attributes,
    /// Its unmodelled fields.
    pub rest: Vec<u8>,
    /// Marks.
    pub marks: Marks,
}

impl SpanSpec {
    /// A root span of this trace, of service `shop` and operation `GET /`, a millisecond long.
    pub fn new(trace: u64, span: u64, start_unix_ns: u64) -> Self {
        SpanSpec {
            trace_id: trace_id(trace),
            span_id: span_id(span),
            service: "shop".to_owned(),
            operation: "GET /".to_owned(),
            start_unix_ns,
            duration_ns: 1_000_000,
            ..SpanSpec::default()
        }
    }

    /// The same with this parent.
    pub fn child_of(self, parent: u64) -> Self {
        SpanSpec {
            parent: Some(span_id(parent)),
            ..self
        }
    }

    /// The same of this service and operation.
    pub fn named(self, service: &str, operation: &str) -> Self {
        SpanSpec {
            service: service.to_owned(),
            operation: operation.to_owned(),
            ..self
        }
    }

    /// The same with this duration.
    pub fn lasting(self, duration_ns: u64) -> Self {
        SpanSpec {
            duration_ns,
            ..self
        }
    }

    /// The same, failed.
    pub fn failed(self) -> Self {
        SpanSpec {
            status: StatusCode::Error,
            ..self
        }
    }

    /// The same with one more attribute.
    pub fn with(mut self, key: &str, value: impl Into<OwnedValue>) -> Self {
        self.attributes.push((key.to_owned(), value.into()));
        self
    }

    /// When it ended.
    pub fn end_unix_ns(&self) -> u64 {
        self.start_unix_ns.saturating_add(self.duration_ns)
    }

    /// The span of a batch as a plain value.
    pub fn of(span: SpanRef<'_>) -> Self {
        let (resource, scope) = (span.resource(), span.scope());
        SpanSpec {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent: span.parent(),
            service: resource.service().to_owned(),
            resource_schema_url: resource.schema_url().to_owned(),
            resource_attributes: own(resource.attributes()),
            resource_rest: resource.rest().to_vec(),
            scope_name: scope.name().to_owned(),
            scope_version: scope.version().to_owned(),
            scope_schema_url: scope.schema_url().to_owned(),
            scope_attributes: own(scope.attributes()),
            scope_rest: scope.rest().to_vec(),
            start_unix_ns: span.start_unix_ns(),
            duration_ns: span.duration_ns(),
            operation: span.operation().to_owned(),
            kind: span.kind(),
            status: span.status(),
            status_message: span.status_message().to_owned(),
            flags: span.flags(),
            attributes: own(span.attributes()),
            event_attributes: own(span.event_attributes()),
            rest: span.rest().to_vec(),
            marks: span.marks(),
        }
    }

    fn push(&self, builder: &mut BatchBuilder) {
        let resource_attributes = borrow(&self.resource_attributes);
        let resource = builder.resource(&ResourceInput {
            service: &self.service,
            schema_url: &self.resource_schema_url,
            attributes: &resource_attributes,
            rest: &self.resource_rest,
        });
        let scope_attributes = borrow(&self.scope_attributes);
        let scope = builder.scope(&ScopeInput {
            name: &self.scope_name,
            version: &self.scope_version,
            schema_url: &self.scope_schema_url,
            attributes: &scope_attributes,
            rest: &self.scope_rest,
        });
        builder.push(&SpanInput {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent: self.parent,
            resource,
            scope,
            start_unix_ns: self.start_unix_ns,
            duration_ns: self.duration_ns,
            operation: &self.operation,
            kind: self.kind,
            status: self.status,
            status_message: &self.status_message,
            flags: self.flags,
            attributes: &borrow(&self.attributes),
            event_attributes: &borrow(&self.event_attributes),
            rest: &self.rest,
            marks: self.marks,
        });
    }
}

/// One batch of these spans.
pub fn batch(spans: &[SpanSpec]) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    spans.iter().for_each(|span| span.push(&mut builder));
    builder.finish_one()
}

/// A batch per shard that any of these spans belongs to.
pub fn batches(spans: &[SpanSpec], shards: u16) -> Vec<SpanBatch> {
    let mut builder = BatchBuilder::new(shards);
    spans.iter().for_each(|span| span.push(&mut builder));
    builder.finish()
}

/// The spans of a batch as plain values.
pub fn specs(batch: &SpanBatch) -> Vec<SpanSpec> {
    batch.spans().map(SpanSpec::of).collect()
}

/// The rows of a batch that `keep` says, as a batch.
pub fn filter(batch: &SpanBatch, mut keep: impl FnMut(SpanRef<'_>) -> bool) -> SpanBatch {
    let (mut builder, mut scratch) = (BatchBuilder::new(1), CopyScratch::default());
    for span in batch.spans().filter(|span| keep(*span)) {
        builder.copy(span, &mut scratch);
    }
    builder.finish_one()
}

/// A trace id by number; never zero.
pub fn trace_id(number: u64) -> TraceId {
    let mut id = [0xab; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    TraceId(id)
}

/// A span id by number; zero is none.
pub fn span_id(number: u64) -> SpanId {
    SpanId(number.to_be_bytes())
}

fn own<'a>(attributes: impl Iterator<Item = Attribute<'a>>) -> Attributes {
    let own =
        |attribute: Attribute<'_>| (attribute.key.to_owned(), OwnedValue::of(attribute.value));
    attributes.map(own).collect()
}

fn borrow(attributes: &Attributes) -> Vec<Attribute<'_>> {
    attributes
        .iter()
        .map(|(key, value)| Attribute::new(key, value.as_value()))
        .collect()
}
