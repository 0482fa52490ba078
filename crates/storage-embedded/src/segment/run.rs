//! A run: the spans of one seal in the order in which they are written. Nothing is copied to order
//! them: batches stay where they are, and a run is a list of their rows.

use std::ops::Range;

use tracewell_model::{SpanBatch, SpanId, SpanRef, TraceId, identity, order};

use super::steps::Steps;
use crate::head::{Extent, State};

/// A row of one of a run's batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowRef {
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

/// A trace of a run; its rows lie together.
#[derive(Clone, Debug)]
pub(crate) struct RunTrace {
    pub(crate) id: TraceId,
    pub(crate) steps: Steps,
    /// Its first row in `Run::rows`.
    pub(crate) first: u32,
    pub(crate) spans: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Run<'a> {
    pub(crate) batches: Vec<&'a SpanBatch>,
    /// By (start, trace id).
    pub(crate) traces: Vec<RunTrace>,
    /// Trace by trace, each by (start, span id), those alike in both by content.
    pub(crate) rows: Vec<RowRef>,
    /// Exact repeats that were left out.
    pub(crate) duplicates: u64,
}

/// Rows of a batch that are of one trace, by (start, span id).
#[derive(Clone, Debug)]
pub(crate) struct RunPiece {
    pub(crate) batch: u32,
    pub(crate) rows: Range<u32>,
}

/// A trace that is to be put in order.
#[derive(Clone, Debug)]
pub(crate) struct UnorderedTrace {
    pub(crate) id: TraceId,
    /// How far its parts reached and when: each part's by arrival.
    pub(crate) steps: Vec<(u64, Extent)>,
    pub(crate) pieces: Vec<RunPiece>,
}

/// What a run is ordered with; used again from one to the next.
#[derive(Debug, Default)]
pub(crate) struct RunScratch {
    /// The trace of each part of the head.
    trace_of_part: Vec<u32>,
    rows: Vec<OrderedRow>,
}

/// A row with what it is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OrderedRow {
    start_unix_ns: u64,
    span_id: SpanId,
    at: RowRef,
}

impl RunScratch {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.trace_of_part.capacity() * 4 + self.rows.capacity() * size_of::<OrderedRow>()
    }
}

