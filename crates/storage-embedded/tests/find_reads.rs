//! What reads cost, counted in blocks and bytes after a restart with a cold cache; and traces of
//! many fragments.

mod engine_support;

use engine_support::{Lab, MS, NOW, SECOND, cold, specs};
use tracewell_model::TraceSummary;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::find::TagCondition;
use tracewell_storage::{Order, TagFilter, TraceQuery};
use tracewell_storage_embedded::EngineOptions;

/// Traces of ten spans over twenty services, each span with a few attributes.
fn shop(lab: &mut Lab, traces: std::ops::Range<u64>) {
    let mut random = fastrand::Rng::with_seed(traces.start);
    for record in traces.collect::<Vec<_>>().chunks(50) {
        let mut spans = Vec::new();
        for &trace in record {
            for span in 1..=10u64 {
                let service = format!("service-{:02}", random.u64(..20));
                let operation = format!("op-{}", random.u64(..6));
                let start = NOW + trace * 3 * MS + span;
                let spec = SpanSpec::new(trace, span, start).named(&service, &operation);
                let spec = spec
                    .lasting(random.u64(1..50 * MS))
                    .with("http.status_code", 200);
                let spec = spec
                    .with("user.id", random.i64(..5_000))
                    .with("peer", "10.0.0.1");
                spans.push(if span > 1 {
                    spec.child_of(span / 2)
                } else {
                    spec
                });
            }
        }
        lab.push(&spans);
    }
}

#[test]
fn a_cold_read_by_id_touches_at_most_two_blocks() {
    let mut lab = Lab::new(cold());
    shop(&mut lab, 0..2_000);
    lab.seal();
    lab.reopen();
    let bytes = std::fs::metadata(&lab.files(".seg")[0]).unwrap().len();
    for trace in [0, 1, 999, 1_998, 1_999] {
        let found = lab.get(trace_id(trace));
        assert_eq!(found.len(), 10);
        assert!(found.searched.blocks_read <= 2, "{:?}", found.searched);
        assert!(
            found.searched.bytes_read < bytes / 3,
            "{:?} of {bytes}",
            found.searched
        );
    }
    let nothing = lab.get(trace_id(77_777));
    assert!(nothing.is_empty() && nothing.searched.blocks_read == 0);
    println!(
        "by id: {:?} of {bytes} bytes",
        lab.get(trace_id(999)).searched
    );
}

#[test]
fn a_cold_search_for_one_service_reads_under_a_tenth_of_the_index() {
    let mut lab = Lab::new(cold());
    // Enough of them that the ids of a page's hits do not count for much.
    shop(&mut lab, 0..8_000);
    lab.seal();
    lab.reopen();
    let index_bytes = std::fs::metadata(&lab.files(".idx")[0]).unwrap().len();
    let query = TraceQuery {
        service: Some("service-07".to_owned()),
        limit: 50,
        ..TraceQuery::default()
    };
    let found = lab.find(&query);
    assert_eq!(found.hits.len(), 50);
    assert!(found.next.is_some());
    assert_eq!(found.searched.blocks_read, 0);
    println!("one service: {:?} of {index_bytes} bytes", found.searched);
    assert!(
        found.searched.bytes_read * 10 < index_bytes,
        "{:?} of {index_bytes}",
        found.searched
    );
    let slowest = lab.find(&TraceQuery {
        order: Order::Slowest,
        ..query
    });
    assert_eq!(slowest.searched.blocks_read, 0);
    assert!(
        slowest
            .hits
            .is_sorted_by(|a, b| a.summary.duration_ns >= b.summary.duration_ns)
    );
    let absent = lab.find(&TraceQuery {
        service: Some("nobody".into()),
        limit: 50,
        ..TraceQuery::default()
    });
    assert_eq!(
        (absent.hits.len(), absent.searched.segments_skipped),
        (0, 1)
    );
    assert!(
        absent.searched.bytes_read * 50 < index_bytes,
        "{:?}",
        absent.searched
    );
}

/// A search for failures with an attribute opens copies of them, sealed or merged, whatever the
/// condition.
#[test]
fn a_search_for_failures_opens_a_block_of_failures() {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 100,
        merge_segments_min: 2,
        ..cold()
    });
    for trace in 0..600u64 {
        let spans = (1..=10u64).map(|span| {
            let start = NOW + trace * 3 * MS + span;
            let spec = SpanSpec::new(trace, span, start).named("pay", "charge");
            let spec = spec.lasting(span * 1_001).with("tenant", trace as i64 % 20);
            match (trace % 6 == 0, span) {
                (true, 7) => spec.failed(),
                _ => spec,
            }
        });
        let spans: Vec<SpanSpec> = spans.collect();
        lab.push(&spans);
        if trace % 200 == 199 {
            lab.seal();
        }
    }
    let find = |lab: &Lab, condition: TagCondition, least_ns: u64| {
        let found = lab.find(&TraceQuery {
            service: Some("pay".to_owned()),
            span_error: Some(true),
            min_span_duration_ns: Some(least_ns),
            tags: vec![TagFilter {
                key: "tenant".to_owned(),
                condition,
            }],
            limit: 1_000,
            ..TraceQuery::default()
        });
        assert_eq!(found.incomplete, [""; 0]);
        (found.hits.len(), found.searched.blocks_read)
    };
    for blocks in [3, 1] {
        lab.reopen();
        let four = TagCondition::Equals("4".to_owned());
        assert_eq!(find(&lab, four.clone(), 7_007), (10, blocks));
        assert_eq!(find(&lab, four, 7_008), (0, blocks));
        let others = TagCondition::NotEquals("4".to_owned());
        assert_eq!(find(&lab, others, 1), (90, blocks));
        let some = TagCondition::Matches("^1?4$".parse().expect("is one"));
        assert_eq!(find(&lab, some, 7_000), (20, blocks));
        while lab.compact() > 0 {}
    }
    assert_eq!(lab.engine.status().segments, 1);
}

