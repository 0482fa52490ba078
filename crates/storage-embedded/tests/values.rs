//! What counting values reads: only blocks that may have a span of the sets, of those no ids, and when
//! the time is up an even part of all. That the counts are right is the conformance suite's.

mod engine_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine_support::{Lab, MS, NOW, SECOND, cold};
use tracewell_model::Clock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::value_counts::Source;
use tracewell_storage::{
    ReadContext, ScanQuery, Scanned, Sets, SpanQuery, SpanScanner, ValueCounts,
};
use tracewell_storage_embedded::EngineOptions;

const TRACES: u64 = 200;
const SPANS_OF_TRACE: u64 = 4;

/// Two segments of blocks of 32 spans: traces a second apart, of which every fiftieth has a rare operation.
fn lab() -> Lab {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 32,
        ..cold()
    });
    for half in [0..TRACES / 2, TRACES / 2..TRACES] {
        let span = |trace: u64, span: u64| {
            let mut spec = SpanSpec::new(trace, span, NOW + trace * SECOND + span);
            spec.attributes = vec![
                (
                    "pod".to_owned(),
                    format!("pod-{}", trace % 3).as_str().into(),
                ),
                (
                    "request".to_owned(),
                    format!("{trace}-{span}").as_str().into(),
                ),
            ];
            spec.duration_ns = if trace % 3 == 1 { 90 * MS } else { MS };
            if trace % 50 == 7 {
                spec.operation = "rare".to_owned();
            }
            spec
        };
        let spans = half.flat_map(|trace| (1..=SPANS_OF_TRACE).map(move |at| span(trace, at)));
        lab.push(&spans.collect::<Vec<_>>());
        lab.seal();
    }
    lab
}

fn count(lab: &Lab, a: &SpanQuery, context: &ReadContext) -> (ValueCounts, Scanned) {
    let mut counts = ValueCounts::default();
    let rest = a.surroundings();
    let sets = Sets {
        a,
        b: &rest,
        is_rest: true,
    };
    let scanner = lab.engine.traces();
    let counted = scanner.count_values(&sets, 1, context, &mut counts);
    (counts, counted.expect("count_values"))
}

#[test]
fn counting_reads_each_block_once_and_no_ids() {
    let lab = lab();
    let slow = SpanQuery {
        min_duration_ns: Some(50 * MS),
        ..SpanQuery::default()
    };
    let (counts, counted) = count(&lab, &slow, &lab.context());
    let scanned =
        lab.engine
            .traces()
            .scan_spans(&ScanQuery::default(), &lab.context(), &mut |_, _| {
                std::ops::ControlFlow::Continue(())
            });
    let scanned = scanned.expect("scan_spans").searched;
    assert_eq!(counted.searched.blocks_read, scanned.blocks_read);
    assert_eq!(counted.spans, TRACES * SPANS_OF_TRACE);
    let ids = TRACES * (SPANS_OF_TRACE * 8 + 16);
    assert!(
        counted.searched.bytes_read + ids <= scanned.bytes_read,
        "{} of {} bytes",
        counted.searched.bytes_read,
        scanned.bytes_read
    );
    let pods = counts.into_keys().find_map(|(source, key, values)| {
        let is_it = (source, &*key) == (Source::Span, "pod");
        is_it.then_some(values).flatten()
    });
    let pods = pods.expect("it was counted");
    let slow = TRACES.div_ceil(3) * SPANS_OF_TRACE;
    assert_eq!(pods.get("pod-1"), Some(&[slow, 0]));
}

#[test]
fn a_rare_operation_costs_the_blocks_that_have_it() {
    let lab = lab();
    let rare = SpanQuery {
        service: Some("shop".to_owned()),
        operation: Some("rare".to_owned()),
        min_duration_ns: Some(50 * MS),
        ..SpanQuery::default()
    };
    let (counts, counted) = count(&lab, &rare, &lab.context());
    // Of traces 7, 57, 107 and 157 the first and the last are slow.
    assert_eq!(counts.spans, [2 * SPANS_OF_TRACE; 2]);
    assert_eq!(counted.searched.blocks_read, 4);
    assert!(counted.incomplete.is_empty());
}

#[test]
fn a_range_of_time_costs_the_blocks_that_may_be_in_it() {
    let lab = lab();
    // The second segment is another page of fragments.
    let late = SpanQuery {
        start_unix_ns: Some(NOW + TRACES / 2 * SECOND),
        ..SpanQuery::default()
    };
    let (counts, counted) = count(&lab, &late, &lab.context());
    let half = TRACES / 2 * SPANS_OF_TRACE;
    assert_eq!(counts.spans, [half, 0]);
    assert_eq!(
        (counted.spans, counted.searched.segments_skipped),
        (half, 1)
    );
}

/// A clock that goes on a second each time it is asked.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn unix_ns(&self) -> u64 {
        NOW
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.fetch_add(SECOND, Ordering::Relaxed)
    }
}

#[test]
fn when_the_time_is_up_an_even_part_was_counted() {
    let lab = lab();
    let context = ReadContext::new(Arc::new(Ticking(AtomicU64::new(0))), 12 * SECOND);
    let (counts, counted) = count(&lab, &SpanQuery::default(), &context);
    let read = counted.searched.blocks_read;
    assert!((5..12).contains(&read), "{read} blocks");
    assert_eq!(counted.blocks_left, 26 - read);
    assert!(
        counted
            .incomplete
            .iter()
            .any(|reason| reason.contains(&format!("{read} of 26 blocks"))),
        "{:?}",
        counted.incomplete
    );
    let requests = counts
        .into_keys()
        .find_map(|(_, key, values)| (&*key == "request").then_some(values).flatten());
    let traces = requests.expect("it was counted").into_keys();
    let of_trace = |request: Box<str>| {
        request
            .split('-')
            .next()
            .and_then(|t| t.parse::<u64>().ok())
    };
    let first_half = traces
        .filter_map(of_trace)
        .filter(|trace| *trace < TRACES / 2);
    let share = first_half.count() as f64 / counted.spans as f64;
    assert!(
        (0.25..0.75).contains(&share),
        "{share} are of the first half"
    );
}
