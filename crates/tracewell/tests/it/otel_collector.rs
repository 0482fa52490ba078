//! A real OpenTelemetry Collector (dev/collector) on our topic, with the settings that
//! deploy/otel-collector shows to users, and an SDK's spans: what it writes there reaches our
//! consumers once, and what we write there reaches it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tracewell_storage::memory::MemoryStore;

use crate::cluster::{Cluster, spans_of, work, worker};
use crate::server::{Server, eventually};

/// How many traces the SDK makes of three spans each.
const TRACES: usize = 20;

/// What the tests need beyond Kafka.
struct Otel {
    collector: String,
    python: String,
}

/// A cluster, and OpenTelemetry's programs; None where either is missing.
fn ground() -> Option<(Cluster, Otel)> {
    let cluster = Cluster::new()?;
    let (Ok(collector), Ok(python)) = (
        std::env::var("OTEL_COLLECTOR"),
        std::env::var("OTEL_PYTHON"),
    ) else {
        let line = b"skipped: no OpenTelemetry Collector (cargo xtask test builds it with Go)\n";
        std::io::stdout().write_all(line).unwrap();
        return None;
    };
    Some((cluster, Otel { collector, python }))
}

impl Otel {
    /// A Collector with one of the files in deploy/otel-collector and these in its environment.
    fn collector(&self, cluster: &Cluster, file: &str, environment: &[(&str, &str)]) -> Collector {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/otel-collector");
        let child = Command::new(&self.collector)
            .arg("--config")
            .arg(folder.join(file))
            .env("KAFKA_BROKERS", &cluster.options.brokers)
            .env("KAFKA_TOPIC", &cluster.options.topic)
            .env("KAFKA_GROUP", &cluster.options.topic)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Collector(child)
    }

    /// The SDK makes traces and sends each span to all of these; answers the traces' ids.
    fn send(&self, urls: &[&str]) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks/python");
        let sent = Command::new(&self.python)
            .arg(folder.join("send.py"))
            .arg(TRACES.to_string())
            .args(urls)
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&sent.stderr);
        assert!(sent.status.success() && words.is_empty(), "{words}");
        let ids = String::from_utf8(sent.stdout).unwrap();
        let ids: Vec<String> = ids.lines().map(str::to_owned).collect();
        assert_eq!(ids.len(), TRACES);
        ids
    }
}

/// One that runs.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn what_an_opentelemetry_collector_writes_into_the_topic_is_stored_once() {
    let Some((cluster, otel)) = ground() else {
        return;
    };
    let (_ours, direct) = (cluster.collector(), Server::start());
    let address = free_address();
    let theirs = otel.collector(&cluster, "to-kafka.yaml", &[("OTLP_HTTP", &address)]);
    eventually("the OpenTelemetry Collector listens", || {
        TcpStream::connect(&address).ok()
    });
    let traces = otel.send(&[
        &format!("http://{address}/v1/traces"),
        &direct.url("ingest", "/v1/traces"),
    ]);
    let (log, store) = (cluster.log(), MemoryStore::new());
    let mut worker = worker(&log, &store);
    let spans = 3 * TRACES as u64;
    work(&mut worker, spans);
    for _ in 0..20 {
        worker.step(Duration::from_millis(50));
    }
    assert_eq!(worker.status().snapshot().applied_spans, spans);
    for id in &traces {
        let answer = direct.trace(id);
        let expected = answer["spans"].as_array().unwrap().iter();
        let expected: Vec<&str> = expected
            .map(|span| span["span_id"].as_str().unwrap())
            .collect();
        let stored = spans_of(&store, u128::from_str_radix(id, 16).unwrap());
        let stored: Vec<_> = stored.iter().map(|id| id.to_string()).collect();
        assert_eq!(expected, stored, "{id}");
    }
    drop(theirs);
}

#[test]
fn an_opentelemetry_collector_reads_every_span_from_the_topic() {
    let Some((cluster, otel)) = ground() else {
        return;
    };
    // Where the spans go at once, and where they go by way of the topic.
    let (ours, direct, after) = (cluster.collector(), Server::start(), Server::start());
    let theirs = otel.collector(
        &cluster,
        "from-kafka.yaml",
        &[("OTLP_TO", &after.url("ingest", ""))],
    );
    let traces = otel.send(&[
        &ours.url("ingest", "/v1/traces"),
        &direct.url("ingest", "/v1/traces"),
    ]);
    for id in &traces {
        let expected = direct.trace(id);
        let came = eventually("all its spans came through", || {
            let came = after.trace(id);
            (came["span_count"] == expected["span_count"]).then_some(came)
        });
        assert_eq!(came["spans"], expected["spans"], "{id}");
    }
    let account = &after.quiet_status()["account"]["log"];
    assert_eq!(account["accepted"], 3 * TRACES, "{account}");
    drop(theirs);
}

/// Nobody listens there now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
