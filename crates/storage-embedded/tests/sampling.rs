//! The engine as a store that is sampled: what is due, what goes and when, and that nothing but a
//! decision that is safe makes anything go.

mod engine_support;

use std::sync::Arc;

use engine_support::{Lab, MS, NOW, SECOND, cold};
use tracewell_model::{Clock, TraceId, TraceSummary};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::sampling::{
    Books, Bound, Bounds, Candidate, Dropped, Due, Horizon, Kept, Pace, Portion, Verdict,
};
use tracewell_storage::{SampledStore, TraceQuery};
use tracewell_storage_embedded::sampling::EmbeddedSampling;

struct Beyond(Bound);

impl Bounds for Beyond {
    fn bound(&self, _service: &str, _operation: &str) -> Bound {
        self.0
    }
}

const USUAL: Beyond = Beyond(Bound::Beyond(100 * MS));

fn open(lab: &Lab) -> EmbeddedSampling {
    let (fs, clock) = (Arc::new(lab.fs.clone()), lab.clock.clone());
    let engine = lab.engine.clone();
    EmbeddedSampling::open(fs, lab.dir.path(), clock, engine, 60 * SECOND).expect("opens")
}

fn trace(number: u64) -> Vec<SpanSpec> {
    let root = SpanSpec::new(number, 1, NOW + number * MS).lasting(10 * MS);
    vec![
        root,
        SpanSpec::new(number, 2, NOW + number * MS)
            .child_of(1)
            .lasting(MS),
    ]
}

fn due(lab: &Lab, sampling: &EmbeddedSampling) -> Option<Portion> {
    let horizon = Horizon {
        unix_ns: lab.clock.unix_ns(),
        positions: lab
            .log
            .last()
            .map(|record| record.position)
            .into_iter()
            .collect(),
    };
    match sampling.next_due(&horizon, &USUAL).expect("reads") {
        Due::Portion(portion) => Some(portion),
        Due::Nothing => None,
        Due::Waiting(said) => panic!("{said}"),
    }
}

fn candidate(portion: &Portion, number: u64) -> Candidate {
    let mut all = portion.candidates.iter();
    let found = all.find(|candidate| candidate.trace_id == trace_id(number));
    *found.expect("the trace is due")
}

const DROP: Verdict = Verdict::Drop(Dropped::NotInShare);

/// Keeps those with an error, drops the others.
fn decide(sampling: &EmbeddedSampling, portion: &Portion) {
    let verdict = |candidate: &Candidate| match candidate.has_error {
        true => Verdict::Keep(Kept::Error),
        false => DROP,
    };
    let verdicts: Vec<_> = portion.candidates.iter().map(verdict).collect();
    sampling
        .decide(portion, &verdicts, &Books::default())
        .expect("decides");
}

fn compact(lab: &Lab, sampling: &EmbeddedSampling) -> usize {
    let keep = |trace: &TraceSummary| sampling.verdict(trace);
    let step = || {
        lab.engine
            .compact_step(Some(&keep), &|| true)
            .expect("compacts")
    };
    std::iter::from_fn(step).count()
}

fn is_stored(lab: &Lab, id: TraceId) -> bool {
    !lab.get(id).is_empty()
}

#[test]
fn what_is_dropped_goes_at_the_next_compaction_also_after_a_kill() {
    let mut lab = Lab::new(cold());
    let sampling = open(&lab);
    for number in 1..=20 {
        lab.push(&trace(number));
    }
    lab.push(&[SpanSpec::new(21, 1, NOW).failed()]);
    assert!(
        due(&lab, &sampling).is_none(),
        "what is in the head is not decided about"
    );
    lab.seal();
    let portion = due(&lab, &sampling).expect("a sealed segment is due");
    assert_eq!(portion.candidates.len(), 21);
    assert!(candidate(&portion, 21).has_error);
    assert_eq!(
        compact(&lab, &sampling),
        0,
        "before it is decided nothing goes"
    );
    decide(&sampling, &portion);
    assert!(due(&lab, &sampling).is_none());
    drop(sampling);
    lab.reopen();
    assert_eq!(lab.engine.status().stored, 41);

    let sampling = open(&lab);
    assert!(due(&lab, &sampling).is_none(), "it is decided once");
    assert_eq!(compact(&lab, &sampling), 1);
    let status = lab.engine.status();
    assert_eq!((status.stored, status.sampled_out), (1, 40));
    assert!(is_stored(&lab, trace_id(21)) && !is_stored(&lab, trace_id(5)));
    let all = TraceQuery {
        limit: 100,
        ..TraceQuery::default()
    };
    assert_eq!(lab.find(&all).hits.len(), 1, "store and index agree");
    assert_eq!(compact(&lab, &sampling), 0);
    assert_eq!(
        sampling.recall(trace_id(21), NOW),
        Some(Verdict::Keep(Kept::Error))
    );
    lab.reopen();
    assert_eq!(lab.engine.status().sampled_out, 40);
}

