//! What a file is, told by its content and never by its name: a file of spans in one of the formats
//! of [`Format`], or something else, for which there is a sentence saying what was seen.
//!
//! JSON is recognized by which members stand where. The first two documents are walked a few levels
//! deep, which also works on the head of a file that ends in the middle.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::nezha;
use crate::json::{Text, excerpt};
use crate::proto::{Field, Fields};

/// The formats that files of spans have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OTLP JSON: documents with `resourceSpans`, one or one a line.
    OtlpJson,
    /// Tempo's JSON: `batches`, or OTLP wrapped in `trace` or `result`; ids may be base64.
    TempoJson,
    /// OTLP protobuf: `TracesData` or `ExportTraceServiceRequest`.
    OtlpProtobuf,
    /// Jaeger's JSON, of its API or of its Elasticsearch index.
    Jaeger,
    /// Zipkin v2 JSON: a list of spans, or a list of such lists.
    Zipkin,
    /// The body of `/v1/spans`, or this server's trace answer.
    Spans,
    /// Span documents of OpenSearch's Data Prepper.
    DataPrepper,
    /// Nezha's CSV.
    Nezha,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 8] = [
        Format::OtlpJson,
        Format::TempoJson,
        Format::OtlpProtobuf,
        Format::Jaeger,
        Format::Zipkin,
        Format::Spans,
        Format::DataPrepper,
        Format::Nezha,
    ];

    /// How messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::OtlpJson => "OTLP JSON",
            Format::TempoJson => "Tempo JSON",
            Format::OtlpProtobuf => "OTLP protobuf",
            Format::Jaeger => "Jaeger JSON",
            Format::Zipkin => "Zipkin v2 JSON",
            Format::Spans => "/v1/spans JSON",
            Format::DataPrepper => "Data Prepper spans",
            Format::Nezha => "Nezha CSV",
        }
    }
}

/// How much of a file is enough to know it by.
pub const HEAD_BYTES: usize = 64 * 1024;

/// The format of a file that begins like this; none when it is no file of spans.
pub fn detect(head: &[u8]) -> Option<Format> {
    identify(head).ok()
}

/// The format, or what was seen instead.
pub(super) fn identify(head: &[u8]) -> Result<Format, String> {
    let head = without_mark(head);
    let Some(first) = head.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Err("the file is empty".into());
    };
    match first {
        // Protobuf begins with 0x0a, which is white space, and then a length, which may be a `{`.
        _ if is_otlp_protobuf(head) => Ok(Format::OtlpProtobuf),
        b'{' | b'[' => json_format(head).or_else(|seen| match is_cut_otlp_protobuf(head) {
            true => Ok(Format::OtlpProtobuf),
            false => Err(seen),
        }),
        _ if is_cut_otlp_protobuf(head) => Ok(Format::OtlpProtobuf),
        _ => other(head),
    }
}

/// The bytes after UTF-8's byte order mark, which some editors write.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What is neither JSON nor protobuf.
fn other(head: &[u8]) -> Result<Format, String> {
    if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err("the file is compressed twice".into());
    }
    let text = head.trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let Ok(line) = std::str::from_utf8(line) else {
        return Err("the file is binary, but no OTLP protobuf".into());
    };
    let line = line.trim_end();
    if nezha::is_header(line) {
        return Ok(Format::Nezha);
    }
    let seen = excerpt(line);
    Err(match line.split(',').count() {
        0 | 1 => format!("the file begins with \"{seen}\""),
        _ => format!("the file is a CSV without the columns of a trace: \"{seen}\""),
    })
}

/// True when the head begins with a whole `ResourceSpans` (field 1).
fn is_otlp_protobuf(head: &[u8]) -> bool {
    match Fields::of(head).next_field() {
        Ok(Some((1, Field::Bytes(message), _))) => matches!(known_fields(message), (1.., true)),
        _ => false,
    }
}

/// True when the head is the beginning of a `ResourceSpans` that goes on after it.
fn is_cut_otlp_protobuf(head: &[u8]) -> bool {
    if head.first() != Some(&0x0a) || Fields::of(head).next_field().is_ok() {
        return false;
    }
    let length_bytes = head
        .iter()
        .skip(1)
        .take_while(|byte| **byte >= 0x80)
        .count()
        + 1;
    let message = head.get(1 + length_bytes..).unwrap_or(&[]);
    // Cut off in its first field, whose tag has to do.
    known_fields(message).0 > 0 || matches!(message.first(), Some(0x0a | 0x12))
}

/// How many fields of a `ResourceSpans` stand here (`resource` 1, `scope_spans` 2, `schema_url` 3,
/// and 1,000 of old; all are messages or texts), and whether that is all of it.
fn known_fields(message: &[u8]) -> (usize, bool) {
    let mut fields = Fields::of(message);
    let mut known = 0;
    loop {
        match fields.next_field() {
            Ok(Some((1..=3 | 1000, Field::Bytes(_), _))) => known += 1,
            Ok(Some(_)) => return (0, false),
            Ok(None) => return (known, true),
            Err(_) => return (known, false),
        }
    }
}

fn json_format(head: &[u8]) -> Result<Format, String> {
    let documents = Outline::of(head);
    let [first, second] = &documents;
    // An action line of a bulk body says nothing of the document after it.
    let is_action = ["index", "create"].iter().any(|action| first.has(action));
    let outline = if is_action && first.members == 1 {
        second
    } else {
        first
    };
    outline.format().ok_or_else(|| outline.describe())
}

/// Which members stand where: paths such as `data[].spans`.
#[derive(Debug, Default)]
struct Outline {
    paths: BTreeSet<String>,
    /// The first members of the document, or of the first objects in its list.
    names: Vec<String>,
    /// How many members the document itself has.
    members: usize,
    is_list: bool,
}

