//! Trees of any set of spans (P10, P11; bad-input class 14).

use proptest::prelude::*;
use tracewell_model::{
    BatchBuilder, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput, SpanKind, SpanRef,
    StatusCode, Trace, TraceId, TraceStatus, TraceSummary,
};

/// A span in few words; parent 0 is none.
#[derive(Clone, Copy, Debug)]
struct Given {
    id: u64,
    parent: u64,
    start: u64,
    service: &'static str,
    kind: SpanKind,
    error: bool,
}

fn span(id: u64, parent: u64, start: u64) -> Given {
    Given {
        id,
        parent,
        start,
        service: "a",
        kind: SpanKind::Unspecified,
        error: false,
    }
}

impl Given {
    fn of(self, service: &'static str, kind: SpanKind) -> Given {
        Given {
            service,
            kind,
            ..self
        }
    }
}

fn batch(given: &[Given]) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let scope = builder.scope(&ScopeInput::default());
    for span in given {
        let resource = ResourceInput {
            service: span.service,
            ..ResourceInput::default()
        };
        let resource = builder.resource(&resource);
        builder.push(&SpanInput {
            trace_id: TraceId([7; 16]),
            span_id: SpanId(span.id.to_be_bytes()),
            parent: (span.parent != 0).then(|| SpanId(span.parent.to_be_bytes())),
            resource,
            scope,
            start_unix_ns: span.start,
            duration_ns: 10,
            operation: "op",
            kind: span.kind,
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
            marks: Default::default(),
        });
    }
    builder.finish_one()
}

fn short(span: SpanRef<'_>) -> u64 {
    u64::from_be_bytes(span.span_id().0)
}

/// The rows as `depth:id`, with `o` for an orphan, `c` for a cut, `r` for the root.
fn drawn(trace: &Trace<'_>) -> String {
    let row = |(at, row): (u32, &tracewell_model::trace::Row<'_>)| {
        let orphan = if row.orphan { "o" } else { "" };
        let cut = if row.cycle_cut { "c" } else { "" };
        let root = if trace.root == Some(at) { "r" } else { "" };
        format!("{}:{}{root}{orphan}{cut}", row.depth, short(row.span))
    };
    let rows: Vec<_> = (0..).zip(&trace.rows).map(row).collect();
    rows.join(" ")
}

/// What must hold of every tree.
fn assert_sound(trace: &Trace<'_>, spans: &SpanBatch) {
    let summary = TraceSummary::of(spans.spans());
    assert_eq!(
        Some(&trace.summary),
        summary.as_ref().or(Some(&trace.summary))
    );
    assert_eq!(trace.rows.len() as u64, trace.summary.span_count);
    let orphans = trace.rows.iter().filter(|row| row.orphan).count() as u64;
    assert_eq!(orphans, trace.summary.orphan_count);
    let missing: u64 = trace
        .missing_parents
        .iter()
        .map(|missing| missing.children)
        .sum();
    assert_eq!(missing, orphans);
    for (at, row) in trace.rows.iter().enumerate() {
        match row.parent {
            None => assert_eq!(row.depth, 0),
            Some(parent) => {
                assert!((parent as usize) < at);
                assert_eq!(row.depth, trace.rows[parent as usize].depth + 1);
            }
        }
        assert!(!row.cycle_cut || (row.parent.is_none() && !row.orphan));
        let at_top = row.span.parent().is_none() || row.orphan || row.cycle_cut;
        assert!(
            row.parent.is_some() || at_top,
            "row {at} is at the top for a reason"
        );
    }
    let named = trace.root.map(|root| {
        let root = trace.rows[root as usize].span;
        (root.service().to_owned(), root.operation().to_owned())
    });
    assert_eq!(named, trace.summary.root);
}

fn check(given: &[Given], expected: &str) {
    let spans = batch(given);
    let trace = Trace::assemble(spans.spans());
    assert_sound(&trace, &spans);
    assert_eq!(drawn(&trace), expected);
}

#[test]
fn siblings_are_in_order_of_start_then_id() {
    check(
        &[
            span(4, 1, 5),
            span(3, 1, 5),
            span(5, 3, 6),
            span(2, 1, 9),
            span(1, 0, 1),
        ],
        "0:1r 1:3 2:5 1:4 1:2",
    );
}

