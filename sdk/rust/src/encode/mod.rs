//! Spans to bytes. A span is OTLP protobuf from its first attribute on (`record`), so that sending
//! a batch is joining byte strings; only the dialect of `POST /v1/spans` is made from those bytes
//! when it is sent (`spans_json`).

pub(crate) mod batch;
pub(crate) mod proto;
pub(crate) mod record;
pub(crate) mod spans_json;
