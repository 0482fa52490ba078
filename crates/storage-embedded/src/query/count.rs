//! Values counted in two sets of spans, and points of spans: the head's batches span by span, the
//! segments' blocks by their columns. Blocks that cannot have such a span are not read. The others are
//! taken in an order in which any beginning is an even part of all: what was counted when the time is up
//! says something about the whole.
#![warn(clippy::indexing_slicing)]

use std::sync::Arc;

use tracewell_model::SpanBatch;
use tracewell_storage::scan::{Point, points};
use tracewell_storage::{Error, ReadContext, Scanned, Sets, SpanQuery, TraceQuery, ValueCounts};

use super::export::distinct_rows;
use super::probe::Probe;
use super::projected::{groups_of, may_match};
use crate::engine::Engine;
use crate::head::HeadView;
use crate::segment::Segment;
use crate::segment::block::{self, Body};
use crate::segment::data::DataFile;

/// Of an operation that has more than this part of a segment's spans nearly every block has some.
const RARE_PART: usize = 8;

/// A block that is to be counted.
struct Waiting {
    segment: Arc<Segment>,
    number: usize,
    rows: u32,
    /// Some of its spans may not begin in the range that is asked for.
    is_timed: bool,
}

/// Counts the spans of two sets.
pub(super) fn count_values(
    engine: &Engine,
    sets: &Sets<'_>,
    one_of: u32,
    context: &ReadContext,
    counts: &mut ValueCounts,
) -> Result<Scanned, Error> {
    let mut walk = Walk::new(engine, sets, one_of, context)?;
    walk.head(&mut |batch, rows| counts.take(batch, rows, sets));
    walk.blocks(&mut |body, is_timed| block::count_values(body, sets, is_timed, counts));
    Ok(walk.finish())
}

/// Hands over the points of spans.
pub(super) fn scan_points(
    engine: &Engine,
    query: &SpanQuery,
    one_of: u32,
    context: &ReadContext,
    each: &mut dyn FnMut(&[Point]),
) -> Result<Scanned, Error> {
    let sets = Sets {
        a: query,
        b: query,
        is_rest: true,
    };
    let mut walk = Walk::new(engine, &sets, one_of, context)?;
    walk.head(&mut |batch, rows| each(&points(query, batch, rows)));
    walk.blocks(&mut |body, is_timed| {
        each(&block::points(body, query, is_timed)?);
        Ok(())
    });
    Ok(walk.finish())
}

/// A walk over all that may have a span of two sets.
struct Walk<'a> {
    probe: Probe<'a>,
    one_of: u32,
    head: Option<HeadView>,
    waiting: Vec<Waiting>,
    scanned: Scanned,
}

impl<'a> Walk<'a> {
    fn new(
        engine: &'a Engine,
        sets: &Sets<'_>,
        one_of: u32,
        context: &'a ReadContext,
    ) -> Result<Self, Error> {
        context.check()?;
        let mut probe = Probe::passing(engine, context);
        let range = sets.scan(one_of);
        (probe.searched.from_unix_ns, probe.searched.to_unix_ns) =
            (range.start_unix_ns, range.end_unix_ns);
        let (head, segments) = probe.take_view();
        let mut walk = Walk {
            probe,
            one_of,
            head: Some(head),
            waiting: Vec::new(),
            scanned: Scanned {
                one_of,
                ..Scanned::default()
            },
        };
        for segment in segments {
            walk.scanned.spans_missing +=
                blocks_of(&mut walk.probe, segment, sets, one_of, &mut walk.waiting);
        }
        Ok(walk)
    }

    /// The head's batches and their rows, exact repeats left out.
    fn head(&mut self, each: &mut dyn FnMut(&SpanBatch, &[u32])) {
        let Some(head) = self.head.take() else { return };
        self.probe.searched.head_spans = head.spans();
        for (batch, rows) in distinct_rows(head).step_by(self.one_of.max(1) as usize) {
            self.scanned.spans += rows.len() as u64;
            each(&batch, &rows);
        }
    }

    /// The blocks, and whether the starts of their spans are to be looked at.
    fn blocks(&mut self, each: &mut dyn FnMut(&Body, bool) -> Result<(), Error>) {
        let all = self.waiting.len();
        for (done, at) in spread(all).enumerate() {
            let Some(block) = self.waiting.get(at) else {
                continue;
            };
            if let Err(stopped) = self.probe.context.check() {
                self.scanned.blocks_left = (all - done) as u64;
                let reason = format!("{done} of {all} blocks were counted: {}", stopped.message);
                self.probe.note(reason);
                return;
            }
            let cost = format!("{} spans are missing", block.rows);
            let body = self.probe.body(&block.segment, block.number, &cost);
            let counted = body.and_then(|body| {
                let counted = each(&body, block.is_timed);
                self.probe
                    .decoded(&block.segment, block.number, counted, &cost)
            });
            match counted {
                Some(()) => self.scanned.spans += u64::from(block.rows),
                None => self.scanned.spans_missing += u64::from(block.rows),
            }
        }
    }

