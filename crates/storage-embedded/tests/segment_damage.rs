//! Bit flips: every bit of a small segment, its index and the manifest. Damage is noticed or
//! harmless, never wrong data, never a panic; answers that lack something say so.

mod engine_support;

use std::path::PathBuf;

use engine_support::{Lab, MS, NOW, cold, open, specs};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::find::TagCondition;
use tracewell_storage::{Order, TagFilter, TraceFinder, TraceQuery};
use tracewell_storage_embedded::EngineOptions;

const TRACES: u64 = 6;

fn trace_spans(trace: u64) -> Vec<SpanSpec> {
    let start = NOW + trace * MS;
    let mut root = SpanSpec::new(trace, 1, start)
        .lasting(trace * MS)
        .with("user", trace as i64);
    // Something for each part of a block: the checksum of an empty one matters to nobody.
    root.event_attributes.push(("event".into(), "x".into()));
    vec![
        root,
        SpanSpec::new(trace, 2, start + 1)
            .child_of(1)
            .named("db", "SELECT")
            .failed(),
    ]
}

fn lab() -> Lab {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 4,
        ..cold()
    });
    for trace in 0..TRACES {
        lab.push(&trace_spans(trace));
    }
    lab.seal();
    lab
}

fn queries() -> Vec<TraceQuery> {
    let all = TraceQuery {
        limit: 100,
        ..TraceQuery::default()
    };
    let tag = |key: &str, value: &str| TagFilter {
        key: key.to_owned(),
        condition: TagCondition::Equals(value.to_owned()),
    };
    vec![
        TraceQuery {
            service: Some("db".to_owned()),
            ..all.clone()
        },
        TraceQuery {
            tags: vec![tag("user", "3")],
            ..all.clone()
        },
        TraceQuery {
            tags: vec![tag("event", "x")],
            ..all.clone()
        },
        TraceQuery {
            order: Order::Slowest,
            ..all.clone()
        },
        all,
    ]
}

/// Answers of a damaged engine hold only what was stored, and all of it unless they say otherwise.
#[track_caller]
fn assert_honest(lab: &Lab, what: &str) -> usize {
    let mut named = 0;
    for trace in 0..TRACES {
        let found = lab.get(trace_id(trace));
        let (got, expected) = (specs(&found), trace_spans(trace));
        assert!(
            got.iter().all(|span| expected.contains(span)),
            "{what}: {got:?}"
        );
        assert!(
            got == expected || !found.incomplete.is_empty(),
            "{what}: trace {trace} lacks spans"
        );
        named += usize::from(!found.incomplete.is_empty());
    }
    let whole = self::lab_answers(lab);
    for (hits, incomplete, expected) in whole {
        let strangers: Vec<_> = hits.iter().filter(|hit| !expected.contains(hit)).collect();
        // A trace of which a part is damaged may look different, and the answer says so.
        assert!(
            strangers.is_empty() || !incomplete.is_empty(),
            "{what}: {strangers:?}"
        );
        assert!(
            hits == expected || !incomplete.is_empty(),
            "{what}: hits are missing"
        );
        named += usize::from(!incomplete.is_empty());
    }
    named
}

type Hits = Vec<(u64, u64, u64, [u8; 8])>;

fn lab_answers(lab: &Lab) -> Vec<(Hits, Vec<String>, Hits)> {
    let hits = |query: &TraceQuery| -> (Hits, Vec<String>) {
        let found = lab.find(query);
        let hit = |hit: &tracewell_storage::TraceHit| {
            let number = u64::from(hit.summary.trace_id.0[15]);
            (
                number,
                hit.summary.duration_ns,
                hit.summary.span_count,
                hit.matched_span_id.0,
            )
        };
        (found.hits.iter().map(hit).collect(), found.incomplete)
    };
    let span = |number: u64| number.to_be_bytes();
    let one = |number: u64, matched: u64| (number, (number * MS).max(MS + 1), 2, span(matched));
    let newest = |matched| {
        (0..TRACES)
            .rev()
            .map(|number| one(number, matched))
            .collect::<Hits>()
    };
    let mut slowest = newest(1);
    slowest.sort_by_key(|hit| (std::cmp::Reverse(hit.1), hit.0));
    let expected = [newest(2), vec![one(3, 1)], newest(1), slowest, newest(1)];
    let answers = queries().iter().map(hits).collect::<Vec<_>>();
    answers
        .into_iter()
        .zip(expected)
        .map(|((hits, said), expected)| (hits, said, expected))
        .collect()
}

