//! `SpanBatch`: the noun that crosses every seam (D1). Immutable, self-contained, for one shard of
//! trace ids. Distinct values lie once in its own dictionaries and are named by position; each
//! distinct list of (key, type) is a *shape*, and a span's attributes are its shape plus one word
//! per value. Made by [`crate::BatchBuilder`] from input, or by [`SpanBatch::new`] from a file.

use crate::attribute::{Attribute, Value, ValueType};
use crate::dictionary::{BytesDictionary, TextDictionary, ends_are_sound};
use crate::id::{SpanId, TraceId};
use crate::span::{SpanKind, SpanRef, StatusCode};

/// Columns that do not fit together: only from a damaged or foreign file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("batch is not sound: {0}")]
pub struct Unsound(pub &'static str);

/// A list of (key, type); the key is a position in the text dictionary.
pub type Shape = Vec<(u32, ValueType)>;

/// Attributes of a resource or scope.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct AttributeSet {
    /// Which shape.
    pub shape: u32,
    /// One word per value of the shape.
    pub values: Vec<u64>,
}

/// A distinct resource.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Resource {
    /// The service's name (text).
    pub service: u32,
    /// OTLP's schema URL (text).
    pub schema_url: u32,
    /// Its attributes.
    pub attributes: AttributeSet,
    /// Unmodelled fields (bytes).
    pub rest: u32,
}

/// A distinct instrumentation scope.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Scope {
    /// Name (text).
    pub name: u32,
    /// Version (text).
    pub version: u32,
    /// OTLP's schema URL of the scope's spans (text).
    pub schema_url: u32,
    /// Its attributes.
    pub attributes: AttributeSet,
    /// Unmodelled fields (bytes).
    pub rest: u32,
}

/// The columns of a batch, open to those who write and read them as files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The shard that all traces belong to.
    pub shard: u16,
    /// Distinct texts.
    pub text: TextDictionary,
    /// Distinct byte strings and encoded values.
    pub bytes: BytesDictionary,
    /// Distinct shapes.
    pub shapes: Vec<Shape>,
    /// Distinct resources.
    pub resources: Vec<Resource>,
    /// Distinct scopes.
    pub scopes: Vec<Scope>,
    /// Distinct trace ids, in order of first appearance.
    pub traces: Vec<TraceId>,

    // One entry per span from here on.
    /// Position in `traces`.
    pub trace: Vec<u32>,
    /// Span ids.
    pub span_id: Vec<SpanId>,
    /// Parents' ids; zero for none.
    pub parent: Vec<SpanId>,
    /// Start times.
    pub start_unix_ns: Vec<u64>,
    /// Durations.
    pub duration_ns: Vec<u64>,
    /// Operation names (text).
    pub operation: Vec<u32>,
    /// Position in `resources`.
    pub resource: Vec<u32>,
    /// Position in `scopes`.
    pub scope: Vec<u32>,
    /// [`SpanKind`] as a number.
    pub kind: Vec<u8>,
    /// [`StatusCode`] as a number.
    pub status: Vec<u8>,
    /// Status messages (text).
    pub status_message: Vec<u32>,
    /// OTLP flags.
    pub flags: Vec<u32>,
    /// [`crate::Marks`] bits.
    pub marks: Vec<u16>,
    /// Shape of the span's attributes.
    pub shape: Vec<u32>,
    /// Shape of its events' attributes.
    pub event_shape: Vec<u32>,
    /// Where the span's words end in `values`: first its own attributes', then its events'.
    pub value_end: Vec<u32>,
    /// Words: a number's bits, a truth value, or a dictionary position, as the shape's type says.
    pub values: Vec<u64>,
    /// Where the span's unmodelled bytes end in `rest`.
    pub rest_end: Vec<u32>,
    /// Unmodelled fields, in OTLP's field encoding.
    pub rest: Vec<u8>,
}

impl Columns {
    /// All that is in them, in memory of exactly its size. What is left is empty and keeps its room,
    /// dictionaries aside: those a builder keeps elsewhere.
    pub(crate) fn take_exact(&mut self) -> Columns {
        fn take<T: Copy>(column: &mut Vec<T>) -> Vec<T> {
            let taken = column.to_vec();
            column.clear();
            taken
        }
        Columns {
            shard: self.shard,
            text: std::mem::take(&mut self.text),
            bytes: std::mem::take(&mut self.bytes),
            shapes: self.shapes.drain(..).collect(),
            resources: self.resources.drain(..).collect(),
            scopes: self.scopes.drain(..).collect(),
            traces: take(&mut self.traces),
            trace: take(&mut self.trace),
            span_id: take(&mut self.span_id),
            parent: take(&mut self.parent),
            start_unix_ns: take(&mut self.start_unix_ns),
            duration_ns: take(&mut self.duration_ns),
            operation: take(&mut self.operation),
            resource: take(&mut self.resource),
            scope: take(&mut self.scope),
            kind: take(&mut self.kind),
            status: take(&mut self.status),
            status_message: take(&mut self.status_message),
            flags: take(&mut self.flags),
            marks: take(&mut self.marks),
            shape: take(&mut self.shape),
            event_shape: take(&mut self.event_shape),
            value_end: take(&mut self.value_end),
            values: take(&mut self.values),
            rest_end: take(&mut self.rest_end),
            rest: take(&mut self.rest),
        }
    }
}

