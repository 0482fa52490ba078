//! Figures at rest: in memory, on a shelf, on a shelf that fails, after names were forgotten.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::ladder::{Ladder, LadderLimits, RUNGS};
use crate::stats::{SeriesKey, StatsDelta, Window};

const SECOND_NS: u64 = 1_000_000_000;
const NOW: u64 = 1_700_000_400 * SECOND_NS;

/// Bytes by place.
#[derive(Debug, Default)]
struct Board {
    files: Mutex<Vec<Vec<u8>>>,
    fails: AtomicBool,
}

impl Shelf for Board {
    fn read(&self, place: Place) -> Result<Vec<u8>, Error> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::corrupt("the board broke"));
        }
        Ok(self.files.lock().unwrap()[place.file as usize].clone())
    }
}

impl Board {
    /// Puts away all that rests; answers how many slots that were.
    fn take_from(&self, ladder: &mut Ladder) -> usize {
        let resting: Vec<_> = ladder.resting(0).into_iter().flatten().collect();
        for one in &resting {
            let mut files = self.files.lock().unwrap();
            let place = Place {
                file: files.len() as u64,
                offset: 0,
                length: one.bytes().len() as u32,
            };
            files.push(one.bytes().to_vec());
            assert!(ladder.put_away(one, place));
        }
        resting.len()
    }
}

fn series(random: &mut fastrand::Rng) -> SeriesKey {
    let services = ["shop", "cart", "pay"];
    let service = services[random.usize(..3)].to_owned();
    match random.u8(..3) {
        0 => SeriesKey::Edge {
            parent: "shop".to_owned(),
            child: service,
        },
        entry => SeriesKey::Operation {
            service,
            operation: format!("GET /{}", random.u8(..3)),
            entry: entry == 1,
        },
    }
}

/// A second of spans, most of now and some late.
fn delta(random: &mut fastrand::Rng, now_unix_ns: u64) -> StatsDelta {
    let mut delta = StatsDelta {
        now_unix_ns,
        ..StatsDelta::default()
    };
    for _ in 0..random.usize(1..30) {
        let late_s = match random.u8(..10) {
            0 => random.u64(..7_200),
            _ => 0,
        };
        let step = (now_unix_ns - late_s * SECOND_NS) / crate::stats::STEP_NS;
        let figures = delta.figures.entry((step, series(random))).or_default();
        figures.record(random.u64(..) >> random.u32(20..60), random.bool());
    }
    delta
}

fn window() -> Window {
    Window {
        from_unix_ns: 0,
        to_unix_ns: NOW * 2,
        steps: 5,
    }
}

/// All that can be asked; equal for ladders that hold the same.
fn answers(ladder: &Ladder) -> String {
    let services = ladder.services(&window());
    let operations = ["shop", "cart", "pay"].map(|service| ladder.operations(service, &window()));
    let (graph, every) = (ladder.graph(&window()), ladder.every_operation(&window()));
    format!("{services:?} {operations:?} {graph:?} {every:?}")
}

#[test]
fn what_rests_answers_as_what_is_open() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let board = Arc::new(Board::default());
        let mut ladder = Ladder::new();
        ladder.set_shelf(board.clone());
        let (mut all, mut now, mut put_away) = (Vec::new(), NOW, 0);
        for _ in 0..300 {
            now += random.u64(..40) * SECOND_NS;
            all.push(delta(&mut random, now));
            ladder.add(all.last().unwrap());
            if random.u8(..20) == 0 {
                put_away += board.take_from(&mut ladder);
            }
            if random.u8(..40) == 0 {
                let mut bytes = Vec::new();
                ladder.encode(&mut bytes);
                ladder = Ladder::decode(&bytes).unwrap();
                ladder.set_shelf(board.clone());
            }
        }
        assert!(put_away > 100 && ladder.places().next().is_some());
        let mut whole = Ladder::new();
        for delta in &mut all {
            // Of one moment, so that nothing comes to rest and nothing is rolled in between.
            delta.now_unix_ns = now;
            let mut one = Ladder::new();
            one.add(delta);
            whole.merge(&one).unwrap();
        }
        assert_eq!(answers(&ladder), answers(&whole), "seed {seed}");
        let mut merged = Ladder::new();
        merged.merge(&ladder).unwrap();
        assert_eq!(answers(&merged), answers(&whole), "seed {seed}");
    }
}

