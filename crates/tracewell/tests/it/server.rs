//! A server of the binary under test: on free ports, in a directory of its own, stopped when dropped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    match std::env::var_os("TRACEWELL_BIN") {
        Some(path) => path.into(),
        None => env!("CARGO_BIN_EXE_tracewell").into(),
    }
}

/// Runs a command of the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("the binary runs")
}

/// The binary, without this process's TRACEWELL_ variables.
pub(crate) fn command() -> Command {
    command_of(binary())
}

/// A binary, without this process's TRACEWELL_ variables.
pub(crate) fn command_of(binary: PathBuf) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRACEWELL_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// Real data nobody here wrote; absent on machines without it.
#[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
pub(crate) fn shared_data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no ../shared/data");
    None
}

/// How often to do it: this often, or as often as `cargo xtask torture` asks.
pub(crate) fn rounds(variable: &str, usually: u64) -> u64 {
    let asked = std::env::var(variable);
    asked.map_or(usually, |number| number.parse().expect("a number"))
}

/// Waits a little between two looks.
#[allow(clippy::disallowed_methods)] // a test that polls another process has nothing to wait on
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Looks until there is something, for at most three minutes: other tests may have the machine.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(3, what, look)
}

/// The same, for what engines take their time for.
pub(crate) fn eventually_within<T>(
    minutes: usize,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    for _ in 0..minutes * 1_200 {
        if let Some(found) = look() {
            return found;
        }
        pause(Duration::from_millis(50));
    }
    panic!("not within {minutes} minutes: {what}");
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) dir: Arc<TempDir>,
    addresses: BTreeMap<String, String>,
}

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

impl Server {
    /// A server in a fresh directory.
    pub(crate) fn start() -> Server {
        Server::start_in(Arc::new(tempfile::tempdir().unwrap()), &[])
    }

    /// A server in this directory, with more flags.
    pub(crate) fn start_in(dir: Arc<TempDir>, flags: &[&str]) -> Server {
        Server::start_with(command(), dir, flags)
    }

    /// A server of this binary.
    pub(crate) fn start_with(mut command: Command, dir: Arc<TempDir>, flags: &[&str]) -> Server {
        let any = "127.0.0.1:0";
        let listen = [
            "--listen-ingest",
            any,
            "--listen-otlp-grpc",
            any,
            "--listen-query",
            any,
        ];
        let addresses_file = dir.path().join("addresses.json");
        // The file of the run before would be taken for this one's.
        drop(std::fs::remove_file(&addresses_file));
        let mut child = command
            .arg("start")
            .arg("--data")
            .arg(dir.path())
            .args(listen)
            .args(["--log-level", "warn"])
            .args(flags)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let addresses = eventually("addresses.json", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status} before it was ready");
            }
            serde_json::from_slice(&std::fs::read(&addresses_file).ok()?).ok()
        });
        Server {
            child,
            dir,
            addresses,
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `http://host:port/path` of a listener: ingest, query or admin.
    pub(crate) fn url(&self, listener: &str, path: &str) -> String {
        format!("http://{}{path}", self.addresses[listener])
    }

    /// `host:port` of a listener.
    pub(crate) fn address(&self, listener: &str) -> &str {
        &self.addresses[listener]
    }

    /// GET from the query listener.
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(&self.url("query", path))
    }

    /// GET that must succeed, as JSON.
    pub(crate) fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// POST to the ingest listener.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        try_post(&self.url("ingest", path), headers, body).expect("the server answers")
    }

    /// POST of JSON spans that must be accepted.
    pub(crate) fn send_spans(&self, spans: &[Value]) {
        let answer = self.post("/v1/spans", &[JSON], json!(spans).to_string().as_bytes());
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (202, ""),
            "{}",
            answer.text()
        );
        assert_eq!(answer.headers.get("tracewell-refused"), None);
    }

    /// The same on a log that may be slow: what is turned away for now is sent again, as OTLP prescribes.
    pub(crate) fn send_patiently(&self, spans: &[Value]) {
        let body = json!(spans).to_string();
        let answer = eventually("spans are taken", || {
            let answer = self.post("/v1/spans", &[JSON], body.as_bytes());
            (!matches!(answer.status, 429 | 503)).then_some(answer)
        });
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    /// The trace, once it is there (D8: within a second of its acknowledgement).
    pub(crate) fn trace(&self, id: &str) -> Value {
        eventually(id, || {
            let answer = self.get(&format!("/api/traces/{id}"));
            (answer.status == 200).then(|| answer.json())
        })
    }

    /// `/api/status` once nothing is in flight.
    pub(crate) fn quiet_status(&self) -> Value {
        eventually("a quiet account", || {
            let status = self.get_json("/api/status");
            (status["account"]["log"]["in_flight"] == 0).then_some(status)
        })
    }

    /// kill -9, as the kernel's OOM killer would.
    pub(crate) fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.dir.clone()
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let kill = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(kill.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .new_agent()
}

/// GET from any URL.
pub(crate) fn get(url: &str) -> Answer {
    answer(
        agent()
            .get(url)
            .call()
            .unwrap_or_else(|e| panic!("{url}: {e}")),
    )
}

/// POST to any URL; an error when there is no answer.
pub(crate) fn try_post(
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, ureq::Error> {
    let mut request = agent().post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send(body).map(answer)
}

fn answer(mut response: http::Response<ureq::Body>) -> Answer {
    let headers = response.headers().iter().map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let headers = headers.collect();
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_vec()
        .unwrap();
    Answer {
        status,
        headers,
        body,
    }
}

/// A span of `/v1/spans`.
pub(crate) fn span(trace: u128, id: u64, parent: Option<u64>, service: &str) -> Value {
    json!({
        "trace_id": format!("{trace:032x}"),
        "span_id": format!("{id:016x}"),
        "parent_span_id": parent.map(|id| format!("{id:016x}")),
        "service_name": service,
        "operation_name": format!("{service} works"),
        "start_time_unix_ns": 1_700_000_000_000_000_000u64 + id * 1_000,
        "duration_ms": 1.5,
        "status": "ok",
        "tags": {"n": id}
    })
}
