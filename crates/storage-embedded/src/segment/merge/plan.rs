//! What becomes of each block: copied, written anew and in which run, or gone.
//!
//! Blocks are taken in *units*: one block, or those that a trace of several goes through. A unit is
//! written anew when a trace in it is to be joined with its other fragments, or is left out; or when
//! it is tiny and others are written anyway. Runs are filled in the order of the inputs, each trace's
//! fragments together: what arrived together is together, so few blocks are decoded for two runs.

use std::ops::Range;

use hashbrown::HashMap;

use super::shared::{FragmentAt, Shared};
use super::source::Input;
use super::{Failure, Keep, MergeOptions, Watch, verdict};
use crate::segment::data::BlockEntry;

/// A unit with less than this share of a block's spans is tiny.
const TINY_SHARE: u64 = 4;
/// But not if it has this many bytes.
const TINY_BYTES_MAX: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    /// By input, in order.
    pub(super) units: Vec<Vec<Unit>>,
    /// How many are written.
    pub(super) runs: u32,
    /// Spans of the fragments that are in none.
    pub(super) sampled_out: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) blocks: Range<usize>,
    pub(super) fragments: Range<u32>,
    pub(super) rows: Range<u32>,
    /// Of its sections, decompressed.
    pub(super) bytes: u64,
    pub(super) is_copied: bool,
    /// What becomes of each fragment, if it is not copied, or was to be looked at.
    pieces: Vec<Piece>,
}

/// A fragment that is perhaps written anew.
#[derive(Clone, Copy, Debug)]
struct Piece {
    spans: u32,
    run: u32,
}

/// Not decided yet.
const OPEN: u32 = u32::MAX;
/// Left out.
const DROPPED: u32 = u32::MAX - 1;

impl Unit {
    /// True when this fragment is one of the run.
    pub(super) fn is_in(&self, fragment: u32, run: u32) -> bool {
        !self.is_copied && self.piece(fragment).is_some_and(|piece| piece.run == run)
    }

    /// True when any is.
    pub(super) fn has_any_of(&self, run: u32) -> bool {
        !self.is_copied && self.pieces.iter().any(|piece| piece.run == run)
    }

    fn piece(&self, fragment: u32) -> Option<Piece> {
        let at = fragment.checked_sub(self.fragments.start)?;
        self.pieces.get(at as usize).copied()
    }

    fn span_count(&self) -> u64 {
        u64::from(self.rows.end - self.rows.start)
    }

    /// About how many bytes so many of its spans take.
    fn bytes_of(&self, spans: u64) -> u64 {
        self.bytes * spans / self.span_count().max(1)
    }
}

/// The units of these blocks.
pub(super) fn units(blocks: &[BlockEntry]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let end = block.last_fragment + 1;
        // As the writer of the segment made sure, rows and fragments have 32 bits.
        let (first_row, end_row) = (block.first_row as u32, block.end_row() as u32);
        let bytes = block.parts.raw_bytes();
        match units.last_mut() {
            Some(unit) if block.first_fragment < unit.fragments.end => {
                unit.blocks.end = number + 1;
                unit.fragments.end = end;
                unit.rows.end = end_row;
                unit.bytes += bytes;
            }
            _ => units.push(Unit {
                blocks: number..number + 1,
                fragments: block.first_fragment..end,
                rows: first_row..end_row,
                bytes,
                is_copied: true,
                pieces: Vec::new(),
            }),
        }
    }
    units
}

impl Plan {
    pub(super) fn new(
        inputs: &[Input<'_>],
        options: &MergeOptions,
        keep: Keep<'_>,
        watch: &Watch<'_>,
    ) -> Result<Plan, Failure> {
        let shared = Shared::find(inputs, watch)?;
        let mut planner = Planner {
            inputs,
            options,
            units: inputs
                .iter()
                .map(|input| units(&input.data.blocks))
                .collect(),
            joined: Vec::new(),
            sampled_out: 0,
        };
        for trace in shared.traces() {
            planner.join(trace)?;
        }
        if let Some(keep) = keep {
            for at in verdict::dropped(inputs, &shared, keep, watch)? {
                planner.leave_out(at)?;
            }
        }
        planner.gather_tiny()?;
        let runs = planner.assign_runs();
        Ok(Plan {
            units: planner.units,
            runs,
            sampled_out: planner.sampled_out,
        })
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let units = self.units.iter().flatten();
        let bytes = |unit: &Unit| size_of::<Unit>() + unit.pieces.capacity() * size_of::<Piece>();
        units.map(|unit| bytes(unit) as u64).sum()
    }
}

struct Planner<'a> {
    inputs: &'a [Input<'a>],
    options: &'a MergeOptions,
    units: Vec<Vec<Unit>>,
    /// Traces that are joined.
    joined: Vec<Vec<FragmentAt>>,
    sampled_out: u64,
}

