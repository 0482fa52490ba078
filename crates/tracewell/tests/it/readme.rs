//! Every command in the README and the documents is run, against a server of this test's own: shell
//! blocks (```sh) as they stand, with the default ports replaced by the server's.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::server::{Server, binary};

/// The shell blocks of a document.
fn shell_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.trim_end()) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

fn documents() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|extension| extension == "md") => {
                    documents.push(path)
                }
                _ => {}
            }
        }
    }
    documents
}

/// Commands that this test does not run itself, and which one does.
fn tested_elsewhere(block: &str) -> bool {
    [
        ("cargo run --release -- demo", "demo.rs runs the demo"),
        ("cargo xtask test", "it runs this test"),
        (
            "tracewell start",
            "every test of this binary starts a server",
        ),
    ]
    .iter()
    .any(|(command, _why)| block.trim() == *command || block.starts_with("tracewell start"))
}

#[test]
fn every_command_of_the_documents_works() {
    let server = Server::start_in(Arc::new(tempfile::tempdir().unwrap()), &[]);
    let bin = binary();
    let tools = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(
        std::path::absolute(bin).unwrap(),
        tools.path().join("tracewell"),
    )
    .unwrap();
    let path = format!(
        "{}:{}",
        tools.path().display(),
        std::env::var("PATH").unwrap()
    );
    let mut run = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for block in shell_blocks(&text)
            .into_iter()
            .filter(|block| !tested_elsewhere(block))
        {
            let script = block
                .replace("127.0.0.1:4318", server.address("ingest"))
                .replace("127.0.0.1:4317", server.address("otlp_grpc"))
                .replace("127.0.0.1:4320", server.address("query"));
            let output = Command::new("sh")
                .args(["-eu", "-c", &script])
                .env("PATH", &path)
                .env("TRACEWELL_URL", server.url("query", ""))
                .env("TRACEWELL_INGEST_URL", server.url("ingest", ""))
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{}: {block}\n{words}",
                document.display()
            );
            assert!(
                !words.contains("\"error\":{"),
                "{}: {block}\n{words}",
                document.display()
            );
            run += 1;
        }
    }
    assert!(run >= 3, "only {run} blocks were run");
    // What the README sent is there, as it says.
    let trace = server.trace("4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(trace["spans"][0]["tags"]["user_id"], "u-17");
}

#[test]
fn the_documents_list_every_setting() {
    // docs/configuration.md is generated from the table of settings: `tracewell check-config` shows it.
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(page).unwrap();
    let output = crate::server::run(&["check-config"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.len() > 20, "{shown}");
    for pair in lines.chunks(2) {
        let meaning = pair[0].trim_start_matches("# ");
        let (key, rest) = pair[1].split_once(" = ").unwrap();
        let default = rest.split("  #").next().unwrap().trim_matches('"');
        let name = key.to_uppercase();
        let row = format!("| `{key}` | `TRACEWELL_{name}` | `{default}` | {meaning} |");
        assert!(text.contains(&row), "docs/configuration.md lacks {row}");
    }
}
