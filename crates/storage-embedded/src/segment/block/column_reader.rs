//! Where rows have their values, and the columns that those are in.
#![warn(clippy::indexing_slicing)]

use std::cell::OnceCell;
use std::ops::Range;

use tracewell_storage::Error;

use super::column_values::{Coded, Values};
use super::layout::has_bytes;
use super::open::Body;
use super::parts::Section;
use super::structure::{ColumnPlace, Slot, Structure};
use crate::codec::Damaged;

/// Reads columns of a block when they are first asked for: the values of some rows.
#[derive(Debug)]
pub(super) struct ColumnReader<'b> {
    block: &'b Body,
    /// Where in each column the rows' values begin and end.
    from: Vec<u32>,
    to: Vec<u32>,
    columns: Vec<OnceCell<Values<'b>>>,
}

impl<'b> ColumnReader<'b> {
    pub(super) fn new(block: &'b Body, rows: &Range<u32>) -> Self {
        let structure = &block.structure;
        let columns = structure.columns.iter().map(|_| OnceCell::new());
        let from = if rows.start == 0 {
            // With all rows all constants are asked for.
            vec![0; structure.columns.len()]
        } else {
            structure.values_before(rows.start as usize)
        };
        ColumnReader {
            block,
            from,
            to: structure.values_before(rows.end as usize),
            columns: columns.collect(),
        }
    }

    #[inline]
    pub(super) fn get(&self, column: usize) -> Result<&Values<'b>, Error> {
        let cell = self.columns.get(column).ok_or(Damaged("column"))?;
        match cell.get() {
            Some(values) => Ok(values),
            None => {
                let end = self.to.get(column).map_or(0, |&end| end as usize);
                let values = self.read(column, self.start_of(column) as usize..end)?;
                Ok(cell.get_or_init(|| values))
            }
        }
    }

    /// Reads values of a column.
    pub(super) fn read(&self, column: usize, values: Range<usize>) -> Result<Values<'b>, Error> {
        let (place, codes, others) = self.sources(column)?;
        Ok(Values::read(place, values, codes, others)?)
    }

    /// Reads the first values of a column, to be counted.
    pub(super) fn read_coded(&self, column: usize, count: usize) -> Result<Coded<'b>, Error> {
        let (place, codes, others) = self.sources(column)?;
        Ok(Coded::read(place, count, codes, others)?)
    }

    /// What a column lies in: codes, and texts or bits.
    fn sources(&self, column: usize) -> Result<(&'b ColumnPlace, &'b [u8], &'b [u8]), Error> {
        let place = self.block.structure.columns.get(column);
        let place = place.ok_or(Damaged("column"))?;
        let codes = self.block.section(Section::Codes)?;
        let others = if has_bytes(place.value_type) {
            self.block.section(Section::Texts)?
        } else {
            self.block.column_bits()?
        };
        Ok((place, codes, others))
    }

    /// Where the first row's value is.
    pub(super) fn start_of(&self, column: usize) -> u32 {
        self.from.get(column).copied().unwrap_or(0)
    }
}

/// Where in each column the next row's value is.
#[derive(Debug)]
pub(super) struct Cursors(Vec<u32>);

impl Cursors {
    /// At this row.
    pub(super) fn at(structure: &Structure, row: u32) -> Self {
        Cursors(structure.values_before(row as usize))
    }

    /// The place of a slot's value. Of a column that is asked for, every varying slot of every row is
    /// to be asked for, in order.
    #[inline]
    pub(super) fn next(&mut self, slot: Slot) -> u32 {
        if let Some(constant) = slot.constant {
            return constant;
        }
        self.next_of(slot.column)
    }

    /// The place of the next value of a varying slot in this column.
    #[inline]
    pub(super) fn next_of(&mut self, column: u32) -> u32 {
        match self.0.get_mut(column as usize) {
            Some(cursor) => {
                *cursor += 1;
                *cursor - 1
            }
            None => u32::MAX,
        }
    }

    /// Passes over the next values in these columns.
    #[inline]
    pub(super) fn pass(&mut self, columns: &[u32]) {
        for &column in columns {
            if let Some(cursor) = self.0.get_mut(column as usize) {
                *cursor += 1;
            }
        }
    }
}
