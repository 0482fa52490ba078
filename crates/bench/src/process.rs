//! What the kernel says of processes: CPU, memory, bytes written, open files; of directories: room.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

/// CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cpu {
    /// In the program.
    pub user_s: f64,
    /// In the kernel on its behalf.
    pub system_s: f64,
}

impl Cpu {
    /// Both.
    pub(crate) fn total_s(self) -> f64 {
        self.user_s + self.system_s
    }
}

impl std::ops::Sub for Cpu {
    type Output = Cpu;

    fn sub(self, before: Cpu) -> Cpu {
        Cpu {
            user_s: self.user_s - before.user_s,
            system_s: self.system_s - before.system_s,
        }
    }
}

impl std::ops::Add for Cpu {
    type Output = Cpu;

    fn add(self, other: Cpu) -> Cpu {
        Cpu {
            user_s: self.user_s + other.user_s,
            system_s: self.system_s + other.system_s,
        }
    }
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {path}"))
}

/// The fields of a `stat` file after the name, which may hold anything.
fn stat(path: &str) -> anyhow::Result<Vec<String>> {
    let text = read(path)?;
    let (_, fields) = text
        .rsplit_once(')')
        .with_context(|| format!("{path} is no stat file"))?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}

fn cpu_of(stat: &[String]) -> Cpu {
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let seconds = |field: usize| {
        stat.get(field)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
            / ticks
    };
    Cpu {
        user_s: seconds(11),
        system_s: seconds(12),
    }
}

/// CPU of a process since it began, of its ended threads too; also of one that ended and was not
/// waited for.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Cpu> {
    Ok(cpu_of(&stat(&format!("/proc/{pid}/stat"))?))
}

/// True when it ended, and only its figures remain.
pub(crate) fn is_zombie(pid: u32) -> bool {
    stat(&format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.first().is_some_and(|state| state == "Z"))
}

/// CPU seconds of the calling thread, to the nanosecond.
pub(crate) fn thread_cpu_s() -> anyhow::Result<f64> {
    let path = "/proc/thread-self/schedstat";
    let ns = read(path)?
        .split_whitespace()
        .next()
        .and_then(|ns| ns.parse::<u64>().ok());
    Ok(ns.with_context(|| format!("{path} has no time"))? as f64 / 1e9)
}

/// CPU of a process's threads by what they are called, numbers at the end left out.
pub(crate) fn cpu_by_thread(pid: u32) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut threads = BTreeMap::new();
    let tasks = format!("/proc/{pid}/task");
    for task in std::fs::read_dir(&tasks).with_context(|| format!("read {tasks}"))? {
        let task = task?.path().display().to_string();
        // A thread may end between the two looks.
        let (Ok(name), Ok(stat)) = (read(&format!("{task}/comm")), stat(&format!("{task}/stat")))
        else {
            continue;
        };
        let name = name
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-')
            .to_owned();
        *threads.entry(name).or_insert(0.0) += cpu_of(&stat).total_s();
    }
    Ok(threads)
}

/// CPU seconds of a Tracewell server's threads that answer questions.
pub(crate) fn query_cpu_s(pid: u32) -> anyhow::Result<f64> {
    let threads = cpu_by_thread(pid)?;
    let of_queries = threads.iter().filter(|(name, _)| name.starts_with("query"));
    Ok(of_queries.map(|(_, s)| s).sum())
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Now.
    pub resident: u64,
    /// At its peak.
    pub peak: u64,
}

/// Memory of a process; nothing once it has ended.
pub(crate) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
            << 10
    };
    Ok(Memory {
        resident: bytes("VmRSS:"),
        peak: bytes("VmHWM:"),
    })
}

/// Bytes that a process made dirty and the disk had to take.
pub(crate) fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = read(&format!("/proc/{pid}/io"))?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok())
        .ok_or_else(|| anyhow!("/proc/{pid}/io has no write_bytes"))
}

/// How many files a process has open.
pub(crate) fn open_files(pid: u32) -> anyhow::Result<u64> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64)
}

/// Room that a directory takes on disk, as `du` counts.
pub(crate) fn disk_bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry?.path();
        // A file may be unlinked between the two looks: a segment that was merged.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        bytes += if metadata.is_dir() {
            disk_bytes(&path).unwrap_or(0)
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures() {
        let own = std::process::id();
        // Threads that ended count for the process, and for none of those that are listed.
        let of_threads = || cpu_by_thread(own).unwrap().values().sum::<f64>();
        while of_threads() == 0.0 || cpu(own).unwrap().total_s() == 0.0 {}
        let memory = memory(own).unwrap();
        assert!(memory.peak >= memory.resident);
        assert!(open_files(own).unwrap() > 2);
        assert!(!is_zombie(own));
    }

    #[test]
    fn a_process_that_ended_keeps_its_figures_until_waited_for() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !is_zombie(child.id()) {
            std::thread::yield_now();
        }
        cpu(child.id()).unwrap();
        written_bytes(child.id()).unwrap();
        child.wait().unwrap();
        assert!(cpu(child.id()).is_err());
    }
}
