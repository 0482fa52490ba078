//! A span written into a builder while it is read. Its texts need not have been checked: most are known
//! from spans before, and equal bytes are as good. A span that turns out to be bad leaves no trace.

use crate::attribute::{Attribute, Value, ValueType};
use crate::builder::{BatchBuilder, Home, ResourceHandle, ResourceInput, ScopeHandle, ScopeInput};
use crate::id::{SpanId, TraceId};
use crate::shapes::Ended;
use crate::shard::ShardBuilder;
use crate::span::{Marks, SpanKind, StatusCode};

/// A text that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text is not UTF-8")]
pub struct NotUtf8;

/// Names a text of the shard that a row is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextHandle(pub(crate) u32);

/// An [`Attribute`] whose texts nobody has checked.
#[derive(Clone, Copy, Debug)]
pub struct RawAttribute<'a> {
    /// The key, should it be UTF-8.
    pub key: &'a [u8],
    /// The value.
    pub value: RawValue<'a>,
}

/// A [`Value`] whose text nobody has checked.
#[derive(Clone, Copy, Debug)]
pub enum RawValue<'a> {
    /// [`Value::Str`], should it be UTF-8.
    Str(&'a [u8]),
    /// [`Value::Int`]
    Int(i64),
    /// [`Value::Double`]
    Double(f64),
    /// [`Value::Bool`]
    Bool(bool),
    /// [`Value::Bytes`]
    Bytes(&'a [u8]),
    /// [`Value::Any`]
    Any(&'a [u8]),
}

impl<'a> RawValue<'a> {
    /// The value, if its text is one.
    pub fn checked(self) -> Result<Value<'a>, NotUtf8> {
        Ok(match self {
            RawValue::Str(text) => Value::Str(std::str::from_utf8(text).map_err(|_| NotUtf8)?),
            RawValue::Int(number) => Value::Int(number),
            RawValue::Double(number) => Value::Double(number),
            RawValue::Bool(bit) => Value::Bool(bit),
            RawValue::Bytes(bytes) => Value::Bytes(bytes),
            RawValue::Any(encoded) => Value::Any(encoded),
        })
    }

    #[inline]
    pub(crate) fn value_type(&self) -> ValueType {
        match self {
            RawValue::Str(_) => ValueType::Str,
            RawValue::Int(_) => ValueType::Int,
            RawValue::Double(_) => ValueType::Double,
            RawValue::Bool(_) => ValueType::Bool,
            RawValue::Bytes(_) => ValueType::Bytes,
            RawValue::Any(_) => ValueType::Any,
        }
    }
}

impl<'a> From<Attribute<'a>> for RawAttribute<'a> {
    fn from(attribute: Attribute<'a>) -> Self {
        RawAttribute {
            key: attribute.key.as_bytes(),
            value: attribute.value.into(),
        }
    }
}

impl<'a> From<Value<'a>> for RawValue<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Str(text) => RawValue::Str(text.as_bytes()),
            Value::Int(number) => RawValue::Int(number),
            Value::Double(number) => RawValue::Double(number),
            Value::Bool(bit) => RawValue::Bool(bit),
            Value::Bytes(bytes) => RawValue::Bytes(bytes),
            Value::Any(encoded) => RawValue::Any(encoded),
        }
    }
}

/// What a row has beside its attributes, normalized as D5 says.
#[derive(Clone, Copy, Debug)]
pub struct RowInput<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Its parent; none for a root.
    pub parent: Option<SpanId>,
    /// Where it came from.
    pub resource: ResourceHandle,
    /// What made it.
    pub scope: ScopeHandle,
    /// Start.
    pub start_unix_ns: u64,
    /// Duration.
    pub duration_ns: u64,
    /// The operation's name.
    pub operation: TextHandle,
    /// The side of a call.
    pub kind: SpanKind,
    /// Status as it came.
    pub status: StatusCode,
    /// Status message.
    pub status_message: TextHandle,
    /// OTLP flags.
    pub flags: u32,
    /// Events, links, trace state, dropped counts, unknown fields: OTLP field encoding.
    pub rest: &'a [u8],
    /// What was changed or noticed; repeated keys are noticed here.
    pub marks: Marks,
}

/// A span that is being written. Dropped before it is pushed, it leaves no trace.
#[derive(Debug)]
pub struct Row<'b> {
    builder: &'b mut BatchBuilder,
    shard: usize,
    own: Option<Ended>,
    pushed: bool,
}

impl BatchBuilder {
    /// Begins a span of the shard that this trace belongs to.
    pub fn row(&mut self, trace_id: TraceId) -> Row<'_> {
        let shard = trace_id.shard(self.shards.len() as u16) as usize;
        self.shards[shard].begin_row();
        Row {
            builder: self,
            shard,
            own: None,
            pushed: false,
        }
    }
}

