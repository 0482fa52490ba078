//! Against a real OpenSearch, whose address is in `STACK_OPENSEARCH`: the suite of every store, with
//! the memory backend as its reader by id, and what only an index outside can get wrong.

mod erasing;
mod fixture;
mod support;

use std::sync::Arc;

use fixture::Fixture;
use support::{Place, place};
use tracewell_model::clock::SystemClock;
use tracewell_storage::conformance::spans::{batch, span_id, trace_id};
use tracewell_storage::conformance::{SpanSpec, expect_passed, store_suite};
use tracewell_storage::find::{TagCondition, TagFilter};
use tracewell_storage::{
    Class, Cursor, Found, Position, ReadContext, Record, Sink, TraceFinder, TraceQuery,
};
use tracewell_storage_opensearch::{Attributes, Settings, expire};

/// 22:13 UTC of a day in November 2023.
const NOW: u64 = 1_700_000_000 * SECOND;
const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

#[test]
fn opensearch_does_what_every_store_must() {
    if place().is_none() {
        return;
    }
    let passed = expect_passed(store_suite(&Fixture));
    assert!(passed.left_out.is_empty(), "{passed:?}");
}

fn record(offset: u64, arrived_unix_ns: u64, spans: &[SpanSpec]) -> Record {
    Record {
        position: Position {
            partition: 0,
            offset,
        },
        arrived_unix_ns,
        batch: Arc::new(batch(spans)),
    }
}

fn query() -> TraceQuery {
    TraceQuery {
        limit: 100,
        ..TraceQuery::default()
    }
}

fn tag(key: &str, text: &str) -> TraceQuery {
    TraceQuery {
        tags: vec![TagFilter {
            key: key.to_owned(),
            condition: TagCondition::Equals(text.to_owned()),
        }],
        ..query()
    }
}

fn find(place: &Place, query: &TraceQuery) -> Found {
    place.refresh();
    let context = ReadContext::new(Arc::new(SystemClock), 60 * SECOND);
    let found = place.finder().find_traces(query, &context);
    found.expect("OpenSearch answers")
}

/// F-23: full disks and forbidden writes pass; the answer's own status said 200 all the while.
#[test]
fn documents_refused_for_now_are_written_later_and_nothing_is_durable_before() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    let first = record(1, NOW, &[SpanSpec::new(1, 1, NOW)]);
    sink.apply(&[first]).expect("it only gathers");
    sink.flush().expect("OpenSearch takes it");
    let settings = format!("{}-*/_settings", place.settings.prefix);
    let block = |value: &str| format!(r#"{{"index.blocks.read_only_allow_delete": {value}}}"#);
    assert_eq!(place.ask("PUT", &settings, &block("true")).0, 200);
    let second = record(2, NOW + 1, &[SpanSpec::new(2, 1, NOW)]);
    sink.apply(&[second]).expect("it only gathers");
    let refused = sink.flush().expect_err("the disk counts as full");
    assert_eq!(refused.class, Class::Overloaded);
    assert!(
        refused.message.contains("refused documents for now"),
        "{refused}"
    );
    assert_eq!(sink.durable()[0].offset, 1);
    assert_eq!(place.ask("PUT", &settings, &block("null")).0, 200);
    sink.flush().expect("there is room again");
    assert_eq!(sink.durable()[0].offset, 2);
    assert_eq!(find(&place, &query()).hits.len(), 2);
    assert!(place.aside.0.lock().expect("nobody panicked").is_empty());
    place.remove();
}

#[test]
fn a_document_that_never_goes_in_is_set_aside_with_the_reason() {
    let Some(place) = place() else { return };
    // Somebody made today's index with a mapping of their own.
    let index = format!("{}-2023-11-14", place.settings.prefix);
    let mapping = r#"{"mappings": {"properties": {"d": {"type": "boolean"}}}}"#;
    assert_eq!(place.ask("PUT", &index, mapping).0, 200);
    let mut sink = place.sink();
    sink.apply(&[record(1, NOW, &[SpanSpec::new(1, 7, NOW)])])
        .expect("it only gathers");
    sink.flush().expect("the rest went in");
    assert_eq!(sink.durable()[0].offset, 1);
    let aside = place.aside.0.lock().expect("nobody panicked");
    let (spans, reason) = &aside[0];
    assert_eq!(spans.span(0).span_id(), span_id(7));
    assert!(reason.contains("refuses the trace's document"), "{reason}");
    place.remove();
}

