//! Cases of pages while spans arrive (D18): no trace twice, none skipped that was complete at the
//! horizon, none that came after it.

use std::collections::BTreeSet;

use tracewell_model::TraceId;

use super::random::Random;
use super::search::all;
use super::search_random::{expect_hits, filled, pages};
use super::spans::{SpanSpec, trace_id};
use super::store_bench::{Bench, MS, NOW, SECOND};
use super::{Case, Durability, Restart, StoreCheck, StoreFixture, ensure};
use crate::find::{Order, TraceHit, TraceQuery};

pub(super) const CASES: &[Case<StoreCheck>] = &[
    (
        "pages of equal keys neither repeat nor skip",
        Durability::None,
        ties,
    ),
    (
        "pages hold still while spans arrive",
        Durability::None,
        arrivals_between_pages,
    ),
    (
        "a trace whose key moves is not shown twice",
        Durability::None,
        moved_keys,
    ),
    (
        "pages go on after a flush and a restart",
        Durability::Crash,
        across_restart,
    ),
];

fn orders() -> [TraceQuery; 2] {
    [Order::Newest, Order::Slowest].map(|order| TraceQuery { order, ..all() })
}

fn ties(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut oracle = super::oracle::Oracle::default();
    for trace in 1..=12 {
        let span = SpanSpec::new(trace * 37 % 13, 1, NOW + trace % 2);
        bench.push(std::slice::from_ref(&span))?;
        oracle.add(&[span]);
        if trace == 6 {
            bench.flush()?;
        }
    }
    for query in orders() {
        for limit in [1, 2, 5, 12, 13] {
            let query = TraceQuery {
                limit,
                ..query.clone()
            };
            expect_hits(&query, &pages(&mut bench, &query)?, &oracle.find(&query))?;
        }
    }
    Ok(())
}

/// What may arrive between two pages: new traces at either end, spans that move the key of a
/// trace of `moving`, and repeats of what is there.
fn intrude(bench: &mut Bench, random: &mut Random, moving: &[u64], new: u64) -> Result<(), String> {
    bench.clock.advance(SECOND);
    let mut spans = random.trace(10_000 + new, NOW);
    spans.extend(random.trace(20_000 + new, NOW + 10 * SECOND));
    spans.push(SpanSpec::new(30_000 + new, 1, NOW - 1_000 * SECOND).lasting(900 * SECOND));
    let moved = moving[random.below(moving.len() as u64) as usize];
    let earlier = NOW - (100 + random.below(100)) * SECOND;
    spans.push(
        SpanSpec::new(moved, 500 + new, earlier)
            .child_of(1)
            .lasting(random.below(300) * SECOND),
    );
    bench.push(&spans)?;
    let again = bench.log[random.below(8) as usize].batch.clone();
    bench.push(&super::spans::specs(&again))?;
    match random.below(4) {
        0 => bench.flush(),
        1 => bench.tick(),
        _ => Ok(()),
    }
}

fn arrivals_between_pages(fixture: &dyn StoreFixture) -> Result<(), String> {
    let moving: Vec<u64> = (1..=30).collect();
    for round in 0..8 {
        let mut bench = Bench::new(fixture);
        let mut random = Random::new(31 + round);
        let oracle = filled(&mut bench, &mut random)?;
        bench.clock.advance(SECOND);
        // Half of the rounds without predicates: there pages are longest.
        let mut query = if round % 2 == 0 {
            all()
        } else {
            random.query(NOW)
        };
        query.order = if round % 4 < 2 {
            Order::Newest
        } else {
            Order::Slowest
        };
        query.limit = 1 + random.below(12) as usize;
        let expected = oracle.find(&query);
        let mut hits = Vec::new();
        for page in 0.. {
            let found = bench.find(&query)?;
            ensure!(page < 500, "the pages of {query:?} have no end");
            hits.extend(found.hits);
            let Some(next) = found.next else { break };
            query.cursor = Some(next);
            intrude(&mut bench, &mut random, &moving, page + round * 1_000)?;
        }
        query.cursor = None;
        expect_once(&hits)?;
        let is_moving = |id: TraceId| moving.iter().any(|&number| trace_id(number) == id);
        let is_new = |id: TraceId| id > trace_id(9_999);
        let new = hits.iter().find(|hit| is_new(hit.summary.trace_id));
        ensure!(
            new.is_none(),
            "a trace newer than the horizon was shown: {new:?}"
        );
        let still: Vec<_> = hits
            .into_iter()
            .filter(|hit| !is_moving(hit.summary.trace_id))
            .collect();
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|hit| !is_moving(hit.summary.trace_id))
            .collect();
        expect_hits(&query, &still, &expected)?;
    }
    Ok(())
}

fn expect_once(hits: &[TraceHit]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let twice = hits.iter().find(|hit| !seen.insert(hit.summary.trace_id));
    ensure!(twice.is_none(), "a trace was shown twice: {twice:?}");
    Ok(())
}

fn moved_keys(fixture: &dyn StoreFixture) -> Result<(), String> {
    for query in orders() {
        let mut bench = Bench::new(fixture);
        let span = |trace: u64| SpanSpec::new(trace, 1, NOW + trace * MS).lasting(trace * MS);
        bench.push(&(1..=9).map(span).collect::<Vec<_>>())?;
        let query = TraceQuery { limit: 3, ..query };
        let first = bench.find(&query)?;
        let mut hits = first.hits;
        bench.clock.advance(SECOND);
        // Shown ones move behind the cursor (earlier), or before it (longer); unshown ones too.
        let late = [9, 8, 2].map(|trace| {
            SpanSpec::new(trace, 2, NOW - trace * MS)
                .child_of(1)
                .lasting(trace * 10 * MS)
        });
        bench.push(&late)?;
        let rest = TraceQuery {
            cursor: first.next,
            ..query
        };
        hits.extend(pages(&mut bench, &rest)?);
        expect_once(&hits)?;
        let shown: BTreeSet<_> = hits.iter().map(|hit| hit.summary.trace_id).collect();
        let complete = [1, 3, 4, 5, 6, 7].map(trace_id);
        let skipped = complete.iter().find(|id| !shown.contains(*id));
        ensure!(
            skipped.is_none(),
            "a complete trace was skipped: {skipped:?}"
        );
    }
    Ok(())
}

fn across_restart(fixture: &dyn StoreFixture) -> Result<(), String> {
    for query in orders() {
        let mut bench = Bench::new(fixture);
        let mut random = Random::new(41);
        let oracle = filled(&mut bench, &mut random)?;
        bench.clock.advance(SECOND);
        let query = TraceQuery { limit: 50, ..query };
        let first = bench.find(&query)?;
        intrude(&mut bench, &mut random, &[9_999], 1)?;
        bench.restart(Restart::Crash)?;
        bench.redeliver()?;
        let mut hits = first.hits;
        let rest = TraceQuery {
            cursor: first.next,
            ..query.clone()
        };
        hits.extend(pages(&mut bench, &rest)?);
        expect_hits(&query, &hits, &oracle.find(&query))?;
    }
    Ok(())
}
