//! One search while it goes on: the documents that came, made traces again and judged.

use std::cmp::Reverse;

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;
use tracewell_model::{TraceId, TraceSummary};
use tracewell_storage::find::Order;
use tracewell_storage::{Cursor, Found, TraceHit, TraceQuery};

use crate::document::{Document, encoded_id};
use crate::names;
use crate::rows::Rows;

/// A document as OpenSearch hands it out.
#[derive(Deserialize)]
pub(crate) struct Hit {
    #[serde(rename = "_index")]
    pub(crate) index: String,
    #[serde(rename = "_id")]
    pub(crate) id: String,
    #[serde(rename = "_source")]
    pub(crate) source: Option<Document>,
    #[serde(default)]
    pub(crate) sort: (i64, String),
}

/// What one search knows while it looks.
pub(crate) struct Search<'a> {
    query: &'a TraceQuery,
    horizon_unix_ns: u64,
    seen: HashSet<TraceId>,
    /// With the keys they had at the horizon.
    hits: Vec<(u64, TraceHit)>,
    pub(crate) found: Found,
    damaged: u64,
    cut: u64,
}

impl<'a> Search<'a> {
    pub(crate) fn new(query: &'a TraceQuery, horizon_unix_ns: u64) -> Search<'a> {
        let mut searched = names::searched();
        searched.from_unix_ns = query.start_unix_ns;
        searched.to_unix_ns = query.end_unix_ns;
        Search {
            query,
            horizon_unix_ns,
            seen: HashSet::new(),
            hits: Vec::new(),
            found: Found {
                searched,
                ..Found::default()
            },
            damaged: 0,
            cut: 0,
        }
    }

    /// Looks at a page's traces, each with all its documents.
    pub(crate) fn look(&mut self, page: Vec<Hit>, others: Vec<Hit>) {
        let mut traces: Vec<TraceId> = Vec::new();
        let mut rows: HashMap<TraceId, Rows> = HashMap::new();
        let on_page = page.len();
        for (at, hit) in page.into_iter().chain(others).enumerate() {
            let Some(Some((id, more))) = hit.source.map(Document::open) else {
                self.damaged += 1;
                continue;
            };
            if at < on_page && self.seen.insert(id) {
                traces.push(id);
            }
            rows.entry(id)
                .and_modify(|rows| rows.absorb(&more))
                .or_insert(more);
        }
        for id in traces {
            if let Some(rows) = rows.get(&id) {
                self.consider(id, rows);
            }
        }
    }

    fn consider(&mut self, id: TraceId, rows: &Rows) {
        self.found.searched.head_spans += rows.rows.len() as u64;
        // Not there yet at the horizon: it came after the first page.
        let Some((start, end)) = rows.extent(self.horizon_unix_ns) else {
            return;
        };
        let key = match self.query.order {
            Order::Newest => start,
            Order::Slowest => end - start,
        };
        let shown = |cursor: &Cursor| !cursor.is_before(key, id);
        if self.query.cursor.as_ref().is_some_and(shown) {
            return;
        }
        let batch = rows.to_batch(id);
        let matching = batch.spans().filter(|span| self.query.matches_span(*span));
        let Some(matched) = matching.min_by_key(|span| (span.start_unix_ns(), span.span_id()))
        else {
            return;
        };
        // Rows were told apart by their whole content when they came.
        let spans: Vec<_> = batch.spans().collect();
        let summary = TraceSummary::of_distinct(&spans);
        let Some(summary) = summary.filter(|summary| self.query.matches_trace(summary)) else {
            return;
        };
        self.cut += u64::from(rows.left_out > 0);
        let matched_span_id = matched.span_id();
        let hit = TraceHit {
            summary,
            matched_span_id,
        };
        self.hits.push((key, hit));
    }

    /// Hits that nothing further down can come before.
    pub(crate) fn settled(&self, (key, id): &(u64, String)) -> usize {
        let before = |hit: &&(u64, TraceHit)| {
            (Reverse(hit.0), encoded_id(hit.1.summary.trace_id)) <= (Reverse(*key), id.clone())
        };
        self.hits.iter().filter(before).count()
    }

    pub(crate) fn finish(mut self) -> Found {
        self.hits
            .sort_by_key(|(key, hit)| (Reverse(*key), hit.summary.trace_id));
        let more = self.hits.len() > self.query.limit;
        self.hits.truncate(self.query.limit);
        if let Some((key, last)) = self.hits.last().filter(|_| more) {
            self.found.next = Some(Cursor {
                key: *key,
                trace_id: last.summary.trace_id,
                horizon_unix_ns: self.horizon_unix_ns,
            });
        }
        if self.damaged > 0 {
            let damaged = format!("{} documents of the index are damaged", self.damaged);
            self.found.incomplete.push(damaged);
        }
        if self.cut > 0 {
            let cut = format!(
                "{} traces have more spans than the index holds of one",
                self.cut
            );
            self.found.incomplete.push(cut);
        }
        self.found.hits = self.hits.into_iter().map(|(_, hit)| hit).collect();
        self.found
    }
}
