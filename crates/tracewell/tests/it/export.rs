//! `tracewell export`: out of one server and into another, out of a directory, with damage, with
//! connections that break; and what its last line and its exit code say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{JSON, Server, command, eventually, run, span};

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Exports to a file of this directory; the last line and the exit code are as expected.
#[track_caller]
fn export(from: &[&str], dir: &Path, code: i32, last_line: &str) -> PathBuf {
    let file = dir.join("out.jsonl");
    let out = file.to_str().unwrap();
    let output = run(&[&["export", "--out", out], from].concat());
    let words = words(&output);
    assert_eq!(output.status.code(), Some(code), "{words}");
    let last = words.lines().last().unwrap_or_default();
    assert!(last.contains(last_line), "{words}");
    file
}

/// Names of what is in a directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Spans of three formats with whatever they may hold.
fn send_all_sorts(server: &Server) -> Vec<&'static str> {
    let mut odd = span(1, 1, None, "shop");
    odd["tags"] =
        json!({"": "no key", "nul": "a\u{0}b", "list": [1, null], "half": 0.5, "none": null});
    odd["events"] =
        json!([{"time_unix_ns": 0, "name": "exception", "attributes": {"exception.type": "E"}}]);
    server.send_spans(&[odd, span(1, 2, Some(1), "pay")]);
    let zipkin = r#"[{"traceId":"2","id":"1","kind":"CLIENT","timestamp":1,"duration":9,"localEndpoint":{"serviceName":"a"}},
        {"traceId":"2","id":"1","kind":"SERVER","shared":true,"timestamp":2,"duration":5,"localEndpoint":{"serviceName":"b"}}]"#;
    assert_eq!(
        server
            .post("/api/v2/spans", &[JSON], zipkin.as_bytes())
            .status,
        202
    );
    let otlp = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"c"}}]},"scopeSpans":[{"spans":[
        {"traceId":"00000000000000000000000000000003","spanId":"0000000000000001","name":"ends early","kind":9,
         "startTimeUnixNano":"7","endTimeUnixNano":"3","attributes":[{"key":"nan","value":{"doubleValue":"NaN"}},
         {"key":"nan","value":{"intValue":"-1"}}],"links":[{"traceId":"0a","spanId":""}],"status":{"code":7}}]}]}]}"#;
    assert_eq!(
        server.post("/v1/traces", &[JSON], otlp.as_bytes()).status,
        200
    );
    vec!["1", "2", "3"]
}

/// A trace as the API shows it, without what the search cost.
fn shown(server: &Server, id: &str) -> Value {
    let mut trace = server.trace(id);
    trace.as_object_mut().unwrap().remove("searched");
    trace
}

#[test]
fn what_is_exported_and_loaded_again_is_the_same() {
    let (one, two) = (Server::start(), Server::start());
    let traces = send_all_sorts(&one);
    one.quiet_status();
    let dir = tempfile::tempdir().unwrap();
    let url = one.url("query", "");
    let file = export(&["--url", &url], dir.path(), 0, "5 spans exported to");
    assert_eq!(names(dir.path()), ["out.jsonl"]);
    let file = file.to_str().unwrap();
    let loaded = run(&["load", file, "--to", &two.url("ingest", "")]);
    assert!(loaded.status.success(), "{}", words(&loaded));
    for trace in &traces {
        assert_eq!(shown(&two, trace), shown(&one, trace));
    }
    // Into the same server again, it is nothing new (D2).
    assert!(
        run(&["load", file, "--to", &one.url("ingest", "")])
            .status
            .success()
    );
    one.quiet_status();
    for trace in &traces {
        assert_eq!(shown(&one, trace), shown(&two, trace));
    }
}

