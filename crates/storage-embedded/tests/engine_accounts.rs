//! The account, sealing and recovery: what was applied is stored or a repeat, at every step and
//! over every restart; what was durable is there after any failure.

mod engine_support;

use std::sync::atomic::{AtomicU64, Ordering};

use engine_support::{Lab, MS, NOW, SECOND, cold, open, specs};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::{Position, Sink, TraceQuery};
use tracewell_storage_embedded::EngineOptions;
use tracewell_storage_embedded::fs::fault::{EIO, ENOSPC, Fault, Op, Outcome};
use tracewell_storage_embedded::fs::{Fs, StdFs};

/// Traces `from..to` of three spans, a record each.
fn push_traces(lab: &mut Lab, traces: std::ops::Range<u64>) {
    for trace in traces {
        lab.push(&trace_spans(trace));
    }
}

fn trace_spans(trace: u64) -> Vec<SpanSpec> {
    let start = NOW + trace * MS;
    let child = |span| {
        SpanSpec::new(trace, span, start + span)
            .child_of(1)
            .named("db", "SELECT")
    };
    vec![
        SpanSpec::new(trace, 1, start).with("n", trace as i64),
        child(2),
        child(3).failed(),
    ]
}

#[track_caller]
fn assert_traces(lab: &Lab, traces: std::ops::Range<u64>) {
    for trace in traces {
        let found = lab.get(trace_id(trace));
        assert_eq!(found.incomplete, [""; 0]);
        assert_eq!(specs(&found), trace_spans(trace), "trace {trace}");
    }
}

#[test]
fn the_account_balances_at_every_step_and_over_restarts() {
    let mut lab = Lab::new(cold());
    let mut random = fastrand::Rng::with_seed(3);
    for step in 0..120 {
        match random.u32(..10) {
            0 => lab.seal(),
            1 => {
                lab.reopen();
                lab.assert_account(
                    lab.log[..lab.durable() as usize]
                        .iter()
                        .map(|r| r.batch.len() as u64)
                        .sum(),
                );
                lab.replay();
            }
            // Repeats within a record, across records, and of what is sealed already.
            2 => {
                let mut spans = trace_spans(step / 3);
                spans.extend(trace_spans(step / 3));
                lab.push(&spans);
            }
            _ => lab.push(&trace_spans(step)),
        }
        lab.assert_account(lab.logged_spans());
    }
    lab.seal();
    let status = lab.engine.status();
    assert_eq!(status.stored + status.duplicate, lab.logged_spans());
    assert!(status.duplicate > 0 && status.head_spans == 0);
    assert_eq!(
        status.applied,
        [Position {
            partition: 0,
            offset: lab.log.len() as u64
        }]
    );
    assert_eq!(status.applied, status.durable);
    assert!(status.disk_bytes > 0 && status.oldest_unix_ns.is_some());
}

#[test]
fn redelivered_records_count_once() {
    let mut lab = Lab::new(cold());
    push_traces(&mut lab, 0..10);
    for _ in 0..2 {
        lab.engine.sink().apply(&lab.log).expect("works");
        lab.assert_account(30);
        lab.seal();
    }
    lab.reopen();
    lab.engine.sink().apply(&lab.log).expect("works");
    lab.assert_account(30);
    assert_eq!(lab.engine.status().duplicate, 0);
}

#[test]
fn the_head_is_sealed_at_its_caps_and_when_old() {
    let options = EngineOptions {
        head_spans_max: 30,
        small_head_spans: 6,
        ..cold()
    };
    let mut lab = Lab::new(options);
    push_traces(&mut lab, 0..25);
    assert_eq!(
        lab.engine.status().segments,
        2,
        "sealed at 30 spans, before the next record"
    );
    lab.clock.advance(59 * SECOND);
    lab.engine.sink().tick(0).expect("works");
    assert_eq!(lab.engine.status().segments, 2);
    lab.clock.advance(SECOND);
    lab.engine.sink().tick(0).expect("works");
    assert_eq!(
        lab.engine.status().segments,
        3,
        "15 spans are worth a segment after 60 s"
    );
    assert_traces(&lab, 0..25);
}

