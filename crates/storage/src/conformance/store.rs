//! Cases of a store as sink and reader by id: identity, every value, fragments, recovery.

use tracewell_model::{Marks, SpanKind, StatusCode};

use super::random::Random;
use super::spans::{OwnedValue, SpanSpec, trace_id};
use super::store_bench::{Bench, MS, NOW, SECOND};
use super::{Case, Durability, Restart, StoreCheck, StoreFixture, ensure, worked};

pub(super) const CASES: &[Case<StoreCheck>] = &[
    (
        "an unknown trace has no spans",
        Durability::None,
        unknown_trace,
    ),
    (
        "a span comes back with every value as it was",
        Durability::None,
        values_are_verbatim,
    ),
    (
        "resource, scope and rest come back as they were",
        Durability::None,
        surroundings,
    ),
    (
        "equal spans show once, different ones of one id are kept",
        Durability::None,
        identity,
    ),
    (
        "the fragments of a trace are united",
        Durability::None,
        fragments,
    ),
    (
        "every span of many requests comes back",
        Durability::None,
        bulk,
    ),
    (
        "a batch delivered twice adds nothing",
        Durability::None,
        redelivery,
    ),
    ("a cut answer says so", Durability::None, caps_are_marked),
    (
        "a read stops when its time is up, and says so",
        Durability::None,
        deadline,
    ),
    (
        "what was flushed survives a clean stop",
        Durability::CleanStop,
        clean_stop,
    ),
    (
        "what is durable survives a crash, the rest comes by replay",
        Durability::Crash,
        crash,
    ),
    (
        "a crash during replay loses nothing",
        Durability::Crash,
        crash_during_replay,
    ),
];

fn unknown_trace(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    ensure!(
        bench.get(trace_id(1))?.is_empty(),
        "an empty store gave spans"
    );
    bench.push(&[SpanSpec::new(1, 1, NOW)])?;
    ensure!(
        bench.get(trace_id(2))?.is_empty(),
        "a store gave spans of another trace"
    );
    Ok(())
}

/// Values that something on the way is tempted to change.
fn awkward_values() -> Vec<OwnedValue> {
    let texts = [
        "",
        "\0",
        "a\0b\0",
        " padded ",
        "tab\tline\nend\r",
        "é e\u{301} ",
        "\u{202e}rtl",
        "🦀\u{10ffff}",
    ];
    let numbers = [
        0,
        1,
        -1,
        i64::MIN,
        i64::MIN + 1,
        i64::MAX,
        1 << 53,
        (1 << 53) + 1,
    ];
    let doubles = [
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::MIN_POSITIVE / 2.0,
        f64::MAX,
        0.1,
    ];
    let bytes: [&[u8]; 4] = [&[], &[0], &[0xff, 0xfe, 0], &[7; 300]];
    // [1, "a"], nothing at all, and bytes that are no AnyValue.
    let any: [&[u8]; 3] = [
        &[0x2a, 9, 0x0a, 2, 0x18, 1, 0x0a, 3, 0x0a, 1, b'a'],
        &[],
        &[0xff, 1],
    ];
    let long = "x".repeat(70_000);
    let mut values: Vec<OwnedValue> = texts.into_iter().map(OwnedValue::from).collect();
    values.push(OwnedValue::Str(long));
    values.extend(numbers.map(OwnedValue::Int));
    values.extend(doubles.map(OwnedValue::Double));
    values.extend([true, false].map(OwnedValue::Bool));
    values.extend(bytes.map(|bytes| OwnedValue::Bytes(bytes.to_vec())));
    values.extend(any.map(|any| OwnedValue::Any(any.to_vec())));
    values
}

fn values_are_verbatim(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut spans = Vec::new();
    for (number, value) in (1..).zip(awkward_values()) {
        // Also next to a value of another type under the same key, and under an awkward key.
        let span = SpanSpec::new(1, number, NOW - number).with("key", value.clone());
        let span = span.with("key", number as i64).with("", value.clone());
        spans.push(span.with("\0é", value));
    }
    let extremes = [
        (0, 0),
        (0, u64::MAX),
        (u64::MAX, 0),
        (NOW, u64::MAX),
        (1, 1),
    ];
    for (number, (start, duration)) in (1000..).zip(extremes) {
        spans.push(SpanSpec::new(1, number, start).lasting(duration));
    }
    for number in 0..6u8 {
        let kind = SpanKind::from_u8(number).unwrap_or_default();
        let status = StatusCode::from_u8(number % 3).unwrap_or_default();
        let mut span = SpanSpec::new(1, 2000 + u64::from(number), NOW).named("", "\0 op é");
        span = SpanSpec {
            kind,
            status,
            status_message: "why\0".repeat(number.into()),
            ..span
        };
        spans.push(SpanSpec {
            flags: u32::MAX - u32::from(number),
            marks: Marks(u16::from(number)),
            ..span
        });
    }
    bench.push(&spans)?;
    bench.expect_stored(&spans)?;
    bench.flush()?;
    bench.expect_stored(&spans)
}

