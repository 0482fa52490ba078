//! Cases of a store as finder: each predicate by hand where it is tempting to be wrong, and all of
//! them by chance against the oracle.

use regex::Regex;
use tracewell_model::TraceStatus;

use super::spans::{OwnedValue, SpanSpec, span_id, trace_id};
use super::store_bench::{Bench, MS, NOW, SECOND};
use super::{Case, Durability, StoreCheck, StoreFixture, ensure, worked};
use crate::find::{Names, TagCondition, TagFilter, TraceQuery};

pub(super) const CASES: &[Case<StoreCheck>] = &[
    ("an empty store finds nothing", Durability::None, empty),
    (
        "all span predicates hold on one span",
        Durability::None,
        one_span,
    ),
    (
        "span, resource, scope and event decide a tag in this order",
        Durability::None,
        precedence,
    ),
    ("tags compare by text", Durability::None, text_form),
    (
        "a trace is judged by all its fragments",
        Durability::None,
        union,
    ),
    (
        "a trace is partial until its spans are there",
        Durability::None,
        partial,
    ),
    (
        "start and end bound the trace's start",
        Durability::None,
        time_range,
    ),
    (
        "the earliest span that matches is named",
        Durability::None,
        matched_span,
    ),
    ("names are those of stored spans", Durability::None, names),
];

fn empty(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let found = bench.find(&all())?;
    ensure!(found.hits.is_empty() && found.next.is_none(), "{found:?}");
    expect_names(
        &bench.names(|finder, context| finder.list_services(context))?,
        &[],
    )
}

/// Everything, newest first.
pub(super) fn all() -> TraceQuery {
    TraceQuery {
        limit: 1_000,
        ..TraceQuery::default()
    }
}

pub(super) fn tag(key: &str, condition: TagCondition) -> TraceQuery {
    TraceQuery {
        tags: vec![TagFilter {
            key: key.to_owned(),
            condition,
        }],
        ..all()
    }
}

fn equals(key: &str, text: &str) -> TraceQuery {
    tag(key, TagCondition::Equals(text.to_owned()))
}

fn differs(key: &str, text: &str) -> TraceQuery {
    tag(key, TagCondition::NotEquals(text.to_owned()))
}

fn service(name: &str) -> TraceQuery {
    TraceQuery {
        service: Some(name.to_owned()),
        ..all()
    }
}

/// Both queries' span predicates at once.
fn both(a: TraceQuery, b: TraceQuery) -> TraceQuery {
    TraceQuery {
        service: a.service.or(b.service),
        operation: a.operation.or(b.operation),
        span_error: a.span_error.or(b.span_error),
        min_span_duration_ns: a.min_span_duration_ns.or(b.min_span_duration_ns),
        tags: [a.tags, b.tags].concat(),
        ..all()
    }
}

impl Bench {
    /// Checks that the query finds exactly the traces of these numbers, in any order.
    fn expect_found(&mut self, query: &TraceQuery, traces: &[u64]) -> Result<(), String> {
        let mut got: Vec<_> = self
            .find(query)?
            .hits
            .iter()
            .map(|hit| hit.summary.trace_id)
            .collect();
        got.sort_unstable();
        let expected: Vec<_> = traces.iter().map(|&number| trace_id(number)).collect();
        ensure!(got == expected, "{query:?} found {got:?}, not {expected:?}");
        Ok(())
    }

    fn names(
        &mut self,
        list: impl Fn(&dyn crate::TraceFinder, &crate::ReadContext) -> Result<Names, crate::Error>,
    ) -> Result<Names, String> {
        let context = self.context();
        worked("listing names", list(self.store()?.finder(), &context))
    }
}

fn one_span(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    // Two spans that satisfy everything together, in one request and in two.
    let first = |trace| {
        SpanSpec::new(trace, 1, NOW)
            .named("a", "x")
            .lasting(9 * MS)
            .with("k", 1)
    };
    let second = |trace| {
        SpanSpec::new(trace, 2, NOW)
            .child_of(1)
            .named("b", "y")
            .lasting(MS)
            .with("l", 2)
            .failed()
    };
    bench.push(&[first(1), second(1)])?;
    bench.push(&[first(2)])?;
    bench.flush()?;
    bench.push(&[second(2)])?;
    let of_first = [
        service("a"),
        TraceQuery {
            operation: Some("x".to_owned()),
            ..all()
        },
        TraceQuery {
            span_error: Some(false),
            service: Some("a".to_owned()),
            ..all()
        },
        TraceQuery {
            min_span_duration_ns: Some(5 * MS),
            ..all()
        },
        equals("k", "1"),
    ];
    let of_second = [
        service("b"),
        TraceQuery {
            operation: Some("y".to_owned()),
            ..all()
        },
        TraceQuery {
            span_error: Some(true),
            ..all()
        },
        equals("l", "2"),
    ];
    for query in of_first.iter().chain(&of_second) {
        bench.expect_found(query, &[1, 2])?;
    }
    for a in &of_first {
        for b in &of_second {
            let clash = a.service.is_some() && b.service.is_some()
                || a.operation.is_some() && b.operation.is_some()
                || a.span_error.is_some() && b.span_error.is_some();
            if !clash {
                bench.expect_found(&both(a.clone(), b.clone()), &[])?;
            }
        }
        for other in &of_first {
            bench.expect_found(&both(a.clone(), other.clone()), &[1, 2])?;
        }
    }
    Ok(())
}

