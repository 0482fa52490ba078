//! The suite every store must pass, with heads that are never sealed by themselves and with heads
//! that are sealed and compacted all the time, with and without a cache.

mod engine_support;

use std::sync::Arc;

use tempfile::TempDir;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::{
    Durability, OpenStore, Restart, StoreFixture, expect_passed, store_suite,
};
use tracewell_storage::{Error, Position, Record, Sink, SpanScanner, TraceFinder, TraceReader};
use tracewell_storage_embedded::fs::StdFs;
use tracewell_storage_embedded::{EmbeddedTraces, Engine, EngineOptions, StorageSink};

struct EmbeddedFixture(EngineOptions);

/// Merges whatever the policy would merge after every call: little with the default options.
struct Compacting {
    sink: StorageSink,
    engine: Arc<Engine>,
}

impl Compacting {
    fn compact(&self) -> Result<(), Error> {
        while self.engine.compact_step(None, &|| true)?.is_some() {}
        Ok(())
    }
}

impl Sink for Compacting {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        self.sink.apply(records)?;
        self.compact()
    }

    fn durable(&self) -> Vec<Position> {
        self.sink.durable()
    }

    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        self.sink.tick(now_unix_ns)?;
        self.compact()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.sink.flush()?;
        self.compact()
    }
}

struct Open {
    dir: TempDir,
    clock: Arc<ManualClock>,
    options: EngineOptions,
    sink: Compacting,
    traces: EmbeddedTraces,
}

impl Open {
    fn open(dir: TempDir, clock: Arc<ManualClock>, options: EngineOptions) -> Box<dyn OpenStore> {
        let engine =
            Engine::open(StdFs::shared(), dir.path(), clock.clone(), options).expect("opens");
        let traces = engine.traces();
        let sink = Compacting {
            sink: engine.sink(),
            engine,
        };
        Box::new(Open {
            dir,
            clock,
            options,
            sink,
            traces,
        })
    }
}

impl StoreFixture for EmbeddedFixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenStore> {
        Open::open(engine_support::memory_dir(), clock, self.0)
    }
}

impl OpenStore for Open {
    fn sink(&mut self) -> &mut dyn Sink {
        &mut self.sink
    }

    fn reader(&self) -> &dyn TraceReader {
        &self.traces
    }

    fn finder(&self) -> &dyn TraceFinder {
        &self.traces
    }

    fn scanner(&self) -> &dyn SpanScanner {
        &self.traces
    }

    fn restart(mut self: Box<Self>, how: Restart) -> Box<dyn OpenStore> {
        if how == Restart::CleanStop {
            self.sink.flush().expect("flush");
        }
        let Open {
            dir,
            clock,
            options,
            ..
        } = *self;
        Open::open(dir, clock, options)
    }
}

#[test]
fn a_store_that_seals_only_when_told() {
    expect_passed(store_suite(&EmbeddedFixture(EngineOptions::default())));
}

#[test]
fn a_store_that_seals_all_the_time() {
    let options = EngineOptions {
        head_spans_max: 20,
        small_head_age_ns: 1,
        cache_bytes_max: 0,
        block_spans: 7,
        ..EngineOptions::default()
    };
    expect_passed(store_suite(&EmbeddedFixture(options)));
}

#[test]
fn a_store_that_seals_and_compacts_all_the_time() {
    let options = EngineOptions {
        head_spans_max: 20,
        small_head_age_ns: 1,
        block_spans: 7,
        merge_segments_min: 2,
        ..EngineOptions::default()
    };
    expect_passed(store_suite(&EmbeddedFixture(options)));
}

#[test]
fn a_store_with_a_cache_too_small_for_its_blocks() {
    let options = EngineOptions {
        head_spans_max: 300,
        cache_bytes_max: 50_000,
        block_spans: 64,
        ..EngineOptions::default()
    };
    expect_passed(store_suite(&EmbeddedFixture(options)));
}
