//! Round trips over arbitrary batches, and decoding of anything at all.
#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;
use tracewell_model::span::Marks;
use tracewell_model::{
    Attribute, BatchBuilder, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId, Value,
};

use super::{decode, encode};

#[derive(Clone, Debug)]
enum Owned {
    Str(String),
    Int(i64),
    Double(u64),
    Bool(bool),
    Bytes(Vec<u8>),
    Any(Vec<u8>),
}

type Attributes = Vec<(String, Owned)>;

#[derive(Clone, Debug)]
struct Row {
    ids: (u8, u8, u8),
    source: (u8, u8),
    times: (u64, u64),
    operation: String,
    numbers: (u8, u8, u32, u16),
    message: String,
    attributes: Attributes,
    event_attributes: Attributes,
    rest: Vec<u8>,
}

fn value() -> impl Strategy<Value = Owned> {
    prop_oneof![
        "[a-c]{0,3}|\\PC{0,8}".prop_map(Owned::Str),
        long_text().prop_map(Owned::Str),
        any::<i64>().prop_map(Owned::Int),
        (-3..300i64).prop_map(Owned::Int),
        any::<u64>().prop_map(Owned::Double),
        any::<bool>().prop_map(Owned::Bool),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Owned::Bytes),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Owned::Any),
    ]
}

/// Texts that share their ends, hexadecimal numbers, and what is nearly one.
fn long_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "http://(cart|stock)[.]prod[.]svc:8080/é/[0-9]{1,9}/(images|tags)",
        "[0-9a-f]{32}|[0-9a-f]{31}[0-9a-g]|[0-9a-f]{40,41}",
        "SELECT id, status FROM [a-z]{3,40} WHERE id = [?]",
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::vec(("[a-d]{1,2}", value()), 0..4)
}

fn row() -> impl Strategy<Value = Row> {
    let head = (
        any::<(u8, u8, u8)>(),
        any::<(u8, u8)>(),
        any::<(u64, u64)>(),
        "[a-c]{0,2}",
    );
    let tail = (
        (0..6u8, 0..3u8, any::<u32>(), any::<u16>()),
        "[xy]{0,2}",
        attributes(),
        attributes(),
        prop::collection::vec(any::<u8>(), 0..10),
    );
    (head, tail).prop_map(|((ids, source, times, operation), tail)| Row {
        ids,
        source,
        times,
        operation,
        numbers: tail.0,
        message: tail.1,
        attributes: tail.2,
        event_attributes: tail.3,
        rest: tail.4,
    })
}

fn borrowed(attributes: &Attributes) -> Vec<Attribute<'_>> {
    let value = |value| match value {
        &Owned::Int(number) => Value::Int(number),
        &Owned::Double(bits) => Value::Double(f64::from_bits(bits)),
        &Owned::Bool(bit) => Value::Bool(bit),
        Owned::Str(text) => Value::Str(text),
        Owned::Bytes(bytes) => Value::Bytes(bytes),
        Owned::Any(bytes) => Value::Any(bytes),
    };
    attributes
        .iter()
        .map(|(key, owned)| Attribute::new(key, value(owned)))
        .collect()
}

/// These bytes; in between, the texts of these attributes.
fn with_texts(bytes: &[u8], attributes: &Attributes) -> Vec<u8> {
    let mut rest = Vec::new();
    for ((_, value), byte) in attributes.iter().zip(bytes) {
        rest.push(*byte);
        if let Owned::Str(text) = value {
            rest.extend_from_slice(text.as_bytes());
        }
    }
    rest.extend_from_slice(bytes);
    rest
}

fn build(rows: &[Row], sources: &[Attributes]) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let mut handles = Vec::new();
    for (number, attributes) in sources.iter().enumerate() {
        let attributes = &borrowed(attributes);
        let service = &format!("s{number}");
        let resource = ResourceInput {
            service,
            schema_url: "u",
            attributes,
            rest: b"r",
        };
        let scope = ScopeInput {
            name: service,
            version: "1",
            schema_url: "",
            attributes,
            rest: b"",
        };
        handles.push((builder.resource(&resource), builder.scope(&scope)));
    }
    for row in rows {
        let (trace, span, parent) = row.ids;
        let at = |number: u8| number as usize % handles.len();
        builder.push(&SpanInput {
            trace_id: TraceId([trace % 4 + 1; 16]),
            span_id: SpanId([span % 16 + 1; 8]),
            parent: (parent % 24 != 0).then_some(SpanId([parent % 24; 8])),
            resource: handles[at(row.source.0)].0,
            scope: handles[at(row.source.1)].1,
            start_unix_ns: row.times.0,
            duration_ns: row.times.1,
            operation: &row.operation,
            kind: SpanKind::from_u8(row.numbers.0).unwrap(),
            status: StatusCode::from_u8(row.numbers.1).unwrap(),
            status_message: &row.message,
            flags: row.numbers.2,
            attributes: &borrowed(&row.attributes),
            event_attributes: &borrowed(&row.event_attributes),
            rest: &with_texts(&row.rest, &row.event_attributes),
            marks: Marks(row.numbers.3),
        });
    }
    builder.finish_one()
}

