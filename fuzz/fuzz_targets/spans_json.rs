//! The /v1/spans body: never a panic; what was taken in goes out and in again unchanged; the quick
//! reader (for an empty builder) and the careful one find the same.
#![no_main]

#[path = "../round_trip.rs"]
mod round_trip;

use tracewell_model::BatchBuilder;
use tracewell_wire::{Report, otlp, spans_json};

const FIRST: &[u8] = br#"[{"trace_id":"1","span_id":"1","service_name":"s","operation_name":"o","start_time_unix_ns":1,"duration_ms":1}]"#;

fn decoded(bytes: &[u8], builder: &mut BatchBuilder) -> (String, Vec<u8>) {
    let (before, mut report) = (builder.len(), Report::default());
    let outcome = spans_json::decode(bytes, builder, &mut report);
    let batch = builder.finish_one();
    (format!("{outcome:?} {report:?}"), otlp::encode::encode(batch.spans().skip(before)))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    round_trip::check(spans_json::decode, bytes);
    let (mut empty, mut begun) = (BatchBuilder::new(1), BatchBuilder::new(1));
    spans_json::decode(FIRST, &mut begun, &mut Report::default()).expect("a sound body");
    assert_eq!(decoded(bytes, &mut empty), decoded(bytes, &mut begun));
});
