//! Disks that refuse, tear and lie (F-12, F-14, F-15), and what an append costs.

use super::support::*;
use tracewell_storage::{Ack, Class, SpanLog};
use tracewell_storage_embedded::fs::fault::{EIO, ENOSPC, Fault, Op, Outcome};
use tracewell_storage_embedded::fs::{Space, StdFs, lock_dir};
use tracewell_storage_embedded::log::Options;

#[test]
fn a_logged_append_is_one_write_and_no_sync() {
    let room = Room::new();
    let (log, _) = room.open();
    append(&log, 0).unwrap();
    let before =
        [Op::Write, Op::Sync, Op::SyncDir, Op::Read, Op::Truncate].map(|op| room.fs.count(op));
    let batches = (1..5)
        .map(|number| batch(number, spans_of(number)))
        .collect();
    assert!(append_at(&log, batches, Ack::Logged).get().unwrap().is_ok());
    let after =
        [Op::Write, Op::Sync, Op::SyncDir, Op::Read, Op::Truncate].map(|op| room.fs.count(op));
    assert_eq!(
        after,
        [before[0] + 1, before[1], before[2], before[3], before[4]]
    );
    assert_eq!(read_all(&log, "a"), [0, 1, 2, 3, 4]);
}

#[test]
fn many_durable_appends_share_one_sync() {
    let room = Room::new();
    let (log, _) = room.open();
    let append = |number| append_at(&log, vec![batch(number, spans_of(number))], Ack::Durable);
    let answers: Vec<_> = (0..10).map(append).collect();
    assert!(answers.iter().all(|answer| answer.get().is_none()));
    let before = room.fs.count(Op::Sync);
    log.sync_step();
    assert!(answers.iter().all(|answer| answer.get().unwrap().is_ok()));
    assert_eq!(room.fs.count(Op::Sync), before + 1);
    log.sync_step();
    assert_eq!(
        room.fs.count(Op::Sync),
        before + 1,
        "nothing was left to sync"
    );
}

#[test]
fn nobody_waits_for_a_log_that_is_gone() {
    let room = Room::new();
    let (log, _) = room.open();
    let answer = append_at(&log, vec![batch(0, spans_of(0))], Ack::Durable);
    drop(log);
    assert!(answer.get().unwrap().is_err());
}

#[test]
fn logged_records_are_synced_within_the_stated_window() {
    let room = Room::new();
    let (log, _) = room.open();
    append(&log, 0).unwrap();
    log.sync_step();
    assert_eq!(room.fs.count(Op::Sync), 0);
    room.clock.advance(room.options.sync_every_ns);
    log.sync_step();
    assert_eq!(
        (room.fs.count(Op::Sync), room.fs.count(Op::SyncDir)),
        (1, 1)
    );
}

#[test]
fn received_is_answered_and_replicated_is_refused() {
    let room = Room::new();
    let (log, _) = room.open();
    assert!(
        append_at(&log, vec![batch(0, 1)], Ack::Received)
            .get()
            .unwrap()
            .is_ok()
    );
    let refused = append_at(&log, vec![batch(1, 2)], Ack::Replicated)
        .get()
        .unwrap();
    assert_eq!(refused.unwrap_err().class, Class::Invalid);
    assert_eq!(read_all(&log, "a"), [0]);
}

#[test]
fn a_failed_sync_is_neither_acknowledged_nor_repeated() {
    for nth in 1..=4 {
        let room = Room::new();
        let (log, _) = room.open();
        room.fs.fail(Fault {
            op: Op::Sync,
            nth,
            times: 1,
            outcome: Outcome::Errno(EIO),
        });
        let mut refused = Vec::new();
        for number in 0..12 {
            let answer = append_at(&log, vec![batch(number, spans_of(number))], Ack::Durable);
            let files = room.files().len();
            let syncs = room.fs.count(Op::Sync);
            log.sync_step();
            if answer.get().unwrap().is_err() {
                refused.push(number);
                assert_eq!(room.fs.count(Op::Sync), syncs + 1, "asked again");
                assert_eq!(room.files().len(), files + 1, "the file was not sealed");
            }
        }
        assert_eq!(refused, [nth - 1], "nth {nth}");
        assert!(
            log.status()
                .problems
                .iter()
                .any(|said| said.contains("sealed"))
        );
        // In the log all the same, which the contract allows: the sender repeats.
        assert_eq!(read_all(&log, "a"), (0..12).collect::<Vec<_>>());
        drop(log);
        assert_eq!(read_all(&room.open().0, "b"), (0..12).collect::<Vec<_>>());
    }
}

