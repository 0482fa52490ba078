//! Builds batches from input: interns each distinct value once and splits spans by shard of trace id.
//! Decoders in `wire` push into it; sealing copies rows of other batches into it (`copy`). A builder is
//! there to be used again: what it hands out is copied to its exact size, its own room stays warm.

use crate::attribute::Attribute;
use crate::batch::SpanBatch;
use crate::id::{SpanId, TraceId};
use crate::row::{RowInput, TextHandle};
use crate::shard::{CHECKED, ShardBuilder};
use crate::span::{Marks, SpanKind, StatusCode};

/// Names a resource of this builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceHandle(pub(crate) Home);

/// Names a scope of this builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeHandle(pub(crate) Home);

/// Where a resource or scope was taken in. Other shards copy it from there when a span of theirs has
/// it: of the many that a gateway's body names, most are in few shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) shard: u16,
    /// The position there.
    pub(crate) at: u32,
}

/// A resource as a decoder found it.
#[derive(Clone, Copy, Debug)]
pub struct ResourceInput<'a, A = Attribute<'a>> {
    /// The service (D5 says where each format has it).
    pub service: &'a str,
    /// OTLP's schema URL.
    pub schema_url: &'a str,
    /// All attributes, `service.name` included, in their order.
    pub attributes: &'a [A],
    /// Fields of the OTLP message that are not modelled.
    pub rest: &'a [u8],
}

/// A scope as a decoder found it.
#[derive(Clone, Copy, Debug)]
pub struct ScopeInput<'a, A = Attribute<'a>> {
    /// The library's name.
    pub name: &'a str,
    /// The library's version.
    pub version: &'a str,
    /// OTLP's schema URL of the scope's spans.
    pub schema_url: &'a str,
    /// Its attributes.
    pub attributes: &'a [A],
    /// Fields of the OTLP message that are not modelled.
    pub rest: &'a [u8],
}

impl<A> Default for ResourceInput<'_, A> {
    fn default() -> Self {
        ResourceInput {
            service: "",
            schema_url: "",
            attributes: &[],
            rest: &[],
        }
    }
}

impl<A> Default for ScopeInput<'_, A> {
    fn default() -> Self {
        ScopeInput {
            name: "",
            version: "",
            schema_url: "",
            attributes: &[],
            rest: &[],
        }
    }
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

    /// Spans pushed since it was last finished.
    pub fn len(&self) -> usize {
        self.spans
    }

    /// True when nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.spans == 0
    }

    /// Takes a resource in; equal ones get equal handles.
    pub fn resource(&mut self, input: &ResourceInput<'_>) -> ResourceHandle {
        let at = self.shards[0].resource(input).expect(CHECKED);
        ResourceHandle(Home { shard: 0, at })
    }

    /// Takes a scope in; equal ones get equal handles.
    pub fn scope(&mut self, input: &ScopeInput<'_>) -> ScopeHandle {
        let at = self.shards[0].scope(input).expect(CHECKED);
        ScopeHandle(Home { shard: 0, at })
    }

    /// The positions of a span's resource and scope in its shard.
    #[inline]
    pub(crate) fn origin(
        &mut self,
        shard: usize,
        resource: ResourceHandle,
        scope: ScopeHandle,
    ) -> (u32, u32) {
        let (resource, scope) = (resource.0, scope.0);
        let known = self.shards[shard].known_origin(resource, scope);
        known.unwrap_or_else(|| self.copy_origin(shard, resource, scope))
    }

    #[inline(never)]
    fn copy_origin(&mut self, shard: usize, resource: Home, scope: Home) -> (u32, u32) {
        let from = |home: Home| usize::from(home.shard);
        let resource = match self.shards.get_disjoint_mut([shard, from(resource)]) {
            Ok([to, from]) => to.copy_resource_of(from, resource),
            Err(_here) => resource.at,
        };
        let scope = match self.shards.get_disjoint_mut([shard, from(scope)]) {
            Ok([to, from]) => to.copy_scope_of(from, scope),
            Err(_here) => scope.at,
        };
        (resource, scope)
    }

    /// Takes a span in.
    pub fn push(&mut self, span: &SpanInput<'_>) {
        let at = span.trace_id.shard(self.shards.len() as u16) as usize;
        let shard = &mut self.shards[at];
        let row = RowInput {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent: span.parent,
            resource: span.resource,
            scope: span.scope,
            start_unix_ns: span.start_unix_ns,
            duration_ns: span.duration_ns,
            operation: TextHandle(shard.text(span.operation)),
            kind: span.kind,
            status: span.status,
            status_message: TextHandle(shard.text(span.status_message)),
            flags: span.flags,
            rest: span.rest,
            marks: span.marks,
        };
        let mut words = |list: &[Attribute<'_>]| shard.words(list.iter().copied());
        let own = words(span.attributes).expect(CHECKED);
        let event = words(span.event_attributes).expect(CHECKED);
        let origin = self.origin(at, span.resource, span.scope);
        self.shards[at].push(&row, origin, own.shape, event.shape);
        self.spans += 1;
    }

    /// The batches, one for each shard that got a span. The builder is empty again, handles that it
    /// gave are void, and its room is kept.
    pub fn finish(&mut self) -> Vec<SpanBatch> {
        self.spans = 0;
        let batches = self.shards.iter_mut().map(ShardBuilder::finish);
        batches.filter(|batch| !batch.is_empty()).collect()
    }

    /// The one batch of a builder with one shard, even an empty one.
    pub fn finish_one(&mut self) -> SpanBatch {
        debug_assert_eq!(self.shards.len(), 1);
        self.spans = 0;
        self.shards[0].finish()
    }
}
