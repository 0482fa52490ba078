//! Files that format 1 wrote, kept in the tree: a log, and an engine with a segment as sealed and one
//! that was merged. Later releases read them, and know what is damaged of them (P22).

mod engine_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_support::{Lab, MS, NOW, cold, copy, specs};
use tempfile::TempDir;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::{batch, trace_id};
use tracewell_storage::find::TagCondition;
use tracewell_storage::{Ack, SpanLog, TagFilter, TraceQuery};
use tracewell_storage_embedded::EngineOptions;
use tracewell_storage_embedded::fs::{Fs, StdFs};
use tracewell_storage_embedded::log::{EmbeddedLog, Options};

const TRACES: u64 = 7;
/// Segments of two traces; the first three are merged.
const SEGMENTS: u64 = 4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

/// The last trace has a span in each segment.
fn spans(trace: u64) -> Vec<SpanSpec> {
    let start = NOW + trace * MS;
    if trace == TRACES {
        let span = |id| SpanSpec::new(trace, id, start + id).named("batch", "step");
        return (1..=SEGMENTS).map(span).collect();
    }
    let mut root = SpanSpec::new(trace, 1, start).lasting(trace * MS);
    root = root
        .with("user", trace as i64)
        .with("ratio", 0.5)
        .with("cached", true);
    root.event_attributes
        .push(("exception.type".into(), "x".into()));
    root.resource_attributes.push(("zone".into(), "a".into()));
    let child = SpanSpec::new(trace, 2, start + 1).child_of(1);
    vec![root, child.named("db", "SELECT").lasting(5).failed()]
}

fn options() -> EngineOptions {
    EngineOptions {
        block_spans: 4,
        merge_segments_min: 3,
        ..cold()
    }
}

fn log_options() -> Options {
    Options {
        salt_seed: 7,
        ..Options::default()
    }
}

/// Writes the fixtures; they are frozen with the format.
#[test]
#[ignore = "writes the fixtures of a new format"]
fn write_fixtures() {
    let mut lab = Lab::new(options());
    for segment in 0..SEGMENTS {
        for trace in (segment * 2..segment * 2 + 2).filter(|trace| *trace < TRACES) {
            lab.push(&spans(trace));
        }
        lab.push(&spans(TRACES)[segment as usize..][..1]);
        lab.seal();
        if segment == 2 {
            assert_eq!(lab.compact(), 1);
        }
    }
    copy(lab.dir.path(), &fixtures().join("engine"));
    let dir = tempfile::tempdir().expect("a directory");
    let log = open_log(dir.path());
    for trace in 0..=TRACES {
        log.append(
            vec![batch(&spans(trace))],
            Ack::Logged,
            Box::new(|done| done.expect("appends")),
        );
    }
    log.close().expect("closes");
    drop(log);
    copy(&dir.path().join("log"), &fixtures().join("log"));
}

fn open_log(dir: &Path) -> EmbeddedLog {
    let clock = Arc::new(ManualClock::at(NOW));
    let (log, _) = EmbeddedLog::open(StdFs::shared(), dir, log_options(), clock).expect("opens");
    log
}

/// The engine of the fixtures, in a directory of its own.
fn lab() -> Lab {
    let mut lab = Lab::new(options());
    copy(&fixtures().join("engine"), lab.dir.path());
    lab.reopen();
    lab
}

fn queries() -> Vec<(TraceQuery, usize)> {
    let all = TraceQuery {
        limit: 100,
        ..TraceQuery::default()
    };
    let tag = |key: &str, value: &str| TraceQuery {
        tags: vec![TagFilter {
            key: key.to_owned(),
            condition: TagCondition::Equals(value.to_owned()),
        }],
        ..all.clone()
    };
    let service = TraceQuery {
        service: Some("db".to_owned()),
        min_span_duration_ns: Some(5),
        ..all.clone()
    };
    vec![
        (tag("user", "3"), 1),
        (tag("exception.type", "x"), TRACES as usize),
        (tag("zone", "a"), TRACES as usize),
        (service, TRACES as usize),
        (all, TRACES as usize + 1),
    ]
}

