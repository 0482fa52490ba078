//! Gathers the rows of a block from the batches they lie in. Batch by batch, shape by shape, and in
//! the order of the batch's rows: memory is read forwards, loads that do not wait for each other
//! overlap, and what is read again is still in the cache.

use tracewell_model::SpanId;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::Columns;

use super::classes::{Class, Classes, RawClass};
use super::groups::Groups;
use super::layout::lane;
use super::locals::Locals;
use super::templates::Templates;
use super::wide::Wide;
use crate::segment::run::{RowRef, Run};
use crate::segment::values::{RunValues, Tables, fixed, number_of};

/// A row with something in the section of tails.
#[derive(Clone, Copy, Debug)]
pub(super) struct TailRow {
    /// In the block.
    pub(super) at: u32,
    pub(super) from: RowRef,
}

/// What a row is made of: its template, and where the words of its slots are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowWords {
    pub(super) template: u32,
    from: u32,
}

impl RowWords {
    /// Where the word of a slot is.
    #[inline]
    pub(super) fn at(self, slot: usize) -> usize {
        self.from as usize + slot
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gather {
    // One entry per row of the block.
    pub(super) start_unix_ns: Vec<u64>,
    pub(super) duration_ns: Vec<u64>,
    pub(super) span_id: Vec<SpanId>,
    pub(super) parent: Vec<SpanId>,
    pub(super) rows: Vec<RowWords>,

    pub(super) words: Vec<u32>,
    pub(super) wide: Wide,
    pub(super) templates: Templates,
    pub(super) classes: Classes,
    pub(super) locals: Locals,
    pub(super) tails: Vec<TailRow>,

    by_batch: Groups,
    by_shape: Groups,
    scratch: Scratch,
    /// What `touch` read; only so that it does read.
    touched: u64,
}

#[derive(Debug, Default)]
struct Scratch {
    /// The block's place of each row of a stretch of a batch.
    places: Vec<u32>,
    of_batch: Vec<Member>,
    of_shape: Vec<Member>,
    /// Of the shape at hand.
    columns: Vec<(u32, ValueType)>,
}

/// A row of the batch at hand.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// In the block.
    at: u32,
    /// In the batch.
    row: u32,
}

/// The batch at hand.
struct Source<'a, 's> {
    number: u32,
    c: &'a Columns,
    tables: Tables,
    values: &'s mut RunValues<'a>,
}

impl Gather {
    /// Takes these rows in.
    pub(super) fn take<'a>(&mut self, run: &Run<'a>, rows: &[RowRef], values: &mut RunValues<'a>) {
        self.clear(rows.len());
        let mut by_batch = std::mem::take(&mut self.by_batch);
        let mut scratch = std::mem::take(&mut self.scratch);
        by_batch.group(rows.iter().map(|at| at.batch), run.batches.len());
        for group in 0..by_batch.len() {
            let (number, range) = by_batch.get(group);
            let c = run.batches[number as usize].columns();
            let mut source = Source {
                number,
                c,
                tables: values.take_tables(number, c),
                values,
            };
            let members = by_batch.order()[range].iter().map(|&at| Member {
                at,
                row: rows[at as usize].row,
            });
            let is_dense = in_order(members, &mut scratch);
            if is_dense {
                self.touched ^= touch(c, &scratch.of_batch) ^ source.tables.touch();
            }
            self.batch(&mut source, &mut scratch);
            let tables = source.tables;
            values.return_tables(number, tables);
        }
        self.by_batch = by_batch;
        self.scratch = scratch;
        self.tails.sort_unstable_by_key(|tail| tail.at);
    }

    fn clear(&mut self, rows: usize) {
        self.start_unix_ns.resize(rows, 0);
        self.duration_ns.resize(rows, 0);
        self.span_id.resize(rows, SpanId::default());
        self.parent.resize(rows, SpanId::default());
        self.rows.resize(rows, RowWords::default());
        self.words.clear();
        self.wide.clear();
        self.templates.clear();
        self.classes.clear();
        self.locals.clear();
        self.tails.clear();
    }

