//! Cases of a store as scanner: everything once, by chance and against the plain list of what was
//! pushed; ranges that share no span; an end when told to.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use tracewell_model::{SpanId, TraceId};

use super::random::Random;
use super::spans::SpanSpec;
use super::store_bench::{Bench, MS, NOW, SECOND};
use super::{Case, Durability, Restart, StoreCheck, StoreFixture, ensure, worked};
use crate::scan::{ScanQuery, Scanned};

pub(super) const CASES: &[Case<StoreCheck>] = &[
    (
        "a scan hands over every span as it was",
        Durability::None,
        everything,
    ),
    (
        "ranges of time that meet share no span and lose none",
        Durability::None,
        ranges,
    ),
    (
        "a scan of a service gives its spans",
        Durability::None,
        by_service,
    ),
    (
        "a scan ends when it is told to",
        Durability::None,
        told_to_end,
    ),
    (
        "a scan stops when its time is up, and says so",
        Durability::None,
        deadline,
    ),
    (
        "a scan finds the same after a crash and replay",
        Durability::Crash,
        after_crash,
    ),
];

/// A store with these spans in many requests, some in segments and some not.
fn filled(bench: &mut Bench, random: &mut Random, spans: &[SpanSpec]) -> Result<(), String> {
    for (number, request) in random.requests(spans).iter().enumerate() {
        bench.push(request)?;
        match number % 7 {
            2 => bench.tick()?,
            5 => bench.flush()?,
            _ => {}
        }
    }
    Ok(())
}

/// What a scan hands over, and what it says of itself.
fn scan(bench: &mut Bench, query: &ScanQuery) -> Result<(Vec<SpanSpec>, Scanned), String> {
    let context = bench.context();
    let mut spans = Vec::new();
    let mut fault = None;
    let scanned = bench
        .store()?
        .scanner()
        .scan_spans(query, &context, &mut |batch, rows| {
            if rows.is_empty() || !rows.is_sorted_by(|a, b| a < b) {
                fault = Some(format!("the rows {rows:?} were handed over"));
            }
            spans.extend(rows.iter().map(|&row| SpanSpec::of(batch.span(row))));
            ControlFlow::Continue(())
        });
    let scanned = worked("scan_spans", scanned)?;
    fault.map_or(Ok(()), Err)?;
    ensure!(
        scanned.spans == spans.len() as u64,
        "{} spans were handed over and counted as {}",
        spans.len(),
        scanned.spans
    );
    ensure!(
        scanned.incomplete.is_empty() && scanned.spans_missing == 0,
        "the scan lacks {} spans: {:?}",
        scanned.spans_missing,
        scanned.incomplete
    );
    Ok((spans, scanned))
}

type ById<'a> = BTreeMap<(TraceId, SpanId), Vec<&'a SpanSpec>>;

fn by_id<'a>(spans: impl IntoIterator<Item = &'a SpanSpec>) -> ById<'a> {
    let mut by_id = ById::new();
    for span in spans {
        by_id
            .entry((span.trace_id, span.span_id))
            .or_default()
            .push(span);
    }
    by_id
}

/// Checks that a scan gives exactly the spans that match, each at least once.
fn expect(bench: &mut Bench, query: &ScanQuery, pushed: &[SpanSpec]) -> Result<usize, String> {
    let matches = |span: &&SpanSpec| {
        query
            .start_unix_ns
            .is_none_or(|from| from <= span.start_unix_ns)
            && query.end_unix_ns.is_none_or(|to| span.start_unix_ns < to)
            && query
                .service
                .as_ref()
                .is_none_or(|service| *service == span.service)
    };
    let expected: Vec<&SpanSpec> = pushed.iter().filter(matches).collect();
    let (got, _) = scan(bench, query)?;
    let (of_got, of_expected) = (by_id(&got), by_id(expected.iter().copied()));
    let is_in = |all: &ById<'_>, span: &SpanSpec| {
        let namesakes = all.get(&(span.trace_id, span.span_id));
        namesakes.is_some_and(|namesakes| namesakes.contains(&span))
    };
    let missing = expected.iter().find(|span| !is_in(&of_got, span));
    ensure!(missing.is_none(), "{query:?} lacks {missing:?}");
    let extra = got.iter().find(|span| !is_in(&of_expected, span));
    ensure!(extra.is_none(), "{query:?} gave {extra:?}");
    Ok(expected.len())
}

