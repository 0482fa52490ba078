//! Torn, garbled, missing and moved files (F-07 … F-11): the log opens, gives back what is sound,
//! unaltered, and counts what is not.

use std::fs;
use std::path::Path;

use super::support::*;
use tracewell_storage::SpanLog;

const BATCHES: u64 = 40;

/// A closed log of several files; group "a" exists and has committed nothing.
fn written() -> Room {
    let room = Room::new();
    let (log, _) = room.open();
    append_all(&log, 0..BATCHES);
    assert!(room.files().len() >= 3, "{:?}", room.files());
    room
}

fn cut(path: &Path, length: u64) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length)
        .unwrap();
}

/// Opens, reads everything, appends one more, and opens again: whatever was done to the files,
/// what comes back is sound and in order, and the figures add up.
fn check(room: &Room, what: &str) -> (Vec<u64>, u64, u64) {
    let (log, recovery) = room.open();
    let read = read_all(&log, "check a");
    assert!(read.is_sorted(), "{what}: {read:?}");
    let status = log.status();
    assert_eq!(
        status.accepted_spans,
        total_spans(read.iter().copied()) + status.damaged_spans,
        "{what}: accounts: {status:?} {recovery:?} {read:?}"
    );
    append(&log, 1_000).unwrap();
    drop(log);
    let (log, _) = room.open();
    let mut expected = read.clone();
    expected.push(1_000);
    assert_eq!(
        read_all(&log, "check b"),
        expected,
        "{what}: after another start"
    );
    let again = log.status();
    assert_eq!(
        (
            again.damaged_records,
            again.damaged_spans,
            again.accepted_spans
        ),
        (
            status.damaged_records,
            status.damaged_spans,
            status.accepted_spans + spans_of(1_000)
        ),
        "{what}: figures over a restart"
    );
    (read, status.damaged_records, status.damaged_spans)
}

#[test]
fn a_tail_torn_at_any_byte_costs_only_the_torn_records() {
    let room = Room::with(tracewell_storage_embedded::log::Options {
        file_bytes_max: 1 << 20,
        ..options()
    });
    let (log, _) = room.open();
    let mut ends = Vec::new();
    for number in 0..8 {
        append(&log, number).unwrap();
        ends.push(log.status().bytes);
    }
    drop(log);
    for length in ends[4]..ends[7] {
        let room = room.copy();
        cut(&room.files()[0], length);
        let whole = ends.iter().filter(|&&end| end <= length).count() as u64;
        let (read, damaged, _) = check(&room, &format!("cut at {length}"));
        assert_eq!(read, (0..whole).collect::<Vec<_>>(), "cut at {length}");
        assert_eq!(damaged, 0);
    }
}

#[test]
fn what_follows_the_last_record_is_cut() {
    let garbage: [(&str, Vec<u8>); 4] = [
        ("zeros", vec![0; 5000]),
        ("a few zeros", vec![0; 3]),
        (
            "garbage",
            (0..5000u32)
                .map(|number| ((number * 7919) >> 3) as u8)
                .collect(),
        ),
        (
            "the start of a record",
            vec![0xa7, b'R', b'e', b'c', 9, 0, 0, 0],
        ),
    ];
    for (what, bytes) in garbage {
        let room = written();
        let path = room.files().pop().unwrap();
        let mut content = fs::read(&path).unwrap();
        content.extend_from_slice(&bytes);
        fs::write(&path, content).unwrap();
        let (read, damaged, _) = check(&room, what);
        assert_eq!((read.len() as u64, damaged), (BATCHES, 0), "{what}");
    }
}

/// A power cut while a file was begun: whatever there is of its head, what is appended afterwards
/// is read again.
#[test]
fn a_file_that_was_only_begun_does_no_harm() {
    let written = written();
    let (log, _) = written.open();
    let before = written.files().len();
    let first = (BATCHES..)
        .find(|&number| {
            append(&log, number).unwrap();
            written.files().len() > before
        })
        .unwrap();
    for length in 0..=144 {
        let room = written.copy();
        cut(room.files().last().unwrap(), length);
        let (read, damaged, _) = check(&room, &format!("{length} bytes"));
        assert_eq!((read.len() as u64, damaged), (first, 0), "{length} bytes");
    }
}

