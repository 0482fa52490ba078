//! Contexts to headers and back: W3C Trace Context (levels 1 and 2), W3C Baggage, B3.

mod b3;
pub mod baggage;
mod traceparent;
pub mod tracestate;

use crate::carrier::{Extract, Inject};
use crate::context::Context;
use crate::propagation::tracestate::Level;

/// One form that a context takes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `traceparent` and `tracestate`, by level 2 of the specification.
    TraceContext,
    /// The same by level 1, for neighbours who hold to it: no flag but the sampled one, its narrower keys, and
    /// no `tracestate` in which a key stands twice.
    TraceContextLevel1,
    /// `baggage`.
    Baggage,
    /// `b3`, one header.
    B3,
    /// `X-B3-TraceId` and its companions.
    B3Multi,
}

impl Format {
    /// By the name `OTEL_PROPAGATORS` has for it.
    pub(crate) fn named(name: &str) -> Option<Format> {
        match name {
            "tracecontext" => Some(Format::TraceContext),
            "tracecontext1" => Some(Format::TraceContextLevel1),
            "baggage" => Some(Format::Baggage),
            "b3" => Some(Format::B3),
            "b3multi" => Some(Format::B3Multi),
            _ => None,
        }
    }

    fn level(self) -> Level {
        match self {
            Format::TraceContextLevel1 => Level::One,
            _ => Level::Two,
        }
    }
}

/// Writes contexts into carriers and reads them back, in the formats it was given.
///
/// ```
/// use tracewell_sdk::propagation::Format;
/// use tracewell_sdk::{Context, Propagator};
///
/// let arrived = vec![("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
/// let context = Propagator::default().extract(&arrived);
/// assert!(context.span().is_sampled());
///
/// let both = Propagator::new([Format::TraceContext, Format::B3]);
/// let mut headers: Vec<(String, String)> = Vec::new();
/// both.inject(&context, &mut headers);
/// assert_eq!(headers[1].1, "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Propagator {
    formats: Vec<Format>,
}

impl Default for Propagator {
    /// W3C Trace Context and Baggage.
    fn default() -> Self {
        Propagator::new([Format::TraceContext, Format::Baggage])
    }
}

impl Propagator {
    /// In these formats. All are written; the first that names a trace is read.
    pub fn new(formats: impl IntoIterator<Item = Format>) -> Self {
        Propagator {
            formats: formats.into_iter().collect(),
        }
    }

    /// What the carrier says; a context without a valid span where it says nothing, or nothing valid.
    pub fn extract(&self, carrier: &impl Extract) -> Context {
        let mut context = Context::default();
        let mut baggage = None;
        for format in &self.formats {
            match format {
                Format::Baggage => baggage = Some(baggage::extract(carrier)),
                _ if context.span().is_valid() => {}
                Format::TraceContext | Format::TraceContextLevel1 => {
                    let found = traceparent::extract(carrier, format.level());
                    context = found.map_or(context, Context::of);
                }
                Format::B3 => context = b3::extract_single(carrier).unwrap_or(context),
                Format::B3Multi => context = b3::extract_multi(carrier).unwrap_or(context),
            }
        }
        context.with_baggage(baggage.unwrap_or_default())
    }

    /// Writes the context; nothing of a span that is not valid, no baggage that is empty.
    pub fn inject(&self, context: &Context, carrier: &mut impl Inject) {
        let span = context.span();
        for format in &self.formats {
            match format {
                Format::Baggage => baggage::inject(context.baggage(), carrier),
                _ if !span.is_valid() => {}
                Format::TraceContext | Format::TraceContextLevel1 => {
                    traceparent::inject(span, carrier, format.level());
                }
                Format::B3 => b3::inject_single(span, carrier),
                Format::B3Multi => b3::inject_multi(span, carrier),
            }
        }
    }

    /// The names of the headers it writes, for a host that has to allow or copy them.
    pub fn names(&self) -> Vec<&'static str> {
        let of = |format: &Format| match format {
            Format::TraceContext | Format::TraceContextLevel1 => &["traceparent", "tracestate"][..],
            Format::Baggage => &["baggage"],
            Format::B3 => &["b3"],
            Format::B3Multi => &b3::MULTI,
        };
        self.formats.iter().flat_map(of).copied().collect()
    }
}

/// Without the spaces and tabs that HTTP allows around a value.
fn trim_ows(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}
