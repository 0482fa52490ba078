//! The body of `POST /v1/spans` (docs/api.md): a JSON array of spans, to the builder.
//!
//! Each element is read from its own text, so that a bad span is refused by name and its neighbours
//! stay. A body that is no JSON, or no array, leaves the builder untouched. Unknown members are
//! ignored. Members that `GET /api/traces/{id}` answers with are taken in the same shape, so that an
//! answer's span can be sent back.
#![warn(clippy::indexing_slicing)]

mod quick;

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tracewell_model::builder::{ResourceHandle, ScopeHandle};
use tracewell_model::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use tracewell_model::row::NotUtf8;
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, Row, ScopeInput, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId, Value,
};

use crate::caps::{EVENT_ATTRIBUTES_MAX, Rewritten, cap_attribute, cap_attributes, cap_text};
use crate::decimal::{Inexact, parse_scaled};
use crate::elements::{Element, Elements};
use crate::json::{Attributes, Text, excerpt};
use crate::named::Named;
use crate::report::{DecodeError, Reason, Refused, Report};
use crate::rest::{Event, Link, RestWriter, event_attributes};

/// Decodes a body. On an error nothing was pushed.
pub fn decode(
    body: &[u8],
    builder: &mut BatchBuilder,
    report: &mut Report,
) -> Result<(), DecodeError> {
    let malformed = |error: &dyn std::fmt::Display| {
        let error = excerpt(&error.to_string());
        DecodeError::Malformed(format!("the body is no JSON array of spans: {error}"))
    };
    let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    if builder.is_empty() && quick::decode(text, builder, report).is_some() {
        return Ok(());
    }
    if !text.trim_start().starts_with('[') {
        return Err(malformed(&"it does not begin with '['"));
    }
    let elements: Elements<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let mut origins = Origins::default();
    for element in elements.iter() {
        let (outcome, json) = match element {
            Element::Other => {
                let refused = Refused::new(Reason::WrongType, "a span must be an object");
                (Err(refused), "")
            }
            Element::Object(object) => {
                let json = object.get();
                (decode_span(json, &mut origins, builder), json)
            }
        };
        report.note_named(outcome, || Named::of_json(json));
    }
    Ok(())
}

/// Handles of what most spans share: bodies name few services, and plain senders no scope.
#[derive(Default)]
struct Origins {
    /// Resources that are a service name and nothing else.
    services: HashMap<String, ResourceHandle>,
    no_scope: Option<ScopeHandle>,
}

impl Origins {
    /// The resource of a service about which nothing else is known.
    fn plain_resource(
        &mut self,
        service: &str,
        row: &mut Row<'_>,
    ) -> Result<ResourceHandle, NotUtf8> {
        if let Some(handle) = self.services.get(service) {
            return Ok(*handle);
        }
        let handle = row.resource(&ResourceInput {
            service,
            attributes: &[Attribute::new("service.name", Value::Str(service)).into()],
            ..ResourceInput::default()
        })?;
        self.services.insert(service.to_owned(), handle);
        Ok(handle)
    }

    fn no_scope(&mut self, row: &mut Row<'_>) -> Result<ScopeHandle, NotUtf8> {
        match self.no_scope {
            Some(handle) => Ok(handle),
            None => Ok(*self.no_scope.insert(row.scope(&ScopeInput::default())?)),
        }
    }
}

/// The members as they stand; each is read by the function that knows its reason for refusal.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    trace_id: Option<&'a RawValue>,
    span_id: Option<&'a RawValue>,
    parent_span_id: Option<&'a RawValue>,
    service_name: Option<&'a RawValue>,
    operation_name: Option<&'a RawValue>,
    start_time_unix_ns: Option<&'a RawValue>,
    duration_ms: Option<&'a RawValue>,
    duration_ns: Option<&'a RawValue>,
    status: Option<&'a RawValue>,
    status_message: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    flags: Option<&'a RawValue>,
    trace_state: Option<&'a RawValue>,
    tags: Option<&'a RawValue>,
    resource: Option<&'a RawValue>,
    scope: Option<&'a RawValue>,
    events: Option<&'a RawValue>,
    links: Option<&'a RawValue>,
    dropped_attributes_count: Option<&'a RawValue>,
    dropped_events_count: Option<&'a RawValue>,
    dropped_links_count: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct EventMembers<'a> {
    #[serde(default)]
    time_unix_ns: u64,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
    #[serde(default)]
    dropped_attributes_count: u32,
}

