//! Compaction: segments become one, nothing is lost, nothing twice; blocks whose traces lie nowhere
//! else are copied as they are, and a trace in several pieces is one afterwards.

mod engine_support;

use std::cell::Cell;

use engine_support::{Lab, MS, NOW, SECOND, cold, specs};
use tracewell_model::{Clock, TraceSummary};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::find::TagCondition;
use tracewell_storage::{Order, Sink, TagFilter, TraceQuery};
use tracewell_storage_embedded::EngineOptions;
use tracewell_storage_embedded::engine::{Figures, Retention, Verdict};

const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// Merges any two neighbours; blocks of eight spans.
fn eager() -> EngineOptions {
    EngineOptions {
        block_spans: 8,
        merge_segments_min: 2,
        ..cold()
    }
}

/// Two spans; the second one in another service.
fn trace(number: u64) -> Vec<SpanSpec> {
    let start = NOW + number * MS;
    let root = SpanSpec::new(number, 1, start)
        .lasting(number * 10)
        .with("n", number as i64);
    let child = SpanSpec::new(number, 2, start + 5).child_of(1);
    vec![root, child.named("db", "SELECT").lasting(3)]
}

/// A span of a trace that has some in every segment.
fn long(piece: u64) -> SpanSpec {
    let start = NOW + piece * 100 * MS;
    let span = SpanSpec::new(999, piece + 1, start).named("batch", "step");
    match piece {
        0 => span.lasting(SECOND),
        _ => span.child_of(1).lasting(MS),
    }
}

/// So many segments of `traces` traces each; `long` has a span in each as well.
fn segments(lab: &mut Lab, count: u64, traces: u64) {
    for segment in 0..count {
        for number in 0..traces {
            lab.push(&trace(segment * 100 + number));
        }
        lab.push(&[long(segment)]);
        lab.seal();
    }
}

#[track_caller]
fn assert_whole(lab: &Lab, segments: u64, traces: u64) {
    for segment in 0..segments {
        for number in 0..traces {
            let number = segment * 100 + number;
            let found = lab.get(trace_id(number));
            assert_eq!(found.incomplete, [""; 0]);
            assert_eq!(specs(&found), trace(number), "trace {number}");
        }
    }
    let expected: Vec<_> = (0..segments).map(long).collect();
    assert_eq!(specs(&lab.get(trace_id(999))), expected);
    let found = lab.find(&all());
    assert_eq!(found.incomplete, [""; 0]);
    assert_eq!(found.hits.len() as u64, segments * traces + 1);
    let status = lab.engine.status();
    let sum = status.stored + status.duplicate + status.expired + status.sampled_out;
    assert_eq!(sum, lab.logged_spans(), "{status:?}");
}

fn all() -> TraceQuery {
    TraceQuery {
        limit: 1_000,
        ..TraceQuery::default()
    }
}

fn step(lab: &Lab) -> Figures {
    let done = lab.engine.compact_step(None, &|| true).expect("compacts");
    done.expect("there is something to merge")
}

#[test]
fn blocks_are_copied_as_they_are_and_a_trace_in_pieces_becomes_one() {
    let mut lab = Lab::new(eager());
    segments(&mut lab, 3, 20);
    let files = lab.files(".seg");
    let before: Vec<_> = files
        .iter()
        .map(|file| std::fs::read(file).expect("reads"))
        .collect();
    let figures = step(&lab);
    // 41 spans a segment are six blocks, in one of which the long trace is; a tiny last one with
    // room for more is written anew with it.
    assert_eq!(figures.traces_joined, 1);
    assert_eq!(figures.spans_copied + figures.spans_rewritten, 3 * 41);
    assert!(figures.blocks_copied >= 3 * 4, "{figures:?}");
    assert!(figures.blocks_decoded <= 3 * 2, "{figures:?}");
    assert_whole(&lab, 3, 20);
    assert_eq!(lab.get(trace_id(999)).parts.len(), 1);
    let merged = std::fs::read(&lab.files(".seg")[0]).expect("reads");
    for bytes in &before {
        // From the middle of a file, whose blocks have no part in the long trace.
        let block = &bytes[bytes.len() / 3..bytes.len() / 3 + 200];
        assert!(merged.windows(200).any(|window| window == block));
    }
    let status = lab.engine.status();
    assert_eq!((status.segments, status.unsettled_spans), (1, 0));
    assert_eq!((lab.files(".seg").len(), lab.files(".idx").len()), (1, 1));
    assert_eq!(
        lab.engine
            .compact_step(None, &|| true)
            .expect("has nothing to do"),
        None
    );
    lab.reopen();
    assert_eq!(lab.engine.status().problems, [""; 0]);
    assert_whole(&lab, 3, 20);
}

