//! A batch of ended spans as an OTLP `ExportTraceServiceRequest`: their bytes, joined, under the
//! resource and their scopes.
//!
//! What this process has dropped stands in attributes of the scope, from the first loss on: one counter
//! a reason (`tracewell.sdk.dropped.ring_full`, since the process began, so that a batch sent twice
//! says the same twice) and, while there are losses no batch has told yet, the start times they lie
//! between (`tracewell.sdk.dropped.from_unix_ns`, `.to_unix_ns`). A scope's attributes are plain OTLP,
//! so they pass through any collector on the way; a process that drops nothing sends nothing more.
#![warn(clippy::indexing_slicing)]

use std::sync::OnceLock;

use crate::bytes::Bytes;
use crate::drops::{DropReason, Drops, Window};
use crate::encode::proto::{field_bytes, put_attribute, put_bytes, put_len};
use crate::encode::record::SCOPE_BYTES;
use crate::value::Value;

/// Spans of one scope come from one library or bridge.
pub(crate) const SCOPES_MAX: usize = 32;

/// The instrumentation scopes that were registered; number 0 is the SDK's own.
#[derive(Debug)]
pub(crate) struct Scopes([OnceLock<Scope>; SCOPES_MAX]);

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Scopes {
    pub(crate) fn new() -> Self {
        let scopes = Scopes([const { OnceLock::new() }; SCOPES_MAX]);
        scopes.number(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        scopes
    }

    /// The number of a scope, registered now if it was not; 0 when there are too many.
    pub(crate) fn number(&self, name: &str, version: &str) -> u16 {
        let wanted = || Scope {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        let found = self.0.iter().position(|slot| {
            let scope = slot.get_or_init(wanted);
            scope.name == name && scope.version == version
        });
        found.and_then(|at| u16::try_from(at).ok()).unwrap_or(0)
    }

    pub(crate) fn get(&self, number: u16) -> Option<&Scope> {
        self.0.get(usize::from(number)).and_then(OnceLock::get)
    }
}

/// What the batch says of losses: a snapshot, so that all of its scopes say the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses {
    counts: Vec<(DropReason, u64)>,
    pub(crate) window: Option<Window>,
}

impl Losses {
    /// Takes the window: see [`Drops::take_window`].
    pub(crate) fn take(drops: &Drops) -> Losses {
        let counts = DropReason::ALL.map(|reason| (reason, drops.dropped(reason)));
        Losses {
            counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            window: drops.take_window(),
        }
    }

    /// The attributes that say it.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, Value<'static>)> {
        let counts = self
            .counts
            .iter()
            .map(|(reason, count)| (reason.attribute(), *count));
        let window = self.window.map(|window| {
            [
                ("tracewell.sdk.dropped.from_unix_ns", window.from),
                ("tracewell.sdk.dropped.to_unix_ns", window.to),
            ]
        });
        let all = counts.chain(window.into_iter().flatten());
        all.map(|(key, number)| (key, Value::from(number)))
    }
}

/// The scope's number and the message of a span as the ring carried it.
pub(crate) fn split(span: &[u8]) -> (u16, &[u8]) {
    match span.split_first_chunk::<SCOPE_BYTES>() {
        Some((scope, message)) => (u16::from_le_bytes(*scope), message),
        None => (0, &[]),
    }
}

/// The numbers of the scopes that occur.
pub(crate) fn scopes_of(spans: &[Bytes]) -> Vec<u16> {
    let mut numbers: Vec<u16> = spans.iter().map(|span| split(span).0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// A `Resource` message.
pub(crate) fn resource(attributes: &[(String, String)]) -> Bytes {
    let mut out = Bytes::default();
    for (key, value) in attributes {
        put_attribute(&mut out, 0x0A, key, Value::Str(value));
    }
    out
}

/// Writes the request into `out`.
pub(crate) fn request(
    out: &mut Bytes,
    resource: &[u8],
    scopes: &Scopes,
    spans: &[Bytes],
    losses: &Losses,
) {
    out.clear();
    let parts: Vec<(u16, Bytes, usize)> = scopes_of(spans)
        .into_iter()
        .map(|number| {
            let scope = scope(scopes.get(number), losses);
            let own = spans
                .iter()
                .map(|span| split(span))
                .filter(|(of, _)| *of == number);
            let len = field_bytes(scope.len())
                + own.map(|(_, span)| field_bytes(span.len())).sum::<usize>();
            (number, scope, len)
        })
        .collect();
    let inside: usize = parts.iter().map(|(_, _, len)| field_bytes(*len)).sum();
    let len = field_bytes(resource.len()) + inside;
    put_len(out, 0x0A, len);
    put_bytes(out, 0x0A, resource);
    for (number, scope, len) in parts {
        put_len(out, 0x12, len);
        put_bytes(out, 0x0A, &scope);
        for (_, span) in spans
            .iter()
            .map(|span| split(span))
            .filter(|(of, _)| *of == number)
        {
            put_bytes(out, 0x12, span);
        }
    }
}

fn scope(scope: Option<&Scope>, losses: &Losses) -> Bytes {
    let mut out = Bytes::default();
    if let Some(scope) = scope {
        put_bytes(&mut out, 0x0A, scope.name.as_bytes());
        if !scope.version.is_empty() {
            put_bytes(&mut out, 0x12, scope.version.as_bytes());
        }
    }
    for (key, value) in losses.attributes() {
        put_attribute(&mut out, 0x1A, key, value);
    }
    out
}
