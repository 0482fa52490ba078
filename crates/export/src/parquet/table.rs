//! The columns of a Parquet export, in their order: the schema is made of this table, and so is
//! what is written.

use std::fmt::Write as _;

use tracewell_model::{SpanRef, StatusCode};
use tracewell_wire::json::{write_event, write_link};
use tracewell_wire::rest::Rest;

/// A column, with its name.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a column holds and where it comes from.
pub(super) enum Kind {
    /// Text.
    Text(fn(SpanRef<'_>, &mut String)),
    /// Text, or null where the function says false.
    TextOrNull(fn(SpanRef<'_>, &mut String) -> bool),
    /// Ids: text that hardly ever comes twice.
    Id(fn(SpanRef<'_>, &mut String) -> bool),
    /// A JSON array, or null where the function says false.
    Json(fn(SpanRef<'_>, &mut String) -> bool),
    /// Nanoseconds since 1970, UTC.
    Time(fn(SpanRef<'_>) -> i64),
    /// A number.
    Int(fn(SpanRef<'_>) -> i64),
    /// A truth value.
    Bool(fn(SpanRef<'_>) -> bool),
    /// The names of its marks.
    Marks,
    /// All attributes, as texts (`Value::text`); null for an attribute without a value.
    Map(Source),
    /// The text of the first of these attributes that is there.
    Lifted(Source, &'static [&'static str]),
    /// The same as a number.
    LiftedInt(Source, &'static [&'static str]),
}

/// Whose attributes.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Span,
    Resource,
    Scope,
    Events,
}

/// How a column is stored.
pub(super) struct Storage {
    /// Distinct values once, and small numbers for them.
    pub(super) dictionary: bool,
    /// Numbers as differences.
    pub(super) deltas: bool,
    /// The least and the largest value of each row group, by which readers leave it out.
    pub(super) bounds: bool,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

const fn span(name: &'static str, keys: &'static [&'static str]) -> Column {
    column(name, Kind::Lifted(Source::Span, keys))
}

const fn resource(name: &'static str, keys: &'static [&'static str]) -> Column {
    column(name, Kind::Lifted(Source::Resource, keys))
}

const fn event(name: &'static str, keys: &'static [&'static str]) -> Column {
    column(name, Kind::Lifted(Source::Events, keys))
}

pub(super) const COLUMNS: &[Column] = &[
    column(
        "trace_id",
        Kind::Text(|span, out| show(span.trace_id(), out)),
    ),
    column(
        "span_id",
        Kind::Id(|span, out| {
            show(span.span_id(), out);
            true
        }),
    ),
    column(
        "parent_span_id",
        Kind::Id(|span, out| span.parent().map(|id| show(id, out)).is_some()),
    ),
    column(
        "service",
        Kind::Text(|span, out| out.push_str(span.service())),
    ),
    column(
        "operation",
        Kind::Text(|span, out| out.push_str(span.operation())),
    ),
    column(
        "kind",
        Kind::Text(|span, out| out.push_str(span.kind().name())),
    ),
    column("status", Kind::Text(|span, out| out.push_str(status(span)))),
    column("error", Kind::Bool(|span| span.is_error())),
    column(
        "status_message",
        Kind::TextOrNull(|span, out| text(span.status_message(), out)),
    ),
    column("start", Kind::Time(|span| clamp(span.start_unix_ns()))),
    column("duration_ns", Kind::Int(|span| clamp(span.duration_ns()))),
    // Well-known attributes under their present and older names; `attributes` has them too.
    span("http_method", &["http.request.method", "http.method"]),
    span("http_route", &["http.route"]),
    column(
        "http_status_code",
        Kind::LiftedInt(
            Source::Span,
            &["http.response.status_code", "http.status_code"],
        ),
    ),
    span("rpc_service", &["rpc.service"]),
    span("rpc_method", &["rpc.method"]),
    span("db_system", &["db.system.name", "db.system"]),
    span("db_operation", &["db.operation.name", "db.operation"]),
    span("messaging_system", &["messaging.system"]),
    span(
        "messaging_destination",
        &["messaging.destination.name", "messaging.destination"],
    ),
    span("peer_service", &["service.peer.name", "peer.service"]),
    span("server_address", &["server.address", "net.peer.name"]),
    span("error_type", &["error.type"]),
    event("exception_type", &["exception.type"]),
    event("exception_message", &["exception.message"]),
    resource("service_version", &["service.version"]),
    resource("service_namespace", &["service.namespace"]),
    resource("service_instance_id", &["service.instance.id"]),
    resource(
        "deployment_environment",
        &["deployment.environment.name", "deployment.environment"],
    ),
    resource("host_name", &["host.name"]),
    resource("k8s_namespace", &["k8s.namespace.name"]),
    resource("k8s_pod", &["k8s.pod.name"]),
    // Everything.
    column("attributes", Kind::Map(Source::Span)),
    column("resource_attributes", Kind::Map(Source::Resource)),
    column(
        "scope_name",
        Kind::Text(|span, out| out.push_str(span.scope().name())),
    ),
    column(
        "scope_version",
        Kind::Text(|span, out| out.push_str(span.scope().version())),
    ),
    column("scope_attributes", Kind::Map(Source::Scope)),
    column("events", Kind::Json(events)),
    column("links", Kind::Json(links)),
    column(
        "trace_state",
        Kind::TextOrNull(|span, out| text(Rest::parse(span.rest()).trace_state, out)),
    ),
    column("flags", Kind::Int(|span| i64::from(span.flags()))),
    column("marks", Kind::Marks),
];

impl Column {
    pub(super) fn storage(&self) -> Storage {
        let (dictionary, deltas, bounds) = match self.kind {
            Kind::Time(_) => (false, true, true),
            Kind::Int(_) => (false, false, true),
            Kind::Id(_) => (false, false, false),
            Kind::Json(_) => (false, false, false),
            Kind::Map(_) | Kind::Marks => (true, false, false),
            Kind::Text(_) | Kind::TextOrNull(_) | Kind::Bool(_) => (true, false, true),
            Kind::Lifted(..) | Kind::LiftedInt(..) => (true, false, true),
        };
        Storage {
            dictionary,
            deltas,
            bounds,
        }
    }

    /// Its line of the schema.
    fn declaration(&self) -> String {
        let name = self.name;
        match self.kind {
            Kind::Text(_) => format!("REQUIRED BYTE_ARRAY {name} (STRING);"),
            Kind::TextOrNull(_) | Kind::Id(_) | Kind::Lifted(..) => {
                format!("OPTIONAL BYTE_ARRAY {name} (STRING);")
            }
            Kind::Json(_) => format!("OPTIONAL BYTE_ARRAY {name} (JSON);"),
            Kind::Time(_) => format!("REQUIRED INT64 {name} (TIMESTAMP(NANOS,true));"),
            Kind::Int(_) => format!("REQUIRED INT64 {name};"),
            Kind::Bool(_) => format!("REQUIRED BOOLEAN {name};"),
            Kind::LiftedInt(..) => format!("OPTIONAL INT64 {name};"),
            Kind::Marks => format!(
                "REQUIRED group {name} (LIST) {{ REPEATED group list {{ REQUIRED BYTE_ARRAY element (STRING); }} }}"
            ),
            Kind::Map(_) => format!(
                "REQUIRED group {name} (MAP) {{ REPEATED group key_value {{ \
                 REQUIRED BYTE_ARRAY key (STRING); OPTIONAL BYTE_ARRAY value (STRING); }} }}"
            ),
        }
    }
}

/// The schema in Parquet's own words.
pub(super) fn schema() -> String {
    let lines: Vec<String> = COLUMNS.iter().map(Column::declaration).collect();
    format!("message span {{ {} }}", lines.join(" "))
}

fn show(id: impl std::fmt::Display, out: &mut String) {
    // Writing into a String cannot fail.
    let _infallible = write!(out, "{id}");
}

fn text(text: &str, out: &mut String) -> bool {
    out.push_str(text);
    !text.is_empty()
}

/// What does not fit is the year 2262, or a span of 292 years.
fn clamp(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

fn status(span: SpanRef<'_>) -> &'static str {
    match span.status() {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    }
}

fn events(span: SpanRef<'_>, out: &mut String) -> bool {
    list(Rest::parse(span.rest()).events, out, write_event)
}

fn links(span: SpanRef<'_>, out: &mut String) -> bool {
    list(Rest::parse(span.rest()).links, out, write_link)
}

fn list<T>(items: Vec<T>, out: &mut String, write: impl Fn(&T, &mut String)) -> bool {
    for (at, item) in items.iter().enumerate() {
        out.push(if at == 0 { '[' } else { ',' });
        write(item, out);
    }
    out.push_str(if items.is_empty() { "" } else { "]" });
    !items.is_empty()
}
