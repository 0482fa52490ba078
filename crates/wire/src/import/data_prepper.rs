//! Spans as OpenSearch's Data Prepper stores them: one JSON document each (D5's Data Prepper row).
//! Bulk bodies (with `{"index": …}` lines between), plain JSON Lines and search answers hold them.
//!
//! Attributes are flat (`span.attributes.http@method`, `@` for a dot) or, in later versions, nested
//! (`attributes`, `resource.attributes`). `traceGroup*` repeats what the root span says and is not
//! kept. Times are ISO 8601 with nanoseconds, or a number of nanoseconds.

use std::borrow::Cow;

use serde_json::value::RawValue;
use tracewell_model::{Marks, SpanId, SpanKind, StatusCode, TraceId};

use super::draft::{Draft, Parsed, Source, Tags};
use super::raw;
use crate::report::{Reason, Refused};

/// Reads one span document.
pub(super) fn span(json: &RawValue) -> Parsed<(Draft<'_>, Source<'_>)> {
    if !raw::is_object(json) {
        return Err(wrong_type("document", json, "an object"));
    }
    let mut reading = Reading::default();
    raw::each_member(json, |name, value| match raw::is_null(value) {
        true => Ok(()),
        false => reading.member(name, value),
    })?;
    reading.finish()
}

/// A document while it is read.
#[derive(Default)]
struct Reading<'a> {
    draft: Draft<'a>,
    source: Source<'a>,
    end_unix_ns: Option<u64>,
    has_start: bool,
    dropped: [u32; 3],
}

impl<'a> Reading<'a> {
    fn member(&mut self, name: Cow<'a, str>, json: &'a RawValue) -> Parsed<()> {
        let draft = &mut self.draft;
        match name.as_ref() {
            "traceId" => draft.trace_id = trace_id(json)?,
            "spanId" => draft.span_id = span_id(json, Reason::SpanId)?,
            "parentSpanId" if json.get() == "\"\"" => draft.parent = None,
            "parentSpanId" => draft.parent = Some(span_id(json, Reason::ParentSpanId)?),
            "traceState" => draft.trace_state(&text(&name, json)?),
            "name" => draft.operation = text(&name, json)?,
            "kind" => set_kind(draft, json)?,
            "startTime" => {
                draft.start_unix_ns = time(&name, json)?;
                self.has_start = true;
            }
            "endTime" => self.end_unix_ns = Some(time(&name, json)?),
            "durationInNanos" => {
                draft.duration_ns = raw::unsigned(json).ok_or_else(|| duration(json))?;
            }
            "serviceName" => self.source.service = Some(text(&name, json)?),
            "flags" => draft.flags = number(&name, json)?,
            "events" => events(json, draft)?,
            "links" => links(json, draft)?,
            "droppedAttributesCount" => self.dropped[0] = number(&name, json)?,
            "droppedEventsCount" => self.dropped[1] = number(&name, json)?,
            "droppedLinksCount" => self.dropped[2] = number(&name, json)?,
            "attributes" => attributes(json, &mut draft.attributes)?,
            "resource" | "status" | "instrumentationScope" | "instrumentationLibrary" => {
                return self.nested(&name, json);
            }
            _ => return self.dotted(&name, json),
        }
        Ok(())
    }

    /// Later versions nest what earlier ones write with dots.
    fn nested(&mut self, outer: &str, json: &'a RawValue) -> Parsed<()> {
        raw::each_member(json, |name, json| match (outer, name.as_ref()) {
            _ if raw::is_null(json) => Ok(()),
            ("resource", "attributes") => {
                self.source.key.to_mut().push_str(json.get());
                attributes(json, &mut self.source.attributes)
            }
            _ => self.dotted(&format!("{outer}.{name}"), json),
        })
    }

    fn dotted(&mut self, name: &str, json: &'a RawValue) -> Parsed<()> {
        if let Some(key) = name.strip_prefix("span.attributes.") {
            self.draft
                .attributes
                .push(key.replace('@', "."), raw::held(json)?);
        } else if let Some(key) = name.strip_prefix("resource.attributes.") {
            let sources = self.source.key.to_mut();
            sources.extend([key, "\0", json.get(), "\0"]);
            self.source
                .attributes
                .push(key.replace('@', "."), raw::held(json)?);
        }
        match name {
            "status.code" => self.draft.status = status(json)?,
            "status.message" => self.draft.status_message = text(name, json)?,
            "instrumentationLibrary.name" | "instrumentationScope.name" => {
                self.draft.scope.0 = text(name, json)?;
            }
            "instrumentationLibrary.version" | "instrumentationScope.version" => {
                self.draft.scope.1 = text(name, json)?;
            }
            _ => {} // `traceGroup…`, and what later versions add
        }
        Ok(())
    }

    fn finish(mut self) -> Parsed<(Draft<'a>, Source<'a>)> {
        let absent = |reason: Reason, name: &str| Refused::new(reason, format!("{name} is absent"));
        if self.draft.trace_id == TraceId::default() {
            return Err(absent(Reason::TraceId, "traceId"));
        }
        if self.draft.span_id.is_zero() {
            return Err(absent(Reason::SpanId, "spanId"));
        }
        if !self.has_start {
            return Err(absent(Reason::StartTime, "startTime"));
        }
        if self.draft.start_unix_ns == 0 {
            self.draft.marks.set(Marks::NO_START_TIME);
        }
        if let Some(end_unix_ns) = self.end_unix_ns {
            self.draft.end_at(end_unix_ns);
        }
        self.draft.check_end()?;
        self.draft.dropped(self.dropped);
        let service = self.source.service.clone().unwrap_or_default();
        let sources = self.source.key.to_mut();
        sources.extend(["\0", service.as_ref()]);
        match self.source.attributes.get("service.name") {
            Some(name) if service.is_empty() => {
                self.source.service = Some(name.as_value().text().into_owned().into());
            }
            None if !service.is_empty() => self.source.attributes.text("service.name", service),
            _ => {}
        }
        Ok((self.draft, self.source))
    }
}

