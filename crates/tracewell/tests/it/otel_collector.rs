//! A real OpenTelemetry Collector (dev/collector) on our topic, with the settings that
//! deploy/otel-collector shows to users, and an SDK's spans: what it writes there reaches our
//! store once, and what we write there reaches it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::server::{Server, eventually, get};
use crate::stack::Stack;

/// How many traces the SDK makes of three spans each.
const TRACES: usize = 20;

/// What the tests need beyond the engines.
struct Otel {
    collector: String,
    python: String,
}

/// Engines, and OpenTelemetry's programs; None where either is missing.
fn ground() -> Option<(Stack, Otel)> {
    let stack = Stack::new()?;
    let (Ok(collector), Ok(python)) = (
        std::env::var("OTEL_COLLECTOR"),
        std::env::var("OTEL_PYTHON"),
    ) else {
        let line = b"skipped: no OpenTelemetry Collector (cargo xtask test builds it with Go)\n";
        std::io::stdout().write_all(line).unwrap();
        return None;
    };
    Some((stack, Otel { collector, python }))
}

impl Otel {
    /// A Collector with one of the files in deploy/otel-collector and these in its environment.
    fn collector(&self, stack: &Stack, file: &str, environment: &[(&str, &str)]) -> Collector {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/otel-collector");
        let child = Command::new(&self.collector)
            .arg("--config")
            .arg(folder.join(file))
            .env("KAFKA_BROKERS", &stack.kafka)
            .env("KAFKA_TOPIC", &stack.topic)
            .env("KAFKA_GROUP", &stack.topic)
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
    let Some((stack, otel)) = ground() else {
        return;
    };
    let (_ours, writer) = (stack.start("collector"), stack.start("storage-writer"));
    let (query, direct) = (stack.start("query"), Server::start());
    let address = free_address();
    let theirs = otel.collector(&stack, "to-kafka.yaml", &[("OTLP_HTTP", &address)]);
    eventually("the OpenTelemetry Collector listens", || {
        TcpStream::connect(&address).ok()
    });
    let traces = otel.send(&[
        &format!("http://{address}/v1/traces"),
        &direct.url("ingest", "/v1/traces"),
    ]);
    compare(&traces, &direct, &query);
    let applied = format!(
        "tracewell_worker_applied_spans_total{{group=\"storage\"}} {}",
        3 * TRACES
    );
    eventually("each span was applied once", || {
        let page = get(&writer.url("admin", "/metrics")).text();
        page.lines().any(|line| line == applied).then_some(())
    });
    drop(theirs);
}

#[test]
fn an_opentelemetry_collector_reads_every_span_from_the_topic() {
    let Some((stack, otel)) = ground() else {
        return;
    };
    // Where the spans go at once, and where they go by way of the topic.
    let (ours, direct, after) = (stack.start("collector"), Server::start(), Server::start());
    let theirs = otel.collector(
        &stack,
        "from-kafka.yaml",
        &[("OTLP_TO", &after.url("ingest", ""))],
    );
    let traces = otel.send(&[
        &ours.url("ingest", "/v1/traces"),
        &direct.url("ingest", "/v1/traces"),
    ]);
    compare(&traces, &direct, &after);
    let account = &after.quiet_status()["account"]["log"];
    assert_eq!(account["accepted"], 3 * TRACES, "{account}");
    drop(theirs);
}

/// Both answer the same of each trace, once all of it is there.
fn compare(traces: &[String], one: &Server, other: &Server) {
    for id in traces {
        let wanted = one.trace(id);
        let found = eventually("all its spans came through", || {
            let found = other.trace(id);
            (found["span_count"] == wanted["span_count"]).then_some(found)
        });
        assert_eq!(found["spans"], wanted["spans"], "{id}");
    }
}

/// Nobody listens there now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
