//! B3, the headers of Zipkin's world, in one header and in many.
#![warn(clippy::indexing_slicing)]

use crate::carrier::{Extract, Inject, single};
use crate::context::{Context, SpanContext};
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::propagation::tracestate::TraceState;
use crate::propagation::trim_ows;

const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";
/// What is written; debugging is not asked for, and our parent is our own affair.
pub(super) const MULTI: [&str; 3] = [TRACE_ID, SPAN_ID, SAMPLED];

/// `{trace}-{span}[-{decision}[-{parent}]]`, or a decision alone.
pub(super) fn extract_single(carrier: &impl Extract) -> Option<Context> {
    let mut parts = trim_ows(single(carrier, "b3")?).split('-');
    let first = parts.next()?;
    let Some(span_id) = parts.next() else {
        return decision(first).map(|sampled| Context::default().with_decision(sampled));
    };
    let sampled = parts
        .next()
        .map(|part| decision(part).ok_or(()))
        .transpose()
        .ok()?;
    let parent_is_one = parts
        .next()
        .is_none_or(|parent| SpanId::from_hex(&lower(parent)).is_some());
    if !parent_is_one || parts.next().is_some() {
        return None;
    }
    named(first, span_id, sampled)
}

pub(super) fn extract_multi(carrier: &impl Extract) -> Option<Context> {
    let value = |name| single(carrier, name).map(trim_ows);
    let debug = value(FLAGS) == Some("1");
    let sampled = value(SAMPLED)
        .map(|value| decision(value).ok_or(()))
        .transpose()
        .ok()?;
    let sampled = if debug { Some(true) } else { sampled };
    match (value(TRACE_ID), value(SPAN_ID)) {
        (Some(trace_id), Some(span_id)) => named(trace_id, span_id, sampled),
        (None, None) => sampled.map(|sampled| Context::default().with_decision(sampled)),
        _ => None,
    }
}

pub(super) fn inject_single(span: &SpanContext, carrier: &mut impl Inject) {
    let sampled = u8::from(span.is_sampled());
    carrier.set(
        "b3",
        format!("{}-{}-{sampled}", span.trace_id(), span.span_id()),
    );
}

pub(super) fn inject_multi(span: &SpanContext, carrier: &mut impl Inject) {
    carrier.set(TRACE_ID, span.trace_id().to_string());
    carrier.set(SPAN_ID, span.span_id().to_string());
    carrier.set(SAMPLED, u8::from(span.is_sampled()).to_string());
}

/// An absent decision is deferred to us; a caller that sent ids wants its trace, so it is recorded.
fn named(trace_id: &str, span_id: &str, sampled: Option<bool>) -> Option<Context> {
    let mut trace = lower(trace_id);
    if trace.len() == 16 {
        trace.splice(0..0, [b'0'; 16]);
    }
    let trace_id = TraceId::from_hex(&trace)?;
    let span_id = SpanId::from_hex(&lower(span_id))?;
    let flags = TraceFlags::default().with_sampled(sampled.unwrap_or(true));
    Some(Context::of(SpanContext::new(
        trace_id,
        span_id,
        flags,
        true,
        TraceState::default(),
    )))
}

/// `d` asks for debugging, which is sampling and more. Old senders wrote words.
fn decision(text: &str) -> Option<bool> {
    match text {
        "1" | "d" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn lower(hex: &str) -> Vec<u8> {
    hex.to_ascii_lowercase().into_bytes()
}
