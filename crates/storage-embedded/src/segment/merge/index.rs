//! The merged index: each part is read from all sources side by side and written as it comes.

use super::names::United;
use super::source::Source;
use super::{
    Failure, MergeOptions, Watch, failed, filters, fragments, names, postings, projection,
};
use crate::segment::block::BlockWriter;
use crate::segment::index::IndexWriter;
use crate::segment::names::NameTable;

/// Writes the index of the merged segment but for its names, which it answers.
pub(super) fn merge(
    index: &mut IndexWriter<'_>,
    sources: &[Source<'_>],
    options: &MergeOptions,
    writer: &mut BlockWriter,
    watch: &Watch<'_>,
) -> Result<NameTable, Failure> {
    let United { names, places } = names::unite(sources)?;
    fragments::merge(sources, &places, index, watch)?;
    projection::merge(sources, &places, &names, index, watch)?;
    postings::merge(sources, index, watch)?;
    filters::merge(sources, index, watch)?;
    failed::merge(sources, options, writer, index, watch)?;
    Ok(names)
}
