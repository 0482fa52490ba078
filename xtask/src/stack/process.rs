//! One engine as a process: started detached, waited for by its own log, stopped by its id. An id is
//! ours only while its working directory is the engine's: ids are reused, directories are not.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// How long an engine may take to start, in tenths of a second: a busy machine of two cores starts
/// all four in one minute.
const READY_TENTHS: u32 = 3_000;
/// How long it may take to end before it is killed.
const STOP_TENTHS: u32 = 300;

/// The engine's process, if it runs.
pub(super) fn running(dir: &Path) -> Option<u32> {
    let pid = std::fs::read_to_string(dir.join("pid"))
        .ok()?
        .parse()
        .ok()?;
    is_ours(pid, dir).then_some(pid)
}

fn is_ours(pid: u32, dir: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir)
}

/// Starts the command in `dir`, and answers its id once its output has the `ready` words. Not a
/// ping: another server might answer that.
pub(super) fn launch(dir: &Path, mut command: Command, ready: &str) -> anyhow::Result<u32> {
    let log = dir.join("out.log");
    let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
    let mut child = command
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // An interrupt at the terminal is for whoever waits here.
        .process_group(0)
        .spawn()
        .with_context(|| format!("run {}", command.get_program().display()))?;
    std::fs::write(dir.join("pid"), child.id().to_string())?;
    for _ in 0..READY_TENTHS {
        if String::from_utf8_lossy(&std::fs::read(&log)?).contains(ready) {
            return Ok(child.id());
        }
        if let Some(status) = child.try_wait()? {
            bail!("it ended with {status}\n{}", tail(&log));
        }
        tenth_of_a_second()?;
    }
    bail!("it is not ready in time\n{}", tail(&log))
}

/// Ends the engine's process, if it runs: by TERM, by KILL when that does not help.
pub(super) fn stop(dir: &Path) -> anyhow::Result<()> {
    let Some(pid) = running(dir) else {
        return Ok(());
    };
    // A stopped process (SIGSTOP) hears nothing else.
    for signal in ["-CONT", "-TERM"] {
        Command::new("kill")
            .arg(signal)
            .arg(pid.to_string())
            .status()?;
    }
    for _ in 0..STOP_TENTHS {
        if !is_ours(pid, dir) {
            return Ok(());
        }
        tenth_of_a_second()?;
    }
    Command::new("kill")
        .arg("-KILL")
        .arg(pid.to_string())
        .status()?;
    Ok(())
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

fn tenth_of_a_second() -> anyhow::Result<()> {
    crate::tools::run(Command::new("sleep").arg("0.1"))
}
