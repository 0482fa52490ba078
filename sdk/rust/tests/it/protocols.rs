//! OTLP as it leaves: read back by hand, for the server's own decoder is not ours to use here.

use tracewell_sdk::{Kind, Tracer};

use crate::PATIENCE;
use crate::collector::{Answer, Collector};

/// Number and bytes of a message's length-delimited fields.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        match tag & 7 {
            0 => fields.push((tag >> 3, varint(&mut message).to_le_bytes().to_vec())),
            wire @ (1 | 2 | 5) => {
                let len = match wire {
                    1 => 8,
                    5 => 4,
                    _ => varint(&mut message) as usize,
                };
                let (bytes, rest) = message.split_at(len);
                fields.push((tag >> 3, bytes.to_vec()));
                message = rest;
            }
            other => panic!("wire type {other}"),
        }
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().expect("a varint's next byte");
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn of(fields: &[(u64, Vec<u8>)], number: u64) -> Vec<Vec<u8>> {
    fields
        .iter()
        .filter(|(n, _)| *n == number)
        .map(|(_, bytes)| bytes.clone())
        .collect()
}

#[test]
fn scopes_stay_apart_and_the_request_is_well_formed() {
    let collector = Collector::answering(|_| Answer::Status(200, "", &[0x0A, 2, 0x08, 1]));
    let tracer = Tracer::builder()
        .service_name("cart")
        .endpoint(&collector.url())
        .build();
    let bridge = tracer.with_scope("bridge", "1.2");
    for number in 0..10 {
        let tracer = if number % 3 == 0 { bridge } else { tracer };
        let mut span = tracer.span("work").kind(Kind::Consumer).start();
        span.set_attribute("number", number);
        span.add_event("event", &[("key", "value".into())]);
    }
    assert!(tracer.shutdown(PATIENCE));
    assert_eq!(
        tracer.account().sent,
        9,
        "the answer said that one was rejected"
    );

    let received = &collector.received()[0];
    assert_eq!(received.path, "/v1/traces");
    assert_eq!(
        received.header("content-type"),
        Some("application/x-protobuf")
    );
    let resource_spans = of(&fields(&received.body), 1);
    assert_eq!(resource_spans.len(), 1);
    let resource_spans = fields(&resource_spans[0]);
    let resource = of(&resource_spans, 1).remove(0);
    let service = b"\x0a\x0cservice.name\x12\x06\x0a\x04cart".to_vec();
    assert_eq!(of(&fields(&resource), 1)[0], service);
    let scopes: Vec<(Vec<u8>, usize)> = of(&resource_spans, 2)
        .iter()
        .map(|scope_spans| {
            let scope_spans = fields(scope_spans);
            let name = of(&fields(&of(&scope_spans, 1)[0]), 1).remove(0);
            (name, of(&scope_spans, 2).len())
        })
        .collect();
    assert_eq!(
        scopes,
        [(b"tracewell-sdk".to_vec(), 6), (b"bridge".to_vec(), 4)]
    );
    let scope_spans = fields(&of(&resource_spans, 2)[0]);
    let span = fields(&of(&scope_spans, 2)[0]);
    let numbers: Vec<u64> = span.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 6, 7, 16, 5, 9, 11, 8], "no field twice");
    assert_eq!((of(&span, 1)[0].len(), of(&span, 2)[0].len()), (16, 8));
    assert_eq!(of(&span, 6)[0][0], 5, "a consumer");
}
