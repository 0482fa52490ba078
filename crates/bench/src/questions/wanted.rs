//! A search: what one span of a trace must be, as a path to ask and as a look at a span.

use super::LIMIT;
use crate::body::Plan;
use crate::traffic::{Cycle, Span};

/// What one span must be.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) service: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) error: bool,
    pub(super) min_duration_ms: Option<u64>,
    pub(super) tag: Option<(String, Test)>,
    pub(super) slowest: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Equals(String),
    /// Asked as a regular expression.
    EndsWith(String),
}

impl Wanted {
    pub(super) fn path(&self) -> String {
        let mut path = format!("/api/traces?limit={LIMIT}");
        let mut add = |name: &str, value: &str| path += &format!("&{name}={}", escaped(value));
        if let Some(service) = &self.service {
            add("service", service);
        }
        if let Some(operation) = &self.operation {
            add("operation", operation);
        }
        if self.error {
            add("span_error", "true");
        }
        if let Some(ms) = self.min_duration_ms {
            add("min_span_duration_ms", &ms.to_string());
        }
        match &self.tag {
            Some((key, Test::Equals(text))) => add("tag", &format!("{key}={text}")),
            Some((key, Test::EndsWith(text))) => add("tag", &format!("{key}~={text}$")),
            None => {}
        }
        if self.slowest {
            add("order", "slowest");
        }
        path
    }

    pub(super) fn holds(&self, span: &Span, plan: &Plan, cycle: Cycle) -> bool {
        let origin = &plan.landscape.origins[span.origin as usize];
        let tag = |(key, test): &(String, Test)| {
            let mut values = span
                .attributes
                .iter()
                .chain(&origin.attributes)
                .filter(|(name, _)| **name == **key);
            values.next().is_some_and(|(_, value)| match test {
                Test::Equals(text) => cycle.text(value) == *text,
                Test::EndsWith(text) => cycle.text(value).ends_with(text),
            })
        };
        self.service
            .as_deref()
            .is_none_or(|service| service == &*origin.service)
            && self
                .operation
                .as_deref()
                .is_none_or(|operation| operation == &*span.name)
            && (!self.error || span.failure.is_some())
            && self
                .min_duration_ms
                .is_none_or(|ms| span.duration_ns >= ms * 1_000_000)
            && self.tag.as_ref().is_none_or(tag)
    }
}

/// Percent-encoded, for a query string.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
