//! Differences: exact counts, and a planted value first among very many attributes.
#![allow(clippy::unwrap_used)] // tests

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use fastrand::Rng;
use tracewell_analysis::difference::{self, Comparison};
use tracewell_analysis::spans::SpanQuery;
use tracewell_model::clock::ManualClock;
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, StatusCode, TraceId, Value,
};
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::{ReadContext, ScanQuery, SpanScanner as _};

/// Attributes of each span: texts of few and of many values, numbers, truths.
const ATTRIBUTES: usize = 64;

/// Spans of three operations; where attribute 17 is `v3`, `pay` takes ten times as long.
fn store(spans: usize, batches: usize) -> MemoryStore {
    let mut random = Rng::with_seed(7);
    let keys: Vec<String> = (0..ATTRIBUTES).map(|at| format!("key.{at}")).collect();
    let store = MemoryStore::new();
    for batch in 0..batches {
        let mut builder = BatchBuilder::new(1);
        let scope = builder.scope(&ScopeInput::default());
        let host = format!("host-{}", batch % 5);
        let resource = builder.resource(&ResourceInput {
            service: "shop",
            attributes: &[Attribute::new("host.name", Value::Str(&host))],
            ..ResourceInput::default()
        });
        for _ in 0..spans / batches {
            let texts: Vec<String> = (0..ATTRIBUTES)
                .map(|at| match at % 16 {
                    15 => format!("id-{}", random.u64(..)),
                    few => format!("v{}", random.usize(0..few + 2)),
                })
                .collect();
            let mut attributes: Vec<_> = keys
                .iter()
                .zip(&texts)
                .map(|(key, text)| Attribute::new(key, Value::Str(text)))
                .collect();
            attributes[3].value = Value::Int(random.i64(0..4));
            attributes[4].value = Value::Bool(random.bool());
            let operation = ["pay", "browse", "search"][random.usize(0..3)];
            let usual = 1_000_000 + random.u64(0..1_000_000);
            let is_slow = operation == "pay" && texts[17] == "v2";
            builder.push(&SpanInput {
                trace_id: TraceId(random.u128(1..).to_be_bytes()),
                span_id: SpanId(random.u64(1..).to_be_bytes()),
                parent: None,
                resource,
                scope,
                start_unix_ns: 1_000,
                duration_ns: if is_slow { usual * 10 } else { usual },
                operation,
                kind: SpanKind::Server,
                status: StatusCode::Unset,
                status_message: "",
                flags: 0,
                attributes: &attributes,
                event_attributes: &[],
                rest: &[],
                marks: Marks::default(),
            });
        }
        store.push(builder.finish_one(), 0);
    }
    store
}

fn slow() -> SpanQuery {
    SpanQuery {
        operation: Some("pay".to_owned()),
        min_duration_ns: Some(5_000_000),
        ..SpanQuery::default()
    }
}

fn compare(store: &MemoryStore, a: &SpanQuery, b: Option<&SpanQuery>) -> Comparison {
    let context = ReadContext::new(Arc::new(ManualClock::at(0)), u64::MAX);
    difference::compare(store, (a, b), 1, &context).unwrap()
}

#[test]
fn the_planted_value_is_first_among_very_many() {
    let store = store(6_000, 4);
    let compared = compare(&store, &slow(), None);
    let first = &compared.differences[0];
    assert_eq!((first.key.as_str(), first.value.as_str()), ("key.17", "v2"));
    assert_eq!((first.a, first.b), (compared.spans_a, 0));
    assert!(compared.keys >= ATTRIBUTES, "{}", compared.keys);
    // The others differ by chance, and count for little.
    let others = compared
        .differences
        .iter()
        .filter(|other| other.key != "key.17");
    assert!(others.map(|other| other.score).fold(0.0, f64::max) < 0.1);
}

/// Every count, against a count by hand.
#[test]
fn counts_are_exact() {
    let store = store(900, 3);
    let pay = SpanQuery {
        operation: Some("pay".to_owned()),
        ..SpanQuery::default()
    };
    let search = SpanQuery {
        operation: Some("search".to_owned()),
        ..SpanQuery::default()
    };
    let compared = compare(&store, &pay, Some(&search));
    let mut expected: BTreeMap<(String, String), [u64; 2]> = BTreeMap::new();
    let mut spans = [0; 2];
    let context = ReadContext::new(Arc::new(ManualClock::at(0)), u64::MAX);
    let mut count = |batch: &SpanBatch, rows: &[u32]| {
        for span in rows.iter().map(|&row| batch.span(row)) {
            let side = match span.operation() {
                "pay" => 0,
                "search" => 1,
                _ => continue,
            };
            spans[side] += 1;
            for attribute in span.attributes().chain(span.resource().attributes()) {
                let key = (
                    attribute.key.to_owned(),
                    attribute.value.text().into_owned(),
                );
                expected.entry(key).or_default()[side] += 1;
            }
        }
        ControlFlow::Continue(())
    };
    store
        .scan_spans(&ScanQuery::default(), &context, &mut count)
        .unwrap();
    assert_eq!([compared.spans_a, compared.spans_b], spans);
    let mut seen = 0;
    for found in &compared.differences {
        let key = (found.key.clone(), found.value.clone());
        if let Some(&[a, b]) = expected.get(&key) {
            assert_eq!((found.a, found.b), (a, b), "{key:?}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} values were compared");
}

#[test]
fn ids_are_left_out_and_named() {
    let compared = compare(&store(12_000, 4), &slow(), Some(&SpanQuery::default()));
    assert_eq!(compared.left_out, ["key.15", "key.31", "key.47", "key.63"]);
    assert!(
        compared
            .differences
            .iter()
            .all(|found| found.key != "key.15")
    );
}
