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
    for resource_spans in members(Fields::of(body), HEAD_TAG, |number| number == 1) {
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
    for scope_spans in scope_spans(head.members) {
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
        for bytes in spans(head.members) {
            let outcome = span::decode(bytes, &mut origin, scratch, builder);
            report.note_named(outcome, || Named::of_protobuf(bytes));
        }
    }
}

/// What describes the spans of resource spans or scope spans.
struct Head<'a> {
    message: &'a [u8],
    /// Field 1, the resource or scope, where it is one piece, as nearly always.
    piece: Option<&'a [u8]>,
    schema_url: &'a str,
    /// What follows a piece that stands first, as nearly always; else all.
    members: Fields<'a>,
}

impl<'a> Head<'a> {
    /// Fields may come in any order: all are looked at.
    fn of(message: &'a [u8]) -> Self {
        let mut fields = Fields::of(message);
        let first = fields.next_bytes_if(HEAD_TAG);
        let members = fields.clone();
        let (mut piece, mut pieces, mut schema_url) =
            (first, usize::from(first.is_some()), &[][..]);
        fields.skip_bytes_while(SPANS_TAG);
        while let Ok(Some((number, field, _))) = fields.next_field() {
            match (number, field) {
                (1, Field::Bytes(another)) => {
                    pieces += 1;
                    piece = Some(another).filter(|_| pieces == 1);
                }
                (3, Field::Bytes(url)) => schema_url = url,
                _ => {}
            }
            fields.skip_bytes_while(SPANS_TAG);
        }
        Head {
            message,
            piece,
            schema_url: std::str::from_utf8(schema_url).unwrap_or(""),
            members,
        }
    }

    fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let several = match self.piece {
            Some(_) => &[],
            None => self.message,
        };
        let several = members(Fields::of(several), HEAD_TAG, |number| number == 1);
        self.piece.into_iter().chain(several)
    }

    /// What the resource or scope is read from, where it is one piece.
    fn said(&self) -> Option<Said<'a>> {
        Some((self.piece?, self.schema_url))
    }
}

const fn bytes_tag(field: u8) -> u8 {
    field << 3 | 2
}

/// The resource of resource spans, the scope of scope spans; and the resource spans of a request.
const HEAD_TAG: u8 = bytes_tag(1);
/// The scope spans of resource spans, the spans of scope spans.
const SPANS_TAG: u8 = bytes_tag(2);

fn refuse_all(resource_spans: &[u8], refused: &Refused, report: &mut Report) {
    for scope_spans in scope_spans(Fields::of(resource_spans)) {
        refuse_scope(scope_spans, refused, report);
    }
}

fn refuse_scope(scope_spans: &[u8], refused: &Refused, report: &mut Report) {
    for span in spans(Fields::of(scope_spans)) {
        report.note_named(Err(refused.clone()), || Named::of_protobuf(span));
    }
}

/// The length-delimited fields whose number is wanted, most of which have this tag and follow one
/// another; framing was checked before.
fn members<'a>(
    mut fields: Fields<'a>,
    tag: u8,
    wanted: fn(u32) -> bool,
) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        let next = fields.next_bytes_if(tag);
        next.or_else(|| next_member(&mut fields, wanted))
    })
}

fn scope_spans(fields: Fields<'_>) -> impl Iterator<Item = &[u8]> {
    // Field 1000 held them as `instrumentation_library_spans` until 2022.
    members(fields, SPANS_TAG, |number| matches!(number, 2 | 1000))
}

fn spans(fields: Fields<'_>) -> impl Iterator<Item = &[u8]> {
    members(fields, SPANS_TAG, |number| number == 2)
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
    fields.skip_bytes_while(HEAD_TAG);
    fields.skip_bytes_while(SPANS_TAG);
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
