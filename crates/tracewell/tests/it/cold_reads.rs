//! After a restart with a cold cache, reads touch little: counted in blocks and bytes, not timed.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Server, span};

/// A hundred thousand spans of twenty services, with ids of users and requests as real ones have
/// them, sealed into a segment by a clean stop.
fn twenty_services() -> Server {
    let server = Server::start();
    let mut rng = fastrand::Rng::with_seed(20);
    for part in 0..20u64 {
        let mut spans: Vec<Value> = Vec::new();
        for i in 0..1_000u64 {
            let trace = u128::from(part * 1_000 + i + 1);
            let start =
                1_700_000_000_000_000_000 + part * 60_000_000_000 + rng.u64(..60_000_000_000);
            let first = rng.u64(..20);
            for n in 1..=5u64 {
                let service = format!("service-{}", (first + n) % 20);
                let mut span = span(trace, n, (n > 1).then_some(1), &service);
                span["start_time_unix_ns"] = json!(start + n * 1_000_000);
                span["duration_ms"] = json!(rng.u64(1..500_000) as f64 / 1e3);
                span["tags"] = json!({
                    "request_id": format!("{:016x}", rng.u64(..)),
                    "user_id": format!("u-{}", rng.u32(..5_000)),
                    "http.route": format!("/r/{n}"),
                });
                spans.push(span);
            }
        }
        server.send_spans(&spans);
    }
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    Server::start_in(dir, &[])
}

fn index_bytes(server: &Server) -> u64 {
    let mut sum = 0;
    let mut folders = vec![server.dir.path().join("segments")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "idx") {
                sum += entry.metadata().unwrap().len();
            }
        }
    }
    sum
}

#[test]
fn a_trace_by_id_touches_at_most_two_blocks() {
    let server = twenty_services();
    let trace = server.get_json(&format!("/api/traces/{:x}", 777));
    assert_eq!(trace["span_count"], 5);
    let blocks = trace["searched"]["blocks_read"].as_u64().unwrap();
    assert!((1..=2).contains(&blocks), "{}", trace["searched"]);
}

#[test]
fn a_search_of_one_service_reads_under_a_tenth_of_the_index() {
    let server = Arc::new(twenty_services());
    let found = server.get_json("/api/traces?service=service-7&limit=20");
    assert_eq!(found["traces"].as_array().unwrap().len(), 20);
    let read = found["searched"]["bytes_read"].as_u64().unwrap();
    let index = index_bytes(&server);
    assert!(
        read > 0 && read < index / 10,
        "read {read} of {index}: {}",
        found["searched"]
    );
}
