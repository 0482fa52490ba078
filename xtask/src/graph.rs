//! The allowed edges between crates (STYLE.md): dependencies point down, siblings never see each
//! other, only the binary knows all. Licences and sources of everything else are checked here too.

use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// Crate -> what of ours it may depend on (development dependencies included).
const EDGES: &[(&str, &[&str])] = &[
    ("tracewell-model", &[]),
    ("tracewell-wire", &["model"]),
    ("tracewell-storage", &["model"]),
    ("tracewell-storage-embedded", &["model", "storage"]),
    ("tracewell-storage-kafka", &["model", "wire", "storage"]),
    // Workers only for the test of several aggregators against one.
    ("tracewell-storage-redis", &["model", "storage", "workers"]),
    ("tracewell-storage-cassandra", &["model", "storage"]),
    ("tracewell-storage-opensearch", &["model", "storage"]),
    ("tracewell-collector", &["model", "wire", "storage"]),
    ("tracewell-workers", &["model", "wire", "storage"]),
    ("tracewell-export", &["model", "wire", "storage"]),
    // Wire only for tests on files of other tools.
    ("tracewell-analysis", &["model", "wire", "storage"]),
    (
        "tracewell-query",
        &["model", "wire", "storage", "export", "analysis"],
    ),
    // Storage only for the instruction counts of its stages; the command looks from outside.
    (
        "tracewell-bench",
        &["model", "wire", "storage", "storage-embedded", "workers"],
    ),
    (
        "tracewell",
        &[
            "bench",
            "model",
            "wire",
            "storage",
            "storage-embedded",
            "storage-cassandra",
            "storage-kafka",
            "storage-opensearch",
            "storage-redis",
            "collector",
            "workers",
            "export",
            "query",
            // What the demo's services send with.
            "sdk",
        ],
    ),
    ("tracewell-sdk", &[]),
    (
        "tracewell-sim",
        &["model", "storage", "storage-embedded", "workers"],
    ),
    ("xtask", &[]),
];

/// Licences whose terms we meet by shipping their texts; anything else is for a person to decide.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "BSL-1.0",
    "CC0-1.0",
    "0BSD",
    "Unlicense",
    "CDLA-Permissive-2.0",
    "MIT-0",
    "Apache-2.0 WITH LLVM-exception",
];

/// Crates that were weighed and rejected (DEPENDENCIES.md): a second TLS provider, second copies.
const BANNED: &[&str] = &[
    "ring",
    "openssl",
    "native-tls",
    "ahash",
    "dashmap",
    "chrono",
    "serde_yaml",
];

/// Banned crates that one dependency brings along, for itself: `parquet` and the cluster's `scylla`,
/// behind features.
const TOLERATED: &[(&str, &str)] = &[
    ("ahash", "parquet"),
    ("chrono", "parquet"),
    ("dashmap", "scylla"),
    ("chrono", "scylla"),
    ("chrono", "scylla-cql"),
    ("chrono", "scylla-cql-core"),
];

/// All complaints about the graph of crates.
pub(crate) fn complaints() -> anyhow::Result<Vec<String>> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--locked",
        ])
        .current_dir(crate::tools::root())
        .output()
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let mut complaints = Vec::new();
    banned(&metadata, &mut complaints);
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        if package["source"].is_null() {
            edges(name, package, &mut complaints);
        } else {
            foreign(name, package, &mut complaints);
        }
    }
    Ok(complaints)
}

fn edges(name: &str, package: &Value, complaints: &mut Vec<String>) {
    let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
        return complaints.push(format!("crate {name} has no row in xtask/src/graph.rs"));
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        if dependency["name"] == name {
            continue; // its own feature, for its own tests
        }
        let ours = dependency["name"]
            .as_str()
            .and_then(|name| name.strip_prefix("tracewell-"));
        if let Some(ours) = ours.filter(|ours| !allowed.contains(ours)) {
            complaints.push(format!(
                "{name} must not depend on {ours} (STYLE.md, dependency direction)"
            ));
        }
    }
}

/// Who uses a banned crate. Edges are those of the resolved graph: an optional dependency that
/// nobody switches on is not there.
fn banned(metadata: &Value, complaints: &mut Vec<String>) {
    let name = |id: &Value| {
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let mut named = packages.filter(|package| package["id"] == *id);
        named.next().and_then(|package| package["name"].as_str())
    };
    for node in metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
    {
        for used in node["dependencies"].as_array().into_iter().flatten() {
            let (Some(user), Some(used)) = (name(&node["id"]), name(used)) else {
                continue;
            };
            if BANNED.contains(&used) && !TOLERATED.contains(&(used, user)) {
                complaints.push(format!(
                    "crate {used}, which {user} uses, is banned (xtask/src/graph.rs says why)"
                ));
            }
        }
    }
}

fn foreign(name: &str, package: &Value, complaints: &mut Vec<String>) {
    let source = package["source"].as_str().unwrap_or_default();
    if !source.starts_with("registry+") {
        complaints.push(format!(
            "crate {name} comes from {source}, not from the registry"
        ));
    }
    let licence = package["license"].as_str().unwrap_or_default();
    // `A OR B` needs one accepted; `A AND B` all. Parentheses do not occur mixed in practice.
    let plain = licence.replace(['(', ')'], "").replace('/', " OR ");
    let accepted = plain.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    });
    if !accepted {
        complaints.push(format!(
            "crate {name} has the licence {licence:?}, which nobody accepted yet"
        ));
    }
}
