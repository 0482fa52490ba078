//! For the fuzz target: sections of any bytes, whose checksums hold, are refused or make a sound
//! batch, which written again reads as the same spans.
#![allow(clippy::expect_used)]

use tracewell_model::SpanBatch;
use tracewell_model::identity::same_content;

use super::parts::{BlockParts, SECTIONS, Section};
use super::{Block, BlockWriter, ids, section};
use crate::codec::Reader;
use crate::segment::run::{RowRef, Run, RunTrace};
use crate::segment::steps::Steps;
use crate::segment::values::RunValues;

/// Reads the bytes as a number of rows and the sections, each with its length before it.
pub fn block(bytes: &[u8]) {
    let Some((parts, bytes)) = assemble(bytes) else {
        return;
    };
    let Ok(block) = Block::open(parts, bytes) else {
        return;
    };
    if let Ok(batch) = block.batch() {
        read_again(&block, &batch);
    }
}

fn assemble(bytes: &[u8]) -> Option<(BlockParts, Vec<u8>)> {
    const ROWS_MAX: u32 = 4_096;
    let mut r = Reader::new(bytes);
    let mut parts = BlockParts {
        rows: r.u32().ok()? % ROWS_MAX,
        ..BlockParts::default()
    };
    let mut out = Vec::new();
    for at in 0..SECTIONS {
        let rest = r.remaining();
        let length = r.u32().ok()? as usize;
        let length = if at + 1 == SECTIONS { rest } else { length };
        let raw = r.take(length.min(r.remaining())).ok()?;
        if at == Section::Structure as usize {
            // What it begins with.
            let traces = Reader::new(raw).u32().unwrap_or(0);
            parts.traces = traces.min(parts.rows);
        }
        *parts.sections.get_mut(at)? = section::put_raw(&mut out, raw).ok()?;
    }
    let traces = 1..=u128::from(parts.traces);
    ids::put(&mut out, traces.map(u128::to_le_bytes));
    ids::put(&mut out, (1..=u64::from(parts.rows)).map(u64::to_le_bytes));
    Some((parts, out))
}

/// Writes what was read, trace by trace as it stands, and compares.
fn read_again(block: &Block, batch: &SpanBatch) {
    let row = |row| RowRef { batch: 0, row };
    let trace = |trace: &super::BlockTrace| RunTrace {
        id: trace.id,
        steps: Steps::default(),
        first: trace.first,
        spans: trace.spans,
    };
    let run = Run {
        batches: vec![batch],
        traces: block.traces().iter().map(trace).collect(),
        rows: (0..block.rows()).map(row).collect(),
        duplicates: 0,
    };
    let mut values = RunValues::new(&run.batches);
    let mut writer = BlockWriter::new().expect("a compressor can be made");
    let parts = writer
        .write(&run, 0..run.rows.len(), &mut values)
        .expect("what was read can be written");
    let again = Block::open(parts, writer.bytes().to_vec())
        .and_then(|block| block.batch())
        .expect("what was written reads");
    assert_eq!(again.len(), batch.len());
    for (again, span) in again.spans().zip(batch.spans()) {
        assert!(same_content(again, span));
        assert!(again.event_attributes().eq(span.event_attributes()));
    }
}
