//! The messages of trace.proto and common.proto as tables, one row per field: what
//! [`super::transcode`] reads OTLP/JSON by.

use super::encode::MARKS_FIELD;
use crate::report::Reason;

/// A message type: its fields.
pub(crate) type Schema = &'static [FieldSpec];

/// One field: JSON's name for it, the .proto file's, its number and type.
#[derive(Debug)]
pub(crate) struct FieldSpec {
    pub(crate) json: &'static str,
    pub(crate) proto: &'static str,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
}

const fn field(json: &'static str, proto: &'static str, number: u32, kind: Kind) -> FieldSpec {
    FieldSpec {
        json,
        proto,
        number,
        kind,
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// An id of this many bytes; a wrong one refuses the span for this reason.
    Id(usize, Reason),
    /// An id of a link: normally of this many bytes, but nothing refuses another.
    LinkId(usize),
    Str,
    Bytes,
    Bool,
    Int64,
    Uint32,
    Fixed32,
    Fixed64,
    Double,
    Enum(&'static [&'static str]),
    Message(Schema),
    Repeated(Schema),
    RepeatedStr,
    /// `AnyValue`, one level further down.
    Any,
    RepeatedAny,
    /// The whole message in protobuf, base64: ours, where JSON cannot hold it to the last bit.
    Whole,
}

/// The member of [`Kind::Whole`].
pub(crate) const WHOLE: &str = "tracewellProtobuf";
/// The member in which marks travel.
pub(crate) const MARKS: &str = "tracewellMarks";

pub(crate) static SPAN: Schema = &[
    field("traceId", "trace_id", 1, Kind::Id(16, Reason::TraceId)),
    field("spanId", "span_id", 2, Kind::Id(8, Reason::SpanId)),
    field("traceState", "trace_state", 3, Kind::Str),
    field(
        "parentSpanId",
        "parent_span_id",
        4,
        Kind::Id(8, Reason::ParentSpanId),
    ),
    field("name", "name", 5, Kind::Str),
    field("kind", "kind", 6, Kind::Enum(SPAN_KINDS)),
    field(
        "startTimeUnixNano",
        "start_time_unix_nano",
        7,
        Kind::Fixed64,
    ),
    field("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
    field("attributes", "attributes", 9, Kind::Repeated(KEY_VALUE)),
    field(
        "droppedAttributesCount",
        "dropped_attributes_count",
        10,
        Kind::Uint32,
    ),
    field("events", "events", 11, Kind::Repeated(EVENT)),
    field(
        "droppedEventsCount",
        "dropped_events_count",
        12,
        Kind::Uint32,
    ),
    field("links", "links", 13, Kind::Repeated(LINK)),
    field("droppedLinksCount", "dropped_links_count", 14, Kind::Uint32),
    field("status", "status", 15, Kind::Message(STATUS)),
    field("flags", "flags", 16, Kind::Fixed32),
    field(MARKS, MARKS, MARKS_FIELD, Kind::Uint32),
    field(WHOLE, WHOLE, 0, Kind::Whole),
];

static EVENT: Schema = &[
    field("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
    field("name", "name", 2, Kind::Str),
    field("attributes", "attributes", 3, Kind::Repeated(KEY_VALUE)),
    field(
        "droppedAttributesCount",
        "dropped_attributes_count",
        4,
        Kind::Uint32,
    ),
];

static LINK: Schema = &[
    field("traceId", "trace_id", 1, Kind::LinkId(16)),
    field("spanId", "span_id", 2, Kind::LinkId(8)),
    field("traceState", "trace_state", 3, Kind::Str),
    field("attributes", "attributes", 4, Kind::Repeated(KEY_VALUE)),
    field(
        "droppedAttributesCount",
        "dropped_attributes_count",
        5,
        Kind::Uint32,
    ),
    field("flags", "flags", 6, Kind::Fixed32),
];

static STATUS: Schema = &[
    field("message", "message", 2, Kind::Str),
    field("code", "code", 3, Kind::Enum(STATUS_CODES)),
];

pub(crate) static RESOURCE: Schema = &[
    field("attributes", "attributes", 1, Kind::Repeated(KEY_VALUE)),
    field(
        "droppedAttributesCount",
        "dropped_attributes_count",
        2,
        Kind::Uint32,
    ),
    field("entityRefs", "entity_refs", 3, Kind::Repeated(ENTITY_REF)),
    field(WHOLE, WHOLE, 0, Kind::Whole),
];

pub(crate) static ENTITY_REF: Schema = &[
    field("schemaUrl", "schema_url", 1, Kind::Str),
    field("type", "type", 2, Kind::Str),
    field("idKeys", "id_keys", 3, Kind::RepeatedStr),
    field("descriptionKeys", "description_keys", 4, Kind::RepeatedStr),
];

pub(crate) static SCOPE: Schema = &[
    field("name", "name", 1, Kind::Str),
    field("version", "version", 2, Kind::Str),
    field("attributes", "attributes", 3, Kind::Repeated(KEY_VALUE)),
    field(
        "droppedAttributesCount",
        "dropped_attributes_count",
        4,
        Kind::Uint32,
    ),
    field(WHOLE, WHOLE, 0, Kind::Whole),
];

static KEY_VALUE: Schema = &[
    field("key", "key", 1, Kind::Str),
    field("value", "value", 2, Kind::Any),
];

pub(crate) static ANY_VALUE: Schema = &[
    field("stringValue", "string_value", 1, Kind::Str),
    field("boolValue", "bool_value", 2, Kind::Bool),
    field("intValue", "int_value", 3, Kind::Int64),
    field("doubleValue", "double_value", 4, Kind::Double),
    field("arrayValue", "array_value", 5, Kind::Message(ARRAY)),
    field("kvlistValue", "kvlist_value", 6, Kind::Message(KEY_VALUES)),
    field("bytesValue", "bytes_value", 7, Kind::Bytes),
];

static ARRAY: Schema = &[field("values", "values", 1, Kind::RepeatedAny)];
static KEY_VALUES: Schema = &[field("values", "values", 1, Kind::Repeated(KEY_VALUE))];

static SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
static STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
