//! Holds what a span costs: instructions per span of each stage, counted by Valgrind, and bytes per span
//! on disk, against `dev/bench-baseline.json`. CPU time is only told: it depends on the machine.
//!
//! Valgrind is asked directly. Gungraun, which wraps it, would add a runner of its own to install from
//! source (177 CPU seconds) and a library to link, for figures of the same Callgrind; what is left to do
//! here is to read one number a stage from the files that Callgrind writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::steps::Counts;
use crate::tools;

const BASELINE: &str = "dev/bench-baseline.json";
/// What a figure may move by, either way, in percent. Instructions of one binary differ by 0.2 from run
/// to run, those of statistics by 2: their tables hash with another seed each time.
const INSTRUCTIONS_PERCENT: f64 = 5.0;
const BYTES_PERCENT: f64 = 2.0;
/// Functions of `stage` in crates/bench/benches/stages.rs, and what each is counted per.
const STAGES: [(&str, &str); 7] = [
    ("decode", "spans"),
    ("log", "spans"),
    ("head", "spans"),
    ("statistics", "spans"),
    ("seal", "spans"),
    ("by_id", "reads"),
    ("search", "searches"),
];
const BYTES: &str = "bytes_per_span";

/// Figures by name.
type Figures = BTreeMap<String, f64>;

/// Measures, compares, and tells what the binary's own bench says.
pub(crate) fn check(binary: &Path) -> anyhow::Result<Counts> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        println!("skipped: the baseline counts instructions of x86_64 Linux");
        return Ok(Counts {
            skipped: 1,
            ..Counts::default()
        });
    }
    let path = tools::root().join(BASELINE);
    let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let baseline: Figures = serde_json::from_slice(&text).context(BASELINE)?;
    let figures = measure()?;
    let mut counts = Counts::default();
    for (name, line, held) in compare(&baseline, &figures) {
        println!("{name:<12} {line}");
        if held {
            counts.passed += 1;
        } else {
            counts.failed += 1;
        }
    }
    if counts.failed > 0 {
        println!("xtask: if it was meant, `cargo xtask bench-baseline` writes the new figures");
    }
    tell_cpu(binary)?;
    Ok(counts)
}

/// Writes the baseline anew.
pub(crate) fn write_baseline() -> anyhow::Result<()> {
    let figures = serde_json::to_string_pretty(&json!(measure()?))?;
    println!("{figures}");
    std::fs::write(tools::root().join(BASELINE), figures + "\n").context(BASELINE)
}

/// Each figure of either side: its name, what there is to say, and whether it holds.
fn compare(baseline: &Figures, figures: &Figures) -> Vec<(String, String, bool)> {
    let names: std::collections::BTreeSet<&String> =
        baseline.keys().chain(figures.keys()).collect();
    let row = |name: &String| match (baseline.get(name), figures.get(name)) {
        (Some(&was), Some(&is)) => {
            let most = if name == BYTES {
                BYTES_PERCENT
            } else {
                INSTRUCTIONS_PERCENT
            };
            let percent = (is / was - 1.0) * 100.0;
            let held = percent.abs() <= most;
            let verdict = if held { "" } else { "  MOVED" };
            let line = format!("{was:>12.1} -> {is:>12.1}  {percent:+.2} %{verdict}");
            (name.clone(), line, held)
        }
        (Some(_), None) => (name.clone(), "is measured no more".to_owned(), false),
        _ => (name.clone(), "is not in the baseline".to_owned(), false),
    };
    names.into_iter().map(row).collect()
}

