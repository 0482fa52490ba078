//! Retention: what is too old goes, by itself and whole, is counted, and frees its room; what is
//! young stays, whatever the clock says; a full disk and a kill at any call change neither.

mod engine_support;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use engine_support::{Lab, SECOND, cold};
use tracewell_model::Clock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::{Class, TraceQuery};
use tracewell_storage_embedded::engine::{Expiry, Retention};
use tracewell_storage_embedded::fs::fault::{EIO, ENOSPC, Fault, Op, Outcome};
use tracewell_storage_embedded::fs::{File, Fs, Space, StdFs};
use tracewell_storage_embedded::{Engine, EngineOptions};

const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// A trace of two spans, one of them twice, as a segment of its own.
fn push_segment(lab: &mut Lab, trace: u64) {
    let start = lab.clock.unix_ns();
    let root = SpanSpec::new(trace, 1, start);
    let child = SpanSpec::new(trace, 2, start + 1).child_of(1);
    lab.push(&[root.clone(), child, root]);
    lab.seal();
}

fn searched(lab: &Lab) -> (Vec<u64>, Option<u64>) {
    let query = TraceQuery {
        limit: 1_000,
        ..TraceQuery::default()
    };
    let found = lab.find(&query);
    assert_eq!(found.incomplete, [""; 0]);
    let mut traces: Vec<u64> = found
        .hits
        .iter()
        .map(|hit| u128::from_be_bytes(hit.summary.trace_id.0) as u64)
        .collect();
    traces.sort_unstable();
    (traces, found.searched.from_unix_ns)
}

#[track_caller]
fn assert_account(lab: &Lab) {
    let status = lab.engine.status();
    let sum = status.stored + status.duplicate + status.expired + status.sampled_out;
    assert_eq!(sum, lab.logged_spans(), "{status:?}");
    assert_eq!(status.lost, 0);
}

fn number_of(trace: u64) -> u64 {
    u128::from_be_bytes(trace_id(trace).0) as u64
}

#[test]
fn in_forty_days_what_is_too_old_goes_and_nothing_else() {
    let mut lab = Lab::new(cold());
    let mut random = fastrand::Rng::with_seed(5);
    let mut arrived = Vec::new();
    for trace in 0..40 * 12u64 {
        push_segment(&mut lab, trace);
        arrived.push(lab.clock.unix_ns());
        for _ in 0..12 {
            lab.clock.advance(10 * 60 * SECOND);
            lab.engine.retain_step().expect("retains");
        }
        if random.u8(..20) == 0 {
            lab.reopen();
        }
        if trace % 24 != 0 {
            continue;
        }
        let now = lab.clock.unix_ns();
        for (trace, &arrived) in (0..).zip(&arrived) {
            let stays = arrived + 30 * DAY > now;
            let found = lab.get(trace_id(trace));
            assert_eq!(found.is_empty(), !stays, "trace {trace}");
            assert_eq!(found.incomplete, [""; 0]);
        }
        let young: Vec<u64> = (0..)
            .zip(&arrived)
            .filter(|(_, at)| **at + 7 * DAY > now)
            .map(|(trace, _)| number_of(trace))
            .collect();
        let (found, from) = searched(&lab);
        assert_eq!(found, young);
        let unsearched = arrived.iter().filter(|at| **at + 7 * DAY <= now).max();
        assert_eq!(from, unsearched.copied());
        assert_account(&lab);
        // Nobody merges here: each segment is to go by itself.
        let problems = lab.engine.status().problems;
        let is_other = |problem: &&String| !problem.contains("wait to be compacted");
        assert_eq!(problems.iter().find(is_other), None);
        assert_eq!(lab.files(".seg").len() as u64, lab.engine.status().segments);
        assert_eq!(lab.files(".idx").len(), young.len());
    }
    lab.reopen();
    assert_account(&lab);
    let status = lab.engine.status();
    assert!(status.expired >= 2 * 12 * 9 && status.duplicate == 40 * 12);
}

