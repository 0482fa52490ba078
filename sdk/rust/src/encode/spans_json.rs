//! The body of `POST /v1/spans` (docs/api.md), made from the same bytes as OTLP's when it is sent: for
//! a Tracewell behind something that only passes JSON. OTLP is smaller and cheaper at both ends.
#![warn(clippy::indexing_slicing)]

use std::fmt::Write;

use crate::bytes::Bytes;
use crate::encode::batch::{Losses, Scopes, split};
use crate::encode::proto::{Field, Fields};
use crate::value::Value;

/// How deep values are followed.
const DEPTH_MAX: u32 = 16;

/// The array.
pub(crate) fn body(
    resource: &[(String, String)],
    scopes: &Scopes,
    spans: &[Bytes],
    losses: &Losses,
) -> String {
    let of = |wanted: &str| {
        resource
            .iter()
            .find(|(key, _)| key == wanted)
            .map(|(_, value)| value)
    };
    let service = of("service.name").map_or("unknown_service", String::as_str);
    let mut json = String::with_capacity(1024 * spans.len());
    let out = &mut json;
    out.push('[');
    for (position, span) in spans.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        let (scope, message) = split(span);
        out.push_str("{\"service_name\":");
        text(out, service);
        put_span(out, message);
        out.push_str(",\"resource\":{");
        members(
            out,
            resource.iter().map(|(key, value)| (key.as_str(), value)),
            |out, value| {
                text(out, value);
            },
        );
        out.push_str("},\"scope\":{\"name\":");
        let scope = scopes.get(scope);
        text(out, scope.map_or("", |scope| &scope.name));
        out.push_str(",\"version\":");
        text(out, scope.map_or("", |scope| &scope.version));
        out.push_str(",\"attributes\":{");
        members(out, losses.attributes(), |out, value| match value {
            Value::I64(number) => number_member(out, number),
            _ => out.push_str("null"),
        });
        out.push_str("}}}");
    }
    out.push(']');
    json
}

/// The members that come from the span itself, each with its comma before it.
fn put_span(out: &mut String, message: &[u8]) {
    let (mut start, mut end) = (0, 0);
    let (mut events, mut links) = (Vec::new(), Vec::new());
    let mut status: &[u8] = &[];
    out.push_str(",\"tags\":{");
    let attributes = Fields(message).filter(|(number, _)| *number == 9);
    members(out, attributes.map(|(_, field)| key_value(field)), any);
    out.push('}');
    for (number, field) in Fields(message) {
        match number {
            1 => hex(out, ",\"trace_id\":", field.bytes()),
            2 => hex(out, ",\"span_id\":", field.bytes()),
            3 => text_member(out, ",\"trace_state\":", field.text()),
            4 => hex(out, ",\"parent_span_id\":", field.bytes()),
            5 => text_member(out, ",\"operation_name\":", field.text()),
            6 => text_member(out, ",\"kind\":", kind(field.number())),
            7 => start = field.number(),
            8 => end = field.number(),
            10 => plain(out, ",\"dropped_attributes_count\":", field.number()),
            11 => events.push(field.bytes()),
            12 => plain(out, ",\"dropped_events_count\":", field.number()),
            13 => links.push(field.bytes()),
            14 => plain(out, ",\"dropped_links_count\":", field.number()),
            15 => status = field.bytes(),
            16 => plain(out, ",\"flags\":", field.number()),
            _ => {}
        }
    }
    plain(out, ",\"start_time_unix_ns\":", start);
    plain(out, ",\"duration_ns\":", end.saturating_sub(start));
    put_status(out, status);
    out.push_str(",\"events\":");
    list(out, &events, put_event);
    out.push_str(",\"links\":");
    list(out, &links, put_link);
}

fn put_status(out: &mut String, status: &[u8]) {
    let mut error = false;
    for (number, field) in Fields(status) {
        match number {
            2 => text_member(out, ",\"status_message\":", field.text()),
            3 => error = field.number() == 2,
            _ => {}
        }
    }
    text_member(out, ",\"status\":", if error { "error" } else { "ok" });
}

