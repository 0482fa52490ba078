//! The stats group: spans into rates, errors, latencies and service-graph edges (D16), written to a
//! [`StatsWriter`] each second. It reads nothing back and keeps nothing but the join window.
//!
//! Exactness: figures and positions are saved together by the writer, so that after a crash what
//! came since its last save is counted again: at most 10 s of over-count (R16, P9). The same holds
//! for spans that are redelivered. The join window is not saved: spans that wait in it at a stop
//! make no edge, and appear in no figure of unjoined spans, which counts since the process started.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use tracewell_model::histogram::bucket_of;
use tracewell_model::{Clock, Marks, SpanBatch, SpanKind, StatusCode, limits};
use tracewell_storage::stats::{OTHER, STEP_NS, Unjoined};
use tracewell_storage::{Error, Position, Record, Sink, SpanLog, StatsDelta, StatsWriter};

use crate::consume::{Options, Worker};
use crate::roll_call::RollCall;
use crate::sdk_losses::SdkLosses;
use crate::tally::{Counted, Tally};
use crate::window::{Joined, Seen, Service, WINDOW_NS, Window};

/// The group's name, in the log and in metrics.
pub const GROUP: &str = "stats";

/// What the join window may hold (D15).
pub const WINDOW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Spans that are joined together: what the nearest caches hold of them.
const JOINED_TOGETHER: usize = 4_096;

/// A full table of services is emptied after this long, together with the window.
const SERVICES_KEPT_NS: u64 = 3_600_000_000_000;

/// Joins the log where the writer's saved state ends.
pub fn start(
    log: &dyn SpanLog,
    writer: Arc<dyn StatsWriter>,
    clock: Arc<dyn Clock>,
    options: Options,
) -> Result<Worker, Error> {
    start_noting(SdkLosses::default(), log, writer, clock, options)
}

/// The same, noting on the way what SDKs say of their losses.
pub fn start_noting(
    losses: SdkLosses,
    log: &dyn SpanLog,
    writer: Arc<dyn StatsWriter>,
    clock: Arc<dyn Clock>,
    options: Options,
) -> Result<Worker, Error> {
    let sink = Aggregator::noting(losses, writer);
    Worker::join(GROUP, log, Box::new(sink), clock, options)
}

/// Turns records into figures.
pub struct Aggregator {
    writer: Arc<dyn StatsWriter>,
    window_bytes_max: usize,
    /// One a partition, so that each moves with its own partition's arrival times.
    windows: BTreeMap<u32, Window>,
    /// Spans that are counted and not yet joined, all of one partition; none between two calls.
    together: Together,
    services: Services,
    /// Not yet written.
    tally: Tally,
    /// The series of the edges met so far.
    edges: HashMap<(Service, Service), u32>,
    unjoined: Unjoined,
    losses: SdkLosses,
    roll_call: RollCall,
    positions: BTreeMap<u32, u64>,
    /// The last tick's time; the first record's arrival until there is one.
    now_unix_ns: u64,
    /// The last tick's time before the last record came.
    applied_unix_ns: u64,
    /// No record came since the last tick.
    idle: bool,
}

#[derive(Debug, Default)]
struct Together {
    partition: u32,
    spans: Vec<Seen>,
    /// Of the batch at hand, by trace and by resource.
    traces: Vec<u64>,
    services: Vec<Service>,
}

