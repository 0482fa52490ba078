//! Once a builder is warm, decoding allocates for the batch as a whole and not for its spans. One test
//! alone in its binary, since the allocator counts for all.
// A counting allocator cannot be written without `unsafe`; it only counts calls to the system's, which
// upholds the contract.
#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message;
use support::{Decoder, KeyValue, PROTOBUF, Request, SPANS, plain_span, request_of, text};
use tracewell_model::BatchBuilder;
use tracewell_wire::Report;

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller upholds `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds `dealloc`'s contract, and `alloc` came from the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of a decode, the batch included.
fn calls(decoder: Decoder, body: &[u8], builder: &mut BatchBuilder) -> usize {
    let (before, mut report) = (CALLS.load(Ordering::Relaxed), Report::default());
    decoder(body, builder, &mut report).expect("a sound body");
    let batches = builder.finish();
    let calls = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(
        batches.iter().map(|batch| batch.len()).sum::<usize>(),
        report.accepted
    );
    calls
}

/// What a span of this number has: some values that repeat, one of its own.
fn values(span: usize) -> [(&'static str, String); 3] {
    [
        ("http.method", ["GET", "POST"][span % 2].to_owned()),
        ("http.route", format!("/api/{}", span % 7)),
        ("request.id", format!("request-{span}")),
    ]
}

fn protobuf(spans: usize) -> Vec<u8> {
    let mut request: Request = request_of(plain_span());
    let template = plain_span();
    let list = &mut request.resource_spans[0].scope_spans[0].spans;
    list.clear();
    for span in 0..spans {
        let mut next = template.clone();
        next.span_id = (span as u64 + 1).to_be_bytes().to_vec();
        let values = values(span).into_iter();
        let attribute = |(key, value): (&str, String)| -> KeyValue { text(key, &value) };
        next.attributes = values.map(attribute).collect();
        list.push(next);
    }
    request.encode_to_vec()
}

fn json(spans: usize) -> Vec<u8> {
    let span = |span: usize| {
        let tags = values(span).map(|(key, value)| format!("\"{key}\":\"{value}\""));
        format!(
            r#"{{"trace_id":"7","span_id":"{:x}","service_name":"cart","operation_name":"o","start_time_unix_ns":5,"duration_ms":1,"tags":{{{}}}}}"#,
            span + 1,
            tags.join(",")
        )
    };
    let spans: Vec<String> = (0..spans).map(span).collect();
    format!("[{}]", spans.join(",")).into_bytes()
}

#[test]
fn a_span_costs_no_allocation() {
    let cases: [(Decoder, _, _); 2] = [
        (PROTOBUF, protobuf(100), protobuf(1_000)),
        (SPANS, json(100), json(1_000)),
    ];
    for (decoder, small, large) in cases {
        let mut builder = BatchBuilder::new(2);
        calls(decoder, &large, &mut builder);
        let of_large = calls(decoder, &large, &mut builder);
        let of_small = calls(decoder, &small, &mut builder);
        assert_eq!(of_large, of_small);
        assert!(of_small < 100, "{of_small}");
    }
}
