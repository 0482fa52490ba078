//! Writes blocks: rows of a run in, bytes out. What is written where: docs/formats/block.md.

use std::ops::Range;

use tracewell_model::attribute::ValueType;
use tracewell_model::{SpanId, StatusCode, TraceId};
use tracewell_storage::Error;

use super::bits::{self, BitWriter};
use super::columns::{ColumnSections, ColumnWriter, Posted};
use super::gather::Gather;
use super::ids;
use super::layout::{class, column, lane};
use super::locals::Locals;
use super::parents::{ParentRow, ParentWriter};
use super::parts::{BlockParts, SECTIONS, Section, SectionBytes};
use super::section::{self, Packer};
use super::sequences::Sequences;
use super::stamped::Stamped;
use super::symbols::Coder;
use super::tails;
use super::templates::Slot;
use crate::codec::{put_text, put_varint};
use crate::segment::run::Run;
use crate::segment::values::{HIGH, RunValues, number_of};

/// What the index is told of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) start_unix_ns: u64,
    pub(crate) duration_ns: u64,
    /// Its (service, operation), a number of `RunValues::groups`.
    pub(crate) group: u32,
    pub(crate) error: bool,
    pub(crate) parent: ParentRow,
}

/// See the module. One for all blocks of a file: its memory is used again from block to block.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    packer: Packer,
    gather: Gather,
    sequences: Sequences,
    columns: ColumnWriter,
    parents: ParentWriter,
    template_codes: Stamped,
    template_order: Vec<u32>,
    template_symbols: Vec<u8>,
    coder: Coder,
    group_of_template: Vec<(u32, u32)>,
    structure: Vec<u8>,
    sections: ColumnSections,
    rest: Vec<u8>,
    bytes: Vec<u8>,
    rows: Vec<BlockRow>,
    parent_rows: Vec<ParentRow>,
    trace_ids: Vec<TraceId>,
    /// Where each trace's rows end.
    trace_ends: Vec<u32>,
    since: Vec<u64>,
    posted: Posted,
}