fn surroundings(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let attributes = || {
        vec![
            ("host".to_owned(), OwnedValue::Int(i64::MIN)),
            (String::new(), "".into()),
        ]
    };
    let base = SpanSpec::new(1, 1, NOW);
    // Each differs from the first in one field only: an interner that skips a field mixes them up.
    let mut spans = vec![
        SpanSpec {
            resource_schema_url: "schema/1".into(),
            ..base.clone()
        },
        SpanSpec {
            resource_attributes: attributes(),
            ..base.clone()
        },
        SpanSpec {
            resource_rest: vec![0, 0xff],
            ..base.clone()
        },
        SpanSpec {
            scope_name: "lib".into(),
            ..base.clone()
        },
        SpanSpec {
            scope_version: "1\0".into(),
            ..base.clone()
        },
        SpanSpec {
            scope_schema_url: "schema/2".into(),
            ..base.clone()
        },
        SpanSpec {
            scope_attributes: attributes(),
            ..base.clone()
        },
        SpanSpec {
            scope_rest: vec![1],
            ..base.clone()
        },
        SpanSpec {
            rest: vec![0; 2_000],
            ..base.clone()
        },
        SpanSpec {
            event_attributes: attributes(),
            ..base.clone()
        },
        SpanSpec {
            attributes: attributes(),
            ..base.clone()
        },
        base,
    ];
    for (number, span) in (1..).zip(&mut spans) {
        span.span_id = super::spans::span_id(number);
    }
    bench.push(&spans)?;
    bench.expect_stored(&spans)?;
    bench.flush()?;
    bench.expect_stored(&spans)
}

fn identity(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let one = SpanSpec::new(1, 7, NOW).with("n", f64_value(f64::NAN));
    let namesakes = [
        one.clone(),
        one.clone(),
        one.clone().lasting(5),
        one.clone().with("n", 1),
        SpanSpec {
            rest: vec![1],
            ..one.clone()
        },
        SpanSpec {
            kind: SpanKind::Server,
            ..one.clone()
        },
        SpanSpec {
            scope_version: "2".into(),
            ..one
        },
    ];
    bench.push(&namesakes)?;
    bench.push(&namesakes[1..4])?;
    bench.flush()?;
    bench.push(&namesakes)?;
    bench.expect_stored(&namesakes)?;
    let query = crate::TraceQuery {
        limit: 10,
        ..crate::TraceQuery::default()
    };
    let hits = bench.find(&query)?.hits;
    ensure!(hits.len() == 1, "one trace gave {} hits", hits.len());
    let count = hits[0].summary.span_count;
    ensure!(count == 6, "six different spans of one id count as {count}");
    Ok(())
}

fn f64_value(number: f64) -> OwnedValue {
    OwnedValue::Double(number)
}

fn fragments(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut spans: Vec<_> = (2..40)
        .map(|number| SpanSpec::new(1, number, NOW + number * MS).child_of(1))
        .collect();
    spans.push(SpanSpec::new(1, 1, NOW));
    for (number, span) in spans.iter().enumerate() {
        let other = SpanSpec::new(100 + number as u64, 1, NOW);
        bench.push(&[span.clone(), other])?;
        match number % 10 {
            3 => bench.tick()?,
            7 => bench.flush()?,
            _ => {}
        }
    }
    bench.expect_stored(&spans)
}

fn bulk(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(11);
    let spans = random.traces(1..=400, NOW);
    ensure!(
        spans.len() > 2_000,
        "too few spans to notice a lost one: {}",
        spans.len()
    );
    for (number, request) in random.requests(&spans).iter().enumerate() {
        bench.push(request)?;
        if number % 16 == 15 {
            bench.tick()?;
        }
    }
    bench.expect_stored(&spans)
}