#[test]
fn a_clock_that_jumps_deletes_nothing() {
    for days in [10, -10, 40, -40] {
        let mut lab = Lab::new(cold());
        for trace in 0..3 {
            push_segment(&mut lab, trace);
            lab.clock.advance(DAY);
            lab.engine.retain_step().expect("retains");
        }
        for restarts in [false, true] {
            lab.clock.jump(days * DAY as i64);
            if restarts {
                lab.reopen();
            }
            for _ in 0..20 {
                lab.clock.advance(HOUR);
                let expiry = lab.engine.retain_step().expect("retains");
                assert_eq!(expiry, Expiry::default());
            }
            assert_eq!(searched(&lab).0, [0, 1, 2].map(number_of));
            lab.clock.jump(-days * DAY as i64);
            if restarts {
                lab.reopen();
            }
            lab.engine.retain_step().expect("retains");
            assert_eq!(searched(&lab).0, [0, 1, 2].map(number_of));
        }
        assert_account(&lab);
    }
}

#[test]
fn a_machine_that_was_off_for_long_catches_up_after_a_day_and_says_so() {
    let mut lab = Lab::new(cold());
    push_segment(&mut lab, 1);
    lab.engine.retain_step().expect("retains");
    lab.clock.jump(31 * DAY as i64);
    lab.reopen();
    lab.engine.retain_step().expect("retains");
    let problems = lab.engine.status().problems;
    assert!(problems[0].contains("2678400 s ahead"), "{problems:?}");
    lab.clock.advance(DAY + SECOND);
    let expiry = lab.engine.retain_step().expect("retains");
    assert_eq!((expiry.segments, expiry.spans), (1, 2));
    assert_eq!(lab.engine.status().problems, [""; 0]);
    assert_account(&lab);
}

#[test]
fn beyond_the_cap_the_oldest_go_and_are_counted() {
    let mut lab = Lab::new(cold());
    push_segment(&mut lab, 0);
    let one = lab.engine.status().disk_bytes;
    lab.options.retention = Retention {
        disk_bytes_max: one * 3 + one / 2,
        ..Retention::default()
    };
    lab.reopen();
    for trace in 1..10 {
        push_segment(&mut lab, trace);
        lab.engine.retain_step().expect("retains");
        assert!(lab.engine.status().disk_bytes <= one * 3 + one / 2);
        assert_account(&lab);
    }
    assert_eq!(searched(&lab).0, [7, 8, 9].map(number_of));
    assert_eq!(lab.engine.status().expired, 7 * 2);
    lab.reopen();
    assert_account(&lab);
}

/// Three segments, of which the first is to expire now and the second to lose its index.
fn aged(options: EngineOptions) -> Lab {
    let mut lab = Lab::new(options);
    for (trace, next_after) in [(31, 23 * DAY), (8, 7 * DAY), (1, 0)] {
        push_segment(&mut lab, trace);
        lab.clock.advance(next_after);
    }
    lab.clock.advance(SECOND);
    lab.clock.jump(-10 * SECOND as i64);
    let expiry = lab.engine.retain_step().expect("retains");
    assert_eq!((expiry.segments, expiry.indexes), (0, 1), "the first one's");
    lab.clock.jump(10 * SECOND as i64);
    lab
}

#[test]
fn expiry_that_fails_anywhere_is_done_later_and_counts_once() {
    let mut failures = 0;
    for op in [
        Op::Write,
        Op::Sync,
        Op::Rename,
        Op::Unlink,
        Op::Create,
        Op::SyncDir,
    ] {
        for (times, outcome) in [
            (1, Outcome::Errno(EIO)),
            (u64::MAX, Outcome::Errno(ENOSPC)),
            (1, Outcome::Torn(3)),
        ] {
            for nth in 1..20 {
                for is_killed in [false, true] {
                    let fault = Fault {
                        op,
                        nth,
                        times,
                        outcome,
                    };
                    failures += u32::from(fail_expiry_at(fault, is_killed));
                }
            }
        }
    }
    assert!(failures > 6, "only {failures} failures were played");
}

fn fail_expiry_at(fault: Fault, is_killed: bool) -> bool {
    let mut lab = aged(cold());
    lab.fs.fail(fault);
    let failed = lab.engine.retain_step().is_err();
    lab.fs.heal();
    if is_killed {
        lab.reopen();
    }
    assert_account(&lab);
    lab.engine.retain_step().expect("retains");
    assert_account(&lab);
    let status = lab.engine.status();
    assert!(lab.get(trace_id(31)).is_empty());
    assert_eq!(status.expired, 2, "{fault:?}");
    lab.reopen();
    assert_account(&lab);
    assert_eq!(searched(&lab).0, [number_of(1)]);
    // What could not be unlinked went at the start.
    assert_eq!((lab.files(".seg").len(), lab.files(".idx").len()), (2, 1));
    failed
}