    /// Takes the members that are of one batch in.
    fn batch(&mut self, source: &mut Source<'_, '_>, scratch: &mut Scratch) {
        self.classes.begin_batch();
        self.columns(source.c, &scratch.of_batch);
        let mut by_shape = std::mem::take(&mut self.by_shape);
        let shape = |member: &Member| source.c.shape[member.row as usize];
        let shapes = scratch.of_batch.iter().map(shape);
        by_shape.group(shapes, source.c.shapes.len());
        for group in 0..by_shape.len() {
            let (shape, range) = by_shape.get(group);
            let members = by_shape.order()[range].iter();
            let members = members.map(|&place| scratch.of_batch[place as usize]);
            scratch.of_shape.clear();
            scratch.of_shape.extend(members);
            self.shape(source, shape, scratch);
        }
        self.by_shape = by_shape;
    }

    /// Copies the columns that are taken as they are.
    fn columns(&mut self, c: &Columns, members: &[Member]) {
        for member in members {
            self.start_unix_ns[member.at as usize] = c.start_unix_ns[member.row as usize];
        }
        for member in members {
            self.duration_ns[member.at as usize] = c.duration_ns[member.row as usize];
        }
        for member in members {
            self.span_id[member.at as usize] = c.span_id[member.row as usize];
        }
        for member in members {
            self.parent[member.at as usize] = c.parent[member.row as usize];
        }
    }

    /// Takes the members that are of one batch and one shape in.
    fn shape(&mut self, source: &mut Source<'_, '_>, shape: u32, scratch: &mut Scratch) {
        let Source {
            c, tables, values, ..
        } = source;
        let run_shape = values.shape_of(tables, c, shape);
        let shape = self.locals.shape(run_shape, values);
        let columns = values.shape(run_shape).iter();
        let columns = columns.map(|&column| (column, values.column(column).value_type));
        scratch.columns.clear();
        scratch.columns.extend(columns);
        let slots = lane::COUNT + scratch.columns.len();
        let base = self.words.len();
        self.words.resize(base + slots * scratch.of_shape.len(), 0);
        for (&member, from) in scratch.of_shape.iter().zip((base..).step_by(slots)) {
            self.lanes(source, member, from);
            self.attributes(source, member, from + lane::COUNT, &scratch.columns);
            let Source {
                c, tables, values, ..
            } = source;
            let operation = c.operation[member.row as usize];
            let operation = values.text(tables, c, fixed::OPERATION, operation);
            let words = &self.words[from..][..slots];
            let template = self.templates.note(operation, shape, words);
            let from = from as u32;
            self.rows[member.at as usize] = RowWords { template, from };
        }
    }

    fn lanes(&mut self, source: &mut Source<'_, '_>, member: Member, from: usize) {
        let Source {
            c, tables, values, ..
        } = source;
        let Member { at, row } = member;
        let r = row as usize;
        let resource = values.resource_of(tables, c, c.resource[r]);
        let resource = self.locals.resource(resource, values);
        let raw = RawClass {
            message: c.status_message[r],
            scope: c.scope[r],
            flags: c.flags[r],
            events: c.event_shape[r],
            marks: c.marks[r],
            kind: c.kind[r],
            status: c.status[r],
        };
        let class = self.classes.known(raw).unwrap_or_else(|| {
            let scope = values.scope_of(tables, c, raw.scope);
            let events = values.shape_of(tables, c, raw.events);
            let class: Class = [
                values.text(tables, c, fixed::MESSAGE, raw.message),
                self.locals.scope(scope, values),
                u32::from(raw.kind),
                u32::from(raw.status),
                self.wide.word(u64::from(raw.flags)),
                u32::from(raw.marks),
                self.locals.shape(events, values),
            ];
            self.classes.learn(raw, class)
        });
        let words = &mut self.words[from..][..lane::COUNT];
        words[lane::RESOURCE] = resource;
        words[lane::CLASS] = class;
        let rest_from = r.checked_sub(1).map_or(0, |before| c.rest_end[before]);
        let has_events = !c.shapes[raw.events as usize].is_empty();
        if c.rest_end[r] != rest_from || has_events {
            let batch = source.number;
            let from = RowRef { batch, row };
            self.tails.push(TailRow { at, from });
        }
    }