#[derive(Deserialize)]
struct LinkMembers<'a> {
    #[serde(borrow, default)]
    trace_id: Text<'a>,
    #[serde(borrow, default)]
    span_id: Text<'a>,
    #[serde(borrow, default)]
    trace_state: Text<'a>,
    #[serde(default)]
    flags: u32,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
    #[serde(default)]
    dropped_attributes_count: u32,
}

#[derive(Deserialize, Default)]
struct ScopeMembers<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
}

fn decode_span(
    json: &str,
    origins: &mut Origins,
    builder: &mut BatchBuilder,
) -> Result<(), Refused> {
    let members: Members<'_> = serde_json::from_str(json)
        .map_err(|error| Refused::new(Reason::Malformed, excerpt(&error.to_string())))?;
    let trace_id = members.trace_id()?;
    let span_id = members.span_id()?;
    let parent = members.parent()?;
    let service = name(members.service_name, "service_name", Reason::ServiceName)?;
    let operation = name(
        members.operation_name,
        "operation_name",
        Reason::OperationName,
    )?;
    let start_unix_ns = members.start()?;
    let duration_ns = members.duration(start_unix_ns)?;
    let status = members.status()?;
    let kind = members.kind()?;
    let status_message = text_or_empty(members.status_message, "status_message")?;
    let tags = attributes(members.tags, "tags")?;
    let resource = attributes(members.resource, "resource")?;
    let scope: ScopeMembers<'_> = optional(members.scope, "scope")?;
    shallow(&scope.attributes, "scope")?;
    let flags = number(members.flags, "flags")?;

    let room = Rewritten::default();
    let mut marks = Marks::default();
    let mut own: Vec<_> = tags.iter().collect();
    let capped = cap_attributes(&mut own, &room);
    marks.set(capped.marks);
    let over = tags.over.saturating_add(capped.dropped);
    if over > 0 {
        marks.set(Marks::ATTRIBUTES_CUT);
    }
    let mut rest = RestWriter::new();
    members.rest(over, &mut rest)?;
    let mut lifted = event_attributes(rest.as_bytes());
    let mut event_attributes: Vec<_> = lifted.by_ref().take(EVENT_ATTRIBUTES_MAX).collect();
    if lifted.next().is_some() {
        marks.set(Marks::EVENTS_CUT);
    }
    for attribute in &mut event_attributes {
        // Only the copy for search is cut; `rest` keeps the event whole.
        let _uncut_in_rest = cap_attribute(attribute, &room);
    }
    let service = cap_text(&service, KEY_BYTES_MAX, &mut marks);
    let known = origins.services.get(service);
    let resource = match known.filter(|_| resource.entries.is_empty()) {
        Some(handle) => *handle,
        None => {
            let handle = take_resource(service, &resource, &room, &mut marks, builder);
            if resource.entries.is_empty() {
                origins.services.insert(service.to_owned(), handle);
            }
            handle
        }
    };
    let scope = match members.scope {
        Some(_) => take_scope(&scope, &room, &mut marks, builder),
        None => *origins
            .no_scope
            .get_or_insert_with(|| builder.scope(&ScopeInput::default())),
    };
    builder.push(&SpanInput {
        trace_id,
        span_id,
        parent,
        resource,
        scope,
        start_unix_ns,
        duration_ns,
        operation: cap_text(&operation, VALUE_BYTES_MAX, &mut marks),
        kind,
        status,
        status_message: cap_text(&status_message, VALUE_BYTES_MAX, &mut marks),
        flags,
        attributes: &own,
        event_attributes: &event_attributes,
        rest: rest.as_bytes(),
        marks,
    });
    Ok(())
}

impl<'a> Members<'a> {
    fn trace_id(&self) -> Result<TraceId, Refused> {
        let reason = Reason::TraceId;
        let id = self
            .trace_id
            .and_then(text)
            .and_then(|hex| TraceId::from_hex(&hex));
        id.ok_or_else(|| {
            wrong(
                reason,
                "trace_id",
                self.trace_id,
                "1 to 32 hex digits, not all zero",
            )
        })
    }

    fn span_id(&self) -> Result<SpanId, Refused> {
        let id = self
            .span_id
            .and_then(text)
            .and_then(|hex| SpanId::from_hex(&hex));
        let accepted = "1 to 16 hex digits, not all zero";
        id.ok_or_else(|| wrong(Reason::SpanId, "span_id", self.span_id, accepted))
    }

