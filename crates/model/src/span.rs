//! A span: one row of a batch, seen through `SpanRef`; nothing is copied to read it.

use crate::attribute::Attribute;
use crate::batch::{AttributeSet, SpanBatch};
use crate::dictionary::bounds;
use crate::id::{SpanId, TraceId};

/// What a span says of its side of a call; numbers are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified = 0,
    /// Work inside a service.
    Internal = 1,
    /// The callee's side of a call.
    Server = 2,
    /// The caller's side of a call.
    Client = 3,
    /// Sends a message.
    Producer = 4,
    /// Receives a message.
    Consumer = 5,
}

impl SpanKind {
    /// The kind with this OTLP number.
    pub fn from_u8(number: u8) -> Option<SpanKind> {
        Some(match number {
            0 => SpanKind::Unspecified,
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => return None,
        })
    }

    /// Lower-case name, as the API shows it.
    pub fn name(self) -> &'static str {
        match self {
            SpanKind::Unspecified => "unspecified",
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        }
    }

    /// The kind with this name, in either case.
    pub fn from_name(name: &str) -> Option<SpanKind> {
        (0..=5)
            .filter_map(SpanKind::from_u8)
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// A span's status as it came; only `Error` makes an error (D4, D5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StatusCode {
    /// Not said, which counts as ok.
    #[default]
    Unset = 0,
    /// Said to be fine.
    Ok = 1,
    /// Failed.
    Error = 2,
}

impl StatusCode {
    /// The status with this OTLP number.
    pub fn from_u8(number: u8) -> Option<StatusCode> {
        Some(match number {
            0 => StatusCode::Unset,
            1 => StatusCode::Ok,
            2 => StatusCode::Error,
            _ => return None,
        })
    }
}

/// What was changed or noticed while a span was taken in; a set of bits, shown as names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks(pub u16);

impl Marks {
    /// The source gave no start time (D5).
    pub const NO_START_TIME: Marks = Marks(1);
    /// The source's end lay before its start; the duration was set to 0, `rest` keeps the end.
    pub const END_BEFORE_START: Marks = Marks(2);
    /// Attributes over the cap were cut (D6).
    pub const ATTRIBUTES_CUT: Marks = Marks(4);
    /// A key or value over the cap was cut (D6).
    pub const VALUE_CUT: Marks = Marks(8);
    /// Events or links over the cap were cut (D6).
    pub const EVENTS_CUT: Marks = Marks(16);
    /// An id was no hex and was hashed; an attribute keeps the original (Q19).
    pub const ID_HASHED: Marks = Marks(32);
    /// A Zipkin server span that shares its client's id.
    pub const SHARED_ID: Marks = Marks(64);
    /// One key stands more than once among the span's attributes.
    pub const DUPLICATE_KEYS: Marks = Marks(128);
    /// Its parent is one that it merely follows from, and that did not wait for it (Jaeger).
    pub const FOLLOWS_FROM: Marks = Marks(256);

    const NAMES: [(Marks, &'static str); 9] = [
        (Marks::NO_START_TIME, "no_start_time"),
        (Marks::END_BEFORE_START, "end_before_start"),
        (Marks::ATTRIBUTES_CUT, "attributes_cut"),
        (Marks::VALUE_CUT, "value_cut"),
        (Marks::EVENTS_CUT, "events_cut"),
        (Marks::ID_HASHED, "id_hashed"),
        (Marks::SHARED_ID, "shared_id"),
        (Marks::DUPLICATE_KEYS, "duplicate_keys"),
        (Marks::FOLLOWS_FROM, "follows_from"),
    ];

    /// Adds these marks.
    pub fn set(&mut self, marks: Marks) {
        self.0 |= marks.0;
    }

    /// True when all of these marks are set.
    pub fn has(self, marks: Marks) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// The names of the marks that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Marks::NAMES
            .into_iter()
            .filter(move |(mark, _)| self.has(*mark))
            .map(|(_, name)| name)
    }
}

