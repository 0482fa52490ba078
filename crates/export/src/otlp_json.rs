//! OTLP JSON lines: an `ExportTraceServiceRequest` a line, as OTLP's file exporter writes them. The
//! last line has no span; a member of our own on it, which other readers skip, says what is here.

use std::io::{self, Write};

use tracewell_model::SpanBatch;
use tracewell_wire::otlp::json_encode;

use super::{Encode, Summary};
use crate::summary::NAME;

/// Spans of one line.
const LINE_SPANS_MAX: usize = 500;
/// Bytes of a line of more than one span: the collector's file receiver takes no longer ones unless
/// it is told to.
const LINE_BYTES_MAX: usize = 1 << 20;

pub(crate) struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
}

impl<'a> Lines<'a> {
    pub(crate) fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Lines { out }
    }

    fn line(&mut self, batch: &SpanBatch, rows: &[u32]) -> io::Result<()> {
        let mut line = json_encode::encode(rows.iter().map(|&row| batch.span(row)));
        line.push('\n');
        if line.len() > LINE_BYTES_MAX && rows.len() > 1 {
            let (first, second) = rows.split_at(rows.len() / 2);
            self.line(batch, first)?;
            return self.line(batch, second);
        }
        self.out.write_all(line.as_bytes())
    }
}

impl Encode for Lines<'_> {
    fn write(&mut self, batch: &SpanBatch, rows: &[u32]) -> io::Result<()> {
        rows.chunks(LINE_SPANS_MAX)
            .try_for_each(|rows| self.line(batch, rows))
    }

    fn finish(self, summary: &Summary) -> io::Result<()> {
        let json = summary.json();
        writeln!(self.out, "{{\"resourceSpans\":[],\"{NAME}\":{json}}}")?;
        self.out.flush()
    }
}
