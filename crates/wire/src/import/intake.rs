//! Collects the spans of a file in a builder and hands it over, with a report, whenever it has enough,
//! so that a file of any length never needs one giant batch.

use std::borrow::Borrow;

use tracewell_model::BatchBuilder;
use tracewell_model::CopyScratch;

use super::draft::{Draft, Parsed, Source, Sources};
use crate::report::{DecodeError, Refused, Report};

/// Spans of one builder: enough to share dictionaries, few enough to be one log record.
pub const BATCH_SPANS_MAX: usize = 2_000;
/// Input bytes of one builder: spans can carry megabytes each.
const BATCH_INPUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Takes spans in and hands builders over.
pub(crate) struct Intake<'s> {
    builder: BatchBuilder,
    report: Report,
    sources: Sources,
    input_bytes: usize,
    seen: usize,
    sink: &'s mut dyn FnMut(&mut BatchBuilder, Report),
}

impl<'s> Intake<'s> {
    pub(crate) fn new(shards: u16, sink: &'s mut dyn FnMut(&mut BatchBuilder, Report)) -> Self {
        Intake {
            builder: BatchBuilder::new(shards),
            report: Report::default(),
            sources: Sources::default(),
            input_bytes: 0,
            seen: 0,
            sink,
        }
    }

    /// Takes the outcome of reading one span that had so many bytes.
    pub(crate) fn take<'a, S: Borrow<Source<'a>>>(
        &mut self,
        input_bytes: usize,
        span: Parsed<(Draft<'a>, S)>,
    ) {
        match span {
            Ok((draft, source)) => {
                draft.push(source.borrow(), &mut self.sources, &mut self.builder);
                self.report.accept();
            }
            Err(refused) => self.report.refuse(refused.reason, refused.detail),
        }
        self.count(input_bytes);
    }

    /// Counts a span that cannot be taken.
    pub(crate) fn refuse(&mut self, input_bytes: usize, refused: Refused) {
        self.take::<Source<'_>>(input_bytes, Err(refused));
    }

    fn count(&mut self, input_bytes: usize) {
        self.seen += 1;
        self.input_bytes += input_bytes;
        if self.is_full() {
            self.hand_over();
        }
    }

    /// Takes what another decoder makes of a piece of the file; a large piece is cut up.
    pub(crate) fn decode(
        &mut self,
        input_bytes: usize,
        decode: impl FnOnce(&mut BatchBuilder, &mut Report) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let before = self.report.seen();
        let outcome = decode(&mut self.builder, &mut self.report);
        self.seen += self.report.seen() - before;
        self.input_bytes += input_bytes;
        if self.builder.len() > BATCH_SPANS_MAX {
            self.cut_up();
        }
        if self.is_full() {
            self.hand_over();
        }
        outcome
    }

    /// Copies the builder's spans into builders of the right size; the first reports the refusals.
    fn cut_up(&mut self) {
        self.report.accepted = 0;
        for batch in self.builder.finish() {
            let mut scratch = CopyScratch::default();
            for span in batch.spans() {
                if self.builder.len() == BATCH_SPANS_MAX {
                    self.hand_over();
                    scratch = CopyScratch::default();
                }
                self.builder.copy(span, &mut scratch);
                self.report.accept();
            }
        }
    }

    fn is_full(&self) -> bool {
        self.report.seen() >= BATCH_SPANS_MAX || self.input_bytes >= BATCH_INPUT_BYTES_MAX
    }

    fn hand_over(&mut self) {
        if self.report.seen() > 0 {
            (self.sink)(&mut self.builder, std::mem::take(&mut self.report));
            // What the sink did not want must not come again.
            drop(self.builder.finish());
        }
        self.sources.clear();
        self.input_bytes = 0;
    }

    /// Hands the rest over; answers how many spans the file had, refused ones included.
    pub(crate) fn finish(mut self) -> usize {
        self.hand_over();
        self.seen
    }
}