#[test]
fn when_no_file_can_follow_a_failed_sync_ingest_is_refused_and_reads_go_on() {
    let room = Room::new();
    let (log, _) = room.open();
    append_all(&log, 0..3);
    room.fs.fail(Fault {
        op: Op::Sync,
        nth: 1,
        times: 1,
        outcome: Outcome::Errno(EIO),
    });
    room.fs.fail(Fault {
        op: Op::Create,
        nth: 1,
        times: 1_000,
        outcome: Outcome::Errno(EIO),
    });
    let answer = append_at(&log, vec![batch(3, spans_of(3))], Ack::Durable);
    log.sync_step();
    assert!(answer.get().unwrap().is_err());
    assert!(append(&log, 4).is_err());
    assert!(
        log.status()
            .problems
            .iter()
            .any(|said| said.starts_with("ingest is refused"))
    );
    assert_eq!(read_all(&log, "a"), [0, 1, 2, 3]);
    room.fs.heal();
    append(&log, 5).unwrap();
    assert!(
        !log.status()
            .problems
            .iter()
            .any(|said| said.starts_with("ingest is refused"))
    );
    assert_eq!(read_all(&log, "b"), [0, 1, 2, 3, 5]);
}

/// Appends while faults strike; what was acknowledged, and nothing else, is there: at once, and
/// after a restart.
fn check_writes(outcome: Outcome, truncate_fails: bool) {
    for nth in 1..=12 {
        let room = Room::with(Options {
            file_bytes_max: 1200,
            ..options()
        });
        let (log, _) = room.open();
        room.fs.fail(Fault {
            op: Op::Write,
            nth,
            times: 2,
            outcome,
        });
        if truncate_fails {
            room.fs.fail(Fault {
                op: Op::Truncate,
                nth: 1,
                times: 1,
                outcome: Outcome::Errno(EIO),
            });
        }
        let mut kept = Vec::new();
        for number in 0..20 {
            match append(&log, number) {
                Ok(()) => kept.push(number),
                Err(error) => {
                    assert_eq!(error.class, Class::Overloaded, "{error}");
                    assert!(error.retry_after_s.is_some());
                }
            }
        }
        let what = format!("{outcome:?} at {nth}, truncate fails: {truncate_fails}");
        assert!(kept.len() >= 16, "{what}: it did not recover: {kept:?}");
        assert_eq!(read_all(&log, "a"), kept, "{what}");
        let status = log.status();
        assert_eq!(
            status.accepted_spans,
            total_spans(kept.iter().copied()),
            "{what}"
        );
        drop(log);
        let (log, _) = room.open();
        assert_eq!(read_all(&log, "b"), kept, "{what}, after a restart");
        let status = log.status();
        assert_eq!(
            status.accepted_spans,
            total_spans(kept),
            "{what}, after a restart"
        );
        assert_eq!(status.damaged_records, 0, "{what}: {status:?}");
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    check_writes(Outcome::Errno(ENOSPC), false);
    for torn in [1, 44, 60, 100, 143, 144] {
        check_writes(Outcome::Torn(torn), false);
    }
}

#[test]
fn a_torn_write_that_cannot_be_cut_seals_the_file() {
    for torn in [1, 44, 60, 100] {
        check_writes(Outcome::Torn(torn), true);
    }
}

#[test]
fn a_short_write_is_completed() {
    let room = Room::new();
    let (log, _) = room.open();
    append(&log, 0).unwrap();
    room.fs.fail(Fault {
        op: Op::Write,
        nth: 1,
        times: 3,
        outcome: Outcome::Short(10),
    });
    append_all(&log, 1..4);
    assert_eq!(read_all(&log, "a"), [0, 1, 2, 3]);
}

#[test]
fn the_reserve_is_kept_for_those_who_free_room() {
    let gib = 1u64 << 30;
    let reserved = Options {
        reserve_percent: 5,
        reserve_bytes: 256 << 20,
        ..options()
    };
    let room = Room::with(reserved);
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    room.fs.set_space(Some(Space {
        free_bytes: 6 * gib,
        total_bytes: 100 * gib,
    }));
    append_all(&log, 0..5);
    room.fs.set_space(Some(Space {
        free_bytes: 4 * gib,
        total_bytes: 100 * gib,
    }));
    room.clock.advance(2_000_000_000);
    let refused = append(&log, 5).unwrap_err();
    assert_eq!(
        (refused.class, refused.retry_after_s),
        (Class::Overloaded, Some(10))
    );
    assert!(
        log.status()
            .problems
            .iter()
            .any(|said| said.contains("kept for segments"))
    );
    // Reading and trimming work meanwhile.
    assert_eq!(numbers(&poll_all(consumer.as_mut())), [0, 1, 2, 3, 4]);
    consumer.commit(&at(5)).unwrap();
    room.fs.set_space(Some(Space {
        free_bytes: 6 * gib,
        total_bytes: 100 * gib,
    }));
    append(&log, 6).unwrap();
    assert!(log.status().problems.is_empty());
}

#[test]
fn a_second_process_is_refused_with_a_clear_word() {
    let room = Room::new();
    let _first = lock_dir(&StdFs, room.dir.path()).unwrap();
    let said = lock_dir(&StdFs, room.dir.path()).unwrap_err();
    assert_eq!(said.class, Class::Invalid);
    assert!(
        said.to_string()
            .contains("is used by another tracewell process (pid "),
        "{said}"
    );
}

/// Every read of a replay fails once: the record is asked for again, and not passed.
#[test]
fn a_read_that_fails_in_passing_costs_no_record() {
    let room = Room::new();
    let (log, _) = room.open();
    append_all(&log, 0..40);
    drop(log);
    let (log, _) = room.open();
    let before = room.fs.count(Op::Read);
    assert_eq!(read_all(&log, "counts"), (0..40).collect::<Vec<_>>());
    let reads = room.fs.count(Op::Read) - before;
    assert!(reads >= 3, "{reads}");
    for nth in 1..=reads {
        let (log, _) = room.open();
        room.fs.fail(Fault {
            op: Op::Read,
            nth,
            times: 1,
            outcome: Outcome::Errno(EIO),
        });
        let mut consumer = log.subscribe("a", &[]).unwrap();
        let mut records = Vec::new();
        while records.len() < 40 {
            let polled = consumer.poll(7, std::time::Duration::ZERO);
            let polled = polled.unwrap_or_default();
            records.extend(polled);
        }
        assert_eq!(numbers(&records), (0..40).collect::<Vec<_>>(), "read {nth}");
        assert_eq!(log.status().damaged_spans, 0);
        room.fs.heal();
    }
}

/// What is lost is written down before what comes after it is given out: once a store has passed
/// it, nobody would look for it again.
#[test]
fn a_loss_is_safe_before_anyone_passes_it() {
    let room = Room::new();
    let (log, _) = room.open();
    append_all(&log, 0..40);
    drop(log);
    let path = &room.files()[0];
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    room.fs.fail(Fault {
        op: Op::Rename,
        nth: 1,
        times: u64::MAX,
        outcome: Outcome::Errno(EIO),
    });
    let polled = consumer.poll(1_000, std::time::Duration::ZERO);
    assert!(polled.is_err(), "{polled:?}");
    room.fs.heal();
    let read = poll_all(consumer.as_mut());
    assert_eq!(read.len(), 39);
    let lost = log.status().damaged_spans;
    assert_eq!(total_spans(0..40) - lost, total_spans(numbers(&read)));
    drop((log, consumer));
    let (log, _) = room.open();
    assert_eq!(log.status().damaged_spans, lost);
}

#[test]
fn positions_that_cannot_be_saved_unlink_nothing() {
    for op in [Op::Create, Op::Write, Op::Sync, Op::Rename] {
        let room = Room::new();
        let (log, _) = room.open();
        let mut consumer = log.subscribe("a", &[]).unwrap();
        append_all(&log, 0..40);
        poll_all(consumer.as_mut());
        let files = room.files().len();
        room.fs.fail(Fault {
            op,
            nth: 1,
            times: 1,
            outcome: Outcome::Errno(ENOSPC),
        });
        assert!(consumer.commit(&at(40)).is_err(), "{op:?}");
        assert_eq!(room.files().len(), files, "{op:?}");
        consumer.commit(&at(40)).unwrap();
        assert!(room.files().len() < files, "{op:?}");
    }
}
