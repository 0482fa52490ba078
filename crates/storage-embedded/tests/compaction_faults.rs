//! Compaction on a disk that fails, is full, is damaged or goes away at any call: nothing is lost,
//! nothing is there twice, and it goes on when the disk does.

mod engine_support;

use engine_support::{Lab, MS, NOW, SECOND, cold, specs};
use tracewell_storage::TraceQuery;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage_embedded::EngineOptions;
use tracewell_storage_embedded::fs::fault::{EIO, ENOSPC, Fault, Op, Outcome};

const SEGMENTS: u64 = 3;
const TRACES: u64 = 8;

fn options() -> EngineOptions {
    EngineOptions {
        block_spans: 4,
        // Runs of 15 spans: several are written anew.
        head_spans_max: 30,
        merge_segments_min: 2,
        ..cold()
    }
}

/// Of a trace that goes on in every segment when `number` is even.
fn spans(segment: u64, number: u64) -> Vec<SpanSpec> {
    let trace = if number.is_multiple_of(2) {
        number
    } else {
        segment * 100 + number
    };
    let start = NOW + number * 10 * MS + segment * MS;
    let span = |id| SpanSpec::new(trace, segment * 10 + id, start + id).with("s", segment as i64);
    vec![span(1), span(2).child_of(1), span(2).child_of(1)]
}

fn lab() -> Lab {
    let mut lab = Lab::new(options());
    for segment in 0..SEGMENTS {
        for number in 0..TRACES {
            lab.push(&spans(segment, number));
        }
        lab.seal();
    }
    lab
}

#[track_caller]
fn assert_whole(lab: &Lab, what: &str) {
    let mut expected = std::collections::BTreeMap::<_, Vec<SpanSpec>>::new();
    for segment in 0..SEGMENTS {
        for number in 0..TRACES {
            let [root, child, _] = spans(segment, number).try_into().expect("three");
            expected
                .entry(root.trace_id)
                .or_default()
                .extend([root, child]);
        }
    }
    for (id, mut spans) in expected.clone() {
        spans.sort_by_key(|span| (span.start_unix_ns, span.span_id));
        let found = lab.get(id);
        assert_eq!(found.incomplete, [""; 0], "{what}");
        assert_eq!(specs(&found), spans, "{what}");
    }
    let all = TraceQuery {
        limit: 1_000,
        ..TraceQuery::default()
    };
    let found = lab.find(&all);
    assert_eq!(found.incomplete, [""; 0], "{what}");
    assert_eq!(found.hits.len(), expected.len(), "{what}");
    let status = lab.engine.status();
    assert_eq!(status.stored, SEGMENTS * TRACES * 2, "{what}: {status:?}");
    assert_eq!(status.duplicate, SEGMENTS * TRACES, "{what}: {status:?}");
    assert_eq!(
        (status.expired, status.sampled_out, status.lost),
        (0, 0, 0),
        "{what}"
    );
}

#[test]
fn killed_at_any_call_of_a_merge_nothing_is_lost() {
    for calls in 0.. {
        let mut lab = lab();
        lab.fs.die_after(calls);
        let done = lab.engine.compact_step(None, &|| true);
        let died = lab.fs.is_dead();
        lab.fs.heal();
        let what = format!("dead after {calls} calls: {done:?}");
        lab.reopen();
        assert_whole(&lab, &what);
        assert_eq!(
            lab.files(".seg").len() as u64,
            lab.engine.status().segments,
            "{what}"
        );
        assert_eq!(
            lab.files(".idx").len() as u64,
            lab.engine.status().segments,
            "{what}"
        );
        assert!(lab.files(".tmp").is_empty(), "{what}");
        lab.compact();
        assert_eq!(lab.engine.status().segments, 1, "{what}");
        lab.reopen();
        assert_whole(&lab, &what);
        if !died {
            assert!(calls > 40, "a merge has only {calls} calls");
            return;
        }
    }
}

