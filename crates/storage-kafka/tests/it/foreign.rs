//! Records that an OpenTelemetry Collector or anyone else put into the topic: published again as ours,
//! once, by the group that does nothing else.

use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::{Sink, SpanLog};
use tracewell_storage_kafka::{REPUBLISH_GROUP, Republisher};
use tracewell_wire::otlp::encode::encode;

use crate::support::*;

#[test]
fn foreign_records_reach_every_group_once_and_in_their_partitions() {
    let Some(brokers) = brokers() else { return };
    let options = options(brokers, 3);
    let log = open(&options);
    let specs: Vec<_> = (0..30)
        .map(|n| SpanSpec::new(n, n + 1, 1_700_000_000_000_000_000))
        .collect();
    let value = encode(batch(&specs).spans());
    put(&options, 2, Some(&value), None);
    append(&log, vec![trace(99, 2)]).unwrap();

    let mut storage = log.subscribe("storage", &[]).unwrap();
    assert_eq!(
        ids(&take(&mut *storage, 2)).len(),
        2,
        "ours come, theirs do not"
    );

    let mut theirs = log.subscribe(REPUBLISH_GROUP, &[]).unwrap();
    let mut republisher = Republisher::new(log.clone());
    let foreign = take(&mut *theirs, 30);
    assert_eq!(ids(&foreign).len(), 30);
    republisher.apply(&foreign).unwrap();
    theirs.commit(&republisher.durable()).unwrap();

    let records = take(&mut *storage, 30);
    assert_eq!(ids(&records), ids(&foreign));
    for record in &records {
        let mut spans = record.batch.spans();
        assert!(spans.all(|span| u32::from(span.trace_id().shard(3)) == record.position.partition));
    }
    // Not published a second time, by whoever takes over.
    drop(theirs);
    take_none(&mut *log.subscribe(REPUBLISH_GROUP, &[]).unwrap());
    take_none(&mut *storage);
    // Passed over for good, although no sink ever said so.
    log.look();
    let status = log.status();
    let group = status.group("storage").unwrap();
    assert_eq!((group.lag_records, status.accepted_spans), (0, 32));
}

#[test]
fn what_is_unusable_in_a_foreign_record_is_kept_with_the_reason() {
    let Some(brokers) = brokers() else { return };
    let options = options(brokers, 1);
    let log = open(&options);
    let mut value = encode(batch(&[SpanSpec::new(1, 1, 1_700_000_000_000_000_000)]).spans());
    // A second group of spans, with one whose trace id is too short.
    value.extend_from_slice(b"\x0a\x07\x12\x05\x12\x03\x0a\x01\x07");
    put(&options, 0, Some(&value), None);
    let mut theirs = log.subscribe(REPUBLISH_GROUP, &[]).unwrap();
    assert_eq!(ids(&take(&mut *theirs, 1)).len(), 1);
    let letters = dead_letters(&options, 1);
    assert!(
        letters[0]
            .0
            .starts_with("1 of its 2 spans cannot be used; the first: trace_id"),
        "{letters:?}"
    );
    assert_eq!(letters[0].1.as_deref(), Some(&value[..]));
}
