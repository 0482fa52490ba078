//! Unmodelled bytes, from what `encode::rest` wrote.
#![warn(clippy::indexing_slicing)]

use tracewell_model::batch::Columns;

use super::super::copies::Copies;
use super::super::primitive::{Damaged, Reader};
use super::text;

/// Reads the bytes of these rows; the others have none.
pub(super) fn read(
    r: &mut Reader<'_>,
    c: &mut Columns,
    rows: &[usize],
    copies: &mut Copies,
) -> Result<(), Damaged> {
    let mut rest = Vec::new();
    for &row in rows {
        c.rest_end.resize(row, rest.len() as u32);
        read_row(r, c, &mut rest, copies)?;
        let end = u32::try_from(rest.len()).map_err(|_| Damaged("bytes beyond 4 GiB"))?;
        c.rest_end.push(end);
    }
    c.rest_end.resize(c.span_id.len(), rest.len() as u32);
    c.rest = rest;
    Ok(())
}

fn read_row(
    r: &mut Reader<'_>,
    c: &Columns,
    rest: &mut Vec<u8>,
    copies: &mut Copies,
) -> Result<(), Damaged> {
    loop {
        let head = r.varint()?;
        let own = usize::try_from(head >> 1).map_err(|_| Damaged("cut short"))?;
        rest.extend_from_slice(r.take(own)?);
        if head & 1 == 0 {
            copies.note_own(own);
            return Ok(());
        }
        let text = c.text.get(text(r, c)?);
        if !copies.take(text.len()) {
            return Err(Damaged("copies of a text"));
        }
        copies.note_own(own);
        rest.extend_from_slice(text.as_bytes());
    }
}
