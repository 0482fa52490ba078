//! The projection: one small row per span, grouped by (service, operation), which decides all span
//! predicates but tags without touching the spans. A one-service search reads that service's
//! frames and no others.
#![warn(clippy::indexing_slicing)]

use crate::codec::{Damaged, Reader, put_varint};

/// Rows after which a frame ends in any case.
const ROWS_MAX: usize = 16_384;
/// Rows after which a frame ends with its service: smaller ones cost more than they save.
const ROWS_OF_A_SERVICE_MIN: usize = 256;

/// A span as the projection knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProjectedSpan {
    /// Its row in the data file.
    pub(crate) row: u64,
    pub(crate) duration_ns: u64,
    pub(crate) error: bool,
}

/// Consecutive rows of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) group: u32,
    pub(crate) spans: Vec<ProjectedSpan>,
}

/// A decoded frame.
#[derive(Debug)]
pub(crate) struct ProjectionFrame {
    pub(crate) pieces: Vec<Piece>,
}

impl ProjectionFrame {
    pub(crate) fn memory_bytes(&self) -> usize {
        let spans = |piece: &Piece| 32 + piece.spans.len() * size_of::<ProjectedSpan>();
        self.pieces.iter().map(spans).sum()
    }
}

/// Cuts the groups' rows into frames; `service_of` tells where a service ends.
pub(crate) fn frames(
    groups: Vec<Vec<ProjectedSpan>>,
    service_of: impl Fn(u32) -> u32,
) -> Vec<ProjectionFrame> {
    let mut frames = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rows = 0;
    for (group, spans) in (0u32..).zip(groups) {
        let new_service = pieces
            .last()
            .is_some_and(|last| service_of(last.group) != service_of(group));
        if new_service && rows >= ROWS_OF_A_SERVICE_MIN {
            frames.push(ProjectionFrame {
                pieces: std::mem::take(&mut pieces),
            });
            rows = 0;
        }
        let mut spans = spans.as_slice();
        while !spans.is_empty() {
            let (these, rest) = spans.split_at(spans.len().min(ROWS_MAX - rows));
            pieces.push(Piece {
                group,
                spans: these.to_vec(),
            });
            rows += these.len();
            spans = rest;
            if rows == ROWS_MAX {
                frames.push(ProjectionFrame {
                    pieces: std::mem::take(&mut pieces),
                });
                rows = 0;
            }
        }
    }
    if !pieces.is_empty() {
        frames.push(ProjectionFrame { pieces });
    }
    frames
}

pub(crate) fn put_frame(out: &mut Vec<u8>, frame: &ProjectionFrame) {
    put_varint(out, frame.pieces.len() as u64);
    for piece in &frame.pieces {
        put_varint(out, u64::from(piece.group));
        put_varint(out, piece.spans.len() as u64);
        let mut before = 0;
        for span in &piece.spans {
            put_varint(out, (span.row - before) << 1 | u64::from(span.error));
            before = span.row;
        }
        piece
            .spans
            .iter()
            .for_each(|span| put_varint(out, span.duration_ns));
    }
}

pub(crate) fn read_frame(bytes: &[u8]) -> Result<ProjectionFrame, Damaged> {
    let mut r = Reader::new(bytes);
    let mut pieces = Vec::new();
    for _ in 0..r.count(2)? {
        let group = r.u32()?;
        let mut spans = Vec::new();
        let mut row = 0u64;
        for _ in 0..r.count(2)? {
            let packed = r.varint()?;
            row = row.checked_add(packed >> 1).ok_or(Damaged("row"))?;
            spans.push(ProjectedSpan {
                row,
                duration_ns: 0,
                error: packed & 1 == 1,
            });
        }
        for span in &mut spans {
            span.duration_ns = r.varint()?;
        }
        pieces.push(Piece { group, spans });
    }
    Ok(ProjectionFrame { pieces })
}
