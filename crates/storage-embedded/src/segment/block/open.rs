//! A block, opened. Its sections are decompressed when they are first needed: a search by attribute
//! needs no tails, and most of what is asked needs no span ids.
#![warn(clippy::indexing_slicing)]

use std::borrow::Cow;
use std::ops::{Deref, Range};
use std::sync::OnceLock;

use tracewell_model::{SpanBatch, SpanId, TraceId};
use tracewell_storage::{Error, TagFilter};

use super::decode::RowReader;
use super::ids;
use super::parents::ParentReader;
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
    body: Body,
    traces: Vec<BlockTrace>,
}

/// A block without its ids: what counting needs.
#[derive(Debug)]
pub(crate) struct Body {
    parts: BlockParts,
    /// As they are in the file.
    bytes: Vec<u8>,
    opened: [OnceLock<Vec<u8>>; SECTIONS],
    pub(super) structure: Structure,
}

impl Deref for Block {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.body
    }
}

impl Block {
    /// Opens it, given its bytes of the file.
    pub(crate) fn open(parts: BlockParts, bytes: Vec<u8>) -> Result<Block, Error> {
        if bytes.len() != parts.bytes() {
            return Err(Error::corrupt("the block is cut"));
        }
        let mut block = Block {
            body: Body::open(parts, bytes)?,
            traces: Vec::new(),
        };
        block.traces = block.read_traces()?;
        Ok(block)
    }

    fn read_traces(&self) -> Result<Vec<BlockTrace>, Error> {
        let chunks = self.bytes.get(self.parts.trace_ids()).unwrap_or_default();
        let ids = ids::ids_of_chunks(chunks)?;
        if ids.len() != self.structure.traces.len() {
            return Err(Error::corrupt("number of traces"));
        }
        let mut first = 0;
        let traces = self.structure.traces.iter().zip(ids);
        Ok(traces
            .map(|(&spans, id)| {
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
        RowReader::new(self, rows).read()
    }

    /// The ids of these rows.
    pub(super) fn span_ids(&self, rows: Range<u32>) -> Result<Vec<SpanId>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (from, _) = self.parts.id_chunk(rows.start);
        let (last, length) = self.parts.id_chunk(rows.end - 1);
        let chunks = self.bytes.get(from..last + length).unwrap_or_default();
        let ids = ids::ids_of_chunks(chunks)?;
        let skip = rows.start as usize % ids::IDS_PER_CHUNK;
        let ids = ids.get(skip..skip + rows.len());
        let ids = ids.ok_or_else(|| Error::corrupt("number of span ids"))?;
        Ok(ids.iter().map(|&id| SpanId(id)).collect())
    }

    /// Bytes in memory, for caches, should all sections be opened.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.body.memory_bytes() + size_of_val(&*self.traces)
    }

    /// The same of one that is only asked [`Body::holding`] and for durations: what spans have in
    /// their tails, stack traces above all, is most of those that failed, and is not opened to stay.
    pub(crate) fn memory_bytes_without_tails(&self) -> usize {
        let (_, tails) = self.parts.section(Section::Rest);
        self.memory_bytes() - tails.raw as usize
    }

    /// The parents of these rows.
    pub(super) fn parents_of(&self, rows: Range<u32>) -> Result<Vec<SpanId>, Error> {
        let s = &self.structure;
        let structure = self.section(Section::Structure)?;
        let told = self.section(Section::Bits)?;
        let told = told.get(..s.parents_elsewhere * 8);
        let mut reader = ParentReader::new(
            structure.get(s.parents.clone()).unwrap_or_default(),
            told.unwrap_or_default(),
        );
        let mut parents = Vec::with_capacity(rows.len());
        for trace in &self.traces {
            let all = trace.first..trace.first + trace.spans;
            if all.start >= rows.end {
                break;
            }
            if all.end <= rows.start {
                reader.skip(trace.spans)?;
                continue;
            }
            let ids = self.span_ids(all.clone())?;
            for (at, row) in all.enumerate() {
                let parent = reader.next(at, &ids)?;
                if rows.contains(&row) {
                    parents.push(parent);
                }
            }
        }
        Ok(parents)
    }
}

impl Body {
    /// Opens it, given its bytes of the file, at least those of its sections.
    pub(crate) fn open(parts: BlockParts, bytes: Vec<u8>) -> Result<Body, Error> {
        let (_, codes) = parts.section(Section::Codes);
        let opened: [OnceLock<Vec<u8>>; SECTIONS] = Default::default();
        let raw = open_section(&parts, &bytes, Section::Structure)?;
        let structure = Structure::read(&raw, parts.rows, codes.raw as usize)?;
        if let Some(cell) = opened.get(Section::Structure as usize) {
            cell.get_or_init(|| raw);
        }
        Ok(Body {
            parts,
            bytes,
            opened,
            structure,
        })
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u32 {
        self.parts.rows
    }

    /// Each row's duration: for a search whose index cannot decide.
    pub(crate) fn durations(&self) -> Result<Vec<u64>, Error> {
        self.durations_of(0..self.parts.rows)
    }

    /// How many bits each row's duration has.
    pub(super) fn duration_classes(&self) -> Result<&[u8], Error> {
        let structure = self.section(Section::Structure)?;
        let classes = structure.get(self.structure.duration_classes.clone());
        Ok(classes.unwrap_or_default())
    }

    pub(super) fn durations_of(&self, rows: Range<u32>) -> Result<Vec<u64>, Error> {
        let classes = self.duration_classes()?;
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
        })?;
        Ok(durations)
    }

