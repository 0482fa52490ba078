//! The sampler's word on the traces that lie in one fragment only. Those of several are asked about
//! once they are joined; of those that stay apart, and where there is no index, nobody knows
//! enough: unknown means keep (P12).

use hashbrown::HashSet;
use tracewell_model::TraceSummary;

use super::shared::{FragmentAt, Shared, TraceIds};
use super::source::Input;
use super::{Failure, Verdict, Watch};
use crate::segment::fragment::Fragment;
use crate::segment::index::IndexFile;

/// The fragments that are to be left out.
pub(super) fn dropped(
    inputs: &[Input<'_>],
    shared: &Shared,
    keep: &dyn Fn(&TraceSummary) -> Verdict,
    watch: &Watch<'_>,
) -> Result<Vec<FragmentAt>, Failure> {
    let shared: HashSet<FragmentAt> = shared.traces().flatten().copied().collect();
    let mut dropped = Vec::new();
    for (number, input) in (0..).zip(inputs) {
        let Some(index) = input.index else { continue };
        let names = index.read_names().map_err(Failure::of(input.meta.id))?;
        let mut ids = TraceIds::new(input);
        for_each_fragment(input, index, watch, |fragment, this| {
            let at = FragmentAt {
                input: number,
                fragment,
            };
            if shared.contains(&at) {
                return Ok(());
            }
            let summary = this.summary(ids.get(fragment)?, &names);
            if keep(&summary) == Verdict::Drop {
                dropped.push(at);
            }
            Ok(())
        })?;
    }
    Ok(dropped)
}

fn for_each_fragment(
    input: &Input<'_>,
    index: &IndexFile,
    watch: &Watch<'_>,
    mut each: impl FnMut(u32, &Fragment) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut number = 0;
    for entry in &index.directory.pages {
        watch.check()?;
        let page = index.read_page(entry).map_err(Failure::of(input.meta.id))?;
        for fragment in page.iter() {
            each(number, &fragment)?;
            number += 1;
        }
    }
    Ok(())
}