#[test]
fn a_small_head_is_sealed_after_ten_minutes_or_when_nothing_more_comes() {
    let mut lab = Lab::new(cold());
    for trace in 0..10 {
        push_traces(&mut lab, trace..trace + 1);
        lab.clock.advance(59 * SECOND);
        lab.engine.sink().tick(0).expect("works");
        assert_eq!(lab.engine.status().segments, 0, "after {trace} minutes");
    }
    push_traces(&mut lab, 10..11);
    lab.clock.advance(10 * SECOND);
    lab.engine.sink().tick(0).expect("works");
    assert_eq!(lab.engine.status().segments, 1);
    push_traces(&mut lab, 11..12);
    lab.clock.advance(60 * SECOND);
    lab.engine.sink().tick(0).expect("works");
    assert_eq!(lab.engine.status().head_spans, 0);
    assert_traces(&lab, 0..12);
}

/// Every operation of a seal fails once, and once from there on: nothing durable is lost, nothing
/// is counted twice, and the engine goes on when the disk does.
#[test]
fn a_seal_that_fails_anywhere_loses_nothing() {
    let ops = [
        Op::Create,
        Op::Write,
        Op::Sync,
        Op::Rename,
        Op::SyncDir,
        Op::Read,
    ];
    let mut failures = 0;
    for op in ops {
        for (times, outcome) in [
            (1, Outcome::Errno(EIO)),
            (u64::MAX, Outcome::Errno(ENOSPC)),
            (1, Outcome::Torn(3)),
        ] {
            for nth in 1.. {
                if !fail_seal_at(Fault {
                    op,
                    nth,
                    times,
                    outcome,
                }) {
                    break;
                }
                failures += 1;
            }
        }
    }
    assert!(failures > 30, "only {failures} failures were played");
}

/// False when the fault lay beyond the end of the seal.
fn fail_seal_at(fault: Fault) -> bool {
    let mut lab = Lab::new(cold());
    push_traces(&mut lab, 0..4);
    lab.seal();
    push_traces(&mut lab, 4..8);
    lab.fs.fail(fault);
    let failed = lab.engine.sink().flush().is_err();
    // Readers see everything meanwhile, if the disk lets them read at all.
    if fault.op != Op::Read {
        assert_traces(&lab, 0..8);
    }
    lab.assert_account(24);
    assert!(lab.durable() == 4 || !failed && lab.durable() == 8);
    lab.fs.heal();
    // A kill right after the failure.
    let killed = open(&lab.fs, &lab.dir, &lab.clock, lab.options).expect("works");
    assert!(
        killed.status().stored >= 12,
        "{fault:?}: {:?}",
        killed.status()
    );
    assert_eq!(killed.status().lost, 0);
    lab.engine = killed;
    lab.replay();
    lab.assert_account(24);
    assert_traces(&lab, 0..8);
    lab.seal();
    lab.reopen();
    lab.assert_account(24);
    assert_traces(&lab, 0..8);
    assert_eq!(lab.durable(), 8);
    failed
}

#[test]
fn an_engine_goes_on_after_a_failed_seal_without_a_restart() {
    for op in [Op::Write, Op::Sync, Op::Rename, Op::SyncDir] {
        for nth in 1..=4 {
            let mut lab = Lab::new(cold());
            push_traces(&mut lab, 0..4);
            lab.fs.fail(Fault {
                op,
                nth,
                times: 1,
                outcome: Outcome::Errno(EIO),
            });
            let failed = lab.engine.sink().flush().is_err();
            lab.fs.heal();
            push_traces(&mut lab, 4..6);
            lab.seal();
            lab.assert_account(18);
            lab.reopen();
            lab.assert_account(18);
            assert_traces(&lab, 0..6);
            assert_eq!(lab.files(".seg").len() as u64, lab.engine.status().segments);
            assert!(
                lab.files(".tmp").is_empty(),
                "{op:?} {nth} failed: {failed}"
            );
        }
    }
}

