//! What a backend gives to be tested: a way to open it in a new place, and to end it.

use std::sync::Arc;
use std::time::Duration;

use tracewell_model::clock::ManualClock;

use super::Restart;
use crate::find::TraceFinder;
use crate::log::{Ack, SpanLog};
use crate::scan::SpanScanner;
use crate::sink::Sink;
use crate::stats::{StatsReader, StatsWriter};
use crate::traces::TraceReader;

/// What a backend's data survives; cases that need more are left out, and named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: every restart begins empty.
    None,
    /// A clean stop.
    CleanStop,
    /// A crash too.
    Crash,
}

/// Opens span logs.
pub trait LogFixture {
    /// What the log survives.
    fn durability(&self) -> Durability;

    /// How long an answer or a record may take before it counts as lost: a group that forms, a
    /// server that starts.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// The levels that this log cannot keep, on the machine it runs on.
    fn may_refuse(&self) -> &'static [Ack] {
        &[Ack::Replicated]
    }

    /// Opens an empty log in a place of its own.
    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenLog>;
}

/// An open log.
pub trait OpenLog {
    /// The log. The suite holds no handle of it, nor of its consumers, when it restarts it.
    fn log(&self) -> &dyn SpanLog;

    /// Does one round of what the log's threads do (D14): called while the suite waits for an
    /// acknowledgement. Nothing, if the fixture runs threads or the log needs none.
    fn drive(&self) {}

    /// Ends the log in this manner and opens what is left.
    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenLog>;
}

/// Opens trace stores.
pub trait StoreFixture {
    /// What the store survives.
    fn durability(&self) -> Durability;

    /// Into how many shards the batches it takes are split.
    fn shards(&self) -> u16 {
        1
    }

    /// Opens an empty store in a place of its own.
    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenStore>;
}

/// An open store: the sink of the storage group with the readers of what it took in.
pub trait OpenStore {
    /// The sink; of a backend with several (by id, search), one that feeds them all.
    fn sink(&mut self) -> &mut dyn Sink;

    /// The reader by id.
    fn reader(&self) -> &dyn TraceReader;

    /// The finder.
    fn finder(&self) -> &dyn TraceFinder;

    /// The scanner.
    fn scanner(&self) -> &dyn SpanScanner;

    /// Returns when readers see what was applied (D8): a search index's refresh.
    fn settle(&mut self) {}

    /// Ends the store in this manner and opens what is left.
    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStore>;
}

/// Opens statistics.
pub trait StatsFixture {
    /// What they survive.
    fn durability(&self) -> Durability;

    /// Opens empty statistics in a place of their own.
    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenStats>;
}

/// Open statistics.
pub trait OpenStats {
    /// The writer.
    fn writer(&self) -> &dyn StatsWriter;

    /// The reader.
    fn reader(&self) -> &dyn StatsReader;

    /// Returns when readers see what was written: of figures that travel to another process.
    fn settle(&self) {}

    /// Ends them in this manner and opens what is left.
    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStats>;
}
