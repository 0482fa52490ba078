//! Caps, budgets and time: each is hit, told, and given back.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use prometheus_client::registry::Registry;
use tracewell_collector::Collector;

use crate::support::{Door, gzip, otlp, post, spans};

/// A body whose pieces the test sends.
fn slow_body() -> (http_body_util::channel::Sender<Bytes, Infallible>, Body) {
    let (sender, body) = Channel::<Bytes, Infallible>::new(1);
    (sender, Body::new(body.boxed_unsync()))
}

#[tokio::test]
async fn a_body_over_the_cap_is_413_as_sent_and_decompressed() {
    let door = Door::new(|config| config.body_bytes_max = 10_000);
    let large = spans(100);
    assert!(large.len() > 10_000);
    let reply = door.send(post("/v1/spans", &[], large.clone())).await;
    assert_eq!(reply.status, 413);
    let reply = door.send(post(
        "/v1/spans",
        &[("content-encoding", "gzip")],
        gzip(large.as_bytes()),
    ));
    assert_eq!(reply.await.status, 413);
    door.check_account(0, 0);
}

#[tokio::test]
async fn an_announced_length_over_the_cap_is_refused_before_reading() {
    let door = Door::new(|_| ());
    // Reading this body would never end.
    let (_sender, body) = slow_body();
    let reply = door
        .send(post("/v1/spans", &[("content-length", "67108865")], body))
        .await;
    assert_eq!(reply.status, 413);
    let reply = door
        .send(post("/v1/spans", &[("content-length", "many")], "[]"))
        .await;
    assert_eq!(reply.status, 400);
    door.check_account(0, 0);
}

#[tokio::test]
async fn large_bodies_decode_on_the_pool() {
    let door = Door::new(|_| ());
    let large = spans(10_000);
    assert!(large.len() > tracewell_model::limits::INLINE_BODY_BYTES_MAX);
    let zipped = gzip(large.as_bytes());
    assert_eq!(door.send(post("/v1/spans", &[], large)).await.status, 202);
    let reply = door
        .send(post("/v1/spans", &[("content-encoding", "gzip")], zipped))
        .await;
    assert_eq!(reply.status, 202);
    door.check_account(20_000, 0);
}

#[tokio::test]
async fn a_sender_that_asks_first_is_not_told_to_go_on() {
    let door = Door::new(|config| config.body_bytes_max = 1_000);
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    // hyper says "100 Continue" when the body is asked for.
    let body = Full::new(Bytes::from_static(b"[]")).map_frame(move |frame| {
        seen.store(true, Ordering::Relaxed);
        frame
    });
    let headers = [("expect", "100-continue"), ("content-length", "5000")];
    let reply = door
        .send(post("/v1/spans", &headers, Body::new(body)))
        .await;
    assert_eq!(reply.status, 413);
    assert!(!asked.load(Ordering::Relaxed), "the body was asked for");
    door.check_account(0, 0);
}

#[tokio::test]
async fn a_full_budget_is_429_with_retry_after_and_comes_back() {
    let door = Door::new(|config| {
        config.in_flight_bytes_max = 4_000;
        config.retry_after_s = 3;
    });
    let (mut sender, body) = slow_body();
    let slow = door.send(post("/v1/spans", &[], body));
    let others = async {
        sender
            .send_data(Bytes::from(vec![b' '; 3_900]))
            .await
            .expect("someone reads");
        sender
            .send_data(Bytes::from_static(b" "))
            .await
            .expect("someone reads");
        while door.collector.in_flight_bytes() < 3_900 {
            tokio::task::yield_now().await;
        }
        let reply = door.send(post("/v1/spans", &[], spans(1))).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("retry-after")),
            (429, "3")
        );
        let length = [
            ("content-length", "2000"),
            ("content-type", "application/x-protobuf"),
        ];
        let reply = door.send(post("/v1/traces", &length, "")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("retry-after")),
            (429, "3")
        );
        sender
            .send_data(Bytes::from_static(b"[]"))
            .await
            .expect("someone reads");
        drop(sender);
    };
    let (reply, ()) = tokio::join!(slow, others);
    assert_eq!(reply.status, 202);
    assert_eq!(
        door.send(post("/v1/spans", &[], spans(1))).await.status,
        202
    );
    door.check_account(1, 0);
}

#[tokio::test]
async fn decompressed_bytes_are_charged_too() {
    let door = Door::new(|config| config.in_flight_bytes_max = 10_000);
    let zipped = gzip(spans(100).as_bytes());
    assert!(zipped.len() < 5_000);
    let reply = door
        .send(post("/v1/spans", &[("content-encoding", "gzip")], zipped))
        .await;
    assert_eq!(reply.status, 429);
    door.check_account(0, 0);
}

