//! Batches to an OTLP `ExportTraceServiceRequest` in protobuf (`TracesData` has the same bytes),
//! grouped by resource and scope. The unmodelled part of each span is appended as it lies.
//! Marks are not part of OTLP: they go along in a field of our own, which others skip; an end before
//! its start comes back from `rest`.

use hashbrown::HashMap;
use tracewell_model::span::{ResourceRef, ScopeRef};
use tracewell_model::{Marks, SpanBatch, SpanRef, StatusCode};

use crate::proto::{
    put_bytes_field, put_fixed32_field, put_fixed64_field, put_message_field, put_varint_field,
};
use crate::rest::{put_attributes, put_text};

/// The field of `Span` in which marks travel between us: far from any that OTLP will use.
pub(crate) const MARKS_FIELD: u32 = 29_783;

/// The marks of a span that decoding would not set by itself; none when it would set all.
pub(crate) fn marks_to_carry(span: SpanRef<'_>) -> Option<u16> {
    const SEEN_AGAIN: u16 =
        Marks::NO_START_TIME.0 | Marks::END_BEFORE_START.0 | Marks::DUPLICATE_KEYS.0;
    let marks = span.marks();
    let unmarked = span.start_unix_ns() == 0 && !marks.has(Marks::NO_START_TIME);
    (unmarked || marks.0 & !SEEN_AGAIN != 0).then_some(marks.0)
}

/// Encodes spans, of one batch or of many, in the order of their groups' first spans.
pub fn encode<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>) -> Vec<u8> {
    let mut groups = Groups::<Vec<u8>>::default();
    for span in spans {
        let scope_spans = groups.of(span);
        put_message_field(scope_spans, 2, |out| put_span(out, span));
    }
    let mut request = Vec::new();
    for resource in groups.resources {
        put_message_field(&mut request, 1, |out| {
            put_bytes_field(out, 1, &resource.message);
            for scope in resource.scopes {
                put_message_field(out, 2, |out| {
                    put_bytes_field(out, 1, &scope.message);
                    out.extend_from_slice(&scope.spans);
                    put_text(out, 3, scope.first.schema_url());
                });
            }
            put_text(out, 3, resource.first.schema_url());
        });
    }
    request
}

/// Encodes requests out of one batch; what its spans share is encoded once.
#[derive(Debug)]
pub struct BatchEncoder {
    /// The `resource` field of each resource and the `scope` field of each scope, when first asked for.
    resources: Vec<Vec<u8>>,
    scopes: Vec<Vec<u8>>,
}

impl BatchEncoder {
    /// An encoder of this batch's spans.
    pub fn new(batch: &SpanBatch) -> BatchEncoder {
        let columns = batch.columns();
        BatchEncoder {
            resources: vec![Vec::new(); columns.resources.len()],
            scopes: vec![Vec::new(); columns.scopes.len()],
        }
    }

    /// What a span shares with others. Sorted by it, they make the smallest request.
    pub fn group_of(span: &SpanRef<'_>) -> (u32, u32) {
        (span.resource().position(), span.scope().position())
    }

