//! Writes a run anew: decodes what belongs to it, joins the fragments of each trace, and writes
//! blocks as a seal does. The run's index goes into a file of its own, under the name that the
//! merged one takes later, without its name as soon as it is written: a source like the inputs'.

use std::path::Path;

use hashbrown::{HashMap, HashSet};
use tracewell_model::{SpanBatch, TraceId, TraceSummary};
use tracewell_storage::Error;

use super::plan::{Plan, Unit};
use super::source::Input;
use super::stretch::Stretches;
use super::{Failure, Figures, Keep, MergeOptions, Verdict, Watch};
use crate::fs::Fs;
use crate::head::Extent;
use crate::segment::data::DataWriter;
use crate::segment::fragment::{Fragment, FragmentPage};
use crate::segment::index::{IndexFile, IndexWriter};
use crate::segment::pages::FRAGMENTS_PER_PAGE;
use crate::segment::run::{Run, RunPiece, UnorderedTrace};
use crate::segment::seal::{SealScratch, write_blocks, write_index};
use crate::segment::values::RunValues;

/// See the module.
pub(super) struct Rewriting<'a> {
    pub(super) fs: &'a dyn Fs,
    pub(super) dir: &'a Path,
    pub(super) options: MergeOptions,
    pub(super) inputs: &'a [Input<'a>],
    pub(super) plan: &'a Plan,
    pub(super) keep: Keep<'a>,
    pub(super) watch: &'a Watch<'a>,
    pub(super) scratch: &'a mut SealScratch,
    /// Exact repeats that were left out.
    pub(super) duplicates: u64,
    /// Spans of traces that were.
    pub(super) sampled_out: u64,
}

/// The spans of a run, decoded.
#[derive(Default)]
struct Decoded {
    batches: Vec<SpanBatch>,
    traces: Vec<UnorderedTrace>,
    place_of: HashMap<TraceId, usize>,
    /// Traces of several fragments.
    joined: HashSet<TraceId>,
    bytes: u64,
}

/// A fragment of a unit, and where its rows are.
struct DecodedFragment {
    number: u32,
    id: TraceId,
    pieces: Vec<RunPiece>,
}

impl Rewriting<'_> {
    /// Writes the run of this number; answers its index, if it is to have one, and where what that
    /// tells of stands.
    pub(super) fn run(
        &mut self,
        number: u32,
        data: &mut DataWriter<'_>,
        figures: &mut Figures,
    ) -> Result<Option<(IndexFile, Stretches)>, Failure> {
        let mut decoded = Decoded::default();
        for (input, units) in self.inputs.iter().zip(&self.plan.units) {
            let mut pages = Pages::new(input);
            for unit in units.iter().filter(|unit| unit.has_any_of(number)) {
                self.watch.check()?;
                for fragment in decode(input, unit, number, &mut decoded, figures)? {
                    let steps = pages.steps(&fragment, &decoded.batches)?;
                    decoded.add(fragment, steps);
                }
            }
        }
        let tables = self.plan.memory_bytes() + data.memory_bytes();
        (self.watch.memory)(tables + decoded.bytes);
        figures.traces_joined += decoded.joined.len() as u64;
        let batches = decoded.batches.iter().collect();
        let mut run = Run::from_pieces(batches, decoded.traces, &mut self.scratch.run);
        self.duplicates += run.duplicates;
        if let Some(keep) = self.keep {
            self.sampled_out += leave_out(&mut run, &decoded.joined, keep);
        }
        figures.spans_rewritten += run.rows.len() as u64;
        self.write(&run, data)
    }

    fn write(
        &mut self,
        run: &Run<'_>,
        data: &mut DataWriter<'_>,
    ) -> Result<Option<(IndexFile, Stretches)>, Failure> {
        if run.rows.is_empty() {
            return Ok(None);
        }
        let (first_row, first_block) = (data.rows() as u32, data.blocks());
        let mut stretches = Stretches::default();
        stretches
            .fragments
            .push(0, run.traces.len() as u32, data.fragments());
        stretches
            .rows
            .push(first_row, run.rows.len() as u32, first_row);
        let mut values = RunValues::new(&run.batches);
        let has_index = self.inputs.iter().all(|input| input.index.is_some());
        let mut index = match has_index {
            true => Some(IndexWriter::create(self.fs, self.dir, self.options.id)?),
            false => None,
        };
        let block_spans = self.options.block_spans;
        write_blocks(
            run,
            block_spans,
            &mut values,
            self.scratch,
            data,
            index.as_mut(),
        )?;
        let Some(mut index) = index else {
            return Ok(None);
        };
        let blocks = data.blocks() - first_block;
        stretches.blocks.push(first_block, blocks, first_block);
        let scratch = &mut *self.scratch;
        let names = write_index(run, first_row, block_spans, values, scratch, &mut index)?;
        Ok(Some((index.finish_unnamed(&names)?, stretches)))
    }
}

