//! Faults of the machine around the running binary: a disk that fails to sync (F-14), is full (F-15)
//! or slow (F-17), kills in the middle of a replay (F-06), a stop under load (F-19). What was
//! acknowledged is there afterwards, and the account balances. The simulator and the tests of the
//! engine go through every single call; here the real system calls fail.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Answer, JSON, Server, eventually, pause, span, try_post};

const SPANS: u64 = 3;

fn trace(number: u64) -> Vec<Value> {
    let id = u128::from(number) + 1;
    let spans = (1..=SPANS).map(|i| span(id, i, (i > 1).then_some(1), "shop"));
    spans.collect()
}

fn send(server: &Server, number: u64, ack: &str) -> Answer {
    let body = json!(trace(number)).to_string();
    server.post(
        "/v1/spans",
        &[JSON, ("tracewell-ack", ack)],
        body.as_bytes(),
    )
}

/// Every one of these traces is there and whole, and nothing is unaccounted for.
fn check(server: &Server, acknowledged: &[u64]) {
    let status = server.quiet_status();
    assert_eq!(status["account"]["balances"], true, "{status}");
    for number in acknowledged {
        let found = server.get_json(&format!("/api/traces/{:x}", number + 1));
        assert_eq!(found["span_count"], SPANS, "trace {number}: {found}");
    }
}

/// strace on a running server, making its system calls fail or wait; gone when dropped.
struct Injection(Child);

impl Injection {
    /// None, said aloud, where this machine cannot do it.
    #[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
    fn into(server: &Server, fault: &str) -> Option<Injection> {
        let log = server.dir.path().join("strace");
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e"])
            .arg(format!("inject=fsync,fdatasync:{fault}"))
            .arg("-p")
            .arg(server.pid().to_string())
            .arg("-o")
            .arg(&log)
            .stderr(Stdio::null())
            .spawn();
        let Ok(strace) = strace else {
            println!("skipped: no strace");
            return None;
        };
        let mut injection = Injection(strace);
        let attached = eventually("strace attaches", || {
            let ended = injection.0.try_wait().unwrap().is_some();
            match is_traced(server.pid()) {
                true => Some(true),
                false => ended.then_some(false),
            }
        });
        if !attached {
            println!("skipped: strace may not attach here");
            return None;
        }
        Some(injection)
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Told to stop it lets go of the server; killed it would take it along.
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}

/// Whether each thread of the process has a tracer.
fn is_traced(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = |thread: PathBuf| std::fs::read_to_string(thread.join("status"));
    let mut texts = threads
        .flatten()
        .filter_map(|thread| status(thread.path()).ok());
    texts.all(|text| !text.contains("TracerPid:\t0\n"))
}

#[test]
fn a_disk_that_fails_to_sync_acknowledges_nothing_durable_and_recovers() {
    let server = Server::start();
    let mut acknowledged = vec![0];
    assert_eq!(send(&server, 0, "durable").status, 202);
    {
        let Some(_injection) = Injection::into(&server, "error=EIO") else {
            return;
        };
        for number in 1..10 {
            let answer = send(&server, number, "durable");
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(answer.headers.contains_key("retry-after"));
        }
        assert_eq!(
            server.trace("1")["span_count"],
            SPANS,
            "queries do not care"
        );
    }
    for number in 20..30 {
        let answer = send(&server, number, "durable");
        assert_eq!(answer.status, 202, "without a restart: {}", answer.text());
        acknowledged.push(number);
    }
    check(&server, &acknowledged);
    let server = Server::start_in(server.kill(), &[]);
    check(&server, &acknowledged);
}

#[test]
fn a_slow_disk_holds_up_only_who_waits_for_it() {
    let server = Server::start();
    let Some(injection) = Injection::into(&server, "delay_enter=400000") else {
        return;
    };
    let url = server.url("ingest", "/v1/spans");
    std::thread::scope(|scope| {
        let durable = scope.spawn(|| send(&server, 0, "durable").status);
        for number in 1..40 {
            let body = json!(trace(number)).to_string();
            let answer = try_post(&url, &[JSON], body.as_bytes()).unwrap();
            assert_eq!(answer.status, 202);
            server.trace(&format!("{:x}", number + 1));
        }
        let status = durable.join().unwrap();
        assert!(status == 202 || status == 503, "{status}");
    });
    drop(injection);
    let all: Vec<u64> = (1..40).collect();
    check(&server, &all);
}

#[test]
fn a_kill_in_the_middle_of_a_replay_and_of_the_next_changes_nothing() {
    let server = Server::start();
    let url = server.url("ingest", "/v1/spans");
    let all: Vec<u64> = (0..20_000).collect();
    for numbers in all.chunks(100) {
        let spans: Vec<Value> = numbers.iter().flat_map(|&number| trace(number)).collect();
        let answer = try_post(&url, &[JSON], json!(spans).to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    let mut dir = server.kill();
    // Earlier and later: while files are opened, while records are read.
    for wait_ms in [5, 20, 40, 80, 120] {
        dir = kill_while_starting(dir, Duration::from_millis(wait_ms));
    }
    let server = Server::start_in(dir, &[]);
    let some: Vec<u64> = all.into_iter().step_by(37).collect();
    check(&server, &some);
    let log = &server.quiet_status()["account"]["log"];
    assert_eq!(
        (&log["accepted"], &log["stored"]),
        (&json!(20_000 * SPANS), &json!(20_000 * SPANS))
    );
}

fn kill_while_starting(dir: Arc<TempDir>, after: Duration) -> Arc<TempDir> {
    let any = "127.0.0.1:0";
    let mut starting = crate::server::command()
        .args(["start", "--listen-ingest", any, "--listen-otlp-grpc", any])
        .args(["--listen-query", any, "--data"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    pause(after);
    starting.kill().unwrap();
    starting.wait().unwrap();
    dir
}

#[test]
fn a_stop_under_load_ends_with_0_and_loses_nothing() {
    let server = Server::start();
    let (url, dir) = (server.url("ingest", "/v1/spans"), server.dir.clone());
    let stopped = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let sender = |first: u64| {
            let (url, stopped) = (&url, &stopped);
            move || {
                let mut told = Vec::new();
                for number in (first..).step_by(4) {
                    if stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    let body = json!(trace(number)).to_string();
                    let answer = try_post(url, &[JSON], body.as_bytes());
                    told.extend(answer.is_ok_and(|a| a.status == 202).then_some(number));
                }
                told
            }
        };
        let senders: Vec<_> = (0..4).map(|first| scope.spawn(sender(first))).collect();
        pause(Duration::from_millis(700));
        assert_eq!(server.terminate().code(), Some(0));
        stopped.store(true, Ordering::SeqCst);
        let told = senders.into_iter().flat_map(|s| s.join().unwrap());
        told.collect::<Vec<_>>()
    });
    assert!(acknowledged.len() > 50, "only {}", acknowledged.len());
    check(&Server::start_in(dir, &[]), &acknowledged);
}

/// A file system in memory of this size; gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    #[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
    fn make(mebibytes: u64) -> Option<SmallDisk> {
        let home = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]);
        let mounted = mount.arg(home.path()).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            println!("skipped: cannot mount a tmpfs (needs root)");
            return None;
        }
        Some(SmallDisk(home))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.path()).status());
    }
}

