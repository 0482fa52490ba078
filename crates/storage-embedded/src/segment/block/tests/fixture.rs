//! Batches by chance, from a seed: small vocabularies, so that values repeat and clash, and now and
//! then something hostile. Runs and blocks of them.

use std::collections::BTreeMap;
use std::ops::Range;

use tracewell_model::builder::{ResourceHandle, ScopeHandle};
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, StatusCode, TraceId, Value,
};
use tracewell_storage::TagFilter;
use tracewell_storage::find::TagCondition;

use super::super::ids;
use super::super::parts::{BlockParts, SECTIONS, Section, SectionBytes};
use super::super::section::{self, Packer};
use super::super::{Block, BlockWriter};
use crate::codec::{Reader, put_varint};
use crate::segment::run::{RowRef, Run, RunTrace};
use crate::segment::steps::Steps;
use crate::segment::values::RunValues;

const KEYS: [&str; 6] = ["k", "key", "http.status", "ключ", "", "rare"];
const TEXTS: [&str; 7] = [
    "",
    "a",
    "500",
    "true",
    "-1",
    "ü",
    "a longer value, to be found in a rest",
];

#[derive(Clone, Debug)]
enum Owned {
    Str(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    Any(Vec<u8>),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Owned::Str(text) => Value::Str(text),
            Owned::Int(number) => Value::Int(*number),
            Owned::Double(number) => Value::Double(*number),
            Owned::Bool(bit) => Value::Bool(*bit),
            Owned::Bytes(bytes) => Value::Bytes(bytes),
            Owned::Any(bytes) => Value::Any(bytes),
        }
    }
}

type Attributes = Vec<(&'static str, Owned)>;

fn borrowed(attributes: &Attributes) -> Vec<Attribute<'_>> {
    attributes
        .iter()
        .map(|(key, value)| Attribute::new(key, value.value()))
        .collect()
}

/// Chance.
pub(super) struct Spec {
    random: fastrand::Rng,
}

impl Spec {
    pub(super) fn new(seed: u64) -> Self {
        Spec {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(0..of.len())]
    }