/// Nothing that is answered is another than was stored; what is missing is named. Answers how many
/// answers name something.
fn assert_honest(lab: &Lab, what: &str) -> usize {
    let mut named = 0;
    for trace in 0..=TRACES {
        let found = lab.get(trace_id(trace));
        let (got, expected) = (specs(&found), spans(trace));
        assert!(
            got.iter().all(|span| expected.contains(span)),
            "{what}: {got:?}"
        );
        assert!(
            got == expected || !found.incomplete.is_empty(),
            "{what}: trace {trace}"
        );
        named += usize::from(!found.incomplete.is_empty());
    }
    for (query, hits) in queries() {
        let found = lab.find(&query);
        assert!(found.hits.len() <= hits, "{what}: {query:?}");
        assert!(
            found.hits.len() == hits || !found.incomplete.is_empty(),
            "{what}: {query:?}"
        );
        named += usize::from(!found.incomplete.is_empty());
    }
    named
}

#[test]
fn an_engine_of_format_1_is_read() {
    let lab = lab();
    assert_eq!(assert_honest(&lab, "whole"), 0);
    let status = lab.engine.status();
    assert_eq!((status.segments, status.stored), (2, TRACES * 2 + SEGMENTS));
    assert_eq!(status.problems, [""; 0]);
    // And goes on.
    lab.clock.advance(60_000 * MS);
    assert_eq!(lab.compact(), 1);
    assert_eq!(assert_honest(&lab, "merged"), 0);
    assert_eq!(lab.get(trace_id(TRACES)).parts.len(), 1);
}

/// Each bit of a file, flipped.
fn flip_all(ending: &str, number: usize) -> (usize, usize) {
    let mut lab = lab();
    let path = lab.files(ending)[number].clone();
    let whole = std::fs::read(&path).expect("reads");
    let mut named = 0;
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).expect("writes");
        lab.reopen();
        let is_named = assert_honest(&lab, &format!("{} bit {bit}", path.display())) > 0;
        named += usize::from(is_named || lab.engine.status().damaged_blocks > 0);
    }
    (named, whole.len() * 8)
}

#[test]
fn a_flipped_bit_of_a_merged_segment_is_named() {
    let (named, bits) = flip_all(".seg", 0);
    assert_eq!(named, bits);
}

#[test]
fn a_flipped_bit_of_a_merged_index_is_named() {
    let (named, bits) = flip_all(".idx", 0);
    // What stands in a frame of an attribute that no query asks for is nobody's business.
    assert!(named * 10 > bits * 8, "{named} of {bits}");
}

#[test]
fn a_flipped_bit_of_a_sealed_segment_is_named() {
    let (named, bits) = flip_all(".seg", 1);
    assert_eq!(named, bits);
    let (named, bits) = flip_all(".idx", 1);
    assert!(named * 10 > bits * 8, "{named} of {bits}");
}

#[test]
fn a_flipped_bit_of_the_manifest_costs_nothing() {
    let whole = std::fs::read(fixtures().join("engine/manifest")).expect("reads");
    let mut lab = lab();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(lab.dir.path().join("manifest"), &flipped).expect("writes");
        lab.reopen();
        let what = format!("manifest bit {bit}");
        assert_eq!(assert_honest(&lab, &what), 0, "{what}");
        assert_eq!(lab.engine.status().stored, TRACES * 2 + SEGMENTS, "{what}");
    }
}

/// The log of the fixtures with some bit flipped, read; answers how many spans are missing.
fn read_log(flip: Option<(&Path, usize)>) -> usize {
    let dir: TempDir = engine_support::memory_dir();
    copy(&fixtures().join("log"), &dir.path().join("log"));
    if let Some((name, bit)) = flip {
        let path = dir.path().join("log").join(name);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, bytes).expect("writes");
    }
    let log = open_log(dir.path());
    let mut consumer = log.subscribe("storage", &[]).expect("subscribes");
    let mut read = Vec::new();
    loop {
        let records = consumer.poll(1 << 20, Duration::ZERO).expect("polls");
        if records.is_empty() {
            break;
        }
        let spans = records.iter().flat_map(|record| record.batch.spans());
        read.extend(spans.map(SpanSpec::of));
    }
    let written: Vec<_> = (0..=TRACES).flat_map(spans).collect();
    assert!(
        read.iter().all(|span| written.contains(span)),
        "{flip:?}: {read:?}"
    );
    written.len() - read.len()
}

#[test]
fn a_log_of_format_1_is_read_and_a_flipped_bit_costs_its_record_only() {
    assert_eq!(read_log(None), 0);
    let names = StdFs.list(&fixtures().join("log")).expect("lists");
    for name in names.iter().filter(|name| name.ends_with(".log")) {
        let bytes = std::fs::metadata(fixtures().join("log").join(name))
            .expect("is there")
            .len();
        for bit in 0..bytes as usize * 8 {
            read_log(Some((Path::new(name), bit)));
        }
    }
}
