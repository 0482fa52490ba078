//! Rates, errors, latencies and service-graph edges: made by the aggregator alone, from the stream (D16).

use hashbrown::HashMap;
use tracewell_model::histogram::Histogram;

use crate::context::Searched;
use crate::error::Error;
use crate::log::Position;
use crate::roll::{Instance, RollCall};

/// The finest step that figures are kept at.
pub const STEP_NS: u64 = 10_000_000_000;

/// Where further services and operations are counted once the caps are reached.
pub const OTHER: &str = "__other__";

/// Counts and latencies of some spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Spans.
    pub count: u64,
    /// Those that failed.
    pub error_count: u64,
    /// Their durations in nanoseconds.
    pub latency: Histogram,
}

impl Figures {
    /// Counts one span.
    pub fn record(&mut self, duration_ns: u64, error: bool) {
        self.count += 1;
        self.error_count += u64::from(error);
        self.latency.record(duration_ns);
    }

    /// Adds other spans' figures.
    pub fn merge(&mut self, other: &Figures) {
        self.count += other.count;
        self.error_count += other.error_count;
        self.latency.merge(&other.latency);
    }
}

/// What figures are kept by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SeriesKey {
    /// Spans of one operation of one service.
    Operation {
        /// The service.
        service: String,
        /// The operation.
        operation: String,
        /// True for entry spans: server and consumer spans, roots, and spans without a kind.
        entry: bool,
    },
    /// Calls from one service to another; figures are the callee's.
    Edge {
        /// The caller.
        parent: String,
        /// The callee.
        child: String,
    },
}

/// Why a span with a parent made no edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unjoined {
    /// Its parent did not come within the window.
    pub no_parent_in_window: u64,
    /// The window's byte cap was reached.
    pub over_cap: u64,
}

/// Figures to add, by step (`span start / STEP_NS`) and key, with the positions they cover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsDelta {
    /// What to add.
    pub figures: HashMap<(u64, SeriesKey), Figures>,
    /// Spans that made no edge.
    pub unjoined: Unjoined,
    /// Who was heard: facts, which may be told twice.
    pub instances: Vec<Instance>,
    /// After this delta, everything at or before these positions is counted.
    pub positions: Vec<Position>,
    /// The wall clock, for rolling up and expiring.
    pub now_unix_ns: u64,
}

/// Takes figures in.
///
/// Contract: figures and positions are saved together, so that after a crash replay starts where
/// the figures end; what is counted twice is at most what came since the last save (10 s), R16.
pub trait StatsWriter: Send + Sync {
    /// Adds these figures. Readers see them at once, those of other processes within one save (10 s).
    fn write(&self, delta: StatsDelta) -> Result<(), Error>;

    /// How far figures are saved.
    fn durable(&self) -> Vec<Position>;

    /// Saves everything written.
    fn flush(&self) -> Result<(), Error>;
}

/// A range of time to read figures of. Both ends are rounded outwards to the steps that figures of
/// that age are kept at (D16): 10 s in the last hour, 1 min in the last day, 10 min before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From, inclusive.
    pub from_unix_ns: u64,
    /// To, exclusive.
    pub to_unix_ns: u64,
    /// Into how many equal steps `series` is cut; 0 for none.
    pub steps: usize,
}

impl Window {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.to_unix_ns.saturating_sub(self.from_unix_ns) as f64 / 1e9
    }
}

/// Which spans a service's figures are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Its entry spans: what it was asked to do.
    #[default]
    EntrySpans,
    /// All its spans, because it has no entry span in the window.
    AllSpans,
}

/// One service's figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceFigures {
    /// The service.
    pub service: String,
    /// Which spans count.
    pub basis: Basis,
    /// Over the whole window.
    pub figures: Figures,
    /// By step, oldest first: (step's start, figures).
    pub series: Vec<(u64, Figures)>,
}

/// One operation's figures: every span of the operation counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationFigures {
    /// The operation.
    pub operation: String,
    /// Over the whole window.
    pub figures: Figures,
}

/// One edge of the service graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgeFigures {
    /// The caller.
    pub parent: String,
    /// The callee.
    pub child: String,
    /// Of the callee's spans.
    pub figures: Figures,
}

/// An answer of figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<T> {
    /// The rows, sorted by name.
    pub rows: Vec<T>,
    /// True when a cap sent some spans to `__other__`.
    pub capped: bool,
    /// Spans that made no edge, since the process started (graph only).
    pub unjoined: Unjoined,
    /// What was looked at.
    pub searched: Searched,
    /// Why figures may be missing or stale; sentences.
    pub incomplete: Vec<String>,
}

/// Reads figures. Never reads the trace store (R55, D19).
pub trait StatsReader: Send + Sync {
    /// All services in one read (R30).
    fn read_services(&self, window: &Window) -> Result<Answer<ServiceFigures>, Error>;

    /// All operations of a service.
    fn read_operations(
        &self,
        service: &str,
        window: &Window,
    ) -> Result<Answer<OperationFigures>, Error>;

    /// All operations of all services, each with its service.
    fn read_every_operation(
        &self,
        window: &Window,
    ) -> Result<Answer<(String, OperationFigures)>, Error> {
        let mut every = Answer::default();
        for service in self.read_services(window)?.rows {
            let of_service = self.read_operations(&service.service, window)?;
            every.capped |= of_service.capped;
            every.searched.add(&of_service.searched);
            every.incomplete.extend(of_service.incomplete);
            let named = |row| (service.service.clone(), row);
            every.rows.extend(of_service.rows.into_iter().map(named));
        }
        Ok(every)
    }

    /// All edges.
    fn read_graph(&self, window: &Window) -> Result<Answer<EdgeFigures>, Error>;

    /// Which instances of a service were heard, and when.
    fn read_roll(&self, service: &str) -> Result<RollCall, Error>;
}
