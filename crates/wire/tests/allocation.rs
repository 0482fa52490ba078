//! What hostile bodies may cost in memory: at their peak, decoders and batch together stay within a
//! small multiple of the body. One test alone in its binary, since the allocator counts for all.
// A counting allocator cannot be written without `unsafe`; it only adds and subtracts around the
// system's, which upholds the contract.
#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Decoder, JSON, PROTOBUF, SPANS};
use tracewell_model::BatchBuilder;
use tracewell_wire::Report;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller upholds `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds `dealloc`'s contract, and `alloc` came from the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn peak_of(decoder: Decoder, body: &[u8]) -> usize {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let (mut builder, mut report) = (BatchBuilder::new(4), Report::default());
    let _any_outcome = decoder(body, &mut builder, &mut report);
    let batches = builder.finish();
    let peak = PEAK.load(Ordering::Relaxed) - before;
    drop((batches, report));
    peak
}

fn repeated(prefix: &str, unit: &str, suffix: &str) -> Vec<u8> {
    format!("{prefix}{}{suffix}", vec![unit; 200_000].join(",")).into_bytes()
}

/// Messages nested by field numbers around `inner`.
fn wrapped(inner: Vec<u8>, numbers: &[u32]) -> Vec<u8> {
    numbers.iter().fold(inner, |inner, number| {
        let mut outer = Vec::new();
        tracewell_wire::proto::put_bytes_field(&mut outer, *number, &inner);
        outer
    })
}

/// A span with good ids and this field many times.
fn span_full_of(field: &[u8]) -> Vec<u8> {
    let mut span = Vec::new();
    tracewell_wire::proto::put_bytes_field(&mut span, 1, &[1; 16]);
    tracewell_wire::proto::put_bytes_field(&mut span, 2, &[1; 8]);
    span.extend(field.repeat(200_000));
    wrapped(span, &[2, 2, 1])
}

#[test]
fn no_body_costs_much_more_than_its_size() {
    let spans = r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#;
    let attributes = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":["#;
    let good = r#"[{"trace_id":"1","span_id":"2","service_name":"s","operation_name":"o","start_time_unix_ns":5,"duration_ms":1,"#;
    let cases: Vec<(&str, Decoder, Vec<u8>)> = vec![
        ("numbers for spans", SPANS, repeated("[", "0", "]")),
        ("empty spans", SPANS, repeated("[", "{}", "]")),
        (
            "tiny tags",
            SPANS,
            repeated(&format!("{good}\"tags\":{{"), "\"\":0", "}}]"),
        ),
        (
            "tiny arrays",
            SPANS,
            repeated(&format!("{good}\"tags\":{{\"k\":["), "0", "]}}]"),
        ),
        (
            "tiny events",
            SPANS,
            repeated(&format!("{good}\"events\":["), "{}", "]}]"),
        ),
        ("numbers for spans", JSON, repeated(spans, "0", "]}]}]}")),
        ("empty spans", JSON, repeated(spans, "{}", "]}]}]}")),
        (
            "tiny attributes",
            JSON,
            repeated(attributes, "{}", "]}]}]}]}"),
        ),
        ("no spans", PROTOBUF, [0x0a, 0].repeat(200_000)),
        (
            "scopes without spans",
            PROTOBUF,
            wrapped([0x12, 0].repeat(200_000), &[1]),
        ),
        (
            "empty spans",
            PROTOBUF,
            wrapped([0x12, 0].repeat(200_000), &[2, 1]),
        ),
        ("tiny attributes", PROTOBUF, span_full_of(&[0x4a, 0])),
        ("tiny events", PROTOBUF, span_full_of(&[0x5a, 0])),
        (
            "tiny event attributes",
            PROTOBUF,
            span_full_of(&[0x5a, 2, 0x1a, 0]),
        ),
        ("tiny links", PROTOBUF, span_full_of(&[0x6a, 0])),
        ("unknown fields", PROTOBUF, span_full_of(&[0x90, 3, 1])),
        (
            "a length that lies",
            PROTOBUF,
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 7],
        ),
    ];
    for (name, decoder, body) in cases {
        let (peak, allowed) = (peak_of(decoder, &body), 10 * body.len() + (1 << 20));
        assert!(peak <= allowed, "{name}: {peak} bytes for {}", body.len());
    }
}
