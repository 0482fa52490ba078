//! Writes answers straight into one text: no tree of values, no allocation per span. `wire::json`
//! says how attributes, events and links look; here is everything around it.

use std::fmt::{Display, Write as _};

use tracewell_model::Attribute;
use tracewell_model::trace::Row;
use tracewell_storage::Searched;
use tracewell_wire::json::{write_attributes, write_double, write_event, write_link, write_text};
use tracewell_wire::rest::{Event, Link, Rest};

/// JSON being written.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: String,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Json {
        Json {
            out: String::with_capacity(bytes),
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.out
    }

    /// A comma, unless this is the first member or follows its key. A text always ends in a quote,
    /// so the last byte tells.
    fn separate(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(',');
        }
    }

    pub(crate) fn key(&mut self, key: &str) -> &mut Json {
        self.separate();
        write_text(key, &mut self.out);
        self.out.push(':');
        self
    }

    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Json)) {
        self.separate();
        self.out.push('{');
        members(self);
        self.out.push('}');
    }

    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Json, T),
    ) {
        self.separate();
        self.out.push('[');
        for item in items {
            write(self, item);
        }
        self.out.push(']');
    }

    /// As `array`, until the text has this many bytes; answers how many items it holds.
    pub(crate) fn array_until<T>(
        &mut self,
        bytes_max: usize,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Json, T),
    ) -> usize {
        let mut written = 0;
        self.array(items, |json, item| {
            if json.out.len() < bytes_max {
                write(json, item);
                written += 1;
            }
        });
        written
    }

    /// Puts members in front of those written so far, and makes one object of all: for answers
    /// whose head depends on how much of the rest there was room for. Nothing is held twice.
    pub(crate) fn headed(mut self, head: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        head(&mut json);
        json.out.insert(0, '{');
        json.out.push(',');
        self.out.insert_str(0, &json.out);
        self.out.push('}');
        self.out
    }

    pub(crate) fn texts<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) {
        self.array(texts, |json, text| json.text(text.as_ref()));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        write_text(text, &mut self.out);
    }

    /// Integers and truth values.
    pub(crate) fn plain(&mut self, value: impl Display) {
        self.separate();
        // Writing into a String cannot fail.
        let _infallible = write!(self.out, "{value}");
    }

    pub(crate) fn double(&mut self, number: f64) {
        self.separate();
        write_double(number, &mut self.out);
    }

    pub(crate) fn null(&mut self) {
        self.plain("null");
    }

    /// Text that needs no escapes.
    pub(crate) fn quoted(&mut self, value: impl Display) {
        self.plain(format_args!("\"{value}\""));
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Json, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// Nanoseconds as milliseconds, exact to the last digit.
    pub(crate) fn milliseconds(&mut self, ns: u64) {
        let (whole, fraction) = (ns / 1_000_000, ns % 1_000_000);
        if fraction == 0 {
            return self.plain(whole);
        }
        let digits = format!("{fraction:06}");
        self.plain(format_args!("{whole}.{}", digits.trim_end_matches('0')));
    }

    /// Attributes as an object; of a repeated key the first. True when there was one.
    pub(crate) fn attributes<'a>(
        &mut self,
        attributes: impl Iterator<Item = Attribute<'a>> + Clone,
    ) -> bool {
        self.separate();
        write_attributes(attributes, &mut self.out)
    }

    /// What every query answer says about itself.
    pub(crate) fn outcome(&mut self, searched: &Searched, incomplete: &[String]) {
        self.key("searched").object(|json| {
            json.key("backend").text(searched.backend);
            json.key("segments").plain(searched.segments);
            json.key("segments_skipped")
                .plain(searched.segments_skipped);
            json.key("head_spans").plain(searched.head_spans);
            json.key("bytes_read").plain(searched.bytes_read);
            json.key("blocks_read").plain(searched.blocks_read);
            json.key("from_unix_ns")
                .optional(searched.from_unix_ns, Json::plain);
            json.key("to_unix_ns")
                .optional(searched.to_unix_ns, Json::plain);
        });
        self.key("complete").plain(incomplete.is_empty());
        if !incomplete.is_empty() {
            self.key("incomplete_reasons").texts(incomplete);
        }
    }

    /// A span with everything it has.
    pub(crate) fn span(&mut self, row: &Row<'_>) {
        let span = row.span;
        let rest = Rest::parse(span.rest());
        self.object(|json| {
            json.key("trace_id").quoted(span.trace_id());
            json.key("span_id").quoted(span.span_id());
            json.key("parent_span_id")
                .optional(span.parent(), Json::quoted);
            json.key("service_name").text(span.service());
            json.key("operation_name").text(span.operation());
            json.key("start_time_unix_ns").plain(span.start_unix_ns());
            json.key("duration_ms").milliseconds(span.duration_ns());
            json.key("duration_ns").plain(span.duration_ns());
            json.key("status")
                .text(if span.is_error() { "error" } else { "ok" });
            json.key("status_message").text(span.status_message());
            json.key("kind").text(span.kind().name());
            json.key("depth").plain(row.depth);
            json.key("orphan").plain(row.orphan);
            let repeated_key = json.key("tags").attributes(span.attributes());
            json.key("resource")
                .attributes(span.resource().attributes());
            json.key("scope").object(|json| {
                json.key("name").text(span.scope().name());
                json.key("version").text(span.scope().version());
                json.key("attributes").attributes(span.scope().attributes());
            });
            json.key("trace_state").text(rest.trace_state);
            json.key("flags").plain(span.flags());
            json.key("events").array(&rest.events, Json::event);
            json.key("links").array(&rest.links, Json::link);
            json.key("dropped_attributes_count")
                .plain(rest.dropped_attributes_count);
            json.key("dropped_events_count")
                .plain(rest.dropped_events_count);
            json.key("dropped_links_count")
                .plain(rest.dropped_links_count);
            json.key("marks")
                .array(marks(row, repeated_key), Json::text);
        });
    }

    fn event(&mut self, event: &Event<'_>) {
        self.separate();
        write_event(event, &mut self.out);
    }

    fn link(&mut self, link: &Link<'_>) {
        self.separate();
        write_link(link, &mut self.out);
    }
}

/// The marks of a span: those it came with, and those that only its trace shows.
pub(crate) fn marks(row: &Row<'_>, repeated_key: bool) -> impl Iterator<Item = &'static str> {
    let own = row.span.marks();
    let repeated_key = repeated_key && !own.has(tracewell_model::Marks::DUPLICATE_KEYS);
    let more = [
        (repeated_key, "duplicate_keys"),
        (row.repeated_id, "duplicate_span_id"),
        (row.cycle_cut, "cycle_cut"),
    ];
    let more = more
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| name);
    own.names().chain(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_exact() {
        for (ns, expected) in [
            (0, "0"),
            (1, "0.000001"),
            (1_500_000, "1.5"),
            (2_100_250_000, "2100.25"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            let mut json = Json::default();
            json.milliseconds(ns);
            assert_eq!(json.into_text(), expected);
        }
    }

    #[test]
    fn an_array_ends_where_its_room_does_and_the_head_can_say_so() {
        for (bytes_max, written, expected) in [
            (5, 0, r#"{"n":0,"a":[]}"#),
            (6, 1, r#"{"n":1,"a":["x"]}"#),
            (99, 3, r#"{"n":3,"a":["x","{","["]}"#),
        ] {
            let mut json = Json::default();
            let count = json
                .key("a")
                .array_until(bytes_max, ["x", "{", "["], Json::text);
            assert_eq!(count, written);
            assert_eq!(json.headed(|json| json.key("n").plain(count)), expected);
        }
    }
}
