//! The samplers' ledger and their eraser against a real Cassandra, whose address is in `STACK_CASSANDRA`.

use std::sync::Arc;

use crate::support::{Place, place};
use tracewell_model::clock::{Clock, SystemClock};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::{batch, trace_id};
use tracewell_storage::sampling::ledger::{Decided, Erased, Progress, Round};
use tracewell_storage::sampling::{Dropped, Kept, Verdict};
use tracewell_storage::{Eraser, Ledger, Position, ReadContext, Record, Sink, TraceReader};
use tracewell_storage_cassandra::{CassandraEraser, CassandraLedger};

fn ledger(place: &Place) -> CassandraLedger {
    CassandraLedger::open(place.cassandra(), 3_600).expect("the tables are there")
}

fn progress(round: u64) -> Progress {
    let mut progress = Progress {
        round,
        durable: round * 10,
        ..Progress::default()
    };
    let dropped = Verdict::Drop(Dropped::NotInShare);
    progress.books.count(dropped, round);
    progress
}

/// A round of so many traces: more than a row of the ledger has.
fn round(number: u64, traces: u64) -> Round {
    let decided = (1..=traces).map(|trace| Decided {
        trace_id: trace_id(trace),
        verdict: match trace % 2 {
            0 => Verdict::Keep(Kept::Error),
            _ => Verdict::Drop(Dropped::NotInShare),
        },
        arrived_unix_ns: (trace, trace + number),
    });
    Round {
        number,
        at_unix_ns: 1_000 + number,
        read: number * 10,
        as_of_unix_ns: u64::MAX / 4,
        decided: decided.collect(),
    }
}

#[test]
fn of_two_members_one_writes_the_next_round_and_the_other_reads_it() {
    let Some(place) = place() else { return };
    let (one, other) = (ledger(&place), ledger(&place));
    assert_eq!(one.read(3, 0).expect("an answer"), None);
    assert_eq!(one.read_all().expect("an answer"), []);
    let (first, second) = (round(1, 2_500), round(2, 7));
    let write = |ledger: &CassandraLedger, number, round: Option<&Round>| {
        let written = ledger.write(3, &progress(number), round);
        written.expect("Cassandra is there")
    };
    assert!(write(&one, 1, Some(&first)));
    assert!(
        !write(&other, 1, Some(&round(1, 1))),
        "it is the second first one"
    );
    let known = other.read(3, 0).expect("an answer");
    assert_eq!(known, Some((progress(1), vec![first])));
    assert!(write(&other, 2, Some(&second)));
    assert!(!write(&one, 2, None));
    assert!(!write(&one, 4, None), "it knows less than there is");
    // Nothing is decided in some.
    assert!(write(&one, 3, None));
    let later = one.read(3, 1).expect("an answer");
    assert_eq!(later, Some((progress(3), vec![second])));
    assert_eq!(
        one.read(4, 0).expect("an answer"),
        None,
        "another partition"
    );
    assert!(one.write(4, &progress(1), None).expect("an answer"));
    let mut all = one.read_all().expect("an answer");
    all.sort_by_key(|(partition, _)| *partition);
    assert_eq!(all, [(3, progress(3)), (4, progress(1))]);
}

#[test]
fn why_traces_are_kept_and_who_opened_them_is_remembered() {
    let Some(place) = place() else { return };
    let ledger = ledger(&place);
    let kept: Vec<_> = (1..=300)
        .map(|number| (trace_id(number), Kept::Share))
        .collect();
    ledger.note_kept(&kept).expect("Cassandra takes it");
    ledger
        .note_kept(&[(trace_id(7), Kept::LateError)])
        .expect("Cassandra takes it");
    let asked = [7, 8, 301].map(trace_id);
    let why = ledger.why_kept(&asked).expect("an answer");
    assert_eq!(why, [Some(Kept::LateError), Some(Kept::Share), None]);
    let now = SystemClock.unix_ns();
    ledger.pin(trace_id(9), now).expect("Cassandra takes it");
    ledger.pin(trace_id(9), now).expect("Cassandra takes it");
    let pinned = ledger.pinned(now - 3_600_000_000_000).expect("an answer");
    assert_eq!(pinned, [trace_id(9)].into());
}

/// The time, once it is another: Cassandra's times are in microseconds, and its clock is ours.
fn moved_on() -> u64 {
    let from = SystemClock.unix_ns();
    loop {
        let now = SystemClock.unix_ns();
        if now > from + 5_000_000 {
            return now;
        }
        std::thread::yield_now();
    }
}

#[test]
fn erased_is_what_was_written_by_then_and_nothing_that_came_later() {
    let Some(place) = place() else { return };
    let (mut sink, reader) = (place.sink(), place.reader());
    let eraser = CassandraEraser::open(place.cassandra()).expect("the tables are there");
    let mut write = |offset, trace, span| {
        let record = Record {
            position: Position {
                partition: 0,
                offset,
            },
            arrived_unix_ns: 1,
            batch: Arc::new(batch(&[SpanSpec::new(trace, span, 1)])),
        };
        sink.apply(&[record]).expect("Cassandra takes it");
    };
    (1..=200).for_each(|trace| write(trace, trace, 1));
    let as_of_unix_ns = moved_on();
    moved_on();
    // One of the dropped ones gets another span before it is erased.
    write(201, 1, 2);
    let erased: Vec<Erased> = (1..=150)
        .map(|number| Erased {
            trace_id: trace_id(number),
            arrived_unix_ns: (1, 1),
            as_of_unix_ns,
        })
        .collect();
    for _ in 0..2 {
        eraser.erase(&erased).expect("Cassandra is there");
        let spans = |number| {
            let context = ReadContext::new(Arc::new(SystemClock), 60_000_000_000);
            let found = reader.get_trace(trace_id(number), &context);
            found.expect("an answer").len()
        };
        assert_eq!([1, 2, 150, 151, 200].map(spans), [1, 0, 0, 1, 1]);
    }
}