/// An immutable, self-contained set of spans. See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanBatch {
    columns: Columns,
}

impl SpanBatch {
    /// A batch of these columns, if every position in them exists. Costs one pass.
    pub fn new(columns: Columns) -> Result<SpanBatch, Unsound> {
        check(&columns)?;
        Ok(SpanBatch { columns })
    }

    /// A batch of what a builder wrote, which only makes positions that exist.
    pub(crate) fn of_builder(columns: Columns) -> SpanBatch {
        debug_assert_eq!(check(&columns), Ok(()));
        SpanBatch { columns }
    }

    /// A batch of columns whose maker has held every position against what it points into, as a
    /// decoder does column by column.
    pub fn checked(columns: Columns) -> SpanBatch {
        debug_assert_eq!(check(&columns), Ok(()));
        SpanBatch { columns }
    }

    /// The columns.
    #[inline]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The number of spans.
    #[inline]
    pub fn len(&self) -> usize {
        self.columns.span_id.len()
    }

    /// True when it holds no span.
    pub fn is_empty(&self) -> bool {
        self.columns.span_id.is_empty()
    }

    /// The shard that all its traces belong to.
    pub fn shard(&self) -> u16 {
        self.columns.shard
    }

    /// The span at this row.
    #[inline]
    pub fn span(&self, row: u32) -> SpanRef<'_> {
        debug_assert!((row as usize) < self.len());
        SpanRef { batch: self, row }
    }

    /// All spans, in order.
    pub fn spans(&self) -> impl Iterator<Item = SpanRef<'_>> + Clone {
        (0..self.len() as u32).map(|row| SpanRef { batch: self, row })
    }

    /// The trace id at this position of the trace table.
    #[inline]
    pub fn trace_id(&self, position: u32) -> TraceId {
        self.columns
            .traces
            .get(position as usize)
            .copied()
            .unwrap_or_default()
    }

    /// About how many bytes it holds in memory, for budgets.
    pub fn memory_bytes(&self) -> usize {
        const PER_SPAN: usize = 82; // the fixed columns
        let c = &self.columns;
        let sets = c.resources.iter().map(|r| r.attributes.values.len());
        let sets = sets
            .chain(c.scopes.iter().map(|s| s.attributes.values.len()))
            .sum::<usize>();
        self.len() * PER_SPAN
            + c.text.text.len()
            + c.text.len() * 4
            + c.bytes.bytes.len()
            + c.bytes.len() * 4
            + (c.values.len() + sets) * 8
            + c.rest.len()
            + c.traces.len() * 16
            + c.shapes
                .iter()
                .map(|shape| 24 + shape.len() * 8)
                .sum::<usize>()
            + (c.resources.len() + c.scopes.len()) * 64
    }

    #[inline]
    pub(crate) fn text(&self, position: u32) -> &str {
        self.columns.text.get(position)
    }

    #[inline]
    pub(crate) fn bytes(&self, position: u32) -> &[u8] {
        self.columns.bytes.get(position)
    }

    #[inline]
    pub(crate) fn shape(&self, position: u32) -> &[(u32, ValueType)] {
        self.columns
            .shapes
            .get(position as usize)
            .map_or(&[], |shape| shape)
    }

    #[inline]
    pub(crate) fn attributes<'a>(
        &'a self,
        shape: u32,
        values: &'a [u64],
    ) -> impl Iterator<Item = Attribute<'a>> + Clone {
        self.shape(shape)
            .iter()
            .zip(values)
            .map(|(&name, &word)| self.attribute(name, word))
    }

    /// The attribute that this entry of a shape and its word are.
    #[inline]
    pub fn attribute(&self, (key, value_type): (u32, ValueType), word: u64) -> Attribute<'_> {
        Attribute {
            key: self.text(key),
            value: self.value(value_type, word),
        }
    }

    #[inline]
    fn value(&self, value_type: ValueType, word: u64) -> Value<'_> {
        match value_type {
            ValueType::Str => Value::Str(self.text(word as u32)),
            ValueType::Int => Value::Int(word as i64),
            ValueType::Double => Value::Double(f64::from_bits(word)),
            ValueType::Bool => Value::Bool(word != 0),
            ValueType::Bytes => Value::Bytes(self.bytes(word as u32)),
            ValueType::Any => Value::Any(self.bytes(word as u32)),
        }
    }
}

