//! Names as documents of their own, so that lists of services, operations, keys and values are read
//! without looking at a trace: one each a day, with the field `n`. The kind is its first letter.

use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};
use tracewell_storage::{Error, Names, Searched};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::http::Http;
use crate::rows::Rows;

/// Values of one key that are listed a day; whoever types wants a few of them.
const VALUES_PER_KEY_MAX: u32 = 1_000;
/// Names known to be written; emptied when full, which only costs writing them again.
const KNOWN_MAX: usize = 500_000;
/// Names asked for in one request.
const TOGETHER: usize = 1_000;

pub(crate) fn service(name: &str) -> String {
    format!("s{name}")
}

pub(crate) fn operation(service: &str, name: &str) -> String {
    format!("o{service}\0{name}")
}

pub(crate) fn key(name: &str) -> String {
    format!("k{name}")
}

pub(crate) fn value(key: &str, text: &str) -> String {
    format!("v{key}\0{text}")
}

/// Said of a key that has more values than are listed.
fn capped(key: &str) -> String {
    format!("c{key}\0")
}

/// The document's id: a name is written over itself.
pub(crate) fn id(name: &str) -> String {
    format!("n{:032x}", xxh3_128(name.as_bytes()))
}

/// Which names were written today.
#[derive(Debug, Default)]
pub(crate) struct Known {
    index: String,
    known: HashSet<u64>,
    values: HashMap<u64, u32>,
}

impl Known {
    /// The names of the rows from here on that are not known to be written to this index.
    pub(crate) fn new_names(&mut self, index: &str, rows: &Rows, from: usize) -> Vec<String> {
        if self.index != index || self.known.len() > KNOWN_MAX {
            *self = Known {
                index: index.to_owned(),
                ..Known::default()
            };
        }
        // Spans of a trace have most names in common: each is looked up once.
        let (mut operations, mut tags) = (Vec::new(), Vec::new());
        for row in rows.rows.iter().skip(from) {
            operations.push((row.service, row.operation));
            tags.extend_from_slice(&row.tags);
        }
        let mut new = Vec::new();
        for (of, name) in once(operations) {
            self.note(service(rows.text(of)), &mut new);
            self.note(operation(rows.text(of), rows.text(name)), &mut new);
        }
        for (of, text) in once(tags) {
            self.note_value(rows.text(of), rows.text(text), &mut new);
        }
        new
    }

    fn note_value(&mut self, of: &str, text: &str, new: &mut Vec<String>) {
        self.note(key(of), new);
        let name = value(of, text);
        if self.known.contains(&xxh3_64(name.as_bytes())) {
            return;
        }
        let values = self.values.entry(xxh3_64(of.as_bytes())).or_default();
        *values += 1;
        match *values <= VALUES_PER_KEY_MAX {
            true => self.note(name, new),
            false => self.note(capped(of), new),
        }
    }

    fn note(&mut self, name: String, new: &mut Vec<String>) {
        if self.known.insert(xxh3_64(name.as_bytes())) {
            new.push(name);
        }
    }
}

fn once(mut pairs: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Names that begin with `beginning`, without their first `cut` bytes: sorted, at most `limit`.
pub(crate) fn list(http: &Http, beginning: &str, cut: usize, limit: usize) -> Result<Names, Error> {
    let mut names = Names {
        searched: searched(),
        ..Names::default()
    };
    let mut after: Option<Value> = None;
    while names.names.len() <= limit {
        let mut body = json!({
            "size": TOGETHER, "_source": false, "track_total_hits": false,
            "query": {"prefix": {"n": beginning}},
            "sort": [{"n": {"order": "asc", "unmapped_type": "keyword"}}],
        });
        if let Some(after) = &after {
            body["search_after"] = json!([after]);
        }
        let path = format!(
            "{}-*/_search?ignore_unavailable=true&filter_path=hits.hits.sort",
            http.settings.prefix
        );
        let answer: Value = http.ask("POST", &path, body.to_string().as_bytes())?;
        let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
        let hits = hits.map_or(&[][..], Vec::as_slice);
        for hit in hits {
            let name = hit.pointer("/sort/0").and_then(Value::as_str).unwrap_or("");
            let name = name.get(cut..).unwrap_or("");
            // Each day has its own.
            if names.names.last().is_none_or(|last| last != name) {
                names.names.push(name.to_owned());
            }
        }
        after = hits.last().and_then(|hit| hit.pointer("/sort/0")).cloned();
        if hits.len() < TOGETHER {
            break;
        }
    }
    names.capped = names.names.len() > limit;
    names.names.truncate(limit);
    Ok(names)
}

/// Values of a key. Capped also where not all of them were written.
pub(crate) fn list_values(
    http: &Http,
    of: &str,
    prefix: &str,
    limit: usize,
) -> Result<Names, Error> {
    let beginning = value(of, prefix);
    let mut names = list(http, &beginning, beginning.len() - prefix.len(), limit)?;
    names.capped |= !list(http, &capped(of), 0, 1)?.names.is_empty();
    Ok(names)
}

pub(crate) fn searched() -> Searched {
    Searched {
        backend: "opensearch",
        ..Searched::default()
    }
}
