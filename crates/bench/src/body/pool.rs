//! A pool of bodies: the spans of so many traces, put into requests as they would end and be sent.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::piece::{Piece, Place};
use super::{Format, Layout, otlp, spans_json, zipkin};
use crate::traffic::{Cycle, Landscape, Span, Trace};

/// What a pool is made of.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// The requests' format.
    pub format: Format,
    /// Which spans share a request.
    pub layout: Layout,
    /// Spans of a request at most.
    pub batch: usize,
    /// Spans in the pool at most; whole traces, one at least.
    pub spans: u64,
    /// Spans of its first trace, where that is to be out of all proportion; 0 where it is one like
    /// the others.
    pub giant_spans: usize,
}

/// Bodies and their plan.
#[derive(Debug)]
pub struct Pool {
    /// What is known of them without their bytes.
    pub plan: Plan,
    /// The bodies, as they were encoded.
    pub templates: Vec<Bytes>,
}

/// Where everything of a pool stands.
#[derive(Debug)]
pub struct Plan {
    /// Whose traffic it is.
    pub landscape: Landscape,
    seed: u64,
    options: PoolOptions,
    bodies: Vec<Body>,
    /// The ordinal of each trace's first span, and the end.
    first_spans: Vec<u64>,
    bytes: u64,
}

#[derive(Debug)]
struct Body {
    /// Ordinals in the pool.
    spans: Vec<u32>,
    places: Vec<Place>,
}

/// What a span is called within its pool, and when it starts within its cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) trace: u64,
    pub(super) span: u64,
    pub(super) parent: Option<u64>,
    pub(super) start_ns: u64,
}

/// A span, encoded, in the order of traces.
struct Encoded {
    end_ns: u64,
    origin: u32,
    scope: (&'static str, &'static str),
    bytes: Range<usize>,
    places: Range<usize>,
}

impl Pool {
    /// Encodes it.
    pub fn new(landscape: Landscape, seed: u64, options: PoolOptions) -> Pool {
        let mut all = Piece::default();
        let (mut spans, mut first_spans) = (Vec::new(), Vec::new());
        for number in 0.. {
            let trace = trace_of(&landscape, options, number);
            let full = (spans.len() + trace.spans.len()) as u64 > options.spans;
            if full && number > 0 {
                break;
            }
            first_spans.push(spans.len() as u64);
            encode_trace(
                &landscape,
                options.format,
                number,
                &trace,
                &mut all,
                &mut spans,
            );
        }
        first_spans.push(spans.len() as u64);
        let mut by_end: Vec<u32> = (0..spans.len() as u32).collect();
        by_end.sort_by_key(|&at| spans[at as usize].end_ns);
        let (mut bodies, mut templates) = (Vec::new(), Vec::new());
        for request in requests(&by_end, &spans, options) {
            let piece = body(&landscape, options.format, &request, &spans, &all);
            templates.push(Bytes::from(piece.bytes));
            bodies.push(Body {
                spans: request,
                places: piece.places,
            });
        }
        let bytes = templates.iter().map(|body| body.len() as u64).sum();
        Pool {
            plan: Plan {
                landscape,
                seed,
                options,
                bodies,
                first_spans,
                bytes,
            },
            templates,
        }
    }
}

impl Plan {
    /// Bodies of a cycle.
    pub fn bodies(&self) -> u64 {
        self.bodies.len() as u64
    }

    /// Traces of a cycle.
    pub fn traces(&self) -> u64 {
        self.first_spans.len() as u64 - 1
    }

    /// Spans of a cycle.
    pub fn spans(&self) -> u64 {
        self.first_spans.last().copied().unwrap_or(0)
    }

    /// Bytes of a span in a body that is not compressed.
    pub fn bytes_per_span(&self) -> f64 {
        self.bytes as f64 / self.spans().max(1) as f64
    }

    /// Nanoseconds that a cycle covers.
    pub fn length_ns(&self) -> u64 {
        self.landscape.length_ns(self.traces())
    }

    /// The cycle with this number, when the first one began then.
    pub fn cycle(&self, number: u64, began_unix_ns: u64) -> Cycle {
        Cycle::new(self.seed, number, began_unix_ns + number * self.length_ns())
    }

    /// A trace of the pool.
    pub fn trace(&self, number: u64) -> Trace {
        trace_of(&self.landscape, self.options, number)
    }

    /// A trace's id and its spans' ids in a cycle.
    pub fn ids(
        &self,
        number: u64,
        cycle: Cycle,
    ) -> ([u8; 16], impl Iterator<Item = [u8; 8]> + use<>) {
        let at = number as usize;
        let spans = self.first_spans[at]..self.first_spans[at + 1];
        (
            cycle.trace_id(number),
            spans.map(move |span| cycle.span_id(span)),
        )
    }

    /// How many spans a trace has.
    pub fn spans_of(&self, number: u64) -> u64 {
        self.first_spans[number as usize + 1] - self.first_spans[number as usize]
    }

    /// How many spans this body has.
    pub fn body_spans(&self, body: u64) -> u32 {
        self.bodies[body as usize].spans.len() as u32
    }

    /// The traces that this body has spans of, one for each span.
    pub fn body_traces(&self, body: u64) -> impl Iterator<Item = u64> {
        self.body_spans_of_traces(body).map(|(trace, _)| trace)
    }

