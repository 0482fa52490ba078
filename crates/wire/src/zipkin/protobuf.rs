//! Zipkin v2 protobuf (zipkin.proto3, `ListOfSpans`), read field by field (docs at the parent module).

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use tracewell_model::{BatchBuilder, SpanId, SpanKind, TraceId};

use super::{Endpoint, finish};
use crate::import::draft::{Draft, Parsed, Source, Sources, Tags};
use crate::json::Held;
use crate::proto::{Field, Fields, Malformed};
use crate::report::{DecodeError, Reason, Refused, Report};

/// Reads an encoded `ListOfSpans` into `builder`. An error means that nothing was pushed.
pub fn decode_protobuf(
    body: &[u8],
    builder: &mut BatchBuilder,
    report: &mut Report,
) -> Result<(), DecodeError> {
    // The list is walked before anything is pushed: a body cut short is refused as a whole.
    each_span(body, |_| {})?;
    let mut sources = Sources::default();
    each_span(body, |encoded| match span(encoded) {
        Ok((draft, source)) => {
            draft.push(&source, &mut sources, builder);
            report.accept();
        }
        Err(refused) => report.refuse(refused.reason, refused.detail),
    })
}

fn each_span<'a>(body: &'a [u8], mut see: impl FnMut(&'a [u8])) -> Result<(), DecodeError> {
    let mut fields = Fields::of(body);
    let malformed = |why: Malformed| {
        DecodeError::Malformed(format!("no Zipkin v2 protobuf (ListOfSpans): {why}"))
    };
    while let Some((number, field, _)) = fields.next_field().map_err(malformed)? {
        match (number, field) {
            (1, Field::Bytes(span)) => see(span),
            (1, _) => return Err(malformed(Malformed("field 1 is no span"))),
            _ => {}
        }
    }
    Ok(())
}

/// Reads one encoded span.
fn span(encoded: &[u8]) -> Parsed<(Draft<'_>, Source<'_>)> {
    let (mut draft, mut source) = (Draft::default(), Source::default());
    let (mut remote, mut debug, mut shared) = (Endpoint::default(), false, false);
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(id)) => draft.trace_id = trace_id(id)?,
            (2, Field::Bytes(id)) => draft.parent = span_id(id, Reason::ParentSpanId)?,
            (3, Field::Bytes(id)) => {
                draft.span_id = span_id(id, Reason::SpanId)?.unwrap_or_default();
            }
            (4, Field::Varint(kind)) => set_kind(&mut draft, kind),
            (5, Field::Bytes(name)) => draft.operation = Cow::Borrowed(text(name)?),
            (6, Field::Fixed64(micros)) => draft.start_unix_ns = ns(micros, Reason::StartTime)?,
            (7, Field::Varint(micros)) => draft.duration_ns = ns(micros, Reason::Duration)?,
            (8, Field::Bytes(local)) => source = endpoint(local)?.into_source(key_of(local)),
            (9, Field::Bytes(peer)) => remote = endpoint(peer)?,
            (10, Field::Bytes(bytes)) => annotation(bytes, &mut draft)?,
            (11, Field::Bytes(entry)) => tag(entry, &mut draft)?,
            (12, Field::Varint(bit)) => debug = bit != 0,
            (13, Field::Varint(bit)) => shared = bit != 0,
            (1..=13, _) => return Err(wrong_wire_type(number)),
            _ => {} // fields of later versions
        }
    }
    remote.describe_peer(&mut draft);
    finish(&mut draft, debug, shared)?;
    Ok((draft, source))
}

fn wrong_wire_type(number: u32) -> Refused {
    Refused::new(
        Reason::WrongType,
        format!("field {number} has the wrong wire type"),
    )
}

