//! Takes dropped traces out of the index: those of their documents to which nothing was added since.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};
use tracewell_model::TraceId;
use tracewell_storage::sampling::ledger::Erased;
use tracewell_storage::{Class, Eraser, Error};

use crate::document::{encoded_id, unshifted};
use crate::http::Http;
use crate::indices::index_of;
use crate::settings::Settings;

/// Documents of one request.
const TOGETHER: usize = 1_000;
const DAY_NS: u64 = 86_400_000_000_000;

/// Erases documents.
#[derive(Debug)]
pub struct OpenSearchEraser {
    http: Http,
}

/// A document that may have to go.
struct Doomed {
    index: String,
    trace_id: TraceId,
    as_of_unix_ns: u64,
}

#[derive(Deserialize)]
struct Read {
    docs: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "_seq_no")]
    number: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
    #[serde(rename = "_source")]
    source: Option<Arrived>,
}

#[derive(Deserialize)]
struct Arrived {
    a: i64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    items: Vec<HashMap<String, Done>>,
}

#[derive(Deserialize)]
struct Done {
    status: u16,
    #[serde(default)]
    error: Value,
}

impl OpenSearchEraser {
    /// Nothing is sent yet: an error is one of the settings.
    pub fn new(settings: Settings) -> Result<OpenSearchEraser, Error> {
        let http = Http::new(settings)?;
        Ok(OpenSearchEraser { http })
    }

    /// One for every day on which spans of the trace arrived.
    fn doomed(&self, traces: &[Erased]) -> Vec<Doomed> {
        let mut doomed = Vec::new();
        for erased in traces {
            let (first, last) = erased.arrived_unix_ns;
            let days = first / DAY_NS..=last.max(first) / DAY_NS;
            doomed.extend(days.map(|day| Doomed {
                index: index_of(&self.http.settings, day * DAY_NS),
                trace_id: erased.trace_id,
                as_of_unix_ns: erased.as_of_unix_ns,
            }));
        }
        doomed
    }

    /// Of these, what is there and has nothing newer, as lines of a request.
    fn lines(&self, doomed: &[Doomed]) -> Result<Vec<u8>, Error> {
        let docs = doomed.iter().map(
            |one| json!({"_index": one.index, "_id": encoded_id(one.trace_id), "_source": ["a"]}),
        );
        let body = json!({"docs": docs.collect::<Vec<_>>()}).to_string();
        let read: Read = self.http.ask("POST", "_mget", body.as_bytes())?;
        let mut lines = Vec::new();
        for (one, found) in doomed.iter().zip(read.docs) {
            let is_old = |source: Arrived| unshifted(source.a) <= one.as_of_unix_ns;
            let (Some(number), Some(term), Some(true)) =
                (found.number, found.term, found.source.map(is_old))
            else {
                continue;
            };
            let line = json!({"delete": {
                "_index": one.index, "_id": encoded_id(one.trace_id),
                "if_seq_no": number, "if_primary_term": term,
            }});
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        Ok(lines)
    }

    fn delete(&self, lines: &[u8]) -> Result<(), Error> {
        let path = "_bulk?filter_path=items.*.status,items.*.error.reason";
        let answer: Answer = self.http.ask("POST", path, lines)?;
        for done in answer.items.into_iter().flat_map(HashMap::into_values) {
            // Gone already, or something was added meanwhile, which came late.
            if !matches!(done.status, 200..300 | 404 | 409) {
                let Done { status, error } = done;
                let said = format!("OpenSearch does not erase documents: {status}, {error}");
                return Err(Error::new(Class::Retryable, said));
            }
        }
        Ok(())
    }
}

impl Eraser for OpenSearchEraser {
    fn erase(&self, traces: &[Erased]) -> Result<(), Error> {
        let doomed = self.doomed(traces);
        for some in doomed.chunks(TOGETHER) {
            let lines = self.lines(some)?;
            if !lines.is_empty() {
                self.delete(&lines)?;
            }
        }
        // Searches see it from now on, not a second later.
        let indices: BTreeSet<&str> = doomed.iter().map(|one| one.index.as_str()).collect();
        for index in indices {
            let path = format!("{index}/_refresh?ignore_unavailable=true");
            self.http.ask::<Value>("POST", &path, &[])?;
        }
        Ok(())
    }
}
