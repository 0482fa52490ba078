//! End to end: to the real server, and back out of its API. `TRACEWELL_BIN` names the binary.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use tracewell_sdk::settings::Protocol;
use tracewell_sdk::{Kind, Tracer};

use crate::PATIENCE;

pub(crate) struct Server {
    process: Child,
    folder: std::path::PathBuf,
    addresses: Json,
}

impl Server {
    #[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
    pub(crate) fn start(name: &str) -> Option<Server> {
        if std::env::var_os("TRACEWELL_BIN").is_none() {
            println!("skipped: TRACEWELL_BIN names no binary");
            return None;
        }
        let folder =
            std::env::temp_dir().join(format!("tracewell-sdk-{name}-{}", std::process::id()));
        let mut server = Server {
            process: spawn(&folder, "127.0.0.1:0"),
            folder,
            addresses: Json::Null,
        };
        server.addresses = until(|| read_json(&server.folder.join("addresses.json")));
        Some(server)
    }

    /// Killed, and started again at the same door once this is done.
    pub(crate) fn restart(mut self, meanwhile: impl FnOnce()) -> Server {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        meanwhile();
        let addresses = self.folder.join("addresses.json");
        let _it_may_have_none = std::fs::remove_file(&addresses);
        self.process = spawn(&self.folder, &self.at("ingest"));
        self.addresses = until(|| read_json(&addresses));
        self
    }

    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args([format!("-{name}"), self.process.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    pub(crate) fn at(&self, listener: &str) -> String {
        self.addresses[listener]
            .as_str()
            .unwrap_or_else(|| panic!("{}", self.addresses))
            .to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Option<Json> {
        let body = self.page(path)?;
        Some(serde_json::from_str(&body).expect("JSON"))
    }

    pub(crate) fn page(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.at("query")).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        let (head, body) = reply.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process.kill();
        let _its_status_is_of_no_interest = self.process.wait();
        let _a_temporary_folder = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(folder: &Path, ingest: &str) -> Child {
    let mut server = Command::new(std::env::var_os("TRACEWELL_BIN").unwrap());
    server.args(["start", "--data"]).arg(folder);
    server.args(["--listen-ingest", ingest]);
    server.args(["--listen-otlp-grpc", "127.0.0.1:0"]);
    server.args(["--listen-query", "127.0.0.1:0"]);
    server.stdout(Stdio::null()).stderr(Stdio::null());
    server.spawn().unwrap()
}

fn read_json(path: &Path) -> Option<Json> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Asks again until there is an answer.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("no answer came");
}

fn a_trace_arrives(name: &str, protocol: Protocol) {
    let Some(server) = Server::start(name) else {
        return;
    };
    let tracer = Tracer::builder()
        .service_name("cart")
        .endpoint(&format!("http://{}", server.at("ingest")))
        .protocol(protocol)
        .build();
    let mut root = tracer.span("GET /cart").kind(Kind::Server).start();
    root.set_attribute("http.response.status_code", 500);
    root.set_attribute("user_id", "größe");
    let current = root.enter();
    let mut child = tracer.span("SELECT items").kind(Kind::Client).start();
    child.record_error(&std::io::Error::other("the table is gone"));
    let (trace_id, parent) = (
        root.span_context().trace_id(),
        root.span_context().span_id(),
    );
    child.end();
    drop(current);
    root.end();
    assert!(tracer.shutdown(PATIENCE), "{:?}", tracer.account());
    assert_eq!(tracer.account().sent, 2);

    let trace = until(|| server.get(&format!("/api/traces/{trace_id}")));
    assert_eq!(
        (&trace["span_count"], &trace["status"]),
        (&2.into(), &"error".into())
    );
    let (root, child) = (&trace["spans"][0], &trace["spans"][1]);
    assert_eq!(root["operation_name"], "GET /cart");
    assert_eq!(root["kind"], "server");
    assert_eq!(root["tags"]["http.response.status_code"], 500);
    assert_eq!(root["tags"]["user_id"], "größe");
    assert_eq!(root["marks"], serde_json::json!([]), "{root}");
    assert_eq!(child["parent_span_id"], parent.to_string());
    assert_eq!(child["status"], "error");
    assert_eq!(
        child["events"][0]["attributes"]["exception.message"],
        "the table is gone"
    );
    assert_eq!(child["scope"]["name"], "tracewell-sdk");
    assert_eq!(child["resource"]["service.name"], "cart");
}

#[test]
fn a_trace_arrives_by_otlp() {
    a_trace_arrives("otlp", Protocol::Otlp);
}

#[test]
fn a_trace_arrives_by_v1_spans() {
    a_trace_arrives("spans", Protocol::Spans);
}
