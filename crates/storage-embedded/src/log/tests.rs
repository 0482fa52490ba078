//! Killed at each named point (F-02), again and again on one directory: whatever was acknowledged
//! is delivered until it is committed, and the accepted total is exact.
//!
//! The test runs itself as another process with `TRACEWELL_FAILPOINT` set; the child notes each
//! acknowledged batch in a ledger, by its own append that a kill cannot take back.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tracewell_model::clock::ManualClock;
use tracewell_model::{
    BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId,
};
use tracewell_storage::{Ack, Consumer, Position, SpanLog};

use super::{EmbeddedLog, Options};
use crate::fs::StdFs;

const POINTS: [&str; 11] = [
    "log-before-roll",
    "log-after-roll",
    "log-before-write",
    "log-after-write",
    "log-before-sync",
    "log-after-sync",
    "log-before-unlink",
    "log-after-unlink",
    "atomic-before-sync",
    "atomic-before-rename",
    "atomic-after-rename",
];
const DIR: &str = "TRACEWELL_TEST_CRASH_DIR";
const SPANS: u64 = 3;

fn batch(number: u64) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let resource = builder.resource(&ResourceInput::default());
    let scope = builder.scope(&ScopeInput::default());
    for span in 0..SPANS {
        builder.push(&SpanInput {
            trace_id: TraceId(u128::from(number + 1).to_be_bytes()),
            span_id: SpanId((span + 1).to_be_bytes()),
            parent: None,
            resource,
            scope,
            start_unix_ns: number,
            duration_ns: number,
            operation: "GET /",
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            status_message: "",
            flags: 0,
            attributes: &[],
            event_attributes: &[],
            rest: &[],
            marks: Marks::default(),
        });
    }
    builder.finish_one()
}

fn open(dir: &Path) -> EmbeddedLog {
    let options = Options {
        file_bytes_max: 1_000,
        reserve_percent: 0,
        reserve_bytes: 0,
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::at(1));
    EmbeddedLog::open(StdFs::shared(), dir, options, clock)
        .unwrap()
        .0
}

fn read_all(consumer: &mut dyn Consumer) -> Vec<(u64, u64)> {
    let mut read = Vec::new();
    loop {
        let records = consumer.poll(10, Duration::ZERO).unwrap();
        if records.is_empty() {
            return read;
        }
        let number = |batch: &SpanBatch| batch.span(0).duration_ns();
        read.extend(
            records
                .iter()
                .map(|r| (r.position.offset, number(&r.batch))),
        );
    }
}

fn note(dir: &Path, ledger: &str, number: u64) {
    let mut file = std::fs::OpenOptions::new();
    let mut file = file
        .create(true)
        .append(true)
        .open(dir.join(ledger))
        .unwrap();
    writeln!(file, "{number}").unwrap();
}

fn noted(dir: &Path, ledger: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(dir.join(ledger)).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// The process that is killed: appends, syncs, consumes, commits, until its point strikes.
#[test]
#[ignore = "run by killed_at_each_point_nothing_acknowledged_is_lost"]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let log = open(dir);
    let mut consumer = log.subscribe("a", &[]).unwrap();
    let (mut delivered, mut committed) = (Vec::new(), 0);
    let first = noted(dir, "tried").last().map_or(0, |last| last + 1);
    for number in first..first + 40 {
        note(dir, "tried", number);
        let ledger = dir.to_owned();
        let done = move |answer: Result<(), tracewell_storage::Error>| {
            answer.unwrap();
            note(&ledger, "acknowledged", number);
        };
        let ack = if number % 4 == 0 {
            Ack::Durable
        } else {
            Ack::Logged
        };
        log.append(vec![batch(number)], ack, Box::new(done));
        log.sync_step();
        if number % 10 == 9 {
            delivered.extend(read_all(consumer.as_mut()));
            // All but the newest are safe in the sink.
            let Some(newest) = delivered.pop() else {
                continue;
            };
            for (offset, number) in std::mem::replace(&mut delivered, vec![newest]) {
                note(dir, "stored", number);
                committed = offset;
            }
            let position = Position {
                partition: 0,
                offset: committed,
            };
            consumer.commit(&[position]).unwrap();
        }
    }
    log.close().unwrap();
}

/// What must hold after each kill.
fn check(dir: &Path, what: &str) {
    let log = open(dir);
    let read = read_all(log.subscribe("a", &[]).unwrap().as_mut());
    assert!(
        read.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0),
        "{what}: {read:?}"
    );
    let stored = noted(dir, "stored");
    for number in noted(dir, "acknowledged") {
        let there = stored.contains(&number) || read.iter().any(|&(_, read)| read == number);
        assert!(there, "{what}: batch {number} was acknowledged and is lost");
    }
    let status = log.status();
    assert_eq!(status.damaged_records, 0, "{what}: {status:?}");
    // Offsets count records from the first one on, so the total can be told from them.
    let newest = read.last().map(|&(offset, _)| offset);
    if let Some(newest) = newest {
        assert_eq!(status.accepted_spans, newest * SPANS, "{what}");
    }
}

#[test]
fn killed_at_each_point_nothing_acknowledged_is_lost() {
    let me = std::env::current_exe().unwrap();
    for point in POINTS {
        let dir = tempfile::tempdir().unwrap();
        for nth in [1, 2, 3, 5] {
            let ended = Command::new(&me)
                .args(["--ignored", "--exact", "log::tests::child"])
                .env(DIR, dir.path())
                .env("TRACEWELL_FAILPOINT", format!("{point}:{nth}"))
                .output()
                .unwrap();
            let what = format!("{point}:{nth}");
            let said = String::from_utf8_lossy(&ended.stdout);
            assert!(!said.contains("panicked"), "{what}: {said}");
            if nth == 1 {
                assert!(!ended.status.success(), "{what} never struck: {said}");
            }
            check(dir.path(), &what);
        }
    }
}
