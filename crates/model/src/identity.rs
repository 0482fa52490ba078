//! Which spans are one span (D2): those equal in every field. Equality is tested only where
//! (trace id, span id) repeats; there a content hash keeps the work linear, whatever was sent.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::HashMap;

use crate::attribute::{Attribute, Value};
use crate::span::SpanRef;

/// Leaves out the spans that are equal to an earlier one; answers how many those were.
pub fn distinct<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>) -> (Vec<SpanRef<'a>>, usize) {
    let spans: Vec<_> = spans.into_iter().collect();
    if !has_namesakes(&spans) {
        return (spans, 0);
    }
    let mut kept: Vec<SpanRef<'a>> = Vec::new();
    // (trace, span) -> the first row kept; its later, different namesakes by content hash.
    let mut first = HashMap::new();
    let mut namesakes: HashMap<_, HashMap<u64, Vec<u32>>> = HashMap::new();
    let mut duplicates = 0;
    for span in spans {
        let id = (span.trace_id(), span.span_id());
        let Some(&before) = first.get(&id) else {
            first.insert(id, kept.len() as u32);
            kept.push(span);
            continue;
        };
        let seen = namesakes.entry(id).or_insert_with(|| {
            HashMap::from([(content_hash(kept[before as usize]), vec![before])])
        });
        let rows = seen.entry(content_hash(span)).or_default();
        if rows
            .iter()
            .any(|&row| same_content(kept[row as usize], span))
        {
            duplicates += 1;
        } else {
            rows.push(kept.len() as u32);
            kept.push(span);
        }
    }
    (kept, duplicates)
}

/// True when some id stands twice. It hardly ever does, and sorting a trace's ids costs a tenth of
/// the tables that tell namesakes apart.
fn has_namesakes(spans: &[SpanRef<'_>]) -> bool {
    let number = |span: &SpanRef<'_>| u64::from_ne_bytes(span.span_id().0);
    let is_one_trace = spans
        .windows(2)
        .all(|pair| pair[0].trace_id() == pair[1].trace_id());
    match is_one_trace {
        true => repeats(spans.iter().map(number).collect()),
        false => repeats(spans.iter().map(|s| (number(s), s.trace_id())).collect()),
    }
}

fn repeats<T: Ord>(mut ids: Vec<T>) -> bool {
    ids.sort_unstable();
    ids.windows(2).any(|pair| pair[0] == pair[1])
}

/// True when the two spans are equal in every field.
pub fn same_content(a: SpanRef<'_>, b: SpanRef<'_>) -> bool {
    a.span_id() == b.span_id()
        && a.trace_id() == b.trace_id()
        && a.parent() == b.parent()
        && a.start_unix_ns() == b.start_unix_ns()
        && a.duration_ns() == b.duration_ns()
        && a.kind() == b.kind()
        && a.status() == b.status()
        && a.flags() == b.flags()
        && a.marks() == b.marks()
        && a.operation() == b.operation()
        && a.status_message() == b.status_message()
        && a.rest() == b.rest()
        && a.attributes().eq(b.attributes())
        && same_resource(a, b)
        && same_scope(a, b)
}

fn same_resource(a: SpanRef<'_>, b: SpanRef<'_>) -> bool {
    let (a, b) = (a.resource(), b.resource());
    a.service() == b.service()
        && a.schema_url() == b.schema_url()
        && a.rest() == b.rest()
        && a.attributes().eq(b.attributes())
}

fn same_scope(a: SpanRef<'_>, b: SpanRef<'_>) -> bool {
    let (a, b) = (a.scope(), b.scope());
    a.name() == b.name()
        && a.version() == b.version()
        && a.schema_url() == b.schema_url()
        && a.rest() == b.rest()
        && a.attributes().eq(b.attributes())
}

/// A hash of every field: one left out would let a sender make namesakes that only differ there, and
/// each would be compared with all. `same_content` has the last word.
fn content_hash(span: SpanRef<'_>) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    span.parent().hash(&mut hasher);
    (
        span.start_unix_ns(),
        span.duration_ns(),
        span.kind(),
        span.status(),
    )
        .hash(&mut hasher);
    (span.flags(), span.marks(), span.status_message()).hash(&mut hasher);
    (span.operation(), span.service(), span.rest()).hash(&mut hasher);
    let (resource, scope) = (span.resource(), span.scope());
    (resource.schema_url(), resource.rest()).hash(&mut hasher);
    (
        scope.name(),
        scope.version(),
        scope.schema_url(),
        scope.rest(),
    )
        .hash(&mut hasher);
    let attributes = span.attributes().chain(resource.attributes());
    for Attribute { key, value } in attributes.chain(scope.attributes()) {
        key.hash(&mut hasher);
        match value {
            Value::Str(text) => text.hash(&mut hasher),
            Value::Int(number) => number.hash(&mut hasher),
            Value::Double(number) => number.to_bits().hash(&mut hasher),
            Value::Bool(bit) => bit.hash(&mut hasher),
            Value::Bytes(bytes) | Value::Any(bytes) => bytes.hash(&mut hasher),
        }
    }
    hasher.finish()
}