    /// Null, absent, empty and all zero say "root".
    fn parent(&self) -> Result<Option<SpanId>, Refused> {
        let Some(raw) = self.parent_span_id else {
            return Ok(None);
        };
        match text(raw) {
            Some(hex) if hex.len() <= 16 && hex.bytes().all(|digit| digit == b'0') => Ok(None),
            Some(hex) if SpanId::from_hex(&hex).is_some() => Ok(SpanId::from_hex(&hex)),
            _ => Err(wrong(
                Reason::ParentSpanId,
                "parent_span_id",
                Some(raw),
                "null or 1 to 16 hex digits",
            )),
        }
    }

    /// Nanoseconds as an integer, also in a string, since JavaScript's numbers cannot hold them.
    fn start(&self) -> Result<u64, Refused> {
        let raw = self.start_time_unix_ns;
        let digits = raw.and_then(|raw| match text(raw) {
            Some(quoted) => parse_scaled(&quoted, 0, Inexact::Refuse),
            None => parse_scaled(raw.get(), 0, Inexact::Refuse),
        });
        digits.ok_or_else(|| {
            let accepted = "Unix nanoseconds, an integer from 0 to 2^64-1";
            wrong(Reason::StartTime, "start_time_unix_ns", raw, accepted)
        })
    }

    /// `duration_ns` where it is given, else `duration_ms`; its end must fit 64 bits too.
    fn duration(&self, start_unix_ns: u64) -> Result<u64, Refused> {
        let (raw, field, scale) = match self.duration_ns {
            Some(raw) => (Some(raw), "duration_ns", 0),
            None => (self.duration_ms, "duration_ms", 6),
        };
        raw.and_then(|raw| parse_scaled(raw.get(), scale, Inexact::Round))
            .filter(|duration| start_unix_ns.checked_add(*duration).is_some())
            .ok_or_else(|| {
                let accepted = "a number from 0 on, whose end is before 2^64 ns";
                wrong(Reason::Duration, field, raw, accepted)
            })
    }

    fn status(&self) -> Result<StatusCode, Refused> {
        let Some(raw) = self.status else {
            return Ok(StatusCode::Unset);
        };
        match text(raw).as_deref() {
            Some("ok") => Ok(StatusCode::Ok),
            Some("error") => Ok(StatusCode::Error),
            _ => Err(wrong(
                Reason::Status,
                "status",
                Some(raw),
                "\"ok\" or \"error\"",
            )),
        }
    }

    fn kind(&self) -> Result<SpanKind, Refused> {
        let Some(raw) = self.kind else {
            return Ok(SpanKind::Unspecified);
        };
        text(raw)
            .and_then(|name| SpanKind::from_name(&name))
            .ok_or_else(|| {
                let accepted = "unspecified, internal, server, client, producer or consumer";
                wrong(Reason::WrongType, "kind", Some(raw), accepted)
            })
    }

    fn rest(&self, attributes_over: u32, rest: &mut RestWriter) -> Result<(), Refused> {
        rest.trace_state(&text_or_empty(self.trace_state, "trace_state")?);
        each_object(self.events, "events", |event| put_event(&event, rest))?;
        each_object(self.links, "links", |link| put_link(&link, rest))?;
        let dropped = number(self.dropped_attributes_count, "dropped_attributes_count")?;
        rest.dropped_attributes_count(dropped.saturating_add(attributes_over));
        rest.dropped_events_count(number(self.dropped_events_count, "dropped_events_count")?);
        rest.dropped_links_count(number(self.dropped_links_count, "dropped_links_count")?);
        Ok(())
    }
}

fn put_event(event: &EventMembers<'_>, rest: &mut RestWriter) -> Result<(), Refused> {
    shallow(&event.attributes, "events")?;
    rest.event(&Event {
        time_unix_ns: event.time_unix_ns,
        name: &event.name.0,
        attributes: event.attributes.iter().collect(),
        dropped_attributes_count: event
            .dropped_attributes_count
            .saturating_add(event.attributes.over),
    });
    Ok(())
}

fn put_link(link: &LinkMembers<'_>, rest: &mut RestWriter) -> Result<(), Refused> {
    shallow(&link.attributes, "links")?;
    let ids = TraceId::from_hex(&link.trace_id.0).zip(SpanId::from_hex(&link.span_id.0));
    let (trace_id, span_id) = ids.ok_or_else(|| {
        let detail = "links: accepted are links with trace_id and span_id in hex";
        Refused::new(Reason::WrongType, detail)
    })?;
    rest.link(&Link {
        trace_id: &trace_id.0,
        span_id: &span_id.0,
        trace_state: &link.trace_state.0,
        flags: link.flags,
        attributes: link.attributes.iter().collect(),
        dropped_attributes_count: link
            .dropped_attributes_count
            .saturating_add(link.attributes.over),
    });
    Ok(())
}