#[test]
fn a_segment_of_which_nothing_stays_vanishes() {
    let mut lab = Lab::new(cold());
    let sampling = open(&lab);
    (1..=20).for_each(|number| lab.push(&trace(number)));
    lab.seal();
    decide(&sampling, &due(&lab, &sampling).expect("due"));
    assert_eq!(compact(&lab, &sampling), 1);
    let status = lab.engine.status();
    assert_eq!(
        (status.segments, status.disk_bytes, status.sampled_out),
        (0, 0, 40)
    );
    assert_eq!(lab.files(".seg").len() + lab.files(".idx").len(), 0);
}

#[test]
fn a_trace_in_several_places_is_judged_as_a_whole() {
    let mut lab = Lab::new(cold());
    let sampling = open(&lab);
    for number in 1..=3 {
        lab.push(&trace(number)[..1]);
    }
    lab.seal();
    // One child in the next segment, one in the head; the third never comes.
    lab.push(&[SpanSpec::new(1, 2, NOW).child_of(1).failed()]);
    lab.seal();
    lab.push(&[SpanSpec::new(2, 2, NOW).child_of(1).lasting(200 * MS)]);
    let portion = due(&lab, &sampling).expect("due");
    assert_eq!(portion.candidates.len(), 3);
    assert!(candidate(&portion, 1).has_error);
    let slow = candidate(&portion, 2);
    assert_eq!(
        (slow.pace, slow.spans, slow.is_partial),
        (Pace::Slow, 2, false)
    );
    assert!(slow.duration_ns >= 190 * MS);
    assert_eq!(candidate(&portion, 3).spans, 1);
    decide(&sampling, &portion);
    // What comes of it later is known to be dropped, or kept.
    let portion = due(&lab, &sampling).expect("the next segment");
    assert_eq!(
        candidate(&portion, 1).before,
        Some(Verdict::Keep(Kept::Error))
    );
}

#[test]
fn a_late_part_with_an_error_stays_and_one_without_goes() {
    let mut lab = Lab::new(cold());
    let sampling = open(&lab);
    (1..=20).for_each(|number| lab.push(&trace(number)));
    lab.seal();
    decide(&sampling, &due(&lab, &sampling).expect("due"));
    compact(&lab, &sampling);
    lab.push(&[SpanSpec::new(1, 3, NOW).child_of(1).failed()]);
    lab.push(&[SpanSpec::new(2, 3, NOW).child_of(1)]);
    lab.seal();
    let portion = due(&lab, &sampling).expect("the late ones");
    let (failed, other) = (candidate(&portion, 1), candidate(&portion, 2));
    assert_eq!((failed.before, failed.has_error), (Some(DROP), true));
    assert_eq!((other.before, other.has_error), (Some(DROP), false));
    let late = |candidate: &Candidate| match candidate.has_error {
        true => Verdict::Keep(Kept::LateError),
        false => DROP,
    };
    let verdicts: Vec<_> = portion.candidates.iter().map(late).collect();
    sampling
        .decide(&portion, &verdicts, &Books::default())
        .expect("decides");
    compact(&lab, &sampling);
    assert!(is_stored(&lab, trace_id(1)) && !is_stored(&lab, trace_id(2)));
    // It goes on.
    lab.push(&[SpanSpec::new(1, 4, NOW).child_of(1)]);
    lab.seal();
    let portion = due(&lab, &sampling).expect("what still comes");
    assert_eq!(
        candidate(&portion, 1).before,
        Some(Verdict::Keep(Kept::LateError))
    );
}

#[test]
fn a_decision_that_could_not_be_written_down_deletes_nothing() {
    let mut lab = Lab::new(cold());
    let sampling = open(&lab);
    (1..=20).for_each(|number| lab.push(&trace(number)));
    lab.seal();
    let portion = due(&lab, &sampling).expect("due");
    let verdicts = vec![DROP; portion.candidates.len()];
    lab.fs.die_after(0);
    assert!(
        sampling
            .decide(&portion, &verdicts, &Books::default())
            .is_err()
    );
    lab.fs.heal();
    assert_eq!(compact(&lab, &sampling), 0);
    assert_eq!(lab.engine.status().stored, 40);
    let portion = due(&lab, &sampling).expect("it is due again");
    decide(&sampling, &portion);
    assert_eq!(compact(&lab, &sampling), 1);
}

#[test]
fn what_came_before_sampling_or_while_it_was_off_stays() {
    let mut lab = Lab::new(cold());
    lab.push(&trace(1));
    lab.seal();
    let sampling = open(&lab);
    assert!(due(&lab, &sampling).is_none());
    drop(sampling);
    lab.clock.advance(3_600 * SECOND);
    lab.push(&trace(2));
    lab.seal();
    let sampling = open(&lab);
    assert!(due(&lab, &sampling).is_none());
    lab.push(&trace(3));
    lab.seal();
    let portion = due(&lab, &sampling).expect("what comes now is");
    assert_eq!(portion.candidates.len(), 1);
}
