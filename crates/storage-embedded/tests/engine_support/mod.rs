//! What the engine's tests share: an engine in a directory of its own, played by hand.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tracewell_model::TraceId;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::{
    Error, Found, FoundTrace, Position, ReadContext, Record, Sink, TraceFinder, TraceQuery,
    TraceReader,
};
use tracewell_storage_embedded::fs::fault::FaultFs;
use tracewell_storage_embedded::fs::{Fs, StdFs};
use tracewell_storage_embedded::{Engine, EngineOptions};

pub const NOW: u64 = 1_700_000_000_000_000_000;
pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;

/// No cache: reads are counted as after a restart.
pub fn cold() -> EngineOptions {
    EngineOptions {
        cache_bytes_max: 0,
        ..EngineOptions::default()
    }
}

/// An engine, the log that feeds it, and the disk it lies on.
pub struct Lab {
    pub dir: Arc<TempDir>,
    pub fs: FaultFs,
    pub clock: Arc<ManualClock>,
    pub options: EngineOptions,
    pub log: Vec<Record>,
    pub engine: Arc<Engine>,
}

impl Lab {
    pub fn new(options: EngineOptions) -> Lab {
        let dir = Arc::new(memory_dir());
        let fs = FaultFs::new(StdFs::shared());
        let clock = Arc::new(ManualClock::at(NOW));
        let engine = open(&fs, &dir, &clock, options).expect("opens an empty directory");
        Lab {
            dir,
            fs,
            clock,
            options,
            log: Vec::new(),
            engine,
        }
    }

    /// Appends to the log and applies.
    pub fn push(&mut self, spans: &[SpanSpec]) {
        self.append(spans);
        let last = self.log.len() - 1;
        self.engine.sink().apply(&self.log[last..]).expect("apply");
    }

    pub fn append(&mut self, spans: &[SpanSpec]) {
        self.clock.advance(MS);
        use tracewell_model::Clock;
        let position = Position {
            partition: 0,
            offset: self.log.len() as u64 + 1,
        };
        let arrived_unix_ns = self.clock.unix_ns();
        self.log.push(Record {
            position,
            arrived_unix_ns,
            batch: Arc::new(batch(spans)),
        });
    }

    pub fn seal(&self) {
        self.engine.sink().flush().expect("seal");
    }

    /// Merges all that the policy would merge now; answers how often.
    pub fn compact(&self) -> usize {
        let step = || self.engine.compact_step(None, &|| true).expect("compacts");
        std::iter::from_fn(step).count()
    }

    pub fn durable(&self) -> u64 {
        self.engine
            .durable()
            .first()
            .map_or(0, |position| position.offset)
    }

    /// What a kill leaves: opens the directory again, and replays nothing.
    pub fn reopen(&mut self) {
        self.engine = open(&self.fs, &self.dir, &self.clock, self.options).expect("reopens");
    }

    /// Delivers what the log has beyond what is durable.
    pub fn replay(&mut self) {
        let from = self.durable() as usize;
        self.engine.sink().apply(&self.log[from..]).expect("replay");
    }

    pub fn context(&self) -> ReadContext {
        ReadContext::new(self.clock.clone(), 60 * SECOND)
    }

    pub fn get(&self, id: TraceId) -> FoundTrace {
        self.engine
            .traces()
            .get_trace(id, &self.context())
            .expect("get_trace")
    }

    pub fn find(&self, query: &TraceQuery) -> Found {
        self.engine
            .traces()
            .find_traces(query, &self.context())
            .expect("find_traces")
    }

    /// Spans of all records applied so far.
    pub fn logged_spans(&self) -> u64 {
        self.log
            .iter()
            .map(|record| record.batch.len() as u64)
            .sum()
    }

    #[track_caller]
    pub fn assert_account(&self, applied: u64) {
        let status = self.engine.status();
        assert_eq!(status.stored + status.duplicate, applied, "{status:?}");
        assert_eq!(status.stored, status.segment_spans + status.head_spans);
    }

    /// Files of the segments with this ending, by name.
    pub fn files(&self, ending: &str) -> Vec<PathBuf> {
        let dir = self.dir.path().join("segments");
        let names = StdFs.list(&dir).expect("lists the segments");
        names
            .into_iter()
            .filter(|name| name.ends_with(ending))
            .map(|name| dir.join(name))
            .collect()
    }
}

pub fn open(
    fs: &FaultFs,
    dir: &TempDir,
    clock: &Arc<ManualClock>,
    options: EngineOptions,
) -> Result<Arc<Engine>, Error> {
    Engine::open(Arc::new(fs.clone()), dir.path(), clock.clone(), options)
}

/// The spans of an answer as values, repeats left out, in an order of their own.
pub fn specs(found: &FoundTrace) -> Vec<SpanSpec> {
    let mut specs: Vec<SpanSpec> = Vec::new();
    for spec in found.spans().map(SpanSpec::of) {
        if !specs.contains(&spec) {
            specs.push(spec);
        }
    }
    specs.sort_by_key(|spec| (spec.start_unix_ns, spec.span_id));
    specs
}

/// A directory in memory where there is one: these tests sync thousands of files, and prove order
/// and content, not the disk's.
pub fn memory_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory")
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("makes a directory");
    for entry in std::fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("copies")),
        }
    }
}
