//! Our decoder beside prost on requests as nobody's encoder writes them: fields in any order, twice, with
//! long varints and with fields that nobody knows. Where prost reads a request, we must have taken in
//! exactly what it says, by the rules of D5.

mod support;

use prost::Message;
use support::{AnyValue, KeyValue, PROTOBUF, Request, Resource, Scope, Span, Value, decode};
use tracewell_model::{Attribute, Marks, SpanRef, Value as Ours};
use tracewell_wire::Reason;
use tracewell_wire::rest::Rest;

type Random = fastrand::Rng;

fn one_of<T: Copy, const N: usize>(random: &mut Random, of: [T; N]) -> T {
    of[random.usize(..N)]
}

/// Messages, written field by field.
#[derive(Default)]
struct Writer {
    fields: Vec<Vec<u8>>,
}

impl Writer {
    fn varint(random: &mut Random, mut value: u64, out: &mut Vec<u8>) {
        let padded = value < 1 << 40 && random.u8(..12) == 0;
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8 | if padded { 0x80 } else { 0 });
        if padded {
            out.push(0);
        }
    }

    fn number(&mut self, random: &mut Random, field: u64, value: u64) {
        let mut out = Vec::new();
        Writer::varint(random, field << 3, &mut out);
        Writer::varint(random, value, &mut out);
        self.fields.push(out);
    }

    fn bytes(&mut self, random: &mut Random, field: u64, value: &[u8]) {
        let mut out = Vec::new();
        Writer::varint(random, field << 3 | 2, &mut out);
        Writer::varint(random, value.len() as u64, &mut out);
        out.extend_from_slice(value);
        self.fields.push(out);
    }

    fn fixed64(&mut self, random: &mut Random, field: u64, value: u64) {
        let mut out = Vec::new();
        Writer::varint(random, field << 3 | 1, &mut out);
        out.extend_from_slice(&value.to_le_bytes());
        self.fields.push(out);
    }

    fn fixed32(&mut self, random: &mut Random, field: u64, value: u32) {
        let mut out = Vec::new();
        Writer::varint(random, field << 3 | 5, &mut out);
        out.extend_from_slice(&value.to_le_bytes());
        self.fields.push(out);
    }

    /// A field that no message has.
    fn unknown(&mut self, random: &mut Random) {
        let field = [100, 999, 70_000][random.usize(..3)];
        match random.u8(..3) {
            0 => self.number(random, field, 7),
            1 => self.bytes(random, field, b"what is this"),
            _ => self.fixed64(random, field, 1),
        }
    }

    /// The message, mostly in the order written.
    fn finish(mut self, random: &mut Random) -> Vec<u8> {
        if random.u8(..10) == 0 {
            self.unknown(random);
        }
        if random.u8(..6) == 0 {
            random.shuffle(&mut self.fields);
        }
        self.fields.concat()
    }
}

fn any_value(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut value = Writer::default();
    match random.u8(..if depth < 3 { 14 } else { 11 }) {
        0..5 => {
            let texts = ["GET", "", "é", "a value of more than sixteen bytes", "own"];
            let mut text = one_of(random, texts).to_owned();
            if text == "own" {
                text.push_str(&"x".repeat(random.usize(..200)));
            }
            value.bytes(random, 1, text.as_bytes());
        }
        5 => {
            let bit = random.u64(..3);
            value.number(random, 2, bit);
        }
        6..9 => {
            let number = one_of(random, [0, 1, 200, u64::MAX, 1 << 63]);
            value.number(random, 3, number);
        }
        9 => value.fixed64(random, 4, 1.5f64.to_bits()),
        10 => value.bytes(random, 7, &[0, 0xff]),
        11 => {
            let mut array = Writer::default();
            for _ in 0..random.usize(..3) {
                let member = any_value(random, depth + 1);
                array.bytes(random, 1, &member);
            }
            let array = array.finish(random);
            value.bytes(random, 5, &array);
        }
        12 => {
            let mut map = Writer::default();
            for _ in 0..random.usize(..3) {
                let member = key_value(random, depth + 1);
                map.bytes(random, 1, &member);
            }
            let map = map.finish(random);
            value.bytes(random, 6, &map);
        }
        _ => {}
    }
    value.finish(random)
}

