//! Batches, retries, and the account: what the collector says, and what becomes of the spans.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tracewell_sdk::settings::Protocol;
use tracewell_sdk::{DropReason, Reply, Request, SendError, Tracer, TracerBuilder};

use crate::PATIENCE;
use crate::collector::{Answer, Collector};

fn builder(collector: &Collector) -> TracerBuilder {
    Tracer::builder()
        .endpoint(&collector.url())
        .protocol(Protocol::Spans)
}

fn end(tracer: Tracer, spans: u64) {
    (0..spans).for_each(|number| {
        let mut span = tracer.start("work");
        span.set_attribute("number", number);
    });
}

#[test]
fn batches_have_500_spans_and_one_connection_carries_them() {
    let collector = Collector::healthy();
    let tracer = builder(&collector).build();
    end(tracer, 1750);
    assert!(tracer.flush(PATIENCE));
    let sizes: Vec<usize> = collector
        .received()
        .iter()
        .map(|r| r.spans().len())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1750);
    assert!(sizes.iter().all(|size| *size <= 500), "{sizes:?}");
    assert!(
        collector
            .received()
            .iter()
            .all(|r| r.connection == 0 && r.path == "/v1/spans")
    );
    let numbers: Vec<u64> = collector
        .spans()
        .iter()
        .map(|span| span["tags"]["number"].as_u64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (0..1750).collect::<Vec<_>>(),
        "in the order in which they ended"
    );
    assert_eq!(tracer.account().sent, 1750);
    assert!(tracer.shutdown(PATIENCE));
    end(tracer, 3);
    assert_eq!(
        tracer.account().dropped(DropReason::Shutdown),
        3,
        "they ended after it"
    );
}

#[test]
fn five_hundred_spans_go_without_being_asked_for_and_fewer_after_the_interval() {
    let collector = Collector::healthy();
    let tracer = builder(&collector).build();
    end(tracer, 500);
    assert_eq!(collector.wait_for(1)[0].spans().len(), 500);
    tracer.shutdown(PATIENCE);

    let collector = Collector::healthy();
    let interval = Duration::from_millis(10);
    let tracer = builder(&collector)
        .settings(|s| s.flush_interval = interval)
        .build();
    end(tracer, 1);
    assert_eq!(collector.wait_for(1)[0].spans().len(), 1);
    tracer.shutdown(PATIENCE);
}

#[test]
fn a_busy_collector_is_asked_again_and_gets_each_span_once() {
    let collector = Collector::answering(|request| match request {
        0 => Answer::Status(503, "retry-after: 0\r\n", b"busy"),
        1 => Answer::Status(429, "", b""),
        2 => Answer::Close,
        3 => Answer::Raw(b"no HTTP at all\r\n\r\n".to_vec()),
        _ => Answer::Status(202, "", b""),
    });
    let tracer = builder(&collector).build();
    end(tracer, 10);
    // Each who asks for a flush gets one try at once, so no backoff is waited for here.
    while !tracer.flush(Duration::from_millis(20)) {}
    let account = tracer.account();
    assert_eq!((account.ended, account.sent, account.queued), (10, 10, 0));
    let received = collector.received();
    assert_eq!(received.len(), 5);
    assert!(
        received.iter().all(|r| r.body == received[0].body),
        "the batch is the same each time"
    );
    tracer.shutdown(PATIENCE);
}

#[test]
fn a_connection_that_was_closed_meanwhile_costs_nothing() {
    let closing = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
    let collector = Collector::answering(|_| Answer::Raw(closing.to_vec()));
    let tracer = builder(&collector).build();
    for round in 1..4 {
        end(tracer, 1);
        assert!(tracer.flush(PATIENCE));
        assert_eq!(tracer.account().sent, round);
    }
    assert_eq!(collector.received().len(), 3);
    tracer.shutdown(PATIENCE);
}

