//! Search in memory: the semantics of D17 and D18 by brute force, to be read as their definition.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tracewell_model::{SpanRef, TraceId, TraceSummary, limits};

use super::store::{Arrival, MemoryStore, searched};
use crate::context::ReadContext;
use crate::error::Error;
use crate::find::{Cursor, Found, Names, Order, TraceFinder, TraceHit, TraceQuery};

/// The spans of one trace, each with its arrival.
type Spans<'a> = Vec<(u64, SpanRef<'a>)>;

impl TraceFinder for MemoryStore {
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        let arrivals = self.arrivals();
        let latest = arrivals.iter().map(|arrival| arrival.arrived_unix_ns).max();
        let horizon_unix_ns = match &query.cursor {
            Some(cursor) => cursor.horizon_unix_ns,
            None => latest.unwrap_or(0),
        };
        let mut found = Found {
            searched: searched(),
            ..Found::default()
        };
        found.searched.from_unix_ns = query.start_unix_ns;
        found.searched.to_unix_ns = query.end_unix_ns;
        let mut hits: Vec<(u64, TraceHit)> = Vec::new();
        for (id, spans) in traces(&arrivals) {
            if let Err(stopped) = context.check() {
                found.incomplete.push(stopped.message);
                break;
            }
            found.searched.head_spans += spans.len() as u64;
            let Some(key) = key(&spans, query.order, horizon_unix_ns) else {
                continue;
            };
            if query
                .cursor
                .is_some_and(|cursor| !cursor.is_before(key, id))
            {
                continue;
            }
            hits.extend(hit(query, &spans).map(|hit| (key, hit)));
        }
        hits.sort_by_key(|(key, hit)| (Reverse(*key), hit.summary.trace_id));
        let more = hits.len() > query.limit;
        hits.truncate(query.limit);
        if let Some((key, last)) = hits.last().filter(|_| more) {
            let trace_id = last.summary.trace_id;
            found.next = Some(Cursor {
                key: *key,
                trace_id,
                horizon_unix_ns,
            });
        }
        found.hits = hits.into_iter().map(|(_, hit)| hit).collect();
        Ok(found)
    }

    fn list_services(&self, context: &ReadContext) -> Result<Names, Error> {
        self.names(context, limits::SERVICES_MAX, |span, names| {
            names.insert(span.service().to_owned());
        })
    }

    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error> {
        self.names(
            context,
            limits::OPERATIONS_PER_SERVICE_MAX,
            |span, names| {
                if span.service() == service {
                    names.insert(span.operation().to_owned());
                }
            },
        )
    }

    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.names(context, limit, |span, names| {
            let keys = all_attributes(span).map(|attribute| attribute.key);
            names.extend(
                keys.filter(|key| key.starts_with(prefix))
                    .map(str::to_owned),
            );
        })
    }

    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.names(context, limit, |span, names| {
            let of_key = all_attributes(span).filter(|attribute| attribute.key == key);
            let texts = of_key.map(|attribute| attribute.value.text().into_owned());
            names.extend(texts.filter(|text| text.starts_with(prefix)));
        })
    }
}

impl MemoryStore {
    fn names(
        &self,
        context: &ReadContext,
        limit: usize,
        collect: impl Fn(SpanRef<'_>, &mut BTreeSet<String>),
    ) -> Result<Names, Error> {
        let mut names = BTreeSet::new();
        let mut searched = searched();
        for Arrival { batch, .. } in self.arrivals() {
            context.check()?;
            searched.head_spans += batch.len() as u64;
            batch.spans().for_each(|span| collect(span, &mut names));
        }
        let capped = names.len() > limit;
        let names = names.into_iter().take(limit).collect();
        Ok(Names {
            names,
            capped,
            searched,
            incomplete: Vec::new(),
        })
    }
}

fn traces(arrivals: &[Arrival]) -> BTreeMap<TraceId, Spans<'_>> {
    let mut traces: BTreeMap<TraceId, Spans<'_>> = BTreeMap::new();
    for Arrival {
        arrived_unix_ns,
        batch,
    } in arrivals
    {
        for span in batch.spans() {
            traces
                .entry(span.trace_id())
                .or_default()
                .push((*arrived_unix_ns, span));
        }
    }
    traces
}

/// The key of a trace as of the horizon (D18), so that what arrives between two pages cannot move
/// it past the cursor; none when the trace was not there yet.
fn key(spans: &Spans<'_>, order: Order, horizon_unix_ns: u64) -> Option<u64> {
    let there = || {
        let there = spans
            .iter()
            .filter(|(arrived, _)| *arrived <= horizon_unix_ns);
        there.map(|(_, span)| span)
    };
    let start = there().map(|span| span.start_unix_ns()).min()?;
    let end = there().map(|span| span.end_unix_ns()).max()?;
    Some(match order {
        Order::Newest => start,
        Order::Slowest => end - start,
    })
}

/// The hit that these spans make: one of them satisfies every span predicate, all together every
/// trace predicate.
fn hit(query: &TraceQuery, spans: &Spans<'_>) -> Option<TraceHit> {
    let spans = || spans.iter().map(|(_, span)| *span);
    let matching = spans().filter(|span| query.matches_span(*span));
    let matched = matching.min_by_key(|span| (span.start_unix_ns(), span.span_id()))?;
    let summary = TraceSummary::of(spans()).filter(|summary| query.matches_trace(summary))?;
    Some(TraceHit {
        summary,
        matched_span_id: matched.span_id(),
    })
}

fn all_attributes(span: SpanRef<'_>) -> impl Iterator<Item = tracewell_model::Attribute<'_>> {
    let own = span.attributes().chain(span.resource().attributes());
    own.chain(span.scope().attributes())
        .chain(span.event_attributes())
}
