//! The demo: within thirty seconds of its start there are traces, a map and an error to look at.
//! (The test waits for them without asserting a time; CI's timeout bounds it.)

use std::process::{Child, Stdio};

use crate::server::{command, eventually, get};

/// A demo on ports of its own.
struct Demo {
    process: Child,
    query: String,
    _data: tempfile::TempDir,
}

impl Demo {
    fn start(options: &[&str]) -> Demo {
        let data = tempfile::tempdir().unwrap();
        let mut command = command();
        command.arg("demo").args(options);
        for listener in ["--listen-ingest", "--listen-otlp-grpc", "--listen-query"] {
            command.args([listener, "127.0.0.1:0"]);
        }
        command
            .args(["--log-level", "warn", "--data"])
            .arg(data.path());
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        let addresses = eventually("addresses.json", || {
            let text = std::fs::read(data.path().join("addresses.json")).ok()?;
            serde_json::from_slice::<serde_json::Value>(&text).ok()
        });
        let query = format!("http://{}", addresses["query"].as_str().unwrap());
        Demo {
            process,
            query,
            _data: data,
        }
    }

    fn json(&self, path: &str) -> serde_json::Value {
        get(&format!("{}{path}", self.query)).json()
    }

    /// A reason that a partial trace gives for a span of this service.
    fn reason(&self, service: &str, reason: &str) -> serde_json::Value {
        eventually(reason, || {
            let found = self.json("/api/traces?status=partial&limit=200");
            let ids = found["traces"].as_array()?.iter();
            let ids = ids.filter_map(|row| row["trace_id"].as_str());
            let mut reasons = ids.flat_map(|id| {
                let trace = self.json(&format!("/api/traces/{id}"));
                trace["partial_reasons"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            });
            reasons.find(|found| found["service"] == service && found["reason"] == reason)
        })
    }

    /// Ends it as a user does, and it ends well.
    fn stop(mut self) {
        let mut kill = std::process::Command::new("kill");
        assert!(
            kill.arg(self.process.id().to_string())
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process.kill();
        let _its_status_is_of_no_interest = self.process.wait();
    }
}

#[test]
fn the_demo_shows_traces_a_map_and_an_error() {
    let demo = Demo::start(&["--history", "5", "--rate", "10"]);
    let json = |path: &str| demo.json(path);
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
    // Services send each in their own time, so edges come one by one.
    eventually("the map", || {
        let graph = json("/api/graph?window=15m");
        let edges = graph["edges"].as_array()?.clone();
        let mut edges = edges.iter().filter(|_| edges.len() >= 12);
        edges
            .any(|edge| edge["parent"] == "checkout" && edge["child"] == "payment")
            .then_some(())
    });
    let services = json("/api/services?window=15m");
    let payment = services["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["service"] == "payment")
        .unwrap();
    assert!(payment["p99_ms"].as_f64().unwrap() > 50.0, "{payment}");
    demo.stop();
}

#[test]
fn a_service_whose_ring_overflows_says_so() {
    let demo = Demo::start(&["--history", "1", "--rate", "50", "--overflow", "cart"]);
    let dropped = eventually("a count of dropped spans", || {
        let found = demo.json("/api/traces?service=cart&limit=20");
        let traces = found["traces"].as_array()?.clone();
        let trace_of = |row: &serde_json::Value| {
            demo.json(&format!(
                "/api/traces/{}",
                row["trace_id"].as_str().unwrap()
            ))
        };
        let spans = traces
            .iter()
            .map(trace_of)
            .flat_map(|trace| trace["spans"].as_array().cloned().unwrap_or_default());
        let mut told = spans.filter_map(|span| {
            let of = span["resource"]["service.name"].as_str()?.to_owned();
            let count = &span["scope"]["attributes"]["tracewell.sdk.dropped.ring_full"];
            Some((of, count.as_u64()?))
        });
        told.next()
    });
    assert_eq!(dropped.0, "cart");
    assert!(dropped.1 > 0);
    let reason = demo.reason("cart", "sdk_dropped");
    assert!(
        reason["at"].is_u64() && reason["instance"].is_string(),
        "{reason}"
    );
    demo.stop();
}

#[test]
fn a_service_that_crashes_is_named_by_the_traces_it_broke() {
    let demo = Demo::start(&["--history", "3", "--rate", "20", "--crash", "checkout"]);
    let reason = demo.reason("checkout", "instance_silent");
    assert!(
        reason["at"].is_u64() && reason["instance"].is_string(),
        "{reason}"
    );
    demo.stop();
}

#[test]
fn a_service_the_shop_does_not_have_is_refused() {
    let output = crate::server::run(&["demo", "--crash", "paymen"]);
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("accepted are ads, auth, cart"), "{words}");
}