impl Outline {
    /// Levels that are looked into: `hits.hits[]._source.traceId` is the deepest that decides.
    const DEPTH_MAX: usize = 6;
    /// Paths that are kept: a hostile head has tens of thousands.
    const PATHS_MAX: usize = 5_000;
    /// Members of one object that are looked at: documents have up to a hundred, the processes of a
    /// trace thousands.
    const MEMBERS_MAX: usize = 200;
    /// No name that decides is longer; nested long names would add up.
    const NAME_BYTES_MAX: usize = 64;
    /// Names that a message shows.
    const NAMES_MAX: usize = 5;

    /// Outlines of the first two documents.
    fn of(head: &[u8]) -> [Outline; 2] {
        let mut outlines = [Outline::default(), Outline::default()];
        let mut json = serde_json::Deserializer::from_slice(head);
        for outline in &mut outlines {
            let path = String::new();
            // A head may end anywhere: what was seen until then is kept.
            if (Look {
                outline,
                path,
                depth: 0,
            })
            .deserialize(&mut json)
            .is_err()
            {
                break;
            }
        }
        outlines
    }

    fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    fn any(&self, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.has(path))
    }

    fn format(&self) -> Option<Format> {
        let under = |names: &[&str]| {
            // A document, a list of them, a list of lists, or a search answer.
            [
                "",
                "[].",
                "[][].",
                "hits.hits[]._source.",
                "[]._source.",
                "_source.",
            ]
            .iter()
            .any(|place| names.iter().all(|name| self.has(&format!("{place}{name}"))))
        };
        if under(&["resourceSpans"]) || self.has("resource_spans") {
            return Some(Format::OtlpJson);
        }
        let wrapped = [
            "batches",
            "trace.resourceSpans",
            "trace.batches",
            "result.resourceSpans",
        ];
        if self.any(&wrapped) {
            return Some(Format::TempoJson);
        }
        let answer = ["data[].spans", "data[].traceID", "data[].spanID"];
        if self.any(&answer) || under(&["traceID", "spans"]) || under(&["traceID", "spanID"]) {
            return Some(Format::Jaeger);
        }
        if under(&["trace_id", "spans"])
            || under(&["trace_id", "span_id"])
            || self.has("[].trace_id")
        {
            return Some(Format::Spans);
        }
        if under(&["traceId", "spanId"]) {
            return Some(Format::DataPrepper);
        }
        let zipkin = self.any(&["[].traceId", "[][].traceId"]) || under(&["traceId", "id"]);
        zipkin.then_some(Format::Zipkin)
    }

    /// What this JSON is instead.
    fn describe(&self) -> String {
        let known: [(&[&str], &str); 11] = [
            (&["resourceLogs"], "the file is OTLP JSON of logs"),
            (&["resourceMetrics"], "the file is OTLP JSON of metrics"),
            (&["errors[].msg"], "the file is an error answer of Jaeger"),
            (
                &["data", "errors"],
                "the file is an answer of Jaeger without a trace",
            ),
            (
                &["spans[].traceId"],
                "the file is Jaeger's internal model as JSON (ids in base64)",
            ),
            (
                &["spans[].traceIdLow"],
                "the file is a Jaeger Thrift batch as JSON",
            ),
            (
                &["[].parent", "[].child"],
                "the file is a list of dependencies between services",
            ),
            (&["hashId"], "the file is Data Prepper's service map"),
            (&["mappings"], "the file is the mapping of a search index"),
            (&["properties"], "the file is the mapping of a search index"),
            (
                &["[].binaryAnnotations"],
                "the file is Zipkin v1, of which v2 is accepted",
            ),
        ];
        let seen = known
            .iter()
            .find(|(paths, _)| paths.iter().all(|path| self.has(path)));
        if let Some((_, sentence)) = seen {
            return (*sentence).to_owned();
        }
        match self.names.is_empty() {
            true if self.is_list => "the file is a JSON list without spans".to_owned(),
            true => "the file is JSON without spans".to_owned(),
            false => format!(
                "the file is JSON with the members {}",
                self.names.join(", ")
            ),
        }
    }

    /// Notes a member, unless there are too many to matter.
    fn note(&mut self, path: &str, name: &str, depth: usize) {
        self.members += usize::from(depth == 0);
        let in_document = depth == 0 || (self.is_list && depth == 1);
        if in_document && self.names.len() < Self::NAMES_MAX {
            self.names.push(excerpt(name));
        }
        if self.paths.len() <= Self::PATHS_MAX {
            self.paths.insert(path.to_owned());
        }
    }
}

/// Walks a value and notes the paths of members.
struct Look<'o> {
    outline: &'o mut Outline,
    path: String,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.depth > Outline::DEPTH_MAX || self.outline.paths.len() > Outline::PATHS_MAX {
            return json.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.outline.is_list |= self.depth == 0;
        let path = format!("{}[]", self.path);
        loop {
            let look = Look {
                outline: &mut *self.outline,
                path: path.clone(),
                depth: self.depth + 1,
            };
            if list.next_element_seed(look)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut seen = 0;
        while let Some(Text(name)) = object.next_key()? {
            seen += 1;
            if seen > Outline::MEMBERS_MAX || name.len() > Outline::NAME_BYTES_MAX {
                // Counted, for a document with more than one member is no action line.
                self.outline.members += usize::from(self.depth == 0);
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            let path = match self.path.as_str() {
                "" => name.clone().into_owned(),
                outer => format!("{outer}.{name}"),
            };
            self.outline.note(&path, &name, self.depth);
            object.next_value_seed(Look {
                outline: &mut *self.outline,
                path,
                depth: self.depth + 1,
            })?;
        }
        Ok(())
    }
}
