//! Figures over restarts, damage and a full disk.

use super::*;
use crate::fs::StdFs;
use crate::fs::fault::{ENOSPC, Fault, FaultFs, Op, Outcome};
use tracewell_model::clock::ManualClock;
use tracewell_storage::stats::{Figures as Counted, STEP_NS, SeriesKey};

const T: u64 = 1_700_000_000_000_000_000;

struct Room {
    dir: tempfile::TempDir,
    fs: FaultFs,
    clock: Arc<ManualClock>,
}

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        Room {
            dir,
            fs: FaultFs::new(StdFs::shared()),
            clock: Arc::new(ManualClock::at(T)),
        }
    }

    fn open(&self) -> EmbeddedStats {
        let clock = Arc::clone(&self.clock);
        EmbeddedStats::open(Arc::new(self.fs.clone()), self.dir.path(), clock).unwrap()
    }

    /// With all that rests on the shelf.
    fn open_on_shelf(&self) -> EmbeddedStats {
        let (fs, clock) = (Arc::new(self.fs.clone()), Arc::clone(&self.clock));
        EmbeddedStats::open_with(fs, self.dir.path(), clock, 0).unwrap()
    }

    /// The files of the shelf.
    fn shelf(&self) -> Vec<PathBuf> {
        let dir = std::fs::read_dir(self.dir.path().join("stats")).unwrap();
        let paths = dir.map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths
            .filter(|path| path.to_str().unwrap().contains("/figures-"))
            .collect();
        files.sort();
        files
    }

    fn snapshot(&self) -> PathBuf {
        self.dir.path().join("stats/snapshot")
    }
}

fn delta(offset: u64, spans: u64) -> StatsDelta {
    let mut figures = Counted::default();
    (0..spans).for_each(|_| figures.record(1_000_000, false));
    let key = SeriesKey::Operation {
        service: "cart".into(),
        operation: "GET".into(),
        entry: true,
    };
    StatsDelta {
        figures: [((T / STEP_NS, key), figures)].into_iter().collect(),
        positions: vec![Position {
            partition: 0,
            offset,
        }],
        now_unix_ns: T,
        ..StatsDelta::default()
    }
}

fn spans(stats: &EmbeddedStats) -> u64 {
    let window = Window {
        from_unix_ns: T - 60_000_000_000,
        to_unix_ns: T + 60_000_000_000,
        steps: 0,
    };
    let answer = stats.read_services(&window).unwrap();
    answer.rows.iter().map(|row| row.figures.count).sum()
}

fn offset(stats: &EmbeddedStats) -> u64 {
    stats
        .durable()
        .iter()
        .map(|position| position.offset)
        .max()
        .unwrap_or(0)
}

#[test]
fn figures_and_positions_are_saved_together() {
    let room = Room::new();
    let stats = room.open();
    stats.write(delta(3, 5)).unwrap();
    assert_eq!((spans(&stats), offset(&stats)), (5, 0));
    stats.flush().unwrap();
    stats.write(delta(4, 7)).unwrap();
    assert_eq!((spans(&stats), offset(&stats)), (12, 3));
    let after_crash = room.open();
    assert_eq!((spans(&after_crash), offset(&after_crash)), (5, 3));
    assert!(after_crash.problems().is_empty());
}

#[test]
fn ten_seconds_after_the_last_save_a_write_saves() {
    let room = Room::new();
    let stats = room.open();
    stats.write(delta(1, 1)).unwrap();
    room.clock.advance(SAVE_EVERY_NS);
    stats.write(delta(2, 1)).unwrap();
    assert_eq!(offset(&stats), 2);
    assert_eq!(spans(&room.open()), 2);
}

#[test]
fn a_damaged_snapshot_is_left_out_and_named() {
    let room = Room::new();
    let stats = room.open();
    stats.write(delta(3, 5)).unwrap();
    stats.flush().unwrap();
    let sound = std::fs::read(room.snapshot()).unwrap();
    for bit in 0..sound.len() * 8 {
        let mut flipped = sound.clone();
        if let Some(byte) = flipped.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        std::fs::write(room.snapshot(), &flipped).unwrap();
        let stats = room.open();
        assert_eq!((spans(&stats), offset(&stats)), (0, 0), "bit {bit}");
        assert_eq!(stats.problems().len(), 1, "bit {bit}");
    }
    for cut in 0..sound.len() {
        std::fs::write(room.snapshot(), sound.get(..cut).unwrap()).unwrap();
        assert_eq!(spans(&room.open()), 0, "cut {cut}");
    }
}