fn everything(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let all = ScanQuery::default();
    expect(&mut bench, &all, &[])?;
    let mut random = Random::new(31);
    let spans = random.traces(1..=200, NOW);
    filled(&mut bench, &mut random, &spans)?;
    expect(&mut bench, &all, &spans)?;
    bench.flush()?;
    expect(&mut bench, &all, &spans)?;
    // Without a repeat among what was pushed, there is none in what comes back.
    let mut bench = Bench::new(fixture);
    for (number, request) in spans.chunks(50).enumerate() {
        bench.push(request)?;
        if number % 4 == 1 {
            bench.flush()?;
        }
    }
    let (got, _) = scan(&mut bench, &all)?;
    ensure!(
        got.len() == spans.len(),
        "{} spans came back as {}",
        spans.len(),
        got.len()
    );
    Ok(())
}

fn ranges(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(32);
    let spans = random.traces(1..=120, NOW);
    filled(&mut bench, &mut random, &spans)?;
    // Spans stand on a grid of 10 ms: the bounds meet some of them exactly.
    let mut bounds: Vec<Option<u64>> = (0..6)
        .map(|_| Some(NOW - random.below(6_000) * 10 * MS))
        .collect();
    bounds.sort_unstable();
    bounds.insert(0, None);
    bounds.push(None);
    let mut found = 0;
    for pair in bounds.windows(2) {
        let query = ScanQuery {
            start_unix_ns: pair[0],
            end_unix_ns: pair[1],
            ..ScanQuery::default()
        };
        found += expect(&mut bench, &query, &spans)?;
    }
    ensure!(
        found == spans.len(),
        "{} spans are {found} in adjacent ranges",
        spans.len()
    );
    Ok(())
}

fn by_service(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(33);
    let spans = random.traces(1..=60, NOW);
    filled(&mut bench, &mut random, &spans)?;
    for (service, some) in [
        ("shop", true),
        ("Shop", true),
        ("nobody", false),
        ("", false),
    ] {
        let query = ScanQuery {
            service: Some(service.to_owned()),
            end_unix_ns: Some(NOW - 10 * SECOND),
            ..ScanQuery::default()
        };
        let found = expect(&mut bench, &query, &spans)?;
        ensure!((found > 0) == some, "{service} has {found} spans");
    }
    Ok(())
}

fn told_to_end(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let spans = Random::new(34).traces(1..=60, NOW);
    for (number, request) in spans.chunks(20).enumerate() {
        bench.push(request)?;
        if number % 3 == 0 {
            bench.flush()?;
        }
    }
    for calls_wanted in [1, 2] {
        let (context, mut calls, mut taken) = (bench.context(), 0, 0);
        let query = ScanQuery::default();
        let scanned = bench
            .store()?
            .scanner()
            .scan_spans(&query, &context, &mut |_, rows| {
                calls += 1;
                taken += rows.len() as u64;
                match calls < calls_wanted {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
        let scanned = worked("scan_spans", scanned)?;
        ensure!(
            calls == calls_wanted,
            "told to end at call {calls_wanted}, came to {calls}"
        );
        ensure!(
            scanned.spans == taken,
            "{taken} spans were handed over and counted as {}",
            scanned.spans
        );
    }
    Ok(())
}

fn deadline(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    bench.push(&Random::new(35).traces(1..=20, NOW))?;
    bench.flush()?;
    bench.push(&Random::new(36).traces(21..=40, NOW))?;
    for cancelled in [false, true] {
        let context = bench.context();
        match cancelled {
            true => context.cancel_flag().store(true, Ordering::SeqCst),
            false => bench.clock.advance(61 * SECOND),
        }
        let query = ScanQuery::default();
        let scanned = bench
            .store()?
            .scanner()
            .scan_spans(&query, &context, &mut |_, _| ControlFlow::Continue(()));
        let said = match &scanned {
            Ok(scanned) => !scanned.incomplete.is_empty(),
            Err(error) => error.class == crate::Class::DeadlineExceeded,
        };
        ensure!(
            said,
            "cancelled: {cancelled}, a scan without time answered {scanned:?}"
        );
    }
    Ok(())
}

fn after_crash(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(37);
    let spans = random.traces(1..=80, NOW);
    filled(&mut bench, &mut random, &spans)?;
    bench.restart(Restart::Crash)?;
    bench.redeliver()?;
    expect(&mut bench, &ScanQuery::default(), &spans)?;
    Ok(())
}
