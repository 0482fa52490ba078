//! Services, operations, graph, names of tags: from the index and the stats store only.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Request;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tracewell_query::{Metrics, Querier, QueryConfig, Readers};
use tracewell_storage::StatsWriter as _;
use tracewell_storage::stats::{Figures, STEP_NS, SeriesKey, StatsDelta, Unjoined};

use crate::world::{NOW, Report, World, ask, span};

/// Figures of three services a minute ago; `cart` has entry spans, `cron` has none.
pub(crate) fn feed(world: &World) {
    let mut figures = Figures::default();
    for at in 0..100 {
        figures.record(1_000_000 * (at + 1), at < 2);
    }
    let operation = |service: &str, operation: &str, entry| SeriesKey::Operation {
        service: service.to_owned(),
        operation: operation.to_owned(),
        entry,
    };
    let edge = SeriesKey::Edge {
        parent: "front".to_owned(),
        child: "cart".to_owned(),
    };
    let step = NOW / STEP_NS - 6;
    let keys = [
        operation("cart", "GET /cart", true),
        operation("cron", "tick", false),
        edge,
    ];
    let delta = StatsDelta {
        figures: keys
            .into_iter()
            .map(|key| ((step, key), figures.clone()))
            .collect(),
        unjoined: Unjoined {
            no_parent_in_window: 3,
            over_cap: 0,
        },
        now_unix_ns: NOW,
        ..StatsDelta::default()
    };
    world.stats.write(delta).expect("memory takes everything");
}

fn world() -> World {
    let world = World::of(&json!([
        span(
            1,
            1,
            0,
            &json!({"service_name": "front", "operation_name": "/"})
        ),
        span(
            1,
            2,
            1,
            &json!({"tags": {"http.method": "GET", "http.status": 500}})
        ),
        span(
            1,
            3,
            1,
            &json!({"service_name": "cron", "operation_name": "tick",
                              "tags": {"http.method": "POST"}})
        ),
    ]));
    feed(&world);
    world
}

