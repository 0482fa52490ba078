//! Traces that break other backends: very large, very deep, very wide, spread over hours, cyclic (P11).

use serde_json::{Value, json};

use crate::server::{Server, eventually, span};

/// Sends the spans in requests of 2,000 and answers the trace once all are there.
fn stored(server: &Server, id: u128, spans: &[Value]) -> Value {
    for part in spans.chunks(2_000) {
        server.send_spans(part);
    }
    eventually("all spans", || {
        let trace = server.get_json(&format!("/api/traces/{id:x}?view=columns"));
        (trace["span_count"] == spans.len()).then_some(trace)
    })
}

#[test]
fn depth_100_000() {
    let server = Server::start();
    let spans: Vec<Value> = (1..=100_000)
        .map(|i| span(1, i, (i > 1).then(|| i - 1), "deep"))
        .collect();
    let trace = stored(&server, 1, &spans);
    assert_eq!(
        (&trace["depth"], &trace["status"]),
        (&json!(99_999), &json!("ok"))
    );
    let parents = trace["parent"].as_array().unwrap();
    assert!(
        parents
            .iter()
            .enumerate()
            .all(|(row, parent)| parent == row as i64 - 1)
    );
    assert_eq!(
        server.get_json("/api/traces?service=deep")["traces"][0]["span_count"],
        100_000
    );
}

#[test]
fn twenty_thousand_spans_over_hours_in_many_segments() {
    let server = Server::start_in(
        std::sync::Arc::new(tempfile::tempdir().unwrap()),
        &["--seal-after-s", "1"],
    );
    let hours = 6 * 3_600_000_000_000u64;
    let spans: Vec<Value> = (1..=20_000u64)
        .map(|i| {
            let mut span = span(2, i, (i > 1).then_some(1), &format!("service-{}", i % 10));
            let start = 1_700_000_000_000_000_000u64 + hours / 20_000 * i;
            span["start_time_unix_ns"] = json!(start);
            span
        })
        .collect();
    // Fragments on both sides of seals and of a restart.
    for (i, part) in spans.chunks(2_000).enumerate() {
        server.send_spans(part);
        if i == 4 {
            eventually("a first segment", || {
                let segments = &server.get_json("/api/status")["store"]["segments"];
                segments.as_u64().filter(|&count| count > 0)
            });
        }
    }
    let dir = server.kill();
    let server = Server::start_in(dir, &["--seal-after-s", "1"]);
    let trace = server.get_json("/api/traces/2");
    assert_eq!(
        (&trace["span_count"], &trace["status"]),
        (&json!(20_000), &json!("ok"))
    );
    assert_eq!(trace["orphans"], json!([]));
    let found = server.get_json("/api/traces?service=service-3&limit=5");
    assert_eq!(found["traces"].as_array().unwrap().len(), 1);
    assert_eq!(found["traces"][0]["span_count"], 20_000);
    assert_eq!(found["traces"][0]["services"].as_array().unwrap().len(), 10);
}

#[test]
fn odd_shapes_are_shown_whole() {
    let server = Server::start();
    // (name, spans as (id, parent), status, roots shown, orphans)
    type Case = (
        &'static str,
        Vec<(u64, Option<u64>)>,
        &'static str,
        bool,
        usize,
    );
    let cases: Vec<Case> = vec![
        (
            "cycle of two",
            vec![(1, Some(2)), (2, Some(1))],
            "partial",
            false,
            0,
        ),
        (
            "cycle of three under no root",
            vec![(1, Some(3)), (2, Some(1)), (3, Some(2))],
            "partial",
            false,
            0,
        ),
        ("own parent", vec![(1, Some(1))], "partial", false, 0),
        (
            "two roots",
            vec![(1, None), (2, None), (3, Some(2))],
            "ok",
            true,
            0,
        ),
        (
            "no root",
            vec![(2, Some(1)), (3, Some(2))],
            "partial",
            false,
            1,
        ),
        (
            "only orphans",
            vec![(2, Some(1)), (3, Some(9))],
            "partial",
            false,
            2,
        ),
        (
            "child before parent",
            vec![(2, Some(1)), (1, None)],
            "ok",
            true,
            0,
        ),
        (
            "one id twice",
            vec![(1, None), (2, Some(1)), (2, None)],
            "ok",
            true,
            0,
        ),
    ];
    for (number, (name, spans, status, has_root, orphans)) in cases.into_iter().enumerate() {
        let id = 100 + number as u128;
        let rows: Vec<Value> = spans
            .iter()
            .map(|&(span_id, parent)| span(id, span_id, parent, "odd"))
            .collect();
        server.send_spans(&rows);
        let trace = server.trace(&format!("{id:x}"));
        assert_eq!(
            trace["spans"].as_array().unwrap().len(),
            spans.len(),
            "{name}"
        );
        assert_eq!(trace["status"], status, "{name}");
        assert_eq!(trace["root_span"].is_null(), !has_root, "{name}");
        assert_eq!(
            trace["orphans"].as_array().unwrap().len(),
            orphans,
            "{name}"
        );
    }
}

#[test]
fn fan_out_100_000_all_with_one_id() {
    let server = Server::start();
    let mut spans: Vec<Value> = vec![span(3, 1, None, "wide")];
    // The same span id a hundred thousand times, each with content of its own.
    spans.extend((0..99_999u64).map(|i| {
        let mut child = span(3, 2, Some(1), "wide");
        child["tags"] = json!({"n": i});
        child
    }));
    let trace = stored(&server, 3, &spans);
    assert_eq!(
        (&trace["depth"], &trace["status"]),
        (&json!(1), &json!("ok"))
    );
}
