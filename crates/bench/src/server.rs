//! A server of the same binary: a child process on free ports, in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde_json::Value;
use tracewell_model::clock::{Clock, SystemClock};

use crate::process::{self, Cpu};
use crate::{interrupt, pause};

/// How long a server may take to be ready, or to stop.
const PATIENCE_S: u64 = 900;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How to start one.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// The binary.
    pub binary: PathBuf,
    /// More arguments of `start`.
    pub arguments: Vec<String>,
}

/// See the module. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    dir: PathBuf,
    addresses: Value,
    /// From its start until it was ready, seconds.
    pub ready_s: f64,
}

/// What a server that ended has used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// CPU.
    pub cpu: Cpu,
    /// Memory at its peak.
    pub peak_bytes: u64,
    /// Bytes the disk had to take.
    pub written_bytes: u64,
}

impl Server {
    /// Starts one on this directory and waits until it is ready.
    pub(crate) fn start(recipe: &Recipe, dir: &Path) -> anyhow::Result<Server> {
        let addresses = dir.join("addresses.json");
        if addresses.exists() {
            std::fs::remove_file(&addresses).context("remove what a killed server left")?;
        }
        let began_ns = SystemClock.monotonic_ns();
        let any = "127.0.0.1:0";
        let mut command = Command::new(&recipe.binary);
        command
            .args(["start", "--log-level", "warn", "--data"])
            .arg(dir);
        for listener in [
            "--listen-ingest",
            "--listen-otlp-grpc",
            "--listen-query",
            "--listen-admin",
        ] {
            command.args([listener, any]);
        }
        command
            .args(&recipe.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = command
            .spawn()
            .with_context(|| format!("start {}", recipe.binary.display()))?;
        interrupt::note_process(dir, Some(child.id()));
        let mut server = Server {
            child,
            dir: dir.to_owned(),
            addresses: Value::Null,
            ready_s: 0.0,
        };
        loop {
            let waited_s = (SystemClock.monotonic_ns() - began_ns) as f64 / 1e9;
            if let Ok(text) = std::fs::read(&addresses) {
                server.addresses = serde_json::from_slice(&text).context("read addresses.json")?;
                server.ready_s = waited_s;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status} before it was ready");
            }
            if waited_s > PATIENCE_S as f64 {
                bail!("the server was not ready within {PATIENCE_S} s");
            }
            pause(LOOK_EVERY);
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `host:port` of a listener: ingest, otlp_grpc, query, admin.
    pub(crate) fn address(&self, listener: &str) -> String {
        self.addresses[listener]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Asks it to stop, waits until it has, and takes its last figures.
    pub(crate) fn stop(mut self) -> anyhow::Result<Used> {
        let pid = self.pid();
        interrupt::tell(pid, Signal::TERM)?;
        let began_ns = SystemClock.monotonic_ns();
        let mut used = Used::default();
        // A process that ended keeps its CPU and bytes until it is waited for; its memory it does not.
        while !process::is_zombie(pid) {
            if let Ok(memory) = process::memory(pid) {
                used.peak_bytes = used.peak_bytes.max(memory.peak);
            }
            if SystemClock.monotonic_ns() - began_ns > PATIENCE_S * 1_000_000_000 {
                bail!("the server did not stop within {PATIENCE_S} s");
            }
            pause(LOOK_EVERY);
        }
        used.cpu = process::cpu(pid)?;
        used.written_bytes = process::written_bytes(pid)?;
        let status = self.child.wait()?;
        interrupt::note_process(&self.dir, None);
        if !status.success() {
            bail!("the server stopped with {status}");
        }
        Ok(used)
    }

    /// kill -9.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill the server")?;
        self.child.wait()?;
        interrupt::note_process(&self.dir, None);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already waited for after `stop` and `kill`; then this does nothing.
        drop(self.child.kill());
        drop(self.child.wait());
        interrupt::note_process(&self.dir, None);
    }
}