impl Row<'_> {
    /// Whether spans of this trace belong to the row's shard.
    pub fn has_shard_of(&self, trace_id: TraceId) -> bool {
        usize::from(trace_id.shard(self.builder.shards.len() as u16)) == self.shard
    }

    /// Takes a text in, to be named by [`RowInput`].
    #[inline]
    pub fn text(&mut self, text: &[u8]) -> Result<TextHandle, NotUtf8> {
        self.shard().raw_text(text).map(TextHandle)
    }

    /// The empty text, which most spans have for a status message.
    #[inline]
    pub fn empty_text(&mut self) -> TextHandle {
        TextHandle(self.shard().empty_text())
    }

    /// Adds an attribute of the span.
    #[inline(always)]
    pub fn attribute(&mut self, key: &[u8], value: RawValue<'_>) -> Result<(), NotUtf8> {
        debug_assert!(self.own.is_none(), "its own attributes come first");
        self.shard().raw_attribute(key, value)
    }

    /// Adds an attribute of one of its events, lifted for search.
    pub fn event_attribute(&mut self, key: &[u8], value: RawValue<'_>) -> Result<(), NotUtf8> {
        if self.own.is_none() {
            self.end_own();
            // The shape stays, and with it its keys.
            self.shard().keep_texts();
        }
        self.shard().raw_attribute(key, value)
    }

    /// Takes a resource in. It stays, whatever becomes of the row; a bad one goes with the row, which
    /// is to be dropped.
    pub fn resource(
        &mut self,
        input: &ResourceInput<'_, RawAttribute<'_>>,
    ) -> Result<ResourceHandle, NotUtf8> {
        let at = self.shard().resource(input)?;
        self.shard().keep_texts();
        Ok(ResourceHandle(self.home(at)))
    }

    /// Takes a scope in, as [`Row::resource`] does.
    pub fn scope(
        &mut self,
        input: &ScopeInput<'_, RawAttribute<'_>>,
    ) -> Result<ScopeHandle, NotUtf8> {
        let at = self.shard().scope(input)?;
        self.shard().keep_texts();
        Ok(ScopeHandle(self.home(at)))
    }

    fn home(&self, at: u32) -> Home {
        let shard = self.shard as u16;
        Home { shard, at }
    }

    /// Ends the row.
    pub fn push(mut self, input: &RowInput<'_>) {
        debug_assert!(self.has_shard_of(input.trace_id));
        let own = self.end_own();
        let event = self.shard().end_shape();
        let mut marks = input.marks;
        if own.duplicate_keys {
            marks.set(Marks::DUPLICATE_KEYS);
        }
        let input = RowInput { marks, ..*input };
        let origin = self.builder.origin(self.shard, input.resource, input.scope);
        self.shard().push(&input, origin, own.shape, event.shape);
        self.builder.spans += 1;
        self.pushed = true;
    }

    #[inline]
    fn shard(&mut self) -> &mut ShardBuilder {
        &mut self.builder.shards[self.shard]
    }

    #[inline]
    fn end_own(&mut self) -> Ended {
        match self.own {
            Some(own) => own,
            None => {
                let own = self.shard().end_shape();
                self.own = Some(own);
                own
            }
        }
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        if !self.pushed {
            self.shard().abandon_row();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, SpanInput};

    type Texts = Vec<(String, Vec<u8>)>;

    /// A span of few keys and values, so that they repeat.
    struct Draft {
        trace_id: TraceId,
        operation: String,
        own: Texts,
        event: Texts,
    }

    fn texts(random: &mut fastrand::Rng, keys: u32) -> Texts {
        let count = random.usize(..5);
        let mut text = |_| {
            let value = format!("é{}", random.u8(..60)).into_bytes();
            (format!("key-{}", random.u32(..keys)), value)
        };
        (0..count).map(&mut text).collect()
    }

    fn draft(random: &mut fastrand::Rng, keys: u32) -> Draft {
        Draft {
            trace_id: TraceId([random.u8(1..9); 16]),
            operation: format!("o{}", random.u8(..9)),
            own: texts(random, keys),
            event: texts(random, keys),
        }
    }

    /// A builder with the origin that all its spans have.
    fn builder() -> (BatchBuilder, ResourceHandle, ScopeHandle) {
        let mut builder = BatchBuilder::new(2);
        let resource = builder.resource(&ResourceInput::default());
        let scope = builder.scope(&ScopeInput::default());
        (builder, resource, scope)
    }

    impl Draft {
        fn write(
            &self,
            (builder, resource, scope): &mut (BatchBuilder, ResourceHandle, ScopeHandle),
        ) -> Result<(), NotUtf8> {
            let mut row = builder.row(self.trace_id);
            let operation = row.text(self.operation.as_bytes())?;
            let status_message = row.empty_text();
            for (key, value) in &self.own {
                row.attribute(key.as_bytes(), RawValue::Str(value))?;
            }
            for (key, value) in &self.event {
                row.event_attribute(key.as_bytes(), RawValue::Str(value))?;
            }
            row.push(&RowInput {
                trace_id: self.trace_id,
                span_id: SpanId([1; 8]),
                parent: None,
                resource: *resource,
                scope: *scope,
                start_unix_ns: 1,
                duration_ns: 2,
                operation,
                kind: SpanKind::Client,
                status: StatusCode::Ok,
                status_message,
                flags: 3,
                rest: self.operation.as_bytes(),
                marks: Marks::default(),
            });
            Ok(())
        }

        /// The same through the front door.
        fn push(
            &self,
            (builder, resource, scope): &mut (BatchBuilder, ResourceHandle, ScopeHandle),
        ) {
            let [own, event] = [&self.own, &self.event].map(|list| {
                let list = list.iter().map(|(key, value)| {
                    let value = std::str::from_utf8(value).unwrap();
                    Attribute::new(key, Value::Str(value))
                });
                list.collect::<Vec<_>>()
            });
            let mut keys: Vec<_> = self.own.iter().map(|(key, _)| key).collect();
            keys.sort();
            let repeated = keys.windows(2).any(|two| two[0] == two[1]);
            builder.push(&SpanInput {
                trace_id: self.trace_id,
                span_id: SpanId([1; 8]),
                parent: None,
                resource: *resource,
                scope: *scope,
                start_unix_ns: 1,
                duration_ns: 2,
                operation: &self.operation,
                kind: SpanKind::Client,
                status: StatusCode::Ok,
                status_message: "",
                flags: 3,
                attributes: &own,
                event_attributes: &event,
                rest: self.operation.as_bytes(),
                marks: if repeated {
                    Marks::DUPLICATE_KEYS
                } else {
                    Marks::default()
                },
            });
        }
    }

    /// A row that is given up in the middle, for a resource's sake.
    fn bad_resource(bad: &Draft, builder: &mut BatchBuilder) {
        let raw = bad.own.iter().map(|(key, value)| RawAttribute {
            key: key.as_bytes(),
            value: RawValue::Str(value),
        });
        let attributes: Vec<_> = raw.collect();
        let mut row = builder.row(bad.trace_id);
        row.attribute(b"key", RawValue::Int(1)).unwrap();
        let taken = row.resource(&ResourceInput {
            attributes: &attributes,
            ..ResourceInput::default()
        });
        assert_eq!(taken, Err(NotUtf8));
    }

    /// Rows, some of them given up, beside the same spans pushed whole: equal to the last position.
    fn check(seed: u64, rows: usize, keys: u32) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut written, mut pushed) = (builder(), builder());
        for _batch in 0..3 {
            for _ in 0..random.usize(1..rows) {
                let mut good = draft(&mut random, keys);
                if random.u8(..4) == 0 {
                    let mut bad = draft(&mut random, keys);
                    bad.own.push((format!("new-{}", random.u8(..)), vec![0xff]));
                    assert_eq!(bad.write(&mut written), Err(NotUtf8));
                    bad_resource(&bad, &mut written.0);
                    good.own.extend(texts(&mut random, 9));
                }
                match random.u8(..4) {
                    0 => good.push(&mut written),
                    _ => good.write(&mut written).unwrap(),
                }
                good.push(&mut pushed);
            }
            assert_eq!(written.0.finish(), pushed.0.finish());
            (written.1, pushed.1) = [&mut written.0, &mut pushed.0]
                .map(|builder| builder.resource(&ResourceInput::default()))
                .into();
            (written.2, pushed.2) = [&mut written.0, &mut pushed.0]
                .map(|builder| builder.scope(&ScopeInput::default()))
                .into();
        }
    }

    #[test]
    fn a_bad_span_leaves_no_trace() {
        (0..200).for_each(|seed| check(seed, 40, 12));
    }

    #[test]
    fn more_shapes_than_the_tree_has_room_for_are_told_apart_all_the_same() {
        check(1, 12_000, 300);
    }

    #[test]
    fn what_the_lifted_attributes_bring_goes_with_them() {
        let mut builder = builder();
        let mut bad = draft(&mut fastrand::Rng::with_seed(1), 5);
        bad.event.push((String::new(), vec![0x80]));
        assert_eq!(bad.write(&mut builder), Err(NotUtf8));
        assert!(builder.0.is_empty() && builder.0.finish().is_empty());
        let good = draft(&mut fastrand::Rng::with_seed(2), 5);
        let mut builder = self::builder();
        good.write(&mut builder).unwrap();
        assert_eq!(builder.0.finish().len(), 1, "and the batch is sound");
    }
}