fn precedence(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let value = |text: &str| vec![("k".to_owned(), OwnedValue::from(text))];
    let mut span = SpanSpec::new(4, 1, NOW);
    let mut spans = Vec::new();
    span.event_attributes = value("event");
    spans.push(span.clone());
    span.scope_attributes = value("scope");
    spans.push(SpanSpec {
        trace_id: trace_id(3),
        ..span.clone()
    });
    span.resource_attributes = value("resource");
    spans.push(SpanSpec {
        trace_id: trace_id(2),
        ..span.clone()
    });
    span.attributes = [value("span"), value("again")].concat();
    spans.push(SpanSpec {
        trace_id: trace_id(1),
        ..span
    });
    spans.push(SpanSpec::new(5, 1, NOW));
    bench.push(&spans)?;
    for flushed in [false, true] {
        for (text, traces) in [
            ("span", 1),
            ("again", 1),
            ("resource", 2),
            ("scope", 3),
            ("event", 4),
        ] {
            bench.expect_found(&equals("k", text), &[traces])?;
        }
        bench.expect_found(&tag("k", TagCondition::Exists), &[1, 2, 3, 4])?;
        bench.expect_found(&differs("k", "span"), &[1, 2, 3, 4])?;
        bench.expect_found(&differs("k", "resource"), &[1, 3, 4])?;
        bench.expect_found(&equals("absent", ""), &[])?;
        bench.expect_found(&differs("absent", "x"), &[])?;
        if !flushed {
            bench.flush()?;
        }
    }
    Ok(())
}

fn text_form(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let values = [
        (OwnedValue::Int(500), "500"),
        (OwnedValue::from("500"), "500"),
        (OwnedValue::Double(1.5), "1.5"),
        (OwnedValue::Bool(true), "true"),
        (OwnedValue::Bytes(vec![0x0a, 0xff]), "0aff"),
        (OwnedValue::Any(vec![0x2a, 4, 0x0a, 2, 0x18, 7]), "[7]"),
        (OwnedValue::Any(Vec::new()), ""),
        (OwnedValue::from(""), ""),
        (OwnedValue::Int(i64::MIN), "-9223372036854775808"),
        (OwnedValue::from("é\0=!"), "é\0=!"),
    ];
    let spans = (1..)
        .zip(&values)
        .map(|(trace, (value, _))| SpanSpec::new(trace, 1, NOW).with("k", value.clone()));
    bench.push(&spans.collect::<Vec<_>>())?;
    for flushed in [false, true] {
        for (_, text) in &values {
            let with_text = (1..).zip(&values).filter(|(_, (_, other))| other == text);
            let traces: Vec<u64> = with_text.map(|(trace, _)| trace).collect();
            bench.expect_found(&equals("k", text), &traces)?;
            let regex = Regex::new(&format!("^{}$", regex::escape(text)));
            let regex = regex.map_err(|error| error.to_string())?;
            bench.expect_found(&tag("k", TagCondition::Matches(regex)), &traces)?;
        }
        if !flushed {
            bench.flush()?;
        }
    }
    let unanchored = Regex::new("5").map_err(|error| error.to_string())?;
    bench.expect_found(&tag("k", TagCondition::Matches(unanchored)), &[1, 2, 3, 9])
}

fn union(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    // Each fragment alone is short, without error, and early or late.
    bench.push(&[SpanSpec::new(1, 1, NOW - 10 * SECOND).lasting(MS)])?;
    bench.flush()?;
    bench.push(&[SpanSpec::new(1, 2, NOW).child_of(1).lasting(MS)])?;
    bench.tick()?;
    bench.push(&[SpanSpec::new(1, 3, NOW)
        .child_of(1)
        .named("pay", "x")
        .lasting(MS)
        .failed()])?;
    let long = TraceQuery {
        min_duration_ns: Some(10 * SECOND),
        ..service("shop")
    };
    bench.expect_found(&long, &[1])?;
    bench.expect_found(
        &TraceQuery {
            max_duration_ns: Some(SECOND),
            ..all()
        },
        &[],
    )?;
    bench.expect_found(
        &TraceQuery {
            error: Some(true),
            ..service("shop")
        },
        &[1],
    )?;
    bench.expect_found(
        &TraceQuery {
            error: Some(false),
            ..all()
        },
        &[],
    )?;
    bench.expect_found(
        &TraceQuery {
            start_unix_ns: Some(NOW - SECOND),
            ..service("pay")
        },
        &[],
    )?;
    let hits = bench.find(&service("pay"))?.hits;
    let count = hits.first().map(|hit| hit.summary.span_count);
    ensure!(
        count == Some(3),
        "three spans of a trace count as {count:?}"
    );
    Ok(())
}

