//! What compilers do not check: crate edges, banned names and hosts, files too long or dead, a `//!`
//! on every file, links in the documents. Growth is reported; it blocks only past a hard fence.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{graph, tools};

/// A file beyond this many lines has more than one idea (STYLE.md: most land near 100–200).
const LINES_MAX: usize = 600;
/// Tables of test cases may be longer.
const TABLE_LINES_MAX: usize = 800;
/// Folder names that say nothing (STYLE.md rule 5).
const BANNED_FOLDERS: &[&str] = &[
    "utils", "util", "types", "helpers", "helper", "common", "misc",
];
/// Type name endings that say nothing (STYLE.md, names).
const BANNED_ENDINGS: &[&str] = &["Manager", "Helper", "Util", "Utils"];

/// Runs all checks; fails with every complaint at once.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = tools::root();
    let mut complaints = graph::complaints()?;
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "docs", "sdk", "fuzz"] {
        list(&root.join(folder), &mut files)?;
    }
    files.extend(
        [
            "README.md",
            "ARCHITECTURE.md",
            "STYLE.md",
            "CONTRIBUTING.md",
        ]
        .map(|f| root.join(f)),
    );
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .unwrap_or(file)
            .display()
            .to_string();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => rust_file(&name, &read(file)?, &mut complaints),
            Some("md") => links(file, &name, &read(file)?, &mut complaints),
            _ => {}
        }
    }
    dead_files(&root, &files, &mut complaints)?;
    for complaint in &complaints {
        println!("tidy: {complaint}");
    }
    match complaints.len() {
        0 => {
            println!("tidy: {} files are in order", files.len());
            Ok(())
        }
        count => bail!("tidy has {count} complaints"),
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && !["target", "node_modules"].contains(&name) {
            list(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn rust_file(name: &str, text: &str, complaints: &mut Vec<String>) {
    let lines = text.lines().count();
    let most = if name.contains("/tests/") {
        TABLE_LINES_MAX
    } else {
        LINES_MAX
    };
    if lines > most {
        complaints.push(format!(
            "{name} has {lines} lines: more than one idea? ({most} at most)"
        ));
    }
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    if !first.starts_with("//!") {
        complaints.push(format!("{name} does not begin with //! saying what it is"));
    }
    for folder in name.split('/').filter(|part| BANNED_FOLDERS.contains(part)) {
        complaints.push(format!(
            "{name}: a folder named {folder} says nothing; group by pipeline stage"
        ));
    }
    for (number, line) in text.lines().enumerate() {
        let declared = line
            .trim_start()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ");
        let type_name = ["struct ", "enum ", "trait "]
            .iter()
            .find_map(|word| declared.strip_prefix(word));
        let type_name: String = type_name
            .unwrap_or("")
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect();
        if BANNED_ENDINGS
            .iter()
            .any(|ending| type_name.ends_with(ending))
        {
            complaints.push(format!(
                "{name}:{}: {type_name} does not say what it is",
                number + 1
            ));
        }
        if line.contains(concat!("todo", "!(")) || line.contains(concat!("unimplemented", "!(")) {
            complaints.push(format!("{name}:{}: unfinished work", number + 1));
        }
    }
}

/// Relative links of a document must lead to a file.
fn links(file: &Path, name: &str, text: &str, complaints: &mut Vec<String>) {
    for part in text.split("](").skip(1) {
        let target = part.split(')').next().unwrap_or_default();
        let path = target.split('#').next().unwrap_or_default();
        if path.is_empty() || path.contains("://") || path.contains(' ') {
            continue;
        }
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        if !folder.join(path).exists() {
            complaints.push(format!("{name}: the link to {target} leads nowhere"));
        }
    }
}

/// Every `.rs` file under a `src` must be named by a `mod` somewhere in its crate.
fn dead_files(root: &Path, files: &[PathBuf], complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let mut modules = BTreeSet::new();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
    {
        for line in read(file)?.lines() {
            let line = line.trim_start();
            let line = line
                .strip_prefix("pub(crate) ")
                .or_else(|| line.strip_prefix("pub "))
                .unwrap_or(line);
            if let Some(module) = line
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'))
            {
                modules.insert(module.to_owned());
            }
        }
    }
    for file in files {
        let name = file
            .strip_prefix(root)
            .unwrap_or(file)
            .display()
            .to_string();
        let in_src = name.contains("/src/") && name.ends_with(".rs");
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if !in_src || ["lib", "main"].contains(&stem) || name.contains("/src/bin/") {
            continue;
        }
        let module = match stem {
            "mod" => file
                .parent()
                .and_then(|p| p.file_name())
                .and_then(|n| n.to_str())
                .unwrap_or_default(),
            stem => stem,
        };
        if !modules.contains(module) {
            complaints.push(format!("{name} belongs to no module: dead?"));
        }
    }
    Ok(())
}
