//! A block, opened. Its sections are decompressed when they are first needed: a search by attribute
//! needs no tails, and most of what is asked needs no span ids.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;
use std::sync::OnceLock;

use tracewell_model::{SpanBatch, SpanId, TraceId};
use tracewell_storage::{Error, TagFilter};

use super::decode::RowReader;
use super::ids;
use super::parts::{BlockParts, SECTIONS, Section};
use super::section;
use super::structure::Structure;
use super::{bits, filter};
use crate::codec::Damaged;

/// A trace's rows in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockTrace {
    pub(crate) id: TraceId,
    pub(crate) first: u32,
    pub(crate) spans: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Block {
    parts: BlockParts,
    /// As they are in the file.
    bytes: Vec<u8>,
    opened: [OnceLock<Vec<u8>>; SECTIONS],
    pub(super) structure: Structure,
    traces: Vec<BlockTrace>,
}

impl Block {
    /// A block, given its bytes of the file.
    pub(crate) fn open(parts: BlockParts, bytes: Vec<u8>) -> Result<Block, Error> {
        if bytes.len() != parts.bytes() {
            return Err(Error::corrupt("the block is cut"));
        }
        let (_, codes) = parts.section(Section::Codes);
        let opened: [OnceLock<Vec<u8>>; SECTIONS] = Default::default();
        let raw = open_section(&parts, &bytes, Section::Structure)?;
        let structure = Structure::read(&raw, parts.rows, codes.raw as usize).map_err(senseless)?;
        if let Some(cell) = opened.get(Section::Structure as usize) {
            cell.get_or_init(|| raw);
        }
        let mut block = Block {
            parts,
            bytes,
            opened,
            structure,
            traces: Vec::new(),
        };
        block.traces = block.read_traces()?;
        Ok(block)
    }

    fn read_traces(&self) -> Result<Vec<BlockTrace>, Error> {
        let ids = self.section(Section::Bits)?.as_chunks::<16>().0;
        if ids.len() < self.structure.traces.len() {
            return Err(Error::corrupt("ids of traces"));
        }
        let mut first = 0;
        let traces = self.structure.traces.iter().zip(ids);
        Ok(traces
            .map(|(&spans, &id)| {
                let trace = BlockTrace {
                    id: TraceId(id),
                    first,
                    spans,
                };
                first += spans;
                trace
            })
            .collect())
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u32 {
        self.parts.rows
    }

    /// Its traces, in order of their rows.
    pub(crate) fn traces(&self) -> &[BlockTrace] {
        &self.traces
    }

    /// The rows of this trace; no trace lies in two places of a block.
    pub(crate) fn rows_of(&self, id: TraceId) -> Option<Range<u32>> {
        let trace = self.traces.iter().find(|trace| trace.id == id)?;
        Some(trace.first..trace.first + trace.spans)
    }

    /// All its spans.
    pub(crate) fn batch(&self) -> Result<SpanBatch, Error> {
        self.batch_of(0..self.parts.rows)
    }

    /// These rows.
    pub(crate) fn batch_of(&self, rows: Range<u32>) -> Result<SpanBatch, Error> {
        if rows.start > rows.end || rows.end > self.parts.rows {
            return Err(Error::corrupt("rows beyond the block"));
        }
        RowReader::new(self, rows)?.read()
    }

    /// Each row's duration: for a search whose index cannot decide.
    pub(crate) fn durations(&self) -> Result<Vec<u64>, Error> {
        self.durations_of(0..self.parts.rows)
    }

    pub(super) fn durations_of(&self, rows: Range<u32>) -> Result<Vec<u64>, Error> {
        let structure = self.section(Section::Structure)?;
        let classes = structure.get(self.structure.duration_classes.clone());
        let classes = classes.unwrap_or_default();
        let bits = self.section(Section::Bits)?;
        let from = bits.len().checked_sub(bits::bytes_of(classes));
        let bits = from.and_then(|from| bits.get(from..));
        let bits = bits.ok_or_else(|| Error::corrupt("bits of durations"))?;
        let (before, rest) = classes
            .split_at_checked(rows.start as usize)
            .unwrap_or_default();
        let these = rest.get(..rows.len()).unwrap_or_default();
        let mut durations = Vec::with_capacity(rows.len());
        bits::read(these, bits, bits::bits_of(before), |number| {
            durations.push(number);
        })
        .map_err(senseless)?;
        Ok(durations)
    }

    /// The starts of the rows before `end`.
    pub(super) fn starts_until(&self, end: u32) -> Result<Vec<u64>, Error> {
        let structure = self.section(Section::Structure)?;
        let classes = |place: &Range<usize>| structure.get(place.clone()).unwrap_or_default();
        let durations = bits::bytes_of(classes(&self.structure.duration_classes));
        let classes = classes(&self.structure.start_classes);
        let bits = self.section(Section::Bits)?;
        let from = bits
            .len()
            .checked_sub(bits::bytes_of(classes))
            .and_then(|from| from.checked_sub(durations));
        let bits = from.and_then(|from| bits.get(from..));
        let bits = bits.ok_or_else(|| Error::corrupt("bits of starts"))?;
        let these = classes.get(..end as usize).unwrap_or_default();
        let mut starts = Vec::with_capacity(these.len());
        bits::read(these, bits, 0, |since| starts.push(since)).map_err(senseless)?;
        let (mut first, mut rest) = (0u64, starts.as_mut_slice());
        for &spans in &self.structure.traces {
            let (trace, others) = rest.split_at_mut(rest.len().min(spans as usize));
            let mut before = first;
            for (at, start) in trace.iter_mut().enumerate() {
                *start = start.wrapping_add(before);
                before = *start;
                if at == 0 {
                    first = before;
                }
            }
            rest = others;
        }
        Ok(starts)
    }

    /// The ids of all rows.
    pub(super) fn span_ids(&self) -> Result<Vec<SpanId>, Error> {
        let chunks = self.bytes.get(self.parts.ids_at()..).unwrap_or_default();
        let ids = ids::ids_of_chunks(chunks)?;
        if ids.len() == self.parts.rows as usize {
            Ok(ids)
        } else {
            Err(Error::corrupt("number of span ids"))
        }
    }

    /// The bytes of a section, decompressed.
    pub(super) fn section(&self, which: Section) -> Result<&[u8], Error> {
        let cell = self
            .opened
            .get(which as usize)
            .ok_or_else(|| Error::corrupt("section"))?;
        if let Some(opened) = cell.get() {
            return Ok(opened);
        }
        let opened = open_section(&self.parts, &self.bytes, which)?;
        Ok(cell.get_or_init(|| opened))
    }

    /// For each row whether it satisfies the condition: it is asked once per distinct value.
    pub(crate) fn holding(&self, filter: &TagFilter) -> Result<Vec<bool>, Error> {
        filter::holding(self, filter)
    }

    /// Bytes in memory, for caches, should all sections be opened.
    pub(crate) fn memory_bytes(&self) -> usize {
        let sections = self.parts.sections.iter();
        let raw: usize = sections.map(|section| section.raw as usize).sum();
        self.bytes.len() + raw * 2
    }
}

fn open_section(parts: &BlockParts, bytes: &[u8], which: Section) -> Result<Vec<u8>, Error> {
    let (from, length) = parts.section(which);
    let stored = bytes.get(from..from + length.stored as usize);
    section::open(stored.unwrap_or_default(), length.raw)
}

/// A section that does not make sense, though its checksum holds.
pub(super) fn senseless(Damaged(what): Damaged) -> Error {
    Error::corrupt(what)
}
