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
use super::remembered::{Remembered, Said};
use super::span::{self, Origin, Scratch};
use crate::caps::Rewritten;
use crate::named::Named;
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
    let mut known = Known {
        resources: Remembered::new(),
        scopes: Remembered::new(),
    };
    for resource_spans in members(body, |number| number == 1) {
        let known = &mut known;
        decode_resource_spans(resource_spans, &room, known, &mut scratch, builder, report);
    }
    Ok(())
}

/// What the body's spans so far come from.
struct Known<'a> {
    resources: Remembered<'a, Resource<'a>>,
    scopes: Remembered<'a, Scope<'a>>,
}

fn decode_resource_spans<'a>(
    message: &'a [u8],
    room: &'a Rewritten,
    known: &mut Known<'a>,
    scratch: &mut Scratch<'a>,
    builder: &mut BatchBuilder,
    report: &mut Report,
) {
    let head = Head::of(message);
    let read = || Resource::parse(head.pieces(), head.schema_url, room);
    let resource = match known.resources.get(head.said(), read) {
        Ok(resource) => resource,
        Err(refused) => return refuse_all(message, &refused, report),
    };
    for scope_spans in members(message, is_scope_spans) {
        let head = Head::of(scope_spans);
        let read = || Scope::parse(head.pieces(), head.schema_url, room);
        let scope = match known.scopes.get(head.said(), read) {
            Ok(scope) => scope,
            Err(refused) => {
                refuse_scope(scope_spans, &refused, report);
                continue;
            }
        };
        let mut origin = Origin {
            resource: &mut *resource,
            scope,
        };
        for bytes in spans(scope_spans) {
            let outcome = span::decode(bytes, &mut origin, scratch, builder);
            report.note_named(outcome, || Named::of_protobuf(bytes));
        }
    }
}

/// What describes the spans of resource spans or scope spans. Fields may come in any order: it may lie
/// behind the spans.
struct Head<'a> {
    message: &'a [u8],
    /// How many pieces field 1, the resource or scope, has.
    pieces: usize,
    schema_url: &'a str,
}

impl<'a> Head<'a> {
    fn of(message: &'a [u8]) -> Self {
        let (mut pieces, mut schema_url) = (0, &[][..]);
        let mut fields = Fields::of(message);
        while let Ok(Some((number, field, _))) = fields.next_field() {
            match (number, field) {
                (1, Field::Bytes(_)) => pieces += 1,
                (3, Field::Bytes(url)) => schema_url = url,
                _ => fields.skip_bytes_while(SPANS_TAG),
            }
        }
        Head {
            message,
            pieces,
            schema_url: std::str::from_utf8(schema_url).unwrap_or(""),
        }
    }

    /// The pieces; nearly always one, which stands first.
    fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        members(self.message, |number| number == 1).take(self.pieces)
    }

    /// What the resource or scope is read from, where it is one piece.
    fn said(&self) -> Option<Said<'a>> {
        let message = self.pieces().next().filter(|_| self.pieces == 1)?;
        Some((message, self.schema_url))
    }
}

/// Field 2: the scope spans of resource spans, the spans of scope spans.
const SPANS_TAG: u8 = 2 << 3 | 2;

fn refuse_all(resource_spans: &[u8], refused: &Refused, report: &mut Report) {
    for scope_spans in members(resource_spans, is_scope_spans) {
        refuse_scope(scope_spans, refused, report);
    }
}

fn refuse_scope(scope_spans: &[u8], refused: &Refused, report: &mut Report) {
    for span in spans(scope_spans) {
        report.note_named(Err(refused.clone()), || Named::of_protobuf(span));
    }
}

/// Scope spans are field 2; field 1000 held them as `instrumentation_library_spans` until 2022.
fn is_scope_spans(number: u32) -> bool {
    matches!(number, 2 | 1000)
}

/// The length-delimited fields whose number is wanted; framing was checked before.
fn members(message: &[u8], wanted: fn(u32) -> bool) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields::of(message);
    std::iter::from_fn(move || next_member(&mut fields, wanted))
}

/// The spans of scope spans, which follow one another.
fn spans(scope_spans: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields::of(scope_spans);
    std::iter::from_fn(move || {
        let span = fields.next_bytes_if(SPANS_TAG);
        span.or_else(|| next_member(&mut fields, |number| number == 2))
    })
}

fn next_member<'a>(fields: &mut Fields<'a>, wanted: fn(u32) -> bool) -> Option<&'a [u8]> {
    while let Ok(Some((number, field, _))) = fields.next_field() {
        if let (true, Field::Bytes(bytes)) = (wanted(number), field) {
            return Some(bytes);
        }
    }
    None
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
    let mut fields = Fields::of(message);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (3, Field::Bytes(url)) => drop(strict_utf8(url)?),
            (1 | 2, Field::Bytes(_)) => fields.skip_bytes_while(SPANS_TAG),
            (1..=3, _) => return Err(WRONG_WIRE_TYPE),
            _ => {}
        }
    }
    Ok(())
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