    fn number(&mut self) -> u64 {
        match self.random.u8(0..8) {
            0 => self.random.u64(..),
            1 => self.one(&[0, 1, u64::MAX, 1 << 31, (1 << 31) - 1, 1 << 63, 1 << 32]),
            2 | 3 => self.random.u64(0..100_000),
            _ => self.random.u64(0..6),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.random.usize(0..5);
        (0..length).map(|_| self.random.u8(..)).collect()
    }

    fn value(&mut self) -> Owned {
        match self.random.u8(0..16) {
            0 | 1 => Owned::Int(self.number() as i64),
            2 => Owned::Double(f64::from_bits(self.number())),
            3 => Owned::Double(self.one(&[0.0, -0.0, f64::NAN, 0.5])),
            4 => Owned::Bool(self.random.bool()),
            5 => Owned::Bytes(self.bytes()),
            6 => Owned::Any(self.bytes()),
            7 => Owned::Str(format!("v{}", self.random.u32(0..3_000))),
            _ => Owned::Str(self.one(&TEXTS).to_owned()),
        }
    }

    fn attributes(&mut self, most: usize) -> Attributes {
        let count = self.random.usize(0..=most);
        (0..count)
            .map(|_| (self.one(&KEYS), self.value()))
            .collect()
    }

    /// One to five batches; a trace's spans lie in several.
    pub(super) fn batches(&mut self) -> Vec<SpanBatch> {
        let traces = self.random.u8(1..40);
        let spans = self.one(&[1, 3, 30, 300]);
        let batches = self.random.usize(1..6);
        (0..batches).map(|_| self.batch(traces, spans)).collect()
    }

    fn batch(&mut self, traces: u8, spans: usize) -> SpanBatch {
        let mut builder = BatchBuilder::new(1);
        let origins: Vec<_> = (0..self.random.usize(1..5))
            .map(|_| self.origin(&mut builder))
            .collect();
        let shapes: Vec<Attributes> = (0..4).map(|_| self.attributes(5)).collect();
        for _ in 0..self.random.usize(1..=spans) {
            // Mostly the keys of a few shapes, with other values.
            let attributes = if self.random.u8(0..4) > 0 {
                let shape = self.random.usize(0..shapes.len());
                let names = shapes[shape].iter();
                names
                    .map(|(key, value)| {
                        (
                            *key,
                            if self.random.bool() {
                                value.clone()
                            } else {
                                self.value()
                            },
                        )
                    })
                    .collect()
            } else {
                self.attributes(6)
            };
            let events = if self.random.u8(0..8) == 0 {
                self.attributes(3)
            } else {
                Vec::new()
            };
            let mut rest = if self.random.u8(0..6) == 0 {
                self.bytes()
            } else {
                Vec::new()
            };
            for (_, value) in &events {
                if let (Owned::Str(text), true) = (value, self.random.bool()) {
                    rest.extend_from_slice(text.as_bytes());
                }
            }
            let (resource, scope) = origins[self.random.usize(0..origins.len())];
            let id = self.random.u8(1..60);
            let marks = if self.random.u8(0..8) == 0 {
                self.random.u16(..)
            } else {
                0
            };
            let other = self.random.u32(..);
            let operation = format!("op{}", self.one(&[0, 1, 2, other]));
            let status_message = self.one(&["", "", "timeout", "ü"]);
            builder.push(&SpanInput {
                trace_id: TraceId([self.random.u8(0..traces) + 1; 16]),
                span_id: SpanId([id; 8]),
                parent: (!id.is_multiple_of(5)).then_some(SpanId([self.random.u8(1..80); 8])),
                resource,
                scope,
                start_unix_ns: self.number(),
                duration_ns: self.number(),
                operation: &operation,
                kind: SpanKind::from_u8(self.random.u8(0..6)).unwrap(),
                status: StatusCode::from_u8(self.random.u8(0..3)).unwrap(),
                status_message,
                flags: if self.random.bool() {
                    1
                } else {
                    self.random.u32(..)
                },
                attributes: &borrowed(&attributes),
                event_attributes: &borrowed(&events),
                rest: &rest,
                marks: Marks(marks),
            });
        }
        builder.finish_one()
    }

    fn origin(&mut self, builder: &mut BatchBuilder) -> (ResourceHandle, ScopeHandle) {
        let (of_resource, of_scope) = (self.attributes(3), self.attributes(2));
        let rest = self.bytes();
        let resource = builder.resource(&ResourceInput {
            service: self.one(&TEXTS),
            schema_url: self.one(&["", "u"]),
            attributes: &borrowed(&of_resource),
            rest: &rest,
        });
        let scope = builder.scope(&ScopeInput {
            name: self.one(&TEXTS),
            version: self.one(&["", "1"]),
            schema_url: self.one(&["", "u"]),
            attributes: &borrowed(&of_scope),
            rest: &rest,
        });
        (resource, scope)
    }

    /// Pieces of a run, wherever they end: a trace may lie in two.
    pub(super) fn cuts(&mut self, run: &Run<'_>) -> Vec<Range<usize>> {
        let mut cuts = Vec::new();
        let mut from = 0;
        while from < run.rows.len() {
            let to = (from + self.random.usize(1..400)).min(run.rows.len());
            cuts.push(from..to);
            from = to;
        }
        cuts
    }

    pub(super) fn filters(&mut self) -> Vec<TagFilter> {
        let filter = |spec: &mut Spec| {
            let text = spec.one(&TEXTS).to_owned();
            let condition = match spec.random.u8(0..4) {
                0 => TagCondition::Exists,
                1 => TagCondition::NotEquals(text),
                _ => TagCondition::Equals(text),
            };
            let key = spec.one(&KEYS).to_owned();
            TagFilter { key, condition }
        };
        (0..4).map(|_| filter(self)).collect()
    }
}

/// A run of these batches, traces by (start, id), spans by (start, id).
pub(super) fn run_of(batches: &[SpanBatch]) -> Run<'_> {
    let mut traces: BTreeMap<TraceId, Vec<RowRef>> = BTreeMap::new();
    for (number, batch) in (0..).zip(batches) {
        for span in batch.spans() {
            let at = RowRef {
                batch: number,
                row: span.row,
            };
            traces.entry(span.trace_id()).or_default().push(at);
        }
    }
    let span = |at: &RowRef| batches[at.batch as usize].span(at.row);
    let order = |at: &RowRef| (span(at).start_unix_ns(), span(at).span_id());
    for rows in traces.values_mut() {
        rows.sort_by_key(order);
    }
    let mut traces: Vec<_> = traces.into_iter().collect();
    traces.sort_by_key(|(id, rows)| (order(&rows[0]).0, *id));
    let mut run = Run {
        batches: batches.iter().collect(),
        ..Run::default()
    };
    for (id, rows) in traces {
        run.traces.push(RunTrace {
            id,
            steps: Steps::default(),
            first: run.rows.len() as u32,
            spans: rows.len() as u32,
        });
        run.rows.extend(rows);
    }
    run
}

