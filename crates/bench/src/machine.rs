//! The machine a run was made on, as far as figures depend on it.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel's version.
    pub kernel: String,
    /// The file system of the data.
    pub file_system: String,
}

impl Machine {
    /// This one, with data in this directory.
    pub(crate) fn this(dir: &Path) -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map_or_else(String::new, |line| {
                line.trim_start_matches([' ', '\t', ':']).to_owned()
            })
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal");
        Machine {
            cpu: after(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory
                .split_whitespace()
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(&read("/proc/mounts"), dir),
        }
    }

    /// In a few words.
    pub(crate) fn words(&self) -> String {
        format!(
            "{} cores of {}, {:.0} GiB of memory, {}, Linux {}",
            self.cores,
            self.cpu,
            self.memory_mib as f64 / 1024.0,
            self.file_system,
            self.kernel
        )
    }
}

/// The type of the mount that holds a directory: the longest that is above it.
fn file_system(mounts: &str, dir: &Path) -> String {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(mount, _)| dir.starts_with(mount));
    above
        .max_by_key(|(mount, _)| mount.len())
        .map_or_else(String::new, |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_above_is_the_directorys() {
        let mounts = "/dev/a / ext4 rw\ntmpfs /tmp tmpfs rw\nproc /proc proc rw\n";
        assert_eq!(file_system(mounts, Path::new("/tmp")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/usr")), "ext4");
    }
}
