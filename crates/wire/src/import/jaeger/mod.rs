//! Jaeger's JSON (D5's Jaeger row): the UI's and API's `{"data": [trace, …]}`, one trace, a list of
//! traces, and the documents that Jaeger keeps in Elasticsearch (one span each, with `process`).
//!
//! | Jaeger | becomes |
//! |---|---|
//! | `processes[processID]`, or `process` in the span | service, resource attributes |
//! | tag `error`: true or "true" | status error, `otel.status_description` its message |
//! | first `CHILD_OF` of the same trace, else first `FOLLOWS_FROM`, else `parentSpanID` | parent |
//! | every other reference | link with the attribute `opentracing.ref_type` |
//! | an id that is no hex | its xxh3 hash, mark `id_hashed`; original in `jaeger.trace_id`, `jaeger.span_id`, `jaeger.parent_span_id` |
//! | `logs` | events named by their field `event` or `message`, else `log` |
//! | `warnings` of a span | attribute `jaeger.warnings` |
//! | `flags` | the sampled bit; other bits are kept as attribute `jaeger.flags` |
//!
//! A reference may hold a copy of the span it names: the copy is not read.

mod ids;
mod tags;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use tracewell_model::{Marks, SpanKind, StatusCode, Value};

use self::ids::Ids;
use self::tags::{Blobs, push_fields, push_tags, tags};
use super::draft::{Draft, Parsed, Source, Tags};
use super::intake::Intake;
use super::raw;
use crate::json::Held;
use crate::report::{Reason, Refused};

/// Reads one document: an API answer, a trace, or a span. Lists of them are walked by the caller.
pub(super) fn document(json: &RawValue, intake: &mut Intake<'_>) {
    let (mut data, mut trace) = (None, Trace::default());
    let readable = raw::each_member(json, |name, value| {
        match name.as_ref() {
            "data" => data = Some(value),
            "traceID" => trace.id = Some(value),
            "spans" => trace.spans = Some(value),
            "processes" => trace.processes = Some(value),
            _ => {}
        }
        Ok(())
    });
    match (data, trace.spans) {
        (_, Some(spans)) if readable.is_ok() => trace.read(spans, intake),
        // An answer holds traces, never answers: this recursion is one deep.
        (Some(data), None) if readable.is_ok() => each(data, |json| match has_data(json) {
            false => document(json, intake),
            true => intake.refuse(json.get().len(), no_span(json)),
        }),
        _ => intake.take(json.get().len(), span(json, None, &Processes::new())),
    }
}

/// Shows every item; the closure refuses in its own ways, so the walk itself never fails.
fn each<'a>(list: &'a RawValue, mut see: impl FnMut(&'a RawValue)) {
    let walked = raw::each_item(list, |item| {
        see(item);
        Ok(())
    });
    debug_assert!(walked.is_ok());
}

fn has_data(json: &RawValue) -> bool {
    let mut found = false;
    let walked = raw::each_member(json, |name, _| {
        found |= name == "data";
        Ok(())
    });
    found || walked.is_err()
}

fn no_span(json: &RawValue) -> Refused {
    let seen = raw::excerpt(json);
    let detail = format!("{seen}, where a Jaeger trace or span is accepted");
    Refused::new(Reason::WrongType, detail)
}

/// The processes of a trace by their ids. Spans borrow them: one may be large and have many spans.
type Processes<'a> = HashMap<Cow<'a, str>, Parsed<Source<'a>>>;

#[derive(Default)]
struct Trace<'a> {
    id: Option<&'a RawValue>,
    spans: Option<&'a RawValue>,
    processes: Option<&'a RawValue>,
}

impl<'a> Trace<'a> {
    fn read(&self, spans: &'a RawValue, intake: &mut Intake<'_>) {
        let mut processes = Processes::new();
        if let Some(json) = self.processes {
            // Processes after an unreadable key are missing, and their spans say so.
            let _partly = raw::each_member(json, |id, process| {
                // Its place in the file is a key as short as can be.
                let key = format!("{:p}", process.get().as_ptr());
                processes.insert(id, source(process, Blobs::Base64, key.into()));
                Ok(())
            });
        }
        each(spans, |json| {
            intake.take(json.get().len(), span(json, self.id, &processes))
        });
    }
}

