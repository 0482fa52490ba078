//! Batches to OTLP/JSON, grouped by resource and scope: what `?format=otlp` answers and `load` reads.
//!
//! Nothing is lost: what JSON does not give back to the last bit (unknown fields, values with a
//! second field, the payload of a NaN) goes along as protobuf, in a member of our own that other
//! readers skip. Ids are hex, 64-bit integers strings, enumerations numbers.
#![warn(clippy::indexing_slicing)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tracewell_model::any::{self, Any};
use tracewell_model::limits::ANY_DEPTH_MAX;
use tracewell_model::span::{ResourceRef, ScopeRef};
use tracewell_model::{Attribute, SpanRef, Value};

use super::encode::{Groups, marks_to_carry, put_span};
use super::schema::{self, MARKS, Schema, WHOLE};
use super::span as protobuf;
use super::transcode::transcode;
use crate::json::{write_double, write_text};
use crate::proto::{Field, Fields};
use crate::rest::{Event, Link, Rest};

/// Encodes spans, of one batch or of many, as one document.
pub fn encode<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>) -> String {
    let mut groups = Groups::<Vec<SpanRef<'a>>>::default();
    for span in spans {
        groups.of(span).push(span);
    }
    let mut json = Json::default();
    json.open('{');
    json.array("resourceSpans", groups.resources, |json, group| {
        json.object("resource", |json| {
            let start = json.start();
            resource(json, group.first);
            json.whole_unless_kept(start, schema::RESOURCE, &group.message);
        });
        json.array("scopeSpans", group.scopes, |json, group| {
            json.object("scope", |json| {
                let start = json.start();
                scope(json, group.first);
                json.whole_unless_kept(start, schema::SCOPE, &group.message);
            });
            json.array("spans", group.spans, span);
            json.text("schemaUrl", group.first.schema_url());
        });
        json.text("schemaUrl", group.first.schema_url());
    });
    json.close('}');
    json.out
}

fn resource(json: &mut Json, resource: ResourceRef<'_>) {
    json.attributes(resource.attributes());
    let mut entities = Vec::new();
    let mut fields = Fields::of(resource.rest());
    while let Ok(Some((number, field, _))) = fields.next_field() {
        match (number, field) {
            (2, Field::Varint(count)) => json.count("droppedAttributesCount", count as u32),
            (3, Field::Bytes(entity)) => entities.push(entity),
            _ => {}
        }
    }
    json.array("entityRefs", entities, entity);
}

fn entity(json: &mut Json, entity: &[u8]) {
    let mut lists = [Vec::new(), Vec::new()];
    let [keys, descriptions] = &mut lists;
    let mut fields = Fields::of(entity);
    while let Ok(Some((number, field, _))) = fields.next_field() {
        let Field::Bytes(bytes) = field else { continue };
        let text = std::str::from_utf8(bytes).unwrap_or("");
        match number {
            1 => json.text("schemaUrl", text),
            2 => json.text("type", text),
            3 => keys.push(text),
            4 => descriptions.push(text),
            _ => {}
        }
    }
    for (name, texts) in ["idKeys", "descriptionKeys"].into_iter().zip(lists) {
        if !texts.is_empty() {
            json.name(name);
            json.open('[');
            for text in texts {
                json.separate();
                write_text(text, &mut json.out);
            }
            json.close(']');
        }
    }
}

fn scope(json: &mut Json, scope: ScopeRef<'_>) {
    json.text("name", scope.name());
    json.text("version", scope.version());
    json.attributes(scope.attributes());
    let mut fields = Fields::of(scope.rest());
    while let Ok(Some((number, field, _))) = fields.next_field() {
        if let (4, Field::Varint(count)) = (number, field) {
            json.count("droppedAttributesCount", count as u32);
        }
    }
}

