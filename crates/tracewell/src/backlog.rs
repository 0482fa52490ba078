//! The backlog: spans that are acknowledged and that the store has not taken in. The log absorbs
//! bursts; a sender that stays faster than the store is told to come again before the backlog is
//! more than a few seconds of work, and answers say when something may be missing for it.

use std::sync::Arc;
use std::time::Duration;

use tracewell_collector::{Collector, Hold};
use tracewell_model::TraceId;
use tracewell_storage::{
    Error, Found, FoundTrace, Names, ReadContext, SpanLog, TraceFinder, TraceQuery, TraceReader,
};
use tracewell_workers::{indexer, storage_writer};

/// Spans of backlog at which ingest is held off; at half of them it goes on.
const SPANS_MAX: u64 = 2_000_000;
/// How often the backlog is looked at: at a million spans a second it grows by a twentieth meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// An older backlog is said in answers: until then D8 holds.
const SAID_NS: u64 = 1_000_000_000;

/// Whether ingest is to be held off, given that it is now.
fn is_to_be_closed(backlog_spans: u64, is_closed: bool) -> bool {
    backlog_spans > if is_closed { SPANS_MAX / 2 } else { SPANS_MAX }
}

/// Opens and closes the collector's door, forever; for a task of its own.
pub(crate) async fn hold_off(log: Arc<dyn SpanLog>, collector: Collector) {
    let mut is_closed = false;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let backlog_spans = log.status().lag_spans(storage_writer::GROUP);
        let close = is_to_be_closed(backlog_spans, is_closed);
        if close != is_closed {
            is_closed = close;
            collector.hold(Hold::Backlog, close);
            tracing::warn!(
                backlog_spans,
                closed = close,
                "ingest and the store's backlog"
            );
        }
    }
}

/// A reader whose answers say that what it reads from is behind.
pub(crate) struct Behind<R> {
    pub(crate) reader: Arc<R>,
    pub(crate) log: Arc<dyn SpanLog>,
    /// Whose sink that is.
    pub(crate) group: &'static str,
}

impl<R> Behind<R> {
    fn say(&self, incomplete: &mut Vec<String>) {
        let status = self.log.status();
        if let Some(group) = status.group(self.group)
            && group.lag_ns >= SAID_NS
        {
            let (spans, seconds) = (group.lag_spans, group.lag_ns / 1_000_000_000);
            let what = match self.group {
                indexer::GROUP => "the search index",
                _ => "the store",
            };
            incomplete.push(format!(
                "{what} is {seconds} s behind: {spans} acknowledged spans cannot be found yet"
            ));
        }
    }
}

impl<R: TraceReader> TraceReader for Behind<R> {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        let mut found = self.reader.get_trace(id, context)?;
        // One that is found is most likely whole; one that is not may be on its way.
        if found.is_empty() {
            self.say(&mut found.incomplete);
        }
        Ok(found)
    }
}

impl<R: TraceFinder> TraceFinder for Behind<R> {
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        let mut found = self.reader.find_traces(query, context)?;
        self.say(&mut found.incomplete);
        Ok(found)
    }

    fn list_services(&self, context: &ReadContext) -> Result<Names, Error> {
        self.reader.list_services(context)
    }

    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error> {
        self.reader.list_operations(service, context)
    }

    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.reader.list_tag_keys(prefix, limit, context)
    }

    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.reader.list_tag_values(key, prefix, limit, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_closed_opens_at_half() {
        assert!(!is_to_be_closed(SPANS_MAX, false));
        assert!(is_to_be_closed(SPANS_MAX + 1, false));
        assert!(is_to_be_closed(SPANS_MAX, true));
        assert!(!is_to_be_closed(SPANS_MAX / 2, true));
    }
}
