//! `traceparent`, version 00 as level 1 and 2 of the specification have it, and what they say of
//! versions to come. Anything else restarts the trace.
#![warn(clippy::indexing_slicing)]

use crate::carrier::{Extract, Inject, single};
use crate::context::SpanContext;
use crate::id::{SpanId, TraceFlags, TraceId, decode_hex};
use crate::propagation::tracestate::{Level, TraceState};
use crate::propagation::trim_ows;

/// `00-{32}-{16}-{2}`
const BYTES: usize = 55;

/// The caller's span, if the carrier has exactly one valid `traceparent`. A `tracestate` that is not
/// valid is left out, and takes nothing else with it.
pub(super) fn extract(carrier: &impl Extract, level: Level) -> Option<SpanContext> {
    let (trace_id, span_id, flags) = parse(trim_ows(single(carrier, "traceparent")?))?;
    let flags = known(flags, level);
    let state = TraceState::extract(carrier, level);
    Some(SpanContext::new(trace_id, span_id, flags, true, state))
}

pub(super) fn inject(span: &SpanContext, carrier: &mut impl Inject, level: Level) {
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    let flags = known(span.flags(), level).bits();
    carrier.set(
        "traceparent",
        format!("00-{trace_id}-{span_id}-{flags:02x}"),
    );
    let state = span.trace_state().header();
    if !state.is_empty() {
        carrier.set("tracestate", state.to_owned());
    }
}

/// Level 1 knows the sampled flag only; unknown ones are sent as zero.
fn known(flags: TraceFlags, level: Level) -> TraceFlags {
    match level {
        Level::One => TraceFlags::default().with_sampled(flags.is_sampled()),
        Level::Two => flags,
    }
}

fn parse(value: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let (fixed, more) = value.as_bytes().split_at_checked(BYTES)?;
    let mut parts = fixed.split(|byte| *byte == b'-');
    let [version] = decode_hex(parts.next()?)?;
    let trace_id = TraceId::from_hex(parts.next()?)?;
    let span_id = SpanId::from_hex(parts.next()?)?;
    let [flags] = decode_hex(parts.next()?)?;
    match (version, more) {
        (0, []) => Some((trace_id, span_id, TraceFlags::from_bits(flags))),
        (0 | 0xff, _) => None,
        // A later version may add fields, and of its flags only the sampled one is known.
        (_, [] | [b'-', ..]) => {
            let sampled = TraceFlags::from_bits(flags).is_sampled();
            Some((
                trace_id,
                span_id,
                TraceFlags::default().with_sampled(sampled),
            ))
        }
        _ => None,
    }
}