impl std::fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aggregator")
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl Aggregator {
    /// An aggregator that writes here.
    pub fn new(writer: Arc<dyn StatsWriter>) -> Self {
        Aggregator::with_window_bytes(writer, WINDOW_BYTES_MAX)
    }

    /// An aggregator that notes on the way what SDKs say of their losses.
    pub fn noting(losses: SdkLosses, writer: Arc<dyn StatsWriter>) -> Self {
        let mut aggregator = Aggregator::new(writer);
        aggregator.losses = losses;
        aggregator
    }

    /// An aggregator whose join window holds at most this many bytes.
    pub fn with_window_bytes(writer: Arc<dyn StatsWriter>, window_bytes_max: usize) -> Self {
        Aggregator {
            writer,
            window_bytes_max,
            windows: BTreeMap::new(),
            together: Together::default(),
            services: Services::default(),
            tally: Tally::default(),
            edges: HashMap::new(),
            unjoined: Unjoined::default(),
            losses: SdkLosses::default(),
            roll_call: RollCall::default(),
            positions: BTreeMap::new(),
            now_unix_ns: 0,
            applied_unix_ns: 0,
            idle: true,
        }
    }

    /// Bytes the join window holds, for the account of memory.
    pub fn window_bytes(&self) -> usize {
        self.windows.values().map(Window::bytes).sum()
    }

    fn write(&mut self) -> Result<(), Error> {
        let position = |(&partition, &offset)| Position { partition, offset };
        // Forgotten only when they are written: a failed write loses nothing.
        self.writer.write(StatsDelta {
            figures: self.tally.figures(),
            unjoined: self.unjoined,
            instances: self.roll_call.all(),
            positions: self.positions.iter().map(position).collect(),
            now_unix_ns: self.now_unix_ns,
        })?;
        self.tally.clear();
        self.unjoined = Unjoined::default();
        self.roll_call.clear();
        if self.tally.forget_names() {
            self.edges.clear();
            self.services.in_tally.clear();
        }
        Ok(())
    }

    fn take(&mut self, record: &Record) {
        self.losses.note(&record.batch);
        self.roll_call.note(&record.batch);
        let Position { partition, offset } = record.position;
        let window = self.windows.entry(partition).or_default();
        if self.together.partition != partition || window.is_over(record.arrived_unix_ns) {
            self.join();
        }
        let mut joined = Joined::default();
        let window = self.windows.entry(partition).or_default();
        window.advance(record.arrived_unix_ns, &mut joined);
        self.add(&joined);
        self.together.partition = partition;
        let mut from = 0;
        while from < record.batch.len() {
            let room = JOINED_TOGETHER - self.together.spans.len();
            let to = (from + room).min(record.batch.len());
            self.count(&record.batch, from..to);
            if self.together.spans.len() == JOINED_TOGETHER {
                self.join();
            }
            from = to;
        }
        let counted = self.positions.entry(partition).or_default();
        *counted = offset.max(*counted);
        if self.now_unix_ns == 0 {
            self.now_unix_ns = record.arrived_unix_ns;
        }
    }

    /// Counts these spans of a batch, and puts them with those that are to be joined.
    fn count(&mut self, batch: &SpanBatch, rows: Range<usize>) {
        let c = batch.columns();
        let Together {
            partition,
            spans,
            traces,
            services,
        } = &mut self.together;
        let window = self.windows.entry(*partition).or_default();
        traces.clear();
        traces.extend(c.traces.iter().map(|&id| window.trace(id)));
        let mut tally = self.tally.of_batch(batch);
        let resources = c.resources.iter().zip(tally.services());
        services.clear();
        services.extend(resources.map(|(resource, &in_tally)| {
            let name = || c.text.get(resource.service);
            self.services.number_of(in_tally, name)
        }));
        for row in rows {
            let (parent, resource) = (c.parent[row], c.resource[row]);
            let kind = SpanKind::from_u8(c.kind[row]).unwrap_or_default();
            let is_entry = match kind {
                SpanKind::Server | SpanKind::Consumer | SpanKind::Unspecified => true,
                SpanKind::Internal | SpanKind::Client | SpanKind::Producer => parent.is_zero(),
            };
            let counted = Counted {
                step: (c.start_unix_ns[row] / STEP_NS) as u32,
                bucket: bucket_of(c.duration_ns[row]),
                error: c.status[row] == StatusCode::Error as u8,
            };
            tally.add(resource, c.operation[row], is_entry, counted);
            spans.push(Seen {
                trace: traces[c.trace[row] as usize],
                span_id: c.span_id[row],
                parent,
                service: services[resource as usize],
                kind,
                shared: Marks(c.marks[row]).has(Marks::SHARED_ID),
                counted,
            });
        }
        self.tally.count();
    }

    /// Joins what was put together.
    fn join(&mut self) {
        let Together {
            partition, spans, ..
        } = &mut self.together;
        if spans.is_empty() {
            return;
        }
        let others = self.windows.iter().filter(|&(other, _)| other != partition);
        let others: usize = others.map(|(_, window)| window.bytes()).sum();
        let bytes_max = self.window_bytes_max.saturating_sub(others);
        let mut joined = Joined::default();
        let window = self.windows.entry(*partition).or_default();
        window.add(spans, bytes_max, &mut joined);
        spans.clear();
        self.add(&joined);
    }

    fn add(&mut self, joined: &Joined) {
        self.unjoined.no_parent_in_window += joined.unjoined.no_parent_in_window;
        self.unjoined.over_cap += joined.unjoined.over_cap;
        for call in &joined.calls {
            let edge = (call.parent, call.child);
            let series = *self.edges.entry(edge).or_insert_with(|| {
                self.tally.edge(
                    self.services.name(call.parent),
                    self.services.name(call.child),
                )
            });
            self.tally.add(series, call.callee);
        }
        self.tally.count();
    }

    fn clear_windows(&mut self) {
        let mut joined = Joined::default();
        for window in self.windows.values_mut() {
            window.clear(&mut joined);
        }
        self.add(&joined);
    }
}