fn partial(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let status = |status| TraceQuery {
        status: Some(status),
        ..all()
    };
    // A grandchild first, then the root, and the span between them last.
    let steps = [
        (
            SpanSpec::new(1, 3, NOW + 2).child_of(2).failed(),
            TraceStatus::Partial,
        ),
        (SpanSpec::new(1, 1, NOW), TraceStatus::Partial),
        (SpanSpec::new(1, 2, NOW + 1).child_of(1), TraceStatus::Error),
    ];
    for (span, expected) in steps {
        bench.push(&[span])?;
        bench.flush()?;
        for other in [TraceStatus::Ok, TraceStatus::Error, TraceStatus::Partial] {
            let found: &[u64] = if other == expected { &[1] } else { &[] };
            bench.expect_found(&status(other), found)?;
        }
    }
    bench.push(&[SpanSpec::new(2, 1, NOW)])?;
    bench.expect_found(&status(TraceStatus::Ok), &[2])
}

fn time_range(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let spans: Vec<_> = (1..=5)
        .flat_map(|trace| {
            let root = SpanSpec::new(trace, 1, NOW + trace * MS);
            // A child that starts far outside must not count as the trace's start.
            [
                root.clone(),
                SpanSpec {
                    span_id: span_id(2),
                    ..root.child_of(1)
                }
                .lasting(SECOND),
            ]
        })
        .collect();
    bench.push(&spans)?;
    for _ in 0..2 {
        for (from, to, traces) in [(2, 4, &[2, 3][..]), (1, 6, &[1, 2, 3, 4, 5]), (3, 3, &[])] {
            let query = TraceQuery {
                start_unix_ns: Some(NOW + from * MS),
                end_unix_ns: Some(NOW + to * MS),
                ..all()
            };
            bench.expect_found(&query, traces)?;
        }
        bench.flush()?;
    }
    Ok(())
}

fn matched_span(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let span = |number, start| {
        SpanSpec::new(1, number, start)
            .named("pay", "x")
            .child_of(9)
    };
    bench.push(&[span(5, NOW + 3), span(6, NOW + 2)])?;
    bench.flush()?;
    bench.push(&[span(4, NOW + 2), SpanSpec::new(1, 9, NOW)])?;
    let hits = bench.find(&service("pay"))?.hits;
    let matched = hits.first().map(|hit| hit.matched_span_id);
    ensure!(matched == Some(span_id(4)), "matched {matched:?}");
    let root = hits.first().and_then(|hit| hit.summary.root.clone());
    ensure!(
        root == Some(("shop".to_owned(), "GET /".to_owned())),
        "root is {root:?}"
    );
    Ok(())
}

fn names(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let resource = |span: SpanSpec| SpanSpec {
        resource_attributes: vec![("http.host".to_owned(), "h".into())],
        ..span
    };
    bench.push(&[
        SpanSpec::new(1, 1, NOW)
            .named("b", "y")
            .with("http.code", 500)
            .with("user", "ann"),
        SpanSpec::new(1, 2, NOW)
            .named("b", "x")
            .with("http.code", 503),
    ])?;
    bench.flush()?;
    bench.push(&[resource(
        SpanSpec::new(2, 1, NOW)
            .named("a", "z")
            .with("http.code", "404"),
    )])?;
    let services = bench.names(|finder, context| finder.list_services(context))?;
    expect_names(&services, &["a", "b"])?;
    for (service, operations) in [("b", &["x", "y"][..]), ("a", &["z"]), ("c", &[]), ("", &[])] {
        let names = bench.names(|finder, context| finder.list_operations(service, context))?;
        expect_names(&names, operations)?;
    }
    for (prefix, keys) in [
        ("http", &["http.code", "http.host"][..]),
        ("http.c", &["http.code"]),
        ("x", &[]),
    ] {
        let names = bench.names(|finder, context| finder.list_tag_keys(prefix, 10, context))?;
        expect_names(&names, keys)?;
    }
    let values = |prefix: &'static str, limit| {
        move |finder: &dyn crate::TraceFinder, context: &crate::ReadContext| {
            finder.list_tag_values("http.code", prefix, limit, context)
        }
    };
    expect_names(&bench.names(values("", 10))?, &["404", "500", "503"])?;
    expect_names(&bench.names(values("5", 10))?, &["500", "503"])?;
    let cut = bench.names(values("", 2))?;
    ensure!(
        cut.names.len() == 2 && cut.capped,
        "a list was cut in silence: {cut:?}"
    );
    Ok(())
}

fn expect_names(names: &Names, expected: &[&str]) -> Result<(), String> {
    ensure!(
        names.names == expected,
        "names are {:?}, not {expected:?}",
        names.names
    );
    ensure!(!names.capped, "{expected:?} are called capped");
    Ok(())
}
