//! The stats group: spans into rates, errors, latencies and service-graph edges (D16), written to a
//! [`StatsWriter`] each second. It reads nothing back and keeps nothing but the join window.
//!
//! Exactness: figures and positions are saved together by the writer, so that after a crash what
//! came since its last save is counted again: at most 10 s of over-count (R16, P9). The same holds
//! for spans that are redelivered. The join window is not saved: spans that wait in it at a stop
//! make no edge, and appear in no figure of unjoined spans, which counts since the process started.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use tracewell_model::batch::Columns;
use tracewell_model::histogram::bucket_of;
use tracewell_model::{Clock, Marks, SpanBatch, SpanKind, limits};
use tracewell_storage::stats::{Figures, OTHER, STEP_NS, SeriesKey, Unjoined};
use tracewell_storage::{Error, Position, Record, Sink, SpanLog, StatsDelta, StatsWriter};

use crate::consume::{Options, Worker};
use crate::window::{Call, Callee, Joined, Seen, Service, WINDOW_NS, Window};

/// The group's name, in the log and in metrics.
pub const GROUP: &str = "stats";

/// What the join window may hold (D15).
pub const WINDOW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Figures written before the second is over: what a flood of distinct operations may hold up.
const PENDING_FIGURES_MAX: usize = 50_000;

/// A full table of services is emptied after this long, together with the window.
const SERVICES_KEPT_NS: u64 = 3_600_000_000_000;

/// Joins the log where the writer's saved state ends.
pub fn start(
    log: &dyn SpanLog,
    writer: Arc<dyn StatsWriter>,
    clock: Arc<dyn Clock>,
    options: Options,
) -> Result<Worker, Error> {
    let sink = Box::new(Aggregator::new(writer));
    Worker::join(GROUP, log, sink, clock, options)
}

/// Turns records into figures.
pub struct Aggregator {
    writer: Arc<dyn StatsWriter>,
    window_bytes_max: usize,
    /// One a partition, so that each moves with its own partition's arrival times.
    windows: BTreeMap<u32, Window>,
    services: Services,
    /// Not yet written.
    figures: HashMap<(u64, SeriesKey), Figures>,
    unjoined: Unjoined,
    positions: BTreeMap<u32, u64>,
    /// The last tick's time; the first record's arrival until there is one.
    now_unix_ns: u64,
    /// The last tick's time before the last record came.
    applied_unix_ns: u64,
    /// No record came since the last tick.
    idle: bool,
    counting: Counting,
}

impl std::fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aggregator")
            .field("pending", &self.figures.len())
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl Aggregator {
    /// An aggregator that writes here.
    pub fn new(writer: Arc<dyn StatsWriter>) -> Self {
        Aggregator::with_window_bytes(writer, WINDOW_BYTES_MAX)
    }

    /// An aggregator whose join window holds at most this many bytes.
    pub fn with_window_bytes(writer: Arc<dyn StatsWriter>, window_bytes_max: usize) -> Self {
        Aggregator {
            writer,
            window_bytes_max,
            windows: BTreeMap::new(),
            services: Services::default(),
            figures: HashMap::new(),
            unjoined: Unjoined::default(),
            positions: BTreeMap::new(),
            now_unix_ns: 0,
            applied_unix_ns: 0,
            idle: true,
            counting: Counting::default(),
        }
    }

    /// Bytes the join window holds, for the account of memory.
    pub fn window_bytes(&self) -> usize {
        self.windows.values().map(Window::bytes).sum()
    }

    fn write(&mut self) -> Result<(), Error> {
        let position = |(&partition, &offset)| Position { partition, offset };
        // A copy, for the writer keeps what it gets and a failed write must lose nothing.
        self.writer.write(StatsDelta {
            figures: self.figures.clone(),
            unjoined: self.unjoined,
            positions: self.positions.iter().map(position).collect(),
            now_unix_ns: self.now_unix_ns,
        })?;
        self.figures.clear();
        self.unjoined = Unjoined::default();
        Ok(())
    }

    fn take(&mut self, record: &Record) {
        self.counting.count(&record.batch, &mut self.figures);
        self.join(record);
        let Position { partition, offset } = record.position;
        let counted = self.positions.entry(partition).or_default();
        *counted = offset.max(*counted);
        if self.now_unix_ns == 0 {
            self.now_unix_ns = record.arrived_unix_ns;
        }
    }

    /// All ids of a batch first, then all children: children end before their parents and mostly
    /// lie before them in a batch; this way only those of other batches have to wait.
    fn join(&mut self, record: &Record) {
        let partition = record.position.partition;
        let others = self
            .windows
            .iter()
            .filter(|&(&other, _)| other != partition);
        let others: usize = others.map(|(_, window)| window.bytes()).sum();
        let bytes_max = self.window_bytes_max.saturating_sub(others);
        let window = self.windows.entry(partition).or_default();
        let mut joined = Joined::default();
        window.advance(record.arrived_unix_ns, &mut joined);
        let services = self.services.of_resources(&record.batch);
        let spans = || seen(record.batch.columns(), &services);
        spans().for_each(|span| window.add_id(&span, bytes_max, &mut joined));
        spans().for_each(|span| window.add_child(&span, bytes_max, &mut joined));
        self.add(joined);
    }

    fn add(&mut self, mut joined: Joined) {
        self.unjoined.no_parent_in_window += joined.unjoined.no_parent_in_window;
        self.unjoined.over_cap += joined.unjoined.over_cap;
        // Calls along one edge together: its key is made, and looked for, once.
        joined.calls.sort_unstable();
        let edge = |call: &Call| (call.parent, call.child, call.callee.step);
        for calls in joined.calls.chunk_by(|a, b| edge(a) == edge(b)) {
            let (parent, child, step) = edge(&calls[0]);
            let edge = SeriesKey::Edge {
                parent: self.services.name(parent).to_owned(),
                child: self.services.name(child).to_owned(),
            };
            let figures = self.figures.entry((step, edge)).or_default();
            for call in calls {
                figures.record(call.callee.duration_ns, call.callee.error);
            }
        }
    }

    fn clear_windows(&mut self) {
        let mut joined = Joined::default();
        for window in self.windows.values_mut() {
            window.clear(&mut joined);
        }
        self.add(joined);
    }
}

