//! Jaeger's ids and references: which span is the parent, and what to do with ids that are no hex.

use std::borrow::Cow;

use serde_json::value::RawValue;
use tracewell_model::{Marks, SpanId, TraceId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::import::draft::{Draft, Parsed, Tags};
use crate::import::raw;
use crate::report::{Reason, Refused};

/// An id with its text, where that was no hex and had to be hashed (Q19).
#[derive(Clone, Debug)]
struct Named<'a, Id> {
    id: Id,
    original: Option<Cow<'a, str>>,
}

/// The members of a span that say which span it is.
#[derive(Debug, Default)]
pub(super) struct Ids<'a> {
    /// The trace that the span lies in, for spans without an id of their own trace.
    pub(super) enclosing: Option<&'a RawValue>,
    pub(super) trace_id: Option<&'a RawValue>,
    pub(super) span_id: Option<&'a RawValue>,
    pub(super) parent_id: Option<&'a RawValue>,
    pub(super) references: Option<&'a RawValue>,
}

impl<'a> Ids<'a> {
    /// Sets the draft's ids, parent and links.
    pub(super) fn apply(&self, draft: &mut Draft<'a>) -> Parsed<()> {
        let trace = trace_id(self.trace_id.or(self.enclosing))?;
        let span = span_id(self.span_id, Reason::SpanId)?;
        let span = span.ok_or_else(|| Refused::new(Reason::SpanId, "spanID is absent or zero"))?;
        draft.trace_id = trace.id;
        draft.span_id = span.id;
        keep_original("jaeger.trace_id", trace.original, draft);
        keep_original("jaeger.span_id", span.original, draft);
        let references = self.references(trace.id)?;
        let parent = parent_position(&references, trace.id);
        for (position, reference) in references.into_iter().enumerate() {
            if Some(position) == parent {
                draft.parent = Some(reference.span.id);
                if reference.kind == "FOLLOWS_FROM" {
                    draft.marks.set(Marks::FOLLOWS_FROM);
                }
                keep_original("jaeger.parent_span_id", reference.span.original, draft);
            } else {
                reference.link(draft);
            }
        }
        if parent.is_none()
            && let Some(named) = span_id(self.parent_id, Reason::ParentSpanId)?
        {
            draft.parent = Some(named.id);
            keep_original("jaeger.parent_span_id", named.original, draft);
        }
        Ok(())
    }

    fn references(&self, own_trace: TraceId) -> Parsed<Vec<Reference<'a>>> {
        let mut references = Vec::new();
        let Some(list) = self.references else {
            return Ok(references);
        };
        if !raw::is_list(list) {
            let seen = raw::excerpt(list);
            let detail = format!("references are {seen}, where a list is accepted");
            return Err(Refused::new(Reason::WrongType, detail));
        }
        raw::each_item(list, |item| {
            references.extend(reference(item, own_trace)?);
            Ok(())
        })?;
        Ok(references)
    }
}

/// The first `CHILD_OF` of the same trace, else the first `FOLLOWS_FROM` of it.
fn parent_position(references: &[Reference<'_>], own_trace: TraceId) -> Option<usize> {
    let first = |kind: &str| {
        let is_it = |r: &Reference<'_>| r.trace.id == own_trace && r.kind == kind;
        references.iter().position(is_it)
    };
    first("CHILD_OF").or_else(|| first("FOLLOWS_FROM"))
}

/// A reference to another span.
#[derive(Debug)]
struct Reference<'a> {
    kind: Cow<'a, str>,
    trace: Named<'a, TraceId>,
    span: Named<'a, SpanId>,
}

impl<'a> Reference<'a> {
    fn link(self, draft: &mut Draft<'a>) {
        let mut tags = Tags::default();
        if !self.kind.is_empty() {
            tags.text("opentracing.ref_type", self.kind.to_lowercase());
        }
        for (key, original) in [
            ("jaeger.trace_id", self.trace.original),
            ("jaeger.span_id", self.span.original),
        ] {
            if let Some(original) = original {
                draft.marks.set(Marks::ID_HASHED);
                tags.text(key, original);
            }
        }
        draft.link((self.trace.id, self.span.id), "", &tags);
    }
}

/// One reference; none when it names no span, which is how some tracers write "no parent".
fn reference(item: &RawValue, own_trace: TraceId) -> Parsed<Option<Reference<'_>>> {
    if !raw::is_object(item) {
        let seen = raw::excerpt(item);
        let detail = format!("a reference is {seen}, where an object is accepted");
        return Err(Refused::new(Reason::WrongType, detail));
    }
    let (mut kind, mut trace, mut span) = (Cow::Borrowed(""), None, None);
    raw::each_member(item, |name, value| {
        match name.as_ref() {
            "refType" => kind = raw::text(value).unwrap_or_default(),
            "traceID" => trace = Some(value),
            "spanID" => span = Some(value),
            _ => {} // `span` is a copy of the span that is named
        }
        Ok(())
    })?;
    let trace = match trace {
        Some(_) => trace_id(trace)?,
        None => Named {
            id: own_trace,
            original: None,
        },
    };
    let span = span_id(span, Reason::ParentSpanId)?;
    Ok(span.map(|span| Reference { kind, trace, span }))
}

fn keep_original<'a>(key: &'static str, original: Option<Cow<'a, str>>, draft: &mut Draft<'a>) {
    if let Some(original) = original {
        draft.marks.set(Marks::ID_HASHED);
        draft.attributes.text(key, original);
    }
}

fn trace_id(json: Option<&RawValue>) -> Parsed<Named<'_, TraceId>> {
    let Some(text) = json.and_then(raw::text).filter(|text| !text.is_empty()) else {
        let seen = json.map_or_else(|| "absent".into(), raw::excerpt);
        let detail = format!("traceID is {seen}, where a text is accepted");
        return Err(Refused::new(Reason::TraceId, detail));
    };
    if is_zero(&text) {
        return Err(Refused::new(Reason::TraceId, "traceID is all zero"));
    }
    Ok(match TraceId::from_hex(&text) {
        Some(id) => Named { id, original: None },
        None => Named {
            id: TraceId(xxh3_128(text.as_bytes()).to_be_bytes()),
            original: Some(text),
        },
    })
}

/// A span's id; none when it is absent, empty or all zero.
fn span_id(json: Option<&RawValue>, reason: Reason) -> Parsed<Option<Named<'_, SpanId>>> {
    let Some(json) = json.filter(|json| !raw::is_null(json)) else {
        return Ok(None);
    };
    let Some(text) = raw::text(json) else {
        let (name, seen) = (reason.name(), raw::excerpt(json));
        let detail = format!("{name} is {seen}, where a text is accepted");
        return Err(Refused::new(reason, detail));
    };
    if is_zero(&text) {
        return Ok(None);
    }
    Ok(Some(match SpanId::from_hex(&text) {
        Some(id) => Named { id, original: None },
        None => Named {
            id: SpanId(xxh3_64(text.as_bytes()).to_be_bytes()),
            original: Some(text),
        },
    }))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|digit| digit == b'0')
}
