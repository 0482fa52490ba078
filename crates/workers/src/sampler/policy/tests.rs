//! The policy: what is kept whatever the share, and that the share of the healthy holds.

use fastrand::Rng;

use super::*;

const WINDOW_NS: u64 = 1_000_000_000;

fn judge(policy: Policy) -> Judge {
    let policy = Policy {
        live_window_ns: WINDOW_NS,
        ..policy
    };
    Judge::new(policy, HealthyShare::default())
}

fn healthy(number: u64, window: u64) -> Candidate {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    Candidate {
        trace_id: TraceId(id),
        arrived_unix_ns: window * WINDOW_NS,
        start_unix_ns: 1,
        duration_ns: 1_000,
        spans: 3,
        root: Some(0),
        has_error: false,
        is_partial: false,
        pace: Pace::Usual,
        is_pinned: false,
        before: None,
    }
}

const ROOT: Option<(&str, &str)> = Some(("shop", "GET /"));

fn judged(candidate: Candidate, standing: Standing) -> Verdict {
    judge(Policy::default()).judge(&candidate, ROOT, standing)
}

#[test]
fn whatever_is_not_healthy_is_kept_with_its_reason() {
    let plain = healthy(1, 1);
    let cases = [
        (
            Candidate {
                has_error: true,
                ..plain
            },
            Standing::Outlier,
            Kept::Error,
        ),
        (plain, Standing::Outlier, Kept::Outlier),
        (
            Candidate {
                pace: Pace::Slow,
                ..plain
            },
            Standing::Usual,
            Kept::SlowSpan,
        ),
        (
            Candidate {
                is_pinned: true,
                ..plain
            },
            Standing::Usual,
            Kept::Pinned,
        ),
        (
            Candidate {
                is_partial: true,
                ..plain
            },
            Standing::Usual,
            Kept::Partial,
        ),
        (plain, Standing::Unknown, Kept::TooFewSamples),
        (
            Candidate {
                pace: Pace::Unknown,
                ..plain
            },
            Standing::Usual,
            Kept::TooFewSamples,
        ),
    ];
    for (candidate, standing, reason) in cases {
        assert_eq!(judged(candidate, standing), Verdict::Keep(reason));
    }
}

#[test]
fn what_was_decided_stays_decided_unless_something_late_matters() {
    let dropped = Verdict::Drop(Dropped::NotInShare);
    let late = Candidate {
        before: Some(dropped),
        is_partial: true,
        ..healthy(1, 1)
    };
    assert_eq!(judged(late, Standing::Unknown), dropped);
    let failed = Candidate {
        has_error: true,
        ..late
    };
    assert_eq!(
        judged(failed, Standing::Unknown),
        Verdict::Keep(Kept::LateError)
    );
    let slow = Candidate {
        pace: Pace::Slow,
        ..late
    };
    assert_eq!(
        judged(slow, Standing::Unknown),
        Verdict::Keep(Kept::LateOutlier)
    );
    let kept = Verdict::Keep(Kept::Diversity);
    let more = Candidate {
        before: Some(kept),
        has_error: true,
        ..late
    };
    assert_eq!(judged(more, Standing::Outlier), kept);
}

#[test]
fn rules_keep_their_roots() {
    let rule = |operation: Option<&str>| Rule {
        service: "shop".to_owned(),
        operation: operation.map(str::to_owned),
    };
    let verdict = |rule: Rule| {
        let policy = Policy {
            rules: vec![rule],
            diversity: 0,
            ..Policy::default()
        };
        let numbers = 0..50;
        let mut judge = judge(policy);
        let of = |number| judge.judge(&healthy(number, 1), ROOT, Standing::Usual);
        numbers
            .map(of)
            .filter(|verdict| *verdict == Verdict::Keep(Kept::Rule))
            .count()
    };
    assert_eq!(verdict(rule(None)), 50);
    assert_eq!(verdict(rule(Some("GET /"))), 50);
    assert_eq!(verdict(rule(Some("GET /cart"))), 0);
}

/// D20's share is kept at every moment of every window above a thousand healthy traces, whatever the
/// mix of operations and durations, and over restarts.
#[test]
fn of_healthy_traces_no_more_than_the_share_is_kept() {
    let rounds = if cfg!(debug_assertions) { 20 } else { 400 };
    for seed in 0..rounds {
        let mut rng = Rng::with_seed(seed);
        let policy = Policy {
            diversity: rng.u32(0..20),
            healthy_share: [500, 100, 1_000][rng.usize(0..3)],
            ..Policy::default()
        };
        let share = policy.healthy_share;
        let operations: Vec<String> = (0..rng.usize(1..400)).map(|n| format!("op{n}")).collect();
        let mut judge = judge(policy.clone());
        let (mut window, mut kept, mut all) = (1, 0, 0);
        for number in 0..rng.u64(1_000..20_000) {
            if rng.u32(0..8_000) == 0 {
                (window, kept, all) = (window + 1, 0, 0);
            }
            if rng.u32(0..3_000) == 0 {
                judge = Judge::new(judge.policy().clone(), judge.share());
            }
            let candidate = Candidate {
                duration_ns: 1 << rng.u32(0..40),
                ..healthy(number << 32 | seed, window)
            };
            let root = ("shop", operations[rng.usize(0..operations.len())].as_str());
            let verdict = judge.judge(&candidate, Some(root), Standing::Usual);
            all += 1;
            kept += u64::from(matches!(verdict, Verdict::Keep(_)));
            let allowed = all.max(FEW_HEALTHY) * share / WHOLE;
            assert!(kept <= allowed, "seed {seed}: {kept} of {all}");
        }
    }
}

#[test]
fn each_operation_and_band_is_represented() {
    let mut judge = judge(Policy::default());
    let mut kept: HashMap<(u64, u32), u32> = HashMap::new();
    for number in 0..10_000 {
        let (operation, band) = (number % 7, (number / 7 % 3) as u32);
        let candidate = Candidate {
            duration_ns: 1 << (10 + band),
            ..healthy(number, 1)
        };
        let root = ("shop", format!("op{operation}"));
        let verdict = judge.judge(&candidate, Some((root.0, &root.1)), Standing::Usual);
        if matches!(verdict, Verdict::Keep(_)) {
            *kept.entry((operation, band)).or_default() += 1;
        }
    }
    assert_eq!(kept.len(), 21);
    assert!(kept.values().all(|&count| count >= 3), "{kept:?}");
}

/// Two nodes that are given the same traces in other portions decide alike.
#[test]
fn ids_are_drawn_alike_everywhere_and_evenly() {
    let share =
        |ids: &dyn Fn(u64) -> TraceId| (0..100_000).filter(|&n| is_drawn(ids(n), 400)).count();
    let counting = share(&|n| healthy(n, 0).trace_id);
    let dated = share(&|n| {
        let mut id = [0x65; 16];
        id[4..8].copy_from_slice(&(n as u32).to_be_bytes());
        TraceId(id)
    });
    let random = share(&|n| {
        let mut rng = Rng::with_seed(n);
        TraceId(rng.u128(..).to_be_bytes())
    });
    for drawn in [counting, dated, random] {
        assert!((3_750..4_250).contains(&drawn), "{drawn} of 100000 for 4 %");
    }
    // Pinned down: another build must draw the same.
    let first: Vec<u64> = (0..100)
        .filter(|&n| is_drawn(healthy(n, 0).trace_id, 400))
        .collect();
    assert_eq!(first, DRAWN_OF_A_HUNDRED);
}

const DRAWN_OF_A_HUNDRED: [u64; 5] = [1, 18, 43, 47, 58];