    /// The spans of this body: each one's trace, and its position there.
    pub fn body_spans_of_traces(&self, body: u64) -> impl Iterator<Item = (u64, u64)> {
        self.bodies[body as usize].spans.iter().map(|&span| {
            let trace = self
                .first_spans
                .partition_point(|&first| first <= u64::from(span))
                - 1;
            (trace as u64, u64::from(span) - self.first_spans[trace])
        })
    }

    /// The body as a cycle has it; in place, unless someone still holds the bytes.
    pub fn write(&self, body: u64, bytes: Bytes, cycle: Cycle) -> Bytes {
        let mut bytes = bytes
            .try_into_mut()
            .unwrap_or_else(|held| BytesMut::from(&held[..]));
        for place in &self.bodies[body as usize].places {
            place.write(&mut bytes, cycle);
        }
        bytes.freeze()
    }
}

fn trace_of(landscape: &Landscape, options: PoolOptions, number: u64) -> Trace {
    if options.giant_spans > 0 && number == 0 {
        landscape.giant(number, options.giant_spans)
    } else {
        landscape.trace(number)
    }
}

fn encode_trace(
    landscape: &Landscape,
    format: Format,
    number: u64,
    trace: &Trace,
    all: &mut Piece,
    spans: &mut Vec<Encoded>,
) {
    let first = spans.len() as u64;
    let mut piece = Piece::default();
    for (at, span) in trace.spans.iter().enumerate() {
        let numbers = Numbers {
            trace: number,
            span: first + at as u64,
            parent: span.parent.map(|parent| first + u64::from(parent)),
            start_ns: trace.start_ns + span.start_ns,
        };
        piece.bytes.clear();
        piece.places.clear();
        put_span(&mut piece, landscape, format, span, numbers);
        let (byte, place) = (all.bytes.len(), all.places.len());
        // Places are relative to their span, since all of a pool may exceed 4 GiB.
        all.bytes.extend_from_slice(&piece.bytes);
        all.places.extend_from_slice(&piece.places);
        spans.push(Encoded {
            end_ns: numbers.start_ns + span.duration_ns,
            origin: span.origin,
            scope: span.scope,
            bytes: byte..all.bytes.len(),
            places: place..all.places.len(),
        });
    }
}

fn put_span(out: &mut Piece, landscape: &Landscape, format: Format, span: &Span, numbers: Numbers) {
    let origin = &landscape.origins[span.origin as usize];
    match format {
        Format::OtlpHttp | Format::OtlpGrpc => otlp::put_span(out, span, numbers),
        Format::SpansJson => spans_json::put_span(out, span, origin, numbers),
        Format::Zipkin => zipkin::put_span(out, span, origin, numbers),
    }
}

/// The spans of each request, in the order they are sent.
fn requests(by_end: &[u32], spans: &[Encoded], options: PoolOptions) -> Vec<Vec<u32>> {
    match options.layout {
        Layout::Gateway => by_end.chunks(options.batch).map(<[u32]>::to_vec).collect(),
        Layout::Service => {
            let mut requests = Vec::new();
            let mut queues: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for &at in by_end {
                let queue = queues.entry(spans[at as usize].origin).or_default();
                queue.push(at);
                if queue.len() == options.batch {
                    requests.push(std::mem::take(queue));
                }
            }
            requests.extend(queues.into_values().filter(|queue| !queue.is_empty()));
            requests
        }
    }
}

fn body(
    landscape: &Landscape,
    format: Format,
    request: &[u32],
    spans: &[Encoded],
    all: &Piece,
) -> Piece {
    let mut body = Piece::default();
    let append = |to: &mut Piece, at: u32| {
        let span = &spans[at as usize];
        to.append(
            &all.bytes[span.bytes.clone()],
            &all.places[span.places.clone()],
        );
    };
    match format {
        Format::OtlpHttp | Format::OtlpGrpc => {
            // As a collector's batch: grouped by resource and scope, in the order they first come.
            let mut groups: Vec<((u32, &'static str), Piece)> = Vec::new();
            for &at in request {
                let span = &spans[at as usize];
                let key = (span.origin, span.scope.0);
                let group = match groups.iter().position(|(known, _)| *known == key) {
                    Some(group) => group,
                    None => {
                        groups.push((key, Piece::default()));
                        groups.len() - 1
                    }
                };
                append(&mut groups[group].1, at);
            }
            for ((origin, scope), group) in &groups {
                let version = request
                    .iter()
                    .map(|&at| spans[at as usize].scope)
                    .find(|known| known.0 == *scope);
                let origin = &landscape.origins[*origin as usize];
                otlp::put_group(&mut body, origin, version.unwrap_or((scope, "")), group);
            }
        }
        Format::SpansJson => {
            for (nth, &at) in request.iter().enumerate() {
                body.bytes.push(if nth == 0 { b'[' } else { b',' });
                append(&mut body, at);
            }
            body.bytes.push(b']');
        }
        Format::Zipkin => request.iter().for_each(|&at| append(&mut body, at)),
    }
    if format == Format::OtlpGrpc {
        framed(&body)
    } else {
        body
    }
}

/// gRPC's frame: not compressed, so many bytes.
fn framed(message: &Piece) -> Piece {
    let mut framed = Piece::default();
    framed.bytes.push(0);
    framed
        .bytes
        .extend_from_slice(&(message.bytes.len() as u32).to_be_bytes());
    framed.append(&message.bytes, &message.places);
    framed
}
