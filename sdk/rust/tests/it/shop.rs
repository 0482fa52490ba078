//! The example shop against the real server: its whole tree arrives, under the right parents.

use std::process::Command;

use serde_json::Value as Json;

use crate::server::{Server, until};

/// Service, operation, and its parent's operation.
const TREE: [(&str, &str, &str); 14] = [
    ("customer", "visit", ""),
    ("customer", "POST", "visit"),
    ("frontend", "POST /orders", "POST"),
    ("frontend", "GET", "POST /orders"),
    ("frontend", "GET", "POST /orders"),
    ("catalog", "GET /products/{id}", "GET"),
    ("catalog", "GET /products/{id}", "GET"),
    ("frontend", "shop.Stock/Reserve", "POST /orders"),
    ("stock", "shop.Stock/Reserve", "shop.Stock/Reserve"),
    ("stock", "SELECT … FOR UPDATE", "shop.Stock/Reserve"),
    ("frontend", "orders publish", "POST /orders"),
    ("mail", "orders process", "orders publish"),
    ("mail", "render text", "orders process"),
    ("mail", "render invoice", "orders process"),
];

#[test]
fn the_shops_whole_tree_arrives() {
    let Some(server) = Server::start("shop") else {
        return;
    };
    let tests = std::env::current_exe().unwrap();
    let example = tests.ancestors().nth(2).unwrap().join("examples/shop");
    let endpoint = format!("http://{}", server.at("ingest"));
    let ran = Command::new(example)
        .env("TRACEWELL_SDK_ENDPOINT", endpoint)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let trace_id = String::from_utf8(ran.stdout).unwrap();
    let path = format!("/api/traces/{}", trace_id.trim());
    let trace = until(|| {
        let trace = server.get(&path)?;
        (trace["span_count"] == TREE.len()).then_some(trace)
    });
    let spans = trace["spans"].as_array().unwrap();
    let text = |span: &Json, key: &str| span[key].as_str().unwrap_or_default().to_owned();
    let service = |span: &Json| text(&span["resource"], "service.name");
    let mut found: Vec<(String, String, String)> = spans
        .iter()
        .map(|span| {
            let parent = spans
                .iter()
                .find(|other| other["span_id"] == span["parent_span_id"]);
            let parent = parent.map(|parent| text(parent, "operation_name"));
            assert_eq!(span["status"], "ok", "{span}");
            (
                service(span),
                text(span, "operation_name"),
                parent.unwrap_or_default(),
            )
        })
        .collect();
    found.sort();
    let mut tree: Vec<_> = TREE
        .iter()
        .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
        .collect();
    tree.sort();
    assert_eq!(found, tree);
    // Each call has an answering side of its own, though names repeat.
    let answered = spans.iter().filter(|span| span["kind"] == "server");
    let mut parents: Vec<String> = answered.map(|span| text(span, "parent_span_id")).collect();
    parents.sort_unstable();
    parents.dedup();
    assert_eq!(parents.len(), 4);
    let stock = spans
        .iter()
        .find(|span| service(span) == "stock" && span["kind"] == "server");
    assert_eq!(
        stock.unwrap()["tags"]["rpc.grpc.status_code"],
        0,
        "from the trailers"
    );
}