#[test]
fn what_is_refused_is_counted_and_not_tried_again() {
    let collector = Collector::answering(|request| match request {
        0 => Answer::Status(400, "", b""),
        1 => Answer::Status(202, "Tracewell-Refused: 2\r\n", b""),
        2 => Answer::Status(500, "retry-after: 1\r\n", b""),
        _ => Answer::Status(202, "", b""),
    });
    let tracer = builder(&collector).build();
    for spans in [10, 20, 30, 40] {
        end(tracer, spans);
        assert!(tracer.flush(PATIENCE));
    }
    let account = tracer.account();
    assert_eq!((account.ended, account.sent, account.queued), (100, 58, 0));
    assert_eq!(account.dropped(DropReason::Refused), 42);
    assert_eq!(collector.received().len(), 4);

    // The losses go with the next batch: counts since the beginning, and the times of the new ones.
    let received = collector.received();
    let told = |request: usize| received[request].spans()[0]["scope"]["attributes"].clone();
    assert_eq!(told(0), json!({}));
    assert_eq!(told(1)["tracewell.sdk.dropped.refused"], 10);
    let start = |request: usize, span: usize| {
        received[request].spans()[span]["start_time_unix_ns"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(told(1)["tracewell.sdk.dropped.from_unix_ns"], start(0, 0));
    let to = told(1)["tracewell.sdk.dropped.to_unix_ns"]
        .as_u64()
        .unwrap();
    assert!((start(0, 9)..start(0, 9) + 2_000_000).contains(&to), "{to}");
    assert_eq!(told(2)["tracewell.sdk.dropped.refused"], 12);
    // The third batch was refused, so nobody has heard of the second's losses yet.
    assert_eq!(told(3)["tracewell.sdk.dropped.refused"], 42);
    assert_eq!(told(3)["tracewell.sdk.dropped.from_unix_ns"], start(1, 0));
    end(tracer, 1);
    assert!(tracer.shutdown(PATIENCE));
    let last = collector.received()[4].spans()[0]["scope"]["attributes"].clone();
    assert_eq!(
        last,
        json!({"tracewell.sdk.dropped.refused": 42}),
        "no new losses, no times"
    );
}

#[test]
fn replies_of_any_form_are_read_and_long_ones_are_not() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: v\r\n\r\n";
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 No Content\r\n\r\n";
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nxxxx";
    let answers = [&chunked[..], &interim[..], &long[..]];
    let collector = Collector::answering(move |request| Answer::Raw(answers[request].to_vec()));
    let tracer = builder(&collector).build();
    for round in 1..4 {
        end(tracer, 1);
        assert!(tracer.flush(PATIENCE));
        assert_eq!(tracer.account().sent, round);
    }
    assert_eq!(collector.received().len(), 3);
    tracer.shutdown(PATIENCE);
}

#[test]
fn a_transport_of_the_applications_may_fail_and_panic() {
    static TRIES: AtomicU64 = AtomicU64::new(0);
    static PATHS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let transport = |request: &Request<'_>| match TRIES.fetch_add(1, Ordering::Relaxed) {
        0 => panic!("a transport's panic, on purpose"),
        1 => Err(SendError::new("no")),
        _ => {
            PATHS.lock().unwrap().push(request.path.to_owned());
            Ok(Reply::new(200))
        }
    };
    let tracer = Tracer::builder().transport(move |_| transport).build();
    end(tracer, 7);
    while !tracer.flush(Duration::from_millis(20)) {}
    assert_eq!(tracer.account().sent, 7);
    assert_eq!(*PATHS.lock().unwrap(), ["/v1/traces"]);
    tracer.shutdown(PATIENCE);
}

#[test]
fn compressed_bodies_say_so() {
    #[cfg(feature = "zstd")]
    {
        let collector = Collector::healthy();
        let compression = tracewell_sdk::settings::Compression::Zstd;
        let tracer = builder(&collector).compression(compression).build();
        end(tracer, 5);
        assert!(tracer.shutdown(PATIENCE));
        let received = &collector.received()[0];
        assert_eq!(received.header("content-encoding"), Some("zstd"));
        let body = zstd::bulk::decompress(&received.body, 1 << 20).unwrap();
        let spans: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(spans.len(), 5);
    }
    #[cfg(feature = "gzip")]
    {
        let collector = Collector::healthy();
        let compression = tracewell_sdk::settings::Compression::Gzip;
        let tracer = builder(&collector).compression(compression).build();
        end(tracer, 5);
        assert!(tracer.shutdown(PATIENCE));
        let received = &collector.received()[0];
        assert_eq!(received.header("content-encoding"), Some("gzip"));
        assert_eq!(received.body[..2], [0x1f, 0x8b]);
    }
}