#[test]
fn what_expired_does_not_come_back_with_a_torn_manifest() {
    let mut lab = aged(cold());
    lab.engine.retain_step().expect("retains");
    let manifest = lab.dir.path().join("manifest");
    let length = std::fs::metadata(&manifest).expect("is there").len();
    let file = std::fs::OpenOptions::new().write(true).open(&manifest);
    file.expect("opens").set_len(length - 1).expect("cuts");
    lab.reopen();
    assert_eq!(lab.engine.status().lost, 2, "named, and not there");
    lab.engine.retain_step().expect("retains");
    assert_account(&lab);
    assert!(lab.get(trace_id(31)).is_empty());
    assert_eq!(searched(&lab).0, [number_of(1)]);
}

#[test]
fn a_newer_release_s_segment_is_refused_untouched() {
    let mut lab = aged(cold());
    let file = lab.files(".seg")[0].clone();
    let mut bytes = std::fs::read(&file).expect("reads");
    bytes[8..12].copy_from_slice(&99u32.to_le_bytes());
    let crc = tracewell_storage_embedded::format::checksum(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&file, &bytes).expect("writes");
    std::fs::write(file.with_file_name("00000000000000ff.seg"), &bytes).expect("writes");
    let before = StdFs
        .list(file.parent().expect("a directory"))
        .expect("lists");
    let opened = engine_support::open(&lab.fs, &lab.dir, &lab.clock, lab.options);
    let error = opened.expect_err("refuses");
    assert_eq!(error.class, Class::Invalid);
    assert!(error.message.contains("version 99"), "{error}");
    let after = StdFs
        .list(file.parent().expect("a directory"))
        .expect("lists");
    assert_eq!(before, after);
    lab.log.clear();
}

/// A disk of so many bytes: what files grow by is taken from it, what is unlinked comes back.
#[derive(Clone, Debug)]
struct SmallDisk {
    free: Arc<AtomicI64>,
}

#[derive(Debug)]
struct SmallFile {
    inner: Arc<dyn File>,
    free: Arc<AtomicI64>,
}

impl SmallDisk {
    fn file(&self, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(SmallFile {
            inner,
            free: self.free.clone(),
        })
    }

    fn give_back(&self, path: &Path) {
        let length = std::fs::metadata(path).map_or(0, |file| file.len());
        self.free.fetch_add(length as i64, Ordering::SeqCst);
    }
}

impl Fs for SmallDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        StdFs.open(path).map(|file| self.file(file))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        StdFs.create(path).map(|file| self.file(file))
    }
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        StdFs.open_append(path).map(|file| self.file(file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.give_back(to);
        StdFs.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.give_back(path);
        StdFs.unlink(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        StdFs.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        StdFs.sync_dir(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        StdFs.create_dir_all(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        StdFs.lock(path)
    }
    fn space(&self, _dir: &Path) -> io::Result<Space> {
        Ok(Space {
            free_bytes: self.free.load(Ordering::SeqCst).max(0) as u64,
            total_bytes: 1 << 30,
        })
    }
}

impl File for SmallFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as i64;
        if self.free.fetch_sub(length, Ordering::SeqCst) < length {
            self.free.fetch_add(length, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        self.inner.append(bytes)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }
}

#[test]
fn a_full_disk_does_not_keep_expiry_from_making_room() {
    let lab = aged(cold());
    let disk = SmallDisk {
        free: Arc::new(AtomicI64::new(8 << 20)),
    };
    let engine = Engine::open(
        Arc::new(disk.clone()),
        lab.dir.path(),
        lab.clock.clone(),
        lab.options,
    )
    .expect("opens");
    assert_eq!(engine.retain_step().expect("retains").segments, 1);
    lab.clock.advance(40 * DAY);
    // Someone else takes all that is left.
    disk.free.store(0, Ordering::SeqCst);
    assert_eq!(engine.retain_step().expect("retains").segments, 2);
    assert_eq!(engine.status().segments, 0);
    assert_eq!((lab.files(".seg").len(), lab.files(".idx").len()), (0, 0));
    let again = Engine::open(
        Arc::new(disk),
        lab.dir.path(),
        lab.clock.clone(),
        lab.options,
    );
    assert_eq!(again.expect("opens").status().expired, 6);
}
