//! A trace's document: fields by which it is sorted and narrowed, and its rows.
//!
//! | field | |
//! |---|---|
//! | `s`, `d`, `a` | start, duration, last arrival, in ns; shifted so that a signed number holds them in order |
//! | `t` | the trace's id, also the document's own, in 22 characters that sort as its bytes do |
//! | `k` | terms, not stored |
//! | `x` | distinct texts of the rows |
//! | `b` | the rows, column by column, as base64 of version 1 · varints |

use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use tracewell_model::{TraceId, TraceStatus};
use xxhash_rust::xxh3::xxh3_128;

use crate::columns::{decode, encode};
use crate::rows::Rows;

/// Longer terms are hashed; Lucene refuses those of 32 KiB.
const TERM_BYTES_MAX: usize = 256;

/// Characters in the order of their codes: encoded ids sort as their bytes do.
const SORTED: &str = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const IDS: GeneralPurpose = match Alphabet::new(SORTED) {
    Ok(alphabet) => GeneralPurpose::new(&alphabet, NO_PAD),
    Err(_) => panic!("64 different characters"),
};

/// A document as it is read and written.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Document {
    s: i64,
    d: i64,
    a: i64,
    t: String,
    #[serde(default, skip_deserializing)]
    k: Vec<String>,
    x: Vec<String>,
    b: String,
}

impl Document {
    pub(crate) fn new(trace_id: TraceId, rows: &Rows) -> Document {
        let (start, end) = rows.extent(u64::MAX).unwrap_or_default();
        let arrived = rows.rows.iter().map(|row| row.arrived_unix_ns).max();
        Document {
            s: shifted(start),
            d: shifted(end - start),
            a: shifted(arrived.unwrap_or_default()),
            t: encoded_id(trace_id),
            k: terms(rows),
            x: rows.texts.iter().map(|text| text.to_string()).collect(),
            b: STANDARD_NO_PAD.encode(encode(rows)),
        }
    }

    /// Whose it is, and its rows; none if they are damaged or of a newer version.
    pub(crate) fn open(self) -> Option<(TraceId, Rows)> {
        let trace_id = IDS.decode(&self.t).ok()?;
        let mut rows = Rows::default();
        for (at, text) in (0..).zip(&self.x) {
            // A text that stands twice would get its first position.
            if rows.intern(text) != at {
                return None;
            }
        }
        decode(&STANDARD_NO_PAD.decode(&self.b).ok()?, &mut rows)?;
        Some((TraceId::from_slice(&trace_id)?, rows))
    }
}

/// A number in a field of signed ones, in the same order.
pub(crate) fn shifted(number: u64) -> i64 {
    (number ^ (1 << 63)).cast_signed()
}

/// The number that was shifted.
pub(crate) fn unshifted(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

/// A document's id.
pub(crate) fn encoded_id(trace_id: TraceId) -> String {
    IDS.encode(trace_id.0)
}

/// What a trace is narrowed by. Each begins with a letter for its kind.
pub(crate) mod term {
    use super::{TERM_BYTES_MAX, TraceStatus, xxh3_128};

    /// Some span of the service.
    pub(crate) fn service(name: &str) -> String {
        short(format!("s{name}"))
    }

    /// Some span of the operation.
    pub(crate) fn operation(name: &str) -> String {
        short(format!("o{name}"))
    }

    /// Some span of both.
    pub(crate) fn both(service: &str, operation: &str) -> String {
        short(format!("b{service}\0{operation}"))
    }

    /// Some span failed.
    pub(crate) fn error() -> String {
        "e".to_owned()
    }

    /// Some span of the service failed.
    pub(crate) fn service_error(name: &str) -> String {
        short(format!("f{name}"))
    }

    /// The trace's status.
    pub(crate) fn status(status: TraceStatus) -> String {
        format!("p{}", status.name())
    }

    /// Some span has the attribute.
    pub(crate) fn key(key: &str) -> String {
        short(format!("k{key}"))
    }

    /// Some span has the attribute with this value.
    pub(crate) fn tag(key: &str, text: &str) -> String {
        short(format!("t{key}={text}"))
    }

    fn short(term: String) -> String {
        match term.len() <= TERM_BYTES_MAX {
            true => term,
            false => format!("#{:032x}", xxh3_128(term.as_bytes())),
        }
    }
}

/// A term to be, by positions of texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Service(u32),
    Operation(u32),
    Both(u32, u32),
    ServiceError(u32),
    Key(u32),
    Tag(u32, u32),
}

/// A trace's terms, each once. Its spans have most of them in common: words are made of what is left.
fn terms(rows: &Rows) -> Vec<String> {
    let mut found = Vec::new();
    for row in &rows.rows {
        found.push(Found::Service(row.service));
        found.push(Found::Operation(row.operation));
        found.push(Found::Both(row.service, row.operation));
        if row.error {
            found.push(Found::ServiceError(row.service));
        }
        for &(key, text) in &row.tags {
            found.push(Found::Key(key));
            found.push(Found::Tag(key, text));
        }
    }
    found.sort_unstable();
    found.dedup();
    let text = |at| rows.text(at);
    let words = found.into_iter().map(|found| match found {
        Found::Service(name) => term::service(text(name)),
        Found::Operation(name) => term::operation(text(name)),
        Found::Both(service, operation) => term::both(text(service), text(operation)),
        Found::ServiceError(name) => term::service_error(text(name)),
        Found::Key(key) => term::key(text(key)),
        Found::Tag(key, value) => term::tag(text(key), text(value)),
    });
    let mut terms: Vec<String> = words.collect();
    terms.push(term::status(rows.status()));
    terms.extend(rows.has_error().then(term::error));
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_sort_as_what_they_stand_for() {
        let ids = [0, 1, 0x7f, 0x80, 0xff].map(|byte| {
            let mut id = [9; 16];
            id[3] = byte;
            TraceId(id)
        });
        assert!(ids.map(encoded_id).is_sorted());
        let numbers = [0, 1, i64::MAX as u64, 1 << 63, u64::MAX];
        assert!(numbers.map(shifted).is_sorted());
        assert_eq!(numbers.map(|number| unshifted(shifted(number))), numbers);
    }
}
