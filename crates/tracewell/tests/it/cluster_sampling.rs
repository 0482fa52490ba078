//! Tail sampling over processes, on the four real engines: two samplers, of which one is killed, decide
//! about each trace once; what matters stays, whatever else goes is gone from index and rows alike, and
//! figures do not change.

use serde_json::{Value, json};

use crate::sampling::{
    Sort, Traffic, assert_unhealthy_stay, exists, figures, id, sampling, sort, sum,
};
use crate::server::{Server, eventually_within};
use crate::stack::Stack;

const ON: [&str; 4] = [
    "--sampling-enabled",
    "--live-window",
    "10s",
    "--sampling-diversity=1",
];
/// What engines and rounds may take on a machine that has much else to do.
const MINUTES: usize = 8;

/// Once so many traces are decided about.
fn decided(query: &Server, traces: u64) -> Value {
    eventually_within(MINUTES, "decisions", || {
        let report = sampling(query);
        let decided = sum(&report["kept"]) + sum(&report["dropped"]);
        assert!(decided <= traces, "none twice: {report}");
        (decided == traces).then_some(report)
    })
}

/// Once the figures have so many traces.
fn figures_of(query: &Server, traces: u64) -> Value {
    eventually_within(MINUTES, "figures of everything", || {
        let figures = figures(query);
        (figures[1][1] == traces).then_some(figures)
    })
}

fn hits(query: &Server) -> Vec<Value> {
    let found = query.get_json("/api/traces?service=shop&limit=1000");
    found["traces"].as_array().unwrap().clone()
}

#[test]
fn two_samplers_of_which_one_is_killed_keep_what_matters() {
    let Some(stack) = Stack::new() else { return };
    let _workers = ["storage-writer", "indexer", "aggregator"].map(|role| stack.start(role));
    let (collector, query) = (stack.start("collector"), stack.start_with("query", &ON));
    let traffic = Traffic::new();
    let (first, count) = (1_500, 3_000);
    traffic.send(&collector, 0..first);
    let opened = (0..first)
        .find(|&number| sort(number) == Sort::Healthy)
        .unwrap();
    eventually_within(MINUTES, "a trace", || exists(&query, opened).then_some(()));
    query.trace(&id(opened));
    figures_of(&query, first);
    what_if(&stack, first);

    let samplers = [
        stack.start_with("sampler", &ON),
        stack.start_with("sampler", &ON),
    ];
    decided(&query, first);
    traffic.send(&collector, first..count);
    let before = figures_of(&query, count);
    // It may have written a round and not carried it out, or be about to.
    let [killed, _goes_on] = samplers;
    killed.kill();
    let report = decided(&query, count);
    assert_eq!(report["kept"]["error"], count / 100);
    assert_eq!(report["kept"]["outlier"], count / 300);
    assert_eq!(report["kept"]["pinned"], 1);
    let share = report["share"].as_f64().unwrap();
    assert!(0.02 < share && share <= 0.05, "{report}");
    assert_eq!(report["waiting"], Value::Null);

    let kept = sum(&report["kept"]);
    let hits = eventually_within(MINUTES, "hits of what is kept, and no others", || {
        let hits = hits(&query);
        let is_told = |hit: &Value| hit["kept_because"].is_string();
        (hits.len() as u64 == kept && hits.iter().all(is_told)).then_some(hits)
    });
    for hit in &hits {
        let path = format!(
            "/api/traces/{}?pin=false",
            hit["trace_id"].as_str().unwrap()
        );
        let trace = query.get_json(&path);
        assert_eq!(trace["span_count"], 2, "{hit}");
        assert_eq!(trace["kept_because"], hit["kept_because"]);
    }
    let stored = || (0..count).filter(|&number| exists(&query, number)).count() as u64;
    eventually_within(MINUTES, "rows of what is kept, and no others", || {
        (stored() == kept).then_some(())
    });
    assert_unhealthy_stay(&query, 0..count);
    assert!(exists(&query, opened));
    assert_eq!(
        figures(&query),
        before,
        "figures do not change, to the last count"
    );
    late_spans(&collector, &query, &traffic, count);
}

/// What would be decided is told without a sampler, of what can be searched.
fn what_if(stack: &Stack, count: u64) {
    let query = stack.start_with("query", &["--live-window", "15m"]);
    let what_if = eventually_within(MINUTES, "all of them in the index", || {
        let what_if = query.get("/api/sampling/what-if");
        let what_if = (what_if.status == 200).then(|| what_if.json())?;
        (sum(&what_if["kept"]) + sum(&what_if["dropped"]) == count).then_some(what_if)
    });
    assert_eq!(what_if["kept"]["error"], count / 100);
    assert_eq!(what_if["kept"]["outlier"], count / 300);
    let lost = what_if["error_traces_lost_by_head_sampling"]
        .as_u64()
        .unwrap();
    assert!(lost > count / 200, "{what_if}");
}

/// Spans of dropped traces that come later: healthy ones go too, a failed one stays with what comes
/// with it, and the trace says that it is not all there.
fn late_spans(collector: &Server, query: &Server, traffic: &Traffic, count: u64) {
    let mut dropped = (0..count).filter(|&number| !exists(query, number));
    let (failed, healthy) = (dropped.next().unwrap(), dropped.next().unwrap());
    let late = |number: u64, status: &str| {
        let mut span = traffic.trace(number)[1].clone();
        span["span_id"] = json!(format!("{:016x}", 9_000_000 + number));
        span["status"] = json!(status);
        span
    };
    collector.send_patiently(&[late(failed, "error"), late(healthy, "ok")]);
    eventually_within(MINUTES, "a late error", || {
        let path = format!("/api/traces/{}", id(failed));
        let trace = query.get(&path);
        let trace = (trace.status == 200).then(|| trace.json())?;
        let is_told = trace["kept_because"] == "late_error";
        is_told.then(|| {
            assert_eq!(trace["status"], "partial");
            let reasons = trace["partial_reasons"].to_string();
            assert!(
                reasons.contains("the sampler had dropped this trace"),
                "{reasons}"
            );
        })
    });
    eventually_within(MINUTES, "a late span goes", || {
        (!exists(query, healthy)).then_some(())
    });
    let report = sampling(query);
    assert_eq!(report["kept"]["late_error"], 1);
}