#[test]
fn a_search_stops_before_the_segments_it_does_not_need() {
    let mut lab = Lab::new(cold());
    for segment in 0..8 {
        shop(&mut lab, segment * 200..(segment + 1) * 200);
        lab.seal();
    }
    lab.reopen();
    let all = TraceQuery {
        limit: 20,
        ..TraceQuery::default()
    };
    let found = lab.find(&all);
    assert_eq!(found.hits[0].summary.trace_id, trace_id(1_599));
    assert_eq!(found.searched.segments, 1, "{:?}", found.searched);
    let tag = TagFilter {
        key: "user.id".into(),
        condition: TagCondition::Equals("no such".into()),
    };
    let none = lab.find(&TraceQuery {
        tags: vec![tag],
        ..all.clone()
    });
    assert_eq!((none.hits.len(), none.searched.segments_skipped), (0, 8));
    assert_eq!(none.searched.blocks_read, 0);
    let late = TraceQuery {
        start_unix_ns: Some(NOW + 1_500 * 3 * MS),
        limit: 1_000,
        ..all
    };
    let late = lab.find(&late);
    assert_eq!((late.hits.len(), late.searched.segments_skipped), (100, 7));
}

#[test]
fn the_cache_serves_the_second_read() {
    let mut lab = Lab::new(EngineOptions::default());
    shop(&mut lab, 0..200);
    lab.seal();
    lab.reopen();
    assert_eq!(lab.get(trace_id(7)).searched.blocks_read, 1);
    let again = lab.get(trace_id(7)).searched;
    assert_eq!((again.blocks_read, again.bytes_read), (0, 0));
}

/// 20,000 spans over ten hours, sealed forty times, children before parents: by id all of it, and
/// search shows it once, summed up exactly, whatever it is asked by.
#[test]
fn a_trace_of_twenty_thousand_spans_in_forty_segments_is_one_trace() {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 128,
        ..EngineOptions::default()
    });
    let mut spans = Vec::new();
    let start = |number: u64| NOW + (20_000 - number) * 1_800 * MS;
    for part in 0..40u64 {
        let mut these = Vec::new();
        for number in part * 500..(part + 1) * 500 {
            let span = SpanSpec::new(1, number + 1, start(number));
            let span = span
                .named(&format!("s{}", number % 7), "work")
                .with("n", number as i64);
            // The root is the last to arrive, and the earliest to start.
            these.push(if number == 19_999 {
                span
            } else {
                span.child_of(number + 2)
            });
        }
        these.push(SpanSpec::new(1_000 + part, 1, start(part * 500) + 5));
        lab.push(&these);
        these.pop();
        spans.extend(these);
        lab.seal();
    }
    lab.reopen();
    assert_eq!(lab.engine.status().segments, 40);
    let found = lab.get(trace_id(1));
    assert_eq!((found.len(), found.incomplete.len()), (20_000, 0));
    spans.sort_by_key(|span| (span.start_unix_ns, span.span_id));
    let summary = TraceSummary::of(found.spans()).unwrap();
    assert_eq!((summary.span_count, summary.orphan_count), (20_000, 0));
    assert_eq!(summary.duration_ns, start(0) + MS - start(19_999));
    let sample = specs(&lab.get(trace_id(1_003)));
    assert_eq!(sample.len(), 1);
    let tag = |n: u64| TagFilter {
        key: "n".into(),
        condition: TagCondition::Equals(n.to_string()),
    };
    for number in [0u64, 777, 19_999] {
        let query = TraceQuery {
            tags: vec![tag(number)],
            limit: 10,
            ..TraceQuery::default()
        };
        let hits = lab.find(&query).hits;
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].summary, summary);
        assert_eq!(
            hits[0].matched_span_id,
            spans[19_999 - number as usize].span_id
        );
    }
    // It began first, so it is the last of all 41 traces, and shows once.
    let query = TraceQuery {
        limit: 10,
        ..TraceQuery::default()
    };
    let mut shown = Vec::new();
    let mut cursor = None;
    loop {
        let page = lab.find(&TraceQuery {
            cursor,
            ..query.clone()
        });
        shown.extend(page.hits.iter().map(|hit| hit.summary.trace_id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(shown.len(), 41);
    assert_eq!(shown.last(), Some(&trace_id(1)));
    let slowest = lab.find(&TraceQuery {
        order: Order::Slowest,
        limit: 1,
        ..TraceQuery::default()
    });
    assert_eq!(slowest.hits[0].summary, summary);
    assert!(summary.duration_ns > 9 * 3_600 * SECOND);
}
