//! `cargo bench -p tracewell-sdk`: what the SDK costs the thread that uses it. Prints the tables of the
//! README and writes the same as JSON. Wall-clock figures of a shared machine are noisy: medians are
//! robust against neighbours, far percentiles and maxima are not.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a bench reads clocks and prints
#![allow(clippy::unwrap_used, missing_docs)]

mod allocations;
mod collectors;
mod enqueue;
mod exported;
mod latency;
mod others;
mod overload;
mod requests;
mod span_cost;
mod table;

use serde_json::Value as Json;

use table::Row;

fn main() {
    if exported::as_child() {
        return;
    }
    let mut rows = Vec::new();
    for measure in [
        span_cost::rows,
        exported::rows,
        enqueue::rows,
        overload::rows,
        requests::rows,
    ] {
        let measured: Vec<Json> = measure().iter().map(Row::to_json).collect();
        for table in table::tables(&measured) {
            println!("\n{table}");
        }
        rows.extend(measured);
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-bench.json");
    std::fs::write(&path, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    println!("\nwritten to {}", path.display());
}