fn key_value(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut entry = Writer::default();
    let key = one_of(
        random,
        [
            "http.method",
            "k",
            "",
            "ключ",
            "a.key.of.more.than.sixteen.bytes",
        ],
    );
    if random.u8(..30) > 0 {
        entry.bytes(random, 1, key.as_bytes());
    }
    if random.u8(..30) > 0 {
        let value = any_value(random, depth);
        entry.bytes(random, 2, &value);
    }
    if random.u8(..30) == 0 {
        entry.bytes(random, 1, b"the last key counts");
    }
    entry.finish(random)
}

fn event(random: &mut Random) -> Vec<u8> {
    let mut event = Writer::default();
    event.fixed64(random, 1, 5);
    event.bytes(random, 2, b"exception");
    for _ in 0..random.usize(..3) {
        let attribute = key_value(random, 1);
        event.bytes(random, 3, &attribute);
    }
    event.number(random, 4, 1);
    event.finish(random)
}

fn link(random: &mut Random) -> Vec<u8> {
    let mut link = Writer::default();
    link.bytes(random, 1, &[3; 16]);
    link.bytes(random, 2, &[4; 8]);
    link.bytes(random, 3, b"k=v");
    let attribute = key_value(random, 1);
    link.bytes(random, 4, &attribute);
    link.fixed32(random, 6, 0x100);
    link.finish(random)
}

fn status(random: &mut Random) -> Vec<u8> {
    let mut status = Writer::default();
    if random.bool() {
        status.bytes(random, 2, "wrong, é".as_bytes());
    }
    let code = one_of(random, [0, 1, 2, 3, u64::MAX]);
    status.number(random, 3, code);
    status.finish(random)
}

fn span(random: &mut Random) -> Vec<u8> {
    let mut span = Writer::default();
    let id = one_of(
        random,
        [&[7; 16][..], &[8; 16], &[9; 16], &[0; 16], &[1; 15]],
    );
    span.bytes(random, 1, id);
    let id = [random.u8(..4); 8];
    span.bytes(random, 2, &id);
    if random.u8(..10) == 0 {
        span.bytes(random, 1, &[6; 16]);
    }
    if random.u8(..8) == 0 {
        span.bytes(random, 3, b"a=b");
    }
    if random.bool() {
        let id = one_of(random, [&[5; 8][..], &[0; 8], &[], &[1; 3]]);
        span.bytes(random, 4, id);
    }
    let name = one_of(random, ["GET /", "", "SELECT", "имя"]);
    span.bytes(random, 5, name.as_bytes());
    let kind = one_of(random, [0, 1, 2, 3, 5, 6, u64::MAX]);
    span.number(random, 6, kind);
    let [start, end] = [(); 2].map(|()| one_of(random, [0, 1, 1 << 60, u64::MAX]));
    span.fixed64(random, 7, start);
    span.fixed64(random, 8, end);
    for _ in 0..random.usize(..6) {
        let attribute = key_value(random, 0);
        span.bytes(random, 9, &attribute);
    }
    if random.u8(..6) == 0 {
        span.number(random, 10, 3);
        span.number(random, 12, 4);
        span.number(random, 14, 5);
    }
    if random.u8(..4) == 0 {
        let (event, link) = (event(random), link(random));
        span.bytes(random, 11, &event);
        span.bytes(random, 13, &link);
    }
    for _ in 0..random.usize(..3) {
        let status = status(random);
        span.bytes(random, 15, &status);
    }
    span.fixed32(random, 16, 0x301);
    span.finish(random)
}

/// A resource (attributes in field 1) or a scope (in field 3), sometimes in several pieces.
fn origin(random: &mut Random, attributes: u64) -> Vec<u8> {
    let mut origin = Writer::default();
    if attributes == 3 {
        origin.bytes(random, 1, b"io.opentelemetry.test");
        origin.bytes(random, 2, b"1.0");
    } else if random.u8(..4) > 0 {
        let mut service = Writer::default();
        service.bytes(random, 1, b"service.name");
        let mut name = Writer::default();
        let text = one_of(random, ["cart", "shop", ""]);
        name.bytes(random, 1, text.as_bytes());
        let name = name.finish(random);
        service.bytes(random, 2, &name);
        let service = service.finish(random);
        origin.bytes(random, attributes, &service);
    }
    for _ in 0..random.usize(..3) {
        let attribute = key_value(random, 0);
        origin.bytes(random, attributes, &attribute);
    }
    let dropped = random.u64(..2);
    origin.number(random, attributes + 1, dropped);
    origin.finish(random)
}

