//! A power cut, for real (F-03, F-04): ext4 on a loop mount, and the ioctl that makes its journal
//! forget everything not yet on the disk. kill -9 cannot test this: the page cache survives it.
//!
//! What was acknowledged as `durable` before the cut is there afterwards; of what was `logged`, at
//! most the window between two syncs is gone. Every start opens, and every account balances.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{JSON, Server, pause, rounds, span, try_post};

/// More than what the log keeps free for segments (256 MiB); sparse, so it costs what is written.
const IMAGE_BYTES: u64 = 1 << 30;
const SPANS_PER_TRACE: u64 = 3;
/// `FS_IOC_SHUTDOWN` with `FS_GOING_FLAGS_NOLOGFLUSH`. Perl, because this house has no `unsafe`.
const CUT: &str = r#"my $flags = pack("L", 2); open(my $d, "<", $ARGV[0]) or die $!; ioctl($d, 0x8004587d, $flags) or die $!"#;

/// An ext4 file system of its own, gone when dropped.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
    _home: TempDir,
}

impl Disk {
    /// None, said aloud, where this machine cannot do it.
    #[allow(clippy::print_stdout)] // xtask counts this line as a skipped test
    fn make() -> Option<Disk> {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk {
            image: home.path().join("image"),
            mount: home.path().join("mount"),
            _home: home,
        };
        std::fs::create_dir(&disk.mount).unwrap();
        let image = std::fs::File::create(&disk.image).unwrap();
        image.set_len(IMAGE_BYTES).unwrap();
        let made = runs(Command::new("mkfs.ext4").arg("-q").arg(&disk.image));
        if !made || !disk.mount() {
            println!("skipped: cannot make and mount an ext4 image (needs root and loop devices)");
            return None;
        }
        if !disk.cut() {
            println!("skipped: cannot shut a file system down (needs perl and FS_IOC_SHUTDOWN)");
            return None;
        }
        disk.power_on();
        Some(disk)
    }

    fn mount(&self) -> bool {
        let mut mount = Command::new("mount");
        runs(mount.args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }

    /// From here on nothing more reaches the disk.
    fn cut(&self) -> bool {
        runs(Command::new("perl").args(["-e", CUT]).arg(&self.mount))
    }

    /// What the disk has is all there is.
    fn power_on(&self) {
        assert!(runs(Command::new("umount").arg(&self.mount)), "umount");
        assert!(self.mount(), "mount again, with what the disk has");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        runs(Command::new("umount").arg(&self.mount));
    }
}

fn runs(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Who was told what, before the cut.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    /// Trace → whether it was acknowledged as durable; since the last check.
    acknowledged: Mutex<BTreeMap<u64, bool>>,
    /// Those that were found after a cut: they stay.
    kept: Mutex<BTreeMap<u64, bool>>,
    /// Set before the cut begins: an answer that is read later proves nothing, a machine without
    /// power gives none.
    dark: AtomicBool,
}

impl Ledger {
    fn send(&self, url: &str, ack: &str) {
        let headers = [JSON, ("tracewell-ack", ack)];
        while !self.dark.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let spans: Vec<Value> = trace(number).collect();
            let answer = try_post(url, &headers, json!(spans).to_string().as_bytes());
            let told = answer.is_ok_and(|answer| answer.status == 202);
            // Taken before looking: the cut waits for whoever is writing a line here.
            let mut acknowledged = self.acknowledged.lock().unwrap();
            if told && !self.dark.load(Ordering::SeqCst) {
                acknowledged.insert(number, ack == "durable");
            }
            drop(acknowledged);
            pause(Duration::from_millis(1));
        }
    }

    fn go_dark(&self) {
        let _nobody_writes = self.acknowledged.lock().unwrap();
        self.dark.store(true, Ordering::SeqCst);
    }

    /// Looks for every trace of the last round; answers how many `logged` ones are gone.
    fn check(&self, server: &Server) -> usize {
        let traces = std::mem::take(&mut *self.acknowledged.lock().unwrap());
        let all = traces.len();
        let found = traces
            .into_iter()
            .filter(|&(number, durable)| is_there(server, number, durable));
        let found: Vec<_> = found.collect();
        let lost = all - found.len();
        self.kept.lock().unwrap().extend(found);
        lost
    }
}

fn is_there(server: &Server, number: u64, must: bool) -> bool {
    let answer = server.get(&format!("/api/traces/{:x}", number + 1));
    if answer.status == 404 {
        assert!(!must, "trace {number} was durable and is lost");
        return false;
    }
    let found = answer.json();
    assert_eq!(found["span_count"], SPANS_PER_TRACE, "{found}");
    assert_eq!(found["status"], "ok", "{found}");
    true
}

fn trace(number: u64) -> impl Iterator<Item = Value> {
    let id = u128::from(number) + 1;
    (1..=SPANS_PER_TRACE).map(move |i| span(id, i, (i > 1).then_some(1), "shop"))
}

fn start(data: &Arc<TempDir>) -> Server {
    // Segments each second: cuts also hit seals, the manifest and the trimming of the log.
    Server::start_in(data.clone(), &["--seal-after-s", "1"])
}

#[test]
#[allow(clippy::print_stdout)] // the table of `cargo xtask torture`
fn power_cuts_lose_nothing_durable_and_little_that_was_logged() {
    let Some(disk) = Disk::make() else { return };
    let data = Arc::new(tempfile::tempdir_in(&disk.mount).unwrap());
    // The directory is an operator's, and was there before.
    assert!(runs(&mut Command::new("sync")));
    let ledger = Ledger::default();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut lost = 0;
    let cuts = rounds("TRACEWELL_TORTURE_POWER_CUTS", 20);
    for cycle in 0..cuts {
        let server = start(&data);
        lost += ledger.check(&server);
        let status = server.quiet_status();
        assert_eq!(status["account"]["balances"], true, "{cycle}: {status}");
        let url = server.url("ingest", "/v1/spans");
        ledger.dark.store(false, Ordering::SeqCst);
        std::thread::scope(|scope| {
            for ack in ["durable", "durable", "logged"] {
                let (ledger, url) = (&ledger, &url);
                scope.spawn(move || ledger.send(url, ack));
            }
            let most = if cycle % 5 == 4 { 2_000 } else { 200 };
            pause(Duration::from_millis(rng.u64(20..most)));
            ledger.go_dark();
            assert!(disk.cut(), "cut");
            server.kill();
        });
        disk.power_on();
    }
    let server = start(&data);
    lost += ledger.check(&server);
    let kept = std::mem::take(&mut *ledger.kept.lock().unwrap());
    for &number in kept.keys() {
        assert!(is_there(&server, number, true), "later cuts took it");
    }
    let status = server.quiet_status();
    assert_eq!(status["account"]["balances"], true, "{status}");
    let durable = kept.values().filter(|durable| **durable).count();
    assert!(durable > 100, "only {durable} traces were durable");
    // Each sync for a durable one takes the logged ones along: few are on their way at a cut.
    let logged = kept.len() - durable;
    assert!(lost <= logged, "{lost} logged traces lost, {logged} kept");
    let [durable, logged, lost] =
        [durable, logged, lost].map(|traces| traces as u64 * SPANS_PER_TRACE);
    println!("power cut    {cuts:>4} times  {durable:>8} spans durable, all found");
    println!(
        "                         {:>8} spans only logged, {lost} of them lost",
        logged + lost
    );
}