/// The whole run as one block.
pub(super) fn blocks_of(run: &Run<'_>) -> Vec<(BlockParts, Vec<u8>)> {
    let (mut writer, mut values) = (BlockWriter::new().unwrap(), RunValues::new(&run.batches));
    let parts = writer.write(run, 0..run.rows.len(), &mut values).unwrap();
    vec![(parts, writer.bytes().to_vec())]
}

/// A block of these sections, whose checksums hold.
pub(super) fn assemble(rows: u32, sections: &[Vec<u8>; SECTIONS]) -> (BlockParts, Vec<u8>) {
    // What the structure begins with.
    let traces = Reader::new(&sections[Section::Structure as usize]).u32();
    let traces = traces.unwrap_or(0).min(rows);
    let mut bytes = Vec::new();
    let mut packer = Packer::new().unwrap();
    let mut parts = BlockParts {
        rows,
        traces,
        sections: [SectionBytes::default(); SECTIONS],
    };
    for (at, raw) in sections.iter().enumerate() {
        parts.sections[at] = if at == Section::Bits as usize {
            section::put_raw(&mut bytes, raw).unwrap()
        } else {
            packer.put(&mut bytes, raw).unwrap()
        };
    }
    ids::put(&mut bytes, (1..=u128::from(traces)).map(u128::to_le_bytes));
    ids::put(&mut bytes, (1..=u64::from(rows)).map(u64::to_le_bytes));
    (parts, bytes)
}

/// A block with some bytes of its sections changed.
pub(super) fn change(
    parts: BlockParts,
    bytes: &[u8],
    changes: &[(usize, proptest::sample::Index, u8)],
) -> (BlockParts, Vec<u8>) {
    let block = Block::open(parts, bytes.to_vec()).unwrap();
    let all = [
        Section::Structure,
        Section::Bits,
        Section::Codes,
        Section::Texts,
        Section::Rest,
    ];
    let mut sections = all.map(|section| block.section(section).unwrap().to_vec());
    for (section, at, byte) in changes {
        let section = &mut sections[*section];
        if !section.is_empty() {
            let at = at.index(section.len());
            section[at] = *byte;
        }
    }
    assemble(parts.rows, &sections)
}

fn simple(builder: &mut BatchBuilder) -> SpanInput<'static> {
    SpanInput {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([1; 8]),
        parent: None,
        resource: builder.resource(&ResourceInput::default()),
        scope: builder.scope(&ScopeInput::default()),
        start_unix_ns: 1,
        duration_ns: 1,
        operation: "op",
        kind: SpanKind::Server,
        status: StatusCode::Unset,
        status_message: "",
        flags: 0,
        attributes: &[],
        event_attributes: &[],
        rest: &[],
        marks: Marks::default(),
    }
}

/// Spans of which each has another user and another size.
pub(super) fn many_values(batch: u64, count: u64) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let span = simple(&mut builder);
    for number in batch * count..(batch + 1) * count {
        let user = format!("user-{number}");
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&number.to_le_bytes());
        builder.push(&SpanInput {
            trace_id: TraceId(trace_id),
            start_unix_ns: number,
            attributes: &[
                Attribute::new("user", Value::Str(&user)),
                Attribute::new("size", Value::Int(number as i64)),
                Attribute::new("few", Value::Int(number as i64 % 7)),
            ],
            ..span
        });
    }
    builder.finish_one()
}

