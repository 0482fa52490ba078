//! OTLP/JSON to the builder: one document, an `ExportTraceServiceRequest` or `TracesData`.
//!
//! The envelope is read first, with each span, resource and scope kept as its own text; each of these
//! then becomes protobuf and takes the path of [`super::protobuf`]. A document that is no JSON, or
//! whose envelope is of another shape, leaves the builder untouched; a bad span costs only itself.
#![warn(clippy::indexing_slicing)]

use serde::Deserialize;
use serde_json::value::RawValue;
use tracewell_model::BatchBuilder;

use super::origin::{Resource, Scope};
use super::schema::{self, Schema};
use super::span::{self, Origin, Scratch};
use super::transcode::transcode;
use crate::caps::Rewritten;
use crate::elements::{Element, Elements};
use crate::json::{Text, excerpt};
use crate::named::Named;
use crate::report::{DecodeError, Reason, Refused, Report};

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default, rename = "resourceSpans", alias = "resource_spans")]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
}

#[derive(Deserialize)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "scopeSpans", alias = "scope_spans")]
    scope_spans: Option<Vec<ScopeSpans<'a>>>,
    // What scope spans were called until 2022.
    #[serde(
        borrow,
        default,
        rename = "instrumentationLibrarySpans",
        alias = "instrumentation_library_spans"
    )]
    library_spans: Option<Vec<ScopeSpans<'a>>>,
    #[serde(borrow, default, rename = "schemaUrl", alias = "schema_url")]
    schema_url: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(
        borrow,
        alias = "instrumentationLibrary",
        alias = "instrumentation_library"
    )]
    scope: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spans: Elements<'a>,
    #[serde(borrow, default, rename = "schemaUrl", alias = "schema_url")]
    schema_url: Option<Text<'a>>,
}

/// Decodes one document. On an error nothing was pushed.
pub fn decode(
    body: &[u8],
    builder: &mut BatchBuilder,
    report: &mut Report,
) -> Result<(), DecodeError> {
    let malformed = |error: &dyn std::fmt::Display| {
        let error = excerpt(&error.to_string());
        DecodeError::Malformed(format!(
            "the body is no OTLP trace request in JSON: {error}"
        ))
    };
    let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    // serde would read a struct from an array of its members too.
    if !text.trim_start().starts_with('{') {
        return Err(malformed(&"it does not begin with '{'"));
    }
    let request: Request<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    for resource_spans in request.resource_spans.iter().flatten() {
        decode_resource_spans(resource_spans, builder, report);
    }
    Ok(())
}

fn decode_resource_spans(
    message: &ResourceSpans<'_>,
    builder: &mut BatchBuilder,
    report: &mut Report,
) {
    let groups = message.scope_spans.iter().flatten();
    let groups = groups.chain(message.library_spans.iter().flatten());
    let (room, mut encoded) = (Rewritten::default(), Vec::new());
    let resource =
        transcode_optional(message.resource, schema::RESOURCE, &mut encoded).and_then(|()| {
            let pieces = std::iter::once(&encoded[..]);
            Resource::parse(pieces, url(&message.schema_url), &room)
        });
    match resource {
        Ok(mut resource) => {
            for scope_spans in groups {
                decode_scope_spans(scope_spans, &mut resource, builder, report);
            }
        }
        Err(refused) => groups.for_each(|group| refuse_all(group, &refused, report)),
    }
}

fn decode_scope_spans(
    message: &ScopeSpans<'_>,
    resource: &mut Resource<'_>,
    builder: &mut BatchBuilder,
    report: &mut Report,
) {
    let (room, mut encoded) = (Rewritten::default(), Vec::new());
    let scope = transcode_optional(message.scope, schema::SCOPE, &mut encoded).and_then(|()| {
        let pieces = std::iter::once(&encoded[..]);
        Scope::parse(pieces, url(&message.schema_url), &room)
    });
    let mut scope = match scope {
        Ok(scope) => scope,
        Err(refused) => return refuse_all(message, &refused, report),
    };
    let mut origin = Origin {
        resource,
        scope: &mut scope,
    };
    let mut bytes = Vec::new();
    for element in message.spans.iter() {
        bytes.clear();
        let outcome = match element {
            Element::Other => Err(Refused::new(Reason::WrongType, "a span must be an object")),
            Element::Object(object) => decode_span(object.get(), &mut bytes, &mut origin, builder),
        };
        report.note_named(outcome, || name_of(element));
    }
}

fn name_of(element: Element<'_>) -> Option<Named> {
    match element {
        Element::Other => None,
        Element::Object(object) => Named::of_json(object.get()),
    }
}

fn decode_span(
    json: &str,
    bytes: &mut Vec<u8>,
    origin: &mut Origin<'_, '_, '_>,
    builder: &mut BatchBuilder,
) -> Result<(), Refused> {
    transcode(json, schema::SPAN, bytes)?;
    span::decode(bytes, origin, &mut Scratch::default(), builder)
}

fn transcode_optional(
    json: Option<&RawValue>,
    schema: Schema,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    json.map_or(Ok(()), |json| transcode(json.get(), schema, out))
}

fn refuse_all(group: &ScopeSpans<'_>, refused: &Refused, report: &mut Report) {
    group.spans.iter().for_each(|element| {
        report.note_named(Err(refused.clone()), || name_of(element));
    });
}

fn url<'a>(text: &'a Option<Text<'_>>) -> &'a str {
    text.as_ref().map_or("", |Text(url)| url)
}
