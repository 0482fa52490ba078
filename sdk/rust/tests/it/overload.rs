//! A full ring under sustained load: the newest survive, and the counts are exact.

use std::sync::atomic::{AtomicU64, Ordering};

use tracewell_sdk::settings::Protocol;
use tracewell_sdk::{DropReason, Reply, Request, SendError, Tracer};

use crate::PATIENCE;
use crate::collector::{Answer, Collector};

#[test]
fn the_newest_spans_survive_and_the_rest_is_counted() {
    // Hangs with the first batch in its hands until it is told otherwise by the next connection.
    let collector = Collector::answering(|request| match request {
        0 => Answer::Hang,
        _ => Answer::Status(202, "", b""),
    });
    let builder = Tracer::builder()
        .endpoint(&collector.url())
        .protocol(Protocol::Spans);
    let tracer = builder
        .settings(|settings| {
            settings.ring_spans_max = 1000;
            settings.exchange_timeout = std::time::Duration::from_millis(300);
        })
        .build();
    let end = |number: u64| {
        let mut span = tracer.start("work");
        span.set_attribute("number", number);
    };
    (0..500).for_each(end);
    collector.wait_for(1); // the first batch is on its way, and stays there
    (500..10_000).for_each(end);
    while !tracer.flush(PATIENCE) {}
    let account = tracer.account();
    assert_eq!(account.ended, 10_000);
    assert_eq!(account.sent + account.dropped(DropReason::RingFull), 10_000);
    let numbers = |request: &crate::collector::Received| -> Vec<u64> {
        request
            .spans()
            .iter()
            .map(|span| span["tags"]["number"].as_u64().unwrap())
            .collect()
    };
    let received = collector.received();
    let arrived: Vec<u64> = received.iter().skip(1).flat_map(numbers).collect();
    assert_eq!(
        arrived,
        (9_000..10_000).collect::<Vec<_>>(),
        "the newest thousand"
    );
    assert_eq!(
        account.sent, 1000,
        "the batch in hand was older than all that the ring lost"
    );
    let told = &received[1].spans()[0]["scope"]["attributes"];
    assert!(
        told["tracewell.sdk.dropped.ring_full"].as_u64().unwrap() >= 8_500,
        "{told}"
    );
    tracer.shutdown(PATIENCE);
}

#[test]
fn many_producers_on_a_full_ring_lose_none_uncounted() {
    static SENT: AtomicU64 = AtomicU64::new(0);
    // Takes every other batch.
    let transport = |_: &Request<'_>| match SENT.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Ok(Reply::new(200)),
        _ => Err(SendError::new("not now")),
    };
    let tracer = Tracer::builder()
        .transport(move |_| transport)
        .settings(|settings| settings.ring_spans_max = 200)
        .build();
    let producers: Vec<_> = (0..16)
        .map(|_| std::thread::spawn(move || (0..20_000).for_each(|_| tracer.start("x").end())))
        .collect();
    for producer in producers {
        producer.join().unwrap();
    }
    let account = tracer.account();
    assert_eq!(account.ended, 320_000);
    let gone = account.sent + account.dropped_total();
    assert!(
        (320_000 - 200 - 500..=320_000).contains(&gone),
        "{account:?}"
    );
    tracer.shutdown(PATIENCE);
    let account = tracer.account();
    assert_eq!(
        account.ended,
        account.sent + account.dropped_total(),
        "{account:?}"
    );
    assert_eq!(account.queued, 0);
}

#[test]
fn memory_is_bounded_too() {
    let tracer = Tracer::builder()
        .transport(|_| |_: &Request<'_>| Err(SendError::new("never")))
        .settings(|settings| settings.ring_bytes_max = 1 << 20)
        .build();
    let text = "x".repeat(50_000);
    for _ in 0..200 {
        let mut span = tracer.start("a big one");
        span.set_attribute("text", &text);
    }
    let account = tracer.account();
    let kept = 200 - account.dropped(DropReason::RingMemory);
    // A buffer has up to twice its span's bytes.
    assert!((8..=21).contains(&kept), "{account:?}");
    assert_eq!(account.dropped_total() + kept, 200);
    tracer.shutdown(std::time::Duration::ZERO);
}
