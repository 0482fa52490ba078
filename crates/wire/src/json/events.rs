//! Attributes, events and links as JSON objects: what docs/api.md shows, and exports keep.

use std::collections::HashSet;

use tracewell_model::{Attribute, SpanId, TraceId};

use super::{write_display, write_text, write_value};
use crate::rest::{Event, Link};

/// Up to so many attributes, looking back is cheaper than a set of keys.
const LOOK_BACK_MAX: usize = 24;

/// Appends attributes as an object; of a repeated key the first. True when there was one.
pub fn write_attributes<'a>(
    attributes: impl Iterator<Item = Attribute<'a>> + Clone,
    out: &mut String,
) -> bool {
    let mut repeated = false;
    let mut seen: HashSet<&str> = HashSet::new();
    out.push('{');
    let mut separator = "";
    for (at, attribute) in attributes.clone().enumerate() {
        let mut before = attributes.clone().take(at);
        let known = if at < LOOK_BACK_MAX {
            before.any(|before| before.key == attribute.key)
        } else {
            if seen.is_empty() {
                seen.extend(before.map(|before| before.key));
            }
            !seen.insert(attribute.key)
        };
        repeated |= known;
        if !known {
            out.push_str(separator);
            separator = ",";
            write_text(attribute.key, out);
            out.push(':');
            write_value(attribute.value, out);
        }
    }
    out.push('}');
    repeated
}

/// Appends an event.
pub fn write_event(event: &Event<'_>, out: &mut String) {
    out.push_str("{\"time_unix_ns\":");
    write_display(event.time_unix_ns, out);
    out.push_str(",\"name\":");
    write_text(event.name, out);
    out.push_str(",\"attributes\":");
    write_attributes(event.attributes.iter().copied(), out);
    out.push_str(",\"dropped_attributes_count\":");
    write_display(event.dropped_attributes_count, out);
    out.push('}');
}

/// Appends a link. Ids are bytes as they came; those of the right length look like all others.
pub fn write_link(link: &Link<'_>, out: &mut String) {
    out.push_str("{\"trace_id\":");
    write_id(link.trace_id, out);
    out.push_str(",\"span_id\":");
    write_id(link.span_id, out);
    out.push_str(",\"trace_state\":");
    write_text(link.trace_state, out);
    out.push_str(",\"flags\":");
    write_display(link.flags, out);
    out.push_str(",\"attributes\":");
    write_attributes(link.attributes.iter().copied(), out);
    out.push('}');
}

fn write_id(id: &[u8], out: &mut String) {
    out.push('"');
    match (TraceId::from_slice(id), SpanId::from_slice(id)) {
        (Some(id), _) => write_display(id, out),
        (_, Some(id)) => write_display(id, out),
        _ => id
            .iter()
            .for_each(|byte| write_display(format_args!("{byte:02x}"), out)),
    }
    out.push('"');
}