fn request(random: &mut Random) -> Vec<u8> {
    let mut request = Writer::default();
    let scope = origin(random, 3);
    for _ in 0..random.usize(1..4) {
        let mut group = Writer::default();
        for _ in 0..one_of(random, [1, 1, 1, 0, 2]) {
            let resource = origin(random, 1);
            group.bytes(random, 1, &resource);
        }
        for _ in 0..random.usize(1..3) {
            let mut spans = Writer::default();
            for _ in 0..one_of(random, [1, 1, 1, 0, 2]) {
                // Mostly the one that others have too.
                let own = origin(random, 3);
                let scope = one_of(random, [&scope, &scope, &scope, &own]);
                spans.bytes(random, 1, scope);
            }
            for _ in 0..random.usize(..6) {
                let span = span(random);
                spans.bytes(random, 2, &span);
            }
            if random.bool() {
                spans.bytes(random, 3, b"https://example.org/scope");
            }
            let spans = spans.finish(random);
            group.bytes(random, 2, &spans);
        }
        if random.bool() {
            group.bytes(random, 3, b"https://example.org/resource");
        }
        let group = group.finish(random);
        request.bytes(random, 1, &group);
    }
    request.finish(random)
}

/// An attribute of ours as prost would have it.
fn as_prost(attribute: Attribute<'_>) -> (String, Vec<u8>) {
    let value = match attribute.value {
        Ours::Str(text) => Some(Value::String(text.to_owned())),
        Ours::Int(number) => Some(Value::Int(number)),
        Ours::Double(number) => Some(Value::Double(number)),
        Ours::Bool(bit) => Some(Value::Bool(bit)),
        Ours::Bytes(bytes) => Some(Value::Bytes(bytes.to_vec())),
        Ours::Any(encoded) => AnyValue::decode(encoded).expect("it was checked").value,
    };
    (attribute.key.to_owned(), AnyValue { value }.encode_to_vec())
}

/// Attributes of prost's, to be compared: by their bytes, since a NaN is not itself.
fn attributes(list: &[KeyValue]) -> Vec<(String, Vec<u8>)> {
    let value = |attribute: &KeyValue| attribute.value.clone().unwrap_or_default().encode_to_vec();
    list.iter()
        .map(|attribute| (attribute.key.clone(), value(attribute)))
        .collect()
}

/// Why D5 refuses this span, if it does.
fn refusal(span: &Span) -> Option<Reason> {
    let zero = |id: &[u8]| id.iter().all(|byte| *byte == 0);
    let wrong = |id: &[u8], length| id.len() != length || zero(id);
    if wrong(&span.trace_id, 16) {
        Some(Reason::TraceId)
    } else if wrong(&span.span_id, 8) {
        Some(Reason::SpanId)
    } else if ![0, 8].contains(&span.parent_span_id.len()) {
        Some(Reason::ParentSpanId)
    } else {
        None
    }
}

