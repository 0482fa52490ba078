//! Real files nobody here wrote, loaded by the command line and counted from the API's answers, must
//! give what an independent reader counted (`../shared/data/EXPECT.json`).

#[path = "../../../wire/tests/expect/mod.rs"]
mod counting;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tracewell_model::{BatchBuilder, SpanBatch};
use tracewell_wire::{Report, otlp};

use crate::server::{Server, run, shared_data};

/// All traces the server has, through the search's pages.
fn all_traces(server: &Server) -> Vec<Value> {
    let mut traces = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get_json(&format!("/api/traces?limit=100{cursor}"));
        assert_eq!(page["complete"], true, "{}", page["incomplete_reasons"]);
        traces.extend(page["traces"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return traces,
        }
    }
}

/// The trace's spans, out of its lossless OTLP form.
fn spans_of(server: &Server, id: &str) -> SpanBatch {
    let document = server.get(&format!("/api/traces/{id}?format=otlp"));
    let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
    otlp::json::decode(&document.body, &mut builder, &mut report).unwrap();
    assert_eq!(report.refusals(), "");
    builder.finish_one()
}

fn check(data: &Path, file: &str, expected: &counting::Figures) -> Vec<String> {
    let server = Server::start();
    let path = data.join(file);
    let load = run(&[
        "load",
        path.to_str().unwrap(),
        "--to",
        &server.url("ingest", ""),
    ]);
    if !load.status.success() {
        return vec![format!("{file}: {}", String::from_utf8_lossy(&load.stderr))];
    }
    server.quiet_status();
    let hits = all_traces(&server);
    let ids: BTreeSet<&str> = hits
        .iter()
        .map(|hit| hit["trace_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), hits.len(), "{file}: a trace twice in a search");
    let batches: Vec<SpanBatch> = ids.iter().map(|id| spans_of(&server, id)).collect();
    let mut figures = counting::figures(batches.iter().flat_map(SpanBatch::spans).collect());
    // The API shows equal spans once: what EXPECT counts of them cannot be seen there.
    let mut expected = expected.clone();
    if let Some(repeats) = expected.remove("exact_duplicates") {
        *expected.get_mut("duplicate_span_ids").unwrap() -= repeats;
    }
    figures.remove("exact_duplicates");
    // Where ids repeat, which of them is "the" parent depends on the order of the file, which the
    // API has no part in: wire's own test of the same figures reads the file itself.
    if figures["duplicate_span_ids"] > 0 {
        for name in ["child_starts_before_parent", "child_ends_after_parent"] {
            expected.remove(name);
            figures.remove(name);
        }
    }
    let mut differences = counting::differences(file, &expected, &figures);
    differences.extend(native_differences(&server, file, &hits, &expected));
    differences
}

/// The same of the native answers: their own counts, and the names.
fn native_differences(
    server: &Server,
    file: &str,
    hits: &[Value],
    expected: &counting::Figures,
) -> Vec<String> {
    let mut found = counting::Figures::new();
    let mut add = |name: &str, count: u64| *found.entry(name.to_owned()).or_default() += count;
    for hit in hits {
        let trace = server.get_json(&format!(
            "/api/traces/{}",
            hit["trace_id"].as_str().unwrap()
        ));
        let spans = trace["spans"].as_array().unwrap();
        assert_eq!(trace["span_count"], spans.len(), "{file}");
        assert_eq!(
            hit["span_count"], trace["span_count"],
            "{file}: the hit and the trace differ"
        );
        assert_eq!(
            hit["status"], trace["status"],
            "{file}: the hit and the trace differ"
        );
        let orphans = trace["orphans"].as_array().unwrap().len() as u64;
        let roots = spans
            .iter()
            .filter(|span| span["parent_span_id"].is_null())
            .count() as u64;
        add("spans", spans.len() as u64);
        add("traces", 1);
        add("error_spans", trace["error_count"].as_u64().unwrap());
        add("orphans", orphans);
        add("roots", roots);
    }
    let services = server.get_json("/api/services")["services"].clone();
    let services = services.as_array().unwrap();
    add("services", services.len() as u64);
    for service in services {
        let path = format!(
            "/api/services/{}/operations",
            encode(service.as_str().unwrap())
        );
        let operations = server.get_json(&path)["operations"]
            .as_array()
            .unwrap()
            .len();
        add("operations", operations as u64);
    }
    let expected = expected
        .iter()
        .filter(|(name, _)| found.contains_key(*name));
    let expected = expected
        .map(|(name, count)| (name.clone(), *count))
        .collect();
    counting::differences(&format!("{file} (native)"), &expected, &found)
}

/// Percent-encodes a path segment.
fn encode(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    segment
        .bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[test]
fn real_files_count_as_an_independent_reader_counted_them() {
    let Some(data) = shared_data() else { return };
    let expected = counting::expected(&data);
    assert!(
        expected.len() > 40,
        "EXPECT.json names {} files",
        expected.len()
    );
    let differences: Vec<String> = expected
        .iter()
        .flat_map(|(file, figures)| check(&data, file, figures))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_file_that_is_no_spans_is_refused_with_a_sentence_and_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes.json");
    std::fs::write(&file, "{\"hello\": 1}").unwrap();
    let server = Server::start();
    let load = run(&[
        "load",
        file.to_str().unwrap(),
        "--to",
        &server.url("ingest", ""),
    ]);
    assert_eq!(load.status.code(), Some(1));
    let words = String::from_utf8_lossy(&load.stdout);
    assert!(
        words.contains("not usable") && words.contains("OTLP JSON"),
        "{words}"
    );
}

#[test]
fn loaded_traces_can_be_moved_to_now() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("old.json");
    let span = crate::server::span(5, 1, None, "old");
    std::fs::write(&file, serde_json::json!([span]).to_string()).unwrap();
    let server = Server::start();
    let to = server.url("ingest", "");
    let load = run(&[
        "load",
        file.to_str().unwrap(),
        "--to",
        &to,
        "--shift-to",
        "2026-01-01T00:00:00Z",
    ]);
    assert!(
        load.status.success(),
        "{}",
        String::from_utf8_lossy(&load.stderr)
    );
    let span = server.trace("5")["spans"][0].clone();
    let end = span["start_time_unix_ns"].as_u64().unwrap() + span["duration_ns"].as_u64().unwrap();
    assert_eq!(end, 1_767_225_600_000_000_000);
}