/// Reads the objects of an array one after the other: none of them outlives its turn.
fn each_object<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    member: &'static str,
    mut visit: impl FnMut(T) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let elements: Elements<'_> = optional(raw, member)?;
    for element in elements.iter() {
        let Element::Object(object) = element else {
            return Err(wrong(Reason::WrongType, member, raw, "an array of objects"));
        };
        visit(read(object, member)?)?;
    }
    Ok(())
}

fn take_resource(
    service: &str,
    members: &Attributes<'_>,
    room: &Rewritten,
    marks: &mut Marks,
    builder: &mut BatchBuilder,
) -> ResourceHandle {
    // The span's own member is the service, whatever its resource says.
    let mut attributes = vec![Attribute::new("service.name", Value::Str(service))];
    attributes.extend(members.iter().filter(|member| member.key != "service.name"));
    let cut = cap_attributes(&mut attributes, room).marks;
    marks.set(Marks(cut.0 & !Marks::DUPLICATE_KEYS.0));
    builder.resource(&ResourceInput {
        service,
        attributes: &attributes,
        ..ResourceInput::default()
    })
}

fn take_scope(
    members: &ScopeMembers<'_>,
    room: &Rewritten,
    marks: &mut Marks,
    builder: &mut BatchBuilder,
) -> ScopeHandle {
    let mut attributes: Vec<_> = members.attributes.iter().collect();
    let cut = cap_attributes(&mut attributes, room).marks;
    marks.set(Marks(cut.0 & !Marks::DUPLICATE_KEYS.0));
    builder.scope(&ScopeInput {
        name: cap_text(&members.name.0, KEY_BYTES_MAX, marks),
        version: cap_text(&members.version.0, KEY_BYTES_MAX, marks),
        attributes: &attributes,
        ..ScopeInput::default()
    })
}

/// A name that may be neither absent nor empty.
fn name<'a>(
    raw: Option<&'a RawValue>,
    member: &'static str,
    reason: Reason,
) -> Result<Cow<'a, str>, Refused> {
    raw.and_then(text)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| wrong(reason, member, raw, "a string that is not empty"))
}

fn text_or_empty<'a>(
    raw: Option<&'a RawValue>,
    member: &'static str,
) -> Result<Cow<'a, str>, Refused> {
    raw.map_or(Ok(Cow::Borrowed("")), |raw| {
        text(raw).ok_or_else(|| wrong(Reason::WrongType, member, Some(raw), "a string"))
    })
}

fn number(raw: Option<&RawValue>, member: &'static str) -> Result<u32, Refused> {
    optional(raw, member)
}

fn attributes<'a>(
    raw: Option<&'a RawValue>,
    member: &'static str,
) -> Result<Attributes<'a>, Refused> {
    let attributes = optional(raw, member)?;
    shallow(&attributes, member)?;
    Ok(attributes)
}

fn shallow(attributes: &Attributes<'_>, member: &'static str) -> Result<(), Refused> {
    if attributes.too_deep() {
        let detail = format!("{member} has a value that is nested too deep");
        return Err(Refused::new(Reason::TooDeep, detail));
    }
    Ok(())
}

/// A member that may be absent and has no reason of its own.
fn optional<'a, T: Deserialize<'a> + Default>(
    raw: Option<&'a RawValue>,
    member: &'static str,
) -> Result<T, Refused> {
    raw.map_or_else(|| Ok(T::default()), |raw| read(raw, member))
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, member: &'static str) -> Result<T, Refused> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let reason = if error.is_data() {
            Reason::WrongType
        } else {
            Reason::Malformed
        };
        Refused::new(reason, format!("{member}: {}", excerpt(&error.to_string())))
    })
}

/// The text of a JSON string, borrowed unless it has escapes.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = raw.get();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(quoted).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn wrong(
    reason: Reason,
    member: &'static str,
    seen: Option<&RawValue>,
    accepted: &'static str,
) -> Refused {
    let seen = seen.map_or_else(|| "absent".into(), |raw| excerpt(raw.get()));
    Refused::new(
        reason,
        format!("{member} is {seen}; accepted is {accepted}"),
    )
}
