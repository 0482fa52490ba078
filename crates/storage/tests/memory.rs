//! What the memory backend does beyond the suites: the ways in which tests make it refuse.

use std::sync::Arc;

use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::{batch, trace_id};
use tracewell_storage::memory::{MemoryLog, MemoryStore};
use tracewell_storage::{Ack, Class, Error, ReadContext, SpanLog, TraceReader};

fn append(log: &MemoryLog) -> Option<Class> {
    let (send, receive) = std::sync::mpsc::channel();
    let done = move |answer: Result<(), Error>| {
        assert!(send.send(answer.err().map(|error| error.class)).is_ok());
    };
    log.append(
        vec![batch(&[SpanSpec::new(1, 1, 1)])],
        Ack::Logged,
        Box::new(done),
    );
    receive
        .try_recv()
        .expect("the log in memory answers at once")
}

#[test]
fn a_full_log_refuses_and_recovers() {
    let log = MemoryLog::new(Arc::new(ManualClock::at(1)));
    assert_eq!(append(&log), None);
    log.set_bytes_max(Some(10));
    assert_eq!(append(&log), Some(Class::Overloaded));
    log.set_bytes_max(None);
    assert_eq!(append(&log), None);
    assert_eq!(log.status().accepted_spans, 2);
}

#[test]
fn a_log_told_to_refuse_does() {
    let log = MemoryLog::new(Arc::new(ManualClock::at(1)));
    log.refuse(Some(Error::retryable("the disk is gone")));
    assert_eq!(append(&log), Some(Class::Retryable));
    log.refuse(None);
    assert_eq!(append(&log), None);
}

#[test]
fn a_log_forgets_what_every_group_has_passed() {
    let log = MemoryLog::new(Arc::new(ManualClock::at(1)));
    let mut groups: Vec<_> = ["a", "b"]
        .iter()
        .map(|group| log.subscribe(group, &[]).unwrap())
        .collect();
    assert_eq!(append(&log), None);
    for (group, left) in groups.iter_mut().zip([1, 0]) {
        let records = group.poll(10, std::time::Duration::ZERO).unwrap();
        group.commit(&[records[0].position]).unwrap();
        assert_eq!(log.status().records, left);
    }
}

#[test]
fn a_store_is_made_from_batches() {
    let spans = [SpanSpec::new(7, 1, 1), SpanSpec::new(7, 2, 2).child_of(1)];
    let store = MemoryStore::with([batch(&spans)], 5);
    let context = ReadContext::new(Arc::new(ManualClock::at(9)), 1);
    let found = store.get_trace(trace_id(7), &context).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found.searched.backend, "memory");
}
