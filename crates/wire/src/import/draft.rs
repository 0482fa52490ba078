//! A span while one of the decoders here reads it: every format fills a `Draft` in, and the draft
//! alone applies the caps (D6), writes `rest` and pushes into the builder.

use std::borrow::Cow;
use std::collections::HashMap;

use tracewell_model::builder::{ResourceHandle, ScopeHandle};
use tracewell_model::limits::{ATTRIBUTES_PER_SPAN_MAX, VALUE_BYTES_MAX};
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId,
};

use crate::caps::{self, Capped, EVENT_ATTRIBUTES_MAX, Rewritten};
use crate::json::Held;
use crate::otlp::UNKNOWN_SERVICE;
use crate::report::{Reason, Refused};
use crate::rest::{Event, Link, RestWriter};

/// What reading one span comes to.
pub(crate) type Parsed<T> = Result<T, Refused>;

/// Attributes while they are read. Beyond the cap they are only counted, so that a body of millions
/// of them takes no room; `caps` cuts keys and values when the span is handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags<'a> {
    list: Vec<(Cow<'a, str>, Held<'a>)>,
    dropped: u32,
}

impl<'a> Tags<'a> {
    pub(crate) fn push(&mut self, key: impl Into<Cow<'a, str>>, value: Held<'a>) {
        if self.list.len() < ATTRIBUTES_PER_SPAN_MAX {
            self.list.push((key.into(), value));
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub(crate) fn text(&mut self, key: &'static str, text: impl Into<Cow<'a, str>>) {
        self.push(key, Held::Str(text.into()));
    }

    /// The first value under this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Held<'a>> {
        self.list.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    fn attributes(&self) -> Vec<Attribute<'_>> {
        let attributes = self.list.iter();
        attributes
            .map(|(key, value)| Attribute::new(key, value.as_value()))
            .collect()
    }

    fn capped<'b>(&'b self, room: &'b Rewritten) -> (Vec<Attribute<'b>>, Capped) {
        let mut attributes = self.attributes();
        let mut capped = caps::cap_attributes(&mut attributes, room);
        if self.dropped > 0 {
            capped.marks.set(Marks::ATTRIBUTES_CUT);
            capped.dropped = capped.dropped.saturating_add(self.dropped);
        }
        (attributes, capped)
    }
}

/// Where a span came from. Equal keys mean equal sources, so that a service is taken in once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) service: Option<Cow<'a, str>>,
    pub(crate) attributes: Tags<'a>,
}

/// The sources and the last scope that a builder has seen: taking one in costs something per shard.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    handles: HashMap<String, ResourceHandle>,
    scope: Option<(String, String, ScopeHandle)>,
}

impl Sources {
    fn handle(&mut self, source: &Source<'_>, builder: &mut BatchBuilder) -> ResourceHandle {
        if let Some(handle) = self.handles.get(source.key.as_ref()) {
            return *handle;
        }
        let service = source.service.as_deref().filter(|name| !name.is_empty());
        let room = Rewritten::default();
        let (attributes, _) = source.attributes.capped(&room);
        let handle = builder.resource(&ResourceInput {
            service: cap_text(service.unwrap_or(UNKNOWN_SERVICE)),
            attributes: &attributes,
            ..ResourceInput::default()
        });
        self.handles.insert(source.key.clone().into_owned(), handle);
        handle
    }

    fn scope(&mut self, (name, version): (&str, &str), builder: &mut BatchBuilder) -> ScopeHandle {
        match &self.scope {
            Some((n, v, handle)) if n == name && v == version => *handle,
            _ => {
                let handle = builder.scope(&ScopeInput {
                    name: cap_text(name),
                    version: cap_text(version),
                    ..ScopeInput::default()
                });
                self.scope = Some((name.to_owned(), version.to_owned(), handle));
                handle
            }
        }
    }

    /// Forgets all: the builder was exchanged.
    pub(crate) fn clear(&mut self) {
        *self = Sources::default();
    }
}

/// A span while it is read.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) start_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) operation: Cow<'a, str>,
    pub(crate) kind: SpanKind,
    pub(crate) status: StatusCode,
    pub(crate) status_message: Cow<'a, str>,
    pub(crate) flags: u32,
    pub(crate) scope: (Cow<'a, str>, Cow<'a, str>),
    pub(crate) attributes: Tags<'a>,
    pub(crate) marks: Marks,
    event_attributes: Vec<(Cow<'a, str>, Held<'a>)>,
    dropped: u32,
    rest: RestWriter,
}