#[test]
fn blocks_of_few_spans_are_written_together() {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 64,
        ..eager()
    });
    segments(&mut lab, 12, 2);
    let figures = step(&lab);
    assert_eq!(
        (figures.blocks_copied, figures.spans_rewritten),
        (0, 12 * 5)
    );
    assert_whole(&lab, 12, 2);
}

#[test]
fn repeats_that_met_in_no_head_meet_in_a_merge_and_are_counted() {
    let mut lab = Lab::new(eager());
    for _ in 0..3 {
        segments(&mut lab, 1, 5);
    }
    assert_eq!(lab.engine.status().stored, 33);
    step(&lab);
    let status = lab.engine.status();
    assert_eq!((status.stored, status.duplicate), (11, 22));
    assert_whole(&lab, 1, 5);
    lab.reopen();
    assert_whole(&lab, 1, 5);
}

#[test]
fn merged_segments_are_merged_again() {
    let mut lab = Lab::new(eager());
    for round in 0..8 {
        for number in 0..7 {
            lab.push(&trace(round * 100 + number));
        }
        lab.push(&[long(round)]);
        lab.seal();
        lab.compact();
        assert_whole(&lab, round + 1, 7);
    }
    assert!(lab.engine.status().segments <= 4);
    let merges = lab.engine.status().compaction.merges;
    assert!(merges >= 4, "{merges}");
}

#[test]
fn a_trace_too_large_for_a_run_keeps_its_fragments_and_is_one_to_readers() {
    let options = EngineOptions {
        head_spans_max: 40,
        ..eager()
    };
    let mut lab = Lab::new(options);
    let mut giant = Vec::new();
    for piece in 0..4u64 {
        let spans: Vec<_> = (0..12)
            .map(|number| {
                let at = piece * 12 + number;
                let start = NOW + (at % 7) * MS;
                SpanSpec::new(7, at + 1, start).with("piece", piece as i64)
            })
            .collect();
        giant.extend(spans.clone());
        lab.push(&spans);
        lab.push(&trace(piece + 50));
        lab.push(&trace(60)[piece as usize % 2..][..1]);
        lab.seal();
    }
    giant.sort_by_key(|span| (span.start_unix_ns, span.span_id));
    let before = |lab: &Lab, order| {
        let found = lab.find(&TraceQuery { order, ..all() });
        assert_eq!(found.incomplete, [""; 0]);
        found.hits
    };
    let newest = before(&lab, Order::Newest);
    let slowest = before(&lab, Order::Slowest);
    assert_eq!(newest.len(), 6);
    step(&lab);
    for _ in 0..2 {
        assert_eq!(lab.engine.status().segments, 1);
        assert_eq!(lab.get(trace_id(7)).parts.len() / 2, 4, "two blocks each");
        assert_eq!(specs(&lab.get(trace_id(7))), giant);
        assert_eq!(
            lab.get(trace_id(60)).parts.len(),
            1,
            "the small one is joined"
        );
        assert_eq!(before(&lab, Order::Newest), newest);
        assert_eq!(before(&lab, Order::Slowest), slowest);
        lab.reopen();
    }
}

#[test]
fn a_key_that_is_high_in_one_segment_is_found_in_all() {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 512,
        ..eager()
    });
    let spans = |range: std::ops::Range<u64>| -> Vec<SpanSpec> {
        let user = |number: u64| format!("{}-{number}", "u".repeat(125));
        let span =
            |number| SpanSpec::new(number, 1, NOW + number).with("user", user(number).as_str());
        range.map(span).collect()
    };
    for range in [0..1_300, 1_300..3_600, 3_600..4_600] {
        lab.push(&spans(range));
        lab.seal();
    }
    let found = |lab: &Lab, number: u64| {
        let condition = TagCondition::Equals(format!("{}-{number}", "u".repeat(125)));
        let key = "user".to_owned();
        let found = lab.find(&TraceQuery {
            tags: vec![TagFilter { key, condition }],
            ..all()
        });
        (found.hits.len(), found.searched.blocks_read)
    };
    step(&lab);
    for number in [0, 1_299, 1_300, 3_347, 3_348, 3_599, 3_600, 4_599] {
        let (hits, blocks) = found(&lab, number);
        assert_eq!(hits, 1, "user {number}");
        assert!(blocks <= 4, "{blocks} blocks for user {number}");
    }
    assert_eq!(found(&lab, 4_600).0, 0);
}

