//! A total order of the spans of a trace: by start, then by everything else. Spans that compare equal
//! are equal in every field, so what is built in this order does not depend on arrival (P10).

use std::cmp::Ordering;

use crate::attribute::{Attribute, Value};
use crate::span::SpanRef;

/// Orders two spans by start, span id, service and operation, then by the rest of their content.
pub fn by_start(a: SpanRef<'_>, b: SpanRef<'_>) -> Ordering {
    let head = |span: SpanRef<'_>| (span.start_unix_ns(), span.span_id());
    head(a)
        .cmp(&head(b))
        // From here on only repeated span ids are compared.
        .then_with(|| (a.service(), a.operation()).cmp(&(b.service(), b.operation())))
        .then_with(|| by_fields(a, b))
        .then_with(|| by_attributes(a.attributes(), b.attributes()))
        .then_with(|| by_resource(a, b))
        .then_with(|| by_scope(a, b))
}

fn by_fields(a: SpanRef<'_>, b: SpanRef<'_>) -> Ordering {
    let fields = |span: SpanRef<'_>| {
        let numbers = (
            span.kind() as u8,
            span.status() as u8,
            span.flags(),
            span.marks().0,
        );
        (span.parent(), span.duration_ns(), numbers)
    };
    fields(a)
        .cmp(&fields(b))
        .then_with(|| a.status_message().cmp(b.status_message()))
        .then_with(|| a.rest().cmp(b.rest()))
}

fn by_resource(a: SpanRef<'_>, b: SpanRef<'_>) -> Ordering {
    let (a, b) = (a.resource(), b.resource());
    (a.schema_url(), a.rest())
        .cmp(&(b.schema_url(), b.rest()))
        .then_with(|| by_attributes(a.attributes(), b.attributes()))
}

fn by_scope(a: SpanRef<'_>, b: SpanRef<'_>) -> Ordering {
    let (a, b) = (a.scope(), b.scope());
    (a.name(), a.version(), a.schema_url(), a.rest())
        .cmp(&(b.name(), b.version(), b.schema_url(), b.rest()))
        .then_with(|| by_attributes(a.attributes(), b.attributes()))
}

fn by_attributes<'a>(
    a: impl Iterator<Item = Attribute<'a>>,
    b: impl Iterator<Item = Attribute<'a>>,
) -> Ordering {
    a.map(comparable).cmp(b.map(comparable))
}

/// A value that can be ordered; the order of types is of no meaning, only that there is one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Comparable<'a> {
    Str(&'a str),
    Int(i64),
    Bits(u64),
    Bool(bool),
    Bytes(&'a [u8]),
    Any(&'a [u8]),
}

fn comparable(attribute: Attribute<'_>) -> (&str, Comparable<'_>) {
    let value = match attribute.value {
        Value::Str(text) => Comparable::Str(text),
        Value::Int(number) => Comparable::Int(number),
        Value::Double(number) => Comparable::Bits(number.to_bits()),
        Value::Bool(bit) => Comparable::Bool(bit),
        Value::Bytes(bytes) => Comparable::Bytes(bytes),
        Value::Any(encoded) => Comparable::Any(encoded),
    };
    (attribute.key, value)
}
