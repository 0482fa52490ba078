//! Cursors (D18, R29): no trace twice, none skipped, while spans arrive.

use serde_json::{Value, json};

use crate::world::{NOW, World, encoded, span};

const SECOND: u64 = 1_000_000_000;

fn trace(id: u64) -> Value {
    let start = NOW - (1_000 - id) * SECOND;
    span(
        id,
        1,
        0,
        &json!({"start_time_unix_ns": start, "duration_ms": id % 7 + 1, "tags": {"k": id % 2}}),
    )
}

fn world(traces: u64) -> World {
    World::of(&(1..=traces).map(trace).collect())
}

/// All pages of a query; `between` runs after each.
async fn pages(world: &World, query: &str, between: impl Fn(u64)) -> Vec<u64> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        let answer = world.ok(&format!("/api/traces?{query}{cursor}")).await;
        for hit in answer["traces"].as_array().into_iter().flatten() {
            let id = hit["trace_id"].as_str().expect("an id");
            found.push(u64::from_str_radix(id, 16).expect("hex"));
        }
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        assert!(page < 100, "the pages end");
        between(page);
    }
    found
}

#[tokio::test]
async fn pages_are_exact_while_spans_arrive() {
    for (query, keep) in [
        ("limit=7", 1),
        ("limit=7&order=slowest", 1),
        ("limit=7&tag=k%3D0", 2),
        ("limit=7&start=now-3000s", 1),
    ] {
        let world = world(50);
        let arrive = |page: u64| {
            let new = json!([trace(100 + page), trace(200 + page)]);
            world.clock.advance(60 * SECOND);
            world.push(&new, NOW + (page + 1) * SECOND);
        };
        let mut found = pages(&world, query, arrive).await;
        let mut sorted = found.clone();
        sorted.dedup();
        assert_eq!(sorted, found, "{query}: no trace twice");
        found.sort_unstable();
        let expected: Vec<_> = (1..=50).filter(|id| id % keep == 0).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn newest_first_and_slowest_first() {
    let world = world(20);
    assert_eq!(
        pages(&world, "limit=3", |_| {}).await,
        (1..=20).rev().collect::<Vec<_>>()
    );
    let slowest = pages(&world, "limit=3&order=slowest", |_| {}).await;
    let durations: Vec<_> = slowest.iter().map(|id| id % 7).collect();
    assert!(durations.is_sorted_by(|a, b| a >= b), "{slowest:?}");
}

#[tokio::test]
async fn a_relative_time_stays_what_it_was_on_the_first_page() {
    // The window holds traces 11 to 20; were it to move with the clock, later pages would lose some.
    let world = world(20);
    let window = pages(&world, "limit=3&start=now-989s", |_| {
        world.clock.advance(5 * SECOND)
    })
    .await;
    assert_eq!(window, (11..=20).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cursor_belongs_to_its_query() {
    let world = world(20);
    let answer = world.ok("/api/traces?limit=3&service=cart").await;
    let cursor = answer["next_cursor"]
        .as_str()
        .expect("more pages")
        .to_owned();
    let mut forged = cursor.clone().into_bytes();
    forged[30] = if forged[30] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("ASCII");
    for (query, cursor, status) in [
        ("service=cart", cursor.as_str(), 200),
        ("service=cart&limit=9&order=newest", &cursor, 200),
        ("service=car", &cursor, 400),
        ("service=cart&error=false", &cursor, 400),
        ("service=cart&order=slowest", &cursor, 400),
        ("", &cursor, 400),
        ("service=cart", &forged, 400),
        ("service=cart", "", 400),
        ("service=cart", "AAAA", 400),
        ("service=cart", "ä", 400),
        ("service=cart", cursor.trim_start_matches("AQ"), 400),
        ("service=cart", &cursor.repeat(2), 400),
    ] {
        let reply = world
            .get(&format!("/api/traces?{query}&cursor={}", encoded(cursor)))
            .await;
        assert_eq!(reply.status, status, "{query} {cursor}");
        if status == 400 {
            assert_eq!(reply.json()["error"]["parameter"], "cursor");
        }
    }
}