fn flip_all(files: impl Fn(&Lab) -> PathBuf, step: usize) -> (usize, usize) {
    let mut lab = lab();
    let path = files(&lab);
    let whole = std::fs::read(&path).expect("works");
    let (mut bits, mut named) = (0, 0);
    for bit in (0..whole.len() * 8).step_by(step) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).expect("works");
        let what = format!("{} bit {bit}", path.display());
        lab.engine = open(&lab.fs, &lab.dir, &lab.clock, lab.options).expect("works");
        let is_named = assert_honest(&lab, &what) > 0;
        let status = lab.engine.status();
        // A damaged trace-id filter costs no answer anything: it is only counted.
        named += usize::from(is_named || status.damaged_blocks > 0);
        bits += 1;
        assert_eq!(status.stored + status.duplicate, TRACES * 2, "{what}");
    }
    (bits, named)
}

#[test]
fn an_undamaged_engine_answers_everything() {
    assert_eq!(assert_honest(&lab(), "whole"), 0);
}

#[test]
fn a_flipped_bit_in_a_data_file_is_named() {
    let (bits, named) = flip_all(|lab| lab.files(".seg").remove(0), 1);
    assert!(bits > 5_000, "{bits} bits");
    assert_eq!(named, bits, "each bit of a data file matters to some read");
}

#[test]
fn a_flipped_bit_in_an_index_file_is_named() {
    let (bits, named) = flip_all(|lab| lab.files(".idx").remove(0), 1);
    assert!(bits > 2_000, "{bits} bits");
    assert_eq!(
        named, bits,
        "each bit of a small index matters to some search"
    );
}

#[test]
fn a_flipped_bit_in_the_manifest_costs_nothing() {
    let lab = lab();
    let path = lab.dir.path().join("manifest");
    let whole = std::fs::read(&path).expect("works");
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).expect("works");
        let mut lab = Lab {
            engine: lab.engine.clone(),
            dir: lab.dir.clone(),
            log: Vec::new(),
            fs: lab.fs.clone(),
            clock: lab.clock.clone(),
            ..lab
        };
        lab.engine = open(&lab.fs, &lab.dir, &lab.clock, lab.options).expect("works");
        assert_eq!(assert_honest(&lab, &format!("manifest bit {bit}")), 0);
        assert_eq!(lab.durable(), TRACES);
        assert_eq!(lab.engine.status().problems.len(), 2, "cut, and adopted");
    }
}

#[test]
fn a_damaged_block_is_named_counted_and_skipped() {
    let mut lab = lab();
    let path = lab.files(".seg").remove(0);
    let mut bytes = std::fs::read(&path).expect("works");
    bytes[30] ^= 1; // in the first block, of traces 0 and 1
    std::fs::write(&path, &bytes).expect("works");
    lab.reopen();
    let found = lab.get(trace_id(1));
    let said = "block 0 of segment 0000000000000001 is damaged: \
                up to 4 spans of this trace may be missing";
    assert_eq!(found.incomplete, [said]);
    assert!(found.is_empty());
    assert_eq!(lab.get(trace_id(2)).len(), 2);
    assert_eq!(lab.get(trace_id(0)).incomplete.len(), 1);
    assert_eq!(
        lab.engine.status().damaged_blocks,
        1,
        "one block, however often it was met"
    );
    // Search without attributes does not need the block.
    assert_eq!(lab.find(&queries()[0]).hits.len(), 6);
}

#[test]
fn cut_and_foreign_files_do_no_harm() {
    let mut lab = lab();
    for ending in [".seg", ".idx"] {
        let path = lab.files(ending).remove(0);
        let whole = std::fs::read(&path).expect("works");
        for length in (0..whole.len()).step_by(13) {
            std::fs::write(&path, &whole[..length]).expect("works");
            lab.reopen();
            assert!(assert_honest(&lab, &format!("{ending} of {length} bytes")) > 0);
        }
        std::fs::write(
            &path,
            b"another file altogether, and a longer one than any header",
        )
        .expect("works");
        lab.reopen();
        assert!(assert_honest(&lab, "foreign") > 0);
        assert!(lab.engine.traces().list_services(&lab.context()).is_ok());
        std::fs::write(&path, &whole).expect("works");
    }
}