impl BlockWriter {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(BlockWriter {
            packer: Packer::new()?,
            gather: Gather::default(),
            sequences: Sequences::default(),
            columns: ColumnWriter::default(),
            parents: ParentWriter::default(),
            template_codes: Stamped::default(),
            template_order: Vec::new(),
            template_symbols: Vec::new(),
            coder: Coder::default(),
            group_of_template: Vec::new(),
            structure: Vec::new(),
            sections: ColumnSections::default(),
            rest: Vec::new(),
            bytes: Vec::new(),
            rows: Vec::new(),
            parent_rows: Vec::new(),
            trace_ids: Vec::new(),
            trace_ends: Vec::new(),
            since: Vec::new(),
            posted: Posted::default(),
        })
    }

    /// Encodes these rows of the run: whole traces, or a piece of a giant one. The block itself is
    /// then in `bytes`.
    pub(crate) fn write<'a>(
        &mut self,
        run: &Run<'a>,
        rows: Range<usize>,
        values: &mut RunValues<'a>,
    ) -> Result<BlockParts, Error> {
        values.begin_block();
        self.clear();
        self.gather.take(run, &run.rows[rows.clone()], values);
        self.put_tails(run);
        self.put_traces(run, rows);
        self.put_tables(values);
        self.put_times();
        self.post_events(run, values);
        values.put_high_hashes(&mut self.posted.hashes);
        self.tell_rows(values);
        self.pack()
    }

    fn clear(&mut self) {
        self.structure.clear();
        self.sections.codes.clear();
        self.sections.texts.clear();
        self.sections.bits.clear();
        self.rest.clear();
        self.bytes.clear();
        self.rows.clear();
        self.parent_rows.clear();
        self.trace_ids.clear();
        self.trace_ends.clear();
        self.posted.pairs.clear();
        self.posted.hashes.clear();
    }

    /// Writes the tails, and how long they are into their rows' words.
    fn put_tails(&mut self, run: &Run<'_>) {
        let gather = &mut self.gather;
        for tail in &gather.tails {
            let before = self.rest.len();
            let columns = run.batches[tail.from.batch as usize].columns();
            tails::put(&mut self.rest, columns, tail.from.row);
            let length = (self.rest.len() - before) as u64;
            let word = gather.wide.word(length);
            // Rows were compared before their tails were written.
            let row = gather.rows[tail.at as usize];
            let slots_at = gather.templates.all[row.template as usize].from as usize;
            gather.templates.slots[slots_at + lane::TAIL].note(word);
            gather.words[row.at(lane::TAIL)] = word;
        }
    }

    /// Notes trace ids; writes how many spans each trace has, and parents.
    fn put_traces(&mut self, run: &Run<'_>, rows: Range<usize>) {
        let from = run
            .traces
            .partition_point(|trace| (trace.first + trace.spans) as usize <= rows.start);
        let traces = run.traces[from..].iter();
        let traces = traces.take_while(|trace| (trace.first as usize) < rows.end);
        put_varint(&mut self.structure, traces.clone().count() as u64);
        self.trace_ids.extend(traces.clone().map(|trace| trace.id));
        let mut parents = Vec::new();
        for trace in traces {
            let from = (trace.first as usize).max(rows.start) - rows.start;
            let to = ((trace.first + trace.spans) as usize).min(rows.end) - rows.start;
            put_varint(&mut self.structure, (to - from) as u64);
            self.trace_ends.push(to as u32);
            self.parents.put_trace(
                &mut parents,
                &mut self.sections.bits,
                &self.gather.span_id[from..to],
                &self.gather.parent[from..to],
                |parent| self.parent_rows.push(parent),
            );
        }
        let elsewhere = self.sections.bits.len() / size_of::<SpanId>();
        put_varint(&mut self.structure, elsewhere as u64);
        put_varint(&mut self.structure, parents.len() as u64);
        self.structure.extend_from_slice(&parents);
    }

    /// Writes columns, shapes, resources, scopes, classes and templates, and what they hold.
    fn put_tables(&mut self, values: &mut RunValues<'_>) {
        self.code_templates();
        self.sequences
            .fill(&mut self.gather, &self.template_order, values);
        let gather = &self.gather;
        let (out, locals) = (&mut self.structure, &gather.locals);
        put_columns(out, locals, values);
        put_varint(out, u64::from(locals.shape_count()));
        for shape in 0..locals.shape_count() {
            let columns = locals.columns_of(shape);
            put_varint(out, columns.len() as u64);
            for &at in columns {
                put_varint(out, u64::from(at) - column::ATTRIBUTES as u64);
            }
        }
        put_varint(out, locals.resources.len() as u64);
        for &resource in &locals.resources {
            let shape = locals.known_shape(values.resource(resource).shape);
            put_varint(out, u64::from(shape));
        }
        put_varint(out, locals.scopes.len() as u64);
        for &scope in &locals.scopes {
            let shape = locals.known_shape(values.scope(scope).shape);
            put_varint(out, u64::from(shape));
        }
        put_varint(out, gather.classes.classes.len() as u64);
        put_varint(out, self.template_order.len() as u64);
        for &template in &self.template_order {
            let shape = gather.templates.all[template as usize].shape;
            put_varint(out, u64::from(shape));
        }
        for &template in &self.template_order {
            put_mask(out, gather.templates.slots(template));
        }
        put_varint(out, self.template_symbols.len() as u64);
        out.extend_from_slice(&self.template_symbols);
        self.columns.clear(values);
        self.columns.put_all(
            &self.sequences,
            locals,
            &gather.wide,
            values,
            out,
            &mut self.sections,
            &mut self.posted,
        );
    }

    /// Orders the templates as they appear, and makes symbols of the rows'.
    fn code_templates(&mut self) {
        self.template_codes.clear(self.gather.templates.all.len());
        self.template_order.clear();
        self.template_symbols.clear();
        let codes = self.gather.rows.iter().map(|row| {
            let template = row.template;
            self.template_codes.get(template).unwrap_or_else(|| {
                let code = self.template_order.len() as u32;
                self.template_codes.set(template, code);
                self.template_order.push(template);
                code
            })
        });
        self.coder.put(&mut self.template_symbols, codes);
    }

    /// Writes starts and durations. A trace's first start is told by that of the trace before, any
    /// other one by the span before.
    fn put_times(&mut self) {
        let (mut before, mut first, mut from) = (0u64, 0u64, 0);
        self.since.clear();
        for &end in &self.trace_ends {
            for (at, &start) in self.gather.start_unix_ns[from..end as usize]
                .iter()
                .enumerate()
            {
                let base = if at == 0 { first } else { before };
                self.since.push(start.wrapping_sub(base));
                if at == 0 {
                    first = start;
                }
                before = start;
            }
            from = end as usize;
        }
        for numbers in [&self.since, &self.gather.duration_ns] {
            put_numbers(&mut self.structure, &mut self.sections.bits, numbers);
        }
    }

    /// Posts the attributes of events: they lie in the tails, in no column.
    fn post_events<'a>(&mut self, run: &Run<'a>, values: &mut RunValues<'a>) {
        for at in 0..self.gather.tails.len() {
            let from = self.gather.tails[at].from;
            let columns = run.batches[from.batch as usize].columns();
            let mut tables = values.take_tables(from.batch, columns);
            let shape = columns.event_shape[from.row as usize];
            let shape = values.shape_of(&mut tables, columns, shape);
            for (slot, (value_type, word)) in tails::events(columns, from.row).enumerate() {
                let column = values.shape(shape)[slot];
                let (writer, posted) = (&mut self.columns, &mut self.posted);
                let word = match value_type {
                    ValueType::Str => values.text(&mut tables, columns, column, word as u32),
                    ValueType::Bytes | ValueType::Any => {
                        values.bytes(&mut tables, columns, column, word as u32)
                    }
                    ValueType::Int | ValueType::Double | ValueType::Bool => {
                        let number = number_of(value_type, word);
                        writer.post_number(column, number, values, posted);
                        continue;
                    }
                };
                // High values are in the filter's hashes already.
                if word < HIGH {
                    writer.post(word, posted);
                }
            }
            values.return_tables(from.batch, tables);
        }
    }

    fn tell_rows(&mut self, values: &mut RunValues<'_>) {
        const UNKNOWN: (u32, u32) = (u32::MAX, 0);
        let gather = &self.gather;
        self.group_of_template.clear();
        self.group_of_template
            .resize(gather.templates.all.len(), UNKNOWN);
        for (row, words) in gather.rows.iter().enumerate() {
            let resource = gather.words[words.at(lane::RESOURCE)];
            // The rows of an operation mostly have one service.
            let group = &mut self.group_of_template[words.template as usize];
            if group.0 != resource {
                let run_resource = gather.locals.resources[resource as usize];
                let service = values.resource(run_resource).names[0];
                let operation = gather.templates.all[words.template as usize].operation;
                *group = (resource, values.group(service, operation));
            }
            let class = gather.words[words.at(lane::CLASS)];
            let class = &gather.classes.classes[class as usize];
            self.rows.push(BlockRow {
                start_unix_ns: gather.start_unix_ns[row],
                duration_ns: gather.duration_ns[row],
                group: group.1,
                error: class[class::STATUS] == StatusCode::Error as u32,
                parent: self.parent_rows[row],
            });
        }
    }

    fn pack(&mut self) -> Result<BlockParts, Error> {
        let mut sections = [SectionBytes::default(); SECTIONS];
        let packed = [
            &self.structure,
            &self.sections.bits,
            &self.sections.codes,
            &self.sections.texts,
            &self.rest,
        ];
        for (at, (to, raw)) in sections.iter_mut().zip(packed).enumerate() {
            *to = if at == Section::Bits as usize {
                section::put_raw(&mut self.bytes, raw)?
            } else {
                self.packer.put(&mut self.bytes, raw)?
            };
        }
        ids::put(&mut self.bytes, self.trace_ids.iter().map(|id| id.0));
        ids::put(&mut self.bytes, self.gather.span_id.iter().map(|id| id.0));
        Ok(BlockParts {
            rows: self.gather.span_id.len() as u32,
            traces: self.trace_ids.len() as u32,
            sections,
        })
    }

    /// The bytes of the block just written, as they go into the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its rows, in order.
    pub(crate) fn rows(&self) -> &[BlockRow] {
        &self.rows
    }

    /// The pairs met in it, each once: of spans, events, resources and scopes alike.
    pub(crate) fn posted(&self) -> &[u32] {
        &self.posted.pairs
    }

    /// Filter hashes of its high values, each once but for the rare equal text of another type.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.posted.hashes
    }
}

/// Writes for each column its key's name and its type.
fn put_columns(out: &mut Vec<u8>, locals: &Locals, values: &RunValues<'_>) {
    put_varint(out, locals.columns.len() as u64);
    for &run_column in &locals.columns {
        let run_column = values.column(run_column);
        let name = run_column.key.map_or("", |key| values.key(key).name);
        put_text(out, name);
        out.push(run_column.value_type as u8);
    }
}

/// Writes a bit for each slot, the low ones first, and fills up the last byte.
fn put_mask(out: &mut Vec<u8>, slots: &[Slot]) {
    for slots in slots.chunks(u8::BITS as usize) {
        let bits = slots.iter().rev();
        out.push(bits.fold(0, |mask, slot| mask << 1 | u8::from(slot.varies())));
    }
}

/// Writes numbers: their classes, and their bits from the next whole byte on.
fn put_numbers(classes: &mut Vec<u8>, out: &mut Vec<u8>, numbers: &[u64]) {
    let mut packed = BitWriter::default();
    for &number in numbers {
        classes.push(bits::class(number));
        packed.put(out, number);
    }
    packed.finish(out);
}
