//! Parents: where in its trace a span's parent stands. Most are near.
#![warn(clippy::indexing_slicing)]

use hashbrown::HashMap;
use tracewell_model::SpanId;
use tracewell_model::attribute::ValueType;

use crate::codec::{Damaged, Reader, put_varint};
use crate::segment::values::{number_of, word_of};

/// Up to so many rows a trace is searched; beyond, a table is made.
const SEARCHED_MAX: usize = 32;

/// Where a row's parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParentRow {
    /// It is a root.
    None,
    /// Among the rows of its trace in this block.
    Here,
    /// Elsewhere, or nowhere.
    Elsewhere,
}

const NONE: u64 = 0;
const ELSEWHERE: u64 = 1;
const FIRST: u64 = 2;

/// Writes the parents of a block.
#[derive(Debug, Default)]
pub(super) struct ParentWriter {
    rows: HashMap<SpanId, u32>,
}

impl ParentWriter {
    /// Appends the parents of a trace's rows: 0 for none, 1 for one that is not among them, else 2
    /// and up: how many rows above its child it stands, in zigzag. Ids from elsewhere go to `ids`.
    pub(super) fn put_trace(
        &mut self,
        out: &mut Vec<u8>,
        ids: &mut Vec<u8>,
        trace: &[SpanId],
        parents: &[SpanId],
        mut tell: impl FnMut(ParentRow),
    ) {
        let large = trace.len() > SEARCHED_MAX;
        if large {
            self.rows.clear();
            self.rows.extend(trace.iter().copied().zip(0..));
        }
        for (row, &parent) in parents.iter().enumerate() {
            if parent.is_zero() {
                out.push(NONE as u8);
                tell(ParentRow::None);
                continue;
            }
            let at = if large {
                self.rows.get(&parent).map(|&at| at as usize)
            } else {
                find(trace, row, parent)
            };
            match at {
                Some(at) => {
                    put_varint(
                        out,
                        number_of(ValueType::Int, (row as i64 - at as i64) as u64) + FIRST,
                    );
                    tell(ParentRow::Here);
                }
                None => {
                    out.push(ELSEWHERE as u8);
                    ids.extend_from_slice(&parent.0);
                    tell(ParentRow::Elsewhere);
                }
            }
        }
    }
}

/// Where a parent stands; mostly a few rows above its child.
#[inline]
fn find(trace: &[SpanId], row: usize, parent: SpanId) -> Option<usize> {
    let (above, below) = trace.split_at_checked(row)?;
    let is_parent = |id: &SpanId| *id == parent;
    let above = above.iter().rposition(is_parent);
    above.or_else(|| below.iter().position(is_parent).map(|at| row + at))
}

/// Reads the parents of a block, row by row.
#[derive(Debug)]
pub(super) struct ParentReader<'b> {
    places: Reader<'b>,
    /// Ids that are written out.
    told: &'b [[u8; 8]],
}

impl<'b> ParentReader<'b> {
    pub(super) fn new(places: &'b [u8], told: &'b [u8]) -> Self {
        ParentReader {
            places: Reader::new(places),
            told: told.as_chunks().0,
        }
    }

    fn next_told(&mut self) -> Option<SpanId> {
        let (&id, others) = self.told.split_first()?;
        self.told = others;
        Some(SpanId(id))
    }

    /// Passes over the parents of so many rows.
    pub(super) fn skip(&mut self, rows: u32) -> Result<(), Damaged> {
        for _ in 0..rows {
            if self.places.varint()? == ELSEWHERE {
                self.next_told();
            }
        }
        Ok(())
    }

    /// The parent of the row at this place of its trace, whose rows have these ids.
    pub(super) fn next(&mut self, row: usize, trace: &[SpanId]) -> Result<SpanId, Damaged> {
        let parent = match self.places.varint()? {
            NONE => Some(SpanId::default()),
            ELSEWHERE => self.next_told(),
            code => {
                let above = word_of(ValueType::Int, code - FIRST) as i64;
                let at = (row as i64).checked_sub(above);
                let at = at.and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| trace.get(at)).copied()
            }
        };
        parent.ok_or(Damaged("place of a parent"))
    }
}