    fn attributes(
        &mut self,
        source: &mut Source<'_, '_>,
        member: Member,
        from: usize,
        columns: &[(u32, ValueType)],
    ) {
        let Source {
            c, tables, values, ..
        } = source;
        let before = (member.row as usize).checked_sub(1);
        let place = before.map_or(0, |before| c.value_end[before]);
        let values_of = &c.values[place as usize..][..columns.len()];
        let words = &mut self.words[from..][..columns.len()];
        for ((word, &value), &(column, value_type)) in words.iter_mut().zip(values_of).zip(columns)
        {
            *word = match value_type {
                ValueType::Str => values.text(tables, c, column, value as u32),
                ValueType::Bytes | ValueType::Any => values.bytes(tables, c, column, value as u32),
                ValueType::Int | ValueType::Double | ValueType::Bool => {
                    self.wide.word(number_of(value_type, value))
                }
            };
        }
    }
}

/// Puts the rows of a batch into `of_batch`, in the order of the batch; answers whether they lie
/// close together.
fn in_order(members: impl ExactSizeIterator<Item = Member> + Clone, scratch: &mut Scratch) -> bool {
    /// A stretch with fewer of its rows here is not worth a look at all of them.
    const ROWS_PER_MEMBER_MAX: usize = 8;
    const NOT_HERE: u32 = u32::MAX;
    let rows = members.clone().map(|member| member.row);
    let (first, last) = (rows.clone().min().unwrap_or(0), rows.max().unwrap_or(0));
    let stretch = (last - first) as usize + 1;
    scratch.of_batch.clear();
    if stretch > members.len() * ROWS_PER_MEMBER_MAX {
        scratch.of_batch.extend(members);
        scratch.of_batch.sort_unstable_by_key(|member| member.row);
        return false;
    }
    scratch.places.clear();
    scratch.places.resize(stretch, NOT_HERE);
    for Member { at, row } in members {
        scratch.places[(row - first) as usize] = at;
    }
    let members = (first..).zip(&scratch.places);
    let members = members.filter(|&(_, &at)| at != NOT_HERE);
    let members = members.map(|(row, &at)| Member { at, row });
    scratch.of_batch.extend(members);
    true
}

/// Reads a word of each line of the cache that the members' rows lie in. Reads that do not depend on
/// each other wait for the memory together; later ones, in between of work, would wait one by one.
fn touch(c: &Columns, members: &[Member]) -> u64 {
    let (Some(first), Some(last)) = (members.first(), members.last()) else {
        return 0;
    };
    let (from, to) = (first.row as usize, last.row as usize + 1);
    let before = |ends: &[u32]| {
        from.checked_sub(1)
            .map_or(0, |before| ends[before] as usize)
    };
    let values = before(&c.value_end)..c.value_end[to - 1] as usize;
    let words = |column: &[u64]| column.iter().step_by(8).fold(0u64, |sum, word| sum ^ word);
    let halves = |column: &[u32]| {
        let words = column[from..to].iter().step_by(16);
        words.fold(0u64, |sum, &word| sum ^ u64::from(word))
    };
    let ids = |column: &[SpanId]| {
        let ids = column[from..to].iter().step_by(8);
        ids.fold(0u64, |sum, id| sum ^ u64::from(id.0[0]))
    };
    words(&c.values[values])
        ^ words(&c.start_unix_ns[from..to])
        ^ words(&c.duration_ns[from..to])
        ^ ids(&c.span_id)
        ^ ids(&c.parent)
        ^ halves(&c.value_end)
        ^ halves(&c.operation)
        ^ halves(&c.resource)
        ^ halves(&c.scope)
        ^ halves(&c.shape)
        ^ halves(&c.event_shape)
        ^ halves(&c.status_message)
        ^ halves(&c.flags)
        ^ halves(&c.rest_end)
}
