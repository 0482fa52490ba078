//! `_bulk`: documents in one request, and what became of each of them. The answer's own status says
//! nothing: it is 200 when every single item was refused (F-23).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tracewell_model::TraceId;
use tracewell_storage::Error;

use crate::document::{Document, encoded_id};
use crate::http::Http;
use crate::names;
use crate::rows::Rows;

/// What a request holds at most, about.
pub(crate) const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Which writing of a document this is: a later one is refused if another came between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) term: u64,
}

/// What a line is about.
#[derive(Debug)]
pub(crate) enum Item {
    Trace(TraceId),
    Name(String),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Written(Version),
    /// There is another document, or a later writing of it.
    Conflict,
    /// It may go in later.
    Later(String),
    /// It never will.
    Never(String),
}

/// Lines of a request.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    pub(crate) body: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

impl Bulk {
    /// A trace's document: a new one, or in place of the version that is known.
    pub(crate) fn put_trace(
        &mut self,
        index: &str,
        trace_id: TraceId,
        rows: &Rows,
        known: Option<Version>,
    ) {
        let id = encoded_id(trace_id);
        let action = match known {
            None => json!({"create": {"_index": index, "_id": id}}),
            Some(Version { number, term }) => json!({"index": {
                "_index": index, "_id": id, "if_seq_no": number, "if_primary_term": term,
            }}),
        };
        self.line(&action);
        self.line(&Document::new(trace_id, rows));
        self.items.push(Item::Trace(trace_id));
    }

    pub(crate) fn put_name(&mut self, index: &str, name: String) {
        self.line(&json!({"index": {"_index": index, "_id": names::id(&name)}}));
        self.line(&json!({"n": name}));
        self.items.push(Item::Name(name));
    }

    fn line(&mut self, line: &impl serde::Serialize) {
        serde_json::to_writer(&mut self.body, line).expect("texts and numbers are JSON");
        self.body.push(b'\n');
    }

    /// Sends the lines; answers what became of each.
    pub(crate) fn send(self, http: &Http) -> Result<Vec<(Item, Outcome)>, Error> {
        if self.items.is_empty() {
            return Ok(Vec::new());
        }
        let kept = "items.*.status,items.*._seq_no,items.*._primary_term,items.*.error.reason,items.*.error.caused_by.reason";
        let answer: Answer = http.ask("POST", &format!("_bulk?filter_path={kept}"), &self.body)?;
        if answer.items.len() != self.items.len() {
            let (sent, told) = (self.items.len(), answer.items.len());
            return Err(Error::retryable(format!(
                "OpenSearch told of {told} of {sent} documents"
            )));
        }
        let done = answer.items.into_iter().map(|item| {
            let done = item.into_values().next().unwrap_or_default();
            done.outcome()
        });
        Ok(self.items.into_iter().zip(done).collect())
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    items: Vec<HashMap<String, Done>>,
}

#[derive(Default, Deserialize)]
struct Done {
    #[serde(default)]
    status: u16,
    #[serde(rename = "_seq_no")]
    number: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
    #[serde(default)]
    error: Value,
}

impl Done {
    fn outcome(self) -> Outcome {
        let text = |at: &str| self.error.pointer(at).and_then(Value::as_str);
        let reason = [text("/reason"), text("/caused_by/reason")];
        let reason = reason.into_iter().flatten().collect::<Vec<_>>().join(": ");
        match (self.status, self.number, self.term) {
            (200..300, Some(number), Some(term)) => Outcome::Written(Version { number, term }),
            (409, ..) => Outcome::Conflict,
            // The document itself is at fault. All else, a full disk, a forbidden write, passes.
            (400, ..) => Outcome::Never(reason),
            (status, ..) => Outcome::Later(format!("status {status}, {reason}")),
        }
    }
}

/// A document as it is now, with its version; neither where there is none.
pub(crate) type Known = (Option<Version>, Option<Document>);

/// These documents as they are now.
pub(crate) fn read<'a>(
    http: &Http,
    ids: impl Iterator<Item = (&'a str, TraceId)>,
) -> Result<Vec<Known>, Error> {
    let docs = ids.map(|(index, id)| json!({"_index": index, "_id": encoded_id(id)}));
    let body = json!({"docs": docs.collect::<Vec<_>>()}).to_string();
    let answer: Read = http.ask("POST", "_mget", body.as_bytes())?;
    let docs = answer.docs.into_iter().map(|doc| {
        let version = doc.number.zip(doc.term);
        let version = version.map(|(number, term)| Version { number, term });
        (version, doc.source)
    });
    Ok(docs.collect())
}

#[derive(Deserialize)]
struct Read {
    docs: Vec<ReadDocument>,
}

#[derive(Deserialize)]
struct ReadDocument {
    #[serde(rename = "_seq_no")]
    number: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
    #[serde(rename = "_source")]
    source: Option<Document>,
}
