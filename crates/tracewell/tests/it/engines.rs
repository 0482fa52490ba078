//! Engines that a test may ill-treat: started by the program that STACK_XTASK names, stopped when
//! dropped.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// See the module.
pub(crate) struct OwnEngines {
    xtask: String,
    dir: TempDir,
}

impl OwnEngines {
    /// None, said aloud, where engines cannot be started.
    pub(crate) fn start(names: &[&str]) -> Option<OwnEngines> {
        let Ok(xtask) = std::env::var("STACK_XTASK") else {
            let line = b"skipped: no way to start engines (cargo xtask stack up)\n";
            // Past the test harness, which keeps what passing tests print to itself.
            std::io::stdout().write_all(line).unwrap();
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let engines = OwnEngines { xtask, dir };
        engines.stack("up", names);
        Some(engines)
    }

    fn stack(&self, word: &str, names: &[&str]) {
        let mut stack = Command::new(&self.xtask);
        stack.args(["stack", word, "--dir"]).arg(self.place());
        let output = stack.args(names).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("stack")
    }

    /// Started again: same port, same data.
    pub(crate) fn up(&self, name: &str) {
        self.stack("up", &[name]);
    }

    fn noted(&self, name: &str) -> Value {
        let noted = std::fs::read(self.place().join("addresses.json")).unwrap();
        let noted: Value = serde_json::from_slice(&noted).unwrap();
        noted[name].clone()
    }

    /// As STACK_… would say it.
    pub(crate) fn address(&self, name: &str) -> String {
        self.noted(name)["address"].as_str().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let pid = self.noted(name)["pid"].to_string();
        assert!(Path::new("/proc").join(&pid).exists());
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for OwnEngines {
    fn drop(&mut self) {
        self.stack("down", &[]);
    }
}