    fn finish(mut self) -> Scanned {
        self.scanned.searched = self.probe.searched;
        self.scanned.incomplete = self.probe.incomplete;
        self.scanned
    }
}

/// Lists the blocks of a segment that may have a span of the sets; answers how many spans cannot be read.
fn blocks_of(
    probe: &mut Probe<'_>,
    segment: Arc<Segment>,
    sets: &Sets<'_>,
    one_of: u32,
    waiting: &mut Vec<Waiting>,
) -> u64 {
    let meta = &segment.meta;
    let queries = [sets.a, sets.b];
    let may_have = |(first_ns, last_ns): (u64, u64)| {
        let may_begin = queries.map(|query| {
            query.start_unix_ns.is_none_or(|from| last_ns >= from)
                && query.end_unix_ns.is_none_or(|to| first_ns < to)
        });
        may_begin.contains(&true)
    };
    if !may_have((meta.start_min_unix_ns, meta.end_max_unix_ns)) {
        probe.searched.segments_skipped += 1;
        return 0;
    }
    probe.searched.segments += 1;
    let cost = format!("its {} spans are missing", meta.spans);
    let Some(data) = probe.data(&segment, &cost) else {
        return meta.spans;
    };
    let index = segment.index.as_ref().ok();
    let holding = blocks_with(probe, &segment, data, &common(sets));
    let blocks = data.blocks.iter().enumerate();
    for (number, entry) in blocks.step_by(one_of.max(1) as usize) {
        if holding
            .as_ref()
            .is_some_and(|holding| holding.get(number) == Some(&false))
        {
            continue;
        }
        let fragments = entry.first_fragment..=entry.last_fragment;
        let times = index.and_then(|index| index.directory.times_of(fragments));
        if times.is_some_and(|times| !may_have(times)) {
            continue;
        }
        let is_within = |(first_ns, last_ns)| {
            let holds = |query: &&SpanQuery| query.begins(first_ns) && query.begins(last_ns);
            queries.iter().all(holds)
        };
        waiting.push(Waiting {
            segment: Arc::clone(&segment),
            number,
            rows: entry.parts.rows,
            is_timed: !times.is_some_and(is_within),
        });
    }
    0
}

/// What the spans of both sets satisfy, as far as the projection knows it.
fn common(sets: &Sets<'_>) -> TraceQuery {
    fn same<T: PartialEq + Clone>(a: &Option<T>, b: &Option<T>) -> Option<T> {
        a.clone().filter(|_| a == b)
    }
    let (a, b) = (sets.a, sets.b);
    TraceQuery {
        service: same(&a.service, &b.service),
        operation: same(&a.operation, &b.operation),
        span_error: same(&a.error, &b.error),
        ..TraceQuery::default()
    }
}

/// For each block whether it has a span of this service and operation; none where it is not worth asking,
/// or where the index cannot tell, which costs time only.
fn blocks_with(
    probe: &mut Probe<'_>,
    segment: &Segment,
    data: &DataFile,
    query: &TraceQuery,
) -> Option<Vec<bool>> {
    if query.service.is_none() && query.operation.is_none() {
        return None;
    }
    let index = segment.index.as_ref().ok()?;
    let groups = groups_of(query, &index.read_names().ok()?);
    let all = &index.directory.projection;
    let frames = all.iter().filter(|entry| may_match(query, &groups, entry));
    let frames: Vec<_> = frames.collect();
    if frames.len() > 1 && frames.len() * RARE_PART > all.len() {
        return None;
    }
    let mut holding = vec![false; data.blocks.len()];
    let everywhere = 0..u64::from(u32::MAX) + 1;
    for entry in frames {
        probe.searched.bytes_read += u64::from(entry.frame.bytes);
        let frame = index.read_projection(entry).ok()?;
        for (_, spans) in frame.pieces_within(&everywhere, |group| groups.contains(&group)) {
            for span in spans.filter(|span| query.span_error.is_none_or(|is| is == span.error)) {
                let number = data.block_of_row(u64::from(span.row));
                if let Some(holds) = number.and_then(|number| holding.get_mut(number)) {
                    *holds = true;
                }
            }
        }
    }
    Some(holding)
}

/// All places below `count`, so that any first ones of them lie evenly: each is a golden section on from
/// the one before.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    const GOLDEN: f64 = 0.618_033_988_75;
    let is_prime_to = |step: &usize| gcd(*step, count) == 1;
    let near = ((count as f64 * GOLDEN) as usize).max(1);
    let step = (near..).find(is_prime_to).unwrap_or(1);
    (0..count).map(move |at| (at as u128 * step as u128 % count.max(1) as u128) as usize)
}

fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        b => gcd(b, a % b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_evenly_and_each_comes_once() {
        for count in 0..400 {
            let places: Vec<usize> = spread(count).collect();
            let mut sorted = places.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            // Of the first tenth, each third of all has some.
            let first = places.get(..count / 10).unwrap_or_default();
            for third in 0..3 {
                let here = |place: &&usize| **place * 3 / count == third;
                let some = first.iter().filter(here).count();
                assert!(
                    first.len() < 9 || some * 6 >= first.len(),
                    "{count}: {first:?}"
                );
            }
        }
    }
}