#[test]
fn a_position_without_spans_that_fails_to_be_saved_costs_no_later_segment() {
    let mut lab = Lab::new(cold());
    lab.push(&[]);
    lab.fs.fail(Fault {
        op: Op::Write,
        nth: 1,
        times: 1,
        outcome: Outcome::Errno(EIO),
    });
    lab.engine.sink().flush().expect_err("fails");
    lab.fs.heal();
    push_traces(&mut lab, 0..3);
    lab.seal();
    lab.reopen();
    assert_eq!(lab.durable(), 4);
    assert_eq!(lab.engine.status().problems, [""; 0]);
    assert_traces(&lab, 0..3);
}

/// One writer applies and seals, readers ask for what was applied before they asked.
#[test]
fn readers_see_every_applied_span_while_heads_are_sealed() {
    for seal_inline in [true, false] {
        read_while_sealing(seal_inline);
    }
}

fn read_while_sealing(seal_inline: bool) {
    let options = EngineOptions {
        head_spans_max: 60,
        seal_inline,
        ..EngineOptions::default()
    };
    let mut lab = Lab::new(options);
    for trace in 0..400 {
        lab.append(&trace_spans(trace));
    }
    let applied = AtomicU64::new(0);
    std::thread::scope(|scope| {
        if !seal_inline {
            let (lab, applied) = (&lab, &applied);
            scope.spawn(move || {
                while applied.load(Ordering::SeqCst) < 400 {
                    lab.engine.seal_step().expect("seals");
                }
            });
        }
        for reader in 0..2 {
            let (lab, applied) = (&lab, &applied);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(reader);
                loop {
                    let seen = applied.load(Ordering::SeqCst);
                    if seen > 0 {
                        let trace = random.u64(..seen);
                        assert_eq!(lab.get(trace_id(trace)).len(), 3, "trace {trace} of {seen}");
                        let query = TraceQuery {
                            limit: 5,
                            ..TraceQuery::default()
                        };
                        let newest = lab.find(&query).hits;
                        assert!(newest[0].summary.trace_id >= trace_id(seen - 1));
                        assert!(newest.iter().all(|hit| hit.summary.span_count == 3));
                    }
                    if seen == 400 {
                        return;
                    }
                }
            });
        }
        for record in &lab.log {
            lab.engine
                .sink()
                .apply(std::slice::from_ref(record))
                .expect("works");
            applied.fetch_add(1, Ordering::SeqCst);
        }
    });
    let segments = lab.engine.status().segments;
    assert!(
        segments == 19 || !seal_inline && segments == 18,
        "{segments}"
    );
    lab.assert_account(1_200);
    lab.seal();
    lab.reopen();
    lab.assert_account(1_200);
    assert_eq!(lab.durable(), 400);
    assert_traces(&lab, 0..400);
}

#[test]
fn every_loss_of_the_manifest_is_made_good() {
    for bytes_left in 0.. {
        let mut lab = Lab::new(cold());
        for round in 0..3 {
            push_traces(&mut lab, round * 3..round * 3 + 3);
            lab.seal();
        }
        let path = lab.dir.path().join("manifest");
        let length = std::fs::metadata(&path).expect("works").len();
        if bytes_left > length {
            break;
        }
        if bytes_left == 0 {
            std::fs::remove_file(&path).expect("works");
        } else {
            std::fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .expect("works")
                .set_len(bytes_left)
                .expect("works");
        }
        lab.reopen();
        // The log has forgotten these records: what the manifest lost is adopted.
        assert_eq!(lab.durable(), 9, "{bytes_left} of {length} bytes");
        lab.assert_account(27);
        assert_traces(&lab, 0..9);
        lab.reopen();
        assert!(
            lab.engine.status().problems.is_empty(),
            "it was written anew"
        );
        lab.assert_account(27);
    }
}

