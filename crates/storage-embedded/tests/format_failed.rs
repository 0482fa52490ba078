//! Files of format 1 whose indexes have copies of failed spans, kept in the tree: later releases read
//! them, and a damaged copy costs no answer anything (P22).

mod engine_support;

use std::path::{Path, PathBuf};

use engine_support::{Lab, MS, NOW, cold};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::find::TagCondition;
use tracewell_storage::{Found, TagFilter, TraceQuery};
use tracewell_storage_embedded::EngineOptions;

/// The first two are merged.
const SEGMENTS: u64 = 3;
const TRACES_PER_SEGMENT: u64 = 2;
const SPANS: u64 = 17;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1-failed")
}

/// One span in seventeen fails.
fn spans(trace: u64) -> Vec<SpanSpec> {
    let span = |id| {
        let spec = SpanSpec::new(trace, id, NOW + trace * MS + id).lasting(1_234_567 + trace);
        match id {
            2 => spec.failed().with("code", trace as i64 % 2).child_of(1),
            _ => spec.with("code", 0),
        }
    };
    (1..=SPANS).map(span).collect()
}

fn options() -> EngineOptions {
    EngineOptions {
        block_spans: 20,
        merge_segments_min: 2,
        ..cold()
    }
}

/// Writes the fixtures; they are frozen with the format.
#[test]
#[ignore = "writes the fixtures of a new format"]
fn write_fixtures() {
    let mut lab = Lab::new(options());
    for segment in 0..SEGMENTS {
        for trace in segment * TRACES_PER_SEGMENT..(segment + 1) * TRACES_PER_SEGMENT {
            lab.push(&spans(trace));
        }
        lab.seal();
        if segment == 1 {
            assert_eq!(lab.compact(), 1);
        }
    }
    engine_support::copy(lab.dir.path(), &fixtures());
}

fn lab() -> Lab {
    let mut lab = Lab::new(options());
    engine_support::copy(&fixtures(), lab.dir.path());
    lab.reopen();
    lab
}

/// Failures with this code that last at least so long beyond a millisecond or so.
fn find(lab: &Lab, code: &str, beyond_ns: u64) -> Found {
    lab.find(&TraceQuery {
        span_error: Some(true),
        min_span_duration_ns: Some(1_234_567 + beyond_ns),
        tags: vec![TagFilter {
            key: "code".to_owned(),
            condition: TagCondition::Equals(code.to_owned()),
        }],
        limit: 100,
        ..TraceQuery::default()
    })
}

#[track_caller]
fn assert_right(lab: &Lab, blocks: u64, what: &str) {
    for (code, beyond_ns, expected) in [("1", 0, &[5, 3, 1][..]), ("0", 2, &[4, 2]), ("2", 0, &[])]
    {
        let found = find(lab, code, beyond_ns);
        let ids: Vec<_> = found.hits.iter().map(|hit| hit.summary.trace_id).collect();
        let expected_ids: Vec<_> = expected.iter().map(|&trace| trace_id(trace)).collect();
        assert_eq!(ids, expected_ids, "{what}: code {code}");
        assert_eq!(found.incomplete, [""; 0], "{what}");
        let blocks = if expected.is_empty() { 0 } else { blocks };
        assert!(
            found.searched.blocks_read <= blocks,
            "{what}: {:?}",
            found.searched
        );
    }
}

#[test]
fn copies_of_failed_spans_are_read() {
    let lab = lab();
    assert_eq!(lab.engine.status().segments, 2);
    assert_right(&lab, 2, "as they were written");
    assert_eq!(lab.compact(), 1);
    assert_right(&lab, 1, "merged");
    assert_eq!(lab.engine.status().problems, [""; 0]);
}

/// Bits of the copies, which lie before the footer; what else is in an index is another test's.
#[test]
fn a_flipped_bit_of_a_copy_is_counted_and_costs_nothing() {
    let mut lab = lab();
    for number in [0, 1] {
        let path = lab.files(".idx")[number].clone();
        let whole = std::fs::read(&path).expect("reads");
        let mut counted = 0;
        for bit in (0..whole.len() * 8).step_by(7) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).expect("writes");
            lab.reopen();
            let found = find(&lab, "1", 0);
            if found.incomplete.is_empty() {
                assert_right(&lab, 6, &format!("index {number}, bit {bit}"));
                counted += lab.engine.status().damaged_blocks;
            }
        }
        assert!(
            counted > 150,
            "index {number}: only {counted} bits are a copy's"
        );
        std::fs::write(&path, &whole).expect("writes");
    }
}