/// One span of a batch.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    /// The batch it lies in.
    pub batch: &'a SpanBatch,
    /// Its row.
    pub row: u32,
}

impl<'a> SpanRef<'a> {
    #[inline]
    fn at<T: Copy + Default>(self, column: &[T]) -> T {
        column.get(self.row as usize).copied().unwrap_or_default()
    }

    /// The trace's id.
    #[inline]
    pub fn trace_id(self) -> TraceId {
        self.batch.trace_id(self.at(&self.batch.columns().trace))
    }

    /// The span's id.
    #[inline]
    pub fn span_id(self) -> SpanId {
        self.at(&self.batch.columns().span_id)
    }

    /// The parent's id; none for a root.
    #[inline]
    pub fn parent(self) -> Option<SpanId> {
        let parent = self.at(&self.batch.columns().parent);
        (!parent.is_zero()).then_some(parent)
    }

    /// When it started.
    #[inline]
    pub fn start_unix_ns(self) -> u64 {
        self.at(&self.batch.columns().start_unix_ns)
    }

    /// How long it took.
    #[inline]
    pub fn duration_ns(self) -> u64 {
        self.at(&self.batch.columns().duration_ns)
    }

    /// When it ended.
    #[inline]
    pub fn end_unix_ns(self) -> u64 {
        self.start_unix_ns().saturating_add(self.duration_ns())
    }

    /// The operation's name.
    #[inline]
    pub fn operation(self) -> &'a str {
        self.batch.text(self.at(&self.batch.columns().operation))
    }

    /// The service's name.
    #[inline]
    pub fn service(self) -> &'a str {
        self.resource().service()
    }

    /// The side of a call.
    #[inline]
    pub fn kind(self) -> SpanKind {
        SpanKind::from_u8(self.at(&self.batch.columns().kind)).unwrap_or_default()
    }

    /// The status as it came.
    #[inline]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u8(self.at(&self.batch.columns().status)).unwrap_or_default()
    }

    /// True when the span failed.
    #[inline]
    pub fn is_error(self) -> bool {
        self.status() == StatusCode::Error
    }

    /// The status message, often empty.
    #[inline]
    pub fn status_message(self) -> &'a str {
        self.batch
            .text(self.at(&self.batch.columns().status_message))
    }

    /// OTLP's flags: the low byte is W3C's.
    #[inline]
    pub fn flags(self) -> u32 {
        self.at(&self.batch.columns().flags)
    }

    /// What was changed or noticed while taking it in.
    #[inline]
    pub fn marks(self) -> Marks {
        Marks(self.at(&self.batch.columns().marks))
    }

    /// The resource it came from.
    #[inline]
    pub fn resource(self) -> ResourceRef<'a> {
        ResourceRef {
            batch: self.batch,
            position: self.at(&self.batch.columns().resource),
        }
    }

    /// The instrumentation scope it came from.
    #[inline]
    pub fn scope(self) -> ScopeRef<'a> {
        ScopeRef {
            batch: self.batch,
            position: self.at(&self.batch.columns().scope),
        }
    }

    /// Its own attributes, in their order.
    #[inline]
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> + Clone {
        let columns = self.batch.columns();
        let (values, _) = self.values();
        self.batch.attributes(self.at(&columns.shape), values)
    }

    /// The attributes of its events, lifted so that searches find them.
    #[inline]
    pub fn event_attributes(self) -> impl Iterator<Item = Attribute<'a>> + Clone {
        let columns = self.batch.columns();
        let (_, values) = self.values();
        self.batch.attributes(self.at(&columns.event_shape), values)
    }

    /// The attribute at this place of the list: its own, then those of its events.
    pub fn attribute(self, at: usize) -> Option<Attribute<'a>> {
        let columns = self.batch.columns();
        let (own, event) = self.values();
        let (shape, values, at) = match at.checked_sub(own.len()) {
            None => (self.at(&columns.shape), own, at),
            Some(at) => (self.at(&columns.event_shape), event, at),
        };
        let &name = self.batch.shape(shape).get(at)?;
        Some(self.batch.attribute(name, *values.get(at)?))
    }

    /// What is not modelled (events, links, trace state, …) in OTLP's field encoding; `wire::rest` reads it.
    #[inline]
    pub fn rest(self) -> &'a [u8] {
        let columns = self.batch.columns();
        let (from, to) = bounds(&columns.rest_end, self.row);
        columns.rest.get(from..to).unwrap_or(&[])
    }

    /// The span's own values, then those of its events.
    #[inline]
    pub(crate) fn values(self) -> (&'a [u64], &'a [u64]) {
        let columns = self.batch.columns();
        let (from, to) = bounds(&columns.value_end, self.row);
        let own = self.batch.shape(self.at(&columns.shape)).len();
        columns
            .values
            .get(from..to)
            .unwrap_or(&[])
            .split_at_checked(own)
            .unwrap_or_default()
    }
}

