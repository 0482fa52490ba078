//! Parquet as DuckDB sees it: counts, sums and joins against what is known of the spans, values that
//! something on the way is tempted to change, and every query of docs/export.md.
#![cfg(feature = "parquet")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tracewell_export::{Format, Summary, export};
use tracewell_model::clock::ManualClock;
use tracewell_model::{Marks, SpanKind};
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::conformance::{OwnedValue, SpanSpec};
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::{ReadContext, ScanQuery};
use tracewell_wire::rest::{Event, Link, RestWriter};

const NOW: u64 = 1_700_000_000_000_000_000;

/// A Python that has DuckDB: xtask makes it, and says where it is or leaves it where it always is.
#[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("DUCKDB_PYTHON").map(PathBuf::from);
    let usual = || {
        Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/tracewell/duckdb/bin/python"))
    };
    let python = named.or_else(usual).filter(|python| python.exists());
    if python.is_none() {
        println!("skipped: no Python with DuckDB (cargo xtask test rust installs one)");
    }
    python
}

/// Runs each query in the file's directory; answers its rows, all values as JSON or text.
fn ask(python: &Path, dir: &Path, queries: &[String]) -> Vec<Value> {
    const PROGRAM: &str = "import sys, json, duckdb
for query in json.load(sys.stdin):
    print(json.dumps(duckdb.sql(query).fetchall(), default=str))";
    let mut child = Command::new(python)
        .args(["-c", PROGRAM])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(json!(queries).to_string().as_bytes())
        .expect("python reads");
    drop(stdin);
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "python failed on {queries:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Exports these spans, and asks; each query of the pairs must answer these rows.
fn check(spans: &[SpanSpec], pairs: &[(&str, Value)]) {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let summary = write(spans, dir.path());
    assert_eq!(summary.spans, spans.len() as u64);
    let queries: Vec<String> = pairs.iter().map(|(query, _)| (*query).to_owned()).collect();
    let answers = ask(&python, dir.path(), &queries);
    for ((query, expected), answer) in pairs.iter().zip(answers) {
        assert_eq!(answer, *expected, "{query}");
    }
}

fn write(spans: &[SpanSpec], dir: &Path) -> Summary {
    let store = MemoryStore::with(spans.chunks(700).map(batch), 1);
    let context = ReadContext::new(Arc::new(ManualClock::at(NOW)), u64::MAX);
    let mut file = Vec::new();
    let all = ScanQuery::default();
    let done = export(
        &store,
        &all,
        &context,
        Format::Parquet,
        &mut file,
        &mut |_| {},
    );
    std::fs::write(dir.join("spans.parquet"), &file).expect("a file");
    let (summary, _) = done.expect("export");
    assert_eq!(Summary::find(&file).as_ref(), Some(&summary));
    summary
}

/// Traces of a shop: a root in `shop`, calls to `pay` and `mail`, of which some fail.
fn shop(traces: u64) -> Vec<SpanSpec> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut spans = Vec::new();
    for trace in 1..=traces {
        let start = NOW + trace * 1_000_000;
        let user = format!("u-{}", random.u64(..50));
        let root = SpanSpec::new(trace, 1, start).named("shop", "POST /order");
        spans.push(
            root.lasting(random.u64(..1 << 40))
                .with("user", user.as_str()),
        );
        for number in 2..=random.u64(2..9) {
            let service = *random.choice(&["shop", "pay", "mail"]).expect("one");
            let mut span = SpanSpec::new(trace, number, start + number).named(service, "work");
            span = span
                .child_of(random.u64(1..number))
                .lasting(random.u64(..5_000_000));
            span = span.with("http.method", "GET").with("n", number as i64);
            span.kind = SpanKind::Server;
            if random.u8(..10) == 0 {
                span = span.failed().with("reason", "declined");
                span.rest = exception();
                span.event_attributes = vec![("exception.type".to_owned(), "Declined".into())];
            }
            spans.push(span);
        }
    }
    spans
}

fn exception() -> Vec<u8> {
    let attribute =
        tracewell_model::Attribute::new("exception.type", tracewell_model::Value::Str("Declined"));
    let event = Event {
        time_unix_ns: NOW,
        name: "exception",
        attributes: vec![attribute],
        dropped_attributes_count: 0,
    };
    let mut rest = RestWriter::new();
    rest.event(&event);
    rest.as_bytes().to_vec()
}

