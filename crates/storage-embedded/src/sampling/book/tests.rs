//! What the book keeps over restarts, torn tails and time.

use tempfile::TempDir;

use super::*;
use crate::fs::StdFs;

const HOUR: u64 = 3_600_000_000_000;
const NOW: u64 = 1_000_000 * HOUR;

fn open(dir: &TempDir, now_unix_ns: u64) -> Book {
    let patience = Patience {
        dropped_ns: HOUR,
        kept_ns: 100 * HOUR,
    };
    Book::open(StdFs::shared(), dir.path(), patience, now_unix_ns).unwrap()
}

fn id(number: u8) -> TraceId {
    TraceId([number; 16])
}

/// Keeps trace `number`, drops `number + 1`.
fn round(number: u8, at_unix_ns: u64) -> Round {
    Round {
        at_unix_ns,
        decided_through_unix_ns: at_unix_ns,
        segment: u64::from(number),
        dropped_spans: 5,
        starts: (at_unix_ns, at_unix_ns),
        kept: vec![(id(number), Kept::Error as u8)],
        dropped: vec![trace_hash(id(number + 1))],
        ..Round::default()
    }
}

const KEPT: Option<Verdict> = Some(Verdict::Keep(Kept::Error));
const DROPPED: Option<Verdict> = Some(Verdict::Drop(Dropped::NotInShare));

fn files(dir: &TempDir, ending: &str) -> Vec<PathBuf> {
    let names = StdFs.list(dir.path()).unwrap().into_iter();
    let wanted = names.filter(|name| name.ends_with(ending));
    wanted.map(|name| dir.path().join(name)).collect()
}

#[test]
fn what_was_decided_is_known_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let mut book = open(&dir, NOW);
    assert_eq!(book.decided_through_unix_ns, NOW, "what came before stays");
    book.decide(round(1, NOW + 1)).unwrap();
    let pin = Pin {
        id: id(9),
        start_unix_ns: 1,
        at_unix_ns: NOW,
    };
    book.pin(pin).unwrap();
    drop(book);
    let book = open(&dir, NOW + 2);
    assert_eq!((book.recent(id(1)), book.recent(id(2))), (KEPT, DROPPED));
    assert_eq!(book.recent(id(3)), None);
    assert!(book.is_pinned(id(9)));
    assert_eq!(book.decided_through_unix_ns, NOW + 1);
    assert_eq!(book.dropped_spans.get(&1), Some(&5));
    assert_eq!(book.problems, [""; 0]);
}

#[test]
fn what_is_opened_or_fails_late_is_not_dropped_any_more() {
    let dir = TempDir::new().unwrap();
    let mut book = open(&dir, NOW);
    book.decide(round(1, NOW + 1)).unwrap();
    book.decide(round(3, NOW + 2)).unwrap();
    let pin = Pin {
        id: id(2),
        start_unix_ns: 7,
        at_unix_ns: NOW + 3,
    };
    book.pin(pin).unwrap();
    let late = Round {
        kept: vec![(id(4), Kept::LateError as u8)],
        dropped: Vec::new(),
        ..round(5, NOW + 4)
    };
    book.decide(late).unwrap();
    drop(book);
    let book = open(&dir, NOW + 5);
    assert_eq!(book.recent(id(2)), Some(Verdict::Keep(Kept::Pinned)));
    assert_eq!(book.recent(id(4)), Some(Verdict::Keep(Kept::LateError)));
    assert!(!book.is_dropped(trace_hash(id(2))) && !book.is_dropped(trace_hash(id(4))));
}

#[test]
fn a_torn_tail_costs_its_entry_and_damage_what_follows_and_both_keep() {
    let dir = TempDir::new().unwrap();
    let mut book = open(&dir, NOW);
    book.decide(round(1, NOW + 1)).unwrap();
    book.decide(round(3, NOW + 2)).unwrap();
    drop(book);
    let path = files(&dir, ".decisions").pop().unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let book = open(&dir, NOW + 3);
    assert_eq!((book.recent(id(1)), book.recent(id(2))), (KEPT, DROPPED));
    assert_eq!((book.recent(id(3)), book.recent(id(4))), (None, None));
    assert_eq!(book.decided_through_unix_ns, NOW + 1);
    assert_eq!(book.problems, [""; 0], "a crash leaves such a tail");
    drop(book);
    // By now it is not the last journal.
    let mut flipped = whole.clone();
    flipped[20] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    let book = open(&dir, NOW + 4);
    assert_eq!((book.recent(id(1)), book.recent(id(2))), (None, None));
    assert!(
        book.problems[0].contains("is damaged from byte"),
        "{:?}",
        book.problems
    );
    let mut newer = whole;
    newer[8] = 9;
    let crc = format::checksum(&newer[..12]).to_le_bytes();
    newer[12..16].copy_from_slice(&crc);
    std::fs::write(&path, &newer).unwrap();
    let patience = book.patience;
    drop(book);
    assert!(Book::open(StdFs::shared(), dir.path(), patience, NOW).is_err());
}

#[test]
fn why_traces_are_kept_goes_to_a_shelf_and_with_the_traces() {
    let dir = TempDir::new().unwrap();
    let mut book = open(&dir, NOW);
    book.decide(round(1, NOW)).unwrap();
    let later = NOW + 25 * HOUR;
    book.save(Books::default(), later).unwrap();
    assert_eq!(files(&dir, ".kept").len(), 1);
    assert_eq!(book.recent(id(1)), KEPT, "still at hand");
    assert_eq!(
        book.recent(id(2)),
        None,
        "forgotten: whatever comes of it is kept"
    );
    drop(book);
    let mut book = open(&dir, later);
    let shelves = book.shelves(NOW);
    assert_eq!(shelves.len(), 1);
    assert_eq!(
        shelves[0].get(&StdFs, id(1)).unwrap(),
        Some(Kept::Error as u8)
    );
    assert_eq!(book.shelves(NOW + 2 * HOUR).len(), 0);
    for hours in [26, 140, 150] {
        book.save(Books::default(), NOW + hours * HOUR).unwrap();
    }
    assert_eq!(files(&dir, ".kept").len(), 0);
    assert!(files(&dir, ".decisions").len() <= 2);
}
