//! The samplers' eraser against a real OpenSearch, whose address is in `STACK_OPENSEARCH`.

use std::sync::Arc;

use crate::support::{Place, place};
use tracewell_model::clock::SystemClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::{batch, trace_id};
use tracewell_storage::sampling::ledger::Erased;
use tracewell_storage::{Eraser, Position, ReadContext, Record, Sink, TraceFinder, TraceQuery};
use tracewell_storage_opensearch::OpenSearchEraser;

const SECOND: u64 = 1_000_000_000;
/// 22:13 UTC of a day in November 2023.
const NOW: u64 = 1_700_000_000 * SECOND;
const DAY: u64 = 86_400 * SECOND;

fn record(offset: u64, arrived_unix_ns: u64, spans: &[SpanSpec]) -> Record {
    Record {
        position: Position {
            partition: 0,
            offset,
        },
        arrived_unix_ns,
        batch: Arc::new(batch(spans)),
    }
}

/// Traces that are found, and how many spans each has.
fn found(place: &Place) -> Vec<(u64, u64)> {
    let query = TraceQuery {
        limit: 1_000,
        ..TraceQuery::default()
    };
    let context = ReadContext::new(Arc::new(SystemClock), 60 * SECOND);
    let found = place.finder().find_traces(&query, &context);
    let hits = found.expect("OpenSearch answers").hits;
    let number = |id: tracewell_model::TraceId| u64::from(id.0[15]);
    let mut hits: Vec<_> = hits
        .iter()
        .map(|hit| (number(hit.summary.trace_id), hit.summary.span_count))
        .collect();
    hits.sort_unstable();
    hits
}

#[test]
fn dropped_traces_go_on_each_of_their_days_unless_something_came_since() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    let trace = |number| SpanSpec::new(number, 1, NOW);
    let all: Vec<_> = (1..=5).map(trace).collect();
    sink.apply(&[record(1, NOW, &all)])
        .expect("it only gathers");
    sink.flush().expect("OpenSearch takes it");
    // The second goes on after midnight, in a document of that day.
    let mut next = place.sink();
    let second = SpanSpec::new(2, 2, NOW);
    next.apply(&[record(2, NOW + DAY, &[second])])
        .expect("it only gathers");
    next.flush().expect("OpenSearch takes it");
    // The third got a span after it was decided about.
    let third = SpanSpec::new(3, 2, NOW);
    sink.apply(&[record(3, NOW + 90 * SECOND, &[third])])
        .expect("it only gathers");
    sink.flush().expect("OpenSearch takes it");
    place.refresh();
    assert_eq!(found(&place), [(1, 1), (2, 2), (3, 2), (4, 1), (5, 1)]);

    let erased = |number, last, as_of_unix_ns| Erased {
        trace_id: trace_id(number),
        arrived_unix_ns: (NOW, last),
        as_of_unix_ns,
    };
    let eraser = OpenSearchEraser::new(place.settings.clone()).expect("sound settings");
    let dropped = [
        erased(1, NOW, NOW + 60 * SECOND),
        erased(2, NOW + DAY, NOW + DAY + SECOND),
        erased(3, NOW, NOW + 60 * SECOND),
        // One that is not there, and a day that has no index.
        erased(77, NOW + 3 * DAY, NOW + 3 * DAY),
    ];
    for _ in 0..2 {
        eraser.erase(&dropped).expect("OpenSearch is there");
        assert_eq!(found(&place), [(3, 2), (4, 1), (5, 1)], "at once");
    }
    place.remove();
}
