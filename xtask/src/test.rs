//! `cargo xtask test`: everything CI runs, in one go, from a fresh clone on a fresh machine. Each step
//! says what it is; all run even when one fails; the last line is `N passed, N failed, N skipped`.

use std::process::Command;

use anyhow::{Context, bail};

use crate::steps::{Counts, run_counted};
use crate::tools;

type Step = (&'static str, fn() -> anyhow::Result<Counts>);

const STEPS: &[Step] = &[
    ("format", format),
    ("tidy", tidy),
    ("clippy", clippy),
    ("release", release),
    ("rust", rust),
    ("bench", bench),
    ("ui", ui),
    ("browser", browser),
    ("sdks", sdks),
];

/// Runs all steps, or those that are named.
pub(crate) fn run(wanted: &[&str]) -> anyhow::Result<()> {
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !STEPS.iter().any(|(step, _)| step == *name))
    {
        bail!("there is no step {unknown}");
    }
    let mut all = Counts::default();
    let mut broken = Vec::new();
    for (name, step) in STEPS
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name))
    {
        println!("\n== {name}");
        match step() {
            Ok(counts) => {
                if counts.failed > 0 {
                    broken.push(*name);
                }
                all.add(counts);
            }
            Err(error) => {
                println!("xtask: {name}: {error:#}");
                all.failed += 1;
                broken.push(*name);
            }
        }
    }
    println!(
        "\n{} passed, {} failed, {} skipped",
        all.passed, all.failed, all.skipped
    );
    if all.failed > 0 {
        bail!("failed: {}", broken.join(", "))
    } else {
        Ok(())
    }
}

/// Cargo in the workspace, with the shared target directory.
fn cargo(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new("cargo");
    command
        .args(arguments)
        .current_dir(tools::root())
        .env("CARGO_TARGET_DIR", tools::target()?);
    Ok(command)
}

/// A check that passes or fails as a whole counts as one test.
fn check(command: &mut Command) -> anyhow::Result<Counts> {
    tools::run(command)?;
    Ok(Counts {
        passed: 1,
        ..Counts::default()
    })
}

fn format() -> anyhow::Result<Counts> {
    check(&mut cargo(&["fmt", "--all", "--check"])?)
}

fn tidy() -> anyhow::Result<Counts> {
    crate::tidy::run()?;
    Ok(Counts {
        passed: 1,
        ..Counts::default()
    })
}

fn clippy() -> anyhow::Result<Counts> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
    ];
    check(cargo(&arguments)?.args(["--", "-D", "warnings"]))?;
    // The SDK's half of wire must stay free of decoders (D23).
    check(&mut cargo(&[
        "check",
        "-p",
        "tracewell-wire",
        "--no-default-features",
        "--locked",
    ])?)
}

fn release() -> anyhow::Result<Counts> {
    check(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "tracewell",
    ])?)
}

/// The release binary, which black-box tests run.
fn binary() -> anyhow::Result<std::path::PathBuf> {
    let binary = tools::target()?.join("release/tracewell");
    if binary.exists() {
        Ok(binary)
    } else {
        bail!("{} is not built: run the release step", binary.display())
    }
}

fn rust() -> anyhow::Result<Counts> {
    let mut tests = cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--locked",
        "--no-fail-fast",
    ])?;
    // Parquet is built here, in the dev profile, and nowhere else: half a minute once, as `--all-features`
    // does it anyway; and its questions are asked of the leaf crate, which needs no server.
    let duckdb = tools::venv("duckdb", &["duckdb==2.0.*"])?;
    tests.env("DUCKDB_PYTHON", duckdb.join("bin/python"));
    run_counted(tests.env("TRACEWELL_BIN", binary()?))
}

/// What a span costs, against what it did.
fn bench() -> anyhow::Result<Counts> {
    crate::bench::check(&binary()?)
}

fn ui() -> anyhow::Result<Counts> {
    let ui = tools::root().join("ui");
    let npm = |arguments: &[&str]| -> anyhow::Result<Command> {
        let mut command = tools::node_command("npm")?;
        command.args(arguments).current_dir(&ui);
        Ok(command)
    };
    tools::run(&mut npm(&["ci", "--no-audit", "--no-fund"])?)?;
    let mut counts = run_counted(&mut npm(&["test"])?)?;
    tools::run(&mut npm(&["run", "build"])?)?;
    let diff = ["diff", "--exit-code", "--stat", "ui/dist"];
    counts.add(
        check(Command::new("git").args(diff).current_dir(tools::root()))
            .context("ui/dist is stale: run `npm run build` in ui and commit it")?,
    );
    Ok(counts)
}

fn browser() -> anyhow::Result<Counts> {
    tools::chromium()?;
    let server = crate::tools::Server::start(&binary()?)?;
    let mut tests = tools::node_command("npm")?;
    tests
        .args(["run", "test:browser"])
        .current_dir(tools::root().join("ui"));
    tests
        .env("TRACEWELL_URL", server.query_url())
        .env("TRACEWELL_INGEST_URL", server.ingest_url());
    run_counted(&mut tests)
}

/// OpenTelemetry SDKs of Python and Node, unmodified, over gRPC and HTTP.
fn sdks() -> anyhow::Result<Counts> {
    let venv = tools::venv(
        "otel-python",
        &[
            "opentelemetry-sdk",
            "opentelemetry-exporter-otlp-proto-http",
            "opentelemetry-exporter-otlp-proto-grpc",
        ],
    )?;
    let folder = tools::root().join("crates/tracewell/tests/sdks");
    let mut python = Command::new(venv.join("bin/python"));
    python
        .arg(folder.join("python/check.py"))
        .env("TRACEWELL_BIN", binary()?);
    let mut counts = run_counted(&mut python)?;
    let npm = tools::node_command("npm")?
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder.join("node"))
        .status()?;
    if !npm.success() {
        bail!("npm ci of the Node SDK failed");
    }
    let mut node = tools::node_command("node")?;
    node.args(["--test", "check.mjs"])
        .current_dir(folder.join("node"))
        .env("TRACEWELL_BIN", binary()?);
    counts.add(run_counted(&mut node)?);
    Ok(counts)
}
