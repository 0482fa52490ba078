//! The CSV of Nezha's traces (D5's Nezha row): a header line, then one span a line.
//!
//! The pod's name less its last two dash-parts is the service, the whole is the resource attribute
//! `k8s.pod.name`. The parent `root` means none. Times are nanoseconds; the duration is end less
//! start, because the `Duration` column has microseconds only.

use std::borrow::Cow;

use tracewell_model::{Marks, SpanId, TraceId};

use super::draft::{Draft, Parsed, Source};
use super::intake::Intake;
use crate::report::{DecodeError, Reason, Refused};

/// The columns that are read, by their names in the header.
const COLUMNS: [&str; 7] = [
    "TraceID",
    "SpanID",
    "ParentID",
    "PodName",
    "OperationName",
    "StartTimeUnixNano",
    "EndTimeUnixNano",
];

/// True when this is the header line of such a file.
pub(super) fn is_header(line: &str) -> bool {
    columns(line).is_some()
}

/// Where each of [`COLUMNS`] stands.
fn columns(header: &str) -> Option<[usize; 7]> {
    let mut at = [0; 7];
    let (names, _) = record(header);
    for (column, position) in COLUMNS.iter().zip(&mut at) {
        *position = names.iter().position(|name| name.trim() == *column)?;
    }
    Some(at)
}

/// Reads the whole file.
pub(super) fn decode(text: &str, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let header = text.lines().next().unwrap_or("");
    let columns = columns(header).ok_or_else(|| {
        let accepted = COLUMNS.join(",");
        DecodeError::Malformed(format!("the first line does not name {accepted}"))
    })?;
    let mut left = text.get(header.len()..).unwrap_or("").trim_start();
    while !left.is_empty() {
        let (fields, rest) = record(left);
        let input_bytes = left.len() - rest.len();
        if fields.iter().any(|field| !field.trim().is_empty()) {
            let cells = columns.map(|at| fields.get(at).map_or("", |field| field.trim()));
            intake.take(input_bytes, span(cells));
        }
        left = rest;
    }
    Ok(())
}

fn span(cells: [&str; 7]) -> Parsed<(Draft<'static>, Source<'static>)> {
    let [trace, span, parent, pod, operation, start, end] = cells;
    let refuse = |reason: Reason, cell: &str, accepted: &str| {
        let (name, seen) = (reason.name(), crate::json::excerpt(cell));
        Refused::new(
            reason,
            format!("{name} is {seen:?}, where {accepted} is accepted"),
        )
    };
    let id = "a hex id that is not zero";
    let mut draft = Draft::default();
    draft.trace_id = TraceId::from_hex(trace).ok_or_else(|| refuse(Reason::TraceId, trace, id))?;
    draft.span_id = SpanId::from_hex(span).ok_or_else(|| refuse(Reason::SpanId, span, id))?;
    draft.operation = Cow::Owned(operation.to_owned());
    if parent != "root" {
        let wrong = || refuse(Reason::ParentSpanId, parent, "a hex id or \"root\"");
        draft.parent = Some(SpanId::from_hex(parent).ok_or_else(wrong)?);
    }
    let ns = |reason: Reason, cell: &str| -> Parsed<u64> {
        cell.parse()
            .map_err(|_| refuse(reason, cell, "a number of nanoseconds"))
    };
    draft.start_unix_ns = ns(Reason::StartTime, start)?;
    draft.end_at(ns(Reason::Duration, end)?);
    if draft.start_unix_ns == 0 {
        draft.marks.set(Marks::NO_START_TIME);
    }
    Ok((draft, source(pod)?))
}

fn source(pod: &str) -> Parsed<Source<'static>> {
    if pod.is_empty() {
        return Err(Refused::new(Reason::ServiceName, "PodName is empty"));
    }
    // A deployment's pod is service-replicaset-pod; a name with fewer parts is the service's own.
    let service = pod
        .rsplitn(3, '-')
        .nth(2)
        .filter(|name| !name.is_empty())
        .unwrap_or(pod);
    let mut source = Source {
        key: Cow::Owned(pod.to_owned()),
        service: Some(Cow::Owned(service.to_owned())),
        ..Source::default()
    };
    source.attributes.text("service.name", service.to_owned());
    source.attributes.text("k8s.pod.name", pod.to_owned());
    Ok(source)
}

/// Fields of a record that are looked at: a line of millions of commas takes no room.
const FIELDS_MAX: usize = 64;

/// Splits the first record off: its fields, and what follows its line end. A field in quotes may
/// hold commas, line ends, and quotes written twice.
fn record(text: &str) -> (Vec<Cow<'_, str>>, &str) {
    let (mut fields, mut left) = (Vec::new(), text);
    loop {
        let (field, rest) = match left.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted),
            None => {
                let end = left.find([',', '\n']).unwrap_or(left.len());
                let (field, rest) = left.split_at(end);
                (Cow::Borrowed(field.trim_end_matches('\r')), rest)
            }
        };
        if fields.len() < FIELDS_MAX {
            fields.push(field);
        }
        match rest.strip_prefix(',') {
            Some(next) => left = next,
            None => {
                let rest = rest.strip_prefix('\r').unwrap_or(rest);
                return (fields, rest.strip_prefix('\n').unwrap_or(rest));
            }
        }
    }
}

/// A field whose opening quote is gone, and what follows it. Text between its closing quote and the
/// comma belongs to it, as spreadsheets read it.
fn quoted_field(text: &str) -> (Cow<'_, str>, &str) {
    let (mut field, mut left) = (String::new(), text);
    loop {
        let (part, rest) = left.split_once('"').unwrap_or((left, ""));
        field.push_str(part);
        match rest.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                left = next;
            }
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                let (tail, rest) = rest.split_at(end);
                field.push_str(tail.trim_end_matches('\r'));
                return (Cow::Owned(field), rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_are_read() {
        let cases: [(&str, &[&str], &str); 6] = [
            ("a,b\nc", &["a", "b"], "c"),
            ("a,\"b,\"\"x\"\"\n\",c\r\nd", &["a", "b,\"x\"\n", "c"], "d"),
            ("\"open", &["open"], ""),
            (",", &["", ""], ""),
            ("\"a\"tail,b", &["atail", "b"], ""),
            ("é\r\n", &["é"], ""),
        ];
        for (text, fields, left) in cases {
            let (read, rest) = record(text);
            assert_eq!(
                (read.as_slice(), rest),
                (
                    &fields.iter().map(|f| Cow::Borrowed(*f)).collect::<Vec<_>>()[..],
                    left
                ),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_service_is_the_pod_less_two_parts() {
        for (pod, service) in [
            ("frontend-579b9bff58-t2dbm", "frontend"),
            ("my-cart-1-2", "my-cart"),
            ("solo", "solo"),
            ("a-b", "a-b"),
            ("-a-b", "-a-b"),
        ] {
            assert_eq!(super::source(pod).unwrap().service.unwrap(), service);
        }
    }
}
