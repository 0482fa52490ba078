//! Zipkin v2 spans, JSON and protobuf, as `POST /api/v2/spans` receives them (D5's Zipkin row).
//!
//! | Zipkin | becomes |
//! |---|---|
//! | tag `error`, whatever its text | status error with that text as message; the tag stays |
//! | `localEndpoint` | service (else `unknown_service`); resource attributes `service.name`, `network.local.address`, `network.local.port` |
//! | `remoteEndpoint` | attributes `peer.service`, `network.peer.address`, `network.peer.port` (as OpenTelemetry maps them), unless a tag says the same |
//! | both IP versions | IPv4 as above, IPv6 as `zipkin.local.ipv6` / `zipkin.remote.ipv6` |
//! | `annotations` | events without attributes |
//! | `debug` true | attribute `zipkin.debug` |
//! | `shared` true | mark `shared_id`; the id stays the client's |
//! | no (or zero) timestamp | start 0, mark `no_start_time` |
//!
//! Ids are hex, shorter ones padded on the left; a zero parent is none. Zipkin v1 is refused.

mod json;
mod protobuf;

use std::borrow::Cow;

use tracewell_model::{Marks, SpanKind, StatusCode};

pub use json::decode_json;
pub use protobuf::decode_protobuf;

pub(crate) use json::span as json_span;

use crate::import::draft::{Draft, Parsed, Source};
use crate::json::Held;
use crate::report::{Reason, Refused};

/// One side of a call.
#[derive(Debug, Default)]
struct Endpoint<'a> {
    service: Option<Cow<'a, str>>,
    ipv4: Option<Cow<'a, str>>,
    ipv6: Option<Cow<'a, str>>,
    port: Option<i64>,
}

impl<'a> Endpoint<'a> {
    /// The endpoint as the place a span came from.
    fn into_source(self, key: Cow<'a, str>) -> Source<'a> {
        let mut source = Source {
            key,
            service: self.service.clone(),
            ..Source::default()
        };
        let names = [
            "service.name",
            "network.local.address",
            "zipkin.local.ipv6",
            "network.local.port",
        ];
        for (name, value) in self.named(names) {
            source.attributes.push(name, value);
        }
        source
    }

    /// The endpoint as attributes of a span, which its tags may have said already.
    fn describe_peer(self, draft: &mut Draft<'a>) {
        let names = [
            "peer.service",
            "network.peer.address",
            "zipkin.remote.ipv6",
            "network.peer.port",
        ];
        for (name, value) in self.named(names) {
            let text = value.as_value().text();
            let said = draft.attributes.get(name).map(|tag| tag.as_value().text());
            if said.as_deref() != Some(&text) {
                draft.attributes.push(name, value);
            }
        }
    }

    /// The parts that are set, under these names: service, address, second address, port.
    fn named(self, names: [&'static str; 4]) -> impl Iterator<Item = (&'static str, Held<'a>)> {
        let (address, second) = match (self.ipv4, self.ipv6) {
            (Some(ipv4), ipv6) => (Some(ipv4), ipv6),
            (None, ipv6) => (ipv6, None),
        };
        let text = |text: Option<Cow<'a, str>>| text.filter(|t| !t.is_empty()).map(Held::Str);
        let port = self.port.filter(|port| *port != 0).map(Held::Int);
        let values = [text(self.service), text(address), text(second), port];
        let named = names.into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name, value?)))
    }
}

/// What both encodings have in common, once all members are read.
fn finish(draft: &mut Draft<'_>, debug: bool, shared: bool) -> Parsed<()> {
    if draft.trace_id.0 == [0; 16] {
        return Err(absent(Reason::TraceId, "the trace id"));
    }
    if draft.span_id.is_zero() {
        return Err(absent(Reason::SpanId, "the span id"));
    }
    if draft.start_unix_ns == 0 {
        draft.marks.set(Marks::NO_START_TIME);
    }
    draft.check_end()?;
    if let Some(error) = draft.attributes.get("error") {
        draft.status = StatusCode::Error;
        draft.status_message = Cow::Owned(error.as_value().text().into_owned());
    }
    if debug {
        draft.attributes.push("zipkin.debug", Held::Bool(true));
    }
    if shared {
        draft.marks.set(Marks::SHARED_ID);
    }
    Ok(())
}

fn absent(reason: Reason, what: &str) -> Refused {
    Refused::new(reason, format!("{what} is absent"))
}

/// A kind by its Zipkin name; an unknown one is kept as the attribute that OpenTelemetry uses.
fn set_kind<'a>(draft: &mut Draft<'a>, name: Cow<'a, str>) {
    match SpanKind::from_name(&name) {
        Some(kind) => draft.kind = kind,
        None => draft.attributes.text("span.kind", name),
    }
}
