//! Merge: segments become one. Blocks whose traces lie nowhere else are copied as they are, in
//! order; those of the others are decoded and written anew, with their traces' fragments joined,
//! as further runs. The index is made of the inputs' indexes, stream by stream.
//!
//! What is in memory at a time: a few bytes for each fragment and block, one block that is copied,
//! the spans of one run that is written anew ([`MergeOptions`] say how many), and of the indexes a
//! frame of each input. A trace, or a chain of blocks with a trace of several, that is larger than
//! a run is copied as it is: such a trace keeps several fragments, and the data file says which
//! (`DataFile::is_divided`).

mod copy;
mod failed;
mod filters;
mod fragments;
mod index;
mod names;
mod plan;
mod postings;
mod projection;
mod remake;
mod rewrite;
mod shared;
mod source;
mod stretch;
mod verdict;

use std::path::Path;
use std::sync::Arc;

use tracewell_model::TraceSummary;
use tracewell_storage::Error;

use super::Segment;
use super::block::BlockWriter;
use super::data::DataWriter;
use super::index::{IndexFile, IndexWriter};
use super::meta::SegmentMeta;
use super::seal::SealScratch;
use crate::failpoint;
use crate::fs::Fs;
use crate::head::OffsetRange;
use plan::Plan;
use rewrite::Rewriting;
use source::{Input, Source};
use stretch::Stretches;

/// What becomes of a trace that is merged (D21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It is left out, and counted as sampled out.
    Drop,
}

/// The sampler's word on a trace, of which it is told what the merged segments hold; none keeps all.
pub type Keep<'a> = Option<&'a dyn Fn(&TraceSummary) -> Verdict>;

/// Bytes for each fragment while a data file is finished.
const FINISH_BYTES: u64 = 48;

/// What a merge is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeOptions {
    pub(crate) id: u64,
    /// Spans in a block.
    pub(crate) block_spans: usize,
    /// Spans of a run that is written anew, and about how many bytes they take.
    pub(crate) run_spans_max: u64,
    pub(crate) run_bytes_max: u64,
    /// The first segment's index is lost, and is made anew of its data.
    pub(crate) remakes_index: bool,
}

/// What a merge may ask and tell while it goes on.
pub(crate) struct Watch<'a> {
    /// False: it is to stop.
    pub(crate) go_on: &'a dyn Fn() -> bool,
    /// Bytes in memory.
    pub(crate) memory: &'a dyn Fn(u64),
}

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Blocks copied as they were, and their spans.
    pub blocks_copied: u64,
    /// See there.
    pub spans_copied: u64,
    /// Blocks decoded; a block that several runs need counts for each.
    pub blocks_decoded: u64,
    /// Spans written anew.
    pub spans_rewritten: u64,
    /// Traces whose fragments were joined.
    pub traces_joined: u64,
    /// Spans that the sampler left out.
    pub sampled_out: u64,
    /// Bytes of the inputs' files.
    pub bytes_read: u64,
    /// Bytes of the new files.
    pub bytes_written: u64,
}

/// A merge that is done: its files are complete and safe, and mean nothing until the manifest names
/// them. If the sampler left no span of it, there are none.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) meta: SegmentMeta,
    pub(crate) figures: Figures,
}

/// Why a merge was not done; nothing is left of it.
#[derive(Debug)]
pub(crate) enum Failure {
    Stopped,
    /// This input is damaged, or cannot be read.
    Input {
        id: u64,
        error: Error,
    },
    /// Its files are there; whether the manifest names them nobody can tell.
    Uncertain(Error),
    Other(Error),
}