impl Sink for Aggregator {
    /// Fails only before anything was counted, so that repeating it counts nothing twice.
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        if self.figures.len() >= PENDING_FIGURES_MAX {
            self.write()?;
        }
        for record in records {
            self.take(record);
        }
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
        }
        self.write()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.write()?;
        self.writer.flush()
    }
}

/// What the window needs of each span of a batch.
fn seen<'a>(c: &'a Columns, services: &'a [Service]) -> impl Iterator<Item = Seen> + 'a {
    (0..c.span_id.len()).map(move |row| Seen {
        trace_id: c.traces[c.trace[row] as usize],
        span_id: c.span_id[row],
        parent: (!c.parent[row].is_zero()).then_some(c.parent[row]),
        service: services[c.resource[row] as usize],
        kind: SpanKind::from_u8(c.kind[row]).unwrap_or_default(),
        shared: Marks(c.marks[row]).has(Marks::SHARED_ID),
        callee: Callee {
            step: c.start_unix_ns[row] / STEP_NS,
            duration_ns: c.duration_ns[row],
            error: is_error(c, row),
        },
    })
}

fn is_error(c: &Columns, row: usize) -> bool {
    c.status[row] == tracewell_model::StatusCode::Error as u8
}

/// Numbers for service names, so that the window holds four bytes a span.
#[derive(Debug, Default)]
struct Services {
    numbers: HashMap<Box<str>, Service>,
    names: Vec<Box<str>>,
    full_since_unix_ns: Option<u64>,
}

impl Services {
    /// The numbers of a batch's resources, in their order.
    fn of_resources(&mut self, batch: &SpanBatch) -> Vec<Service> {
        let c = batch.columns();
        let services = c
            .resources
            .iter()
            .map(|resource| c.text.get(resource.service));
        services.map(|service| self.number(service)).collect()
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

/// A series by positions in its batch: equal positions are equal names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Local {
    service: u32,
    operation: u32,
    entry: bool,
    step: u64,
}

/// Counts a batch: series are told apart by position, durations are sorted into runs, and names are
/// hashed once for each distinct series of the batch, not for each span. Room is reused.
#[derive(Default)]
struct Counting {
    slots: HashMap<Local, u32>,
    series: Vec<Local>,
    /// Slot, bucket and error of each span, packed so that sorting groups them.
    spans: Vec<u64>,
}

impl Counting {
    fn count(&mut self, batch: &SpanBatch, figures: &mut HashMap<(u64, SeriesKey), Figures>) {
        self.slots.clear();
        self.series.clear();
        self.spans.clear();
        self.sort(batch.columns());
        let mut rest = self.spans.as_slice();
        while let Some(&first) = rest.first() {
            let slot = first >> 32;
            let (run, after) = rest.split_at(rest.partition_point(|span| span >> 32 == slot));
            rest = after;
            let local = self.series[slot as usize];
            add_run(
                run,
                figures.entry((local.step, local.key(batch))).or_default(),
            );
        }
    }

    fn sort(&mut self, c: &Columns) {
        let mut last = (Local::default(), None);
        for row in 0..c.span_id.len() {
            let local = Local::of(c, row);
            let slot = match last {
                (series, Some(slot)) if series == local => slot,
                _ => *self.slots.entry(local).or_insert_with(|| {
                    self.series.push(local);
                    self.series.len() as u32 - 1
                }),
            };
            last = (local, Some(slot));
            let bucket = u64::from(bucket_of(c.duration_ns[row]));
            let error = u64::from(is_error(c, row));
            self.spans.push(u64::from(slot) << 32 | bucket << 1 | error);
        }
        self.spans.sort_unstable();
    }
}

/// Adds the spans of one series, sorted by bucket.
fn add_run(run: &[u64], figures: &mut Figures) {
    figures.count += run.len() as u64;
    figures.error_count += run.iter().filter(|&span| span & 1 == 1).count() as u64;
    for same in run.chunk_by(|a, b| a >> 1 == b >> 1) {
        figures
            .latency
            .add((same[0] >> 1) as u16, same.len() as u64);
    }
}

impl Local {
    fn of(c: &Columns, row: usize) -> Local {
        let kind = SpanKind::from_u8(c.kind[row]).unwrap_or_default();
        let entry = match kind {
            SpanKind::Server | SpanKind::Consumer | SpanKind::Unspecified => true,
            SpanKind::Internal | SpanKind::Client | SpanKind::Producer => c.parent[row].is_zero(),
        };
        Local {
            service: c.resources[c.resource[row] as usize].service,
            operation: c.operation[row],
            entry,
            step: c.start_unix_ns[row] / STEP_NS,
        }
    }

    fn key(self, batch: &SpanBatch) -> SeriesKey {
        let text = &batch.columns().text;
        SeriesKey::Operation {
            service: text.get(self.service).to_owned(),
            operation: text.get(self.operation).to_owned(),
            entry: self.entry,
        }
    }
}

#[cfg(test)]
mod tests;
