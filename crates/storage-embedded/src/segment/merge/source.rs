//! What is merged: segments, and for the index also the runs that were written anew.

use std::sync::Arc;

use tracewell_storage::Error;

use super::Failure;
use super::stretch::Stretches;
use crate::segment::Segment;
use crate::segment::data::DataFile;
use crate::segment::index::IndexFile;
use crate::segment::meta::SegmentMeta;

/// A segment that is merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) meta: &'a SegmentMeta,
    pub(super) data: &'a DataFile,
    /// None when it was removed by age.
    pub(super) index: Option<&'a IndexFile>,
}

/// Of segments that are whole, the first with this index if its own is not.
pub(super) fn opened<'a>(
    segments: &'a [Arc<Segment>],
    mut remade: Option<&'a IndexFile>,
) -> Result<Vec<Input<'a>>, Failure> {
    let mut inputs = Vec::with_capacity(segments.len());
    for segment in segments {
        let blame = |error: &Error| Failure::of(segment.meta.id)(error.clone());
        inputs.push(Input {
            meta: &segment.meta,
            data: segment.data.as_ref().map_err(blame)?,
            index: match (remade.take(), segment.meta.has_index()) {
                (Some(remade), _) => Some(remade),
                (None, true) => Some(segment.index.as_ref().map_err(blame)?),
                (None, false) => None,
            },
        });
    }
    Ok(inputs)
}

/// An index that goes into the merged one, and where what it tells of stands there.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) id: u64,
    pub(super) index: &'a IndexFile,
    pub(super) stretches: &'a Stretches,
}

impl Source<'_> {
    /// What went wrong with it.
    pub(super) fn blame(&self, error: Error) -> Failure {
        Failure::of(self.id)(error)
    }

    /// It does not fit what else is known of it.
    pub(super) fn misfit(&self, what: &'static str) -> Failure {
        self.blame(Error::corrupt(what))
    }
}