#[test]
fn a_part_is_chosen_and_a_wrong_word_is_named() {
    let server = Server::start();
    send_all_sorts(&server);
    server.quiet_status();
    let dir = tempfile::tempdir().unwrap();
    let url = server.url("query", "");
    let from = |more: &[&'static str]| [&["--url", url.as_str()], more].concat();
    export(
        &from(&["--service", "pay"]),
        dir.path(),
        0,
        "1 spans exported",
    );
    export(
        &from(&["--end", "1970-01-02T00:00:00Z"]),
        dir.path(),
        0,
        "3 spans exported",
    );
    export(
        &from(&["--start", "now-1h"]),
        dir.path(),
        0,
        "0 spans exported",
    );
    std::fs::remove_file(dir.path().join("out.jsonl")).unwrap();
    export(
        &from(&["--start", "yesterday"]),
        dir.path(),
        1,
        "start is \"yesterday\"",
    );
    assert!(names(dir.path()).is_empty());
    let wrong = run(&["export", "--format", "xml"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        words(&wrong).contains("otlp-json, parquet"),
        "{}",
        words(&wrong)
    );
}

#[test]
fn a_stopped_servers_directory_has_what_its_log_has_too() {
    let server = Server::start();
    send_all_sorts(&server);
    let dir: Arc<TempDir> = server.dir.clone();
    let data = dir.path().to_str().unwrap();
    let out = tempfile::tempdir().unwrap();
    export(
        &["--data", data],
        out.path(),
        1,
        "is used by another tracewell process",
    );
    assert!(names(out.path()).is_empty());
    // Nothing is in a segment yet; all of it is in the log.
    drop(server.kill());
    let killed =
        std::fs::read(export(&["--data", data], out.path(), 0, "5 spans exported")).unwrap();
    let server = Server::start_in(dir.clone(), &[]);
    assert_eq!(server.terminate().code(), Some(0));
    let stopped =
        std::fs::read(export(&["--data", data], out.path(), 0, "5 spans exported")).unwrap();
    let ids = |file: &[u8]| {
        let text = String::from_utf8_lossy(file).into_owned();
        let mut ids: Vec<String> = text
            .split("\"spanId\":")
            .skip(1)
            .map(|rest| rest.chars().take(18).collect())
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&killed), ids(&stopped));
    export(
        &["--data", data, "--service", "b"],
        out.path(),
        0,
        "1 spans exported",
    );
    export(
        &["--data", "no-such-place"],
        out.path(),
        1,
        "no data directory",
    );
    assert!(!Path::new("no-such-place").exists());
}

#[test]
fn damage_is_named_counted_and_told_by_the_exit_code() {
    let server = Server::start();
    send_all_sorts(&server);
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    let segments = dir.path().join("segments");
    let segment = names(&segments)
        .into_iter()
        .find(|name| name.ends_with(".seg"))
        .unwrap();
    let segment = segments.join(segment);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let out = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let missing = "5 spans are MISSING";
    let file = export(&["--data", data], out.path(), 3, missing);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(r#""spans_missing":5,"complete":false"#),
        "{text}"
    );
    let server = Server::start_in(dir.clone(), &[]);
    export(&["--url", &server.url("query", "")], out.path(), 3, missing);
}

/// A server that answers one request with these bytes and hangs up.
fn answer_once(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        let _head = stream.read(&mut request).unwrap();
        stream.write_all(answer).unwrap();
    });
    url
}

#[test]
fn a_part_of_a_file_never_has_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.jsonl");
    std::fs::write(&file, "from before").unwrap();
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n";
    let broken_off = answer_once(HEAD);
    export(
        &["--url", &broken_off],
        dir.path(),
        1,
        "broke the export off",
    );
    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{\"a\":";
    let without_end = answer_once(WHOLE);
    export(
        &["--url", &without_end],
        dir.path(),
        1,
        "the server's answer has no end",
    );
    assert_eq!(names(dir.path()), ["out.jsonl"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "from before");
    let nowhere = run(&["export", "--out", "/no/such/folder/x"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(
        words(&nowhere).contains("cannot write /no/such/folder/x"),
        "{}",
        words(&nowhere)
    );
}

#[test]
fn standard_output_may_be_closed_and_a_device_is_written_itself() {
    let server = Server::start();
    send_many(&server);
    let url = server.url("query", "");
    let binary = crate::server::binary();
    let script = format!("{} export --url {url} | head -c 100", binary.display());
    let head = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!((head.stdout.len(), words(&head).as_str()), (100, ""));
    let null = command()
        .args(["export", "--url", &url, "--out", "/dev/null"])
        .output()
        .unwrap();
    assert!(null.status.success(), "{}", words(&null));
    assert!(!Path::new("/dev/null").is_file());
}

/// More than all buffers between a server and its client hold.
fn send_many(server: &Server) {
    for request in 0..6 {
        let spans = (1..=40).map(|number| {
            let mut span = span(100 + request, number, None, "big");
            span["tags"] = json!({"long": "x".repeat(100_000)});
            span
        });
        server.send_spans(&spans.collect::<Vec<_>>());
    }
    server.quiet_status();
}

#[test]
fn connections_that_read_nothing_hold_their_turn_until_they_are_closed() {
    let server = Server::start();
    send_many(&server);
    let open = || {
        let mut stream = TcpStream::connect(server.address("query")).unwrap();
        stream
            .write_all(b"GET /api/export HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        let mut head = [0; 15];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        stream
    };
    let silent = [open(), open()];
    let refused = server.get("/api/export");
    assert_eq!(refused.status, 503);
    assert!(
        refused.text().contains("too many exports"),
        "{}",
        refused.text()
    );
    // The rest of the house goes on.
    assert_eq!(server.get("/api/services").status, 200);
    drop(silent);
    let answer = eventually("a turn for the next", || {
        let answer = server.get("/api/export");
        (answer.status == 200).then_some(answer)
    });
    assert!(answer.text().ends_with("\"incomplete_reasons\":[]}}\n"));
}
