//! Cases of a store as finder, by chance: all predicates together against the oracle, page by page.

use super::oracle::{Expected, Oracle};
use super::random::Random;
use super::store_bench::{Bench, NOW};
use super::{Case, Durability, Restart, StoreCheck, StoreFixture, ensure};
use crate::find::{Order, TraceHit, TraceQuery};

pub(super) const CASES: &[Case<StoreCheck>] = &[
    (
        "random queries find what the oracle finds",
        Durability::None,
        random_queries,
    ),
    (
        "search finds the same after a crash and replay",
        Durability::Crash,
        after_crash,
    ),
];

/// A store with random traces, some in segments and some not, and the oracle of the same spans.
pub(super) fn filled(bench: &mut Bench, random: &mut Random) -> Result<Oracle, String> {
    let mut oracle = Oracle::default();
    let spans = random.traces(1..=150, NOW);
    for (number, request) in random.requests(&spans).iter().enumerate() {
        bench.push(request)?;
        match number % 7 {
            2 => bench.tick()?,
            5 => bench.flush()?,
            _ => {}
        }
    }
    oracle.add(&spans);
    Ok(oracle)
}

/// All pages of a query.
pub(super) fn pages(bench: &mut Bench, query: &TraceQuery) -> Result<Vec<TraceHit>, String> {
    let mut query = query.clone();
    let mut hits: Vec<TraceHit> = Vec::new();
    loop {
        let found = bench.find(&query)?;
        let empty = found.hits.is_empty();
        hits.extend(found.hits);
        if found.next.is_none() {
            return Ok(hits);
        }
        // An empty page may end the list (a search index cannot always tell), never go on.
        ensure!(!empty, "an empty page of {query:?} has a next one");
        query.cursor = found.next;
    }
}

pub(super) fn expect_hits(
    query: &TraceQuery,
    hits: &[TraceHit],
    expected: &[Expected],
) -> Result<(), String> {
    for (at, expected) in expected.iter().enumerate() {
        let Some(hit) = hits.get(at) else {
            return Err(format!("{query:?} skipped hit {at}: {expected:?}"));
        };
        let got = (&hit.summary, hit.matched_span_id);
        let wanted = (&expected.summary, expected.matched_span_id);
        ensure!(
            got == wanted,
            "hit {at} of {query:?} is {got:?}, not {wanted:?}"
        );
    }
    let extra = hits.get(expected.len());
    ensure!(extra.is_none(), "{query:?} found too much: {extra:?}");
    Ok(())
}

fn random_queries(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(21);
    let oracle = filled(&mut bench, &mut random)?;
    let mut with_hits = 0;
    for _ in 0..300 {
        let query = random.query(NOW);
        let expected = oracle.find(&query);
        with_hits += usize::from(!expected.is_empty());
        expect_hits(&query, &pages(&mut bench, &query)?, &expected)?;
    }
    ensure!(
        with_hits > 100,
        "the suite itself is weak: {with_hits} of 300 queries hit"
    );
    Ok(())
}

fn after_crash(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(22);
    let oracle = filled(&mut bench, &mut random)?;
    bench.restart(Restart::Crash)?;
    bench.redeliver()?;
    for order in [Order::Newest, Order::Slowest] {
        let query = TraceQuery {
            order,
            limit: 40,
            ..TraceQuery::default()
        };
        expect_hits(&query, &pages(&mut bench, &query)?, &oracle.find(&query))?;
    }
    for _ in 0..20 {
        let query = random.query(NOW);
        expect_hits(&query, &pages(&mut bench, &query)?, &oracle.find(&query))?;
    }
    Ok(())
}