    /// A request of these spans, in their order.
    pub fn encode(&mut self, spans: &[SpanRef<'_>]) -> Vec<u8> {
        let mut request = Vec::new();
        let of_resource = |span: &SpanRef<'_>| span.resource().position();
        for spans in spans.chunk_by(|a, b| of_resource(a) == of_resource(b)) {
            put_message_field(&mut request, 1, |out| self.put_resource(out, spans));
        }
        request
    }

    /// Appends the `ResourceSpans` of spans of one resource.
    fn put_resource(&mut self, out: &mut Vec<u8>, spans: &[SpanRef<'_>]) {
        let Some(resource) = spans.first().map(|span| span.resource()) else {
            return;
        };
        let field = &mut self.resources[resource.position() as usize];
        if field.is_empty() {
            put_bytes_field(field, 1, &resource_message(resource));
        }
        out.extend_from_slice(field);
        let of_scope = |span: &SpanRef<'_>| span.scope().position();
        for spans in spans.chunk_by(|a, b| of_scope(a) == of_scope(b)) {
            put_message_field(out, 2, |out| self.put_scope(out, spans));
        }
        put_text(out, 3, resource.schema_url());
    }

    /// Appends the `ScopeSpans` of spans of one scope.
    fn put_scope(&mut self, out: &mut Vec<u8>, spans: &[SpanRef<'_>]) {
        let Some(scope) = spans.first().map(|span| span.scope()) else {
            return;
        };
        let field = &mut self.scopes[scope.position() as usize];
        if field.is_empty() {
            put_bytes_field(field, 1, &scope_message(scope));
        }
        out.extend_from_slice(field);
        for &span in spans {
            put_message_field(out, 2, |out| put_span(out, span));
        }
        put_text(out, 3, scope.schema_url());
    }
}

/// A batch, and a resource and a scope of it.
type Key = (*const SpanBatch, u32, u32);
/// The resource's group, and the scope's group in it.
type At = (usize, usize);

/// Spans gathered by resource, then scope; equal ones of different batches meet.
#[derive(Debug)]
pub(crate) struct Groups<'a, T> {
    pub(crate) resources: Vec<ResourceGroup<'a, T>>,
    /// Where the groups of a batch's positions are: no look at contents but for the first span.
    known: HashMap<Key, At>,
    by_message: HashMap<(Vec<u8>, &'a str), usize>,
    last: Option<(Key, At)>,
}

/// The spans of one resource.
#[derive(Debug)]
pub(crate) struct ResourceGroup<'a, T> {
    pub(crate) first: ResourceRef<'a>,
    pub(crate) message: Vec<u8>,
    pub(crate) scopes: Vec<ScopeGroup<'a, T>>,
    by_message: HashMap<(Vec<u8>, &'a str), usize>,
}

/// The spans of one scope.
#[derive(Debug)]
pub(crate) struct ScopeGroup<'a, T> {
    pub(crate) first: ScopeRef<'a>,
    pub(crate) message: Vec<u8>,
    pub(crate) spans: T,
}

impl<T> Default for Groups<'_, T> {
    fn default() -> Self {
        Groups {
            resources: Vec::new(),
            known: HashMap::new(),
            by_message: HashMap::new(),
            last: None,
        }
    }
}

impl<'a, T: Default> Groups<'a, T> {
    /// Where this span belongs.
    pub(crate) fn of(&mut self, span: SpanRef<'a>) -> &mut T {
        let (resource, scope) = (span.resource(), span.scope());
        // Batches are borrowed for 'a, so their addresses stay theirs meanwhile.
        let key = (
            std::ptr::from_ref(span.batch),
            resource.position(),
            scope.position(),
        );
        let (at_resource, at_scope) = match self.last {
            // Spans come in runs of one group: most need no look into the table.
            Some((last, at)) if last == key => at,
            _ => match self.known.get(&key) {
                Some(&at) => at,
                None => {
                    let at = self.find(resource, scope);
                    self.known.insert(key, at);
                    at
                }
            },
        };
        self.last = Some((key, (at_resource, at_scope)));
        &mut self.resources[at_resource].scopes[at_scope].spans
    }

    fn find(&mut self, resource: ResourceRef<'a>, scope: ScopeRef<'a>) -> (usize, usize) {
        let message = resource_message(resource);
        let key = (message, resource.schema_url());
        let at_resource = match self.by_message.get(&key) {
            Some(&at) => at,
            None => {
                self.resources.push(ResourceGroup {
                    first: resource,
                    message: key.0.clone(),
                    scopes: Vec::new(),
                    by_message: HashMap::new(),
                });
                self.by_message.insert(key, self.resources.len() - 1);
                self.resources.len() - 1
            }
        };
        let group = &mut self.resources[at_resource];
        let key = (scope_message(scope), scope.schema_url());
        let at_scope = match group.by_message.get(&key) {
            Some(&at) => at,
            None => {
                group.scopes.push(ScopeGroup {
                    first: scope,
                    message: key.0.clone(),
                    spans: T::default(),
                });
                group.by_message.insert(key, group.scopes.len() - 1);
                group.scopes.len() - 1
            }
        };
        (at_resource, at_scope)
    }
}

fn resource_message(resource: ResourceRef<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_attributes(&mut out, 1, resource.attributes());
    out.extend_from_slice(resource.rest());
    out
}

fn scope_message(scope: ScopeRef<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, 1, scope.name());
    put_text(&mut out, 2, scope.version());
    put_attributes(&mut out, 3, scope.attributes());
    out.extend_from_slice(scope.rest());
    out
}

/// Appends the `Span` message of a span, without a tag of its own.
pub(crate) fn put_span(out: &mut Vec<u8>, span: SpanRef<'_>) {
    put_bytes_field(out, 1, &span.trace_id().0);
    put_bytes_field(out, 2, &span.span_id().0);
    if let Some(parent) = span.parent() {
        put_bytes_field(out, 4, &parent.0);
    }
    put_text(out, 5, span.operation());
    if span.kind() as u8 != 0 {
        put_varint_field(out, 6, span.kind() as u64);
    }
    put_fixed64_field(out, 7, span.start_unix_ns());
    if !span.marks().has(Marks::END_BEFORE_START) {
        put_fixed64_field(out, 8, span.end_unix_ns());
    }
    put_attributes(out, 9, span.attributes());
    if span.status() != StatusCode::Unset || !span.status_message().is_empty() {
        put_message_field(out, 15, |out| {
            put_text(out, 2, span.status_message());
            if span.status() != StatusCode::Unset {
                put_varint_field(out, 3, span.status() as u64);
            }
        });
    }
    if span.flags() != 0 {
        put_fixed32_field(out, 16, span.flags());
    }
    if let Some(marks) = marks_to_carry(span) {
        put_varint_field(out, MARKS_FIELD, u64::from(marks));
    }
    // Last, since protobuf's last value counts: an unknown kind or status overrides the model's.
    out.extend_from_slice(span.rest());
}
