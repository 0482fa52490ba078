//! More than fits, in a container that kills who takes too much (P8, F-16): what has no room is
//! refused with 429, the process stays under its limit and alive, and the account balances.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::server::{JSON, Server, rounds, try_post};

/// Half a container's memory and less: what is resident must stay under a tenth more.
const MEMORY_MIB: u64 = 384;
const CONTAINER_MIB: u64 = 512;
/// Bodies in flight have a sixth of the memory: so many of so many spans, 4 MiB, are twice that.
const SENDERS: u64 = 32;
const SPANS_PER_BODY: u64 = 8_000;

/// A control group with a limit of memory; gone when dropped, once nobody is in it.
struct Container(PathBuf);

impl Container {
    #[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
    fn make() -> Option<Container> {
        let name = format!("tracewell-test-{}", std::process::id());
        let path = Path::new("/sys/fs/cgroup/memory").join(name);
        let made = Container(path);
        let limit = made.0.join("memory.limit_in_bytes");
        let is_made = std::fs::create_dir(&made.0).is_ok()
            && std::fs::write(limit, (CONTAINER_MIB << 20).to_string()).is_ok();
        if !is_made {
            println!("skipped: cannot make a control group of memory (needs root and cgroup v1)");
        }
        is_made.then_some(made)
    }

    fn take_in(&self, pid: u32) {
        std::fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("moves the server");
    }

    /// How often somebody was killed for it.
    fn kills(&self) -> u64 {
        let control = std::fs::read_to_string(self.0.join("memory.oom_control")).expect("is there");
        let kills = control
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "));
        kills.map_or(0, |kills| kills.parse().expect("a number"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _once_empty = std::fs::remove_dir(&self.0);
    }
}

/// What came of it, in spans.
#[derive(Default)]
struct Told {
    accepted: AtomicU64,
    refused: AtomicU64,
}

fn body(number: u64) -> String {
    let filler = "x".repeat(220);
    let span = |at: u64| {
        let (trace, start) = (
            number * SPANS_PER_BODY + at / 8 + 1,
            1_700_000_000_000_000_000 + at,
        );
        format!(
            r#"{{"trace_id":"{trace:032x}","span_id":"{:016x}","service_name":"flood","operation_name":"rises","start_time_unix_ns":{start},"duration_ms":1,"tags":{{"n":{at},"note":"{number}-{at}-{filler}"}}}}"#,
            at + 1
        )
    };
    let spans: Vec<String> = (0..SPANS_PER_BODY).map(span).collect();
    format!("[{}]", spans.join(","))
}

impl Told {
    /// Sends until so many bodies were accepted, and as many refused.
    fn send(&self, url: &str, sender: u64, bodies: u64) {
        let enough = bodies * SPANS_PER_BODY;
        for round in 0.. {
            let accepted = self.accepted.load(Ordering::Relaxed);
            if accepted >= enough && self.refused.load(Ordering::Relaxed) >= enough {
                return;
            }
            let body = body(round * SENDERS + sender);
            // A server that refuses may hang up before it was told all.
            let answer = try_post(url, &[JSON], body.as_bytes());
            let Ok(answer) = answer else { continue };
            let told = match answer.status {
                202 => &self.accepted,
                429 => &self.refused,
                other => panic!("{other}: {}", answer.text()),
            };
            told.fetch_add(SPANS_PER_BODY, Ordering::Relaxed);
        }
    }
}

/// `VmHWM` of a process, in MiB.
fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    kib.expect("says its peak")
        .parse::<u64>()
        .expect("a number")
        >> 10
}

#[test]
#[allow(clippy::print_stdout)] // the figures of a longer run
fn more_than_fits_is_refused_and_nobody_is_killed() {
    let Some(container) = Container::make() else {
        return;
    };
    let bodies = rounds("TRACEWELL_OVERLOAD_BODIES", 40);
    let memory = format!("--memory-bytes-max={MEMORY_MIB}MiB");
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(dir, &[&memory]);
    container.take_in(server.pid());
    let url = server.url("ingest", "/v1/spans");
    let told = Told::default();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (told, url) = (&told, &url);
            scope.spawn(move || told.send(url, sender, bodies));
        }
    });
    let (accepted, refused) = (told.accepted.into_inner(), told.refused.into_inner());
    let peak = peak_mib(server.pid());
    println!("{accepted} spans accepted, {refused} refused; at most {peak} MiB of {MEMORY_MIB}");
    assert_eq!(container.kills(), 0);
    assert!(peak <= MEMORY_MIB * 11 / 10, "{peak} MiB");
    let status = server.quiet_status();
    let account = &status["account"]["log"];
    assert_eq!(status["account"]["balances"], true, "{status}");
    assert_eq!(account["accepted"], accepted, "{status}");
    assert_eq!(account["stored"], accepted, "{status}");
}
