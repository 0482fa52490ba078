//! Zipkin v2 protobuf: never a panic; what was taken in goes out and in again unchanged.
#![no_main]

#[path = "../round_trip.rs"]
mod round_trip;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| round_trip::check(tracewell_wire::zipkin::decode_protobuf, bytes));