#[test]
fn a_missing_file_is_named_and_costs_only_itself() {
    for ending in [".seg", ".idx"] {
        let mut lab = Lab::new(cold());
        push_traces(&mut lab, 0..4);
        lab.seal();
        push_traces(&mut lab, 4..8);
        lab.seal();
        std::fs::remove_file(&lab.files(ending)[0]).expect("works");
        lab.reopen();
        let status = lab.engine.status();
        assert_eq!(status.problems.len(), 1, "{:?}", status.problems);
        assert_eq!(status.lost, if ending == ".seg" { 12 } else { 0 });
        lab.assert_account(24);
        let found = lab.get(trace_id(1));
        let search = lab.find(&TraceQuery {
            limit: 100,
            ..TraceQuery::default()
        });
        assert_eq!(found.is_empty(), ending == ".seg");
        assert_eq!(
            found.incomplete.is_empty(),
            ending == ".idx",
            "{:?}",
            found.incomplete
        );
        assert!(!search.incomplete.is_empty());
        assert_eq!(search.hits.len(), 4, "{:?}", search.incomplete);
        assert_eq!(lab.get(trace_id(5)).len(), 3);
    }
}

#[test]
fn what_is_not_ours_stays_and_what_is_unfinished_goes() {
    let mut lab = Lab::new(cold());
    push_traces(&mut lab, 0..4);
    lab.seal();
    let dir = lab.dir.path().join("segments");
    for name in [
        "notes.txt",
        "00000000000000ff.seg",
        "00000000000000fe.idx",
        "0000000000000001.seg.tmp",
    ] {
        std::fs::write(dir.join(name), b"half a file").expect("works");
    }
    lab.reopen();
    let left = StdFs.list(&dir).expect("works");
    assert_eq!(
        left,
        ["0000000000000001.idx", "0000000000000001.seg", "notes.txt"]
    );
    assert_traces(&lab, 0..4);
}

#[test]
fn a_manifest_of_a_newer_release_is_refused_untouched() {
    let mut lab = Lab::new(cold());
    push_traces(&mut lab, 0..1);
    lab.seal();
    let path = lab.dir.path().join("manifest");
    let mut bytes = std::fs::read(&path).expect("works");
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..12]).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    std::fs::write(&path, &bytes).expect("works");
    let error = open(&lab.fs, &lab.dir, &lab.clock, lab.options)
        .expect_err("fails")
        .to_string();
    assert!(error.contains("version 9"), "{error}");
    assert_eq!(std::fs::read(&path).expect("works"), bytes);
    assert_eq!(lab.files(".seg").len(), 1);
}

/// Every read of a start fails once: what could not be opened is there again without a restart.
#[test]
fn a_segment_that_could_not_be_read_at_the_start_is_read_later() {
    let mut healed = 0;
    for nth in 1..40 {
        let mut lab = Lab::new(cold());
        push_traces(&mut lab, 0..4);
        lab.seal();
        lab.fs.fail(Fault {
            op: Op::Read,
            nth,
            times: 1,
            outcome: Outcome::Errno(EIO),
        });
        let opened = open(&lab.fs, &lab.dir, &lab.clock, lab.options);
        lab.fs.heal();
        let Ok(engine) = opened else {
            // The manifest itself: nothing is known without it, and nothing was changed.
            continue;
        };
        lab.engine = engine;
        healed += lab.engine.reopen_step();
        assert_eq!(lab.engine.reopen_step(), 0, "one try is enough");
        assert_eq!(lab.engine.status().lost, 0);
        assert_eq!(lab.engine.status().problems, [""; 0]);
        assert_traces(&lab, 0..4);
    }
    assert!(healed > 3, "only {healed} reads of a segment failed");
}

#[test]
fn a_file_that_comes_back_is_read_again() {
    let mut lab = Lab::new(cold());
    push_traces(&mut lab, 0..4);
    lab.seal();
    let file = &lab.files(".seg")[0];
    let away = file.with_extension("away");
    std::fs::rename(file, &away).expect("works");
    lab.reopen();
    assert_eq!(lab.engine.reopen_step(), 0);
    assert_eq!(lab.engine.status().lost, 12);
    std::fs::rename(&away, file).expect("works");
    assert_eq!(lab.engine.reopen_step(), 0, "not at every call");
    lab.clock.advance(5 * SECOND);
    assert_eq!(lab.engine.reopen_step(), 1);
    assert_eq!(lab.engine.status().lost, 0);
    assert_traces(&lab, 0..4);
}
