//! Zipkin v2 JSON: a list of spans (docs at the parent module).

use std::borrow::Cow;

use serde_json::value::RawValue;
use tracewell_model::{BatchBuilder, SpanId, TraceId};

use super::{Endpoint, finish, set_kind};
use crate::import::draft::{Draft, Parsed, Source, Sources, Tags};
use crate::import::raw;
use crate::named::Named;
use crate::report::{DecodeError, Reason, Refused, Report};

/// Reads a JSON list of Zipkin v2 spans into `builder`. An error means that nothing was pushed.
pub fn decode_json(
    body: &[u8],
    builder: &mut BatchBuilder,
    report: &mut Report,
) -> Result<(), DecodeError> {
    let list = raw::whole(body)?;
    if !raw::is_list(list) {
        return Err(DecodeError::Malformed(format!(
            "{}, where a list of Zipkin v2 spans is accepted: [{{\"traceId\": …, \"id\": …}}, …]",
            raw::type_name(list)
        )));
    }
    let mut sources = Sources::default();
    // The items themselves never stop the walk: each refusal goes into the report.
    let walked = raw::each_item(list, |item| {
        match span(item) {
            Ok((draft, source)) => {
                draft.push(&source, &mut sources, builder);
                report.accept();
            }
            Err(refused) => report.note_named(Err(refused), || Named::of_json(item.get())),
        }
        Ok(())
    });
    walked.map_err(|refused| DecodeError::Malformed(refused.detail.into()))
}

/// Reads one span.
pub(crate) fn span(json: &RawValue) -> Parsed<(Draft<'_>, Source<'_>)> {
    if !raw::is_object(json) {
        let seen = raw::type_name(json);
        return Err(Refused::new(
            Reason::WrongType,
            format!("{seen}, where a span (an object) is accepted"),
        ));
    }
    let (mut draft, mut source) = (Draft::default(), Source::default());
    let (mut remote, mut debug, mut shared) = (Endpoint::default(), false, false);
    raw::each_member(json, |name, value| {
        if raw::is_null(value) {
            return Ok(());
        }
        match name.as_ref() {
            "traceId" => draft.trace_id = trace_id(value)?,
            "id" => draft.span_id = span_id(value, Reason::SpanId)?.unwrap_or_default(),
            "parentId" => draft.parent = span_id(value, Reason::ParentSpanId)?,
            "name" => draft.operation = text(value, "name")?,
            "kind" => set_kind(&mut draft, text(value, "kind")?),
            "timestamp" => draft.start_unix_ns = micros(value, Reason::StartTime, "timestamp")?,
            "duration" => draft.duration_ns = micros(value, Reason::Duration, "duration")?,
            "localEndpoint" => {
                source = endpoint(value)?.into_source(Cow::Borrowed(value.get()));
            }
            "remoteEndpoint" => remote = endpoint(value)?,
            "annotations" => annotations(value, &mut draft)?,
            "tags" => tags(value, &mut draft)?,
            "debug" => debug = truth(value, "debug")?,
            "shared" => shared = truth(value, "shared")?,
            "binaryAnnotations" => return Err(version_1()),
            _ => {} // members of later versions
        }
        Ok(())
    })?;
    remote.describe_peer(&mut draft);
    finish(&mut draft, debug, shared)?;
    Ok((draft, source))
}

fn version_1() -> Refused {
    Refused::new(
        Reason::Malformed,
        "a Zipkin v1 span (binaryAnnotations, annotations with endpoints), where v2 is accepted",
    )
}

fn wrong_type(name: &str, value: &RawValue, accepted: &str) -> Refused {
    let seen = raw::excerpt(value);
    Refused::new(
        Reason::WrongType,
        format!("{name} is {seen}, where {accepted} is accepted"),
    )
}

fn text<'a>(value: &'a RawValue, name: &str) -> Parsed<Cow<'a, str>> {
    raw::text(value).ok_or_else(|| wrong_type(name, value, "a text"))
}

fn truth(value: &RawValue, name: &str) -> Parsed<bool> {
    raw::truth(value).ok_or_else(|| wrong_type(name, value, "true or false"))
}

fn trace_id(value: &RawValue) -> Parsed<TraceId> {
    let id = raw::text(value).and_then(|hex| TraceId::from_hex(&hex));
    id.ok_or_else(|| {
        let seen = raw::excerpt(value);
        Refused::new(
            Reason::TraceId,
            format!("traceId is {seen}, where 1 to 32 hex digits, not all zero, are accepted"),
        )
    })
}

/// A span id; none when it is empty or all zero, which is how some tracers write "no parent".
fn span_id(value: &RawValue, reason: Reason) -> Parsed<Option<SpanId>> {
    let hex = raw::text(value);
    match hex.as_deref() {
        Some(hex) if hex.len() <= 16 && hex.bytes().all(|digit| digit == b'0') => Ok(None),
        Some(hex) if SpanId::from_hex(hex).is_some() => Ok(SpanId::from_hex(hex)),
        _ => {
            let (name, seen) = (reason.name(), raw::excerpt(value));
            let detail = format!("{name} is {seen}, where 1 to 16 hex digits are accepted");
            Err(Refused::new(reason, detail))
        }
    }
}

fn micros(value: &RawValue, reason: Reason, name: &str) -> Parsed<u64> {
    raw::micros_as_ns(value).ok_or_else(|| {
        let seen = raw::excerpt(value);
        let detail = format!("{name} is {seen}, where microseconds from 0 on are accepted");
        Refused::new(reason, detail)
    })
}

fn endpoint(value: &RawValue) -> Parsed<Endpoint<'_>> {
    if !raw::is_object(value) {
        return Err(wrong_type("endpoint", value, "an object"));
    }
    let mut endpoint = Endpoint::default();
    raw::each_member(value, |name, value| {
        if raw::is_null(value) {
            return Ok(());
        }
        match name.as_ref() {
            "serviceName" => endpoint.service = Some(text(value, "serviceName")?),
            "ipv4" => endpoint.ipv4 = Some(text(value, "ipv4")?),
            "ipv6" => endpoint.ipv6 = Some(text(value, "ipv6")?),
            "port" => {
                let port = raw::integer(value);
                endpoint.port = Some(port.ok_or_else(|| wrong_type("port", value, "a number"))?);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(endpoint)
}

fn annotations<'a>(list: &'a RawValue, draft: &mut Draft<'a>) -> Parsed<()> {
    if !raw::is_list(list) {
        return Err(wrong_type("annotations", list, "a list"));
    }
    raw::each_item(list, |item| {
        if !raw::is_object(item) {
            return Err(wrong_type("annotation", item, "an object"));
        }
        let (mut time_unix_ns, mut name) = (0, Cow::Borrowed(""));
        raw::each_member(item, |member, value| {
            match member.as_ref() {
                "timestamp" => time_unix_ns = micros(value, Reason::StartTime, "annotation time")?,
                "value" => name = text(value, "annotation value")?,
                "endpoint" => return Err(version_1()),
                _ => {}
            }
            Ok(())
        })?;
        draft.event(time_unix_ns, &name, Tags::default(), 0);
        Ok(())
    })
}

/// Zipkin's tags are texts; the numbers and truth values that some senders write are kept as such.
fn tags<'a>(object: &'a RawValue, draft: &mut Draft<'a>) -> Parsed<()> {
    if !raw::is_object(object) {
        return Err(wrong_type("tags", object, "an object"));
    }
    raw::each_member(object, |key, value| {
        draft.attributes.push(key, raw::held(value)?);
        Ok(())
    })
}
