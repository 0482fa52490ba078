//! The header cases of the W3C's test suite, as Elastic keeps them (2019, level 1).

use serde_json::Value as Json;
use tracewell_sdk::Propagator;
use tracewell_sdk::propagation::tracestate::{Invalid, Level, TraceState};

const CASES: &str = "../../../shared/data/w3c-elastic/w3c_distributed_tracing.json";

#[test]
fn the_suites_verdicts_are_ours() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return println!("skipped: no ../shared/data/w3c-elastic");
    };
    let text: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("//"))
        .collect();
    let cases: Vec<Json> = serde_json::from_str(&text.join("\n")).unwrap();
    assert_eq!(cases.len(), 82);
    for case in &cases {
        let pairs = case["headers"].as_array().unwrap().iter();
        let headers: Vec<(String, String)> = pairs
            .map(|pair| {
                let text = |at: usize| pair[at].as_str().unwrap().to_owned();
                (text(0), text(1))
            })
            .collect();
        let context = Propagator::default().extract(&headers);
        let valid = case["is_traceparent_valid"].as_bool().unwrap();
        assert_eq!(context.span().is_valid(), valid, "{case}");
        let Some(valid) = case.get("is_tracestate_valid").and_then(Json::as_bool) else {
            continue;
        };
        let states = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("tracestate"));
        let state: Vec<&str> = states.map(|(_, value)| value.as_str()).collect();
        let verdict = TraceState::parse(&state.join(","), Level::One);
        if verdict == Err(Invalid::TooMany) {
            // 33 members: the file lets them pass, both levels of the specification do not.
            assert!(valid && state.join(",").split(',').count() == 33, "{case}");
            continue;
        }
        assert_eq!(verdict.is_ok(), valid, "{case}");
    }
}
