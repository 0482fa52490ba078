//! Copies blocks as they are, once their checksums hold.

use tracewell_model::TraceId;

use super::plan::{Plan, Unit};
use super::source::Input;
use super::stretch::Stretches;
use super::{Failure, Figures, Watch};
use crate::segment::block;
use crate::segment::data::DataWriter;

/// Copies what is to be copied of each input; answers where it stands now.
pub(super) fn copy(
    inputs: &[Input<'_>],
    plan: &Plan,
    data: &mut DataWriter<'_>,
    watch: &Watch<'_>,
    figures: &mut Figures,
) -> Result<Vec<Stretches>, Failure> {
    let mut copied = Vec::with_capacity(inputs.len());
    let mut bytes = Vec::new();
    for (input, units) in inputs.iter().zip(&plan.units) {
        let mut stretches = Stretches::default();
        for unit in units.iter().filter(|unit| unit.is_copied) {
            watch.check()?;
            note(unit, data, &mut stretches);
            copy_unit(input, unit, &mut bytes, data)?;
            figures.blocks_copied += unit.blocks.len() as u64;
            figures.spans_copied += u64::from(unit.rows.end - unit.rows.start);
        }
        copied.push(stretches);
    }
    Ok(copied)
}

/// Notes that this unit comes next.
fn note(unit: &Unit, data: &DataWriter<'_>, stretches: &mut Stretches) {
    let (fragments, rows) = (&unit.fragments, &unit.rows);
    let count = fragments.end - fragments.start;
    stretches
        .fragments
        .push(fragments.start, count, data.fragments());
    let count = rows.end - rows.start;
    stretches.rows.push(rows.start, count, data.rows() as u32);
    let (first, count) = (unit.blocks.start as u32, unit.blocks.len() as u32);
    stretches.blocks.push(first, count, data.blocks());
}

fn copy_unit(
    input: &Input<'_>,
    unit: &Unit,
    bytes: &mut Vec<u8>,
    data: &mut DataWriter<'_>,
) -> Result<(), Failure> {
    let blame = Failure::of(input.meta.id);
    for number in unit.blocks.clone() {
        let entry = &input.data.blocks[number];
        input.data.read_bytes(entry, bytes).map_err(&blame)?;
        let ids = block::checked_trace_ids(&entry.parts, bytes).map_err(&blame)?;
        let goes_on = number > unit.blocks.start;
        let begun = ids.into_iter().skip(usize::from(goes_on)).map(TraceId);
        data.block(bytes, entry.parts, goes_on, begun)?;
    }
    Ok(())
}
