//! `tracewell bench`, end to end: the binary measures itself.

use std::process::Output;

use serde_json::{Value, json};

use crate::server::command;

/// Servers that seal, and are settled, a second after the last span.
fn run(arguments: &[&str]) -> Output {
    let mut command = command();
    command.env("TRACEWELL_SEAL_AFTER_S", "1").args(arguments);
    command.output().expect("the binary runs")
}

fn line(arguments: &[&str]) -> Value {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

#[test]
fn ingest_says_what_it_cost_and_loses_nothing() {
    let run = line(&[
        "bench", "ingest", "--spans", "20k", "--json", "--label", "test",
    ]);
    assert_eq!(
        (&run["bench"], &run["label"]),
        (&"ingest".into(), &"test".into())
    );
    assert!(run["spans"].as_u64().unwrap() >= 20_000, "{run}");
    assert_eq!(run["refused_spans"], 0);
    assert_eq!(run["server"]["settled"], true);
    for figure in [
        "/server/cpu_s_per_m",
        "/server/peak_rss_mb",
        "/disk/bytes_per_span",
        "/disk/written_per_span",
        "/spans_per_s",
    ] {
        assert!(
            run.pointer(figure).and_then(Value::as_f64).unwrap() > 0.0,
            "{figure} in {run}"
        );
    }
    assert!(!run["machine"]["kernel"].as_str().unwrap().is_empty());
}

#[test]
fn questions_are_answered_as_the_traffic_says() {
    let run = line(&[
        "bench",
        "query",
        "--spans",
        "20k",
        "--pool",
        "10k",
        "--queries",
        "3",
        "--loads",
        "cold,0",
        "--verify",
        "50",
        "--json",
    ]);
    assert_eq!(run["verified_traces"], 50);
    let rows = run["rows"].as_array().unwrap();
    assert!(rows.len() >= 30, "{run}");
    for row in rows {
        assert!(row["asked"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(
            (&row["wrong"], &row["incomplete"]),
            (&0.into(), &0.into()),
            "{row}"
        );
    }
}

#[test]
fn recovery_finds_all_that_was_acknowledged() {
    let run = line(&[
        "bench", "recovery", "--spans", "20k", "--kills", "1", "--verify", "100", "--json",
    ]);
    assert!(run["acknowledged"].as_u64().unwrap() >= 20_000, "{run}");
    assert_eq!(
        (&run["lost"], &run["verified_lost"]),
        (&0.into(), &0.into()),
        "{run}"
    );
    assert_eq!(run["verified_traces"], 100);
}

#[test]
fn growth_has_a_line_a_step() {
    let output = run(&[
        "bench",
        "growth",
        "--steps",
        "10k,20k",
        "--queries",
        "5",
        "--json",
    ]);
    let lines: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let spans: Vec<u64> = lines
        .iter()
        .map(|line| line["spans"].as_u64().unwrap())
        .collect();
    assert_eq!(
        spans.len(),
        2,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        spans[0] < spans[1] && lines.iter().all(|line| line["wrong"] == 0),
        "{lines:?}"
    );
}

#[cfg(feature = "cluster")]
#[test]
fn roles_apart_have_their_costs_and_answer_as_the_traffic_says() {
    use crate::stack::{Stack, of_this_build};
    if Stack::of_the_stack_bare().is_none() {
        return;
    }
    // The engines are where STACK_… says.
    let options = "--spans 20k --huge 2k --writers 1,2 --queries 3 --verify 20 --json";
    let output = of_this_build()
        .args(["bench", "cluster"])
        .args(options.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let run: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    let roles = run["roles"].as_array().unwrap();
    let names: Vec<_> = roles.iter().map(|role| &role["role"]).collect();
    assert_eq!(
        names,
        ["collector", "storage-writer", "indexer", "aggregator"]
    );
    for role in roles {
        assert!(role["cpu_s_per_m"].as_f64().unwrap() > 0.0, "{role}");
    }
    assert_eq!(run["verified_traces"], 20);
    for row in run["rows"].as_array().unwrap() {
        assert!(row["asked"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(
            (&row["wrong"], &row["incomplete"]),
            (&0.into(), &0.into()),
            "{row}"
        );
    }
    let alone = run["alone"].as_array().unwrap().iter();
    let alone: Vec<Value> = alone
        .map(|row| json!([row["role"], row["processes"]]))
        .collect();
    let expected = [
        ("collector", 1),
        ("storage-writer", 1),
        ("indexer", 1),
        ("aggregator", 1),
        ("storage-writer", 2),
    ];
    assert_eq!(alone, expected.map(|alone| json!(alone)), "{run}");
    assert!(run["bytes"]["opensearch"].as_f64().unwrap() > 0.0, "{run}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let output = run(&[
        "bench",
        "ingest",
        "--spans",
        "1k",
        "--url",
        "http://127.0.0.1:9",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("connect to 127.0.0.1:9"));
}