impl Planner<'_> {
    fn unit(&mut self, at: FragmentAt) -> &mut Unit {
        let units = &mut self.units[at.input as usize];
        let number = units.partition_point(|unit| unit.fragments.end <= at.fragment);
        &mut units[number]
    }

    fn fits_a_run(&self, spans: u64, bytes: u64) -> bool {
        spans <= self.options.run_spans_max && bytes <= self.options.run_bytes_max
    }

    fn is_giant(&mut self, at: FragmentAt) -> bool {
        let unit = self.unit(at);
        let (spans, bytes) = (unit.span_count(), unit.bytes);
        !self.fits_a_run(spans, bytes)
    }

    /// Decides that the trace of these fragments is joined, if it is small enough.
    fn join(&mut self, trace: &[FragmentAt]) -> Result<(), Failure> {
        if trace.iter().any(|&at| self.is_giant(at)) {
            return Ok(());
        }
        for &at in trace {
            self.spans_of(at)?;
        }
        let (spans, bytes) = self.weigh(trace);
        if self.fits_a_run(spans, bytes) {
            trace.iter().for_each(|&at| self.unit(at).is_copied = false);
            self.joined.push(trace.to_vec());
        }
        Ok(())
    }

    /// Leaves a fragment out, unless it is part of a unit that is too large to be written anew.
    fn leave_out(&mut self, at: FragmentAt) -> Result<(), Failure> {
        let alone = self.unit(at).fragments.len() == 1;
        if !alone && self.is_giant(at) {
            return Ok(());
        }
        // Of a unit that is gone as a whole nothing is to be known.
        let spans = match alone {
            true => self.unit(at).span_count(),
            false => self.spans_of(at)?,
        };
        self.sampled_out += spans;
        let unit = self.unit(at);
        unit.is_copied = false;
        if let Some(piece) = unit
            .pieces
            .get_mut((at.fragment - unit.fragments.start) as usize)
        {
            piece.run = DROPPED;
        }
        Ok(())
    }

    /// Tiny units are written anew if there is more than one thing to write.
    fn gather_tiny(&mut self) -> Result<(), Failure> {
        let spans_max = self.options.block_spans as u64 / TINY_SHARE;
        let is_tiny = |unit: &&Unit| {
            unit.is_copied && unit.span_count() < spans_max && unit.bytes < TINY_BYTES_MAX
        };
        let mut tiny = Vec::new();
        for (input, units) in (0..).zip(&self.units) {
            tiny.extend(units.iter().filter(is_tiny).map(|unit| FragmentAt {
                input,
                fragment: unit.fragments.start,
            }));
        }
        let all = self.units.iter().flatten();
        if tiny.len() + all.filter(|unit| !unit.is_copied).count() < 2 {
            return Ok(());
        }
        for at in tiny {
            self.spans_of(at)?;
            self.unit(at).is_copied = false;
        }
        Ok(())
    }

    /// Gives each fragment that is written anew its run; answers how many there are.
    fn assign_runs(&mut self) -> u32 {
        let joined = std::mem::take(&mut self.joined);
        let fragments_of = |(trace, at): (usize, &Vec<FragmentAt>)| {
            let of_trace = move |&at: &FragmentAt| (at, trace);
            at.iter().map(of_trace).collect::<Vec<_>>()
        };
        let traces: HashMap<FragmentAt, usize> =
            joined.iter().enumerate().flat_map(fragments_of).collect();
        let (mut run, mut filled) = (0, (0, 0));
        for at in self.rewritten() {
            if self.run_of(at) != Some(OPEN) {
                continue;
            }
            let one = [at];
            let trace = traces.get(&at).map_or(&one[..], |&trace| &joined[trace]);
            let (spans, bytes) = self.weigh(trace);
            if filled.0 > 0 && !self.fits_a_run(filled.0 + spans, filled.1 + bytes) {
                (run, filled) = (run + 1, (0, 0));
            }
            filled = (filled.0 + spans, filled.1 + bytes);
            trace.iter().for_each(|&at| self.set_run(at, run));
        }
        run + u32::from(filled.0 > 0)
    }

    /// All fragments of units that are not copied, in order.
    fn rewritten(&self) -> Vec<FragmentAt> {
        let mut all = Vec::new();
        for (input, units) in (0..).zip(&self.units) {
            for unit in units.iter().filter(|unit| !unit.is_copied) {
                let fragments = unit.fragments.clone();
                all.extend(fragments.map(|fragment| FragmentAt { input, fragment }));
            }
        }
        all
    }

    fn run_of(&mut self, at: FragmentAt) -> Option<u32> {
        self.unit(at).piece(at.fragment).map(|piece| piece.run)
    }

    fn set_run(&mut self, at: FragmentAt, run: u32) {
        let unit = self.unit(at);
        let place = (at.fragment - unit.fragments.start) as usize;
        if let Some(piece) = unit.pieces.get_mut(place) {
            piece.run = run;
        }
    }

    /// Spans and bytes of fragments that were looked at.
    fn weigh(&mut self, trace: &[FragmentAt]) -> (u64, u64) {
        let (mut spans, mut bytes) = (0, 0);
        for &at in trace {
            let unit = self.unit(at);
            let count = unit.piece(at.fragment).map_or(0, |piece| piece.spans);
            spans += u64::from(count);
            bytes += unit.bytes_of(u64::from(count));
        }
        (spans, bytes)
    }

    /// How many spans a fragment has. Opens its unit when it is the first to be asked of it.
    fn spans_of(&mut self, at: FragmentAt) -> Result<u64, Failure> {
        let input = self.inputs[at.input as usize];
        let unit = self.unit(at);
        if unit.pieces.is_empty() {
            let blame = Failure::of(input.meta.id);
            let mut pieces: Vec<Piece> = Vec::with_capacity(unit.fragments.len());
            for entry in &input.data.blocks[unit.blocks.clone()] {
                let block = input.data.read_block(entry).map_err(&blame)?;
                for (fragment, trace) in (entry.first_fragment..).zip(block.traces()) {
                    let at = (fragment - unit.fragments.start) as usize;
                    match pieces.get_mut(at) {
                        Some(piece) => piece.spans += trace.spans,
                        None => pieces.push(Piece {
                            spans: trace.spans,
                            run: OPEN,
                        }),
                    }
                }
            }
            if pieces.len() != unit.fragments.len() {
                let misfit = tracewell_storage::Error::corrupt("traces of a block are missing");
                return Err(blame(misfit));
            }
            unit.pieces = pieces;
        }
        Ok(unit
            .piece(at.fragment)
            .map_or(0, |piece| u64::from(piece.spans)))
    }
}