#[test]
fn counts_sums_and_joins_are_those_of_the_spans() {
    let spans = shop(600);
    let of = |service: &str| {
        spans
            .iter()
            .filter(|span| span.service == service)
            .collect::<Vec<_>>()
    };
    let failed = |spans: &[&SpanSpec]| spans.iter().filter(|span| span.status as u8 == 2).count();
    let sum: u64 = spans.iter().map(|span| span.duration_ns).sum();
    let services: Vec<Value> = ["mail", "pay", "shop"]
        .map(|service| json!([service, of(service).len(), failed(&of(service))]))
        .into();
    let crossing = spans.iter().filter(|span| {
        let parent = spans
            .iter()
            .find(|p| p.trace_id == span.trace_id && Some(p.span_id) == span.parent);
        parent.is_some_and(|parent| parent.service != span.service)
    });
    let n: u64 = spans
        .iter()
        .filter(|span| span.parent.is_some())
        .map(|span| u64::from(span.span_id.0[7]))
        .sum();
    check(
        &spans,
        &[
            ("SELECT count(*), count(DISTINCT trace_id) FROM 'spans.parquet'", json!([[spans.len(), 600]])),
            ("SELECT sum(duration_ns)::UBIGINT FROM 'spans.parquet'", json!([[sum]])),
            (
                "SELECT service, count(*), count(*) FILTER (error) FROM 'spans.parquet' GROUP BY service ORDER BY service",
                json!(services),
            ),
            (
                "SELECT count(*) FROM 'spans.parquet' c JOIN 'spans.parquet' p
                 ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id WHERE c.service <> p.service",
                json!([[crossing.count()]]),
            ),
            ("SELECT count(*) FROM 'spans.parquet' WHERE parent_span_id IS NULL", json!([[600]])),
            (
                "SELECT epoch_ns(min(start)), epoch_ns(max(start)) FROM 'spans.parquet' WHERE span_id = '0000000000000001'",
                json!([[NOW + 1_000_000, NOW + 600 * 1_000_000]]),
            ),
            ("SELECT sum(attributes['n']::BIGINT)::UBIGINT FROM 'spans.parquet'", json!([[n]])),
            (
                "SELECT DISTINCT http_method FROM 'spans.parquet' WHERE kind = 'server'",
                json!([["GET"]]),
            ),
            (
                "SELECT DISTINCT exception_type, events->0->'attributes'->>'exception.type', len(marks)
                 FROM 'spans.parquet' WHERE status = 'error'",
                json!([["Declined", "Declined", 0]]),
            ),
            (
                "SELECT value::VARCHAR FROM parquet_kv_metadata('spans.parquet') WHERE key = 'tracewellExport'",
                json!([[format!(
                    "{{\"spans\":{},\"spans_missing\":0,\"complete\":true,\"incomplete_reasons\":[]}}",
                    spans.len()
                )
                .replace('"', "\\x22")]]),
            ),
        ],
    );
}

#[test]
fn awkward_values_come_through() {
    let any = |bytes: &[u8]| OwnedValue::Any(bytes.to_vec());
    let mut odd = SpanSpec::new(7, 1, 0)
        .lasting(u64::MAX)
        .named("", "\0 'é'\u{202e}🦀");
    odd = odd
        .with("", "")
        .with("é", "\0")
        .with("twice", 1)
        .with("twice", "second");
    odd = odd
        .with("none", any(&[]))
        .with("list", any(&[0x2a, 4, 0x0a, 2, 0x18, 1]));
    odd = odd
        .with("bytes", OwnedValue::Bytes(vec![0, 255]))
        .with("nan", OwnedValue::Double(f64::NAN));
    odd = odd.with("http.status_code", "404");
    odd.resource_attributes = vec![("service.version".to_owned(), 3.into())];
    odd.marks = Marks(Marks::ID_HASHED.0 | Marks::DUPLICATE_KEYS.0);
    odd.flags = u32::MAX;
    let mut rest = RestWriter::new();
    rest.trace_state("a=b");
    rest.link(&Link {
        trace_id: &[1; 16],
        span_id: &[2],
        ..Link::default()
    });
    odd.rest = rest.as_bytes().to_vec();
    let plain = SpanSpec::new(7, 2, NOW)
        .with("http.response.status_code", 500)
        .with("http.status_code", 1);
    let late = SpanSpec::new(7, 3, u64::MAX);
    let row = |columns: &str, of: u8| {
        format!("SELECT {columns} FROM 'spans.parquet' WHERE span_id = '000000000000000{of}'")
    };
    check(
        &[odd, plain, late],
        &[
            (
                &row("service, operation, duration_ns, epoch_ns(start), flags", 1),
                json!([["", "\0 'é'\u{202e}🦀", i64::MAX, 0, u32::MAX]]),
            ),
            (
                &row("map_keys(attributes), map_values(attributes)", 1),
                json!([[
                    [
                        "",
                        "é",
                        "twice",
                        "none",
                        "list",
                        "bytes",
                        "nan",
                        "http.status_code"
                    ],
                    ["", "\0", "1", null, "[1]", "00ff", "NaN", "404"]
                ]]),
            ),
            (
                &row("http_status_code, service_version, marks", 1),
                json!([[404, "3", ["id_hashed", "duplicate_keys"]]]),
            ),
            (
                &row(
                    "trace_state, links->0->>'trace_id', links->0->>'span_id', events",
                    1,
                ),
                json!([["a=b", "01".repeat(16), "02", null]]),
            ),
            (
                &row(
                    "http_status_code, service_version, trace_state, links, cardinality(resource_attributes)",
                    2,
                ),
                json!([[500, null, null, null, 0]]),
            ),
            (
                "SELECT count(*) FROM 'spans.parquet' WHERE start > TIMESTAMP '2100-01-01'",
                json!([[1]]),
            ),
        ],
    );
}

#[test]
fn an_export_of_nothing_is_a_table_too() {
    check(
        &[],
        &[(
            "SELECT count(*), sum(duration_ns) FROM 'spans.parquet'",
            json!([[0, null]]),
        )],
    );
}

#[test]
fn the_documents_questions_are_answered() {
    let Some(python) = python() else { return };
    let text = include_str!("../../../docs/export.md");
    let blocks = text.split("```sql\n").skip(1);
    let queries: Vec<String> = blocks
        .filter_map(|block| block.split("```").next())
        .map(str::to_owned)
        .collect();
    assert!(queries.len() >= 3, "only {} queries", queries.len());
    let dir = tempfile::tempdir().expect("a directory");
    write(&shop(300), dir.path());
    for (query, answer) in queries.iter().zip(ask(&python, dir.path(), &queries)) {
        let rows = answer.as_array().expect("rows").len();
        assert!((1..=20).contains(&rows), "{query} gave {rows} rows");
    }
}
