//! The OpenTelemetry Collector for the tests of the topic: built of Go modules (dev/collector), once a
//! machine, since no registry that serves tests has it built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// What it is built of, versions and hashes of all modules included.
const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("../../dev/collector/main.go")),
    ("go.mod", include_str!("../../dev/collector/go.mod")),
    ("go.sum", include_str!("../../dev/collector/go.sum")),
];

/// Where tests look for it, and for a Python with an SDK that sends to it; or why this machine cannot
/// have it.
pub(crate) fn variables() -> anyhow::Result<Result<[(&'static str, PathBuf); 2], String>> {
    let python = tools::otel_python()?.join("bin/python");
    let variables = |collector| [("OTEL_COLLECTOR", collector), ("OTEL_PYTHON", python)];
    Ok(built()?.map(variables))
}

/// `cargo xtask collector`: the same, for a shell.
pub(crate) fn run() -> anyhow::Result<()> {
    for (name, path) in variables()?.map_err(anyhow::Error::msg)? {
        println!("export {name}={}", path.display());
    }
    Ok(())
}

/// Its program. One that this machine can have and that does not build is an error.
fn built() -> anyhow::Result<Result<PathBuf, String>> {
    // Says so where there is no Go, or one too old for the modules.
    let asked = go(&tools::root().join("dev/collector"))
        .args(["list", "-m"])
        .output();
    match asked {
        Err(error) => return Ok(Err(format!("go: {error}"))),
        Ok(asked) if !asked.status.success() => {
            return Ok(Err(String::from_utf8_lossy(&asked.stderr).into_owned()));
        }
        Ok(_) => {}
    }
    let folder = tools::made_once("collector", SOURCES, |folder| {
        for (name, text) in SOURCES {
            std::fs::write(folder.join(name), text)?;
        }
        let build = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"];
        tools::run(go(folder).args(build).args(["-o", "collector", "."]))
    })?;
    Ok(Ok(folder.join("collector")))
}

/// The Go that is there: none that it would fetch for the occasion.
fn go(folder: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(folder).env("GOTOOLCHAIN", "local");
    go
}