fn put_event(out: &mut String, event: &[u8]) {
    out.push_str("{\"attributes\":{");
    let attributes = Fields(event).filter(|(number, _)| *number == 3);
    members(out, attributes.map(|(_, field)| key_value(field)), any);
    out.push('}');
    for (number, field) in Fields(event) {
        match number {
            1 => plain(out, ",\"time_unix_ns\":", field.number()),
            2 => text_member(out, ",\"name\":", field.text()),
            4 => plain(out, ",\"dropped_attributes_count\":", field.number()),
            _ => {}
        }
    }
    out.push('}');
}

fn put_link(out: &mut String, link: &[u8]) {
    out.push_str("{\"attributes\":{");
    let attributes = Fields(link).filter(|(number, _)| *number == 4);
    members(out, attributes.map(|(_, field)| key_value(field)), any);
    out.push('}');
    for (number, field) in Fields(link) {
        match number {
            1 => hex(out, ",\"trace_id\":", field.bytes()),
            2 => hex(out, ",\"span_id\":", field.bytes()),
            3 => text_member(out, ",\"trace_state\":", field.text()),
            6 => plain(out, ",\"flags\":", field.number()),
            _ => {}
        }
    }
    out.push('}');
}

fn key_value(field: Field<'_>) -> (&str, &[u8]) {
    let (mut key, mut value) = ("", &[][..]);
    for (number, field) in Fields(field.bytes()) {
        match number {
            1 => key = field.text(),
            2 => value = field.bytes(),
            _ => {}
        }
    }
    (key, value)
}

fn any(out: &mut String, value: &[u8]) {
    put_any(out, value, DEPTH_MAX);
}

fn put_any(out: &mut String, value: &[u8], depth: u32) {
    match (Fields(value).next(), depth.checked_sub(1)) {
        (Some((1, field)), _) => text(out, field.text()),
        (Some((2, field)), _) => out.push_str(if field.number() == 0 { "false" } else { "true" }),
        (Some((3, field)), _) => number_member(out, field.number() as i64),
        (Some((4, field)), _) => float(out, f64::from_bits(field.number())),
        (Some((5, field)), Some(depth)) => {
            let values: Vec<&[u8]> = Fields(field.bytes())
                .map(|(_, value)| value.bytes())
                .collect();
            list(out, &values, |out, value| put_any(out, value, depth));
        }
        (Some((7, field)), _) => {
            out.push_str("{\"bytes\":\"");
            base64(out, field.bytes());
            out.push_str("\"}");
        }
        _ => out.push_str("null"),
    }
}

fn members<'a, V>(
    out: &mut String,
    members: impl Iterator<Item = (&'a str, V)>,
    mut value: impl FnMut(&mut String, V),
) {
    for (position, (key, of)) in members.enumerate() {
        if position > 0 {
            out.push(',');
        }
        text(out, key);
        out.push(':');
        value(out, of);
    }
}

fn list(out: &mut String, items: &[&[u8]], mut item: impl FnMut(&mut String, &[u8])) {
    out.push('[');
    for (position, bytes) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        item(out, bytes);
    }
    out.push(']');
}

fn kind(number: u64) -> &'static str {
    match number {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    }
}

fn plain(out: &mut String, member: &str, number: u64) {
    let _to_a_string = write!(out, "{member}{number}");
}

fn number_member(out: &mut String, number: i64) {
    let _to_a_string = write!(out, "{number}");
}

fn float(out: &mut String, number: f64) {
    let _to_a_string = match number {
        _ if number.is_nan() => write!(out, "\"NaN\""),
        f64::INFINITY => write!(out, "\"Infinity\""),
        f64::NEG_INFINITY => write!(out, "\"-Infinity\""),
        // The shortest form that reads back the same, with a point or an exponent: it stays a float.
        _ => write!(out, "{number:?}"),
    };
}

fn text_member(out: &mut String, member: &str, value: &str) {
    out.push_str(member);
    text(out, value);
}

fn text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => {
                let _to_a_string = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn hex(out: &mut String, member: &str, bytes: &[u8]) {
    out.push_str(member);
    out.push('"');
    for byte in bytes {
        let _to_a_string = write!(out, "{byte:02x}");
    }
    out.push('"');
}

fn base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let mut three = [0; 4];
        for (to, from) in three.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(three);
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place)) as usize & 63);
            let shown = digit.filter(|_| place <= chunk.len());
            out.push(shown.map_or('=', |digit| char::from(*digit)));
        }
    }
}
