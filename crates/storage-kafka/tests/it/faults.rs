//! What goes wrong with brokers, groups and records: nothing is lost in silence, nothing comes twice
//! that was committed, and the log goes on.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::{Ack, Class, Position, Record, SpanLog};
use tracewell_storage_kafka::KafkaLog;

use crate::support::*;

const HOUR_NS: u64 = 3_600_000_000_000;

fn last_of_each(records: &[Record]) -> Vec<Position> {
    let mut last: Vec<Position> = Vec::new();
    for Record { position, .. } in records {
        last.retain(|known| known.partition != position.partition);
        last.push(*position);
    }
    last
}

#[test]
fn spans_of_a_trace_meet_in_one_partition() {
    let Some(brokers) = brokers() else { return };
    let log = open(&options(brokers, 4));
    // Built without knowing the partitions: the log sorts it out.
    let specs: Vec<_> = (0..200)
        .map(|n| SpanSpec::new(n % 50, n + 1, 1_700_000_000_000_000_000))
        .collect();
    append(&log, vec![batch(&specs)]).unwrap();
    append(&log, vec![batch(&specs[..100])]).unwrap();
    let mut consumer = log.subscribe("storage", &[]).unwrap();
    let records = take(&mut *consumer, 300);
    assert_eq!(ids(&records).len(), 300);
    for record in &records {
        for span in record.batch.spans() {
            assert_eq!(
                u32::from(span.trace_id().shard(4)),
                record.position.partition
            );
        }
    }
    assert_eq!(records.len(), 8, "one record a request and partition");
}

#[test]
fn a_large_batch_becomes_several_records_and_a_large_span_one() {
    let Some(brokers) = brokers() else { return };
    let log = open(&options(brokers, 1));
    let text = "x".repeat(900 * 1024);
    let large =
        |span| SpanSpec::new(1, span, 1_700_000_000_000_000_000).with("payload", text.as_str());
    append(&log, vec![batch(&[large(1), large(2), large(3)])]).unwrap();
    let many =
        |span: SpanSpec| (0..9).fold(span, |span, n| span.with(&format!("p{n}"), text.as_str()));
    append(&log, vec![batch(&[many(large(4))])]).unwrap();
    let mut consumer = log.subscribe("storage", &[]).unwrap();
    let records = take(&mut *consumer, 4);
    assert_eq!(ids(&records).len(), 4);
    assert_eq!(records.len(), 4);
}

#[test]
fn a_full_queue_is_overload_and_passes() {
    let Some(brokers) = brokers() else { return };
    let mut options = options(brokers, 1);
    options.queue_bytes_max = 64 * 1024;
    let log = open(&options);
    let text = "x".repeat(100 * 1024);
    let span = SpanSpec::new(1, 1, 1_700_000_000_000_000_000).with("payload", text.as_str());
    let refused = append(&log, vec![batch(&[span])]).unwrap_err();
    assert_eq!(refused.class, Class::Overloaded, "{refused}");
    append(&log, vec![trace(2, 3)]).unwrap();
}

#[test]
fn what_one_broker_cannot_promise_is_refused() {
    let Some(brokers) = brokers() else { return };
    let log = open(&options(brokers, 1));
    let refused = append_at(&log, vec![trace(1, 1)], Ack::Replicated).unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
    assert!(refused.message.contains("min.insync.replicas"), "{refused}");
}

#[test]
fn partitions_that_go_to_another_member_are_committed_first() {
    let Some(brokers) = brokers() else { return };
    let options = options(brokers, 4);
    let (log, other) = (open(&options), open(&options));
    append(&log, (1..=40).map(|number| trace(number, 2)).collect()).unwrap();
    let mut first = log.subscribe("storage", &[]).unwrap();
    let taken = take(&mut *first, 80);
    assert_eq!(ids(&taken).len(), 80);
    // Nothing is committed. Now another member comes.
    let second = std::thread::spawn(move || {
        let mut second = other.subscribe("storage", &[]).unwrap();
        (take(&mut *second, 1), second)
    });
    until("the first is asked to hand over", || {
        let again = first.poll(1_000, Duration::from_millis(100)).unwrap();
        assert_eq!(again.len(), 0, "what was delivered came again");
        first.leaving()
    });
    first.commit(&last_of_each(&taken)).unwrap();
    // The other gets what is appended from now on, and nothing that was committed.
    let mut seen = Vec::new();
    let mut number = 100;
    while !second.is_finished() {
        number += 1;
        append(&log, vec![trace(number, 1)]).unwrap();
        seen.extend(first.poll(1_000, Duration::from_millis(100)).unwrap());
    }
    let (of_second, _second) = second.join().unwrap();
    assert!(!of_second.is_empty());
    let before = ids(&taken);
    for id in ids(&of_second) {
        assert!(!before.contains(&id), "{id:?} came again");
        assert!(!ids(&seen).contains(&id), "{id:?} came to both");
    }
}

