//! The block filters, as they are, under the new numbers of their blocks.

use super::source::Source;
use super::{Failure, Watch};
use crate::segment::index::IndexWriter;

pub(super) fn merge(
    sources: &[Source<'_>],
    index: &mut IndexWriter<'_>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    for source in sources {
        for frame in &source.index.directory.filters {
            watch.check()?;
            let frame = source.index.read_filters(frame);
            let frame = frame.map_err(|error| source.blame(error))?;
            for (block, filter) in frame.filters() {
                // A block may stand several times, in any order.
                if let Some(block) = source.stretches.blocks.from(block).moved(block) {
                    index.filters.add_made(&mut index.out, block, filter)?;
                }
            }
        }
    }
    Ok(())
}
