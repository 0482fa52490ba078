//! Tests of the ladder: sums against brute force, rolling, caps, clocks, bytes.

use proptest::prelude::*;

use super::*;
use crate::stats::{Basis, OTHER, Window};

/// A Sunday, on a step of every rung.
const NOW: u64 = 1_700_000_400 * SECOND_NS;

fn operation(service: &str, operation: &str, entry: bool) -> SeriesKey {
    SeriesKey::Operation {
        service: service.to_owned(),
        operation: operation.to_owned(),
        entry,
    }
}

fn delta<'a>(now: u64, spans: impl IntoIterator<Item = &'a (u64, SeriesKey, u64)>) -> StatsDelta {
    let mut delta = StatsDelta {
        now_unix_ns: now,
        ..StatsDelta::default()
    };
    for (at, series, duration) in spans {
        let figures = delta
            .figures
            .entry((at / STEP_NS, series.clone()))
            .or_default();
        figures.record(*duration, duration % 7 == 0);
    }
    delta
}

fn one(now: u64, at: u64) -> StatsDelta {
    delta(now, &[(at, operation("shop", "GET /", true), 5)])
}

fn window(from: u64, to: u64) -> Window {
    Window {
        from_unix_ns: from,
        to_unix_ns: to,
        steps: 0,
    }
}

fn everything() -> Window {
    window(0, NOW * 2)
}

fn spans_in(ladder: &Ladder, window: Window) -> u64 {
    ladder
        .services(&window)
        .rows
        .iter()
        .map(|row| row.figures.count)
        .sum()
}

/// On a shelf that is not there.
fn put_all_away(ladder: &mut Ladder) {
    for _ in 0..9 {
        ladder.add(&delta(NOW, &[]));
    }
    for resting in ladder.resting(0).iter().flatten() {
        let place = Place {
            file: 3,
            offset: 16,
            length: resting.bytes().len() as u32,
        };
        assert!(ladder.put_away(resting, place));
    }
}

