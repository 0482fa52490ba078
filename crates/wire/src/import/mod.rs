//! Files for `tracewell load`: traces as other tools write them, recognized by content.
//!
//! [`detect`] says what a file is, [`decode_file`] turns it into builders of bounded size. Compressed
//! files are unpacked by the caller, told by [`compression`].

mod data_prepper;
mod detect;
pub(crate) mod draft;
mod intake;
mod jaeger;
mod nezha;
pub(crate) mod raw;
mod tempo;

use serde_json::value::RawValue;
use tracewell_model::BatchBuilder;

pub use detect::{Format, HEAD_BYTES, detect};
pub use intake::BATCH_SPANS_MAX;

use crate::decompress::Encoding;
use crate::report::{DecodeError, Reason, Refused, Report};
use crate::{otlp, spans_json, zipkin};
use intake::Intake;

/// A file that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it was.
    pub format: Format,
    /// Spans it had, refused ones included.
    pub spans: usize,
}

/// How a file is compressed, by its first bytes; none when it is not.
pub fn compression(head: &[u8]) -> Option<Encoding> {
    match head {
        [0x1f, 0x8b, ..] => Some(Encoding::GZIP),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Encoding::ZSTD),
        _ => None,
    }
}

/// Reads a whole file. `sink` gets a builder (of this many shards) whenever it has about
/// [`BATCH_SPANS_MAX`] spans, to finish it, and the report of what became of these spans; a refusal's
/// number counts from the last time. An error says what was seen and what is accepted; what was
/// handed over before it is sound.
pub fn decode_file(
    bytes: &[u8],
    shards: u16,
    sink: &mut dyn FnMut(&mut BatchBuilder, Report),
) -> Result<Decoded, DecodeError> {
    let format = identify(bytes)?;
    let bytes = detect::without_mark(bytes);
    let mut intake = Intake::new(shards, sink);
    let outcome = match format {
        Format::Nezha => nezha::decode(text(bytes)?, &mut intake),
        Format::OtlpProtobuf => otlp_protobuf(bytes, &mut intake),
        _ => each_document(bytes, &mut intake, |json, intake| {
            document(format, json, DOCUMENT_DEPTH_MAX, intake)
        }),
    };
    let spans = intake.finish();
    outcome.map(|()| Decoded { format, spans })
}

fn identify(bytes: &[u8]) -> Result<Format, DecodeError> {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    // What decides may stand behind a long beginning, such as a trace's processes.
    let seen = match detect::identify(head) {
        Err(_) if head.len() < bytes.len() => detect::identify(bytes),
        seen => seen,
    };
    seen.map_err(|seen| {
        let accepted = Format::ALL.map(Format::name).join(", ");
        DecodeError::Malformed(format!("{seen}; accepted are {accepted}"))
    })
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        DecodeError::Malformed(format!("the file is not UTF-8 at byte {at}"))
    })
}

/// Each `ResourceSpans`, tag included, is a request of its own.
fn otlp_protobuf(bytes: &[u8], intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let mut fields = crate::proto::Fields::of(bytes);
    loop {
        match fields.next_field() {
            Ok(None) => return Ok(()),
            Ok(Some((_, _, request))) => intake.decode(request.len(), |builder, report| {
                otlp::protobuf::decode(request, builder, report)
            })?,
            Err(error) => {
                let error = format!("the file is damaged: {error}");
                return Err(DecodeError::Malformed(error));
            }
        }
    }
}

