//! Search by keys with more values than postings have room for: filters say which blocks to ask.

mod engine_support;

use engine_support::{Lab, MS, NOW, cold};
use tracewell_model::TraceId;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::find::TagCondition;
use tracewell_storage::{TagFilter, TraceFinder, TraceQuery};

/// Far more than a key's values are posted one by one.
const TRACES: u64 = 12_000;

/// Traces of two spans. `request` is another in each of them, `shard` one of seven; `mixed` is a
/// number in some and a text in others.
fn lab() -> Lab {
    let mut lab = Lab::new(cold());
    for record in (0..TRACES).collect::<Vec<_>>().chunks(200) {
        let mut spans = Vec::new();
        for &trace in record {
            let root = SpanSpec::new(trace, 1, NOW + trace * MS);
            let root = root.with("request", request(trace).as_str());
            let child = SpanSpec::new(trace, 2, NOW + trace * MS + 1).child_of(1);
            let child = child.with("shard", (trace % 7) as i64);
            spans.push(root);
            spans.push(match trace % 2 {
                0 => child.with("mixed", (trace / 2) as i64),
                _ => child.with("mixed", (trace / 2).to_string().as_str()),
            });
        }
        lab.push(&spans);
    }
    lab.seal();
    lab.reopen();
    lab
}

fn request(trace: u64) -> String {
    format!("request-{:08x}", trace.wrapping_mul(0x9E37_79B1) as u32)
}

fn found(lab: &Lab, tags: &[(&str, TagCondition)]) -> (Vec<TraceId>, u64) {
    let tag = |(key, condition): &(&str, TagCondition)| TagFilter {
        key: (*key).to_owned(),
        condition: condition.clone(),
    };
    let found = lab.find(&TraceQuery {
        tags: tags.iter().map(tag).collect(),
        limit: 20,
        ..TraceQuery::default()
    });
    assert_eq!(found.incomplete, [""; 0]);
    let ids = found.hits.iter().map(|hit| hit.summary.trace_id).collect();
    (ids, found.searched.blocks_read)
}

fn equals(text: &str) -> TagCondition {
    TagCondition::Equals(text.to_owned())
}

#[test]
fn a_value_of_a_high_key_is_found_in_the_block_that_has_it() {
    let lab = lab();
    // The first ones were posted before the key had too many, the last ones never.
    for trace in [0, 1, 700, 2_047, 2_048, 5_000, TRACES - 1] {
        let (ids, blocks) = found(&lab, &[("request", equals(&request(trace)))]);
        assert_eq!(ids, [trace_id(trace)]);
        assert!(blocks <= 2, "{blocks} blocks were read for one value");
    }
    let (ids, blocks) = found(&lab, &[("request", equals("request-of-nobody"))]);
    assert!(
        ids.is_empty() && blocks <= 1,
        "{blocks} blocks were read for nothing"
    );
}

#[test]
fn numbers_and_texts_of_a_high_key_are_one() {
    let lab = lab();
    for number in [0, 40, 3_000, TRACES / 2 - 1] {
        let (ids, _) = found(&lab, &[("mixed", equals(&number.to_string()))]);
        assert_eq!(ids, [trace_id(number * 2 + 1), trace_id(number * 2)]);
    }
}

#[test]
fn other_conditions_on_a_high_key_are_exact_too() {
    let lab = lab();
    let matching = |pattern: &str| TagCondition::Matches(pattern.parse().expect("a pattern"));
    let (ids, _) = found(
        &lab,
        &[(
            "request",
            matching(request(333).trim_start_matches("request-")),
        )],
    );
    assert_eq!(ids, [trace_id(333)]);
    let newest: Vec<_> = (0..20).map(|back| trace_id(TRACES - 1 - back)).collect();
    assert_eq!(found(&lab, &[("request", TagCondition::Exists)]).0, newest);
    let other = TagCondition::NotEquals(request(TRACES - 1));
    assert_eq!(found(&lab, &[("request", other)]).0[0], newest[1]);
    let both = [("mixed", equals("17")), ("shard", equals("6"))];
    assert_eq!(found(&lab, &both).0, [trace_id(34)]);
}

#[test]
fn completion_of_a_high_key_says_that_there_is_more() {
    let lab = lab();
    let context = lab.context();
    let traces = lab.engine.traces();
    let names = traces.list_tag_values("request", "request-", 1_000, &context);
    let names = names.expect("lists");
    assert!(
        names.capped && names.names.len() > 100,
        "{}",
        names.names.len()
    );
    assert!(names.names.iter().all(|name| name.starts_with("request-")));
    let names = traces
        .list_tag_values("shard", "", 1_000, &context)
        .expect("lists");
    assert_eq!((names.names.len(), names.capped), (7, false));
}