fn span(json: &mut Json, span: SpanRef<'_>) {
    let start = json.start();
    let rest = Rest::parse(span.rest());
    json.hex("traceId", &span.trace_id().0);
    json.hex("spanId", &span.span_id().0);
    json.text("traceState", rest.trace_state);
    if let Some(parent) = span.parent() {
        json.hex("parentSpanId", &parent.0);
    }
    json.text("name", span.operation());
    json.number("kind", rest.kind.unwrap_or_else(|| span.kind() as i32));
    json.nanos("startTimeUnixNano", span.start_unix_ns());
    json.nanos(
        "endTimeUnixNano",
        rest.end_unix_ns.unwrap_or_else(|| span.end_unix_ns()),
    );
    json.attributes(span.attributes());
    json.count("droppedAttributesCount", rest.dropped_attributes_count);
    json.array("events", rest.events, event);
    json.count("droppedEventsCount", rest.dropped_events_count);
    json.array("links", rest.links, link);
    json.count("droppedLinksCount", rest.dropped_links_count);
    json.object("status", |json| {
        json.text("message", span.status_message());
        json.number(
            "code",
            rest.status_code.unwrap_or_else(|| span.status() as i32),
        );
    });
    json.count("flags", span.flags());
    if let Some(marks) = marks_to_carry(span) {
        json.number(MARKS, i32::from(marks));
    }
    if may_differ(span) && !json.keeps(start, span) {
        let mut message = Vec::new();
        put_span(&mut message, span);
        json.base64(WHOLE, &message);
    }
}

/// True when JSON might not give the span back to the last bit: a look is then worth its cost.
fn may_differ(span: SpanRef<'_>) -> bool {
    let odd = |value: Value<'_>| match value {
        Value::Any(encoded) => !encoded.is_empty(),
        Value::Double(number) => number.is_nan(),
        Value::Str(_) | Value::Int(_) | Value::Bool(_) | Value::Bytes(_) => false,
    };
    !span.rest().is_empty() || span.attributes().any(|attribute| odd(attribute.value))
}

fn event(json: &mut Json, event: Event<'_>) {
    json.nanos("timeUnixNano", event.time_unix_ns);
    json.text("name", event.name);
    json.attributes(event.attributes.into_iter());
    json.count("droppedAttributesCount", event.dropped_attributes_count);
}

fn link(json: &mut Json, link: Link<'_>) {
    json.hex("traceId", link.trace_id);
    json.hex("spanId", link.span_id);
    json.text("traceState", link.trace_state);
    json.attributes(link.attributes.into_iter());
    json.count("droppedAttributesCount", link.dropped_attributes_count);
    json.count("flags", link.flags);
}

fn value(json: &mut Json, value: Value<'_>, depth: usize) {
    match value {
        Value::Str(text) => {
            json.name("stringValue");
            write_text(text, &mut json.out);
        }
        Value::Int(number) => {
            json.name("intValue");
            json.out.push_str(&format!("\"{number}\""));
        }
        Value::Double(number) => {
            json.name("doubleValue");
            write_double(number, &mut json.out);
        }
        Value::Bool(bit) => {
            json.name("boolValue");
            json.out.push_str(if bit { "true" } else { "false" });
        }
        Value::Bytes(bytes) => {
            json.base64("bytesValue", bytes);
        }
        Value::Any(encoded) => any_value(json, encoded, depth),
    }
}

fn any_value(json: &mut Json, encoded: &[u8], depth: usize) {
    // Decoders refuse deeper values; this guards the stack against damaged files.
    if depth > ANY_DEPTH_MAX {
        return;
    }
    match any::open(encoded) {
        Any::Empty => {}
        Any::Str(text) => value(json, Value::Str(text), depth),
        Any::Bool(bit) => value(json, Value::Bool(bit), depth),
        Any::Int(number) => value(json, Value::Int(number), depth),
        Any::Double(number) => value(json, Value::Double(number), depth),
        Any::Bytes(bytes) => value(json, Value::Bytes(bytes), depth),
        Any::Array(array) => json.object("arrayValue", |json| {
            json.list("values", any::items(array), |json, item| {
                any_value(json, item, depth + 1);
            });
        }),
        Any::Map(map) => json.object("kvlistValue", |json| {
            json.list("values", any::entries(map), |json, (key, item)| {
                json.text("key", key);
                json.object("value", |json| any_value(json, item, depth + 1));
            });
        }),
    }
}

