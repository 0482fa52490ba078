//! Every span, for exports: the head first, then the segments, newest first, each block by block as
//! it is stored. What a slow reader keeps from going is what it has not taken yet: the head's
//! batches one by one, then the segments' files. No part read here pushes another out of the cache.
#![warn(clippy::indexing_slicing)]

use std::ops::ControlFlow;
use std::sync::Arc;

use tracewell_model::{SpanBatch, identity};
use tracewell_storage::scan::Each;
use tracewell_storage::{Error, ReadContext, ScanQuery, Scanned};

use super::probe::Probe;
use crate::engine::Engine;
use crate::head::HeadView;
use crate::segment::Segment;

pub(super) fn scan_spans(
    engine: &Engine,
    query: &ScanQuery,
    context: &ReadContext,
    each: Each<'_>,
) -> Result<Scanned, Error> {
    let mut probe = Probe::passing(engine, context);
    probe.searched.from_unix_ns = query.start_unix_ns;
    probe.searched.to_unix_ns = query.end_unix_ns;
    let (head, mut segments) = probe.take_view();
    let mut export = Export {
        probe,
        query,
        each,
        spans: 0,
        spans_missing: 0,
    };
    let mut flow = export.head(head)?;
    while let (ControlFlow::Continue(()), Some(segment)) = (flow, segments.pop()) {
        flow = export.segment(&segment)?;
    }
    Ok(Scanned {
        spans: export.spans,
        spans_missing: export.spans_missing,
        one_of: query.one_of,
        blocks_left: 0,
        is_cut_short: false,
        searched: export.probe.searched,
        incomplete: export.probe.incomplete,
    })
}

struct Export<'a, 'e> {
    probe: Probe<'a>,
    query: &'a ScanQuery,
    each: Each<'e>,
    spans: u64,
    spans_missing: u64,
}

impl Export<'_, '_> {
    /// Hands over the rows of a batch that match.
    fn hand_over(
        &mut self,
        batch: &SpanBatch,
        rows: impl IntoIterator<Item = u32>,
    ) -> ControlFlow<()> {
        let rows = self.query.rows(batch, rows);
        if rows.is_empty() {
            return ControlFlow::Continue(());
        }
        self.spans += rows.len() as u64;
        (self.each)(batch, &rows)
    }

    /// The head's spans in their order of arrival, exact repeats among them left out.
    fn head(&mut self, head: HeadView) -> Result<ControlFlow<()>, Error> {
        self.probe.context.check()?;
        self.probe.searched.head_spans = head.spans();
        let step = self.query.one_of.max(1) as usize;
        for (batch, rows) in distinct_rows(head).step_by(step) {
            self.probe.context.check()?;
            if self.hand_over(&batch, rows).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn segment(&mut self, segment: &Segment) -> Result<ControlFlow<()>, Error> {
        let meta = &segment.meta;
        let too_early = self
            .query
            .start_unix_ns
            .is_some_and(|from| meta.end_max_unix_ns < from);
        let too_late = self
            .query
            .end_unix_ns
            .is_some_and(|to| meta.start_min_unix_ns >= to);
        if too_early || too_late {
            self.probe.searched.segments_skipped += 1;
            return Ok(ControlFlow::Continue(()));
        }
        self.probe.searched.segments += 1;
        let cost = format!("its {} spans are missing", meta.spans);
        let Some(data) = self.probe.data(segment, &cost) else {
            self.spans_missing += meta.spans;
            return Ok(ControlFlow::Continue(()));
        };
        let step = self.query.one_of.max(1) as usize;
        for (number, entry) in data.blocks.iter().enumerate().step_by(step) {
            self.probe.context.check()?;
            let cost = |rows| format!("{rows} spans are missing");
            let Some(batch) = self.probe.batch(segment, number, cost) else {
                self.spans_missing += u64::from(entry.parts.rows);
                continue;
            };
            if self.hand_over(&batch, 0..batch.len() as u32).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The batches of a head with their rows, exact repeats left out; each batch is let go of once it
/// was taken.
pub(super) fn distinct_rows(head: HeadView) -> impl Iterator<Item = (Arc<SpanBatch>, Vec<u32>)> {
    let batches = head.batches().map(|batch| Arc::clone(&batch.batch));
    let batches: Vec<_> = batches.collect();
    drop(head);
    let (kept, _) = identity::distinct(batches.iter().flat_map(|batch| batch.spans()));
    // Spans stay in their order, so those of a batch follow one another.
    let mut kept = kept.into_iter().peekable();
    let rows: Vec<Vec<u32>> = batches
        .iter()
        .map(|batch| {
            let here = |span: &tracewell_model::SpanRef<'_>| std::ptr::eq(span.batch, &**batch);
            std::iter::from_fn(|| kept.next_if(here))
                .map(|span| span.row)
                .collect()
        })
        .collect();
    batches.into_iter().zip(rows)
}
