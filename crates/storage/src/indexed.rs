//! A scan by the search index: for a store that is ordered by trace id, where a few minutes of spans lie
//! everywhere. The finder names the traces that began in the range, the reader reads them, some at a time.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tracewell_model::TraceSummary;

use crate::context::ReadContext;
use crate::error::Error;
use crate::find::{TraceFinder, TraceHit, TraceQuery};
use crate::scan::{Each, ScanQuery, Scanned, SpanScanner};
use crate::traces::{FoundTrace, TraceReader};

/// Hits of one question to the index.
const PAGE: usize = 1_000;
/// Traces that are read at once: what hides the way to the store.
const READERS: usize = 16;
/// Traces in memory at once.
const TOGETHER: usize = 64;
/// Traces that began earlier than so long before the range have spans in it only if they took longer.
const BEGAN_BEFORE_NS: u64 = 60_000_000_000;

/// Finder and reader as a scanner of recent spans. A range with both ends goes by the index, as far back as
/// that reaches: first the traces that began in it or in the minute before, the latest first, then the long
/// ones that began earlier and reach into it. Any other scan is the store's own.
#[derive(Debug)]
pub struct Indexed<F, S> {
    /// Names the traces.
    pub finder: Arc<F>,
    /// Has their spans.
    pub store: Arc<S>,
}

impl<F: TraceFinder, S: TraceReader + SpanScanner> SpanScanner for Indexed<F, S> {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        let (Some(from), Some(_)) = (query.start_unix_ns, query.end_unix_ns) else {
            return self.store.scan_spans(query, context, each);
        };
        let shortly_before = from.saturating_sub(BEGAN_BEFORE_NS);
        let recent = TraceQuery {
            service: query.service.clone(),
            start_unix_ns: Some(shortly_before),
            end_unix_ns: query.end_unix_ns,
            limit: PAGE,
            ..TraceQuery::default()
        };
        let long = TraceQuery {
            start_unix_ns: None,
            end_unix_ns: Some(shortly_before),
            min_duration_ns: Some(BEGAN_BEFORE_NS),
            ..recent.clone()
        };
        let mut scanned = Scanned::default();
        for asked in [recent, long] {
            if self
                .scan_found(asked, query, context, &mut scanned, each)?
                .is_break()
            {
                break;
            }
        }
        Ok(scanned)
    }
}

impl<F: TraceFinder, S: TraceReader> Indexed<F, S> {
    /// Hands over the spans of the range of every trace that the index finds.
    fn scan_found(
        &self,
        mut asked: TraceQuery,
        query: &ScanQuery,
        context: &ReadContext,
        scanned: &mut Scanned,
        each: Each<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let from = query.start_unix_ns.unwrap_or(0);
        let reaches = |hit: &TraceHit| {
            let TraceSummary {
                start_unix_ns,
                duration_ns,
                ..
            } = hit.summary;
            start_unix_ns.saturating_add(duration_ns) >= from
        };
        loop {
            let mut page = self.finder.find_traces(&asked, context)?;
            note(&mut scanned.incomplete, page.incomplete);
            scanned.searched = page.searched;
            page.hits.retain(reaches);
            for hits in page.hits.chunks(TOGETHER) {
                context.check()?;
                for found in read(&*self.store, hits, context)? {
                    if hand_over(query, &found, scanned, each).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    note(&mut scanned.incomplete, found.incomplete);
                }
            }
            match page.next {
                Some(next) => asked.cursor = Some(next),
                None => return Ok(ControlFlow::Continue(())),
            }
        }
    }
}

/// These traces, in their order.
fn read(
    store: &dyn TraceReader,
    hits: &[TraceHit],
    context: &ReadContext,
) -> Result<Vec<FoundTrace>, Error> {
    let next = AtomicUsize::new(0);
    let found: Vec<_> = hits.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..READERS.min(hits.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(hit), Some(place)) = (hits.get(at), found.get(at)) else {
                        return;
                    };
                    let read = store.get_trace(hit.summary.trace_id, context);
                    if let Ok(mut place) = place.lock() {
                        *place = Some(read);
                    }
                }
            });
        }
    });
    let read = found
        .into_iter()
        .filter_map(|place| place.into_inner().ok());
    read.flatten().collect()
}

