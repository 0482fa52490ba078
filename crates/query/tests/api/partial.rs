//! Partial traces explain themselves: each reason, by the evidence that makes it, and what else looks like it.

use serde_json::{Value, json};
use tracewell_model::histogram::Histogram;
use tracewell_model::{SpanId, TraceId};
use tracewell_storage::roll::{Instance, Loss};
use tracewell_storage::stats::{Figures, STEP_NS, SeriesKey};
use tracewell_storage::{RefusedSpan, StatsDelta, StatsWriter};

use crate::world::{NOW, World, span};

const SECOND: u64 = 1_000_000_000;
/// When the broken trace happened.
const THEN: u64 = NOW - 600 * SECOND;
const TRACE: &str = "/api/traces/1";

fn instance(service: &str, name: &str, first: u64, last: u64) -> Instance {
    Instance {
        service: service.to_owned(),
        name: name.to_owned(),
        first_unix_ns: first,
        last_unix_ns: last,
        ..Instance::default()
    }
}

fn lossy(service: &str, name: &str, from: u64, to: u64, refused: bool) -> Instance {
    let mut instance = instance(service, name, THEN - 900 * SECOND, NOW);
    instance.lose(Loss {
        from_unix_ns: from,
        to_unix_ns: to,
        refused,
    });
    instance
}

/// A world in which these services call each other and these instances were heard, besides `front`, which lives.
fn world(calls: &[(&str, &str, u64)], instances: Vec<Instance>) -> World {
    let world = World::new();
    let mut delta = StatsDelta {
        instances,
        now_unix_ns: NOW,
        ..StatsDelta::default()
    };
    delta
        .instances
        .push(instance("front", "f", THEN - 900 * SECOND, NOW));
    let figures = |count| Figures {
        count,
        error_count: 0,
        latency: Histogram {
            buckets: vec![(9, count)],
        },
    };
    for (parent, child, count) in calls {
        let edge = SeriesKey::Edge {
            parent: (*parent).to_owned(),
            child: (*child).to_owned(),
        };
        delta
            .figures
            .insert((THEN / STEP_NS, edge), figures(*count));
    }
    for service in ["stock", "front"] {
        let operation = SeriesKey::Operation {
            service: service.to_owned(),
            operation: "op".to_owned(),
            entry: true,
        };
        delta
            .figures
            .insert((THEN / STEP_NS, operation), figures(100));
    }
    world.stats.write(delta).expect("memory takes everything");
    world
}

/// front calls somebody and gets no answer; below it stock was called by span 9, which is not there.
fn broken(world: &World, more: &Value) {
    let mut child =
        json!({"service_name": "stock", "kind": "server", "start_time_unix_ns": THEN + 20_000_000});
    let (Value::Object(members), Value::Object(more)) = (&mut child, more) else {
        panic!("an object is expected");
    };
    members.extend(more.clone());
    world.push(
        &json!([
            span(1, 1, 0, &json!({"service_name": "front", "kind": "server", "start_time_unix_ns": THEN, "duration_ms": 100})),
            span(1, 2, 1, &json!({"service_name": "front", "kind": "client", "start_time_unix_ns": THEN + 1_000_000, "duration_ms": 90})),
            span(1, 3, 9, &child),
        ]),
        NOW,
    );
}

/// The one reason, less its sentence.
async fn reason(world: &World) -> Value {
    let answer = world.ok(TRACE).await;
    assert_eq!(answer["status"], "partial");
    let reasons = answer["partial_reasons"].as_array().expect("reasons");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    let mut reason = reasons[0].clone();
    let detail = reason
        .as_object_mut()
        .and_then(|members| members.remove("detail"));
    assert!(detail.is_some_and(|text| text.to_string().len() > 20));
    reason
}

fn expected(service: Option<&str>, reason: &str, instance: Option<&str>, at: Option<u64>) -> Value {
    json!({"service": service, "parent_span_id": "0000000000000009", "reason": reason, "instance": instance, "at": at})
}

const CALLS: &[(&str, &str, u64)] = &[
    ("front", "checkout", 50),
    ("checkout", "stock", 40),
    ("admin", "stock", 900),
    ("backoffice", "admin", 900),
];

#[tokio::test]
async fn who_owed_a_span_is_told_by_the_graph_and_by_the_call_without_an_answer() {
    let world = world(CALLS, vec![]);
    broken(&world, &json!({}));
    // admin calls stock more often, but nobody in this trace calls admin.
    assert_eq!(
        reason(&world).await,
        expected(Some("checkout"), "unknown", None, None)
    );
}

#[tokio::test]
async fn an_instance_that_was_never_heard_again_died_with_the_span() {
    let died = THEN - 5 * SECOND;
    let world = world(
        CALLS,
        vec![
            instance("checkout", "pod-lives", THEN - 900 * SECOND, NOW),
            instance("checkout", "pod-died", THEN - 900 * SECOND, died),
            instance("checkout", "pod-of-last-week", 1, THEN - 500 * SECOND),
            instance("admin", "a", 1, THEN),
        ],
    );
    broken(&world, &json!({}));
    let reason = reason(&world).await;
    assert_eq!(
        reason,
        expected(
            Some("checkout"),
            "instance_silent",
            Some("pod-died"),
            Some(died)
        )
    );
}