/// Traces of ten spans, as a service makes them.
pub(super) fn typical(count: u64) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let mut random = fastrand::Rng::with_seed(7);
    let resource = builder.resource(&ResourceInput {
        service: "cart",
        attributes: &[Attribute::new("service.name", Value::Str("cart"))],
        ..ResourceInput::default()
    });
    let span = simple(&mut builder);
    let mut root = SpanId::default();
    for number in 0..count {
        let span_id = SpanId(random.u64(1..).to_le_bytes());
        let is_root = number % 10 == 0;
        root = if is_root { span_id } else { root };
        let operation = ["GET /cart", "POST /cart", "SELECT"][number as usize % 3];
        builder.push(&SpanInput {
            trace_id: TraceId(
                [[number as u8 / 10; 8], (number / 10).to_be_bytes()]
                    .concat()
                    .try_into()
                    .unwrap(),
            ),
            span_id,
            parent: (!is_root).then_some(root),
            resource,
            start_unix_ns: 1_700_000_000_000_000_000 + number * 1_000_000,
            duration_ns: random.u64(1_000..10_000_000),
            operation,
            attributes: &[
                Attribute::new("http.route", Value::Str(operation)),
                Attribute::new("http.status_code", Value::Int(200)),
                Attribute::new("bytes", Value::Int(random.i64(0..5_000))),
            ],
            ..span
        });
    }
    builder.finish_one()
}

/// One span with an attribute of an event.
pub(super) fn with_event(rest: &[u8], value: Value<'_>) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let span = simple(&mut builder);
    builder.push(&SpanInput {
        rest,
        event_attributes: &[Attribute::new("k", value)],
        ..span
    });
    builder.finish_one()
}

/// Spans with the key at each level, or at several, or twice.
pub(super) fn levels() -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let span = simple(&mut builder);
    let key = |text| [Attribute::new("k", Value::Str(text))];
    let (own, of_resource, of_scope, of_event) =
        (key("own"), key("resource"), key("scope"), key("event"));
    let twice = [
        Attribute::new("k", Value::Int(7)),
        Attribute::new("k", Value::Str("own")),
    ];
    for mask in 0..32u8 {
        let has = |bit: u8| mask >> bit & 1 == 1;
        let resource = builder.resource(&ResourceInput {
            attributes: if has(0) { &of_resource } else { &[] },
            ..ResourceInput::default()
        });
        let scope = builder.scope(&ScopeInput {
            attributes: if has(1) { &of_scope } else { &[] },
            ..ScopeInput::default()
        });
        builder.push(&SpanInput {
            span_id: SpanId([mask + 1; 8]),
            resource,
            scope,
            attributes: match (has(2), has(3)) {
                (true, false) => &own,
                (true, true) => &twice,
                _ => &[],
            },
            event_attributes: if has(4) { &of_event } else { &[] },
            ..span
        });
    }
    builder.finish_one()
}

/// A block of few bytes that says that it has very many values.
pub(super) fn wide_rows() -> (BlockParts, Vec<u8>) {
    const ROWS: u32 = 1 << 15;
    const COLUMNS: usize = 1 << 10;
    let mut structure = Vec::new();
    for number in [1, u64::from(ROWS), 0, u64::from(ROWS)] {
        put_varint(&mut structure, number);
    }
    structure.extend(std::iter::repeat_n(0, ROWS as usize)); // parents
    put_varint(&mut structure, COLUMNS as u64);
    structure.extend(std::iter::repeat_n([0, 3], COLUMNS).flatten());
    put_varint(&mut structure, 1); // shapes
    put_varint(&mut structure, COLUMNS as u64);
    (0..COLUMNS as u64).for_each(|at| put_varint(&mut structure, at));
    for table in [&[1, 0][..], &[1, 0], &[1], &[1, 0]] {
        structure.extend_from_slice(table); // resources, scopes, classes, templates
    }
    structure.extend(std::iter::repeat_n(0, (COLUMNS + 3).div_ceil(8)));
    put_varint(&mut structure, u64::from(ROWS));
    structure.push(1);
    structure.extend(std::iter::repeat_n(0, ROWS as usize - 1));
    let sections = [
        structure,
        Vec::new(),
        vec![0; 1 << 16],
        Vec::new(),
        Vec::new(),
    ];
    assemble(ROWS, &sections)
}