/// Endpoints that are equal byte for byte are one source; hex makes their bytes a text.
fn key_of(endpoint: &[u8]) -> Cow<'static, str> {
    Cow::Owned(endpoint.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text(bytes: &[u8]) -> Parsed<&str> {
    std::str::from_utf8(bytes)
        .map_err(|_| Refused::new(Reason::Malformed, "a text is not valid UTF-8"))
}

/// Ids are 8 or 16 bytes; shorter trace ids are padded on the left, like their hex form.
fn trace_id(bytes: &[u8]) -> Parsed<TraceId> {
    let mut id = [0; 16];
    let padded = match bytes.len() {
        16 => TraceId::from_slice(bytes),
        8 => {
            let (_, low) = id.split_at_mut(8);
            low.copy_from_slice(bytes);
            TraceId::from_slice(&id)
        }
        _ => None,
    };
    padded.ok_or_else(|| {
        let detail = format!(
            "{} bytes, where 8 or 16, not all zero, are accepted",
            bytes.len()
        );
        Refused::new(Reason::TraceId, detail)
    })
}

fn span_id(bytes: &[u8], reason: Reason) -> Parsed<Option<SpanId>> {
    let none = bytes.len() <= 8 && bytes.iter().all(|byte| *byte == 0);
    match SpanId::from_slice(bytes) {
        None if !none => {
            let detail = format!("{} bytes, where 8 are accepted", bytes.len());
            Err(Refused::new(reason, detail))
        }
        id => Ok(id),
    }
}

/// An unknown number is kept like an unknown name in JSON.
fn set_kind(draft: &mut Draft<'_>, number: u64) {
    match number {
        0 => draft.kind = SpanKind::Unspecified,
        1 => draft.kind = SpanKind::Client,
        2 => draft.kind = SpanKind::Server,
        3 => draft.kind = SpanKind::Producer,
        4 => draft.kind = SpanKind::Consumer,
        _ => draft.attributes.text("span.kind", number.to_string()),
    }
}

fn ns(micros: u64, reason: Reason) -> Parsed<u64> {
    micros.checked_mul(1_000).ok_or_else(|| {
        Refused::new(
            reason,
            format!("{micros} µs do not fit into 64 bits of nanoseconds"),
        )
    })
}

fn endpoint(encoded: &[u8]) -> Parsed<Endpoint<'_>> {
    let mut endpoint = Endpoint::default();
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(name)) => endpoint.service = Some(Cow::Borrowed(text(name)?)),
            (2, Field::Bytes(ip)) => {
                let ip: Option<[u8; 4]> = ip.try_into().ok();
                endpoint.ipv4 = ip.map(|ip| Cow::Owned(Ipv4Addr::from(ip).to_string()));
            }
            (3, Field::Bytes(ip)) => {
                let ip: Option<[u8; 16]> = ip.try_into().ok();
                endpoint.ipv6 = ip.map(|ip| Cow::Owned(Ipv6Addr::from(ip).to_string()));
            }
            // An int32 that is negative is written as ten bytes, and is no port.
            (4, Field::Varint(port)) => endpoint.port = Some(port as i64),
            (1..=4, _) => return Err(wrong_wire_type(number)),
            _ => {}
        }
    }
    Ok(endpoint)
}

fn annotation(encoded: &[u8], draft: &mut Draft<'_>) -> Parsed<()> {
    let (mut time_unix_ns, mut name) = (0, "");
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Fixed64(micros)) => time_unix_ns = ns(micros, Reason::StartTime)?,
            (2, Field::Bytes(value)) => name = text(value)?,
            (1 | 2, _) => return Err(wrong_wire_type(number)),
            _ => {}
        }
    }
    draft.event(time_unix_ns, name, Tags::default(), 0);
    Ok(())
}

/// An entry of `map<string, string>`: key 1, value 2.
fn tag<'a>(encoded: &'a [u8], draft: &mut Draft<'a>) -> Parsed<()> {
    let (mut key, mut value) = ("", "");
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = text(bytes)?,
            (2, Field::Bytes(bytes)) => value = text(bytes)?,
            (1 | 2, _) => return Err(wrong_wire_type(number)),
            _ => {}
        }
    }
    draft.attributes.push(key, Held::Str(Cow::Borrowed(value)));
    Ok(())
}