#[test]
fn what_the_sampler_drops_is_gone_and_counted_and_errors_stay() {
    let mut lab = Lab::new(eager());
    for segment in 0..3u64 {
        for number in 0..20 {
            let mut spans = trace(segment * 100 + number);
            if number % 5 == 0 {
                spans[1] = spans[1].clone().failed();
            }
            lab.push(&spans);
        }
        lab.push(&[long(segment)]);
        lab.seal();
    }
    let asked = Cell::new(0);
    let keep = |summary: &TraceSummary| {
        asked.set(asked.get() + 1);
        match summary.error_count > 0 {
            true => Verdict::Keep,
            false => Verdict::Drop,
        }
    };
    let figures = lab
        .engine
        .compact_step(Some(&keep), &|| true)
        .expect("compacts");
    assert_eq!(asked.get(), 61, "each trace once");
    let dropped = 3 * 16 * 2 + 3;
    assert_eq!(figures.expect("merges").sampled_out, dropped);
    for _ in 0..2 {
        let status = lab.engine.status();
        assert_eq!((status.stored, status.sampled_out), (3 * 4 * 2, dropped));
        assert_eq!(lab.find(&all()).hits.len(), 12);
        assert!(lab.get(trace_id(999)).is_empty() && lab.get(trace_id(101)).is_empty());
        assert_eq!(lab.get(trace_id(105)).len(), 2);
        lab.reopen();
    }
    // And nothing at all may be left.
    segments(&mut lab, 3, 20);
    let drop_all = |_: &TraceSummary| Verdict::Drop;
    while lab
        .engine
        .compact_step(Some(&drop_all), &|| true)
        .expect("compacts")
        .is_some()
    {}
    let status = lab.engine.status();
    let sum = status.stored + status.sampled_out + status.duplicate;
    assert_eq!((status.stored, sum), (0, lab.logged_spans()));
    assert_eq!((status.segments, lab.files("").len()), (0, 0));
}

#[test]
fn what_is_left_is_settled_within_two_minutes_of_the_last_span() {
    let mut lab = Lab::new(EngineOptions {
        head_spans_max: 60,
        ..cold()
    });
    for number in 0..200 {
        lab.push(&trace(number));
    }
    assert!(lab.engine.status().unsettled_spans == 400);
    let last = lab.clock.monotonic_ns();
    while lab.engine.status().unsettled_spans > 0 {
        lab.clock.advance(SECOND);
        lab.engine.sink().tick(0).expect("ticks");
        lab.compact();
        let waited = lab.clock.monotonic_ns() - last;
        assert!(waited <= 120 * SECOND, "{:?}", lab.engine.status());
    }
    assert_eq!(lab.engine.status().segments, 1);
    lab.assert_account(400);
}

#[test]
fn a_merge_that_is_stopped_anywhere_leaves_everything_as_it_was() {
    let mut lab = Lab::new(eager());
    segments(&mut lab, 3, 20);
    let before: Vec<_> = lab.files("").into_iter().collect();
    for looks in 0u64.. {
        let left = Cell::new(looks);
        let go_on = || left.replace(left.get().saturating_sub(1)) > 0;
        let done = lab.engine.compact_step(None, &go_on).expect("stops");
        if done.is_some() {
            assert!(looks > 20, "it looks only {looks} times");
            break;
        }
        assert_eq!(lab.files(""), before);
        assert_whole(&lab, 3, 20);
    }
    assert_whole(&lab, 3, 20);
}

#[test]
fn seals_and_expiry_go_on_during_a_merge() {
    let mut lab = Lab::new(EngineOptions {
        retention: Retention {
            spans_ns: 8 * DAY,
            ..Retention::default()
        },
        ..eager()
    });
    segments(&mut lab, 3, 20);
    lab.append(&trace(300));
    let last = lab.log.len() - 1;
    let looked = Cell::new(false);
    let meanwhile = || {
        if !looked.replace(true) {
            lab.engine.sink().apply(&lab.log[last..]).expect("applies");
            lab.seal();
        }
        true
    };
    assert!(
        lab.engine
            .compact_step(None, &meanwhile)
            .expect("compacts")
            .is_some()
    );
    assert_eq!(lab.engine.status().segments, 2);
    assert_eq!(specs(&lab.get(trace_id(300))), trace(300));
    lab.assert_account(lab.logged_spans());

    // Now the inputs lose their index under the merge, and then go altogether.
    segments(&mut lab, 3, 20);
    for age in [7 * DAY, DAY] {
        let looked = Cell::new(false);
        let meanwhile = || {
            if !looked.replace(true) {
                lab.clock.advance(age + SECOND);
                let expiry = lab.engine.retain_step().expect("retains");
                assert!(expiry.indexes + expiry.segments > 0);
            }
            true
        };
        let done = lab.engine.compact_step(None, &meanwhile).expect("compacts");
        assert_eq!(done, None, "in vain");
        let status = lab.engine.status();
        let sum = status.stored + status.duplicate + status.expired;
        assert_eq!(sum, lab.logged_spans(), "{status:?}");
        assert_eq!(lab.files(".seg").len() as u64, status.segments);
    }
    assert_eq!(lab.engine.status().stored, 0);
    lab.reopen();
    assert_eq!(
        lab.engine.status().expired + lab.engine.status().duplicate,
        lab.logged_spans()
    );
}

