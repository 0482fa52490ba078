//! Files that were damaged or removed behind the server's back (F-09, F-10): it starts, is ready,
//! says what is gone, and the account says so too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, span};

const SPANS: u64 = 3;

fn send(server: &Server, trace: u128) {
    let spans: Vec<Value> = (1..=SPANS)
        .map(|id| span(trace, id, (id > 1).then_some(1), "shop"))
        .collect();
    server.send_spans(&spans);
}

/// The one file with this extension in a folder of the data directory.
fn only_file(dir: &TempDir, folder: &str, extension: &str) -> PathBuf {
    let files = std::fs::read_dir(dir.path().join(folder))
        .unwrap()
        .flatten();
    let mut found: Vec<PathBuf> = files.map(|file| file.path()).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == extension));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// What the status page says is so: everything balances, and this many spans are gone.
fn check_gone(server: &Server, stored: u64, gone: u64, problem: &str) {
    let status = server.quiet_status();
    let log = &status["account"]["log"];
    assert_eq!(
        (&log["accepted"], &log["stored"], &log["dead_lettered"]),
        (&json!(stored + gone), &json!(stored), &json!(gone)),
        "{status}"
    );
    assert_eq!(status["account"]["balances"], true, "{status}");
    let problems = status["problems"].to_string();
    assert!(problems.contains(problem), "{problems}");
}

#[test]
fn a_damaged_record_of_the_log_is_counted_and_does_not_keep_the_server_from_being_ready() {
    let server = Server::start();
    (1..=3).for_each(|trace| send(&server, trace));
    let dir: Arc<TempDir> = server.kill();
    let log = only_file(&dir, "log", "log");
    let length = std::fs::metadata(&log).unwrap().len() as usize;
    // Once in the middle, found while replaying; then in the last record, found while opening.
    flip(&log, length / 2);
    let server = Server::start_in(dir, &[]);
    check_gone(
        &server,
        2 * SPANS,
        SPANS,
        "is damaged: 1 records of 3 spans are lost",
    );
    assert_eq!(server.get("/api/traces/2").status, 404);
    assert_eq!(server.get_json("/api/traces/3")["span_count"], SPANS);
    let dir = server.kill();
    flip(&log, length - 5);
    let server = Server::start_in(dir, &[]);
    check_gone(
        &server,
        SPANS,
        2 * SPANS,
        "is damaged: 1 records of 3 spans are lost",
    );
}

#[test]
fn a_segment_whose_data_file_is_gone_is_not_counted_as_stored() {
    let server = Server::start();
    send(&server, 1);
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start_in(dir, &[]);
    send(&server, 2);
    server.trace("2");
    let dir = server.kill();
    std::fs::remove_file(only_file(&dir, "segments", "seg")).unwrap();
    let server = Server::start_in(dir, &[]);
    check_gone(&server, SPANS, SPANS, "3 spans, cannot be read");
}

#[test]
fn a_damaged_block_is_named_once_it_was_met() {
    let server = Server::start();
    send(&server, 1);
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    flip(&only_file(&dir, "segments", "seg"), 60);
    let server = Server::start_in(dir, &[]);
    let answer = server.get("/api/traces/1").text();
    assert!(answer.contains("not complete"), "{answer}");
    let problems = server.get_json("/api/status")["problems"].to_string();
    assert!(problems.contains("damaged parts of segments"), "{problems}");
}
