//! A recorded span while it lives: an OTLP `Span` message, written field by field as the application
//! speaks, in a buffer that goes round (`buffers`). Before the message stand two bytes: the number of
//! the span's scope.
#![warn(clippy::indexing_slicing)]

use crate::buffers;
use crate::bytes::Bytes;
use crate::context::SpanContext;
use crate::encode::proto::{
    Fields, field_bytes, key_value_bytes, put_attribute, put_bytes, put_fixed64, put_key_value,
    put_len, put_short_key_value, put_varint,
};
use crate::id::SpanId;
use crate::settings::Limits;
use crate::span::{Kind, Status};
use crate::value::Value;

/// Bytes of the scope's number before the message.
pub(crate) const SCOPE_BYTES: usize = 2;

const ATTRIBUTE: u8 = 0x4A;
const EVENT: u8 = 0x5A;
const LINK: u8 = 0x6A;
/// The flags field says whether the parent is remote, and that it says so.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;
/// The scope and the fields of fixed length that a span begins with.
const FIXED_BYTES: usize = 47;
/// Fields written at the end take no more than this, but for the status message.
const END_BYTES: usize = 64;

/// What a span begins with.
pub(crate) struct Head<'a> {
    pub(crate) scope: u16,
    pub(crate) context: &'a SpanContext,
    pub(crate) parent: Option<Parent>,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) start_unix_ns: u64,
}

/// Where the start time stands in a finished span.
const START_AT: usize = 33;

/// When a finished span began.
pub(crate) fn start_unix_ns(span: &[u8]) -> u64 {
    let start = span.get(START_AT..).and_then(<[u8]>::first_chunk);
    start.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// What a span says of its parent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    span_id: SpanId,
    remote: bool,
}

