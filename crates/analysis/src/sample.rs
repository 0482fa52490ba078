//! Whole traces of a range of time, a few words a span: what the figures over many traces are made
//! of. Bounded: when there are too many spans, every second trace goes, chosen by its id alone, so
//! that the same question gets the same answer; how many are left is said.

use std::ops::ControlFlow;

use hashbrown::HashMap;
use tracewell_model::attribute::ValueType;
use tracewell_model::{SpanBatch, SpanId, SpanKind, TraceId};
use tracewell_storage::stats::OTHER;
use tracewell_storage::{Error, ReadContext, ScanQuery, Scanned, SpanScanner};

use crate::critical_path::is_detached;
use crate::spans::as_far_as_read;

/// Spans of one sample: 28 MiB, and enough for any percentile.
pub const SPANS_MAX: usize = 400_000;
/// Distinct texts; further ones are one text, as in the figures of the aggregator.
const TEXTS_MAX: usize = 200_000;
/// How much longer than the range a trace that began in it may take.
const TAIL_MAX_NS: u64 = 60_000_000_000;
/// Where a client says whom it calls, the most telling first.
const PEER_KEYS: [&str; 6] = [
    "peer.service",
    "server.address",
    "net.peer.name",
    "rpc.service",
    "http.host",
    "db.system",
];
/// No text.
pub const NONE: u32 = u32::MAX;

/// An operation of a service, as a position in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Op(pub u32);

/// A service, as a position in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Service(pub u32);

/// The names of services and operations, once each. Shared by the samples that are compared.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    positions: HashMap<Box<str>, u32>,
    operations: Vec<(Service, u32)>,
    of_operation: HashMap<(Service, u32), Op>,
}

impl Names {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(&position) = self.positions.get(text) {
            return position;
        }
        if self.texts.len() >= TEXTS_MAX && text != OTHER {
            return self.text(OTHER);
        }
        let position = self.texts.len() as u32;
        self.texts.push(text.into());
        self.positions.insert(text.into(), position);
        position
    }

    fn operation(&mut self, service: Service, text: u32) -> Op {
        let next = Op(self.operations.len() as u32);
        let op = *self.of_operation.entry((service, text)).or_insert(next);
        if op == next {
            self.operations.push((service, text));
        }
        op
    }

    /// The position of an operation that some span has.
    pub fn find(&self, service: &str, operation: &str) -> Option<Op> {
        let service = Service(*self.positions.get(service)?);
        let operation = *self.positions.get(operation)?;
        self.of_operation.get(&(service, operation)).copied()
    }

    /// The service of an operation.
    pub fn service_of(&self, op: Op) -> Service {
        let known = self.operations.get(op.0 as usize);
        known.map_or(Service(NONE), |&(service, _)| service)
    }

    /// A service's name.
    pub fn service(&self, service: Service) -> &str {
        self.texts.get(service.0 as usize).map_or("", |text| text)
    }

    /// An operation's name, without its service.
    pub fn operation_name(&self, op: Op) -> &str {
        let known = self.operations.get(op.0 as usize);
        let text = known.and_then(|&(_, text)| self.texts.get(text as usize));
        text.map_or("", |text| text)
    }
}

/// A span, as far as blame needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// When it started.
    pub start_unix_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// Its id.
    pub id: SpanId,
    /// Its parent's id; zero for none.
    pub parent: SpanId,
    /// What it does.
    pub op: Op,
    /// Whom it says it calls, a text; [`NONE`] when it does not say.
    pub peer: u32,
    /// [`SpanKind`] as a number.
    kind: u8,
    /// It failed.
    pub error: bool,
    /// Its parent did not wait for it.
    pub detached: bool,
}

impl Span {
    /// Its side of a call.
    pub fn kind(&self) -> SpanKind {
        SpanKind::from_u8(self.kind).unwrap_or_default()
    }

    /// When it ended.
    pub fn end_unix_ns(&self) -> u64 {
        self.start_unix_ns.saturating_add(self.duration_ns)
    }
}

/// The traces that began in a range of time, or some of them.
#[derive(Debug)]
pub struct Sample {
    /// By trace, then by start, repeats left out.
    spans: Vec<Span>,
    /// Traces whose mixed id is at most this are in.
    kept_to: u64,
    /// What reading it was like.
    pub scanned: Scanned,
}

