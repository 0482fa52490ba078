//! A recorded span while it lives: an OTLP `Span` message, written field by field as the application
//! speaks, in a buffer that goes round (`buffers`). Before the message stand two bytes: the number of
//! the span's scope.
#![warn(clippy::indexing_slicing)]

use crate::buffers;
use crate::context::SpanContext;
use crate::encode::proto::{
    Fields, field_bytes, key_value_bytes, put_attribute, put_bytes, put_fixed64, put_key_value,
    put_len, put_varint,
};
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
const FIXED_BYTES: usize = 57;
/// Fields written at the end take no more than this, but for the status message.
const END_BYTES: usize = 64;

/// What a span begins with.
pub(crate) struct Head<'a> {
    pub(crate) scope: u16,
    pub(crate) context: &'a SpanContext,
    pub(crate) parent: Option<&'a SpanContext>,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) start_unix_ns: u64,
}

#[derive(Debug)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    limits: &'static Limits,
    /// Where the name's field begins, and where all that is fixed at the start ends.
    name_at: u32,
    open_at: u32,
    /// One bit a key seen, by a small hash: most keys are new, and need no search for an older one.
    keys: u64,
    attributes: Count,
    events: Count,
    links: Count,
    status: Status,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    kept: u32,
    dropped: u32,
}

impl Record {
    #[inline]
    pub(crate) fn begin(head: &Head<'_>, limits: &'static Limits) -> Record {
        let mut flags = u32::from(head.context.flags().bits()) | HAS_IS_REMOTE;
        let mut parent = [0; 8];
        if let Some(span) = head.parent {
            parent = span.span_id().to_bytes();
            flags |= if span.is_remote() { IS_REMOTE } else { 0 };
        }
        // All that has a fixed length goes in one piece, the parent last so that it can be left out:
        // scope, trace_id (1), span_id (2), kind (6), start (7), flags (16), parent_span_id (4).
        let mut fixed = [0; FIXED_BYTES];
        fixed[0..2].copy_from_slice(&head.scope.to_le_bytes());
        fixed[2..4].copy_from_slice(&[0x0A, 16]);
        fixed[4..20].copy_from_slice(&head.context.trace_id().to_bytes());
        fixed[20..22].copy_from_slice(&[0x12, 8]);
        fixed[22..30].copy_from_slice(&head.context.span_id().to_bytes());
        fixed[30..33].copy_from_slice(&[0x30, head.kind.number(), 0x39]);
        fixed[33..41].copy_from_slice(&head.start_unix_ns.to_le_bytes());
        fixed[41..43].copy_from_slice(&[0x85, 0x01]);
        fixed[43..47].copy_from_slice(&flags.to_le_bytes());
        fixed[47..49].copy_from_slice(&[0x22, 8]);
        fixed[49..57].copy_from_slice(&parent);
        let mut bytes = buffers::take();
        bytes.extend_from_slice(match head.parent {
            Some(_) => &fixed,
            None => &fixed[..FIXED_BYTES - 10],
        });
        let state = head.context.trace_state().header();
        if !state.is_empty() {
            put_bytes(&mut bytes, 0x1A, state.as_bytes());
        }
        let name_at = bytes.len() as u32;
        put_bytes(&mut bytes, 0x2A, head.name.as_bytes());
        Record {
            name_at,
            open_at: bytes.len() as u32,
            bytes,
            limits,
            keys: 0,
            attributes: Count::default(),
            events: Count::default(),
            links: Count::default(),
            status: Status::Unset,
        }
    }

    #[inline]
    pub(crate) fn set_attribute(&mut self, key: &str, value: Value<'_>) {
        let bit = key_bit(key);
        if self.keys & bit != 0 {
            self.remove_attribute(key);
        }
        let len = key_value_bytes(key, value);
        if self.limits.attributes_max <= self.attributes.kept || !self.has_room(len) {
            self.attributes.note(false);
            return;
        }
        self.keys |= bit;
        self.attributes.kept += 1;
        put_key_value(&mut self.bytes, ATTRIBUTE, key, value, len);
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
        let kept = self.limits.events_max > self.events.kept && self.has_room(len + over_len);
        self.events.note(kept);
        if !kept {
            return;
        }
        let mut tail = Vec::new();
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
        self.bytes.extend_from_slice(&tail);
    }

    pub(crate) fn add_link(&mut self, to: &SpanContext, attributes: &[(&str, Value<'_>)]) {
        let (attributes, over) = self.capped(attributes);
        let mut link = Vec::with_capacity(64);
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
        link.extend_from_slice(&flags.to_le_bytes());
        let kept = self.limits.links_max > self.links.kept && self.has_room(link.len());
        self.links.note(kept);
        if kept {
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
        let mut field = Vec::with_capacity(name.len() + 4);
        put_bytes(&mut field, 0x2A, name.as_bytes());
        let (name_at, open_at) = (self.name_at as usize, self.open_at as usize);
        self.open_at = self.name_at + field.len() as u32;
        self.bytes.splice(name_at..open_at, field);
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

    /// The whole message, or nothing if it is larger than a span may be.
    #[inline]
    pub(crate) fn finish(mut self, end_unix_ns: u64) -> Option<Vec<u8>> {
        put_fixed64(&mut self.bytes, 0x41, end_unix_ns);
        if self.attributes.dropped | self.events.dropped | self.links.dropped != 0 {
            for (tag, count) in [
                (0x50, self.attributes),
                (0x60, self.events),
                (0x70, self.links),
            ] {
                self.bytes.push(tag);
                put_varint(&mut self.bytes, u64::from(count.dropped));
            }
        }
        match std::mem::take(&mut self.status) {
            Status::Unset => {}
            Status::Ok => self.bytes.extend_from_slice(&[0x7A, 2, 0x18, 1]),
            Status::Error(message) => {
                let len = field_bytes(message.len()) + 2;
                put_len(&mut self.bytes, 0x7A, len);
                put_bytes(&mut self.bytes, 0x12, message.as_bytes());
                self.bytes.extend_from_slice(&[0x18, 2]);
            }
        }
        let fits = self.bytes.len() <= self.limits.span_bytes_max;
        let bytes = std::mem::take(&mut self.bytes);
        fits.then_some(bytes)
    }

    #[inline]
    fn has_room(&self, len: usize) -> bool {
        let with_it = self
            .bytes
            .len()
            .saturating_add(len)
            .saturating_add(END_BYTES);
        with_it <= self.limits.span_bytes_max
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
                self.bytes.drain(open_at + at..open_at + next);
                self.attributes.kept -= 1;
                return;
            }
            at = next;
        }
    }
}

impl Count {
    #[inline]
    fn note(&mut self, kept: bool) {
        let count = if kept {
            &mut self.kept
        } else {
            &mut self.dropped
        };
        *count = count.saturating_add(1);
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