#[test]
fn a_flipped_bit_is_detected_or_harmless() {
    let room = written();
    let mut random = fastrand::Rng::with_seed(9);
    for round in 0..250 {
        let room = room.copy();
        let files = room.files();
        let path = &files[random.usize(0..files.len())];
        let mut bytes = fs::read(path).unwrap();
        let bit = random.usize(0..bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, &bytes).unwrap();
        let (read, damaged, _) = check(
            &room,
            &format!("round {round}: bit {bit} of {}", path.display()),
        );
        // A flip in the last record's head is a torn tail: cut, and kept aside.
        let missing = BATCHES - read.len() as u64;
        assert!(
            missing <= 1 && damaged <= missing,
            "round {round}: {missing} missing, {damaged} counted"
        );
        assert!(
            missing == 0 || room.set_aside() > 0,
            "round {round}: nothing was kept aside"
        );
    }
}

#[test]
fn every_bit_of_a_record_in_the_middle() {
    let room = written();
    let path = room.files()[0].clone();
    let length = fs::read(&path).unwrap().len();
    for bit in (0..length.min(600) * 8).step_by(3) {
        let room = room.copy();
        let path = &room.files()[0];
        let mut bytes = fs::read(path).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, &bytes).unwrap();
        let (log, _) = room.open();
        let read = read_all(&log, "a");
        let status = log.status();
        assert!(read.len() as u64 >= BATCHES - 1, "bit {bit}: {read:?}");
        assert_eq!(
            status.damaged_records,
            BATCHES - read.len() as u64,
            "bit {bit}"
        );
        assert_eq!(
            status.accepted_spans,
            total_spans(read) + status.damaged_spans,
            "bit {bit}"
        );
    }
}

#[test]
fn several_damages_at_once_cost_only_themselves() {
    let room = written();
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..80 {
        let room = room.copy();
        for path in room.files() {
            let mut bytes = fs::read(&path).unwrap();
            for _ in 0..random.usize(0..4) {
                let from = random.usize(144..bytes.len());
                let to = (from + random.usize(1..300)).min(bytes.len());
                bytes[from..to]
                    .iter_mut()
                    .for_each(|byte| *byte = random.u8(..));
            }
            fs::write(&path, &bytes).unwrap();
        }
        check(&room, &format!("round {round}"));
    }
}

#[test]
fn a_missing_file_is_named_and_counted() {
    for position in 0..written().files().len() {
        let room = written();
        let (log, _) = room.open();
        // Positions are saved, with the log's end.
        let mut consumer = log.subscribe("other", &[]).unwrap();
        poll_all(consumer.as_mut());
        consumer.commit(&at(1)).unwrap();
        drop((log, consumer));
        fs::remove_file(&room.files()[position]).unwrap();
        let (log, recovery) = room.open();
        let read = read_all(&log, "a");
        let status = log.status();
        let missing = BATCHES - read.len() as u64;
        assert!(missing > 0, "file {position}");
        assert_eq!(
            status.damaged_records, missing,
            "file {position}: {recovery:?}"
        );
        assert_eq!(
            status.accepted_spans,
            total_spans(0..BATCHES),
            "file {position}"
        );
        assert_eq!(
            status.damaged_spans,
            total_spans(0..BATCHES) - total_spans(read),
            "file {position}"
        );
        assert!(
            recovery.problems.iter().any(|said| said.contains("lost")),
            "{recovery:?}"
        );
        drop(log);
        check(&room, &format!("file {position} missing"));
    }
}

#[test]
fn a_file_without_a_head_is_set_aside() {
    let room = written();
    let path = room.files()[1].clone();
    let mut bytes = fs::read(&path).unwrap();
    bytes[..144].iter_mut().for_each(|byte| *byte = 0);
    fs::write(&path, &bytes).unwrap();
    let (read, damaged, _) = check(&room, "no head");
    assert_eq!(read.len() as u64 + damaged, BATCHES);
    assert_eq!(room.set_aside(), 1);
}

