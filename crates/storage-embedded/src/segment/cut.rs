//! Where a run is cut into blocks: whole traces, up to so many spans and about so many bytes; a
//! giant trace fills blocks of its own.

use std::ops::Range;

use tracewell_model::{SpanBatch, SpanRef, Value};

use super::run::{RowRef, Run};

/// Text and attributes in one block: a block of 4,096 spans with long values would be slow to read.
pub(crate) const BLOCK_BYTES_MAX: usize = 4 << 20;
/// A batch with a longer value than this has its spans weighed one by one.
const LONG_BYTES: u32 = 4_096;
/// What a span takes beside its values.
const SPAN_BYTES: usize = 82;

/// A block to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// In `Run::rows`.
    pub(crate) rows: Range<usize>,
    /// The traces that begin in it.
    pub(crate) traces: Range<usize>,
    /// True when its first rows are of the trace before these.
    pub(crate) goes_on: bool,
}

/// All blocks of a run, in order.
pub(crate) fn cuts(run: &Run<'_>, block_spans: usize) -> Vec<Cut> {
    let scales: Vec<Scales> = run.batches.iter().map(|batch| Scales::of(batch)).collect();
    let weigh = |row: usize| {
        let RowRef { batch, row } = run.rows[row];
        scales[batch as usize].weigh(run.batches[batch as usize], row)
    };
    let mut cuts = Vec::new();
    let mut open = Cut {
        rows: 0..0,
        traces: 0..0,
        goes_on: false,
    };
    let mut bytes = 0;
    let mut cut = |open: &mut Cut, row: usize, goes_on: bool| {
        open.rows.end = row;
        let next = Cut {
            rows: row..row,
            traces: open.traces.end..open.traces.end,
            goes_on,
        };
        cuts.push(std::mem::replace(open, next));
    };
    for trace in &run.traces {
        let first = trace.first as usize;
        let end = first + trace.spans as usize;
        let overflows = end - open.rows.start > block_spans || bytes > BLOCK_BYTES_MAX;
        if overflows && open.rows.start < first {
            cut(&mut open, first, false);
            bytes = 0;
        }
        open.traces.end += 1;
        for row in first..end {
            let is_full = row - open.rows.start >= block_spans || bytes > BLOCK_BYTES_MAX;
            // Whoever shares its block with others is moved whole.
            if is_full && first <= open.rows.start && open.rows.start < row {
                cut(&mut open, row, true);
                bytes = 0;
            }
            bytes += weigh(row);
        }
    }
    if open.rows.start < run.rows.len() {
        cut(&mut open, run.rows.len(), false);
    }
    cuts
}

/// How a batch's spans are weighed.
#[derive(Clone, Copy, Debug)]
enum Scales {
    /// All alike: none of its values is long.
    Even(usize),
    One,
}

impl Scales {
    fn of(batch: &SpanBatch) -> Scales {
        let c = batch.columns();
        if [&c.text.ends, &c.bytes.ends, &c.rest_end]
            .into_iter()
            .any(|ends| has_long(ends))
        {
            return Scales::One;
        }
        let values = c.text.text.len() + c.bytes.bytes.len() + c.rest.len() + c.values.len() * 8;
        Scales::Even(SPAN_BYTES + values / batch.len().max(1))
    }

    fn weigh(self, batch: &SpanBatch, row: u32) -> usize {
        match self {
            Scales::Even(bytes) => bytes,
            Scales::One => weight(batch.span(row)),
        }
    }
}

fn has_long(ends: &[u32]) -> bool {
    let first = ends.first().copied().unwrap_or(0);
    let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).max();
    longest.unwrap_or(0).max(first) > LONG_BYTES
}

/// About what a span adds to its block: names and resources repeat and count nothing.
fn weight(span: SpanRef<'_>) -> usize {
    let value = |value: Value<'_>| match value {
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) | Value::Any(bytes) => bytes.len(),
        Value::Int(_) | Value::Double(_) | Value::Bool(_) => 8,
    };
    let attributes = span.attributes().chain(span.event_attributes());
    let values = attributes.map(|attribute| value(attribute.value));
    SPAN_BYTES + span.rest().len() + values.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::run::RunTrace;
    use crate::segment::steps::Steps;
    use tracewell_model::TraceId;
    use tracewell_storage::conformance::SpanSpec;
    use tracewell_storage::conformance::spans::batch;

    /// Blocks of 10 spans, of traces of so many spans with a value of so many bytes.
    #[track_caller]
    fn check(traces: &[(usize, usize)], expected: &[(Range<usize>, Range<usize>, bool)]) {
        let mut run = Run::default();
        let mut spans = Vec::new();
        for &(count, bytes) in traces {
            run.traces.push(RunTrace {
                id: TraceId([1; 16]),
                steps: Steps::default(),
                first: run.rows.len() as u32,
                spans: count as u32,
            });
            for _ in 0..count {
                let row = run.rows.len() as u32;
                run.rows.push(RowRef { batch: 0, row });
                let long = "x".repeat(bytes);
                spans.push(SpanSpec::new(1, u64::from(row), 1).with("k", long.as_str()));
            }
        }
        let batch = batch(&spans);
        run.batches.push(&batch);
        let cuts = cuts(&run, 10).into_iter();
        let got: Vec<_> = cuts
            .map(|cut| (cut.rows, cut.traces, cut.goes_on))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn blocks_hold_whole_traces() {
        check(&[], &[]);
        check(&[(10, 1)], &[(0..10, 0..1, false)]);
        check(
            &[(4, 1), (6, 1), (1, 1)],
            &[(0..10, 0..2, false), (10..11, 2..3, false)],
        );
        check(
            &[(4, 1), (7, 1)],
            &[(0..4, 0..1, false), (4..11, 1..2, false)],
        );
    }

    #[test]
    fn a_giant_trace_fills_blocks_of_its_own_and_its_rest_may_share_one() {
        let expected = [
            (0..1, 0..1, false),
            (1..11, 1..2, false),
            (11..21, 2..2, true),
            (21..29, 2..3, true),
        ];
        check(&[(1, 1), (25, 1), (3, 1)], &expected);
    }

    #[test]
    fn long_values_make_smaller_blocks() {
        let large = BLOCK_BYTES_MAX / 4;
        let shared = [(0..4, 0..2, false), (4..6, 2..4, false)];
        check(&[(2, large), (2, large), (1, large), (1, 1)], &shared);
        let pieces = [(0..4, 0..1, false), (4..8, 1..2, true)];
        check(&[(7, large), (1, 1)], &pieces);
    }
}