fn redelivery(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let spans = Random::new(12).traces(1..=30, NOW);
    for request in spans.chunks(10) {
        bench.push(request)?;
        bench.apply(bench.log.len().saturating_sub(2))?;
    }
    bench.flush()?;
    bench.apply(0)?;
    bench.expect_stored(&spans)?;
    let query = crate::TraceQuery {
        limit: 100,
        ..crate::TraceQuery::default()
    };
    let counted: u64 = bench
        .find(&query)?
        .hits
        .iter()
        .map(|hit| hit.summary.span_count)
        .sum();
    ensure!(
        counted == spans.len() as u64,
        "{} spans count as {counted}",
        spans.len()
    );
    Ok(())
}

fn caps_are_marked(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let spans: Vec<_> = (1..=100)
        .map(|number| SpanSpec::new(1, number, NOW))
        .collect();
    for request in spans.chunks(20) {
        bench.push(request)?;
    }
    for (spans_max, bytes_max) in [(30, usize::MAX), (usize::MAX, 3_000)] {
        let mut context = bench.context();
        (context.spans_max, context.bytes_max) = (spans_max, bytes_max);
        let found = bench.store()?.reader().get_trace(trace_id(1), &context);
        let found = worked("get_trace", found)?;
        ensure!(
            found.len() < 100,
            "a cap of {spans_max} spans, {bytes_max} bytes cut nothing"
        );
        ensure!(
            found.len() <= spans_max,
            "{} spans of {spans_max}",
            found.len()
        );
        ensure!(!found.incomplete.is_empty(), "an answer was cut in silence");
    }
    Ok(())
}

fn deadline(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    bench.push(&Random::new(13).traces(1..=20, NOW))?;
    for cancelled in [false, true] {
        let context = bench.context();
        match cancelled {
            true => context
                .cancel_flag()
                .store(true, std::sync::atomic::Ordering::SeqCst),
            false => bench.clock.advance(61 * SECOND),
        }
        let of_trace = bench.store()?.reader().get_trace(trace_id(1), &context);
        let of_trace = of_trace.map(|found| found.incomplete);
        let query = crate::TraceQuery {
            limit: 100,
            ..crate::TraceQuery::default()
        };
        let of_search = bench.store()?.finder().find_traces(&query, &context);
        let of_search = of_search.map(|found| found.incomplete);
        for answer in [of_trace, of_search] {
            let said = match &answer {
                Ok(incomplete) => !incomplete.is_empty(),
                Err(error) => error.class == crate::Class::DeadlineExceeded,
            };
            ensure!(
                said,
                "cancelled: {cancelled}, a read without time answered {answer:?}"
            );
        }
    }
    Ok(())
}

fn clean_stop(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let spans = Random::new(14).traces(1..=40, NOW);
    for (number, request) in spans.chunks(25).enumerate() {
        bench.push(request)?;
        if number % 3 == 2 {
            bench.flush()?;
            bench.restart(Restart::CleanStop)?;
            bench.expect_stored(&spans[..((number + 1) * 25).min(spans.len())])?;
        }
    }
    bench.restart(Restart::CleanStop)?;
    let (durable, last) = (bench.durable_offset(), bench.log.len() as u64);
    ensure!(
        durable == last,
        "after a clean stop durable is {durable} of {last} records"
    );
    bench.expect_stored(&spans)
}

fn crash(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(15);
    let spans = random.traces(1..=60, NOW);
    let mut pushed = 0;
    for request in spans.chunks(17) {
        bench.push(request)?;
        pushed += request.len();
        match random.below(5) {
            0 => bench.tick()?,
            1 => bench.flush()?,
            2 => {
                bench.restart(Restart::Crash)?;
                bench.redeliver()?;
                bench.expect_stored(&spans[..pushed])?;
            }
            _ => {}
        }
    }
    bench.flush()?;
    bench.restart(Restart::Crash)?;
    bench.expect_stored(&spans)
}

fn crash_during_replay(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let spans = Random::new(16).traces(1..=40, NOW);
    for (number, request) in spans.chunks(20).enumerate() {
        bench.push(request)?;
        if number == 2 {
            bench.flush()?;
        }
    }
    for _ in 0..3 {
        bench.restart(Restart::Crash)?;
        bench.redeliver()?;
        bench.tick()?;
    }
    bench.expect_stored(&spans)?;
    bench.flush()?;
    bench.restart(Restart::Crash)?;
    bench.redeliver()?;
    bench.expect_stored(&spans)
}