#[test]
fn two_indexers_of_one_trace_lose_nothing_of_each_other() {
    let Some(place) = place() else { return };
    let (mut one, mut other) = (place.sink(), place.sink());
    for round in 0..4 {
        for (number, sink) in [&mut one, &mut other].into_iter().enumerate() {
            let span = 1 + round * 2 + number as u64;
            let span = SpanSpec::new(1, span, NOW + span).child_of(1);
            sink.apply(&[record(round + 1, NOW, &[span])])
                .expect("it only gathers");
            sink.flush().expect("conflicts are resolved");
        }
    }
    let hits = find(&place, &query()).hits;
    assert_eq!(hits[0].summary.span_count, 8);
    place.remove();
}

/// A span that came again, to an indexer that did not hold its trace any more, counted as come then.
#[test]
fn a_span_came_when_it_came_first() {
    let Some(place) = place() else { return };
    let span = SpanSpec::new(1, 1, NOW);
    let mut last = query();
    for (offset, arrived) in [(1, NOW), (2, NOW + SECOND)] {
        let mut sink = place.sink();
        sink.apply(&[record(offset, arrived, std::slice::from_ref(&span))])
            .expect("it only gathers");
        sink.flush().expect("OpenSearch takes it");
        // As on a page after one that saw the first delivery only.
        last.cursor = Some(Cursor {
            key: u64::MAX,
            trace_id: trace_id(9),
            horizon_unix_ns: NOW,
        });
        assert_eq!(find(&place, &last).hits.len(), 1, "delivery {offset}");
    }
    place.remove();
}

#[test]
fn a_trace_of_two_days_is_one_hit() {
    let Some(place) = place() else { return };
    for (offset, day) in [(1, 0), (2, DAY)] {
        // Each indexer forgets, as one does that was killed.
        let mut sink = place.sink();
        let span = SpanSpec::new(1, offset, NOW + day).named("cron", "work");
        sink.apply(&[record(offset, NOW + day, &[span])])
            .expect("it only gathers");
        sink.flush().expect("OpenSearch takes it");
    }
    let hits = find(&place, &query()).hits;
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].summary.span_count, 2);
    assert_eq!(hits[0].summary.duration_ns, DAY + 1_000_000);
    place.remove();
}

#[test]
fn indices_past_their_days_are_dropped_and_others_left_alone() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    for day in 0..10 {
        let span = SpanSpec::new(1 + day, 1, NOW + day * DAY);
        sink.apply(&[record(day + 1, NOW + day * DAY, &[span])])
            .expect("it only gathers");
    }
    sink.flush().expect("OpenSearch takes it");
    let foreign = format!("{}-notes", place.settings.prefix);
    assert_eq!(place.ask("PUT", &foreign, "{}").0, 200);
    let expired = expire(&place.settings, NOW + 9 * DAY).expect("OpenSearch drops them");
    assert_eq!(expired.len(), 2, "{expired:?}");
    assert_eq!(find(&place, &query()).hits.len(), 8);
    assert_eq!(place.ask("GET", &foreign, "").0, 200);
    place.remove();
}

/// Q8: the list says what is found, and the answer says when the list stands in the way.
#[test]
fn attributes_that_are_not_listed_are_those_of_failed_spans_only() {
    let Some(mut place) = place() else { return };
    place.settings.attributes = Attributes::default();
    let mut sink = place.sink();
    let span = |trace| {
        SpanSpec::new(trace, 1, NOW)
            .with("http.route", "/pay")
            .with("cart.size", 3)
            .with("rpc.service", "Pay")
    };
    sink.apply(&[record(1, NOW, &[span(1), span(2).failed()])])
        .expect("it only gathers");
    sink.flush().expect("OpenSearch takes it");
    for (key, text) in [("http.route", "/pay"), ("rpc.service", "Pay")] {
        let found = find(&place, &tag(key, text));
        assert_eq!((found.hits.len(), found.incomplete.len()), (2, 0), "{key}");
    }
    let found = find(&place, &tag("cart.size", "3"));
    assert_eq!(found.hits[0].summary.trace_id, trace_id(2));
    assert_eq!(found.hits.len(), 1);
    assert!(found.incomplete[0].contains("\"cart.size\" of failed spans only"));
    place.remove();
}

#[test]
fn a_giant_trace_is_cut_and_marked() {
    let Some(mut place) = place() else { return };
    place.settings = Settings {
        spans_per_trace_max: 100,
        ..place.settings
    };
    let mut sink = place.sink();
    let spans: Vec<_> = (1..=150)
        .map(|span| SpanSpec::new(1, span, NOW + span))
        .collect();
    sink.apply(&[record(1, NOW, &spans)])
        .expect("it only gathers");
    sink.flush().expect("OpenSearch takes it");
    let found = find(&place, &query());
    assert_eq!(found.hits[0].summary.span_count, 100);
    assert_eq!(
        found.incomplete,
        ["1 traces have more spans than the index holds of one"]
    );
    place.remove();
}