fn spans_strategy() -> impl Strategy<Value = Vec<(u64, SeriesKey, u64)>> {
    let span = (
        0u64..40 * 60,
        0usize..4,
        0usize..3,
        any::<bool>(),
        1u64..1 << 40,
    );
    let span = span.prop_map(|(age_s, service, name, entry, duration)| {
        let services = ["shop", "cart", "pay", ""];
        let series = match name {
            0 => SeriesKey::Edge {
                parent: "shop".into(),
                child: services[service].into(),
            },
            _ => operation(services[service], ["", "GET /", "é\0"][name], entry),
        };
        (NOW - age_s * SECOND_NS, series, duration)
    });
    prop::collection::vec(span, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ladders_of_several_aggregators_merge_to_one(spans in spans_strategy(), parts in 1usize..5) {
        let mut whole = Ladder::new();
        whole.add(&delta(NOW, &spans));
        let mut merged = Ladder::new();
        for part in 0..parts {
            let mut ladder = Ladder::new();
            ladder.add(&delta(NOW, spans.iter().skip(part).step_by(parts)));
            merged.merge(&ladder).unwrap();
        }
        prop_assert_eq!(whole.services(&everything()), merged.services(&everything()));
        prop_assert_eq!(whole.graph(&everything()), merged.graph(&everything()));
        for service in ["shop", "cart", "pay", ""] {
            prop_assert_eq!(
                whole.operations(service, &everything()),
                merged.operations(service, &everything())
            );
        }
    }

    #[test]
    fn a_window_sums_what_brute_force_sums(
        spans in spans_strategy(),
        from in 0u64..2400,
        length in 0u64..2400,
        later_s in 0u64..30 * 3600,
    ) {
        let mut ladder = Ladder::new();
        ladder.add(&delta(NOW, &spans));
        let mut now = NOW;
        // In leaps short enough to be believed at once.
        while now < NOW + later_s * SECOND_NS {
            now += HOUR_NS;
            ladder.roll(now);
        }
        let slot = if now == NOW { STEP_NS } else { 600 * SECOND_NS };
        let from = NOW - from * SECOND_NS;
        let (from, to) = (from - from % slot, (from + length * SECOND_NS).next_multiple_of(slot));
        let inside = spans.iter().filter(|(at, ..)| (from..to).contains(at));
        let mut expected = Ladder::new();
        expected.add(&delta(now, inside));
        let window = Window { from_unix_ns: from, to_unix_ns: to, steps: 7 };
        let (got, expected_rows) = (ladder.services(&window).rows, expected.services(&everything()).rows);
        prop_assert_eq!(got.len(), expected_rows.len());
        for (got, expected) in got.iter().zip(&expected_rows) {
            prop_assert_eq!((&got.service, &got.figures), (&expected.service, &expected.figures));
            let mut of_steps = Figures::default();
            got.series.iter().for_each(|(_, figures)| of_steps.merge(figures));
            prop_assert_eq!(&of_steps, &got.figures);
        }
        prop_assert_eq!(ladder.graph(&window).rows, expected.graph(&everything()).rows);
    }

    #[test]
    fn bytes_go_out_and_in(spans in spans_strategy()) {
        let mut ladder = Ladder::new();
        ladder.add(&delta(NOW, &spans));
        ladder.roll(NOW + HOUR_NS / 2);
        let mut bytes = Vec::new();
        ladder.encode(&mut bytes);
        let read = Ladder::decode(&bytes).unwrap();
        prop_assert_eq!(read.services(&everything()), ladder.services(&everything()));
        prop_assert_eq!(read.graph(&everything()), ladder.graph(&everything()));
        prop_assert_eq!(read.counts(), ladder.counts());
        let mut again = Vec::new();
        read.encode(&mut again);
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        spans in spans_strategy(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        tail in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let mut ladder = Ladder::new();
        ladder.add(&delta(NOW, &spans));
        if tail.len() % 2 == 0 {
            put_all_away(&mut ladder);
        }
        let mut bytes = Vec::new();
        ladder.encode(&mut bytes);
        for (at, byte) in &noise {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if noise.is_empty() {
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(Ladder::decode(&bytes).is_none());
        }
        bytes.extend(tail);
        if let Some(mut read) = Ladder::decode(&bytes) {
            // Whatever was accepted must be usable.
            read.add(&one(NOW, NOW));
            read.roll(NOW + HOUR_NS);
            read.services(&Window { from_unix_ns: 0, to_unix_ns: u64::MAX, steps: 3 });
        }
    }
}

#[test]
fn an_hour_is_kept_by_ten_seconds_and_a_day_by_minutes() {
    let mut ladder = Ladder::new();
    ladder.add(&one(NOW, NOW - 20 * SECOND_NS));
    assert_eq!(
        spans_in(&ladder, window(NOW - 20 * SECOND_NS, NOW - 10 * SECOND_NS)),
        1
    );
    assert_eq!(spans_in(&ladder, window(NOW - 10 * SECOND_NS, NOW)), 0);
    assert_eq!(
        spans_in(&ladder, window(NOW - 60 * SECOND_NS, NOW - 50 * SECOND_NS)),
        0
    );
    for hours in 1..=2 {
        ladder.roll(NOW + hours * HOUR_NS);
    }
    assert_eq!(
        spans_in(&ladder, window(NOW - 60 * SECOND_NS, NOW - 50 * SECOND_NS)),
        1
    );
    assert_eq!(
        spans_in(&ladder, window(NOW - 120 * SECOND_NS, NOW - 60 * SECOND_NS)),
        0
    );
    assert_eq!(spans_in(&ladder, everything()), 1);
}

#[test]
fn late_spans_land_in_the_rung_that_reaches_them() {
    let mut ladder = Ladder::new();
    for age in [0, 2 * HOUR_NS, 2 * DAY_NS] {
        ladder.add(&one(NOW, NOW - age));
    }
    assert_eq!(ladder.rungs.each_ref().map(BTreeMap::len), [1, 1, 1]);
    ladder.add(&one(NOW, NOW - 9 * DAY_NS));
    assert_eq!(
        ladder.counts(),
        LadderCounts {
            too_old: 1,
            ..LadderCounts::default()
        }
    );
    assert_eq!(spans_in(&ladder, everything()), 3);
}

#[test]
fn the_near_future_counts_and_the_far_one_does_not() {
    let mut ladder = Ladder::new();
    ladder.add(&one(NOW, NOW + HOUR_NS));
    ladder.add(&one(NOW, NOW + HOUR_NS + STEP_NS));
    ladder.add(&one(NOW, u64::MAX));
    assert_eq!(ladder.counts().future, 2);
    assert_eq!(spans_in(&ladder, everything()), 1);
}

#[test]
fn what_is_older_than_eight_days_is_gone() {
    let mut ladder = Ladder::new();
    ladder.add(&one(NOW, NOW));
    for hours in 1..=8 * 24 + 1 {
        assert_eq!(spans_in(&ladder, everything()), 1, "after {hours} hours");
        ladder.roll(NOW + hours * HOUR_NS);
    }
    assert_eq!(spans_in(&ladder, everything()), 0);
}

#[test]
fn a_clock_that_jumps_and_comes_back_loses_nothing() {
    let mut ladder = Ladder::new();
    ladder.add(&one(NOW, NOW));
    ladder.add(&one(NOW + 10 * DAY_NS, NOW + 10 * DAY_NS));
    ladder.roll(NOW + 10 * DAY_NS + 60 * SECOND_NS);
    ladder.add(&one(NOW + 120 * SECOND_NS, NOW + 120 * SECOND_NS));
    assert_eq!(spans_in(&ladder, window(NOW, NOW + HOUR_NS)), 2);
    ladder.add(&one(NOW - 10 * DAY_NS, NOW - 10 * DAY_NS));
    ladder.add(&one(NOW, NOW));
    ladder.roll(NOW + 60 * SECOND_NS);
    assert_eq!(spans_in(&ladder, window(NOW, NOW + HOUR_NS)), 3);
    assert_eq!(ladder.counts(), LadderCounts::default());
}

#[test]
fn a_leap_that_lasts_is_believed() {
    let mut ladder = Ladder::new();
    ladder.add(&one(NOW, NOW));
    ladder.roll(NOW + 10 * DAY_NS);
    assert_eq!(spans_in(&ladder, everything()), 1);
    ladder.roll(NOW + 10 * DAY_NS + LEAP_HELD_NS);
    assert_eq!(spans_in(&ladder, everything()), 0);
}

#[test]
fn a_service_without_entry_spans_is_shown_by_all_its_spans() {
    let mut ladder = Ladder::new();
    let spans = [
        (NOW, operation("shop", "GET /", true), 5),
        (NOW, operation("shop", "SELECT", false), 5),
        (NOW, operation("cron", "work", false), 5),
    ];
    ladder.add(&delta(NOW, &spans));
    let rows = ladder.services(&everything()).rows;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.service.as_str(), row.basis, row.figures.count))
        .collect();
    assert_eq!(
        shown,
        [("cron", Basis::AllSpans, 1), ("shop", Basis::EntrySpans, 1)]
    );
    let operations = ladder.operations("shop", &everything()).rows;
    assert_eq!(operations.len(), 2, "every span of an operation counts");
}

#[test]
fn beyond_the_caps_everything_is_counted_as_other() {
    let limits = LadderLimits {
        services_max: 2,
        operations_per_service_max: 2,
        series_max: 3,
    };
    let mut ladder = Ladder::with_limits(limits);
    for (service, name) in [
        ("a", "1"),
        ("a", "2"),
        ("a", "3"),
        ("b", "1"),
        ("b", "2"),
        ("c", "1"),
        ("a", "1"),
    ] {
        ladder.add(&delta(NOW, &[(NOW, operation(service, name, true), 5)]));
    }
    let names = |service: &str| -> Vec<(String, u64)> {
        let rows = ladder.operations(service, &everything()).rows;
        rows.into_iter()
            .map(|row| (row.operation, row.figures.count))
            .collect()
    };
    let other = || (OTHER.to_owned(), 1);
    assert_eq!(names("a"), [("1".into(), 2), ("2".into(), 1), other()]);
    assert_eq!(names("b"), [("1".into(), 1), other()]);
    assert_eq!(names(OTHER), [other()]);
    assert_eq!(ladder.counts().folded, 3);
    assert!(ladder.services(&everything()).capped);
    assert!(ladder.operations("b", &everything()).capped);
    let edge = SeriesKey::Edge {
        parent: "c".into(),
        child: "a".into(),
    };
    ladder.add(&delta(NOW, &[(NOW, edge, 5)]));
    let graph = ladder.graph(&everything());
    assert_eq!((graph.rows[0].parent.as_str(), graph.capped), (OTHER, true));
}

#[test]
fn services_long_gone_make_room_for_new_ones() {
    let limits = LadderLimits {
        services_max: 1,
        ..LadderLimits::default()
    };
    let mut ladder = Ladder::with_limits(limits);
    let of = |service: &str, now: u64| delta(now, &[(now, operation(service, "GET /", true), 5)]);
    for slot in 0..EXPIRED_SLOTS_PER_SWEEP.into() {
        ladder.add(&of("old", NOW + slot * 600 * SECOND_NS));
    }
    let mut now = NOW + DAY_NS;
    while now < NOW + 10 * DAY_NS {
        now += HOUR_NS;
        ladder.roll(now);
    }
    ladder.add(&of("new", now));
    let rows = ladder.services(&everything()).rows;
    assert_eq!(
        rows.iter()
            .map(|row| row.service.as_str())
            .collect::<Vec<_>>(),
        ["new"]
    );
    assert!(ladder.memory_bytes() > 0);
}