impl Parent {
    /// The parent, if the context names one.
    #[inline]
    pub(crate) fn of(context: &SpanContext) -> Option<Parent> {
        context.is_valid().then(|| Parent {
            span_id: context.span_id(),
            remote: context.is_remote(),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Record {
    bytes: Bytes,
    limits: &'static Limits,
    /// Where the name's field begins, and where all that is fixed at the start ends.
    name_at: u32,
    open_at: u32,
    /// One bit a key seen, by a small hash: most keys are new, and need no search for an older one.
    keys: u64,
    /// Bytes that the span may still take.
    left: usize,
    attributes: Count,
    events: Count,
    links: Count,
    status: Status,
}

/// How many more there may be, and how many were one too many.
#[derive(Clone, Copy, Debug)]
struct Count {
    left: u32,
    dropped: u32,
}

impl Record {
    #[inline]
    pub(crate) fn begin(head: &Head<'_>, limits: &'static Limits) -> Record {
        let mut flags = u32::from(head.context.flags().bits()) | HAS_IS_REMOTE;
        if head.parent.is_some_and(|parent| parent.remote) {
            flags |= IS_REMOTE;
        }
        // All that has a fixed length goes in one piece: scope, trace_id (1), span_id (2), kind (6), start (7),
        // flags (16).
        let mut bytes = buffers::take();
        let mut fixed = bytes.claim(FIXED_BYTES);
        fixed.put(&head.scope.to_le_bytes());
        fixed.put(&[0x0A, 16]);
        fixed.put(&head.context.trace_id().to_bytes());
        fixed.put(&[0x12, 8]);
        fixed.put(&head.context.span_id().to_bytes());
        fixed.put(&[0x30, head.kind.number(), 0x39]);
        fixed.put(&head.start_unix_ns.to_le_bytes());
        fixed.put(&[0x85, 0x01]);
        fixed.put(&flags.to_le_bytes());
        if let Some(parent) = head.parent {
            let mut field = bytes.claim(10);
            field.put(&[0x22, 8]);
            field.put(&parent.span_id.to_bytes());
        }
        let state = head.context.trace_state().header();
        if !state.is_empty() {
            put_bytes(&mut bytes, 0x1A, state.as_bytes());
        }
        let name_at = bytes.len() as u32;
        put_bytes(&mut bytes, 0x2A, head.name.as_bytes());
        Record {
            name_at,
            open_at: bytes.len() as u32,
            left: limits
                .span_bytes_max
                .saturating_sub(bytes.len() + END_BYTES),
            bytes,
            limits,
            keys: 0,
            attributes: Count::up_to(limits.attributes_max),
            events: Count::up_to(limits.events_max),
            links: Count::up_to(limits.links_max),
            status: Status::Unset,
        }
    }

    /// Inlined into the application, whose keys are constants: most of it is done by its compiler then.
    #[inline(always)]
    pub(crate) fn set_attribute(&mut self, key: &str, value: Value<'_>) {
        let bit = key_bit(key);
        if self.keys & bit != 0 {
            self.remove_attribute(key);
        }
        let len = key_value_bytes(key, value);
        if !self.attributes.admit(&mut self.left, len + 2) {
            return;
        }
        self.keys |= bit;
        if !put_short_key_value(&mut self.bytes, ATTRIBUTE, key, value, len) {
            put_key_value(&mut self.bytes, ATTRIBUTE, key, value, len);
        }
    }

    pub(crate) fn add_event(
        &mut self,
        time_unix_ns: u64,
        name: &str,
        attributes: &[(&str, Value<'_>)],
    ) {
        let (attributes, over) = self.capped(attributes);
        let attributes_len: usize = attributes
            .iter()
            .map(|(key, value)| field_bytes(key_value_bytes(key, *value)))
            .sum();
        let over_len = if over == 0 { 0 } else { field_bytes(0) + 8 };
        let len = 9 + field_bytes(name.len()) + attributes_len;
        if !self.events.admit(&mut self.left, len + over_len) {
            return;
        }
        let mut tail = Bytes::default();
        if over > 0 {
            tail.push(0x20);
            put_varint(&mut tail, u64::from(over));
        }
        put_len(&mut self.bytes, EVENT, len + tail.len());
        put_fixed64(&mut self.bytes, 0x09, time_unix_ns);
        put_bytes(&mut self.bytes, 0x12, name.as_bytes());
        for (key, value) in attributes {
            put_attribute(&mut self.bytes, 0x1A, key, *value);
        }
        self.bytes.put(&tail);
    }

    pub(crate) fn add_link(&mut self, to: &SpanContext, attributes: &[(&str, Value<'_>)]) {
        let (attributes, over) = self.capped(attributes);
        let mut link = Bytes::with_room(64);
        put_bytes(&mut link, 0x0A, &to.trace_id().to_bytes());
        put_bytes(&mut link, 0x12, &to.span_id().to_bytes());
        let state = to.trace_state().header();
        if !state.is_empty() {
            put_bytes(&mut link, 0x1A, state.as_bytes());
        }
        for (key, value) in attributes {
            put_attribute(&mut link, 0x22, key, *value);
        }
        if over > 0 {
            link.push(0x28);
            put_varint(&mut link, u64::from(over));
        }
        let remote = if to.is_remote() { IS_REMOTE } else { 0 };
        let flags = u32::from(to.flags().bits()) | HAS_IS_REMOTE | remote;
        link.push(0x35);
        link.put(&flags.to_le_bytes());
        if self.links.admit(&mut self.left, link.len()) {
            put_bytes(&mut self.bytes, LINK, &link);
        }
    }

    /// Other attributes than these belong to no one: what is over the limit is counted.
    fn capped<'a, 'b>(
        &self,
        attributes: &'a [(&'b str, Value<'b>)],
    ) -> (&'a [(&'b str, Value<'b>)], u32) {
        let kept = attributes.len().min(self.limits.attributes_max as usize);
        let over = attributes.len() - kept;
        (
            attributes.get(..kept).unwrap_or_default(),
            u32::try_from(over).unwrap_or(u32::MAX),
        )
    }

    pub(crate) fn rename(&mut self, name: &str) {
        let mut field = Bytes::with_room(name.len() + 4);
        put_bytes(&mut field, 0x2A, name.as_bytes());
        let (name_at, open_at) = (self.name_at as usize, self.open_at as usize);
        self.open_at = self.name_at + field.len() as u32;
        self.bytes.replace(name_at..open_at, &field);
    }

    /// An application's "ok" is final; an error may be overruled by it, not by nothing.
    pub(crate) fn set_status(&mut self, status: Status) {
        if !matches!(self.status, Status::Ok) && !matches!(status, Status::Unset) {
            self.status = status;
        }
    }

    /// What others left out before it came here.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn note_dropped(&mut self, attributes: u32, events: u32, links: u32) {
        for (count, more) in [
            (&mut self.attributes, attributes),
            (&mut self.events, events),
            (&mut self.links, links),
        ] {
            count.dropped = count.dropped.saturating_add(more);
        }
    }

    pub(crate) fn has_status(&self) -> bool {
        !matches!(self.status, Status::Unset)
    }

    /// The whole message, or nothing if it is larger than a span may be. Nothing may be said after it.
    #[inline]
    pub(crate) fn finish(&mut self, end_unix_ns: u64) -> Option<Bytes> {
        put_fixed64(&mut self.bytes, 0x41, end_unix_ns);
        if self.attributes.dropped | self.events.dropped | self.links.dropped != 0 {
            self.put_dropped();
        }
        if self.has_status() {
            self.put_status();
        }
        let bytes = std::mem::take(&mut self.bytes);
        (bytes.len() <= self.limits.span_bytes_max).then_some(bytes)
    }

    #[cold]
    fn put_dropped(&mut self) {
        for (tag, count) in [
            (0x50, self.attributes),
            (0x60, self.events),
            (0x70, self.links),
        ] {
            self.bytes.push(tag);
            put_varint(&mut self.bytes, u64::from(count.dropped));
        }
    }

    #[cold]
    fn put_status(&mut self) {
        let (message, code) = match &self.status {
            Status::Error(message) => (message.as_bytes(), 2),
            Status::Ok | Status::Unset => (&[][..], 1),
        };
        let message_len = if message.is_empty() {
            0
        } else {
            field_bytes(message.len())
        };
        put_len(&mut self.bytes, 0x7A, message_len + 2);
        if !message.is_empty() {
            put_bytes(&mut self.bytes, 0x12, message);
        }
        self.bytes.put(&[0x18, code]);
    }

    /// The last value of a key counts; an older one goes.
    #[cold]
    fn remove_attribute(&mut self, key: &str) {
        let open_at = self.open_at as usize;
        let open = self.bytes.get(open_at..).unwrap_or_default();
        let mut fields = Fields(open);
        let mut at = 0;
        while let Some((number, field)) = fields.next() {
            let next = open.len() - fields.0.len();
            let holds_key = |&(number, inner): &_| {
                number == 1 && crate::encode::proto::Field::bytes(inner) == key.as_bytes()
            };
            if number == 9 && Fields(field.bytes()).next().as_ref().is_some_and(holds_key) {
                let gone = open_at + at..open_at + next;
                self.bytes.replace(gone, &[]);
                self.attributes.left += 1;
                self.left += next - at;
                return;
            }
            at = next;
        }
    }
}

impl Count {
    fn up_to(max: u32) -> Count {
        Count {
            left: max,
            dropped: 0,
        }
    }

    /// Takes one more of so many bytes, or counts it as left out.
    #[inline]
    fn admit(&mut self, bytes_left: &mut usize, bytes: usize) -> bool {
        if self.left == 0 || *bytes_left < bytes {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        self.left -= 1;
        *bytes_left -= bytes;
        true
    }
}

#[inline]
fn key_bit(key: &str) -> u64 {
    let key = key.as_bytes();
    let (first, last) = (key.first().copied(), key.last().copied());
    let mixed =
        key.len() as u64 * 31 + u64::from(first.unwrap_or(0)) * 7 + u64::from(last.unwrap_or(0));
    1 << (mixed & 63)
}