#[tokio::test]
async fn nobody_is_silent_where_nobody_speaks() {
    let world = World::new();
    let delta = StatsDelta {
        instances: vec![
            instance("stock", "s", THEN - 9, THEN),
            instance("front", "f", THEN - 9, THEN + SECOND),
        ],
        now_unix_ns: NOW,
        ..StatsDelta::default()
    };
    world.stats.write(delta).expect("memory takes everything");
    broken(
        &world,
        &json!({"kind": "client", "resource": {"service.instance.id": "s"}}),
    );
    assert_eq!(
        reason(&world).await,
        expected(Some("stock"), "unknown", None, None)
    );
}

#[tokio::test]
async fn a_loss_that_an_sdk_tells_of_is_laid_at_its_instance() {
    for (refused, name) in [(false, "sdk_dropped"), (true, "refused")] {
        let world = world(
            CALLS,
            vec![
                lossy(
                    "checkout",
                    "earlier",
                    THEN - 90 * SECOND,
                    THEN - 80 * SECOND,
                    false,
                ),
                lossy("checkout", "then", THEN - SECOND, THEN + SECOND, refused),
            ],
        );
        broken(&world, &json!({}));
        let from = Some(THEN - SECOND);
        assert_eq!(
            reason(&world).await,
            expected(Some("checkout"), name, Some("then"), from)
        );
    }
}

#[tokio::test]
async fn of_equally_likely_callers_the_one_that_lost_spans_is_named() {
    let calls = &[("big", "stock", 900), ("checkout", "stock", 1)];
    let world = world(
        calls,
        vec![lossy("checkout", "c", THEN, THEN + SECOND, false)],
    );
    broken(&world, &json!({}));
    let answer = world.ok(TRACE).await;
    let said = answer["partial_reasons"][0]["detail"].to_string();
    assert!(said.contains("checkout (or big)"), "{said}");
    let from = Some(THEN);
    assert_eq!(
        reason(&world).await,
        expected(Some("checkout"), "sdk_dropped", Some("c"), from)
    );
}

#[tokio::test]
async fn a_span_that_the_door_refused_says_so() {
    let world = world(CALLS, vec![instance("checkout", "pod", 1, NOW)]);
    let refused = RefusedSpan {
        trace_id: TraceId::from_hex("1").expect("an id"),
        span_id: SpanId::from_hex("9").expect("an id"),
        reason: "duration",
        at_unix_ns: NOW - 7,
    };
    world.refusals.add(refused);
    broken(&world, &json!({}));
    assert_eq!(
        reason(&world).await,
        expected(Some("checkout"), "refused", None, Some(NOW - 7))
    );
}

#[tokio::test]
async fn a_parent_within_a_process_is_owed_by_that_process() {
    let world = world(
        CALLS,
        vec![
            lossy("stock", "other", THEN, THEN + SECOND, false),
            lossy("stock", "own", THEN - 2 * SECOND, THEN + SECOND, false),
        ],
    );
    broken(
        &world,
        &json!({"kind": "internal", "resource": {"service.instance.id": "own"}}),
    );
    let from = Some(THEN - 2 * SECOND);
    assert_eq!(
        reason(&world).await,
        expected(Some("stock"), "sdk_dropped", Some("own"), from)
    );
}

#[tokio::test]
async fn a_young_trace_is_still_arriving() {
    let world = world(
        CALLS,
        vec![instance("checkout", "pod", 1, NOW - 99 * SECOND)],
    );
    broken(&world, &json!({"start_time_unix_ns": NOW - 2 * SECOND}));
    assert_eq!(
        reason(&world).await,
        expected(Some("checkout"), "arriving", None, None)
    );
}

#[tokio::test]
async fn a_caller_that_sends_nothing_ever_is_not_instrumented() {
    let world = world(&[("front", "checkout", 50)], vec![]);
    broken(&world, &json!({}));
    assert_eq!(
        reason(&world).await,
        expected(None, "uninstrumented", None, None)
    );
}

#[tokio::test]
async fn a_span_recorded_without_being_sampled_has_a_caller_that_was_not() {
    for more in [
        json!({"flags": 0x300}),
        json!({"trace_state": "a=b,ot=rv:1;th:c"}),
    ] {
        let world = world(CALLS, vec![instance("checkout", "pod", 1, NOW)]);
        broken(&world, &more);
        let got = reason(&world).await;
        assert_eq!(
            got,
            expected(Some("checkout"), "sampled_upstream", None, None),
            "{more}"
        );
    }
}

#[tokio::test]
async fn of_very_many_missing_parents_the_first_hundred_are_explained() {
    let world = world(CALLS, vec![]);
    let spans: Vec<Value> = (1..=150)
        .map(|id| span(1, id, id + 1_000, &json!({})))
        .collect();
    world.push(&json!(spans), NOW);
    let answer = world.ok(TRACE).await;
    let reasons = answer["partial_reasons"].as_array().expect("reasons");
    assert_eq!(reasons.len(), 101);
    assert!(
        reasons[100]["detail"]
            .to_string()
            .contains("50 further parents")
    );
}