impl<'a> Run<'a> {
    /// The spans of a trace, in order.
    pub(crate) fn spans(&self, trace: &RunTrace) -> impl Iterator<Item = SpanRef<'a>> {
        let first = trace.first as usize;
        let rows = self.rows[first..first + trace.spans as usize].iter();
        rows.map(|at| self.batches[at.batch as usize].span(at.row))
    }

    /// The spans of a head, exact repeats left out.
    pub(crate) fn from_head(state: &'a State, scratch: &mut RunScratch) -> Run<'a> {
        let batches = state.batches.iter().map(|batch| &*batch.batch).collect();
        let mut run = Run {
            batches,
            ..Run::default()
        };
        run.gather_traces(state, &mut scratch.trace_of_part);
        scatter_rows(state, &run.traces, scratch);
        run.take_rows(&mut scratch.rows);
        run
    }

    /// These traces, exact repeats left out.
    pub(crate) fn from_pieces(
        batches: Vec<&'a SpanBatch>,
        traces: Vec<UnorderedTrace>,
        scratch: &mut RunScratch,
    ) -> Run<'a> {
        let mut run = Run {
            batches,
            ..Run::default()
        };
        let mut traces: Vec<_> = traces.into_iter().map(UnorderedTrace::with_steps).collect();
        traces.sort_unstable_by_key(|(trace, steps)| (steps.last().start, trace.id));
        scratch.rows.clear();
        for (trace, steps) in traces {
            let first = scratch.rows.len() as u32;
            for piece in &trace.pieces {
                let columns = run.batches[piece.batch as usize].columns();
                scratch
                    .rows
                    .extend(piece.rows.clone().map(|row| OrderedRow {
                        start_unix_ns: columns.start_unix_ns[row as usize],
                        span_id: columns.span_id[row as usize],
                        at: RowRef {
                            batch: piece.batch,
                            row,
                        },
                    }));
            }
            run.traces.push(RunTrace {
                id: trace.id,
                steps,
                first,
                spans: scratch.rows.len() as u32 - first,
            });
        }
        run.take_rows(&mut scratch.rows);
        run
    }

    /// Keeps these traces only.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Run<'a>, &RunTrace) -> bool) {
        let kept: Vec<bool> = self.traces.iter().map(|trace| keep(self, trace)).collect();
        let (traces, rows) = (
            std::mem::take(&mut self.traces),
            std::mem::take(&mut self.rows),
        );
        for (mut trace, _) in traces.into_iter().zip(kept).filter(|(_, kept)| *kept) {
            let these = trace.first as usize..(trace.first + trace.spans) as usize;
            trace.first = self.rows.len() as u32;
            self.rows.extend_from_slice(&rows[these]);
            self.traces.push(trace);
        }
    }

    /// The rows at these places, which ascend, and no others; when they arrived is left out.
    pub(crate) fn of_rows(&self, places: &[u32]) -> Run<'a> {
        let mut some = Run {
            batches: self.batches.clone(),
            ..Run::default()
        };
        let mut places = places.iter().copied().peekable();
        for trace in &self.traces {
            let first = some.rows.len() as u32;
            while let Some(place) = places.next_if(|&place| place < trace.first + trace.spans) {
                some.rows.push(self.rows[place as usize]);
            }
            let spans = some.rows.len() as u32 - first;
            if spans > 0 {
                some.traces.push(RunTrace {
                    id: trace.id,
                    steps: Steps::default(),
                    first,
                    spans,
                });
            }
        }
        some
    }

    /// The head's traces in order, and which of them each part belongs to. Their places are those
    /// of all their rows, repeats among them.
    fn gather_traces(&mut self, state: &State, trace_of_part: &mut Vec<u32>) {
        trace_of_part.clear();
        let mut traces: Vec<RunTrace> = Vec::with_capacity(state.parts.traces());
        for (part, before) in state.parts.iter() {
            let batch = &state.batches[part.batch as usize];
            let at = match before {
                Some(before) => trace_of_part[before as usize],
                None => {
                    traces.push(RunTrace {
                        id: batch.batch.trace_id(part.trace),
                        steps: Steps::default(),
                        first: 0,
                        spans: 0,
                    });
                    traces.len() as u32 - 1
                }
            };
            trace_of_part.push(at);
            let trace = &mut traces[at as usize];
            trace.spans += batch.rows(part.trace).len() as u32;
            let extent = batch.extents[part.trace as usize];
            trace.steps.add(batch.arrived_unix_ns, extent);
        }
        let mut order: Vec<_> = (0u32..)
            .zip(&traces)
            .map(|(at, trace)| (trace.steps.last().start, trace.id, at))
            .collect();
        order.sort_unstable();
        let mut place = vec![0u32; traces.len()];
        for (to, &(_, _, from)) in (0u32..).zip(&order) {
            place[from as usize] = to;
        }
        trace_of_part
            .iter_mut()
            .for_each(|trace| *trace = place[*trace as usize]);
        let mut first = 0;
        for (_, _, from) in order {
            let trace = &mut traces[from as usize];
            let spans = trace.spans;
            self.traces.push(RunTrace {
                id: trace.id,
                steps: std::mem::take(&mut trace.steps),
                first,
                spans,
            });
            first += spans;
        }
    }

    /// Puts each trace's rows in order and takes them, but for repeats.
    fn take_rows(&mut self, ordered: &mut [OrderedRow]) {
        self.rows.reserve(ordered.len());
        for trace in &mut self.traces {
            let from = trace.first as usize;
            let rows = &mut ordered[from..from + trace.spans as usize];
            if !rows.is_sorted() {
                rows.sort_unstable();
            }
            trace.first = self.rows.len() as u32;
            // Equal spans have equal starts and ids, so they stand side by side.
            let is_namesake = |pair: &[OrderedRow]| {
                pair[0].span_id == pair[1].span_id && pair[0].start_unix_ns == pair[1].start_unix_ns
            };
            if rows.windows(2).any(is_namesake) {
                take_distinct(&self.batches, rows, &mut self.rows);
            } else {
                self.rows.extend(rows.iter().map(|row| row.at));
            }
            let kept = self.rows.len() as u32 - trace.first;
            self.duplicates += u64::from(trace.spans - kept);
            trace.spans = kept;
        }
    }
}