impl Figures {
    /// Adds those of another merge.
    pub(crate) fn add(&mut self, more: &Figures) {
        let pairs = [
            (&mut self.blocks_copied, more.blocks_copied),
            (&mut self.spans_copied, more.spans_copied),
            (&mut self.blocks_decoded, more.blocks_decoded),
            (&mut self.spans_rewritten, more.spans_rewritten),
            (&mut self.traces_joined, more.traces_joined),
            (&mut self.sampled_out, more.sampled_out),
            (&mut self.bytes_read, more.bytes_read),
            (&mut self.bytes_written, more.bytes_written),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

impl Failure {
    /// What went wrong with reading something of this segment.
    fn of(id: u64) -> impl Fn(Error) -> Failure {
        move |error| Failure::Input { id, error }
    }
}

impl Watch<'_> {
    fn check(&self) -> Result<(), Failure> {
        if (self.go_on)() {
            Ok(())
        } else {
            Err(Failure::Stopped)
        }
    }
}

/// Merges these segments, which are by arrival and whole, and all have an index or none has; or copies
/// one that is whole but for its index.
pub(crate) fn merge(
    (fs, dir): (&dyn Fs, &Path),
    segments: &[Arc<Segment>],
    options: MergeOptions,
    keep: Keep<'_>,
    watch: &Watch<'_>,
    scratch: &mut SealScratch,
) -> Result<Merged, Failure> {
    let remade = match segments {
        [first, ..] if options.remakes_index => Some(remake::index_of(
            (fs, dir),
            first,
            &options,
            watch,
            scratch,
        )?),
        _ => None,
    };
    let inputs = source::opened(segments, remade.as_ref())?;
    let plan = Plan::new(&inputs, &options, keep, watch)?;
    let mut figures = Figures::default();
    let mut data = DataWriter::create(fs, dir, options.id)?;
    let copied = copy::copy(&inputs, &plan, &mut data, watch, &mut figures)?;
    let mut rewriting = Rewriting {
        fs,
        dir,
        options,
        inputs: &inputs,
        plan: &plan,
        keep,
        watch,
        scratch,
        duplicates: 0,
        sampled_out: plan.sampled_out,
    };
    let mut runs = Vec::new();
    for run in 0..plan.runs {
        runs.extend(rewriting.run(run, &mut data, &mut figures)?);
    }
    figures.sampled_out = rewriting.sampled_out;
    let mut meta = describe(&inputs, options.id, &data);
    meta.duplicates += rewriting.duplicates;
    let held = |meta: &SegmentMeta| meta.spans + meta.duplicates;
    let inputs_held: u64 = inputs.iter().map(|input| held(input.meta)).sum();
    if inputs_held != held(&meta) + figures.sampled_out {
        // Nothing is lost for it: the inputs stay.
        let said = format!("the merge of {} segments does not add up", inputs.len());
        return Err(Error::retryable(said).into());
    }
    let of_inputs = inputs
        .iter()
        .map(|input| input.meta.data_bytes + input.meta.index_bytes);
    figures.bytes_read = of_inputs.sum();
    if data.blocks() > 0 {
        let sources = sources(&inputs, &copied, &runs, options.id);
        let (output, writer) = ((fs, dir, options), &mut scratch.block);
        finish(output, &mut meta, data, &sources, writer, watch)?;
    }
    figures.bytes_written = meta.data_bytes + meta.index_bytes;
    scratch.shrink();
    Ok(Merged { meta, figures })
}

/// The indexes of what was copied and what was written anew; none where there is none.
fn sources<'a>(
    inputs: &[Input<'a>],
    copied: &'a [Stretches],
    runs: &'a [(IndexFile, Stretches)],
    id: u64,
) -> Vec<Source<'a>> {
    let of_inputs = inputs.iter().zip(copied).filter_map(|(input, stretches)| {
        Some(Source {
            id: input.meta.id,
            index: input.index?,
            stretches,
        })
    });
    let of_runs = runs.iter().map(|(index, stretches)| Source {
        id,
        index,
        stretches,
    });
    of_inputs.chain(of_runs).collect()
}

/// Writes the index, if there is one, and makes both files safe.
fn finish(
    (fs, dir, options): (&dyn Fs, &Path, MergeOptions),
    meta: &mut SegmentMeta,
    data: DataWriter<'_>,
    sources: &[Source<'_>],
    writer: &mut BlockWriter,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    failpoint::hit("merge-before-index");
    let mut index_bytes = 0;
    if !sources.is_empty() {
        let mut index = IndexWriter::create(fs, dir, meta.id)?;
        let names = index::merge(&mut index, sources, &options, writer, watch)?;
        index_bytes = index.finish(meta, &names)?;
    }
    failpoint::hit("merge-between-files");
    (watch.memory)(data.memory_bytes() + meta.fragments * FINISH_BYTES);
    // The data file last: recovery adopts a segment only if both are there.
    meta.data_bytes = data.finish(meta)?;
    meta.index_bytes = index_bytes;
    failpoint::hit("merge-after-write");
    Ok(())
}

/// The merged segment, but for what its files will take.
fn describe(inputs: &[Input<'_>], id: u64, data: &DataWriter<'_>) -> SegmentMeta {
    let metas = || inputs.iter().map(|input| input.meta);
    let least = |of: fn(&SegmentMeta) -> u64| metas().map(of).min().unwrap_or(0);
    let most = |of: fn(&SegmentMeta) -> u64| metas().map(of).max().unwrap_or(0);
    let level = metas().map(|meta| meta.level).max().unwrap_or(0);
    SegmentMeta {
        id,
        level: level.saturating_add(1),
        spans: data.rows(),
        duplicates: metas().map(|meta| meta.duplicates).sum(),
        fragments: u64::from(data.fragments()),
        start_min_unix_ns: least(|meta| meta.start_min_unix_ns),
        start_max_unix_ns: most(|meta| meta.start_max_unix_ns),
        end_max_unix_ns: most(|meta| meta.end_max_unix_ns),
        arrived_min_unix_ns: least(|meta| meta.arrived_min_unix_ns),
        arrived_max_unix_ns: most(|meta| meta.arrived_max_unix_ns),
        ranges: ranges(metas().flat_map(|meta| &meta.ranges).copied().collect()),
        data_bytes: 0,
        index_bytes: 0,
    }
}

/// Ranges of records, those side by side as one.
fn ranges(mut all: Vec<OffsetRange>) -> Vec<OffsetRange> {
    all.sort_unstable_by_key(|range| (range.partition, range.first));
    let mut joined: Vec<OffsetRange> = Vec::new();
    for range in all {
        match joined.last_mut() {
            Some(last) if last.partition == range.partition && last.last + 1 == range.first => {
                last.last = range.last;
            }
            _ => joined.push(range),
        }
    }
    joined
}
