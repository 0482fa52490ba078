//! The finder: OpenSearch narrows, sorts and pages; every trace it names is looked at again, whole,
//! by the predicates of `storage`, so that what is shown is what was asked for.

use hashbrown::HashSet;
use serde::Deserialize;
use serde_json::{Value, json};
use tracewell_model::limits;
use tracewell_storage::find::{TagCondition, TagFilter};
use tracewell_storage::{Error, Found, Names, ReadContext, TraceFinder, TraceQuery};

use crate::document::unshifted;
use crate::http::Http;
use crate::names;
use crate::query;
use crate::search::{Hit, Search};
use crate::settings::Settings;

/// Documents of one request, at least and at most: some will not match.
const PAGE_MIN: usize = 20;
const PAGE_MAX: usize = 1_000;
/// OpenSearch refuses to be asked for more at once.
const RESULTS_MAX: usize = 10_000;

/// Finds traces in the index.
#[derive(Debug)]
pub struct OpenSearchFinder {
    http: Http,
}

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    timed_out: bool,
    #[serde(default, rename = "_shards")]
    shards: Shards,
    #[serde(default)]
    hits: Hits,
}

#[derive(Default, Deserialize)]
struct Shards {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    failed: u64,
}

#[derive(Default, Deserialize)]
struct Hits {
    #[serde(default)]
    hits: Vec<Hit>,
}

impl OpenSearchFinder {
    /// A finder in this index; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<OpenSearchFinder, Error> {
        let http = Http::new(settings)?;
        Ok(OpenSearchFinder { http })
    }

    fn search(&self, body: &Value) -> Result<Answer, Error> {
        let path = format!(
            "{}-*/_search?ignore_unavailable=true",
            self.http.settings.prefix
        );
        self.http.ask("POST", &path, body.to_string().as_bytes())
    }

    /// What the index does not hold of spans that a condition may hold of.
    fn left_out(&self, tag: &TagFilter) -> Vec<String> {
        let settings = &self.http.settings;
        let mut left_out: Vec<String> = settings.attributes.missing(&tag.key).into_iter().collect();
        let max = settings.value_bytes_max;
        if matches!(&tag.condition, TagCondition::Equals(text) if text.len() > max) {
            left_out.push(format!("the search index has no values over {max} bytes"));
        }
        left_out
    }

    /// The latest arrival that a search now can see (D18).
    fn latest_arrival(&self) -> Result<u64, Error> {
        let answer = self.search(&json!({
            "size": 1, "_source": false, "track_total_hits": false,
            "query": {"exists": {"field": "a"}},
            "sort": [
                {"a": {"order": "desc", "unmapped_type": "long"}},
                {"t": {"order": "asc", "unmapped_type": "keyword"}},
            ],
        }))?;
        let latest = answer.hits.hits.first().map(|hit| unshifted(hit.sort.0));
        Ok(latest.unwrap_or(0))
    }

    /// The documents that these traces have on other days.
    fn other_days(&self, page: &[Hit]) -> Result<Vec<Hit>, Error> {
        let ids: Vec<&str> = page.iter().map(|hit| hit.id.as_str()).collect();
        let answer = self.search(&json!({
            "size": RESULTS_MAX.min(ids.len() * self.http.settings.kept_days.max(1) as usize),
            "_source": false, "track_total_hits": false,
            "query": {"ids": {"values": ids}}, "sort": ["s", "t"],
        }))?;
        let known: HashSet<_> = page.iter().map(|hit| (&hit.index, &hit.id)).collect();
        let others = answer.hits.hits.into_iter();
        let others = others.filter(|hit| !known.contains(&(&hit.index, &hit.id)));
        let docs: Vec<_> = others
            .map(|hit| json!({"_index": hit.index, "_id": hit.id}))
            .collect();
        if docs.is_empty() {
            return Ok(Vec::new());
        }
        #[derive(Deserialize)]
        struct Read {
            docs: Vec<Hit>,
        }
        let body = json!({"docs": docs}).to_string();
        let read: Read = self.http.ask("POST", "_mget", body.as_bytes())?;
        Ok(read.docs)
    }
}

impl TraceFinder for OpenSearchFinder {
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        context.check()?;
        let horizon_unix_ns = match &query.cursor {
            Some(cursor) => cursor.horizon_unix_ns,
            None => self.latest_arrival()?,
        };
        let mut search = Search::new(query, horizon_unix_ns);
        let left_out = query.tags.iter().flat_map(|tag| self.left_out(tag));
        search.found.incomplete.extend(left_out);

        let mut size = (query.limit + query.limit / 4).clamp(PAGE_MIN, PAGE_MAX);
        let mut after = query.cursor.as_ref().map(query::after);
        loop {
            if let Err(stopped) = context.check() {
                search.found.incomplete.push(stopped.message);
                break;
            }
            let answer = self.search(&query::body(query, size, after.as_ref()))?;
            search.found.searched.segments = answer.shards.total;
            search.found.searched.blocks_read += 1;
            if answer.timed_out || answer.shards.failed > 0 {
                let failed = answer.shards.failed;
                let partly = format!("OpenSearch answered in part: {failed} shards failed");
                search.found.incomplete.push(partly);
            }
            let page = answer.hits.hits;
            let last = page
                .last()
                .map(|hit| (unshifted(hit.sort.0), hit.sort.1.clone()));
            let is_last = page.len() < size;
            if let Some(last) = last {
                // A single index has no others.
                let others = match answer.shards.total > u64::from(self.http.settings.shards) {
                    true => self.other_days(&page)?,
                    false => Vec::new(),
                };
                search.look(page, others);
                after = Some(last);
            }
            // One more than asked for: then there is a next page.
            let settled = after.as_ref().map_or(0, |last| search.settled(last));
            if is_last || settled > query.limit {
                break;
            }
            size = (size * 2).min(PAGE_MAX);
        }
        Ok(search.finish())
    }

    fn list_services(&self, context: &ReadContext) -> Result<Names, Error> {
        context.check()?;
        names::list(&self.http, &names::service(""), 1, limits::SERVICES_MAX)
    }

    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error> {
        context.check()?;
        let beginning = names::operation(service, "");
        let max = limits::OPERATIONS_PER_SERVICE_MAX;
        names::list(&self.http, &beginning, beginning.len(), max)
    }

    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        context.check()?;
        names::list(&self.http, &names::key(prefix), 1, limit)
    }

    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        context.check()?;
        let mut names = names::list_values(&self.http, key, prefix, limit)?;
        names
            .incomplete
            .extend(self.http.settings.attributes.missing(key));
        Ok(names)
    }
}