fn same(ours: SpanRef<'_>, span: &Span, resource: &Resource, scope: &Scope, urls: [&str; 2]) {
    assert_eq!(ours.trace_id().0[..], span.trace_id[..]);
    assert_eq!(ours.span_id().0[..], span.span_id[..]);
    let parent = ours.parent().unwrap_or_default().0;
    let empty_is_zero = if span.parent_span_id.is_empty() {
        &[0; 8]
    } else {
        &span.parent_span_id[..]
    };
    assert_eq!(parent[..], *empty_is_zero);
    assert_eq!(ours.operation(), span.name);
    assert_eq!(ours.start_unix_ns(), span.start_time_unix_nano);
    let duration = span
        .end_time_unix_nano
        .saturating_sub(span.start_time_unix_nano);
    assert_eq!(ours.duration_ns(), duration);
    let rest = Rest::parse(ours.rest());
    assert_eq!(rest.kind.unwrap_or_else(|| ours.kind() as i32), span.kind);
    let status = span.status.clone().unwrap_or_default();
    assert_eq!(
        rest.status_code.unwrap_or_else(|| ours.status() as i32),
        status.code
    );
    assert_eq!(ours.status_message(), status.message);
    assert_eq!(ours.flags(), span.flags);
    assert_eq!(
        ours.attributes().map(as_prost).collect::<Vec<_>>(),
        attributes(&span.attributes)
    );
    let lifted: Vec<_> = span
        .events
        .iter()
        .flat_map(|event| attributes(&event.attributes))
        .collect();
    assert_eq!(
        ours.event_attributes().map(as_prost).collect::<Vec<_>>(),
        lifted
    );
    assert_eq!(rest.trace_state, span.trace_state);
    let dropped = [
        rest.dropped_attributes_count,
        rest.dropped_events_count,
        rest.dropped_links_count,
    ];
    assert_eq!(
        dropped,
        [
            span.dropped_attributes_count,
            span.dropped_events_count,
            span.dropped_links_count
        ]
    );
    assert_eq!(rest.events.len(), span.events.len());
    assert_eq!(rest.links.len(), span.links.len());
    for (ours, link) in rest.links.iter().zip(&span.links) {
        assert_eq!(
            (ours.trace_id, ours.span_id),
            (&link.trace_id[..], &link.span_id[..])
        );
        assert_eq!(
            (ours.trace_state, ours.flags),
            (link.trace_state.as_str(), link.flags)
        );
        let list: Vec<_> = ours.attributes.iter().copied().map(as_prost).collect();
        assert_eq!(list, attributes(&link.attributes));
    }
    let mut marks = Marks::default();
    let mut keys: Vec<_> = span
        .attributes
        .iter()
        .map(|attribute| &attribute.key)
        .collect();
    keys.sort_unstable();
    if keys.windows(2).any(|two| two[0] == two[1]) {
        marks.set(Marks::DUPLICATE_KEYS);
    }
    if span.start_time_unix_nano == 0 {
        marks.set(Marks::NO_START_TIME);
    }
    if span.end_time_unix_nano < span.start_time_unix_nano {
        marks.set(Marks::END_BEFORE_START);
    }
    assert_eq!(ours.marks(), marks);
    let list: Vec<_> = ours.resource().attributes().map(as_prost).collect();
    assert_eq!(list, attributes(&resource.attributes));
    let list: Vec<_> = ours.scope().attributes().map(as_prost).collect();
    assert_eq!(list, attributes(&scope.attributes));
    assert_eq!(
        (ours.scope().name(), ours.scope().version()),
        (scope.name.as_str(), scope.version.as_str())
    );
    assert_eq!(
        [ours.resource().schema_url(), ours.scope().schema_url()],
        urls
    );
}

/// Whether prost read the body, so that it was compared.
fn check(body: &[u8]) -> bool {
    let Ok(request) = Request::decode(body) else {
        return false;
    };
    let (batch, report) = decode(PROTOBUF, body).expect("prost reads it");
    let (mut taken, mut refused) = (batch.spans(), Vec::new());
    for group in &request.resource_spans {
        let resource = group.resource.clone().unwrap_or_default();
        for spans in &group.scope_spans {
            let scope = spans.scope.clone().unwrap_or_default();
            let urls = [group.schema_url.as_str(), spans.schema_url.as_str()];
            for span in &spans.spans {
                match refusal(span) {
                    Some(reason) => refused.push(reason),
                    None => same(
                        taken.next().expect("it is good"),
                        span,
                        &resource,
                        &scope,
                        urls,
                    ),
                }
            }
        }
    }
    assert!(taken.next().is_none());
    let count = |reason: &Reason| refused.iter().filter(|other| *other == reason).count();
    assert_eq!(report.refused_count(), refused.len());
    assert!(
        report
            .refused
            .iter()
            .all(|(reason, seen)| *seen == count(reason))
    );
    true
}

#[test]
fn requests_of_any_form_mean_what_prost_says() {
    let mut random = Random::with_seed(21);
    for _ in 0..4_000 {
        let body = request(&mut random);
        assert!(check(&body), "prost reads what is written");
    }
}

#[test]
fn damaged_requests_that_prost_still_reads_mean_the_same() {
    let (mut random, mut compared) = (Random::with_seed(22), 0);
    for _ in 0..20_000 {
        let mut body = request(&mut random);
        for _ in 0..random.usize(1..3) {
            let at = random.usize(..body.len());
            body[at] = random.u8(..);
        }
        compared += usize::from(check(&body));
    }
    assert!(compared > 1_000, "{compared}");
}