#[test]
fn roots_and_orphans_stand_at_the_top() {
    check(
        &[span(1, 0, 3), span(2, 0, 2), span(3, 9, 1)],
        "0:3o 0:2r 0:1",
    );
    check(
        &[span(1, 8, 1), span(2, 9, 2), span(3, 9, 3)],
        "0:1o 0:2o 0:3o",
    );
    check(&[], "");
}

#[test]
fn missing_parents_are_grouped() {
    let spans = batch(&[
        span(1, 0, 0),
        span(2, 9, 1).of("b", SpanKind::Server),
        span(3, 9, 2).of("a", SpanKind::Server),
        span(4, 9, 3).of("b", SpanKind::Server),
        span(5, 8, 4),
    ]);
    let trace = Trace::assemble(spans.spans());
    assert_sound(&trace, &spans);
    assert_eq!(trace.summary.status, TraceStatus::Partial);
    let shown: Vec<_> = trace
        .missing_parents
        .iter()
        .map(|missing| (missing.children, missing.child_services.clone()))
        .collect();
    assert_eq!(shown, [(3, vec!["a", "b"]), (1, vec!["a"])]);
    assert_eq!(trace.summary.orphan_count, 4);
}

#[test]
fn cycles_are_opened_at_the_earliest_span() {
    check(&[span(1, 2, 5), span(2, 1, 3)], "0:2c 1:1");
    check(
        &[span(1, 3, 5), span(2, 1, 6), span(3, 2, 7), span(4, 2, 8)],
        "0:1c 1:2 2:3 2:4",
    );
    check(
        &[span(1, 1, 5), span(2, 1, 6), span(3, 0, 7)],
        "0:1c 1:2 0:3r",
    );
    let spans = batch(&[span(1, 1, 5)]);
    let trace = Trace::assemble(spans.spans());
    assert_eq!(trace.warnings, ["span 0000000000000001 is its own parent"]);
    assert_eq!(
        (trace.root, trace.summary.status),
        (None, TraceStatus::Partial)
    );
}

#[test]
fn children_of_a_repeated_id_find_their_own() {
    let repeated = [
        span(1, 0, 1).of("a", SpanKind::Internal),
        span(1, 0, 2).of("b", SpanKind::Server),
        span(1, 0, 3).of("c", SpanKind::Internal),
    ];
    let rows_under = |service| {
        let child = span(9, 1, 4).of(service, SpanKind::Internal);
        let spans = batch(&[repeated.as_slice(), &[child]].concat());
        let trace = Trace::assemble(spans.spans());
        assert_sound(&trace, &spans);
        assert_eq!(trace.rows.iter().filter(|row| row.repeated_id).count(), 3);
        let row = trace.rows.iter().find(|row| short(row.span) == 9).unwrap();
        trace.rows[row.parent.unwrap() as usize]
            .span
            .service()
            .to_owned()
    };
    assert_eq!(rows_under("c"), "c");
    assert_eq!(rows_under("other"), "b");
}

#[test]
fn a_shared_server_span_hangs_under_its_client() {
    check(
        &[
            span(1, 0, 0).of("front", SpanKind::Server),
            span(2, 1, 1).of("front", SpanKind::Client),
            span(2, 1, 2).of("back", SpanKind::Server),
            span(3, 2, 3).of("back", SpanKind::Client),
        ],
        "0:1r 1:2 2:2 3:3",
    );
}

const MANY: u64 = 100_000;

