//! One shard's growing batch.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::attribute::ValueType;
use crate::batch::{Columns, SpanBatch};
use crate::distinct::{Distinct, is_utf8};
use crate::id::TraceId;
use crate::intern::{Free, Interner};
use crate::origins::Origins;
use crate::row::{NotUtf8, RawAttribute, RawValue, RowInput};
use crate::shapes::{Ended, Path, Shapes};

/// Batches up to this size are copied out and leave their room to the next one; senders' batches have
/// a tenth of it. Larger ones are handed over as they are.
const ROOM_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The columns and the tables that find values in them.
#[derive(Debug)]
pub(crate) struct ShardBuilder {
    pub(crate) columns: Columns,
    /// Seeded at random: nobody outside can choose values that collide.
    pub(crate) hasher: RandomState,
    pub(crate) texts: Distinct,
    pub(crate) bytes: Distinct,
    /// Position of the empty text, once it was asked for.
    empty: Option<u32>,
    shapes: Shapes,
    /// The attributes of the open row; at its start when there is none.
    path: Path,
    pub(crate) resources: Origins,
    pub(crate) scopes: Origins,
    traces: Interner,
}

/// Why attributes cannot be refused here.
pub(crate) const CHECKED: &str = "texts of attributes and of batches are UTF-8";

impl ShardBuilder {
    pub(crate) fn new(shard: u16) -> Self {
        ShardBuilder {
            columns: Columns {
                shard,
                ..Columns::default()
            },
            hasher: RandomState::default(),
            texts: Distinct::default(),
            bytes: Distinct::default(),
            empty: None,
            shapes: Shapes::new(),
            path: Path::default(),
            resources: Origins::default(),
            scopes: Origins::default(),
            traces: Interner::default(),
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.texts.intern(&self.hasher, text.as_bytes())
    }

    /// The text, if it is one: bytes known as a text are no news, only new ones are checked.
    #[inline(always)]
    pub(crate) fn raw_text(&mut self, text: &[u8]) -> Result<u32, NotUtf8> {
        match self.texts.find(&self.hasher, text) {
            Ok(position) => Ok(position),
            Err(free) => self.new_text(free, text),
        }
    }

    #[inline(never)]
    fn new_text(&mut self, free: Free, text: &[u8]) -> Result<u32, NotUtf8> {
        match is_utf8(text) {
            true => Ok(self.texts.add(free, text)),
            false => Err(NotUtf8),
        }
    }

    #[inline]
    pub(crate) fn empty_text(&mut self) -> u32 {
        match self.empty {
            Some(position) => position,
            None => *self.empty.insert(self.texts.intern(&self.hasher, b"")),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.intern(&self.hasher, bytes)
    }

    /// Writes the words of these attributes and answers their shape.
    pub(crate) fn words<'v>(
        &mut self,
        attributes: impl Iterator<Item: Into<RawAttribute<'v>>>,
    ) -> Result<Ended, NotUtf8> {
        for attribute in attributes {
            let RawAttribute { key, value } = attribute.into();
            self.raw_attribute(key, value)?;
        }
        Ok(self.end_shape())
    }

    /// [`ShardBuilder::words`] of what is not the open row's.
    pub(crate) fn words_beside<'v>(
        &mut self,
        attributes: impl Iterator<Item: Into<RawAttribute<'v>>>,
    ) -> Result<Ended, NotUtf8> {
        let of_row = std::mem::take(&mut self.path);
        let ended = self.words(attributes);
        self.path = of_row;
        ended
    }

    /// Makes ready for a row's attributes.
    #[inline]
    pub(crate) fn begin_row(&mut self) {
        debug_assert_eq!(self.path, Path::default(), "the last one ended");
        self.keep_texts();
    }

    /// What came in up to now stays, even if the open row is abandoned.
    #[inline]
    pub(crate) fn keep_texts(&mut self) {
        self.texts.mark();
        self.bytes.mark();
    }

