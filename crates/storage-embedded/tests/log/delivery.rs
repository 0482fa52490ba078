//! Groups: the ring, the files, commits, trimming, lag, and many at once.

use std::sync::Arc;
use std::time::Duration;

use super::support::*;
use tracewell_storage::{Ack, SpanLog};
use tracewell_storage_embedded::log::Options;

#[test]
fn a_group_that_keeps_up_gets_the_appended_batch_itself() {
    let room = Room::new();
    let (log, _) = room.open();
    let mut a = log.subscribe("a", &[]).unwrap();
    let mut b = log.subscribe("b", &[]).unwrap();
    append_all(&log, 0..3);
    let (a, b) = (poll_all(a.as_mut()), poll_all(b.as_mut()));
    assert_eq!(numbers(&a), [0, 1, 2]);
    assert!(
        a.iter()
            .zip(&b)
            .all(|(a, b)| Arc::ptr_eq(&a.batch, &b.batch))
    );
}

#[test]
fn a_group_that_lags_reads_files_and_then_the_ring() {
    let small = batch(0, 5).memory_bytes() * 4;
    let room = Room::with(Options {
        ring_bytes_max: small,
        ..options()
    });
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    append_all(&log, 0..60);
    let mut read = numbers(&consumer.poll(20, Duration::ZERO).unwrap());
    append_all(&log, 60..70);
    read.extend(numbers(&poll_all(consumer.as_mut())));
    assert_eq!(read, (0..70).collect::<Vec<_>>());
}

#[test]
fn passed_files_are_unlinked_and_never_the_others() {
    let room = Room::with(Options {
        groups: vec!["a".into(), "b".into()],
        ..options()
    });
    let (log, _) = room.open();
    let mut a = log.subscribe("a", &[]).unwrap();
    append_all(&log, 0..60);
    let files = room.files().len();
    poll_all(a.as_mut());
    a.commit(&at(60)).unwrap();
    assert_eq!(room.files().len(), files, "b has not come yet");
    let mut b = log.subscribe("b", &[]).unwrap();
    assert_eq!(numbers(&poll_all(b.as_mut())), (0..60).collect::<Vec<_>>());
    b.commit(&at(30)).unwrap();
    let some = room.files().len();
    assert!(some < files && some > 1);
    b.commit(&at(60)).unwrap();
    assert_eq!(room.files().len(), 1, "the active one stays");
    assert_eq!(log.status().accepted_spans, total_spans(0..60));
    drop((log, a, b));
    let (log, recovery) = room.open();
    assert_eq!(
        (recovery.accepted_spans, recovery.lost_records),
        (total_spans(0..60), 0)
    );
    assert!(recovery.problems.is_empty(), "{recovery:?}");
    assert!(read_all(&log, "a").is_empty());
}

#[test]
fn a_clean_stop_of_a_passed_log_leaves_an_empty_file() {
    let room = Room::new();
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    append_all(&log, 0..5);
    poll_all(consumer.as_mut());
    consumer.commit(&at(5)).unwrap();
    log.close().unwrap();
    assert_eq!((log.status().records, room.files().len()), (0, 1));
    log.close().unwrap();
    drop((log, consumer));
    let (log, recovery) = room.open();
    assert_eq!(
        (recovery.next_offset, recovery.accepted_spans),
        (6, total_spans(0..5))
    );
    append(&log, 5).unwrap();
    assert_eq!(read_all(&log, "a"), [5]);
}

#[test]
fn lag_is_exact_from_the_first_moment_after_a_restart() {
    let room = Room::new();
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    for number in 0..40 {
        room.clock.advance(1_000_000_000);
        append(&log, number).unwrap();
    }
    poll_all(consumer.as_mut());
    consumer.commit(&at(25)).unwrap();
    drop((log, consumer));
    let (log, _) = room.open();
    let consumer = log.subscribe("a", &[]).unwrap();
    let group = log.status().groups.remove(0);
    assert_eq!(
        (group.lag_records, group.lag_spans),
        (15, total_spans(25..40))
    );
    // Record 26, batch 25, came 26 s after the start, and 40 s have passed.
    assert_eq!(group.lag_ns, 14_000_000_000);
    drop(consumer);
}

#[test]
fn a_group_that_holds_files_too_long_is_named_and_loses_nothing() {
    let room = Room::with(Options {
        groups: vec!["slow".into()],
        ..options()
    });
    let (log, _) = room.open();
    let _slow = log.subscribe("slow", &[]).unwrap();
    append_all(&log, 0..60);
    assert!(log.status().problems.is_empty());
    room.clock.advance(2 * room.options.retention_ns);
    let problems = log.status().problems;
    assert!(
        problems
            .iter()
            .any(|said| said.contains("group slow has not committed")),
        "{problems:?}"
    );
    append(&log, 60).unwrap();
    assert_eq!(read_all(&log, "slow").len(), 61);
}

#[test]
fn a_new_member_takes_over() {
    let room = Room::new();
    let (log, _) = room.open();
    let mut old = log.subscribe("a", &[]).unwrap();
    append_all(&log, 0..3);
    let mut new = log.subscribe("a", &[]).unwrap();
    assert!(old.poll(10, Duration::ZERO).is_err() && old.commit(&at(3)).is_err());
    assert_eq!(numbers(&poll_all(new.as_mut())), [0, 1, 2]);
}

#[test]
fn appenders_and_groups_at_once_lose_and_mix_nothing() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 100;
    let ring_bytes_max = batch(0, 5).memory_bytes() * 10;
    let room = Room::with(Options {
        ring_bytes_max,
        ..options()
    });
    let (log, _) = room.open();
    let consumers: Vec<_> = ["a", "b"]
        .map(|group| log.subscribe(group, &[]).unwrap())
        .into();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    append(&log, writer * EACH + number).unwrap();
                    let ack = if number % 10 == 0 {
                        Ack::Durable
                    } else {
                        Ack::Logged
                    };
                    drop(append_at(&log, Vec::new(), ack));
                    log.sync_step();
                }
            });
        }
        for mut consumer in consumers {
            scope.spawn(move || {
                let mut read = Vec::new();
                while (read.len() as u64) < WRITERS * EACH {
                    let records = consumer.poll(16, Duration::from_secs(10)).unwrap();
                    if let Some(last) = records.last() {
                        let offset = last.position.offset;
                        read.extend(records);
                        // A commit costs syncs; sinks make one every few seconds.
                        if offset % 16 == 0 {
                            consumer.commit(&at(offset)).unwrap();
                        }
                    }
                }
                assert!(
                    read.windows(2)
                        .all(|pair| pair[1].position.offset == pair[0].position.offset + 1)
                );
                let mut all = numbers(&read);
                for writer in 0..WRITERS {
                    let own = all.iter().filter(|&&number| number / EACH == writer);
                    assert!(own.is_sorted());
                }
                all.sort_unstable();
                assert_eq!(all, (0..WRITERS * EACH).collect::<Vec<_>>());
            });
        }
    });
    assert_eq!(log.status().accepted_spans, total_spans(0..WRITERS * EACH));
}