#[test]
fn a_call_that_fails_is_named_and_the_merge_is_done_later() {
    let mut failures = 0;
    let ops = [
        Op::Create,
        Op::Write,
        Op::Sync,
        Op::Rename,
        Op::SyncDir,
        Op::Read,
        Op::Unlink,
    ];
    for op in ops {
        for (times, outcome) in [
            (1, Outcome::Errno(EIO)),
            (u64::MAX, Outcome::Errno(ENOSPC)),
            (1, Outcome::Torn(3)),
        ] {
            for nth in 1.. {
                let fault = Fault {
                    op,
                    nth,
                    times,
                    outcome,
                };
                if !fail_at(fault) {
                    break;
                }
                failures += 1;
            }
        }
    }
    assert!(failures > 40, "only {failures} failures were played");
}

/// False when the fault lay beyond the end of the merge, or changed nothing.
fn fail_at(fault: Fault) -> bool {
    let mut lab = lab();
    let what = format!("{fault:?}");
    lab.fs.fail(fault);
    let failed = lab.engine.compact_step(None, &|| true).is_err();
    lab.fs.heal();
    assert_whole(&lab, &what);
    let problems = lab.engine.status().problems;
    assert_eq!(problems.len(), usize::from(failed), "{what}: {problems:?}");
    if failed {
        let is_read = problems[0].contains("compaction goes past it for 10 s");
        let is_other = problems[0].contains("compaction failed, and waits 10 s");
        assert!(is_read || is_other, "{problems:?}");
        let next = lab.engine.compact_step(None, &|| true);
        // The other two are merged past the one that could not be read.
        assert_eq!(next.expect("waits").is_some(), is_read, "{what}");
        lab.clock.advance(10 * SECOND);
    }
    lab.compact();
    assert_eq!(lab.engine.status().problems, [""; 0], "{what}");
    assert_eq!(lab.engine.status().segments, 1, "{what}");
    assert_whole(&lab, &what);
    lab.reopen();
    assert_whole(&lab, &what);
    assert_eq!(
        (lab.files(".seg").len(), lab.files("").len()),
        (1, 2),
        "{what}"
    );
    failed
}

#[test]
fn a_full_disk_makes_the_pauses_longer_and_seals_go_on() {
    let lab = lab();
    lab.fs.fail(Fault {
        op: Op::Create,
        nth: 1,
        times: u64::MAX,
        outcome: Outcome::Errno(ENOSPC),
    });
    for pause_s in [10, 20, 40, 80, 160, 320, 600, 600] {
        lab.engine
            .compact_step(None, &|| true)
            .expect_err("is full");
        let problems = lab.engine.status().problems;
        assert!(
            problems[0].contains(&format!("waits {pause_s} s")),
            "{problems:?}"
        );
        lab.clock.advance((pause_s - 1) * SECOND);
        assert!(
            lab.engine
                .compact_step(None, &|| true)
                .expect("waits")
                .is_none()
        );
        lab.clock.advance(SECOND);
    }
    lab.fs.heal();
    lab.seal();
    assert_eq!(lab.compact(), 1);
    assert_eq!(lab.engine.status().compaction.failures, 8);
}

/// The engine with a bit of its second segment's file flipped, after all that compaction does to it.
fn compacted_with_flipped(ending: &str, bit: usize) -> (Lab, u64, Vec<u8>) {
    let mut lab = lab();
    let path = lab.files(ending)[1].clone();
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes[bit / 8] ^= 1 << (bit % 8);
    std::fs::write(&path, &bytes).expect("writes");
    lab.reopen();
    let steps = (0..5).map(|_| lab.engine.compact_step(None, &|| true));
    let failures = steps.filter(Result::is_err).count() as u64;
    (lab, failures, bytes)
}

/// Bits of a data file: what is damaged stays as it is and is named, what is not is merged, and no
/// read is the worse for it.
#[test]
fn a_segment_with_damaged_data_is_never_merged_away() {
    let lab = lab();
    let path = lab.files(".seg")[1].clone();
    let bits = std::fs::read(&path).expect("reads").len() * 8;
    let name = path.file_name().expect("has a name");
    let mut named = 0;
    for bit in (0..bits).step_by(101) {
        let (lab, failures, bytes) = compacted_with_flipped(".seg", bit);
        let what = format!("bit {bit}");
        assert!(failures <= 2, "{what}: it is tried again and again");
        let status = lab.engine.status();
        assert_eq!(status.segments, 2, "{what}: {status:?}");
        let path = lab.files(".seg")[0].with_file_name(name);
        assert_eq!(std::fs::read(path).expect("is there"), bytes, "{what}");
        let held = status.stored + status.duplicate;
        assert_eq!(held, SEGMENTS * TRACES * 3, "{what}");
        named += usize::from(!status.problems.is_empty());
        for number in (1..TRACES).step_by(2) {
            for segment in [0, 2] {
                assert_eq!(lab.get(trace_id(segment * 100 + number)).len(), 2, "{what}");
            }
        }
    }
    assert!(named * 20 > bits / 101 * 19, "{named} of {}", bits / 101);
}