    /// The starts of these rows. Of traces before only the first spans' are read.
    pub(super) fn starts_of(&self, rows: Range<u32>) -> Result<Vec<u64>, Error> {
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
        let mut starts = Vec::with_capacity(rows.len());
        let (mut first, mut at, mut end) = (0u64, 0, 0);
        for spans in &self.structure.traces {
            let first_row = end;
            if first_row >= rows.end {
                break;
            }
            end = first_row + spans;
            // Those that are asked for, or the first one, and those before it in the trace.
            let to = if end > rows.start {
                end.min(rows.end)
            } else {
                first_row + 1
            };
            let these = first_row as usize..to.min(end) as usize;
            let mut before = first;
            let mut row = first_row;
            let take = |since: u64| {
                before = before.wrapping_add(since);
                if row == first_row {
                    first = before;
                }
                if rows.contains(&row) {
                    starts.push(before);
                }
                row += 1;
            };
            let these = classes.get(these).unwrap_or_default();
            bits::read(these, bits, at, take)?;
            let all = first_row as usize..end as usize;
            at += bits::bits_of(classes.get(all).unwrap_or_default());
        }
        Ok(starts)
    }

    /// The bits of columns: they follow the ids.
    pub(super) fn column_bits(&self) -> Result<&[u8], Error> {
        let s = &self.structure;
        let bits = self.section(Section::Bits)?;
        let bits = bits.get(s.parents_elsewhere * 8..);
        Ok(bits.unwrap_or_default())
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

    /// The bytes of a section, decompressed for this one use unless they are there.
    pub(super) fn section_once(&self, which: Section) -> Result<Cow<'_, [u8]>, Error> {
        let opened = self.opened.get(which as usize).and_then(OnceLock::get);
        match opened {
            Some(opened) => Ok(Cow::Borrowed(opened)),
            None => open_section(&self.parts, &self.bytes, which).map(Cow::Owned),
        }
    }

    /// For each row whether it satisfies the condition: it is asked once per distinct value.
    pub(crate) fn holding(&self, filter: &TagFilter) -> Result<Vec<bool>, Error> {
        filter::holding(self, filter)
    }

    fn memory_bytes(&self) -> usize {
        let sections = self.parts.sections.iter();
        let raw: usize = sections.map(|section| section.raw as usize).sum();
        self.bytes.len() + raw + self.structure.memory_bytes()
    }
}

fn open_section(parts: &BlockParts, bytes: &[u8], which: Section) -> Result<Vec<u8>, Error> {
    let (from, length) = parts.section(which);
    let stored = bytes.get(from..from + length.stored as usize);
    section::open(stored.unwrap_or_default(), length.raw)
}

/// A section that does not make sense, though its checksum holds.
impl From<Damaged> for Error {
    fn from(Damaged(what): Damaged) -> Self {
        Error::corrupt(what)
    }
}