#[test]
fn a_full_disk_refuses_and_goes_on_without_a_restart_when_there_is_room() {
    // 256 MiB are kept for segments and retention.
    let Some(disk) = SmallDisk::make(320) else {
        return;
    };
    let dir = Arc::new(tempfile::tempdir_in(disk.path()).unwrap());
    let server = Server::start_in(dir, &["--seal-after-s", "1"]);
    let mut acknowledged = vec![0];
    assert_eq!(send(&server, 0, "logged").status, 202);
    for keeps_reserve in [true, false] {
        let filler = disk.path().join("filler");
        // Within the reserve, where seals still work; then to the last byte.
        fill(&filler, if keeps_reserve { 120 } else { 320 });
        // Room is asked for again after a second at the latest.
        let refused = eventually("a refusal", || {
            let answer = send(&server, acknowledged.len() as u64, "logged");
            match answer.status {
                202 => acknowledged.push(acknowledged.len() as u64),
                _ => return Some(answer),
            }
            None
        });
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.headers.contains_key("retry-after"));
        assert_eq!(server.trace("1")["span_count"], SPANS, "queries go on");
        std::fs::remove_file(&filler).unwrap();
        eventually("room again", || {
            let number = acknowledged.len() as u64;
            let answer = send(&server, number, "logged");
            (answer.status == 202).then(|| acknowledged.push(number))
        });
    }
    check(&server, &acknowledged);
    let server = Server::start_in(server.kill(), &[]);
    check(&server, &acknowledged);
}

/// Writes so many mebibytes, or as many as fit.
fn fill(path: &Path, mebibytes: usize) {
    let mut file = std::fs::File::create(path).unwrap();
    let block = vec![1u8; 1 << 20];
    for _ in 0..mebibytes {
        if file.write_all(&block).is_err() {
            return;
        }
    }
}