    /// Forgets what the open row brought.
    pub(crate) fn abandon_row(&mut self) {
        self.path.restart();
        self.texts.undo();
        self.bytes.undo();
        self.empty = None;
        let written = self.columns.value_end.last().map_or(0, |&end| end as usize);
        self.columns.values.truncate(written);
    }

    /// Writes one attribute of the open row.
    #[inline(always)]
    pub(crate) fn raw_attribute(&mut self, key: &[u8], value: RawValue<'_>) -> Result<(), NotUtf8> {
        let value_type = value.value_type();
        let texts = &self.texts;
        if !self
            .shapes
            .predicted(&mut self.path, texts, key, value_type)
        {
            self.unexpected_key(key, value_type)?;
        }
        let word = match value {
            RawValue::Str(text) => u64::from(self.raw_text(text)?),
            RawValue::Int(number) => number as u64,
            RawValue::Double(number) => number.to_bits(),
            RawValue::Bool(bit) => u64::from(bit),
            RawValue::Bytes(bytes) | RawValue::Any(bytes) => u64::from(self.bytes(bytes)),
        };
        self.columns.values.push(word);
        Ok(())
    }

    #[inline(never)]
    fn unexpected_key(&mut self, key: &[u8], value_type: ValueType) -> Result<(), NotUtf8> {
        let key = self.raw_text(key)?;
        self.shapes
            .step(&mut self.path, &self.hasher, key, value_type);
        Ok(())
    }

    /// The shape of the attributes written since the row began, or since the last shape ended.
    #[inline]
    pub(crate) fn end_shape(&mut self) -> Ended {
        self.shapes.end(
            &mut self.path,
            &self.texts,
            &mut self.columns.shapes,
            &self.hasher,
        )
    }

    /// Appends a row whose words were written before.
    pub(crate) fn push(
        &mut self,
        row: &RowInput<'_>,
        (resource, scope): (u32, u32),
        shape: u32,
        event_shape: u32,
    ) {
        let trace = self.trace(row.trace_id);
        let c = &mut self.columns;
        c.value_end.push(c.values.len() as u32);
        c.trace.push(trace);
        c.span_id.push(row.span_id);
        c.parent.push(row.parent.unwrap_or_default());
        c.start_unix_ns.push(row.start_unix_ns);
        c.duration_ns.push(row.duration_ns);
        c.operation.push(row.operation.0);
        c.resource.push(resource);
        c.scope.push(scope);
        c.kind.push(row.kind as u8);
        c.status.push(row.status as u8);
        c.status_message.push(row.status_message.0);
        c.flags.push(row.flags);
        c.marks.push(row.marks.0);
        c.shape.push(shape);
        c.event_shape.push(event_shape);
        c.rest.extend_from_slice(row.rest);
        c.rest_end.push(c.rest.len() as u32);
    }

    fn trace(&mut self, id: TraceId) -> u32 {
        // Spans of a trace mostly come one after the other.
        if let Some(&last) = self.columns.trace.last()
            && self.columns.traces.get(last as usize) == Some(&id)
        {
            return last;
        }
        let hash = self.hasher.hash_one(u128::from_ne_bytes(id.0));
        self.traces
            .element(&mut self.columns.traces, hash, |known| *known == id, || id)
    }

    /// The batch; all is empty again.
    pub(crate) fn finish(&mut self) -> SpanBatch {
        let c = &mut self.columns;
        c.text = self.texts.take_texts();
        c.bytes = self.bytes.take();
        self.empty = None;
        let bytes = c.values.len() * 8 + c.text.text.len() + c.rest.len() + c.span_id.len() * 82;
        if bytes > ROOM_BYTES_MAX {
            let shard = c.shard;
            let full = std::mem::replace(self, ShardBuilder::new(shard));
            return SpanBatch::of_builder(full.columns);
        }
        self.shapes.clear();
        self.resources.clear();
        self.scopes.clear();
        self.traces.clear();
        SpanBatch::of_builder(self.columns.take_exact())
    }
}