#[test]
fn poison_goes_to_the_dead_letters_with_its_reason() {
    let Some(brokers) = brokers() else { return };
    let options = options(brokers, 1);
    let log = open(&options);
    let ours = |version: &str| {
        let of = |key, value| Header {
            key,
            value: Some(value),
        };
        Some(
            OwnedHeaders::new()
                .insert(of("tracewell-version", version))
                .insert(of("tracewell-spans", "3")),
        )
    };
    append(&log, vec![trace(1, 2)]).unwrap();
    put(&options, 0, Some(b"\x0a\xffgarbage"), ours("1"));
    put(&options, 0, Some(b""), ours("1"));
    put(&options, 0, None, ours("1"));
    put(&options, 0, Some(b"\x0a\x00"), ours("9"));
    append(&log, vec![trace(2, 2)]).unwrap();
    let mut consumer = log.subscribe("storage", &[]).unwrap();
    let records = take(&mut *consumer, 4);
    assert_eq!(ids(&records).len(), 4);
    consumer
        .set_aside(&records[1], "its sink would not have it")
        .unwrap();
    let letters = dead_letters(&options, 5);
    let reasons: Vec<&str> = letters.iter().map(|(reason, _)| reason.as_str()).collect();
    assert!(reasons[0].contains("protobuf"), "{reasons:?}");
    assert_eq!(reasons[1..3], ["it has no value"; 2]);
    assert!(reasons[3].contains("version is \"9\""), "{reasons:?}");
    assert_eq!(reasons[4], "its sink would not have it");
    assert_eq!(
        letters[0].1.as_deref(),
        Some(&b"\x0a\xffgarbage"[..]),
        "kept as it came"
    );
    log.look();
    let status = log.status();
    assert_eq!((status.damaged_records, status.damaged_spans), (4, 12));
    assert_eq!(status.accepted_spans, 4 + 12);
}

#[test]
fn what_expired_is_counted_and_told_and_the_group_goes_on() {
    let Some(brokers) = brokers() else { return };
    let mut options = options(brokers, 1);
    options.retention = Duration::from_secs(1);
    let log = open(&options);
    append(&log, vec![trace(1, 2)]).unwrap();
    let mut consumer = log.subscribe("storage", &[]).unwrap();
    let records = take(&mut *consumer, 2);
    consumer.commit(&last_of_each(&records)).unwrap();
    drop(consumer);
    append(&log, vec![trace(2, 2)]).unwrap();
    append(&log, vec![trace(3, 2)]).unwrap();
    let status = || {
        log.look();
        log.status()
    };
    until("Kafka's retention passes", || status().records == 0);
    let lost = |records| {
        let status = status();
        assert_eq!(
            status.group("storage").unwrap().lost_records,
            records,
            "{status:?}"
        );
        assert!(
            status
                .problems
                .iter()
                .any(|problem| problem.contains("lost 2 records")),
            "{status:?}"
        );
    };
    lost(2);
    // And while a group is at work: the gap is seen in the offsets.
    let mut consumer = log.subscribe("storage", &[]).unwrap();
    for number in 4.. {
        append(&log, vec![trace(number, 1)]).unwrap();
        let records = take(&mut *consumer, 1);
        if !records.is_empty() {
            consumer.commit(&last_of_each(&records)).unwrap();
            break;
        }
    }
    lost(2);
}

#[test]
fn a_topic_made_anew_is_gone_on_with() {
    let Some(brokers) = brokers() else { return };
    let options = options(brokers, 1);
    let log = open(&options);
    for number in 1..=3 {
        append(&log, vec![trace(number, 1)]).unwrap();
    }
    let mut consumer = log.subscribe("storage", &[]).unwrap();
    let old = take(&mut *consumer, 3);
    consumer.commit(&last_of_each(&old)).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let deleting = admin.delete_topics(&[&options.topic], &AdminOptions::new());
    assert_eq!(wait_for(deleting).unwrap(), [Ok(options.topic.clone())]);
    until("the topic is gone", || {
        tracewell_storage_kafka::check(&options).is_err()
    });
    until("it is there again", || {
        tracewell_storage_kafka::create(&options).is_ok_and(|made| !made.is_empty())
    });
    until("the producer finds it", || {
        append(&log, vec![trace(9, 1)]).is_ok()
    });
    let new = take(&mut *consumer, 1);
    assert_eq!(ids(&new)[0], ids([&record_of(9)])[0]);
    assert!(
        new[0].position > old[2].position,
        "positions never go back: {:?}",
        new[0].position
    );
    consumer.commit(&last_of_each(&new)).unwrap();
    drop(consumer);
    take_none(&mut *log.subscribe("storage", &[]).unwrap());
}

fn record_of(number: u64) -> Record {
    Record {
        position: Position::default(),
        arrived_unix_ns: 0,
        batch: Arc::new(trace(number, 1)),
    }
}

/// Waits for the admin client's own thread to complete this.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return outcome;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_group_that_stands_still_says_how_long_until_it_loses_spans() {
    let Some(brokers) = brokers() else { return };
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000_000));
    // A collector sees it, too: no member of the group has to live.
    let log = KafkaLog::open(options(brokers, 2), clock.clone(), &["storage"]).unwrap();
    append(&log, (1..=10).map(|number| trace(number, 3)).collect()).unwrap();
    log.look();
    let group = log.status().group("storage").cloned().unwrap();
    assert_eq!((group.lag_records, group.lag_spans), (10, 30));
    assert_eq!(group.time_to_loss_ns, Some(HOUR_NS));
    assert_eq!(log.status().problems, Vec::<String>::new());
    clock.advance(HOUR_NS / 3 * 2);
    log.look();
    let group = log.status().group("storage").cloned().unwrap();
    assert_eq!(group.time_to_loss_ns, Some(HOUR_NS / 3));
    let problems = log.status().problems;
    assert!(
        problems[0].contains("loses spans in 1200 s"),
        "{problems:?}"
    );
}