/// Bits of an index file: it is made anew of the data, and then nothing is missing any more.
#[test]
fn a_damaged_index_is_made_anew() {
    let whole = lab();
    let bits = std::fs::read(&whole.files(".idx")[1]).expect("reads").len() * 8;
    let mut remade = 0;
    for bit in (0..bits).step_by(101) {
        let (lab, failures, _) = compacted_with_flipped(".idx", bit);
        assert!(failures <= 1, "bit {bit}: {failures} failures");
        assert_whole(&lab, &format!("bit {bit}"));
        let status = lab.engine.status();
        assert_eq!(status.segments, 1, "bit {bit}: {status:?}");
        remade += status.compaction.indexes_remade;
    }
    assert!(
        remade * 20 > bits as u64 / 101 * 19,
        "{remade} of {}",
        bits / 101
    );
}

/// An index file that is gone before its time is named until it is made anew; every search then
/// answers as before, whatever it asks. A read that fails meanwhile leaves all as it was.
#[test]
fn a_lost_index_is_made_anew_of_the_data() {
    let all = |lab: &Lab| {
        let queries = (0..SEGMENTS).map(|segment| TraceQuery {
            tags: vec![tracewell_storage::TagFilter {
                key: "s".to_owned(),
                condition: tracewell_storage::find::TagCondition::Equals(segment.to_string()),
            }],
            limit: 1_000,
            ..TraceQuery::default()
        });
        let found = queries.map(|query| lab.find(&query));
        found
            .map(|found| (found.hits, found.incomplete.len()))
            .collect::<Vec<_>>()
    };
    let before = all(&lab());
    assert!(before.iter().all(|(hits, _)| hits.len() as u64 == TRACES));
    for reads in 1..40 {
        let mut lab = lab();
        std::fs::remove_file(&lab.files(".idx")[1]).expect("removes");
        lab.reopen();
        assert!(lab.engine.status().problems[0].contains("index of segment"));
        assert!(all(&lab).iter().all(|(_, incomplete)| *incomplete > 0));
        lab.fs.fail(Fault {
            op: Op::Read,
            nth: reads,
            times: 1,
            outcome: Outcome::Errno(EIO),
        });
        let failed = lab.engine.compact_step(None, &|| true).is_err();
        lab.fs.heal();
        lab.clock.advance(10 * SECOND);
        lab.compact();
        let what = format!("read {reads}");
        assert_whole(&lab, &what);
        assert_eq!(all(&lab), before, "{what}");
        let status = lab.engine.status();
        assert_eq!(status.compaction.indexes_remade, 1, "{what}");
        assert_eq!(status.compaction.failures, u64::from(failed), "{what}");
        assert_eq!(
            (status.segments, status.problems.len()),
            (1, 0),
            "{what}: {status:?}"
        );
        lab.reopen();
        assert_whole(&lab, &what);
        if !failed {
            assert!(reads > 5, "an index is made with {reads} reads");
            return;
        }
    }
    panic!("every read fails");
}

#[test]
fn a_manifest_that_lost_the_merge_takes_the_merged_segment_all_the_same() {
    for is_removed in [false, true] {
        let mut lab = lab();
        lab.compact();
        let manifest = lab.dir.path().join("manifest");
        let length = std::fs::metadata(&manifest).expect("is there").len();
        if is_removed {
            std::fs::remove_file(&manifest).expect("removes");
        } else {
            let file = std::fs::OpenOptions::new().write(true).open(&manifest);
            file.expect("opens").set_len(length - 1).expect("cuts");
        }
        lab.reopen();
        assert_whole(&lab, "a torn manifest");
        assert_eq!(lab.engine.status().segments, 1);
        assert_eq!(lab.durable(), SEGMENTS * TRACES);
        lab.reopen();
        assert_whole(&lab, "written anew");
        assert_eq!(lab.engine.status().problems, [""; 0]);
    }
}