/// A trace every two hours, merged, restarted and aged: what is young is there, what is too old is
/// gone within the day that a merge may join, with its room, and everything is counted.
#[test]
fn in_forty_days_what_is_merged_expires_in_time_and_frees_its_room() {
    let mut lab = Lab::new(EngineOptions {
        merge_segments_min: 3,
        ..eager()
    });
    let mut random = fastrand::Rng::with_seed(9);
    let mut arrived = Vec::new();
    for number in 0..40 * 12u64 {
        lab.push(&trace(number));
        lab.push(&[long(number)]);
        lab.seal();
        arrived.push(lab.clock.unix_ns());
        for _ in 0..12 {
            lab.clock.advance(600 * SECOND);
            lab.engine.retain_step().expect("retains");
            lab.compact();
        }
        if random.u8(..20) == 0 {
            lab.reopen();
        }
        if number % 24 != 0 {
            continue;
        }
        let now = lab.clock.unix_ns();
        for (number, &arrived) in (0..).zip(&arrived) {
            let found = lab.get(trace_id(number));
            assert_eq!(found.incomplete, [""; 0]);
            let is_young = arrived + 30 * DAY > now;
            let is_too_old = arrived + 31 * DAY + HOUR <= now;
            assert!(
                found.len() == 2 || !is_young && found.is_empty(),
                "trace {number}"
            );
            assert!(found.is_empty() || !is_too_old, "trace {number}");
        }
        let hits = lab.find(&all()).hits.len();
        let searchable = |days: u64| arrived.iter().filter(|at| **at + days * DAY > now).count();
        assert!(
            (searchable(7)..=searchable(8) + 2).contains(&hits),
            "{hits} hits"
        );
        let status = lab.engine.status();
        assert_eq!(
            status.stored + status.duplicate + status.expired,
            lab.logged_spans()
        );
        assert_eq!(lab.files(".seg").len() as u64, status.segments);
        assert!(status.segments <= 32 * 4, "{} segments", status.segments);
        assert_eq!(status.problems, [""; 0]);
    }
    assert!(lab.engine.status().expired > 3 * 12 * 8);
}

#[test]
fn segments_without_an_index_are_merged_with_each_other_only() {
    let mut lab = Lab::new(eager());
    lab.engine.retain_step().expect("retains");
    segments(&mut lab, 2, 5);
    lab.clock.advance(7 * DAY - 10 * SECOND);
    lab.engine.retain_step().expect("retains");
    lab.clock.advance(20 * SECOND);
    assert_eq!(lab.engine.retain_step().expect("retains").indexes, 2);
    for number in 300..310 {
        lab.push(&trace(number));
        lab.seal();
    }
    lab.compact();
    assert_eq!(lab.engine.status().segments, 2);
    assert_eq!(lab.files(".idx").len(), 1);
    assert_eq!(specs(&lab.get(trace_id(103))), trace(103));
    assert_eq!(specs(&lab.get(trace_id(999))), [long(0), long(1)]);
    assert_eq!(lab.get(trace_id(999)).parts.len(), 1);
    assert_eq!(lab.find(&all()).hits.len(), 10);
    lab.reopen();
    assert_eq!(specs(&lab.get(trace_id(999))), [long(0), long(1)]);
    lab.assert_account(lab.logged_spans());
}

#[test]
fn without_room_for_filters_traces_are_found_by_the_tables() {
    let mut lab = Lab::new(EngineOptions {
        filter_bytes_max: 0,
        merge_segments_min: 100,
        ..cold()
    });
    segments(&mut lab, 5, 10);
    let filtered = lab.engine.status().table_bytes;
    assert_eq!(lab.engine.shed_step(), 5);
    assert_eq!(lab.engine.shed_step(), 0, "they are gone");
    let bare = lab.engine.status().table_bytes;
    assert!(0 < bare && bare < filtered);
    assert_whole(&lab, 5, 10);
    lab.reopen();
    assert_eq!(lab.engine.shed_step(), 0, "they were not kept at the start");
    assert_eq!(lab.engine.status().table_bytes, bare);
    assert_whole(&lab, 5, 10);
    // With room for two of them the newest keep theirs.
    lab.options.filter_bytes_max = (filtered - bare) as usize / 5 * 5 / 2;
    lab.reopen();
    assert_eq!(lab.engine.shed_step(), 0);
    let some = lab.engine.status().table_bytes;
    assert!(bare < some && some < filtered);
    assert_whole(&lab, 5, 10);
}