fn source<'a>(process: &'a RawValue, blobs: Blobs, key: Cow<'a, str>) -> Parsed<Source<'a>> {
    if !raw::is_object(process) {
        let detail = format!(
            "process is {}, where an object is accepted",
            raw::excerpt(process)
        );
        return Err(Refused::new(Reason::ServiceName, detail));
    }
    let mut source = Source {
        key,
        ..Source::default()
    };
    raw::each_member(process, |name, value| {
        match name.as_ref() {
            "serviceName" => {
                source.service = raw::text(value);
                if let Some(service) = source.service.clone() {
                    source.attributes.text("service.name", service);
                }
            }
            "tags" => push_tags(value, blobs, &mut source.attributes)?,
            "tag" => push_fields(value, &mut source.attributes)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(source)
}

/// The members of a span, found before they are read: some decide how others are.
#[derive(Default)]
struct Members<'a> {
    ids: Ids<'a>,
    operation: Option<&'a RawValue>,
    start: Option<&'a RawValue>,
    duration: Option<&'a RawValue>,
    flags: Option<&'a RawValue>,
    tags: Option<&'a RawValue>,
    tag_fields: Option<&'a RawValue>,
    logs: Option<&'a RawValue>,
    warnings: Option<&'a RawValue>,
    process_id: Option<&'a RawValue>,
    process: Option<&'a RawValue>,
}

fn members(json: &RawValue) -> Parsed<Members<'_>> {
    if !raw::is_object(json) {
        return Err(no_span(json));
    }
    let mut found = Members::default();
    raw::each_member(json, |name, value| {
        if raw::is_null(value) {
            return Ok(());
        }
        match name.as_ref() {
            "traceID" => found.ids.trace_id = Some(value),
            "spanID" => found.ids.span_id = Some(value),
            "parentSpanID" => found.ids.parent_id = Some(value),
            "references" => found.ids.references = Some(value),
            "operationName" => found.operation = Some(value),
            "startTime" => found.start = Some(value),
            "duration" => found.duration = Some(value),
            "flags" => found.flags = Some(value),
            "tags" => found.tags = Some(value),
            "tag" => found.tag_fields = Some(value),
            "logs" => found.logs = Some(value),
            "warnings" => found.warnings = Some(value),
            "processID" => found.process_id = Some(value),
            "process" => found.process = Some(value),
            _ => {} // what the UI computes, and later versions' members
        }
        Ok(())
    })?;
    Ok(found)
}

fn span<'a, 'p>(
    json: &'a RawValue,
    trace_id: Option<&'a RawValue>,
    processes: &'p Processes<'a>,
) -> Parsed<(Draft<'a>, Cow<'p, Source<'a>>)> {
    let mut found = members(json)?;
    let mut draft = Draft::default();
    found.ids.enclosing = trace_id;
    found.ids.apply(&mut draft)?;
    times(&found, &mut draft)?;
    if let Some(json) = found.operation {
        let wrong = || wrong_type("operationName", json, "a text");
        draft.operation = raw::text(json).ok_or_else(wrong)?;
    }
    // Only Elasticsearch documents have a process but no processID.
    let blobs = match (found.process, found.process_id) {
        (Some(_), None) => Blobs::Hex,
        _ => Blobs::Base64,
    };
    if let Some(json) = found.tags {
        push_tags(json, blobs, &mut draft.attributes)?;
    }
    if let Some(json) = found.tag_fields {
        push_fields(json, &mut draft.attributes)?;
    }
    interpret_tags(&mut draft);
    if let Some(json) = found.logs {
        logs(json, blobs, &mut draft)?;
    }
    if let Some(json) = found.warnings.filter(|json| json.get() != "[]") {
        draft.attributes.push("jaeger.warnings", raw::held(json)?);
    }
    flags(&found, &mut draft);
    let source = source_of(&found, processes, blobs)?;
    Ok((draft, source))
}

fn wrong_type(name: &str, json: &RawValue, accepted: &str) -> Refused {
    let seen = raw::excerpt(json);
    Refused::new(
        Reason::WrongType,
        format!("{name} is {seen}, where {accepted} is accepted"),
    )
}

fn source_of<'a, 'p>(
    found: &Members<'a>,
    processes: &'p Processes<'a>,
    blobs: Blobs,
) -> Parsed<Cow<'p, Source<'a>>> {
    let listed = found
        .process_id
        .and_then(raw::text)
        .and_then(|id| processes.get(&id));
    match (listed, found.process) {
        (Some(Ok(source)), _) => Ok(Cow::Borrowed(source)),
        (Some(Err(refused)), _) => Err(Refused::new(refused.reason, refused.detail.clone())),
        (None, Some(process)) => {
            let key = Cow::Borrowed(process.get());
            source(process, blobs, key).map(Cow::Owned)
        }
        (None, None) => Ok(Cow::Owned(Source::default())),
    }
}

fn times(found: &Members<'_>, draft: &mut Draft<'_>) -> Parsed<()> {
    let accepted = "microseconds from 0 on are accepted";
    draft.start_unix_ns = match found.start.map(|json| (json, raw::micros_as_ns(json))) {
        Some((_, Some(ns))) => ns,
        Some((json, None)) => {
            let detail = format!("startTime is {}, where {accepted}", raw::excerpt(json));
            return Err(Refused::new(Reason::StartTime, detail));
        }
        None => {
            let detail = format!("startTime is absent, where {accepted}");
            return Err(Refused::new(Reason::StartTime, detail));
        }
    };
    if draft.start_unix_ns == 0 {
        draft.marks.set(Marks::NO_START_TIME);
    }
    if let Some(json) = found.duration {
        draft.duration_ns = raw::micros_as_ns(json).ok_or_else(|| {
            let detail = format!("duration is {}, where {accepted}", raw::excerpt(json));
            Refused::new(Reason::Duration, detail)
        })?;
    }
    draft.check_end()
}

/// What some tags say of the span; the tags themselves stay as they are.
fn interpret_tags(draft: &mut Draft<'_>) {
    let text = |key| match draft.attributes.get(key)?.as_value() {
        Value::Str(text) => Some(text.to_owned()),
        _ => None,
    };
    let kind = text("span.kind").and_then(|name| SpanKind::from_name(&name));
    let message = text("otel.status_description");
    let is_error = match draft.attributes.get("error").map(Held::as_value) {
        Some(Value::Bool(error)) => error,
        Some(Value::Str(error)) => error == "true",
        _ => false,
    };
    draft.kind = kind.unwrap_or_default();
    if is_error {
        draft.status = StatusCode::Error;
        draft.status_message = Cow::Owned(message.unwrap_or_default());
    }
}

/// Jaeger's bit 1 is W3C's "sampled"; its others (debug, firehose) mean something else there.
fn flags(found: &Members<'_>, draft: &mut Draft<'_>) {
    let flags = found.flags.and_then(raw::integer).unwrap_or_default();
    draft.flags = u32::from(flags & 1 == 1);
    if flags & !1 != 0 {
        draft.attributes.push("jaeger.flags", Held::Int(flags));
    }
}

fn logs<'a>(list: &'a RawValue, blobs: Blobs, draft: &mut Draft<'a>) -> Parsed<()> {
    raw::each_item(list, |log| {
        let (mut time_unix_ns, mut fields) = (0, Tags::default());
        raw::each_member(log, |name, json| {
            match name.as_ref() {
                "timestamp" => {
                    let wrong = || wrong_type("log timestamp", json, "a number of microseconds");
                    time_unix_ns = raw::micros_as_ns(json).ok_or_else(wrong)?;
                }
                "fields" => fields = tags(json, blobs)?,
                _ => {}
            }
            Ok(())
        })?;
        let named = fields.get("event").or_else(|| fields.get("message"));
        let name = named.map_or_else(|| "log".to_owned(), |name| name.as_value().text().into());
        draft.event(time_unix_ns, &name, fields, 0);
        Ok(())
    })
}