fn batch() -> impl Strategy<Value = SpanBatch> {
    let rows = prop::collection::vec(row(), 0..20);
    let sources = prop::collection::vec(attributes(), 1..4);
    (rows, sources).prop_map(|(rows, sources)| build(&rows, &sources))
}

fn encoded(batch: &SpanBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(batch, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_batch_comes_back_equal(batch in batch()) {
        prop_assert_eq!(decode(&encoded(&batch)).unwrap(), batch);
    }

    #[test]
    fn a_cut_batch_is_refused(batch in batch(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&batch);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn changed_bytes_are_refused_or_make_a_sound_batch(
        batch in batch(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = encoded(&batch);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = decode(&bytes) {
            // Every read of a sound batch stays inside it.
            for span in read.spans() {
                span.attributes().chain(span.event_attributes()).for_each(|attribute| {
                    let _text = attribute.value.text();
                });
            }
            prop_assert_eq!(decode(&encoded(&read)).unwrap(), read);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _either = decode(&bytes);
    }
}

#[test]
fn huge_counts_cost_nothing() {
    // Each count in turn claims 2^62 elements; a reader that believed it would not come back.
    let claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
    for zeros in 0..9 {
        let mut bytes = vec![0; zeros];
        bytes.extend_from_slice(&claim);
        assert!(decode(&bytes).is_err());
    }
}

/// One root span with these attributes.
fn push(builder: &mut BatchBuilder, attributes: &[Attribute<'_>]) {
    let resource = builder.resource(&ResourceInput::default());
    let scope = builder.scope(&ScopeInput::default());
    builder.push(&SpanInput {
        trace_id: TraceId([1; 16]),
        span_id: SpanId((builder.len() as u64 + 1).to_le_bytes()),
        parent: None,
        resource,
        scope,
        start_unix_ns: u64::MAX,
        duration_ns: u64::MAX,
        operation: "",
        kind: SpanKind::Unspecified,
        status: StatusCode::Unset,
        status_message: "",
        flags: 0,
        attributes,
        event_attributes: &[],
        rest: &[],
        marks: Marks::default(),
    });
}

#[test]
fn few_bytes_stand_for_a_bounded_number_of_texts() {
    let mut builder = BatchBuilder::new(1);
    for number in 0..2_000 {
        let text = format!("{}{number}", "x".repeat(10_000));
        push(&mut builder, &[Attribute::new("text", Value::Str(&text))]);
    }
    let batch = builder.finish_one();
    let bytes = encoded(&batch);
    assert!(bytes.len() * 5 + (1 << 20) > batch.columns().text.text.len());
    assert!(bytes.len() * 4 < batch.columns().text.text.len());
    assert_eq!(decode(&bytes).unwrap(), batch);
}

#[test]
fn few_bytes_stand_for_a_bounded_number_of_values() {
    let keys: Vec<String> = (0..1_000).map(|key| format!("k{key}")).collect();
    let attributes: Vec<_> = keys
        .iter()
        .map(|key| Attribute::new(key, Value::Int(7)))
        .collect();
    for (rows, bytes_max) in [(100, 20_000), (1_000, 1_100_000)] {
        let mut builder = BatchBuilder::new(1);
        (0..rows).for_each(|_| push(&mut builder, &attributes));
        let batch = builder.finish_one();
        let bytes = encoded(&batch);
        assert!(bytes.len() < bytes_max, "{} bytes", bytes.len());
        assert!(batch.columns().values.len() < bytes.len() * 8 + (1 << 17));
        assert_eq!(decode(&bytes).unwrap(), batch);
    }
}

#[test]
fn a_typical_batch_is_compact() {
    let mut builder = BatchBuilder::new(1);
    let service = [Attribute::new("service.name", Value::Str("cart"))];
    let resource = builder.resource(&ResourceInput {
        service: "cart",
        attributes: &service,
        ..ResourceInput::default()
    });
    let scope = builder.scope(&ScopeInput {
        name: "http",
        ..ScopeInput::default()
    });
    let mut random = fastrand::Rng::with_seed(7);
    let mut ids = Vec::new();
    for number in 0..500u64 {
        ids.push(SpanId(random.u64(1..).to_le_bytes()));
        let mut trace = [1; 16];
        trace[..8].copy_from_slice(&(number / 10).to_le_bytes());
        builder.push(&SpanInput {
            trace_id: TraceId(trace),
            span_id: ids[number as usize],
            parent: (number % 10 != 0).then(|| ids[(number / 10 * 10) as usize]),
            resource,
            scope,
            start_unix_ns: 1_700_000_000_000_000_000 + number * 1_000_000,
            duration_ns: random.u64(1_000..10_000_000),
            operation: if number % 2 == 0 {
                "GET /cart"
            } else {
                "POST /cart"
            },
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            status_message: "",
            flags: 1,
            attributes: &[
                Attribute::new("http.route", Value::Str("/cart")),
                Attribute::new("http.status_code", Value::Int(200)),
            ],
            event_attributes: &[],
            rest: &[],
            marks: Marks::default(),
        });
    }
    let bytes = encoded(&builder.finish_one());
    assert!(bytes.len() < 500 * 21, "{} bytes a span", bytes.len() / 500);
}