#[test]
fn a_newer_snapshot_is_refused_untouched() {
    let room = Room::new();
    room.open().flush().unwrap();
    let mut bytes = std::fs::read(room.snapshot()).unwrap();
    bytes.splice(8..9, [9]);
    let crc = format::checksum(bytes.get(..12).unwrap()).to_le_bytes();
    bytes.splice(12..16, crc);
    std::fs::write(room.snapshot(), &bytes).unwrap();
    let clock = Arc::new(ManualClock::at(T));
    let said = EmbeddedStats::open(StdFs::shared(), room.dir.path(), clock)
        .unwrap_err()
        .to_string();
    assert!(said.contains("version 9"), "{said}");
    assert_eq!(std::fs::read(room.snapshot()).unwrap(), bytes);
}

#[test]
fn whatever_call_fails_the_old_or_the_new_figures_remain() {
    let ops = [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::SyncDir];
    // The first of each call is the roll's, the second the figures'.
    for (op, nth) in ops.into_iter().flat_map(|op| [(op, 1), (op, 2)]) {
        let room = Room::new();
        let stats = room.open();
        stats.write(delta(1, 1)).unwrap();
        stats.flush().unwrap();
        stats.write(delta(2, 1)).unwrap();
        room.fs.fail(Fault {
            op,
            nth,
            times: 1,
            outcome: Outcome::Errno(ENOSPC),
        });
        assert!(stats.flush().is_err());
        assert_eq!(offset(&stats), 1, "{op:?}");
        assert_eq!(stats.problems().len(), 1, "{op:?}");
        let reopened = room.open();
        let expected = if (op, nth) == (Op::SyncDir, 2) {
            (2, 2)
        } else {
            (1, 1)
        };
        assert_eq!((spans(&reopened), offset(&reopened)), expected, "{op:?}");
        // Room again: nothing but the next save is needed.
        stats.flush().unwrap();
        assert_eq!((offset(&stats), stats.problems().len()), (2, 0), "{op:?}");
    }
}

#[test]
fn a_write_that_cannot_be_saved_is_counted_once() {
    let room = Room::new();
    let stats = room.open();
    room.clock.advance(SAVE_EVERY_NS);
    room.fs.fail(Fault {
        op: Op::Write,
        nth: 1,
        times: 1,
        outcome: Outcome::Torn(10),
    });
    stats.write(delta(1, 5)).unwrap();
    assert_eq!((spans(&stats), offset(&stats)), (5, 0));
}

#[test]
fn reading_touches_no_file() {
    let room = Room::new();
    let stats = room.open();
    stats.write(delta(1, 5)).unwrap();
    let before = room.fs.count(Op::Read);
    let window = Window {
        from_unix_ns: 0,
        to_unix_ns: 2 * T,
        steps: 3,
    };
    stats.read_services(&window).unwrap();
    stats.read_operations("cart", &window).unwrap();
    stats.read_graph(&window).unwrap();
    assert_eq!(room.fs.count(Op::Read), before);
}

/// Five spans of now, and so many deltas after them that they come to rest.
fn write_and_rest(stats: &EmbeddedStats, offset: u64) {
    stats.write(delta(offset, 5)).unwrap();
    for _ in 0..5 {
        stats.write(empty(T)).unwrap();
    }
}

fn empty(now_unix_ns: u64) -> StatsDelta {
    StatsDelta {
        now_unix_ns,
        ..StatsDelta::default()
    }
}

#[test]
fn what_rests_is_put_away_and_found_after_a_restart() {
    let room = Room::new();
    let stats = room.open_on_shelf();
    write_and_rest(&stats, 1);
    stats.flush().unwrap();
    assert_eq!((room.shelf().len(), spans(&stats)), (1, 5));
    // What comes later to the same time is put away beside it.
    write_and_rest(&stats, 2);
    stats.flush().unwrap();
    assert_eq!((room.shelf().len(), spans(&stats)), (2, 10));
    let again = room.open_on_shelf();
    assert_eq!((spans(&again), offset(&again)), (10, 2));
    assert!(again.problems().is_empty());
    // Hours later the times are a minute, then ten: in memory again, then in a file of their own.
    for hour in 1..=30 {
        again.write(empty(T + hour * 3_600_000_000_000)).unwrap();
    }
    again.flush().unwrap();
    assert_eq!((room.shelf().len(), spans_ever(&again)), (1, 10));
    for hour in 31..=8 * 24 + 2 {
        again.write(empty(T + hour * 3_600_000_000_000)).unwrap();
    }
    again.flush().unwrap();
    assert_eq!((room.shelf().len(), spans_ever(&again)), (0, 0));
}

fn spans_ever(stats: &EmbeddedStats) -> u64 {
    let window = Window {
        from_unix_ns: 0,
        to_unix_ns: 2 * T,
        steps: 0,
    };
    let answer = stats.read_services(&window).unwrap();
    answer.rows.iter().map(|row| row.figures.count).sum()
}

