//! The traces that lie in several fragments of what is merged: by the hashes of the trace-id tables,
//! and what has one of those in common by its ids.

use tracewell_model::TraceId;
use tracewell_storage::Error;

use super::source::Input;
use super::{Failure, Watch};
use crate::segment::data::TraceIdPlace;

/// A fragment of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FragmentAt {
    pub(super) input: u32,
    pub(super) fragment: u32,
}

/// The fragments of each such trace.
#[derive(Debug, Default)]
pub(super) struct Shared {
    fragments: Vec<FragmentAt>,
    ends: Vec<u32>,
}

impl Shared {
    pub(super) fn find(inputs: &[Input<'_>], watch: &Watch<'_>) -> Result<Shared, Failure> {
        let suspects = alike(inputs, watch)?;
        let mut named = with_ids(inputs, suspects, watch)?;
        named.sort_unstable();
        let mut shared = Shared::default();
        for same in named
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|same| same.len() > 1)
        {
            shared.fragments.extend(same.iter().map(|&(_, at)| at));
            shared.ends.push(shared.fragments.len() as u32);
        }
        Ok(shared)
    }

    /// The fragments of each trace, by input.
    pub(super) fn traces(&self) -> impl Iterator<Item = &[FragmentAt]> {
        let mut from = 0;
        self.ends.iter().map(move |&end| {
            let trace = from as usize..end as usize;
            from = end;
            self.fragments.get(trace).unwrap_or_default()
        })
    }
}

/// The fragments whose hash in the tables some other has too, by input and number.
fn alike(inputs: &[Input<'_>], watch: &Watch<'_>) -> Result<Vec<FragmentAt>, Failure> {
    let count: u64 = inputs.iter().map(|input| input.meta.fragments).sum();
    let mut all: Vec<(u32, FragmentAt)> = Vec::with_capacity(count as usize);
    for (number, input) in (0..).zip(inputs) {
        watch.check()?;
        for page in 0..input.data.pages() {
            let entries = input.data.read_page(page);
            let entries = entries.map_err(Failure::of(input.meta.id))?;
            all.extend(entries.into_iter().map(|(hash, fragment)| {
                let at = FragmentAt {
                    input: number,
                    fragment,
                };
                (hash, at)
            }));
        }
    }
    all.sort_unstable();
    (watch.memory)(size_of_val(&*all) as u64);
    let several = all
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|same| same.len() > 1);
    let mut suspects: Vec<_> = several.flatten().map(|&(_, at)| at).collect();
    suspects.sort_unstable();
    Ok(suspects)
}

/// The trace id of each of these. Neighbours lie in one chunk of ids.
fn with_ids(
    inputs: &[Input<'_>],
    suspects: Vec<FragmentAt>,
    watch: &Watch<'_>,
) -> Result<Vec<(TraceId, FragmentAt)>, Failure> {
    let mut named = Vec::with_capacity(suspects.len());
    for (number, input) in (0..).zip(inputs) {
        watch.check()?;
        let from = suspects.partition_point(|at| at.input < number);
        let these = suspects[from..].iter().take_while(|at| at.input == number);
        let mut ids = TraceIds::new(input);
        for &at in these {
            named.push((ids.get(at.fragment)?, at));
        }
    }
    Ok(named)
}

/// The trace ids of an input, read chunk by chunk for fragments that ascend.
pub(super) struct TraceIds<'a> {
    input: Input<'a>,
    chunk: Option<(u64, Vec<TraceId>)>,
}

impl<'a> TraceIds<'a> {
    pub(super) fn new(input: &Input<'a>) -> Self {
        TraceIds {
            input: *input,
            chunk: None,
        }
    }

    pub(super) fn get(&mut self, fragment: u32) -> Result<TraceId, Failure> {
        let blame = Failure::of(self.input.meta.id);
        let nowhere = || Error::corrupt("the trace-id table names a fragment that is in no block");
        let place: Option<TraceIdPlace> = self.input.data.trace_id_of(fragment);
        let place = place.ok_or_else(|| blame(nowhere()))?;
        if self
            .chunk
            .as_ref()
            .is_none_or(|(offset, _)| *offset != place.offset)
        {
            let ids = self.input.data.read_trace_ids(&place).map_err(&blame)?;
            self.chunk = Some((place.offset, ids));
        }
        let ids = self.chunk.as_ref().map(|(_, ids)| ids);
        let id = ids.and_then(|ids| ids.get(place.at).copied());
        id.ok_or_else(|| blame(nowhere()))
    }
}