fn measure() -> anyhow::Result<Figures> {
    let stages = build()?;
    let mut figures = Figures::new();
    let stored = json_of(Command::new(&stages).arg("bytes"))?;
    let of = |answer: &Value, member: &str| {
        answer[member]
            .as_f64()
            .with_context(|| format!("stages told no {member}"))
    };
    let bytes = of(&stored, "bytes")? / of(&stored, "spans")?;
    figures.insert(BYTES.to_owned(), rounded(bytes));
    let dir = std::env::temp_dir().join(format!("tracewell-callgrind-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let counted = count(&stages, &dir);
    std::fs::remove_dir_all(&dir)?;
    let (answer, instructions) = counted?;
    for (stage, per) in STAGES {
        let count = instructions
            .get(stage)
            .with_context(|| format!("Valgrind saw no call of stage::{stage}"))?;
        figures.insert(stage.to_owned(), rounded(*count as f64 / of(&answer, per)?));
    }
    Ok(figures)
}

fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// Builds the stages and asks cargo where they are.
fn build() -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "tracewell-bench",
            "--bench",
            "stages",
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(tools::root())
        .env("CARGO_TARGET_DIR", tools::target()?)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("run cargo")?;
    if !output.status.success() {
        bail!("the stages were not built");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let stages = artifacts.find(|artifact| {
        artifact["target"]["name"] == "stages" && artifact["executable"].is_string()
    });
    let path = stages.and_then(|stages| stages["executable"].as_str().map(PathBuf::from));
    path.context("cargo built no stages")
}

/// What a command prints: JSON, on the last line.
fn json_of(command: &mut Command) -> anyhow::Result<Value> {
    let output = command
        .output()
        .with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{command:?} printed {last:?}"))
}

/// Runs the stages under Callgrind, which writes a file whenever one is entered or left; what is
/// written at a leave is what the stage took. Answers what the stages said, and instructions by stage.
fn count(stages: &Path, dir: &Path) -> anyhow::Result<(Value, BTreeMap<String, u64>)> {
    let mut valgrind = Command::new(tools::valgrind()?);
    valgrind.arg("--tool=callgrind");
    valgrind.arg(format!(
        "--callgrind-out-file={}",
        dir.join("out").display()
    ));
    for (stage, _) in STAGES {
        valgrind.arg(format!("--dump-before=stages::stage::{stage}"));
        valgrind.arg(format!("--dump-after=stages::stage::{stage}"));
    }
    let answer = json_of(valgrind.arg(stages))?;
    let mut instructions = BTreeMap::new();
    for file in std::fs::read_dir(dir)? {
        if let Some((stage, count)) = total(&std::fs::read_to_string(file?.path())?) {
            *instructions.entry(stage).or_insert(0) += count;
        }
    }
    Ok((answer, instructions))
}

/// The stage that was left, and the instructions since it was entered, of a file of Callgrind's.
fn total(file: &str) -> Option<(String, u64)> {
    let after = |prefix: &str| file.lines().find_map(|line| line.strip_prefix(prefix));
    let stage = after("desc: Trigger: --dump-after=stages::stage::")?;
    let count = after("totals: ")?.split_whitespace().next()?.parse().ok()?;
    Some((stage.to_owned(), count))
}

/// What the whole server takes, for who reads along.
fn tell_cpu(binary: &Path) -> anyhow::Result<()> {
    let run = json_of(
        Command::new(binary)
            .args(["bench", "ingest", "--spans", "200k", "--json"])
            .stderr(std::process::Stdio::null()),
    )?;
    println!(
        "told, not held: {} CPU-s per million spans, {} bytes a span on disk, over OTLP/HTTP",
        run["server"]["cpu_s_per_m"], run["disk"]["bytes_per_span"]
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_callgrind_names_its_stage_and_its_total() {
        let file = "version: 1\npart: 4\ndesc: Trigger: --dump-after=stages::stage::log\nevents: Ir\ntotals: 18858658\n";
        assert_eq!(total(file), Some(("log".to_owned(), 18_858_658)));
        assert_eq!(total(&file.replace("after", "before")), None);
        assert_eq!(total(""), None);
    }

    #[test]
    fn figures_that_move_are_named_either_way() {
        let of = |figures: &[(&str, f64)]| -> Figures {
            figures
                .iter()
                .map(|(name, figure)| ((*name).to_owned(), *figure))
                .collect()
        };
        let baseline = of(&[
            (BYTES, 40.0),
            ("decode", 100.0),
            ("log", 100.0),
            ("gone", 1.0),
        ]);
        let figures = of(&[
            (BYTES, 41.0),
            ("decode", 104.9),
            ("log", 94.0),
            ("new", 1.0),
        ]);
        let moved: Vec<String> = compare(&baseline, &figures)
            .into_iter()
            .filter(|(_, _, held)| !held)
            .map(|(name, ..)| name)
            .collect();
        assert_eq!(moved, [BYTES, "gone", "log", "new"]);
    }
}
