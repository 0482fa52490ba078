//! `cargo xtask test`: everything CI runs, in one go, from a fresh clone on a fresh machine. Each step
//! says what it is; all run even when one fails; the last line is `N passed, N failed, N skipped`.

use std::process::Command;

use anyhow::{Context, bail};

use crate::stack::Stack;
use crate::steps::{Counts, run_counted};
use crate::tools;

/// Tests that need the real engines are skipped.
const NO_STACK: &str = "--no-stack";

type Step = (&'static str, fn(&[&str]) -> anyhow::Result<Counts>);

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
    ("deploy", deploy),
];

/// Runs all steps, or those that are named.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let (options, wanted): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| **option != NO_STACK) {
        bail!("there is no option {unknown}");
    }
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
        match step(&options) {
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

fn format(_options: &[&str]) -> anyhow::Result<Counts> {
    check(&mut cargo(&["fmt", "--all", "--check"])?)
}

fn tidy(_options: &[&str]) -> anyhow::Result<Counts> {
    crate::tidy::run()?;
    Ok(Counts {
        passed: 1,
        ..Counts::default()
    })
}

fn clippy(_options: &[&str]) -> anyhow::Result<Counts> {
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

fn release(_options: &[&str]) -> anyhow::Result<Counts> {
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

fn rust(options: &[&str]) -> anyhow::Result<Counts> {
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
    tools::strace();
    match crate::collector::variables()? {
        Ok(variables) => drop(tests.envs(variables)),
        Err(why) => println!("xtask: tests with an OpenTelemetry Collector are skipped: {why}"),
    }
    let stack = match options.contains(&NO_STACK) {
        true => Err(format!("{NO_STACK} was given")),
        false => Stack::start()?,
    };
    match &stack {
        Ok(stack) => drop(
            tests
                .envs(stack.variables())
                .envs([crate::stack::myself()?]),
        ),
        Err(why) => println!("xtask: tests of the cluster are skipped: {why}"),
    }
    run_counted(tests.env("TRACEWELL_BIN", binary()?))
}

/// The long form before a release: so many kills and power cuts, and their table.
pub(crate) fn torture(options: &[&str]) -> anyhow::Result<()> {
    let (kills, cuts) = match options {
        [] => ("200", "100"),
        ["--kills", kills, "--power-cuts", cuts] => (*kills, *cuts),
        _ => bail!("torture takes --kills N --power-cuts N, or nothing: 200 and 100"),
    };
    release(&[])?;
    let mut tests = cargo(&["test", "-p", "tracewell", "--locked", "--test", "it", "--"])?;
    tests.args(["--nocapture", "kill_9", "power_cuts"]);
    tests.env("TRACEWELL_BIN", binary()?);
    tools::run(
        tests
            .env("TRACEWELL_TORTURE_KILLS", kills)
            .env("TRACEWELL_TORTURE_POWER_CUTS", cuts),
    )
}

/// What a span costs, against what it did.
fn bench(_options: &[&str]) -> anyhow::Result<Counts> {
    crate::bench::check(&binary()?)
}

fn ui(_options: &[&str]) -> anyhow::Result<Counts> {
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

fn browser(_options: &[&str]) -> anyhow::Result<Counts> {
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
fn sdks(_options: &[&str]) -> anyhow::Result<Counts> {
    let venv = tools::otel_python()?;
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

/// The files in `deploy`: the compose file against its schema, the units by systemd's own eyes.
fn deploy(_options: &[&str]) -> anyhow::Result<Counts> {
    let folder = tools::root().join("deploy");
    let venv = tools::venv("compose", &["check-jsonschema==0.39.*"])?;
    let mut compose = Command::new(venv.join("bin/check-jsonschema"));
    compose.args(["--builtin-schema", "vendor.compose-spec"]);
    let mut counts = check(compose.arg(folder.join("compose.yaml")))?;
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: no systemd-analyze to look at the units");
        counts.skipped += 1;
        return Ok(counts);
    }
    let scratch = std::env::temp_dir().join(format!("tracewell-units-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let mut units = Command::new("systemd-analyze");
    units.args(["verify", "--man=no"]);
    for (unit, instance) in [
        ("tracewell.service", "tracewell.service"),
        ("tracewell@.service", "tracewell@storage-writer.2.service"),
    ] {
        // It also looks whether the program is there, which here it is not.
        let text = std::fs::read_to_string(folder.join("systemd").join(unit))?;
        let text = text.replace("/usr/local/bin/tracewell", "/bin/true");
        std::fs::write(scratch.join(instance), text)?;
        units.arg(scratch.join(instance));
    }
    let verified = check(&mut units);
    std::fs::remove_dir_all(&scratch)?;
    counts.add(verified?);
    Ok(counts)
}