#[test]
fn what_rests_takes_a_sixth_of_its_room_in_memory_and_none_on_the_shelf() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut ladder = Ladder::new();
    let board = Arc::new(Board::default());
    ladder.set_shelf(board.clone());
    let mut dense = StatsDelta {
        now_unix_ns: NOW,
        ..StatsDelta::default()
    };
    for _ in 0..50_000 {
        let key = (NOW / crate::stats::STEP_NS, series(&mut random));
        let figures = dense.figures.entry(key).or_default();
        figures.record(random.u64(1_000_000..90_000_000), false);
    }
    ladder.add(&dense);
    let open = ladder.memory_bytes();
    let nothing = StatsDelta {
        now_unix_ns: NOW,
        ..StatsDelta::default()
    };
    (0..=PACK_AFTER_DELTAS).for_each(|_| ladder.add(&nothing));
    let packed = ladder.memory_bytes();
    assert!(packed * 6 < open, "{packed} of {open}");
    assert_eq!(board.take_from(&mut ladder), 1);
    assert!(ladder.memory_bytes() * 4 < packed);
}

#[test]
fn a_shelf_that_fails_is_named_and_loses_nothing() {
    let mut random = fastrand::Rng::with_seed(2);
    let board = Arc::new(Board::default());
    let mut ladder = Ladder::new();
    ladder.set_shelf(board.clone());
    for second in 0..60 {
        ladder.add(&delta(&mut random, NOW + second * SECOND_NS));
    }
    assert!(board.take_from(&mut ladder) > 0);
    let before = ladder.graph(&window()).rows;
    board.fails.store(true, Ordering::Relaxed);
    let answer = ladder.graph(&window());
    assert!(answer.incomplete[0].contains("the board broke"));
    assert!(Ladder::new().merge(&ladder).is_err());
    // Rolled up twice while it cannot be read.
    for hour in 1..30 {
        ladder.roll(NOW + hour * RUNGS[0].reach_ns);
    }
    assert!(!ladder.graph(&window()).incomplete.is_empty());
    board.fails.store(false, Ordering::Relaxed);
    let answer = ladder.graph(&window());
    assert_eq!((answer.rows, answer.incomplete), (before, Vec::new()));
}

#[test]
fn what_is_added_to_while_it_is_put_away_stays() {
    let of_now = |random: &mut fastrand::Rng| {
        let mut now = delta(random, NOW);
        now.figures
            .retain(|(step, _), _| *step == NOW / crate::stats::STEP_NS);
        now
    };
    let mut random = fastrand::Rng::with_seed(3);
    let mut ladder = Ladder::new();
    ladder.add(&of_now(&mut random));
    let nothing = StatsDelta {
        now_unix_ns: NOW,
        ..StatsDelta::default()
    };
    let rest = |ladder: &mut Ladder| (0..=PACK_AFTER_DELTAS).for_each(|_| ladder.add(&nothing));
    rest(&mut ladder);
    let resting = ladder.resting(0);
    ladder.add(&of_now(&mut random));
    rest(&mut ladder);
    let before = answers(&ladder);
    let place = Place {
        file: 0,
        offset: 0,
        length: resting[0][0].bytes().len() as u32,
    };
    assert!(!ladder.put_away(&resting[0][0], place));
    assert_eq!(answers(&ladder), before);
}

#[test]
fn names_are_forgotten_around_those_that_the_shelf_needs() {
    let limits = LadderLimits {
        services_max: 2,
        ..LadderLimits::default()
    };
    let board = Arc::new(Board::default());
    let mut ladder = Ladder::with_limits(limits);
    ladder.set_shelf(board.clone());
    let add = |ladder: &mut Ladder, service: &str, now_unix_ns: u64| {
        let key = SeriesKey::Operation {
            service: service.to_owned(),
            operation: "GET /".to_owned(),
            entry: true,
        };
        let mut figures = BTreeMap::new();
        figures
            .entry((now_unix_ns / crate::stats::STEP_NS, key))
            .or_insert_with(Figures::default)
            .record(5, false);
        ladder.add(&StatsDelta {
            figures: figures.into_iter().collect(),
            now_unix_ns,
            ..StatsDelta::default()
        });
    };
    let (slot_ns, slots) = (RUNGS[2].slot_ns, 9 * 144);
    // The first service for a day, the second to the end: when the first is forgotten, what is on the
    // shelf of the second must still be its own.
    for slot in 0..slots + 150 {
        let now = NOW + slot * slot_ns;
        add(&mut ladder, "stays", now);
        if slot < 144 {
            add(&mut ladder, "goes", now);
        }
        board.take_from(&mut ladder);
    }
    let now = NOW + (slots + 150) * slot_ns;
    add(&mut ladder, "new", now);
    let check = |ladder: &Ladder| {
        let rows = ladder.services(&window()).rows;
        let names: Vec<_> = rows.iter().map(|row| row.service.as_str()).collect();
        assert_eq!(names, ["new", "stays"]);
        assert!(rows[1].figures.count > 1_000);
    };
    check(&ladder);
    assert_eq!(ladder.counts().folded, 0);
    let mut bytes = Vec::new();
    ladder.encode(&mut bytes);
    let mut read = Ladder::decode_with(&bytes, limits).unwrap();
    read.set_shelf(board);
    check(&read);
    // The caps count what only the shelf has.
    add(&mut read, "one too many", now);
    assert_eq!(read.counts().folded, 1);
}