/// Every position must exist: after this, no read of the batch can go astray.
fn check(c: &Columns) -> Result<(), Unsound> {
    let ensure = |holds: bool, what: &'static str| if holds { Ok(()) } else { Err(Unsound(what)) };
    let rows = c.span_id.len();
    ensure(rows <= u32::MAX as usize, "too many spans")?;
    ensure(c.text.is_sound() && c.bytes.is_sound(), "dictionary ends")?;
    let lengths = [
        c.trace.len(),
        c.parent.len(),
        c.start_unix_ns.len(),
        c.duration_ns.len(),
        c.operation.len(),
        c.resource.len(),
        c.scope.len(),
        c.kind.len(),
        c.status.len(),
        c.status_message.len(),
        c.flags.len(),
        c.marks.len(),
        c.shape.len(),
        c.event_shape.len(),
        c.value_end.len(),
        c.rest_end.len(),
    ];
    ensure(
        lengths.iter().all(|&length| length == rows),
        "column lengths differ",
    )?;
    let texts = |positions: &[u32]| positions.iter().all(|&at| (at as usize) < c.text.len());
    ensure(
        texts(&c.operation) && texts(&c.status_message),
        "text position",
    )?;
    ensure(
        c.trace.iter().all(|&at| (at as usize) < c.traces.len()),
        "trace position",
    )?;
    ensure(
        c.resource
            .iter()
            .all(|&at| (at as usize) < c.resources.len()),
        "resource position",
    )?;
    ensure(
        c.scope.iter().all(|&at| (at as usize) < c.scopes.len()),
        "scope position",
    )?;
    ensure(
        c.kind.iter().all(|&kind| SpanKind::from_u8(kind).is_some()),
        "kind",
    )?;
    ensure(
        c.status
            .iter()
            .all(|&status| StatusCode::from_u8(status).is_some()),
        "status",
    )?;
    ensure(ends_are_sound(&c.value_end, c.values.len()), "value ends")?;
    ensure(ends_are_sound(&c.rest_end, c.rest.len()), "rest ends")?;
    let keys = c
        .shapes
        .iter()
        .flatten()
        .all(|&(key, _)| (key as usize) < c.text.len());
    ensure(keys, "shape key")?;
    for resource in &c.resources {
        ensure(
            texts(&[resource.service, resource.schema_url]),
            "resource text",
        )?;
        ensure((resource.rest as usize) < c.bytes.len(), "resource rest")?;
        check_set(c, &resource.attributes)?;
    }
    for scope in &c.scopes {
        ensure(
            texts(&[scope.name, scope.version, scope.schema_url]),
            "scope text",
        )?;
        ensure((scope.rest as usize) < c.bytes.len(), "scope rest")?;
        check_set(c, &scope.attributes)?;
    }
    for row in 0..rows {
        let (from, to) = crate::dictionary::bounds(&c.value_end, row as u32);
        let own = shape_of(c, c.shape[row])?.len();
        let words = c
            .values
            .get(from..to)
            .and_then(|words| words.split_at_checked(own));
        let (own, event) = words.ok_or(Unsound("span values"))?;
        check_words(c, c.shape[row], own)?;
        check_words(c, c.event_shape[row], event)?;
    }
    Ok(())
}

fn shape_of(c: &Columns, shape: u32) -> Result<&Shape, Unsound> {
    c.shapes
        .get(shape as usize)
        .ok_or(Unsound("shape position"))
}

fn check_set(c: &Columns, set: &AttributeSet) -> Result<(), Unsound> {
    check_words(c, set.shape, &set.values)
}

fn check_words(c: &Columns, shape: u32, words: &[u64]) -> Result<(), Unsound> {
    let shape = shape_of(c, shape)?;
    if shape.len() != words.len() {
        return Err(Unsound("values do not fit their shape"));
    }
    let fits = |(&(_, value_type), &word): (&(u32, ValueType), &u64)| match value_type {
        ValueType::Str => word < c.text.len() as u64,
        ValueType::Bytes | ValueType::Any => word < c.bytes.len() as u64,
        ValueType::Bool => word <= 1,
        ValueType::Int | ValueType::Double => true,
    };
    let all = shape.iter().zip(words).all(fits);
    if all {
        Ok(())
    } else {
        Err(Unsound("value position"))
    }
}