impl Sample {
    /// Reads the traces that began in `[from, to)`.
    pub fn read(
        scanner: &dyn SpanScanner,
        (from_unix_ns, to_unix_ns): (u64, u64),
        names: &mut Names,
        context: &ReadContext,
    ) -> Result<Sample, Error> {
        let tail_ns = TAIL_MAX_NS.min(to_unix_ns.saturating_sub(from_unix_ns));
        let query = ScanQuery {
            start_unix_ns: Some(from_unix_ns),
            end_unix_ns: Some(to_unix_ns.saturating_add(tail_ns)),
            ..ScanQuery::default()
        };
        let mut gather = Gather {
            names,
            spans: Vec::new(),
            kept_to: u64::MAX,
        };
        let read = scanner.scan_spans(&query, context, &mut |batch, rows| {
            gather.take(batch, rows);
            ControlFlow::Continue(())
        });
        let scanned = as_far_as_read(read)?;
        Ok(gather.finish(to_unix_ns, scanned))
    }

    /// The spans of each trace, by start.
    pub fn traces(&self) -> impl Iterator<Item = &[Span]> {
        self.spans.chunk_by(|a, b| a.trace == b.trace)
    }

    /// Lets go of the traces that this says no to.
    pub fn retain_traces(&mut self, keep: impl Fn(&[Span]) -> bool) {
        let kept: Vec<Span> = self
            .traces()
            .filter(|trace| keep(trace))
            .flatten()
            .copied()
            .collect();
        self.spans = kept;
    }

    /// How many spans it holds.
    pub fn spans(&self) -> usize {
        self.spans.len()
    }

    /// The part of all traces that is in it, 0–1.
    pub fn share(&self) -> f64 {
        self.kept_to as f64 / u64::MAX as f64
    }
}

struct Gather<'a> {
    names: &'a mut Names,
    spans: Vec<Span>,
    kept_to: u64,
}

impl Gather<'_> {
    fn take(&mut self, batch: &SpanBatch, rows: &[u32]) {
        let columns = batch.columns();
        let mut services = vec![NONE; columns.resources.len()];
        let mut operations: HashMap<(u32, u32), Op> = HashMap::new();
        let peers: Vec<Option<usize>> = columns
            .shapes
            .iter()
            .map(|shape| {
                let at = |key: &&str| {
                    let is_it = |&(name, kind): &(u32, ValueType)| {
                        kind == ValueType::Str && columns.text.get(name) == *key
                    };
                    shape.iter().position(is_it)
                };
                PEER_KEYS.iter().find_map(at)
            })
            .collect();
        for &row in rows {
            let span = batch.span(row);
            let trace = span.trace_id();
            if mixed(trace) > self.kept_to {
                continue;
            }
            let at = row as usize;
            let resource = columns.resource[at];
            let service = &mut services[resource as usize];
            if *service == NONE {
                *service = self.names.text(span.service());
            }
            let service = Service(*service);
            let key = (service.0, columns.operation[at]);
            let op = *operations.entry(key).or_insert_with(|| {
                let text = self.names.text(span.operation());
                self.names.operation(service, text)
            });
            let kind = span.kind();
            let peer = match kind {
                SpanKind::Client => peers[columns.shape[at] as usize]
                    .and_then(|at| span.attribute(at))
                    .map_or(NONE, |peer| self.names.text(&peer.value.text())),
                _ => NONE,
            };
            self.spans.push(Span {
                trace,
                start_unix_ns: span.start_unix_ns(),
                duration_ns: span.duration_ns(),
                id: span.span_id(),
                parent: columns.parent[at],
                op,
                peer,
                kind: kind as u8,
                error: span.is_error(),
                detached: is_detached(kind, span.marks()),
            });
        }
        while self.spans.len() > SPANS_MAX {
            self.kept_to /= 2;
            let kept_to = self.kept_to;
            self.spans.retain(|span| mixed(span.trace) <= kept_to);
        }
    }

    fn finish(self, to_unix_ns: u64, scanned: Scanned) -> Sample {
        let mut spans = self.spans;
        spans.sort_unstable();
        spans.dedup();
        // Later traces were read for the sake of those that began before them.
        let mut first = (TraceId::default(), 0);
        spans.retain(|span| {
            if span.trace != first.0 {
                first = (span.trace, span.start_unix_ns);
            }
            first.1 < to_unix_ns
        });
        Sample {
            spans,
            kept_to: self.kept_to,
            scanned,
        }
    }
}

/// A trace's place among all: ids need not be random.
pub(crate) fn mixed(trace: TraceId) -> u64 {
    let id = u128::from_be_bytes(trace.0);
    let id = (id >> 64) as u64 ^ (id as u64).rotate_left(32);
    let id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    id ^ (id >> 31)
}
