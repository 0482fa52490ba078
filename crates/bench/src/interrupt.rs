//! Ctrl-C, at any moment: the server we started ends, its directory goes, and so do we.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// What is to be cleaned up: directories, and who works in them.
static OURS: Mutex<BTreeMap<PathBuf, Option<u32>>> = Mutex::new(BTreeMap::new());

fn ours<T>(change: impl FnOnce(&mut BTreeMap<PathBuf, Option<u32>>) -> T) -> T {
    change(&mut OURS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A directory of our own, removed when dropped, or when we are interrupted.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in this directory.
    pub(crate) fn new(parent: &Path) -> anyhow::Result<Scratch> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = parent.join(format!("tracewell-bench-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        ours(|ours| ours.insert(dir.clone(), None));
        Ok(Scratch(dir))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        ours(|ours| ours.remove(&self.0));
        // What cannot be removed stays in the system's directory for such things.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Notes who works in a scratch directory now.
pub(crate) fn note_process(dir: &Path, pid: Option<u32>) {
    ours(|ours| {
        if let Some(noted) = ours.get_mut(dir) {
            *noted = pid;
        }
    });
}

/// Sends a signal to a process we started.
pub(crate) fn tell(pid: u32, what: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .context("a process id")?;
    kill_process(pid, what).context("send a signal")
}

/// Watches for Ctrl-C and SIGTERM from now on.
pub(crate) fn watch() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        end();
    };
    std::thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(wait)
        .context("watch for Ctrl-C")?;
    Ok(())
}

/// Cleans up and ends. The map stays locked: nothing of ours begins any more.
#[allow(clippy::exit)] // an interrupted command has nothing else to do
fn end() {
    let ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    for (dir, pid) in &*ours {
        // It may have ended by itself, of the same Ctrl-C.
        drop(pid.map(|pid| tell(pid, Signal::KILL)));
        drop(std::fs::remove_dir_all(dir));
    }
    std::process::exit(130);
}
