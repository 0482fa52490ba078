//! The figures in the documents are those of a run, which stands beside them; so are its numbers of crates.

use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

#[path = "../../benches/sdk/table.rs"]
#[allow(dead_code)] // the bench makes rows, here they are read
mod table;

const RUN: &str = "../../docs/performance/sdk.json";

#[test]
fn the_documents_tell_the_figures_of_the_run_that_is_kept() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let rows: Vec<Json> = serde_json::from_str(&read(RUN)).unwrap();
    let tables = table::tables(&rows);
    assert_eq!(tables.len(), 6);
    for document in ["README.md", "../../docs/performance.md"] {
        let text = read(document);
        for table in &tables {
            assert!(
                text.contains(table),
                "{document} has another table than\n{table}"
            );
        }
    }
}

#[test]
fn two_crates_are_linked_where_no_feature_asks_for_more() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--package", "tracewell-sdk", "--edges", "normal"]);
    tree.args([
        "--prefix",
        "none",
        "--format",
        "{lib}",
        "--locked",
        "--offline",
    ]);
    let output = tree
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let crates: Vec<&str> = said.lines().collect();
    assert_eq!(crates, ["tracewell_sdk", "fastrand"], "{output:?}");
}
