//! The demo: within thirty seconds of its start there are traces, a map and an error to look at.
//! (The test waits for them without asserting a time; CI's timeout bounds it.)

use std::process::Stdio;

use crate::server::{command, eventually, get};

#[test]
fn the_demo_shows_traces_a_map_and_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0";
    let mut demo = command()
        .args([
            "demo",
            "--listen-ingest",
            any,
            "--listen-otlp-grpc",
            any,
            "--listen-query",
            any,
        ])
        .args([
            "--history",
            "5",
            "--rate",
            "10",
            "--log-level",
            "warn",
            "--data",
        ])
        .arg(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let addresses = eventually("addresses.json", || {
        let text = std::fs::read(dir.path().join("addresses.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&text).ok()
    });
    let query = format!("http://{}", addresses["query"].as_str().unwrap());
    let json = |path: &str| get(&format!("{query}{path}")).json();
    eventually("twelve services", || {
        (json("/api/services")["services"].as_array()?.len() == 12).then_some(())
    });
    eventually("an error", || {
        json("/api/traces?error=true")["traces"]
            .as_array()?
            .first()
            .map(|_| ())
    });
    eventually("a partial trace", || {
        json("/api/traces?status=partial")["traces"]
            .as_array()?
            .first()
            .map(|_| ())
    });
    let edges = eventually("the map", || {
        let graph = json("/api/graph?window=15m");
        let edges = graph["edges"].as_array()?.clone();
        (edges.len() >= 12).then_some(edges)
    });
    assert!(
        edges
            .iter()
            .any(|edge| edge["parent"] == "checkout" && edge["child"] == "payment")
    );
    let services = json("/api/services?window=15m");
    let payment = services["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["service"] == "payment")
        .unwrap();
    assert!(payment["p99_ms"].as_f64().unwrap() > 50.0, "{payment}");
    let kill = std::process::Command::new("kill")
        .arg(demo.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}
