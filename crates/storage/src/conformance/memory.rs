//! Fixtures of the memory backend. Its restarts hand over what a disk would have kept.

use std::sync::Arc;

use tracewell_model::clock::ManualClock;

use super::{
    Durability, LogFixture, OpenLog, OpenStats, OpenStore, Restart, StatsFixture, StoreFixture,
};
use crate::find::TraceFinder;
use crate::log::SpanLog;
use crate::memory::{MemoryLog, MemoryStats, MemoryStore};
use crate::scan::SpanScanner;
use crate::sink::Sink;
use crate::stats::{StatsReader, StatsWriter};
use crate::traces::TraceReader;

/// Opens memory logs, stores and statistics.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFixture;

impl LogFixture for MemoryFixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenLog> {
        Box::new(MemoryLog::new(clock))
    }
}

impl OpenLog for MemoryLog {
    fn log(&self) -> &dyn SpanLog {
        self
    }

    fn restart(self: Box<Self>, _how: Restart) -> Box<dyn OpenLog> {
        Box::new(MemoryLog::restart(&self))
    }
}

impl StoreFixture for MemoryFixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, _clock: Arc<ManualClock>) -> Box<dyn OpenStore> {
        Box::new(MemoryStore::new())
    }
}

impl OpenStore for MemoryStore {
    fn sink(&mut self) -> &mut dyn Sink {
        self
    }

    fn reader(&self) -> &dyn TraceReader {
        self
    }

    fn finder(&self) -> &dyn TraceFinder {
        self
    }

    fn scanner(&self) -> &dyn SpanScanner {
        self
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStore> {
        Box::new(MemoryStore::restart(&self, how))
    }
}

impl StatsFixture for MemoryFixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, _clock: Arc<ManualClock>) -> Box<dyn OpenStats> {
        Box::new(MemoryStats::new())
    }
}

impl OpenStats for MemoryStats {
    fn writer(&self) -> &dyn StatsWriter {
        self
    }

    fn reader(&self) -> &dyn StatsReader {
        self
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStats> {
        Box::new(MemoryStats::restart(&self, how))
    }
}