/// Brings the rows of each trace together, with what they are ordered by. Goes through the head
/// batch by batch, each column from its beginning to its end: to follow one trace through all of
/// its batches would wait for the memory at every row.
fn scatter_rows(state: &State, traces: &[RunTrace], scratch: &mut RunScratch) {
    let total: usize = traces.iter().map(|trace| trace.spans as usize).sum();
    scratch.rows.clear();
    scratch.rows.resize(total, OrderedRow::NONE);
    let mut next: Vec<u32> = traces.iter().map(|trace| trace.first).collect();
    for ((part, _), &trace) in state.parts.iter().zip(&scratch.trace_of_part) {
        let batch = &state.batches[part.batch as usize];
        let columns = batch.batch.columns();
        let next = &mut next[trace as usize];
        for &row in batch.rows(part.trace) {
            scratch.rows[*next as usize] = OrderedRow {
                start_unix_ns: columns.start_unix_ns[row as usize],
                span_id: columns.span_id[row as usize],
                at: RowRef {
                    batch: part.batch,
                    row,
                },
            };
            *next += 1;
        }
    }
}

/// Takes the rows of a trace in which some share start and id, but for exact repeats.
fn take_distinct(batches: &[&SpanBatch], rows: &[OrderedRow], kept: &mut Vec<RowRef>) {
    for namesakes in
        rows.chunk_by(|a, b| (a.start_unix_ns, a.span_id) == (b.start_unix_ns, b.span_id))
    {
        let span = |row: &OrderedRow| SpanRef {
            batch: batches[row.at.batch as usize],
            row: row.at.row,
        };
        let (mut distinct, _) = identity::distinct(namesakes.iter().map(span));
        // The root of a trace is its first one, whatever arrived first (P10).
        distinct.sort_by(|a, b| order::by_start(*a, *b));
        for span in distinct {
            let same = |row: &&OrderedRow| {
                row.at.row == span.row && std::ptr::eq(batches[row.at.batch as usize], span.batch)
            };
            kept.extend(namesakes.iter().find(same).map(|row| row.at));
        }
    }
}

impl UnorderedTrace {
    /// The trace, and its steps as those of all its parts together.
    fn with_steps(mut self) -> (Self, Steps) {
        self.steps
            .sort_by_key(|&(arrived_unix_ns, _)| arrived_unix_ns);
        let mut steps = Steps::default();
        for &(arrived_unix_ns, extent) in &self.steps {
            steps.add(arrived_unix_ns, extent);
        }
        (self, steps)
    }
}

impl OrderedRow {
    const NONE: OrderedRow = OrderedRow {
        start_unix_ns: 0,
        span_id: SpanId([0; 8]),
        at: RowRef { batch: 0, row: 0 },
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Head;
    use std::sync::Arc;
    use tracewell_storage::conformance::SpanSpec;
    use tracewell_storage::conformance::spans::batch;
    use tracewell_storage::{Position, Record};

    /// Random records, with repeats and namesakes: the order that sorting whole spans gives.
    #[test]
    fn a_run_is_the_head_in_order_without_repeats() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut scratch = RunScratch::default();
        for _ in 0..200 {
            let head = Head::default();
            let mut all = Vec::new();
            for offset in 1..random.u64(2..8) {
                let span = |random: &mut fastrand::Rng| {
                    let start = 1_000 + random.u64(..6);
                    let spec = SpanSpec::new(random.u64(..5), random.u64(1..6), start);
                    spec.lasting(random.u64(..2))
                };
                let specs: Vec<SpanSpec> =
                    (0..random.usize(..30)).map(|_| span(&mut random)).collect();
                all.extend(specs.clone());
                head.append(&Record {
                    position: Position {
                        partition: 0,
                        offset,
                    },
                    arrived_unix_ns: offset,
                    batch: Arc::new(batch(&specs)),
                });
            }
            let state = head.read();
            let run = Run::from_head(&state, &mut scratch);
            let mut expected: Vec<SpanSpec> = Vec::new();
            for spec in &all {
                if !expected.contains(spec) {
                    expected.push(spec.clone());
                }
            }
            assert_eq!(run.duplicates as usize, all.len() - expected.len());
            let start_of = |id: TraceId| {
                let spans = expected.iter().filter(|span| span.trace_id == id);
                spans.map(|span| span.start_unix_ns).min()
            };
            let order = |span: &SpanSpec| {
                let id = span.trace_id;
                (start_of(id), id, span.start_unix_ns, span.span_id)
            };
            let got: Vec<SpanSpec> = run
                .traces
                .iter()
                .flat_map(|t| run.spans(t))
                .map(SpanSpec::of)
                .collect();
            assert!(got.is_sorted_by_key(order));
            assert_eq!(got.len(), expected.len());
            assert!(expected.iter().all(|span| got.contains(span)));
            assert_eq!(run.rows.len(), got.len());
        }
    }
}
