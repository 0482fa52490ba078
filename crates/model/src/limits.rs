//! Every cap in one file, each with the reason for its value (D6). Hitting one tells the caller or
//! moves a counter of its name; nothing is cut in silence.

/// Attributes of one span: OpenTelemetry's default is 128; traces with 1,000 exist (build tools).
pub const ATTRIBUTES_PER_SPAN_MAX: usize = 1_024;
/// A key longer than this is not a key but a value put in the wrong place.
pub const KEY_BYTES_MAX: usize = 1_024;
/// Room for a long stack trace or an SQL statement; more belongs into a log.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// One trace's spans in an answer; a browser still draws it.
pub const SPANS_PER_TRACE_MAX: usize = 1_000_000;
/// One trace's bytes in an answer.
pub const TRACE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// A request body after decompression: what the OTLP specification recommends.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Decompressed bytes per compressed byte, above [`RATIO_FREE_BYTES`]: real batches reach 30.
pub const DECOMPRESS_RATIO_MAX: usize = 100;
/// Up to this size any ratio is fine; small bodies of zeros are harmless.
pub const RATIO_FREE_BYTES: usize = 1024 * 1024;
/// Nesting of attribute values: protobuf decoders stop at 100, people at 5.
pub const ANY_DEPTH_MAX: usize = 64;
/// Bodies up to this size decode on the async thread, in half a millisecond of protobuf and a
/// millisecond of JSON; larger ones on a pool. A gateway's usual 500 spans have 270 KiB.
pub const INLINE_BODY_BYTES_MAX: usize = 512 * 1024;
/// Services and operations with their own figures; further ones go to `__other__`, counted.
pub const SERVICES_MAX: usize = 5_000;
/// Operations of one service with their own figures.
pub const OPERATIONS_PER_SERVICE_MAX: usize = 5_000;
/// Results of one search page.
pub const SEARCH_LIMIT_MAX: usize = 1_000;
/// Results of one search page, unless asked otherwise.
pub const SEARCH_LIMIT_DEFAULT: usize = 50;
/// Tag filters of one search: a person types five; a script that needs 65 wants export.
pub const SEARCH_TAGS_MAX: usize = 64;
/// How long one query may take before it answers with what it has, marked incomplete.
pub const QUERY_DEADLINE_MS: u64 = 30_000;