fn wrong_type(name: &str, json: &RawValue, accepted: &str) -> Refused {
    let seen = raw::excerpt(json);
    Refused::new(
        Reason::WrongType,
        format!("{name} is {seen}, where {accepted} is accepted"),
    )
}

fn text<'a>(name: &str, json: &'a RawValue) -> Parsed<Cow<'a, str>> {
    raw::text(json).ok_or_else(|| wrong_type(name, json, "a text"))
}

fn number(name: &str, json: &RawValue) -> Parsed<u32> {
    let number = raw::unsigned(json).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| wrong_type(name, json, "a number that is not negative"))
}

fn duration(json: &RawValue) -> Refused {
    let seen = raw::excerpt(json);
    let detail = format!("durationInNanos is {seen}, where nanoseconds from 0 on are accepted");
    Refused::new(Reason::Duration, detail)
}

/// As in OTLP, ids have their full length: a longer or shorter one is damaged.
fn trace_id(json: &RawValue) -> Parsed<TraceId> {
    let hex = raw::text(json).filter(|hex| hex.len() == 32);
    hex.and_then(|hex| TraceId::from_hex(&hex)).ok_or_else(|| {
        let seen = raw::excerpt(json);
        let detail = format!("traceId is {seen}, where 32 hex digits, not all zero, are accepted");
        Refused::new(Reason::TraceId, detail)
    })
}

fn span_id(json: &RawValue, reason: Reason) -> Parsed<SpanId> {
    let hex = raw::text(json).filter(|hex| hex.len() == 16);
    hex.and_then(|hex| SpanId::from_hex(&hex)).ok_or_else(|| {
        let (name, seen) = (reason.name(), raw::excerpt(json));
        let detail = format!("{name} is {seen}, where 16 hex digits, not all zero, are accepted");
        Refused::new(reason, detail)
    })
}

fn time(name: &str, json: &RawValue) -> Parsed<u64> {
    let number = raw::unsigned(json);
    let iso = || -> Option<u64> {
        let time: jiff::Timestamp = raw::text(json)?.parse().ok()?;
        u64::try_from(time.as_nanosecond()).ok()
    };
    number.or_else(iso).ok_or_else(|| {
        let seen = raw::excerpt(json);
        let detail = format!(
            "{name} is {seen}, where ISO 8601 with a zone or nanoseconds, 1970 to 2554, are accepted"
        );
        Refused::new(Reason::StartTime, detail)
    })
}

fn status(json: &RawValue) -> Parsed<StatusCode> {
    let code = raw::integer(json).ok_or_else(|| wrong_type("status.code", json, "0, 1 or 2"))?;
    // An unknown code says nothing of a failure: unset, as OTLP's readers treat it.
    Ok(u8::try_from(code)
        .ok()
        .and_then(StatusCode::from_u8)
        .unwrap_or_default())
}

fn set_kind<'a>(draft: &mut Draft<'a>, json: &'a RawValue) -> Parsed<()> {
    let number = raw::integer(json).and_then(|number| u8::try_from(number).ok());
    if let Some(kind) = number.and_then(SpanKind::from_u8) {
        draft.kind = kind;
        return Ok(());
    }
    let name = text("kind", json)?;
    match SpanKind::from_name(name.strip_prefix("SPAN_KIND_").unwrap_or(&name)) {
        Some(kind) => draft.kind = kind,
        None => draft.attributes.text("span.kind", name),
    }
    Ok(())
}

fn attributes<'a>(json: &'a RawValue, tags: &mut Tags<'a>) -> Parsed<()> {
    raw::each_member(json, |key, value| {
        tags.push(key.replace('@', "."), raw::held(value)?);
        Ok(())
    })
}

fn events<'a>(list: &'a RawValue, draft: &mut Draft<'a>) -> Parsed<()> {
    raw::each_item(list, |event| {
        let (mut time_unix_ns, mut title) = (0, Cow::Borrowed(""));
        let (mut tags, mut dropped) = (Tags::default(), 0);
        raw::each_member(event, |name, json| {
            match name.as_ref() {
                _ if raw::is_null(json) => {}
                "time" => time_unix_ns = time("event time", json)?,
                "name" => title = text("event name", json)?,
                "attributes" => attributes(json, &mut tags)?,
                "droppedAttributesCount" => dropped = number(&name, json)?,
                _ => {}
            }
            Ok(())
        })?;
        draft.event(time_unix_ns, &title, tags, dropped);
        Ok(())
    })
}

fn links<'a>(list: &'a RawValue, draft: &mut Draft<'a>) -> Parsed<()> {
    raw::each_item(list, |link| {
        let (mut trace, mut span) = (TraceId::default(), SpanId::default());
        let (mut state, mut tags) = (Cow::Borrowed(""), Tags::default());
        raw::each_member(link, |name, json| {
            match name.as_ref() {
                _ if raw::is_null(json) => {}
                "traceId" => trace = trace_id(json)?,
                "spanId" => span = span_id(json, Reason::SpanId)?,
                "traceState" => state = text("link traceState", json)?,
                "attributes" => attributes(json, &mut tags)?,
                _ => {}
            }
            Ok(())
        })?;
        draft.link((trace, span), &state, &tags);
        Ok(())
    })
}
