//! The merged index: each part is read from all sources side by side and written as it comes.

use super::names::United;
use super::source::Source;
use super::{Failure, Watch, filters, fragments, names, postings, projection};
use crate::segment::index::IndexWriter;
use crate::segment::meta::SegmentMeta;

/// Writes the index of the merged segment; answers its length.
pub(super) fn merge(
    mut index: IndexWriter<'_>,
    sources: &[Source<'_>],
    meta: &SegmentMeta,
    watch: &Watch<'_>,
) -> Result<u64, Failure> {
    let United { names, places } = names::unite(sources)?;
    fragments::merge(sources, &places, &mut index, watch)?;
    projection::merge(sources, &places, &names, &mut index, watch)?;
    postings::merge(sources, &mut index, watch)?;
    filters::merge(sources, &mut index, watch)?;
    Ok(index.finish(meta, &names)?)
}