/// Writes JSON left to right; defaults are left out where the method says so.
#[derive(Default)]
struct Json {
    out: String,
    /// True when the next member is the first of its object or array.
    first: bool,
}

impl Json {
    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.first = true;
    }

    fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.first = false;
    }

    /// Where the object that was just opened begins.
    fn start(&self) -> usize {
        self.out.len().saturating_sub(1)
    }

    /// What a reader makes of the object that begins here, as if it ended now.
    fn read_back(&mut self, start: usize, schema: Schema) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        self.out.push('}');
        let object = self.out.get(start..).unwrap_or_default();
        let read = transcode(object, schema, &mut message);
        self.out.pop();
        read.ok().map(|()| message)
    }

    /// True when a reader gets this span back from the object that begins here.
    fn keeps(&mut self, start: usize, span: SpanRef<'_>) -> bool {
        let message = self.read_back(start, schema::SPAN);
        message.is_some_and(|message| protobuf::equals(&message, span))
    }

    /// Adds a message as it is, unless the object that begins here already says the same.
    fn whole_unless_kept(&mut self, start: usize, schema: Schema, message: &[u8]) {
        if self.read_back(start, schema).as_deref() != Some(message) {
            self.base64(WHOLE, message);
        }
    }

    fn base64(&mut self, name: &'static str, bytes: &[u8]) {
        self.name(name);
        self.out.push('"');
        BASE64.encode_string(bytes, &mut self.out);
        self.out.push('"');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
    }

    fn name(&mut self, name: &'static str) {
        self.separate();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn object(&mut self, name: &'static str, members: impl FnOnce(&mut Json)) {
        self.name(name);
        self.open('{');
        members(self);
        self.close('}');
    }

    /// An array of objects, left out when it is empty.
    fn array<T>(&mut self, name: &'static str, items: Vec<T>, members: impl FnMut(&mut Json, T)) {
        if !items.is_empty() {
            self.list(name, items.into_iter(), members);
        }
    }

    /// An array of objects.
    fn list<T>(
        &mut self,
        name: &'static str,
        items: impl Iterator<Item = T>,
        mut members: impl FnMut(&mut Json, T),
    ) {
        self.name(name);
        self.open('[');
        for item in items {
            self.separate();
            self.open('{');
            members(self, item);
            self.close('}');
        }
        self.close(']');
    }

    fn attributes<'a>(&mut self, attributes: impl Iterator<Item = Attribute<'a>>) {
        let mut attributes = attributes.peekable();
        if attributes.peek().is_none() {
            return;
        }
        self.list("attributes", attributes, |json, attribute| {
            json.text("key", attribute.key);
            json.object("value", |json| value(json, attribute.value, 0));
        });
    }

    /// A string, left out when it is empty.
    fn text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            self.name(name);
            write_text(text, &mut self.out);
        }
    }

    /// A count, left out when it is zero.
    fn count(&mut self, name: &'static str, count: u32) {
        if count != 0 {
            self.name(name);
            self.out.push_str(&count.to_string());
        }
    }

    /// An enumeration, left out when it is zero.
    fn number(&mut self, name: &'static str, number: i32) {
        if number != 0 {
            self.name(name);
            self.out.push_str(&number.to_string());
        }
    }

    fn nanos(&mut self, name: &'static str, nanos: u64) {
        self.name(name);
        self.out.push_str(&format!("\"{nanos}\""));
    }

    fn hex(&mut self, name: &'static str, bytes: &[u8]) {
        self.name(name);
        self.out.push('"');
        for byte in bytes {
            self.out.push_str(&format!("{byte:02x}"));
        }
        self.out.push('"');
    }
}