/// Shows each JSON document of a file: one a line if the first line is one, else one after another.
fn each_document(
    bytes: &[u8],
    intake: &mut Intake<'_>,
    mut see: impl FnMut(&RawValue, &mut Intake<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let first = lines.clone().find(|(_, line)| !is_blank(line));
    if !first.is_some_and(|(_, line)| raw::is_whole(line)) {
        let documents = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
        for json in documents {
            let broken = |error| DecodeError::Malformed(format!("the file is no JSON: {error}"));
            see(json.map_err(broken)?, intake)?;
        }
        return Ok(());
    }
    // A damaged line costs only itself.
    lines.try_for_each(|(number, line)| {
        if is_blank(line) {
            return Ok(());
        }
        let outcome = match serde_json::from_slice::<&RawValue>(line) {
            Ok(json) => see(json, intake).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = outcome {
            let detail = format!("line {}: {why}", number + 1);
            intake.refuse(line.len(), Refused::new(Reason::Malformed, detail));
        }
        Ok(())
    })
}

/// Lists in lists, and documents in search answers, as deep as any of the formats goes.
const DOCUMENT_DEPTH_MAX: usize = 4;

/// Reads a document of this format, or a list of them.
fn document(
    format: Format,
    json: &RawValue,
    depth_left: usize,
    intake: &mut Intake<'_>,
) -> Result<(), DecodeError> {
    if raw::is_list(json) && format != Format::Spans && depth_left > 0 {
        let mut outcome = Ok(());
        let walked = raw::each_item(json, |item| {
            if outcome.is_ok() {
                outcome = document(format, item, depth_left - 1, intake);
            }
            Ok(())
        });
        debug_assert!(walked.is_ok());
        return outcome;
    }
    if let Some(source) = search_hit(json)
        && depth_left > 0
    {
        return document(format, source, depth_left - 1, intake);
    }
    let input_bytes = json.get().len();
    match format {
        Format::OtlpJson => intake.decode(input_bytes, |builder, report| {
            otlp::json::decode(json.get().as_bytes(), builder, report)
        }),
        Format::TempoJson => tempo::document(json, intake),
        Format::Spans => spans(json, intake),
        Format::Jaeger | Format::DataPrepper if is_action(json) => Ok(()),
        Format::Jaeger => {
            jaeger::document(json, intake);
            Ok(())
        }
        Format::Zipkin => {
            intake.take(input_bytes, zipkin::json_span(json));
            Ok(())
        }
        Format::DataPrepper | Format::Nezha | Format::OtlpProtobuf => {
            intake.take(input_bytes, data_prepper::span(json));
            Ok(())
        }
    }
}

/// What a search engine put around a document: `hits.hits` of an answer, `_source` of one hit.
fn search_hit(json: &RawValue) -> Option<&RawValue> {
    let mut found = None;
    let walked = raw::each_member(json, |name, value| {
        let is_hit = name == "_source" || name == "hits";
        if is_hit && (raw::is_object(value) || raw::is_list(value)) {
            found = Some(value);
        }
        Ok(())
    });
    walked.ok().and(found)
}

/// The line of a bulk body that says where the next document goes.
fn is_action(json: &RawValue) -> bool {
    /// Such lines name an index and an id; a document is not looked through for them.
    const ACTION_BYTES_MAX: usize = 4 * 1024;
    if json.get().len() > ACTION_BYTES_MAX {
        return false;
    }
    let mut names = Vec::new();
    let walked = raw::each_member(json, |name, _| {
        names.push(name);
        Ok(())
    });
    let is_verb = |name: &str| ["index", "create", "update", "delete"].contains(&name);
    walked.is_ok() && matches!(names.as_slice(), [name] if is_verb(name))
}

/// The member of an object with this name.
fn member<'a>(json: &'a RawValue, wanted: &str) -> Option<&'a RawValue> {
    let mut found = None;
    let walked = raw::each_member(json, |name, value| {
        if name == wanted {
            found = Some(value);
        }
        Ok(())
    });
    walked.ok().and(found)
}

/// A list of spans, this server's trace answer, or one span (a line of a file).
fn spans(json: &RawValue, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let answer = member(json, "spans");
    let list = answer.unwrap_or(json);
    let one = (!raw::is_list(list)).then(|| format!("[{}]", list.get()));
    let list = one.as_deref().unwrap_or_else(|| list.get());
    intake.decode(list.len(), |builder, report| {
        spans_json::decode(list.as_bytes(), builder, report)
    })
}
