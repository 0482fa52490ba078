//! The suites that every log and every statistics backend passes.

use std::sync::Arc;

use tempfile::TempDir;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::{
    Durability, LogFixture, OpenLog, OpenStats, StatsFixture, expect_passed, log_suite, stats_suite,
};
use tracewell_storage::memory::Restart;
use tracewell_storage::{SpanLog, StatsReader, StatsWriter};
use tracewell_storage_embedded::fs::StdFs;
use tracewell_storage_embedded::log::{EmbeddedLog, Options};
use tracewell_storage_embedded::stats::EmbeddedStats;

/// Opens logs with these options.
struct Logs(Options);

struct Open {
    dir: TempDir,
    clock: Arc<ManualClock>,
    options: Options,
    log: EmbeddedLog,
}

impl Open {
    fn new(dir: TempDir, clock: Arc<ManualClock>, options: Options) -> Open {
        let (log, _) =
            EmbeddedLog::open(StdFs::shared(), dir.path(), options.clone(), clock.clone()).unwrap();
        Open {
            dir,
            clock,
            options,
            log,
        }
    }
}

impl LogFixture for Logs {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenLog> {
        Box::new(Open::new(
            tempfile::tempdir().unwrap(),
            clock,
            self.0.clone(),
        ))
    }
}

impl OpenLog for Open {
    fn log(&self) -> &dyn SpanLog {
        &self.log
    }

    fn drive(&self) {
        self.log.sync_step();
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenLog> {
        let Open {
            dir,
            clock,
            options,
            log,
        } = *self;
        if how == Restart::CleanStop {
            log.close().unwrap();
        }
        drop(log);
        Box::new(Open::new(dir, clock, options))
    }
}

#[test]
fn the_log_passes_the_suite() {
    let passed = expect_passed(log_suite(&Logs(super::support::options())));
    assert!(passed.left_out.is_empty());
}

#[test]
fn a_log_that_always_reads_from_files_passes_the_suite() {
    let options = Options {
        ring_bytes_max: 0,
        file_bytes_max: 700,
        ..super::support::options()
    };
    expect_passed(log_suite(&Logs(options)));
}

struct Stats;

struct Figures {
    dir: TempDir,
    clock: Arc<ManualClock>,
    stats: EmbeddedStats,
}

impl Figures {
    fn new(dir: TempDir, clock: Arc<ManualClock>) -> Figures {
        let stats = EmbeddedStats::open(StdFs::shared(), dir.path(), clock.clone()).unwrap();
        Figures { dir, clock, stats }
    }
}

impl StatsFixture for Stats {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenStats> {
        Box::new(Figures::new(tempfile::tempdir().unwrap(), clock))
    }
}

impl OpenStats for Figures {
    fn writer(&self) -> &dyn StatsWriter {
        &self.stats
    }

    fn reader(&self) -> &dyn StatsReader {
        &self.stats
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStats> {
        let Figures { dir, clock, stats } = *self;
        if how == Restart::CleanStop {
            stats.flush().unwrap();
        }
        drop(stats);
        Box::new(Figures::new(dir, clock))
    }
}

#[test]
fn the_statistics_pass_the_suite() {
    let passed = expect_passed(stats_suite(&Stats));
    assert!(passed.left_out.is_empty());
}
