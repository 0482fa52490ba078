//! `ExportTraceServiceRequest` (also `TracesData`, which has the same fields) in protobuf, scanned
//! straight into the builder: attributes are borrowed from the body, no message becomes a struct.
//!
//! The envelope (request, resource spans, scope spans) is walked once before anything is pushed: a
//! body whose framing is broken leaves the builder untouched. Damage inside a span costs that span,
//! inside a resource or scope the spans under it. Unknown fields of spans, resources and scopes are
//! kept in `rest`; those of the envelope itself and of `KeyValue` are not.
#![warn(clippy::indexing_slicing)]

use tracewell_model::BatchBuilder;

use super::origin::{Resource, Scope};
use super::span::{self, Origin, Scratch};
use crate::caps::Rewritten;
use crate::proto::{Field, Fields, Malformed};
use crate::report::{DecodeError, Refused, Report};
use crate::rest::{WRONG_WIRE_TYPE, strict_utf8};

/// Decodes a request. On an error nothing was pushed.
pub fn decode(
    body: &[u8],
    builder: &mut BatchBuilder,
    report: &mut Report,
) -> Result<(), DecodeError> {
    check_request(body).map_err(|malformed| {
        DecodeError::Malformed(format!(
            "the body is no OTLP trace request in protobuf: {malformed}"
        ))
    })?;
    let room = Rewritten::default();
    let mut scratch = Scratch::default();
    for resource_spans in members(body, |number| number == 1) {
        decode_resource_spans(resource_spans, &room, &mut scratch, builder, report);
    }
    Ok(())
}

fn decode_resource_spans<'a>(
    message: &'a [u8],
    room: &'a Rewritten,
    scratch: &mut Scratch<'a>,
    builder: &mut BatchBuilder,
    report: &mut Report,
) {
    // Fields may come in any order: the resource may lie behind the spans it describes.
    let schema_url = last_text(message);
    let resource = Resource::parse(members(message, |number| number == 1), schema_url, room);
    let mut resource = match resource {
        Ok(resource) => resource,
        Err(refused) => return refuse_all(message, &refused, report),
    };
    for scope_spans in members(message, is_scope_spans) {
        let schema_url = last_text(scope_spans);
        let scope = Scope::parse(members(scope_spans, |number| number == 1), schema_url, room);
        let mut scope = match scope {
            Ok(scope) => scope,
            Err(refused) => {
                refuse_scope(scope_spans, &refused, report);
                continue;
            }
        };
        let mut origin = Origin {
            resource: &mut resource,
            scope: &mut scope,
        };
        for bytes in members(scope_spans, |number| number == 2) {
            report.note(span::decode(bytes, &mut origin, scratch, builder));
        }
    }
}

fn refuse_all(resource_spans: &[u8], refused: &Refused, report: &mut Report) {
    for scope_spans in members(resource_spans, is_scope_spans) {
        refuse_scope(scope_spans, refused, report);
    }
}

fn refuse_scope(scope_spans: &[u8], refused: &Refused, report: &mut Report) {
    for _span in members(scope_spans, |number| number == 2) {
        report.note(Err(refused.clone()));
    }
}

/// Scope spans are field 2; field 1000 held them as `instrumentation_library_spans` until 2022.
fn is_scope_spans(number: u32) -> bool {
    matches!(number, 2 | 1000)
}

/// The length-delimited fields whose number is wanted; framing was checked before.
fn members(message: &[u8], wanted: fn(u32) -> bool) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields::of(message);
    std::iter::from_fn(move || {
        while let Ok(Some((number, field, _))) = fields.next_field() {
            if let (true, Field::Bytes(bytes)) = (wanted(number), field) {
                return Some(bytes);
            }
        }
        None
    })
}

/// The schema URL: field 3 of resource spans and of scope spans.
fn last_text(message: &[u8]) -> &str {
    members(message, |number| number == 3)
        .last()
        .and_then(|text| std::str::from_utf8(text).ok())
        .unwrap_or("")
}

fn check_request(body: &[u8]) -> Result<(), Malformed> {
    each_field(body, |number, field| match (number, field) {
        (1, Field::Bytes(resource_spans)) => check_resource_spans(resource_spans),
        (1, _) => Err(WRONG_WIRE_TYPE),
        _ => Ok(()),
    })
}

fn check_resource_spans(message: &[u8]) -> Result<(), Malformed> {
    each_field(message, |number, field| match (number, field) {
        (2 | 1000, Field::Bytes(scope_spans)) => check_scope_spans(scope_spans),
        (3, Field::Bytes(url)) => strict_utf8(url).map(drop),
        (1, Field::Bytes(_)) => Ok(()),
        (1..=3 | 1000, _) => Err(WRONG_WIRE_TYPE),
        _ => Ok(()),
    })
}

fn check_scope_spans(message: &[u8]) -> Result<(), Malformed> {
    each_field(message, |number, field| match (number, field) {
        (3, Field::Bytes(url)) => strict_utf8(url).map(drop),
        (1 | 2, Field::Bytes(_)) => Ok(()),
        (1..=3, _) => Err(WRONG_WIRE_TYPE),
        _ => Ok(()),
    })
}

fn each_field<'a>(
    message: &'a [u8],
    mut check: impl FnMut(u32, Field<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    while let Some((number, field, _)) = fields.next_field()? {
        check(number, field)?;
    }
    Ok(())
}