/// The resource of a span: the service and what it runs on.
#[derive(Clone, Copy, Debug)]
pub struct ResourceRef<'a> {
    pub(crate) batch: &'a SpanBatch,
    pub(crate) position: u32,
}

impl<'a> ResourceRef<'a> {
    fn entry(self) -> Option<&'a crate::batch::Resource> {
        self.batch.columns().resources.get(self.position as usize)
    }

    /// The service's name.
    pub fn service(self) -> &'a str {
        self.entry()
            .map_or("", |entry| self.batch.text(entry.service))
    }

    /// The schema that its attributes follow.
    pub fn schema_url(self) -> &'a str {
        self.entry()
            .map_or("", |entry| self.batch.text(entry.schema_url))
    }

    /// Its attributes, `service.name` among them.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> + Clone {
        self.batch
            .attribute_set(self.entry().map(|entry| &entry.attributes))
    }

    /// Unmodelled fields of the OTLP `Resource` message.
    pub fn rest(self) -> &'a [u8] {
        self.entry()
            .map_or(&[], |entry| self.batch.bytes(entry.rest))
    }

    /// Its position in its batch: equal positions are equal resources.
    pub fn position(self) -> u32 {
        self.position
    }
}

/// The instrumentation scope of a span.
#[derive(Clone, Copy, Debug)]
pub struct ScopeRef<'a> {
    pub(crate) batch: &'a SpanBatch,
    pub(crate) position: u32,
}

impl<'a> ScopeRef<'a> {
    fn entry(self) -> Option<&'a crate::batch::Scope> {
        self.batch.columns().scopes.get(self.position as usize)
    }

    /// The library's name.
    pub fn name(self) -> &'a str {
        self.entry().map_or("", |entry| self.batch.text(entry.name))
    }

    /// The library's version.
    pub fn version(self) -> &'a str {
        self.entry()
            .map_or("", |entry| self.batch.text(entry.version))
    }

    /// The schema that its spans follow.
    pub fn schema_url(self) -> &'a str {
        self.entry()
            .map_or("", |entry| self.batch.text(entry.schema_url))
    }

    /// Its attributes.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> + Clone {
        self.batch
            .attribute_set(self.entry().map(|entry| &entry.attributes))
    }

    /// Unmodelled fields of the OTLP `InstrumentationScope` message.
    pub fn rest(self) -> &'a [u8] {
        self.entry()
            .map_or(&[], |entry| self.batch.bytes(entry.rest))
    }

    /// Its position in its batch: equal positions are equal scopes.
    pub fn position(self) -> u32 {
        self.position
    }
}

impl SpanBatch {
    fn attribute_set<'a>(
        &'a self,
        set: Option<&'a AttributeSet>,
    ) -> impl Iterator<Item = Attribute<'a>> + Clone {
        let (shape, values) = set.map_or((u32::MAX, &[][..]), |set| (set.shape, &set.values[..]));
        self.attributes(shape, values)
    }
}
