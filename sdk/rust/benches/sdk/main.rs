//! `cargo bench -p tracewell-sdk`: what the SDK costs the thread that uses it. Prints the tables of the
//! README and writes the same as JSON. Wall-clock figures of a shared machine are noisy: medians are
//! robust against neighbours, far percentiles and maxima are not.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a bench reads clocks and prints
#![allow(clippy::unwrap_used, missing_docs)]

mod allocations;
mod collectors;
mod enqueue;
mod latency;
mod others;
mod overload;
mod requests;
mod span_cost;

use std::fmt::Write;

/// One line of a table: what was measured, and its figures.
struct Row {
    group: &'static str,
    what: String,
    figures: Vec<(&'static str, f64)>,
}

fn main() {
    let mut rows = Vec::new();
    for measure in [
        span_cost::rows,
        enqueue::rows,
        overload::rows,
        requests::rows,
    ] {
        let measured = measure();
        print!("{}", table(&measured));
        rows.extend(measured);
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-bench.json");
    std::fs::write(&path, json(&rows)).unwrap();
    println!("\nwritten to {}", path.display());
}

/// As the README has it.
fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let names: Vec<&str> = row.figures.iter().map(|(name, _)| *name).collect();
            let rule = "|---".repeat(names.len() + 1);
            let _to_a_string = write!(out, "\n| {group} | {} |\n{rule}|\n", names.join(" | "));
        }
        let figures: Vec<String> = row
            .figures
            .iter()
            .map(|(_, figure)| format!("{figure}"))
            .collect();
        let _to_a_string = writeln!(out, "| {} | {} |", row.what, figures.join(" | "));
    }
    out
}

fn json(rows: &[Row]) -> String {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            let figures: serde_json::Map<String, serde_json::Value> = row
                .figures
                .iter()
                .map(|(name, figure)| ((*name).to_owned(), (*figure).into()))
                .collect();
            serde_json::json!({"group": row.group, "what": row.what, "figures": figures})
        })
        .collect();
    serde_json::to_string_pretty(&rows).unwrap()
}
