//! What the server's layer adds to a request of axum: the same application with and without it, asked
//! in process (a network's noise is larger than what is looked for), alone and while other threads
//! keep every processor busy with the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracewell_sdk::layer::ServerLayer;

use crate::collectors;
use crate::latency::Latencies;
use crate::table::Row;

const REQUESTS: usize = 100_000;
/// Threads that ask as well, under load.
const OTHERS: usize = 2;

pub(crate) fn rows() -> Vec<Row> {
    let bare = Router::new().route("/cart/{id}", get(|| async { "two apples" }));
    let tracer = collectors::tracer("healthy");
    let traced = bare.clone().layer(ServerLayer::new(tracer));
    let mut rows = Vec::new();
    for (others, when) in [(0, "alone"), (OTHERS, "under load")] {
        let [without, with] = [&bare, &traced].map(|app| under_load(app, others));
        let row = |what: String, figures: [f64; 3]| Row {
            group: "a request of axum, in process",
            what,
            figures: vec![
                ("p50, ns", figures[0]),
                ("p99, ns", figures[1]),
                ("p99.9, ns", figures[2]),
            ],
        };
        rows.push(row(format!("without the layer, {when}"), without));
        rows.push(row(format!("with the layer, {when}"), with));
        let added = std::array::from_fn(|at| with[at] - without[at]);
        rows.push(row(format!("the layer, {when}"), added));
    }
    tracer.shutdown(std::time::Duration::from_secs(1));
    rows
}

fn under_load(app: &Router, others: usize) -> [f64; 3] {
    let stop = Arc::new(AtomicBool::new(false));
    let load = (0..others).map(|_| {
        let (app, stop) = (app.clone(), stop.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                ask(&app, 1_000);
            }
        })
    });
    let load: Vec<_> = load.collect();
    ask(app, REQUESTS / 10);
    let mut latencies = ask(app, REQUESTS);
    stop.store(true, Ordering::Relaxed);
    load.into_iter().for_each(|thread| thread.join().unwrap());
    [0.5, 0.99, 0.999].map(|share| latencies.percentile(share))
}

fn ask(app: &Router, requests: usize) -> Latencies {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut latencies = Latencies::new();
    for _ in 0..requests {
        let request = Request::get("/cart/7")
            .header("host", "shop.example")
            .header(
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            )
            .body(Body::empty())
            .unwrap();
        let app = app.clone();
        latencies.time(|| {
            runtime.block_on(async {
                let answer = app.oneshot(request).await.unwrap();
                answer.into_body().collect().await.unwrap();
            });
        });
    }
    latencies
}
