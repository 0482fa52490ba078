//! OTLP in, OTLP out: nothing is lost, in protobuf and through JSON, judged by prost.

mod support;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use prost::Message;
use support::{
    AnyValue, ArrayValue, Event, JSON, KeyValue, KeyValueList, Link, PROTOBUF, Request, Resource,
    ResourceSpans, Scope, ScopeSpans, Span, Status, Value, decode, full_span, request_of,
};
use tracewell_wire::otlp::{encode, json_encode};

/// Finite doubles: JSON has no payload of NaN, and prost compares NaN as unequal.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        ".{0,12}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::Double),
        Just(Value::Double(f64::INFINITY)),
        vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let item = option::of(inner).prop_map(|value| AnyValue { value });
        let entry = ("[a-c]{0,2}", item.clone()).prop_map(|(key, value)| KeyValue {
            key,
            value: Some(value),
        });
        prop_oneof![
            vec(item, 0..4).prop_map(|values| Value::Array(ArrayValue { values })),
            vec(entry, 0..4).prop_map(|values| Value::Map(KeyValueList { values })),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let attribute = ("[a-z.]{0,6}", option::of(value())).prop_map(|(key, value)| KeyValue {
        key,
        value: value.map(|value| AnyValue { value: Some(value) }),
    });
    vec(attribute, 0..5)
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), ".{0,5}", attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    let ids = (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..10));
    (ids, ".{0,5}", attributes(), any::<u32>(), any::<u32>()).prop_map(
        |((trace_id, span_id), trace_state, attributes, dropped, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count: dropped,
            flags,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (1..u128::MAX, 1..u64::MAX, option::of(1..u64::MAX));
    let times = prop_oneof![
        (any::<u64>(), any::<u64>()),
        (0..3u64, 0..3u64), // absent, and ends before starts
    ];
    let counts = any::<[u32; 4]>();
    let status = option::of((".{0,5}", -2..5i32));
    let texts = (".{0,8}", ".{0,8}", -2..8i32);
    let lists = (attributes(), vec(event(), 0..3), vec(link(), 0..3));
    (ids, times, counts, status, texts, lists).prop_map(
        |(ids, times, counts, status, texts, lists)| Span {
            trace_id: ids.0.to_be_bytes().to_vec(),
            span_id: ids.1.to_be_bytes().to_vec(),
            parent_span_id: ids.2.map_or(Vec::new(), |id| id.to_be_bytes().to_vec()),
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            name: texts.0,
            trace_state: texts.1,
            kind: texts.2,
            attributes: lists.0,
            events: lists.1,
            links: lists.2,
            dropped_attributes_count: counts[0],
            dropped_events_count: counts[1],
            dropped_links_count: counts[2],
            flags: counts[3],
            status: status.map(|(message, code)| Status { message, code }),
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let scope = (".{0,5}", "[0-9]?", attributes(), 0..3u32).prop_map(
        |(name, version, attributes, dropped_attributes_count)| Scope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    let scope_spans =
        (option::of(scope), vec(span(), 0..4), "[u]?").prop_map(|(scope, spans, schema_url)| {
            ScopeSpans {
                scope,
                spans,
                schema_url,
            }
        });
    let resource = (attributes(), 0..3u32).prop_map(|(attributes, count)| Resource {
        attributes,
        dropped_attributes_count: count,
        entity_refs: Vec::new(),
    });
    let resource_spans = (option::of(resource), vec(scope_spans, 0..3), "[v]?").prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    );
    vec(resource_spans, 0..3).prop_map(|resource_spans| Request { resource_spans })
}

/// One span with all that is around it: requests are compared as lists of these, since equal groups
/// are merged. Absent and empty messages are one, as they are to protobuf's readers.
type Flat = (Resource, String, Scope, String, Span);

fn flatten(request: Request) -> Vec<Flat> {
    let mut flat = Vec::new();
    for mut group in request.resource_spans {
        for mut scope_spans in std::mem::take(&mut group.scope_spans) {
            for mut span in std::mem::take(&mut scope_spans.spans) {
                span.status = Some(span.status.unwrap_or_default());
                span.attributes = present(span.attributes);
                span.events.iter_mut().for_each(|event| {
                    event.attributes = present(std::mem::take(&mut event.attributes));
                });
                span.links.iter_mut().for_each(|link| {
                    link.attributes = present(std::mem::take(&mut link.attributes));
                });
                let mut resource = group.resource.clone().unwrap_or_default();
                resource.attributes = present(resource.attributes);
                let mut scope = scope_spans.scope.clone().unwrap_or_default();
                scope.attributes = present(scope.attributes);
                let urls = (group.schema_url.clone(), scope_spans.schema_url.clone());
                flat.push((resource, urls.0, scope, urls.1, span));
            }
        }
    }
    flat.sort_by_cached_key(|one| format!("{one:?}"));
    flat
}

fn present(mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    for attribute in &mut attributes {
        attribute.value.get_or_insert_default();
    }
    attributes
}

fn check(request: &Request) {
    let (batch, report) = decode(PROTOBUF, &request.encode_to_vec()).expect("it is sound");
    assert_eq!(report.refused_count(), 0, "{}", report.refusals());
    let expected = flatten(request.clone());

    let encoded = encode::encode(batch.spans());
    let back = Request::decode(&encoded[..]).expect("prost reads what we write");
    assert_eq!(flatten(back), expected);

    let json = json_encode::encode(batch.spans());
    let (from_json, report) = decode(JSON, json.as_bytes()).expect("we read what we write");
    assert_eq!(report.refused_count(), 0, "{}: {json}", report.refusals());
    let encoded = encode::encode(from_json.spans());
    let back = Request::decode(&encoded[..]).expect("prost reads what we write");
    assert_eq!(flatten(back), expected, "{json}");
}

proptest::proptest! {
    #[test]
    fn nothing_is_lost(request in request()) {
        check(&request);
    }
}

#[test]
fn a_full_span_with_entities_comes_back() {
    let mut request = request_of(full_span());
    let resource = request.resource_spans[0]
        .resource
        .as_mut()
        .expect("it has one");
    resource.entity_refs.push(support::EntityRef {
        schema_url: "s".to_owned(),
        r#type: "host".to_owned(),
        id_keys: vec!["a".to_owned(), "b".to_owned()],
        description_keys: vec!["c".to_owned()],
    });
    check(&request);
}

#[test]
fn unknown_fields_come_back_in_protobuf() {
    let mut request = request_of(full_span()).encode_to_vec();
    let (batch, _) = decode(PROTOBUF, &request).expect("it is sound");
    let known = encode::encode(batch.spans());
    assert!(!known.windows(3).any(|bytes| bytes == b"new"));
    // The span is the last field of the last message but for its own end: rebuild it with one more.
    let mut span = full_span().encode_to_vec();
    span.extend_from_slice(&[0x92, 0x03, 3, b'n', b'e', b'w']); // field 50
    let mut scope_spans = Vec::new();
    tracewell_wire::proto::put_bytes_field(&mut scope_spans, 2, &span);
    let mut resource_spans = Vec::new();
    tracewell_wire::proto::put_bytes_field(&mut resource_spans, 2, &scope_spans);
    request.clear();
    tracewell_wire::proto::put_bytes_field(&mut request, 1, &resource_spans);
    let (batch, _) = decode(PROTOBUF, &request).expect("it is sound");
    let back = encode::encode(batch.spans());
    assert!(back.windows(3).any(|bytes| bytes == b"new"));
}

#[test]
fn equal_resources_of_several_batches_are_one_group() {
    let body = request_of(full_span()).encode_to_vec();
    let (first, _) = decode(PROTOBUF, &body).expect("it is sound");
    let (second, _) = decode(PROTOBUF, &body).expect("it is sound");
    let encoded = encode::encode(first.spans().chain(second.spans()));
    let back = Request::decode(&encoded[..]).expect("prost reads what we write");
    assert_eq!(back.resource_spans.len(), 1);
    assert_eq!(back.resource_spans[0].scope_spans[0].spans.len(), 2);
}