#[test]
fn very_large_shapes_are_drawn() {
    let at = |id: u64| id % 1_000;
    let all = |make: &dyn Fn(u64) -> Given| (1..=MANY).map(make).collect::<Vec<_>>();
    let shapes: [(&str, Vec<Given>, u32, usize); 7] = [
        ("depth", all(&|id| span(id, id - 1, id)), MANY as u32 - 1, 0),
        (
            "children first",
            all(&|id| span(id, (id + 1) % (MANY + 1), at(id))),
            MANY as u32 - 1,
            0,
        ),
        (
            "fan-out",
            all(&|id| span(id, u64::from(id > 1), at(id))),
            1,
            0,
        ),
        (
            "cycle",
            all(&|id| span(id, id % MANY + 1, at(id))),
            MANY as u32 - 1,
            1,
        ),
        ("self-parents", all(&|id| span(id, id, at(id))), 0, 21),
        ("one id", all(&|id| span(1, id % 3, id)), 0, 21),
        ("orphans", all(&|id| span(id, MANY + id, at(id))), 0, 0),
    ];
    for (name, given, depth, warnings) in shapes {
        let spans = batch(&given);
        let trace = Trace::assemble(spans.spans());
        assert_sound(&trace, &spans);
        assert_eq!(trace.rows.len() as u64, MANY, "{name}");
        assert_eq!(
            (trace.depth, trace.warnings.len()),
            (depth, warnings),
            "{name}"
        );
    }
}

#[test]
fn a_hundred_thousand_namesakes_with_children_cost_no_square() {
    let namesakes = (1..=MANY / 2).map(|at| span(1, 0, at));
    let children = (1..=MANY / 2).map(|at| span(at + 10, 1, at));
    let spans = batch(&namesakes.chain(children).collect::<Vec<_>>());
    let trace = Trace::assemble(spans.spans());
    assert_sound(&trace, &spans);
}

#[test]
fn namesakes_that_differ_in_one_rare_field_cost_no_square() {
    let mut builder = BatchBuilder::new(1);
    let resource = builder.resource(&ResourceInput::default());
    for at in 0..30_000u32 {
        let version = (at % 2 * at).to_string();
        let scope = ScopeInput {
            version: &version,
            ..ScopeInput::default()
        };
        let scope = builder.scope(&scope);
        builder.push(&SpanInput {
            trace_id: TraceId([7; 16]),
            span_id: SpanId([1; 8]),
            parent: None,
            resource,
            scope,
            start_unix_ns: 5,
            duration_ns: 5,
            operation: "op",
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            status_message: "",
            flags: if at % 2 == 0 { at } else { 0 },
            attributes: &[],
            event_attributes: &[],
            rest: &[],
            marks: Default::default(),
        });
    }
    let spans = builder.finish_one();
    assert_eq!(Trace::assemble(spans.spans()).rows.len(), 30_000);
}

/// Few ids, so that cycles, repeats and missing parents are common.
fn any_span() -> impl Strategy<Value = Given> {
    let services = prop::sample::select(vec!["a", "b", "c"]);
    (1u64..12, 0u64..14, 0u64..6, services, 0u8..6, any::<bool>()).prop_map(
        |(id, parent, start, service, kind, error)| Given {
            id,
            parent,
            start,
            service,
            kind: SpanKind::from_u8(kind).unwrap_or_default(),
            error,
        },
    )
}

/// Everything of a tree but where its spans lie.
fn whole(trace: &Trace<'_>) -> String {
    let rows: Vec<_> = trace
        .rows
        .iter()
        .map(|row| {
            let span = row.span;
            let content = (
                span.span_id(),
                span.parent(),
                span.start_unix_ns(),
                span.service(),
            );
            let place = (
                row.parent,
                row.depth,
                row.orphan,
                row.cycle_cut,
                row.repeated_id,
            );
            (content, span.kind(), span.is_error(), place)
        })
        .collect();
    format!(
        "{rows:?} {:?} {:?} {:?} {:?}",
        trace.summary, trace.root, trace.missing_parents, trace.warnings
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edges_make_a_tree_of_all_spans(given in prop::collection::vec(any_span(), 0..40)) {
        let spans = batch(&given);
        let trace = Trace::assemble(spans.spans());
        assert_sound(&trace, &spans);
    }

    #[test]
    fn order_of_arrival_does_not_matter(
        (given, shuffled) in prop::collection::vec(any_span(), 1..30)
            .prop_flat_map(|given| (Just(given.clone()), Just(given).prop_shuffle())),
        cut in 0usize..30,
    ) {
        let spans = batch(&given);
        // Another order, in two requests, the second of them delivered twice.
        let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
        let (first, second) = (batch(first), batch(second));
        let arrived = second.spans().chain(first.spans()).chain(second.spans());
        prop_assert_eq!(whole(&Trace::assemble(arrived)), whole(&Trace::assemble(spans.spans())));
    }
}