/// Decodes what a unit has of the run.
fn decode(
    input: &Input<'_>,
    unit: &Unit,
    run: u32,
    decoded: &mut Decoded,
    figures: &mut Figures,
) -> Result<Vec<DecodedFragment>, Failure> {
    let blame = Failure::of(input.meta.id);
    let mut fragments: Vec<DecodedFragment> = Vec::new();
    for entry in &input.data.blocks[unit.blocks.clone()] {
        let block = input.data.read_block(entry).map_err(&blame)?;
        figures.blocks_decoded += 1;
        let traces: Vec<_> = (entry.first_fragment..).zip(block.traces()).collect();
        let is_wanted = |&(number, _): &(u32, _)| unit.is_in(number, run);
        // Rows side by side are decoded together.
        for traces in traces.chunk_by(|a, b| is_wanted(a) == is_wanted(b)) {
            let [(first, from), ..] = traces else {
                continue;
            };
            if !unit.is_in(*first, run) {
                continue;
            }
            let rows: u32 = traces.iter().map(|(_, trace)| trace.spans).sum();
            let batch = block
                .batch_of(from.first..from.first + rows)
                .map_err(&blame)?;
            for (number, trace) in traces {
                let at = trace.first - from.first;
                let piece = RunPiece {
                    batch: decoded.batches.len() as u32,
                    rows: at..at + trace.spans,
                };
                match fragments.last_mut() {
                    Some(last) if last.number == *number => last.pieces.push(piece),
                    _ => fragments.push(DecodedFragment {
                        number: *number,
                        id: trace.id,
                        pieces: vec![piece],
                    }),
                }
            }
            decoded.bytes += batch.memory_bytes() as u64;
            decoded.batches.push(batch);
        }
    }
    Ok(fragments)
}

impl Decoded {
    fn add(&mut self, fragment: DecodedFragment, steps: Vec<(u64, Extent)>) {
        let DecodedFragment { id, pieces, .. } = fragment;
        let next = self.traces.len();
        let at = *self.place_of.entry(id).or_insert(next);
        match self.traces.get_mut(at) {
            Some(trace) => {
                trace.pieces.extend(pieces);
                trace.steps.extend(steps);
                self.joined.insert(id);
            }
            None => self.traces.push(UnorderedTrace { id, steps, pieces }),
        }
    }
}

/// Leaves out joined traces that the sampler drops; answers how many spans.
fn leave_out(
    run: &mut Run<'_>,
    joined: &HashSet<TraceId>,
    keep: &dyn Fn(&TraceSummary) -> Verdict,
) -> u64 {
    let before = run.rows.len();
    run.retain(|run, trace| {
        let summary = joined
            .contains(&trace.id)
            .then(|| TraceSummary::of(run.spans(trace)));
        summary
            .flatten()
            .is_none_or(|summary| keep(&summary) == Verdict::Keep)
    });
    (before - run.rows.len()) as u64
}

/// The fragment table of an input, read page by page for fragments that ascend.
struct Pages<'a> {
    input: Input<'a>,
    page: Option<(u32, FragmentPage)>,
}

impl<'a> Pages<'a> {
    fn new(input: &Input<'a>) -> Self {
        Pages {
            input: *input,
            page: None,
        }
    }

    /// When a fragment's start and end moved, and how far it reached then.
    fn steps(
        &mut self,
        fragment: &DecodedFragment,
        batches: &[SpanBatch],
    ) -> Result<Vec<(u64, Extent)>, Failure> {
        let all = extents(&fragment.pieces, batches);
        let mut whole = Extent::NONE;
        all.clone().for_each(|extent| whole.join(extent));
        let Some(index) = self.input.index else {
            // Nobody will ask: without an index there is no search.
            return Ok(vec![(self.input.meta.arrived_max_unix_ns, whole)]);
        };
        let blame = Failure::of(self.input.meta.id);
        let known = self.fragment(index, fragment.number)?;
        if known.spans as usize != all.clone().count() {
            let misfit = "a fragment of the index is not the block's";
            return Err(blame(Error::corrupt(misfit)));
        }
        let row = |row: u32| all.clone().nth(row as usize).unwrap_or(whole);
        let steps = known.steps.iter().map(|step| {
            let extent = step.reach.map(|reach| Extent {
                start: row(reach.start_row).start,
                end: row(reach.end_row).end,
            });
            (step.arrived_unix_ns, extent.unwrap_or(whole))
        });
        Ok(steps.collect())
    }

    fn fragment(&mut self, index: &IndexFile, number: u32) -> Result<Fragment, Failure> {
        let wanted = number / FRAGMENTS_PER_PAGE;
        let blame = Failure::of(self.input.meta.id);
        let missing = || Error::corrupt("a fragment page is missing");
        if self.page.as_ref().is_none_or(|(page, _)| *page != wanted) {
            let entry = index.directory.pages.get(wanted as usize);
            let entry = entry.ok_or_else(|| blame(missing()))?;
            self.page = Some((wanted, index.read_page(entry).map_err(&blame)?));
        }
        let page = self.page.as_ref().map(|(_, page)| page);
        let at = (number % FRAGMENTS_PER_PAGE) as usize;
        let fragment = page.and_then(|page| page.get(at));
        fragment.ok_or_else(|| blame(missing()))
    }
}

/// Starts and ends of these rows, in order.
fn extents<'a>(
    pieces: &'a [RunPiece],
    batches: &'a [SpanBatch],
) -> impl Iterator<Item = Extent> + Clone + 'a {
    pieces.iter().flat_map(|piece| {
        let batch = &batches[piece.batch as usize];
        piece.rows.clone().map(|row| {
            let span = batch.span(row);
            Extent {
                start: span.start_unix_ns(),
                end: span.end_unix_ns(),
            }
        })
    })
}
