//! Figures and edges as the writer gets them; several aggregators give the figures of one (Q6).

use std::sync::{Arc, Mutex};

use hashbrown::HashMap;
use proptest::prelude::*;
use tracewell_model::{
    BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId,
};
use tracewell_storage::stats::{Figures, STEP_NS, SeriesKey, Unjoined};
use tracewell_storage::{Error, Position, Record, Sink, StatsDelta, StatsWriter};

use super::Aggregator;
use crate::window::WINDOW_NS;

const NOW: u64 = 1_700_000_000_000_000_000;

/// Adds up what is written, without rolling; fails when told.
#[derive(Default)]
struct Sum {
    state: Mutex<StatsDelta>,
    fail: Mutex<Option<Error>>,
}

impl StatsWriter for Sum {
    fn write(&self, delta: StatsDelta) -> Result<(), Error> {
        if let Some(error) = self.fail.lock().unwrap().clone() {
            return Err(error);
        }
        let mut sum = self.state.lock().unwrap();
        for (key, figures) in delta.figures {
            sum.figures.entry(key).or_default().merge(&figures);
        }
        sum.unjoined.no_parent_in_window += delta.unjoined.no_parent_in_window;
        sum.unjoined.over_cap += delta.unjoined.over_cap;
        sum.positions = delta.positions;
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        self.state.lock().unwrap().positions.clone()
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A span of a test: few values, so that traces, parents and series meet.
#[derive(Clone, Copy, Debug)]
struct Given {
    trace: u8,
    id: u8,
    parent: u8,
    service: u8,
    operation: u8,
    kind: u8,
    step: u64,
    duration_ns: u64,
    error: bool,
}

fn batch(spans: &[Given]) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    for span in spans {
        let service = format!("service-{}", span.service);
        let input = ResourceInput {
            service: &service,
            ..ResourceInput::default()
        };
        let resource = builder.resource(&input);
        let scope = builder.scope(&ScopeInput::default());
        builder.push(&SpanInput {
            trace_id: TraceId([span.trace + 1; 16]),
            span_id: SpanId([span.id; 8]),
            parent: (span.parent != 0).then_some(SpanId([span.parent; 8])),
            resource,
            scope,
            start_unix_ns: NOW / STEP_NS * STEP_NS + span.step * STEP_NS,
            duration_ns: span.duration_ns,
            operation: &format!("operation-{}", span.operation),
            kind: SpanKind::from_u8(span.kind).unwrap_or_default(),
            status: if span.error {
                StatusCode::Error
            } else {
                StatusCode::Unset
            },
            status_message: "",
            flags: 0,
            attributes: &[],
            event_attributes: &[],
            rest: &[],
            marks: Marks::default(),
        });
    }
    builder.finish_one()
}

fn record(partition: u32, offset: u64, arrived_unix_ns: u64, spans: &[Given]) -> Record {
    let position = Position { partition, offset };
    Record {
        position,
        arrived_unix_ns,
        batch: Arc::new(batch(spans)),
    }
}

/// Applies each list of records with an aggregator of its own, all into one sum.
fn sum(workers: &[Vec<Record>]) -> StatsDelta {
    let writer = Arc::new(Sum::default());
    for records in workers {
        let mut aggregator = Aggregator::new(writer.clone());
        for (at, record) in records.iter().enumerate() {
            aggregator.apply(std::slice::from_ref(record)).unwrap();
            if at % 3 == 0 {
                aggregator.tick(record.arrived_unix_ns).unwrap();
            }
        }
        // What still waits is given up, as it would be in time.
        aggregator.clear_windows();
        aggregator.flush().unwrap();
    }
    let mut sum = writer.state.lock().unwrap().clone();
    sum.positions.clear();
    sum
}

fn operation(service: &str, operation: &str, entry: bool) -> SeriesKey {
    SeriesKey::Operation {
        service: service.into(),
        operation: operation.into(),
        entry,
    }
}

fn a_span() -> Given {
    Given {
        trace: 0,
        id: 1,
        parent: 0,
        service: 0,
        operation: 0,
        kind: SpanKind::Server as u8,
        step: 0,
        duration_ns: 1_000,
        error: false,
    }
}

#[test]
fn figures_are_by_step_service_operation_and_entry() {
    let root = a_span();
    let client = Given {
        id: 2,
        parent: 1,
        kind: 3,
        operation: 1,
        error: true,
        ..root
    };
    let inner = Given {
        id: 3,
        parent: 1,
        kind: 1,
        ..root
    };
    let later = Given {
        id: 4,
        trace: 1,
        step: 2,
        ..root
    };
    let again = Given {
        id: 5,
        trace: 2,
        duration_ns: 9_000,
        error: true,
        ..root
    };
    let bare = Given {
        id: 6,
        parent: 1,
        kind: 0,
        ..root
    };
    let internal_root = Given {
        id: 7,
        trace: 3,
        kind: 1,
        ..root
    };
    let all = [root, client, inner, later, again, bare, internal_root];
    let sum = sum(&[vec![record(0, 1, NOW, &all)]]);
    let step = NOW / STEP_NS;
    let mut entry = Figures::default();
    for (duration_ns, error) in [
        (1_000, false),
        (9_000, true),
        (1_000, false),
        (1_000, false),
    ] {
        entry.record(duration_ns, error);
    }
    let mut one = Figures::default();
    one.record(1_000, false);
    let mut failed = Figures::default();
    failed.record(1_000, true);
    let expected = HashMap::from([
        ((step, operation("service-0", "operation-0", true)), entry),
        (
            (step, operation("service-0", "operation-0", false)),
            one.clone(),
        ),
        ((step, operation("service-0", "operation-1", false)), failed),
        ((step + 2, operation("service-0", "operation-0", true)), one),
    ]);
    assert_eq!(sum.figures, expected);
}

#[test]
fn an_edge_has_the_callees_figures_at_its_start() {
    let client = Given {
        kind: 3,
        ..a_span()
    };
    let server = Given {
        id: 2,
        parent: 1,
        service: 1,
        step: 3,
        duration_ns: 77,
        error: true,
        ..a_span()
    };
    let edge = SeriesKey::Edge {
        parent: "service-0".into(),
        child: "service-1".into(),
    };
    let mut figures = Figures::default();
    figures.record(77, true);
    for order in [[client, server], [server, client]] {
        let apart = vec![
            record(0, 1, NOW, &order[..1]),
            record(0, 2, NOW, &order[1..]),
        ];
        for records in [vec![record(0, 1, NOW, &order)], apart] {
            let sum = sum(&[records]);
            assert_eq!(
                sum.figures.get(&(NOW / STEP_NS + 3, edge.clone())),
                Some(&figures)
            );
            assert_eq!(sum.unjoined, Unjoined::default());
        }
    }
}

#[test]
fn a_failed_write_loses_nothing_and_counts_nothing_twice() {
    let writer = Arc::new(Sum::default());
    let mut aggregator = Aggregator::new(writer.clone());
    aggregator.apply(&[record(0, 1, NOW, &[a_span()])]).unwrap();
    *writer.fail.lock().unwrap() = Some(Error::retryable("disk full"));
    assert!(aggregator.tick(NOW).is_err());
    assert!(aggregator.flush().is_err());
    assert_eq!(aggregator.durable(), []);
    *writer.fail.lock().unwrap() = None;
    aggregator.tick(NOW + 1).unwrap();
    aggregator.tick(NOW + 2).unwrap();
    let sum = writer.state.lock().unwrap();
    assert_eq!(
        sum.figures
            .values()
            .map(|figures| figures.count)
            .sum::<u64>(),
        1
    );
    assert_eq!(
        sum.positions,
        [Position {
            partition: 0,
            offset: 1
        }]
    );
}

#[test]
fn orphans_are_counted_once_arrivals_cease() {
    let writer = Arc::new(Sum::default());
    let mut aggregator = Aggregator::new(writer.clone());
    let orphan = Given {
        parent: 9,
        ..a_span()
    };
    aggregator.tick(NOW).unwrap();
    aggregator.apply(&[record(0, 1, NOW, &[orphan])]).unwrap();
    // A clock that leaps while records come ends no window.
    aggregator.tick(NOW + 100 * WINDOW_NS).unwrap();
    assert_eq!(writer.state.lock().unwrap().unjoined.no_parent_in_window, 0);
    assert!(aggregator.window_bytes() > 0);
    aggregator.tick(NOW + 103 * WINDOW_NS).unwrap();
    assert_eq!(writer.state.lock().unwrap().unjoined.no_parent_in_window, 1);
    assert_eq!(aggregator.window_bytes(), 0);
}

fn given() -> impl Strategy<Value = Given> {
    let names = (0u8..12, 1u8..30, 0u8..30, 0u8..4, 0u8..3);
    let figures = (0u8..6, 0u64..3, 0u64..1 << 40, any::<bool>());
    (names, figures).prop_map(
        |((trace, id, parent, service, operation), (kind, step, duration_ns, error))| Given {
            trace,
            id,
            parent,
            service,
            operation,
            kind,
            step,
            duration_ns,
            error,
        },
    )
}

proptest! {
    /// Partitions by trace, spread over workers in any way: the figures of one worker with one
    /// partition, edges and unjoined spans included.
    #[test]
    fn several_aggregators_give_the_figures_of_one(
        arrivals in prop::collection::vec((prop::collection::vec(given(), 1..8), 0u64..WINDOW_NS), 1..40),
        workers in 1usize..4,
    ) {
        let (mut one, mut spread) = (Vec::new(), vec![Vec::new(); workers]);
        let mut now = NOW;
        for (offset, (spans, gap)) in arrivals.iter().enumerate() {
            let offset = offset as u64 + 1;
            now += gap;
            one.push(record(0, offset, now, spans));
            for partition in 0..6u32 {
                let of_partition = |span: &&Given| u32::from(span.trace) % 6 == partition;
                let spans: Vec<Given> = spans.iter().filter(of_partition).copied().collect();
                if !spans.is_empty() {
                    let worker = partition as usize % workers;
                    spread[worker].push(record(partition, offset, now, &spans));
                }
            }
        }
        prop_assert_eq!(sum(&[one]), sum(&spread));
    }

    /// The spans of a sane trace (ids of its own, in a tree) in any order and any batching.
    #[test]
    fn the_order_of_arrival_changes_no_figure(
        mut spans in prop::collection::vec(given(), 1..40),
        order in prop::collection::vec(any::<u32>(), 40),
        cuts in prop::collection::vec(1usize..9, 40),
    ) {
        for (at, span) in spans.iter_mut().enumerate() {
            span.id = at as u8 + 1;
            span.trace = 0;
            span.parent %= span.id;
        }
        let straight = sum(&[vec![record(0, 1, NOW, &spans)]]);
        let mut shuffled: Vec<_> = spans.iter().copied().zip(order).collect();
        shuffled.sort_by_key(|&(_, key)| key);
        let mut rest: Vec<Given> = shuffled.into_iter().map(|(span, _)| span).collect();
        let mut records = Vec::new();
        for (offset, cut) in cuts.iter().enumerate() {
            let later = rest.split_off((*cut).min(rest.len()));
            if !rest.is_empty() {
                records.push(record(0, offset as u64 + 1, NOW, &rest));
            }
            rest = later;
        }
        records.push(record(0, 99, NOW, &rest));
        prop_assert_eq!(straight, sum(&[records]));
    }
}