fn hand_over(
    query: &ScanQuery,
    found: &FoundTrace,
    scanned: &mut Scanned,
    each: Each<'_>,
) -> ControlFlow<()> {
    for (batch, rows) in &found.parts {
        let rows = query.rows(batch, rows.iter().copied());
        if !rows.is_empty() {
            scanned.spans += rows.len() as u64;
            each(batch, &rows)?;
        }
    }
    ControlFlow::Continue(())
}

/// Sentences, each once.
fn note(all: &mut Vec<String>, more: Vec<String>) {
    for sentence in more {
        if !all.contains(&sentence) {
            all.push(sentence);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use tracewell_model::clock::ManualClock;
    use tracewell_model::{SpanBatch, TraceId};

    use super::*;
    use crate::conformance::SpanSpec;
    use crate::conformance::spans::batch;
    use crate::memory::MemoryStore;

    const SECOND: u64 = 1_000_000_000;

    /// A trace of a root and its child, with their starts.
    fn trace(number: u64, service: &str, [root_ns, child_ns]: [u64; 2]) -> SpanBatch {
        let span = |id, start_unix_ns| SpanSpec {
            trace_id: TraceId(u128::from(number).to_be_bytes()),
            ..SpanSpec::new(number, id, start_unix_ns)
                .named(service, "op")
                .lasting(1)
        };
        batch(&[span(1, root_ns), span(2, child_ns).child_of(1)])
    }

    /// One trace of two spans each second, of a service of two in turn.
    fn store(traces: u64) -> MemoryStore {
        let store = MemoryStore::new();
        for number in 1..=traces {
            let service = ["cart", "mail"][(number % 2) as usize];
            store.push(trace(number, service, [number * SECOND; 2]), number);
        }
        store
    }

    fn scan(query: &ScanQuery, break_after: usize) -> (BTreeSet<TraceId>, u64) {
        scan_of(store(2_500), query, break_after)
    }

    fn scan_of(
        store: MemoryStore,
        query: &ScanQuery,
        break_after: usize,
    ) -> (BTreeSet<TraceId>, u64) {
        let indexed = Indexed {
            finder: Arc::new(store.clone()),
            store: Arc::new(store),
        };
        let mut seen = BTreeSet::new();
        let context = ReadContext::new(Arc::new(ManualClock::at(0)), u64::MAX);
        let mut each = |batch: &SpanBatch, rows: &[u32]| {
            seen.extend(rows.iter().map(|&row| batch.span(row).trace_id()));
            match seen.len() < break_after {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let scanned = indexed.scan_spans(query, &context, &mut each).unwrap();
        assert!(scanned.incomplete.is_empty());
        (seen, scanned.spans)
    }

    #[test]
    fn a_range_is_read_by_the_index_page_after_page() {
        let query = ScanQuery {
            start_unix_ns: Some(100 * SECOND),
            end_unix_ns: Some(2_300 * SECOND),
            service: None,
            one_of: 0,
        };
        let (seen, spans) = scan(&query, usize::MAX);
        let expected: BTreeSet<_> = (100..2_300u128).map(|n| TraceId(n.to_be_bytes())).collect();
        assert_eq!((seen, spans), (expected, 4_400));
        let of_cart = ScanQuery {
            service: Some("cart".to_owned()),
            ..query
        };
        assert_eq!(scan(&of_cart, usize::MAX).1, 2_200);
        assert_eq!(scan(&of_cart, 3).0.len(), 3, "the caller has enough");
    }

    #[test]
    fn a_long_trace_that_began_earlier_is_found_where_it_reaches_into_the_range() {
        let store = store(10);
        // One whose root began 500 s before its child, one that ended long ago.
        for (number, child_s) in [(900, 1_500), (901, 1_200)] {
            let starts_ns = [1_000 * SECOND, child_s * SECOND];
            store.push(trace(number, "cart", starts_ns), number);
        }
        let query = ScanQuery {
            start_unix_ns: Some(1_400 * SECOND),
            end_unix_ns: Some(1_600 * SECOND),
            ..ScanQuery::default()
        };
        let (seen, spans) = scan_of(store, &query, usize::MAX);
        let expected = BTreeSet::from([TraceId(900u128.to_be_bytes())]);
        assert_eq!((seen, spans), (expected, 1));
    }

    #[test]
    fn an_open_range_is_the_stores_own_scan() {
        let query = ScanQuery {
            start_unix_ns: Some(1_001 * SECOND),
            ..ScanQuery::default()
        };
        assert_eq!(scan(&query, usize::MAX).0.len(), 1_500);
    }
}