#[test]
fn a_newer_file_is_refused_and_nothing_is_touched() {
    let room = written();
    let path = room.files().pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for block in [0, 72] {
        bytes[block + 8] = 3;
        let crc = crc32(&bytes[block..block + 12]);
        bytes[block + 12..block + 16].copy_from_slice(&crc.to_le_bytes());
    }
    bytes.extend_from_slice(b"torn");
    fs::write(&path, &bytes).unwrap();
    let said = room.try_open().unwrap_err().to_string();
    assert!(said.contains("version 3"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

fn crc32(bytes: &[u8]) -> u32 {
    tracewell_storage_embedded::format::checksum(bytes)
}

/// Group "a" has committed `offset`; the log is closed.
fn committed(offset: u64) -> Room {
    let room = Room::new();
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    append_all(&log, 0..BATCHES);
    poll_all(consumer.as_mut());
    consumer.commit(&at(offset)).unwrap();
    room
}

#[test]
fn absent_or_damaged_positions_mean_reading_again() {
    for damage in ["absent", "empty", "garbage"] {
        let room = committed(3);
        let path = room.dir.path().join("log/groups");
        match damage {
            "absent" => fs::remove_file(&path).unwrap(),
            "empty" => fs::write(&path, b"").unwrap(),
            _ => fs::write(&path, [7; 90]).unwrap(),
        }
        let (log, _) = room.open();
        assert_eq!(
            read_all(&log, "a"),
            (0..BATCHES).collect::<Vec<_>>(),
            "{damage}"
        );
        assert_eq!(log.status().accepted_spans, total_spans(0..BATCHES));
        // The sink knows better than nothing.
        let mut consumer = log.subscribe("a", &at(3)).unwrap();
        assert_eq!(
            numbers(&poll_all(consumer.as_mut())),
            (3..BATCHES).collect::<Vec<_>>()
        );
    }
}

#[test]
fn positions_older_than_the_unlinked_files_are_no_loss() {
    let room = committed(1);
    let old = fs::read(room.dir.path().join("log/groups")).unwrap();
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    poll_all(consumer.as_mut());
    consumer.commit(&at(BATCHES - 1)).unwrap();
    assert!(room.files().len() == 1);
    drop((log, consumer));
    // Without the file of positions nothing tells trimmed from lost, so nothing is called lost.
    fs::remove_file(room.dir.path().join("log/groups")).unwrap();
    let (log, recovery) = room.open();
    assert_eq!(
        (recovery.lost_records, recovery.accepted_spans),
        (0, total_spans(0..BATCHES))
    );
    drop(log);
    // With an old one the gap is named: loudly, but the log opens.
    fs::write(room.dir.path().join("log/groups"), old).unwrap();
    let (log, recovery) = room.open();
    assert!(recovery.lost_records > 0 && !recovery.problems.is_empty());
    append(&log, 99).unwrap();
    assert_eq!(*read_all(&log, "a").last().unwrap(), 99);
}

#[test]
fn a_sink_that_is_ahead_of_the_log_misses_nothing_new() {
    let room = Room::new();
    let (log, _) = room.open();
    append_all(&log, 0..5);
    drop(log);
    // A power cut took the end of the log, but not of the sink: it has offset 9.
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &at(9)).unwrap();
    append_all(&log, 5..8);
    let records = poll_all(consumer.as_mut());
    assert_eq!(numbers(&records), [5, 6, 7]);
    assert!(records.iter().all(|record| record.position.offset > 9));
    assert!(
        log.status()
            .problems
            .iter()
            .any(|said| said.contains("offset 9"))
    );
    assert_eq!(log.status().damaged_records, 0);
    consumer.commit(&at(records[1].position.offset)).unwrap();
    drop((log, consumer));
    let (log, _) = room.open();
    assert_eq!(read_all(&log, "a"), [7]);
}

/// Only the store knows then how many spans the log had accepted (D9).
#[test]
fn a_log_that_lost_its_end_goes_on_with_the_stores_count() {
    let room = Room::new();
    let (log, _) = room.open();
    append_all(&log, 0..5);
    let had = log.status().accepted_spans;
    drop(log);
    for restarts in 0..3 {
        let (log, _) = room.open();
        log.note_stored(&at(9), had + 100);
        let mut consumer = log.subscribe("a", &at(9)).unwrap();
        assert_eq!(log.status().accepted_spans, had + 100);
        assert_eq!(log.status().lag_spans("a"), 0, "after {restarts} restarts");
        assert!(poll_all(consumer.as_mut()).is_empty());
    }
    let (log, _) = room.open();
    log.note_stored(&at(9), had + 100);
    append(&log, 5).unwrap();
    drop(log);
    let (log, _) = room.open();
    log.note_stored(&at(9), had + 100);
    assert_eq!(log.status().accepted_spans, had + 100 + spans_of(5));
}

#[test]
fn the_end_of_the_log_that_a_power_cut_took_is_counted() {
    let room = committed(3);
    let path = room.files().pop().unwrap();
    // The positions were synced, the records were not.
    cut(&path, 144);
    let (log, recovery) = room.open();
    let read = read_all(&log, "b");
    assert_eq!(recovery.lost_records, BATCHES - read.len() as u64);
    assert_eq!(log.status().accepted_spans, total_spans(0..BATCHES));
    drop(log);
    check(&room, "cut to the head");
}

/// Without positions only the store tells what came before the first file, and only until it has
/// taken in what comes after it.
#[test]
fn what_is_lost_before_the_first_file_is_remembered_when_the_store_has_passed_it() {
    let room = written();
    fs::remove_file(&room.files()[0]).unwrap();
    let (log, _) = room.open();
    log.note_stored(&[], 0);
    let lost = log.status().damaged_spans;
    assert!(lost > 0);
    let read = read_all(&log, "storage");
    assert_eq!(
        total_spans(read.iter().copied()) + lost,
        total_spans(0..BATCHES)
    );
    drop(log);
    let (log, _) = room.open();
    log.note_stored(&at(BATCHES), total_spans(read));
    assert_eq!(log.status().damaged_spans, lost);
}

/// A power cut brings a passed file back, torn, and takes the one after it: what is missing begins
/// in what was trimmed, and that part of it nobody misses.
#[test]
fn a_loss_that_begins_in_what_was_trimmed_is_counted_from_there() {
    let room = written();
    let files = room.files();
    let base = |file: usize| -> u64 {
        let stem = files[file].file_stem().and_then(|stem| stem.to_str());
        stem.unwrap().parse().unwrap()
    };
    let mut passed = fs::read(&files[0]).unwrap();
    let (log, _) = room.open();
    let mut consumer = log.subscribe("a", &[]).unwrap();
    poll_all(consumer.as_mut());
    consumer.commit(&at(base(1) - 1)).unwrap();
    drop((log, consumer));
    assert_eq!(room.files(), files[1..]);
    passed.pop();
    fs::write(&files[0], passed).unwrap();
    fs::remove_file(&files[1]).unwrap();
    // The record at an offset is the batch of the number before it.
    let lost = base(1) - 1..base(2) - 1;
    for restarts in 0..3 {
        let (log, _) = room.open();
        let mut consumer = log.subscribe("a", &[]).unwrap();
        let read = numbers(&poll_all(consumer.as_mut()));
        assert_eq!(read, (lost.end..BATCHES).collect::<Vec<_>>());
        let status = log.status();
        assert_eq!(
            (status.damaged_records, status.damaged_spans),
            (lost.end - lost.start, total_spans(lost.clone())),
            "after {restarts} restarts"
        );
        assert_eq!(status.accepted_spans, total_spans(0..BATCHES));
    }
}

#[test]
fn bytes_in_an_attribute_never_pass_for_a_record() {
    // A sender puts a record of another log, offset and all, into an attribute. Were damage to
    // strike the head before it, the scan would run over it.
    let other = Room::with(tracewell_storage_embedded::log::Options {
        salt_seed: 8,
        ..options()
    });
    let (log, _) = other.open();
    append_all(&log, 0..3);
    drop(log);
    let forged = fs::read(&other.files()[0]).unwrap();
    let room = written();
    let path = room.files()[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    let length = forged.len() - 144;
    bytes[144..144 + length].copy_from_slice(&forged[144..]);
    fs::write(&path, &bytes).unwrap();
    let (read, damaged, _) = check(&room, "forged");
    assert!(read[0] > 0 && damaged > 0, "{read:?}");
}