#[tokio::test]
async fn too_many_requests_are_429() {
    let door = Door::new(|config| config.requests_max = 1);
    let (sender, body) = slow_body();
    let slow = door.send(post("/v1/spans", &[], body));
    let other = async {
        while door.collector.in_flight_requests() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            door.send(post("/v1/spans", &[], spans(1))).await.status,
            429
        );
        drop(sender);
    };
    let (reply, ()) = tokio::join!(slow, other);
    assert_eq!(reply.status, 400, "an empty body is no JSON");
    door.check_account(0, 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let door = Door::new(|config| config.body_timeout = Duration::from_millis(5));
    let (_sender, body) = slow_body();
    assert_eq!(door.send(post("/v1/spans", &[], body)).await.status, 408);
    door.check_account(0, 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let door = Door::new(|_| ());
    let (sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    sender.abort(std::io::Error::other("reset"));
    let reply = door.send(post("/v1/spans", &[], Body::new(body))).await;
    assert_eq!(reply.status, 400);
    door.check_account(0, 0);
}

#[tokio::test]
async fn a_sender_that_hangs_up_gives_everything_back() {
    let door = Door::new(|_| ());
    let (mut sender, body) = slow_body();
    let mut slow = Box::pin(door.send(post("/v1/spans", &[], body)));
    let other = async {
        sender
            .send_data(Bytes::from_static(b"["))
            .await
            .expect("someone reads");
        while door.collector.in_flight_bytes() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = other => {}
        _ = &mut slow => panic!("the body did not end"),
    }
    drop(slow);
    door.check_account(0, 0);
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_503_and_its_late_word_still_counts() {
    let door = Door::with_log(|config| config.log_timeout = Duration::from_millis(5), true);
    let reply = door.send(post("/v1/spans", &[], spans(2))).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("retry-after")),
        (503, "1")
    );
    assert_eq!(door.collector.counters().received, 2);
    assert_eq!(door.collector.counters().accepted, 0);
    // The client's answer did not wait for the append, which a busy machine may start only now.
    let held = door.log.held.as_ref().expect("this log holds its answers");
    let answer = loop {
        if let Some(answer) = held.lock().unwrap().pop() {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    answer(Ok(()));
    let counters = door.collector.counters();
    assert_eq!((counters.received, counters.accepted), (2, 2));
}

#[tokio::test]
#[allow(clippy::await_holding_lock)] // that the log hangs meanwhile is the test
async fn a_disk_that_hangs_in_append_holds_up_no_answer() {
    let door = Door::with_log(
        |config| config.log_timeout = Duration::from_millis(5),
        false,
    );
    {
        // The log's own lock: `append` cannot return while the test holds it.
        let _hung = door.log.acks.lock().unwrap();
        for _ in 0..40 {
            let reply = door.send(post("/v1/spans", &[], spans(1))).await;
            assert_eq!(reply.status, 503);
        }
        assert_eq!(door.send(post("/v1/spans", &[], "[]")).await.status, 202);
    }
    // Sixteen got through to the log and are taken late; the others never reached it.
    while door.collector.counters().accepted < 16 {
        tokio::task::yield_now().await;
    }
    let counters = door.collector.counters();
    assert_eq!(
        (
            counters.received,
            counters.accepted,
            counters.refused_count()
        ),
        (40, 16, 24)
    );
}

#[tokio::test]
async fn metrics_tell_the_same_as_the_answers() {
    let door = Door::new(|_| ());
    let mut registry = Registry::default();
    Collector::register(&door.collector, &mut registry);
    door.send(post("/v1/spans", &[], spans(3))).await;
    door.send(post("/v1/spans", &[], "x")).await;
    let protobuf = [("content-type", "application/x-protobuf")];
    door.send(post("/v1/traces", &protobuf, otlp(&[&[1; 8], &[0; 8]])))
        .await;
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    for line in [
        "tracewell_receiver_received_spans_total 5",
        "tracewell_receiver_accepted_spans_total 4",
        "tracewell_receiver_refused_spans_total{reason=\"span_id\"} 1",
        "tracewell_receiver_requests_total{receiver=\"spans_http\",status=\"202\"} 1",
        "tracewell_receiver_requests_total{receiver=\"spans_http\",status=\"400\"} 1",
        "tracewell_receiver_requests_total{receiver=\"otlp_http\",status=\"200\"} 1",
        "tracewell_receiver_refused_requests_total{reason=\"undecodable\"} 1",
        "tracewell_receiver_in_flight_bytes 0",
    ] {
        assert!(page.lines().any(|seen| seen == line), "{line}\n{page}");
    }
}