#[test]
fn whatever_call_fails_figures_on_the_shelf_remain() {
    let ops = [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::SyncDir];
    // The shelf's own file comes first, then the roll's and the snapshot's.
    for (op, nth) in ops
        .into_iter()
        .flat_map(|op| [1, 2, 3].map(|nth| (op, nth)))
    {
        let room = Room::new();
        let stats = room.open_on_shelf();
        write_and_rest(&stats, 1);
        stats.flush().unwrap();
        write_and_rest(&stats, 2);
        room.fs.fail(Fault {
            op,
            nth,
            times: 1,
            outcome: Outcome::Errno(ENOSPC),
        });
        assert!(stats.flush().is_err(), "{op:?} {nth}");
        assert_eq!((spans(&stats), stats.problems().len()), (10, 1));
        let saved = room.open_on_shelf();
        let expected = if offset(&saved) == 2 { 10 } else { 5 };
        assert_eq!(spans(&saved), expected, "{op:?} {nth}");
        drop(saved);
        // A start takes what no snapshot names off the shelf; nothing else may go with it.
        assert_eq!(spans(&room.open_on_shelf()), expected, "{op:?} {nth}");
    }
}

#[test]
fn a_damaged_shelf_is_named_and_the_rest_is_answered() {
    let room = Room::new();
    let stats = room.open_on_shelf();
    write_and_rest(&stats, 1);
    stats.flush().unwrap();
    stats.write(delta(2, 7)).unwrap();
    stats.flush().unwrap();
    let [file] = &room.shelf()[..] else {
        panic!("one file");
    };
    let sound = std::fs::read(file).unwrap();
    let window = Window {
        from_unix_ns: 0,
        to_unix_ns: 2 * T,
        steps: 0,
    };
    let check = |bytes: Option<&[u8]>, what: &str| {
        match bytes {
            Some(bytes) => std::fs::write(file, bytes).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        let stats = room.open_on_shelf();
        let answer = stats.read_services(&window).unwrap();
        assert_eq!(answer.rows[0].figures.count, 7, "{what}");
        assert!(answer.incomplete[0].contains("figures-"), "{what}");
    };
    for bit in 0..sound.len() * 8 {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check(Some(&flipped), &format!("bit {bit}"));
    }
    for cut in 0..sound.len() {
        check(sound.get(..cut), &format!("cut {cut}"));
    }
    check(None, "gone");
}

#[test]
fn a_start_without_a_snapshot_that_can_be_read_leaves_the_shelf_alone() {
    let room = Room::new();
    let stats = room.open_on_shelf();
    write_and_rest(&stats, 1);
    stats.flush().unwrap();
    let sound = std::fs::read(room.snapshot()).unwrap();
    // A disk that fails for a moment: until figures are saved anew, nothing is lost by it.
    room.fs.fail(Fault {
        op: Op::Read,
        nth: 1,
        times: 1,
        outcome: Outcome::Errno(5),
    });
    let blind = room.open_on_shelf();
    assert_eq!((spans(&blind), blind.problems().len()), (0, 1));
    assert_eq!(spans(&room.open_on_shelf()), 5);
    // Damage: what was put away stays until a snapshot is read again.
    std::fs::write(room.snapshot(), &sound[..sound.len() / 2]).unwrap();
    let anew = room.open_on_shelf();
    write_and_rest(&anew, 2);
    anew.flush().unwrap();
    assert_eq!((room.shelf().len(), spans(&anew)), (2, 5));
    std::fs::write(room.snapshot(), &sound).unwrap();
    assert_eq!(spans(&room.open_on_shelf()), 5);
    assert_eq!(room.shelf().len(), 1, "what the new one named");
}

#[test]
fn a_newer_shelf_is_refused_untouched() {
    let room = Room::new();
    let stats = room.open_on_shelf();
    write_and_rest(&stats, 1);
    stats.flush().unwrap();
    let mut bytes = std::fs::read(&room.shelf()[0]).unwrap();
    bytes.splice(8..9, [9]);
    let crc = format::checksum(bytes.get(..12).unwrap()).to_le_bytes();
    bytes.splice(12..16, crc);
    // Also one that nothing names.
    for file in [
        room.shelf()[0].clone(),
        room.dir.path().join("stats/figures-000000ff"),
    ] {
        std::fs::write(&file, &bytes).unwrap();
        let clock = Arc::new(ManualClock::at(T));
        let opened = EmbeddedStats::open(StdFs::shared(), room.dir.path(), clock);
        assert!(opened.unwrap_err().to_string().contains("version 9"));
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
}