#[tokio::test]
async fn the_overview_reads_the_stats_once_and_no_trace() {
    let world = world();
    // Operations have their figures of an hour, a day and a week before beside them.
    for (uri, reads) in [("/api/services", 1), ("/api/services/cart/operations", 4)] {
        let before = world.stats_reads.load(Ordering::SeqCst);
        world.ok(uri).await;
        assert_eq!(
            world.stats_reads.load(Ordering::SeqCst),
            before + reads,
            "{uri}"
        );
    }
    for uri in [
        "/api/graph",
        "/api/tags",
        "/api/tags/k/values",
        "/api/status",
    ] {
        world.ok(uri).await;
    }
    assert_eq!(world.trace_reads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn services_come_from_the_index_and_figures_from_the_stats() {
    let world = world();
    let answer = world.ok("/api/services?window=10m").await;
    assert_eq!(answer["services"], json!(["cart", "cron", "front"]));
    assert_eq!(
        (&answer["window_s"], &answer["capped"]),
        (&json!(600), &json!(false))
    );
    let [cart, cron, front] = [0, 1, 2].map(|at| &answer["metrics"][at]);
    assert_eq!(cart["service"], "cart");
    assert_eq!(cart["request_count"], 100);
    assert_eq!(cart["error_count"], 2);
    assert_eq!(cart["error_rate"], 0.02);
    assert_eq!(cart["basis"], "entry_spans");
    let p50 = cart["p50_ms"].as_f64().expect("a number");
    assert!((48.0..=53.0).contains(&p50), "{p50}");
    assert_eq!(cron["basis"], "all_spans");
    for (name, expected) in [
        ("service", json!("front")),
        ("request_count", json!(0)),
        ("rate_per_s", Value::Null),
        ("error_rate", Value::Null),
        ("p99_ms", Value::Null),
    ] {
        assert_eq!(front[name], expected, "{name}");
    }
    for service in [cart, cron, front] {
        let series = service["series"].as_array().expect("a series");
        assert_eq!(series.len(), 30);
        let total: u64 = series
            .iter()
            .filter_map(|step| step["count"].as_u64())
            .sum();
        assert_eq!(Some(total), service["request_count"].as_u64());
    }
}

/// Other figures an hour, a day and a week before the present ones.
#[tokio::test]
async fn operations_and_edges_have_what_was_beside_them() {
    let world = world();
    for (back_s, count) in [(3_600, 30), (86_400, 60), (604_800, 90)] {
        let mut figures = Figures::default();
        (0..count).for_each(|at| figures.record(2_000_000, at < 3));
        let step = (NOW / 1_000_000_000 - back_s - 60) * 1_000_000_000 / STEP_NS;
        let keys = [
            SeriesKey::Operation {
                service: "cart".to_owned(),
                operation: "GET /cart".to_owned(),
                entry: true,
            },
            SeriesKey::Edge {
                parent: "front".to_owned(),
                child: "cart".to_owned(),
            },
        ];
        let delta = StatsDelta {
            figures: keys.map(|key| ((step, key), figures.clone())).into(),
            now_unix_ns: NOW,
            ..StatsDelta::default()
        };
        world.stats.write(delta).expect("memory takes everything");
    }
    let operations = world.ok("/api/services/cart/operations?window=10m").await;
    let graph = world.ok("/api/graph?window=10m").await;
    for now in [&operations["metrics"][0], &graph["edges"][0]] {
        assert_eq!(now["error_rate"], 0.02, "{now}");
        for (past, count) in [("hour", 30.0), ("day", 60.0), ("week", 90.0)] {
            let was = &now["was"][past];
            assert_eq!(was["error_rate"], 3.0 / count, "{past}: {was}");
            assert_eq!(was["rate_per_s"], count / 600.0, "{past}: {was}");
            let p95 = was["p95_ms"].as_f64().expect("a number");
            assert!((1.9..2.1).contains(&p95), "{past}: {was}");
        }
    }
}

#[tokio::test]
async fn operations_of_a_service() {
    let world = world();
    let answer = world.ok("/api/services/cart/operations").await;
    assert_eq!(answer["operations"], json!(["GET /cart"]));
    assert_eq!(answer["metrics"][0]["request_count"], 100);
    let answer = world.ok("/api/services/nobody%2Fhome/operations").await;
    assert_eq!(answer["service"], "nobody/home");
    assert_eq!(
        (&answer["operations"], &answer["metrics"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn the_graph_has_nodes_and_edges() {
    let world = world();
    let answer = world.ok("/api/graph").await;
    let names: Vec<_> = answer["nodes"].as_array().into_iter().flatten().collect();
    let names: Vec<_> = names.iter().map(|node| node["service"].as_str()).collect();
    assert_eq!(names, [Some("cart"), Some("cron"), Some("front")]);
    let edge = &answer["edges"][0];
    assert_eq!(
        (&edge["parent"], &edge["child"]),
        (&json!("front"), &json!("cart"))
    );
    assert_eq!(
        (&edge["call_count"], &edge["error_count"]),
        (&json!(100), &json!(2))
    );
    assert_eq!(
        answer["unjoined"],
        json!({"no_parent_in_window": 3, "over_cap": 0})
    );
}

#[tokio::test]
async fn tags_are_completed() {
    let world = world();
    for (uri, list, expected) in [
        (
            "/api/tags?prefix=http.",
            "keys",
            json!(["http.method", "http.status"]),
        ),
        (
            "/api/tags?prefix=http.&limit=1",
            "keys",
            json!(["http.method"]),
        ),
        ("/api/tags?prefix=zzz", "keys", json!([])),
        (
            "/api/tags/http.method/values",
            "values",
            json!(["GET", "POST"]),
        ),
        (
            "/api/tags/http.method/values?prefix=P",
            "values",
            json!(["POST"]),
        ),
        ("/api/tags/http.status/values", "values", json!(["500"])),
        ("/api/tags/a%2Fb%00/values", "values", json!([])),
    ] {
        assert_eq!(world.ok(uri).await[list], expected, "{uri}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_endpoint_and_status() {
    let world = World::new();
    let readers = Readers {
        traces: Arc::new(world.store.clone()),
        finder: Arc::new(world.store.clone()),
        scanner: Arc::new(world.store.clone()),
        exporter: Arc::new(world.store.clone()),
        stats: Arc::new(world.stats.clone()),
        refusals: Default::default(),
        sampling: None,
    };
    let querier = Querier::new(readers, world.clock.clone(), QueryConfig::default());
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let router = tracewell_query::routes(Arc::new(querier), Arc::new(Report), metrics);
    for uri in ["/api/traces/1", "/api/traces/2", "/api/tags", "/api/xyz"] {
        ask(&router, Request::get(uri)).await;
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    for line in [
        r#"tracewell_query_requests_total{endpoint="/api/traces/{trace_id}",status="404"} 2"#,
        r#"tracewell_query_requests_total{endpoint="/api/tags",status="200"} 1"#,
        r#"tracewell_query_requests_total{endpoint="unknown",status="404"} 1"#,
        r#"tracewell_query_duration_seconds_count{endpoint="/api/tags"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}
