//! The sections of a segment's block, from any bytes: refused, or a sound batch that writes and
//! reads again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tracewell_storage_embedded::fuzzing::block(bytes));