impl<'a> Draft<'a> {
    /// Adds an event. It is kept whole; a copy of its attributes is lifted so that searches find them.
    pub(crate) fn event(&mut self, time_unix_ns: u64, name: &str, tags: Tags<'a>, dropped: u32) {
        self.rest.event(&Event {
            time_unix_ns,
            name,
            attributes: tags.attributes(),
            dropped_attributes_count: dropped.saturating_add(tags.dropped),
        });
        let room_left = EVENT_ATTRIBUTES_MAX - self.event_attributes.len();
        if tags.dropped > 0 || tags.list.len() > room_left {
            self.marks.set(Marks::EVENTS_CUT);
        }
        self.event_attributes
            .extend(tags.list.into_iter().take(room_left));
    }

    /// Adds a link.
    pub(crate) fn link(
        &mut self,
        (trace_id, span_id): (TraceId, SpanId),
        trace_state: &str,
        tags: &Tags<'_>,
    ) {
        self.rest.link(&Link {
            trace_id: &trace_id.0,
            span_id: &span_id.0,
            trace_state,
            attributes: tags.attributes(),
            dropped_attributes_count: tags.dropped,
            flags: 0,
        });
        if tags.dropped > 0 {
            self.marks.set(Marks::EVENTS_CUT);
        }
    }

    /// W3C `tracestate`.
    pub(crate) fn trace_state(&mut self, text: &str) {
        self.rest.trace_state(text);
    }

    /// What the source itself dropped: attributes, events, links.
    pub(crate) fn dropped(&mut self, [attributes, events, links]: [u32; 3]) {
        self.dropped = attributes;
        self.rest.dropped_events_count(events);
        self.rest.dropped_links_count(links);
    }

    /// Ends the span at this time, or at its start if that is later.
    pub(crate) fn end_at(&mut self, end_unix_ns: u64) {
        match end_unix_ns.checked_sub(self.start_unix_ns) {
            Some(duration_ns) => self.duration_ns = duration_ns,
            None => {
                self.marks.set(Marks::END_BEFORE_START);
                self.rest.end_unix_ns(end_unix_ns);
            }
        }
    }

    /// Refuses a span that would end after the last nanosecond 64 bits can name: its trace could
    /// not be as long as the span.
    pub(crate) fn check_end(&self) -> Parsed<()> {
        if self.start_unix_ns.checked_add(self.duration_ns).is_some() {
            return Ok(());
        }
        let detail = "the span's end is not before 2^64 ns";
        Err(Refused::new(Reason::Duration, detail))
    }

    /// Hands the span over.
    pub(crate) fn push(
        mut self,
        source: &Source<'_>,
        sources: &mut Sources,
        builder: &mut BatchBuilder,
    ) {
        let room = Rewritten::default();
        let (attributes, capped) = self.attributes.capped(&room);
        let lifted = self.event_attributes.iter().map(|(key, value)| {
            let mut attribute = Attribute::new(key, value.as_value());
            // Only the copy for search is cut, so there is no mark.
            let _uncut_in_rest = caps::cap_attribute(&mut attribute, &room);
            attribute
        });
        let lifted: Vec<_> = lifted.collect();
        self.marks.set(capped.marks);
        let operation = caps::cap_text(&self.operation, VALUE_BYTES_MAX, &mut self.marks);
        let message = caps::cap_text(&self.status_message, VALUE_BYTES_MAX, &mut self.marks);
        self.rest
            .dropped_attributes_count(self.dropped.saturating_add(capped.dropped));
        let resource = sources.handle(source, builder);
        let scope = sources.scope((&self.scope.0, &self.scope.1), builder);
        builder.push(&SpanInput {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent: self.parent,
            resource,
            scope,
            start_unix_ns: self.start_unix_ns,
            duration_ns: self.duration_ns,
            operation,
            kind: self.kind,
            status: self.status,
            status_message: message,
            flags: self.flags,
            attributes: &attributes,
            event_attributes: &lifted,
            rest: self.rest.as_bytes(),
            marks: self.marks,
        });
    }
}

/// A name of a resource or scope under the cap; its spans are too many to mark each.
fn cap_text(text: &str) -> &str {
    caps::cap_text(text, VALUE_BYTES_MAX, &mut Marks::default())
}