impl Sink for Aggregator {
    /// Fails only before anything was counted, so that repeating it counts nothing twice.
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        if self.tally.is_full() {
            self.write()?;
        }
        for record in records {
            self.take(record);
        }
        self.join();
        self.applied_unix_ns = self.now_unix_ns;
        self.idle = false;
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        self.writer.durable()
    }

    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        self.now_unix_ns = now_unix_ns;
        // Windows move with arrivals. Where none come any more, the clock ends them; one that leaps
        // while records come does not (P18).
        if self.idle && now_unix_ns.saturating_sub(self.applied_unix_ns) > 2 * WINDOW_NS {
            self.clear_windows();
            self.applied_unix_ns = now_unix_ns;
        }
        self.idle = true;
        if self.services.is_stale(now_unix_ns) {
            self.clear_windows();
            self.services = Services::default();
            self.edges.clear();
        }
        self.write()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.write()?;
        self.writer.flush()
    }
}

/// Numbers for service names, so that the window holds four bytes a span.
#[derive(Debug, Default)]
struct Services {
    numbers: HashMap<Box<str>, Service>,
    names: Vec<Box<str>>,
    /// By the tally's number of a name: its number here plus one, or 0.
    in_tally: Vec<Service>,
    full_since_unix_ns: Option<u64>,
}

impl Services {
    /// The number of a service whose number in the tally is known.
    fn number_of<'a>(&mut self, in_tally: u32, name: impl FnOnce() -> &'a str) -> Service {
        let at = in_tally as usize;
        if let Some(known) = self.in_tally.get(at).and_then(|known| known.checked_sub(1)) {
            return known;
        }
        let number = self.number(name());
        if self.in_tally.len() <= at {
            self.in_tally.resize(at + 1, 0);
        }
        self.in_tally[at] = number + 1;
        number
    }

    fn number(&mut self, name: &str) -> Service {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        // One more than the cap: `__other__` has a place too.
        if self.names.len() >= limits::SERVICES_MAX && name != OTHER {
            return self.number(OTHER);
        }
        let number = self.names.len() as Service;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    fn name(&self, number: Service) -> &str {
        self.names.get(number as usize).map_or(OTHER, |name| name)
    }

    /// True when the table has been full for so long that its services may be gone.
    fn is_stale(&mut self, now_unix_ns: u64) -> bool {
        if self.names.len() < limits::SERVICES_MAX {
            return false;
        }
        let since = *self.full_since_unix_ns.get_or_insert(now_unix_ns);
        now_unix_ns.saturating_sub(since) > SERVICES_KEPT_NS
    }
}

#[cfg(test)]
mod tests;
