//! What the tests of OTLP share: its messages as prost sees them (an independent implementation to
//! compare with), and one-call decoders.
// Each test binary uses a part of it; what is skipped is told on the terminal.
#![allow(dead_code, unreachable_pub, clippy::print_stdout)]

use std::path::PathBuf;

use tracewell_model::{BatchBuilder, SpanBatch};
use tracewell_wire::{DecodeError, Report};

#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<ScopeSpans>,
    #[prost(string, tag = "3")]
    pub schema_url: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "2")]
    pub dropped_attributes_count: u32,
    #[prost(message, repeated, tag = "3")]
    pub entity_refs: Vec<EntityRef>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct EntityRef {
    #[prost(string, tag = "1")]
    pub schema_url: String,
    #[prost(string, tag = "2")]
    pub r#type: String,
    #[prost(string, repeated, tag = "3")]
    pub id_keys: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    pub description_keys: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
    #[prost(string, tag = "3")]
    pub schema_url: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Scope {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    pub dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    pub parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(int32, tag = "6")]
    pub kind: i32,
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "10")]
    pub dropped_attributes_count: u32,
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
    #[prost(uint32, tag = "12")]
    pub dropped_events_count: u32,
    #[prost(message, repeated, tag = "13")]
    pub links: Vec<Link>,
    #[prost(uint32, tag = "14")]
    pub dropped_links_count: u32,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub flags: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    #[prost(fixed64, tag = "1")]
    pub time_unix_nano: u64,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    pub dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub trace_state: String,
    #[prost(message, repeated, tag = "4")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "5")]
    pub dropped_attributes_count: u32,
    #[prost(fixed32, tag = "6")]
    pub flags: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(int32, tag = "3")]
    pub code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<KeyValue>,
}

pub type Decoder = fn(&[u8], &mut BatchBuilder, &mut Report) -> Result<(), DecodeError>;

pub const PROTOBUF: Decoder = tracewell_wire::otlp::protobuf::decode;
pub const JSON: Decoder = tracewell_wire::otlp::json::decode;
pub const SPANS: Decoder = tracewell_wire::spans_json::decode;

/// Decodes into one batch; what an error leaves in the builder must be nothing.
pub fn decode(decoder: Decoder, body: &[u8]) -> Result<(SpanBatch, Report), DecodeError> {
    let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
    match decoder(body, &mut builder, &mut report) {
        Ok(()) => {
            assert_eq!(builder.len(), report.accepted);
            Ok((builder.finish_one(), report))
        }
        Err(error) => {
            assert!(builder.is_empty(), "an error must push nothing: {error}");
            Err(error)
        }
    }
}

/// Decodes and tells in a word what became of the body: `3` accepted, `1 trace_id` refused, `error`.
pub fn outcome(decoder: Decoder, body: &[u8]) -> String {
    let Ok((_, report)) = decode(decoder, body) else {
        return "error".to_owned();
    };
    let mut words = vec![report.accepted.to_string()];
    for (reason, count) in &report.refused {
        words.push(format!("{} {count}", reason.name()));
    }
    words.join(", ")
}

/// A request with this one span.
pub fn request_of(span: Span) -> Request {
    let scope_spans = ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    };
    Request {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "cart")],
                ..Resource::default()
            }),
            scope_spans: vec![scope_spans],
            schema_url: String::new(),
        }],
    }
}

/// A span with nothing remarkable.
pub fn plain_span() -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "GET /".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_001_500_000,
        ..Span::default()
    }
}

/// A span with something in every field.
pub fn full_span() -> Span {
    let nested = Value::Map(KeyValueList {
        values: vec![
            text("inner", "é"),
            key_value(
                "list",
                Value::Array(ArrayValue {
                    values: vec![any(Value::Int(-1)), AnyValue { value: None }],
                }),
            ),
        ],
    });
    Span {
        trace_state: "a=1,b=2".to_owned(),
        parent_span_id: vec![8; 8],
        attributes: vec![
            text("http.method", "GET"),
            key_value("n", Value::Int(i64::MIN)),
            key_value("x", Value::Double(0.1)),
            key_value("b", Value::Bool(true)),
            key_value("raw", Value::Bytes(vec![0, 255])),
            key_value("nested", nested),
        ],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 1_700_000_000_000_000_001,
            name: "exception".to_owned(),
            attributes: vec![text("exception.message", "no route")],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "c=3".to_owned(),
            attributes: vec![key_value("k", Value::Int(5))],
            dropped_attributes_count: 4,
            flags: 0x300,
        }],
        dropped_links_count: 5,
        status: Some(Status {
            message: "failed".to_owned(),
            code: 2,
        }),
        flags: 0x101,
        ..plain_span()
    }
}

pub fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
    }
}

pub fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, Value::String(value.to_owned()))
}

/// A folder of the shared test data; none where it is not there, as in a plain checkout.
pub fn shared_data(folder: &str) -> Option<PathBuf> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = data.join(folder);
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}
