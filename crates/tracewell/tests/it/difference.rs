//! What differs, over spans in segments and spans in memory: a planted value is first among very many
//! attributes, and counts are what one counts by hand.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::server::{Server, span};

const ATTRIBUTES: u64 = 64;

/// Traces of two spans; where attribute 17 is `v2`, `pay` takes ten times as long.
fn traffic(from: u64, traces: u64, random: &mut fastrand::Rng) -> Vec<Value> {
    let mut spans = Vec::new();
    for trace in from..from + traces {
        for (id, operation) in [(1, "pay"), (2, "browse")] {
            let tags = (0..ATTRIBUTES).map(|at| {
                let value = match at % 16 {
                    15 => json!(format!("id-{}", random.u64(..))),
                    14 => json!(random.u64(0..5)),
                    few => json!(format!("v{}", random.u64(0..few + 2))),
                };
                (format!("key.{at}"), value)
            });
            let tags: Map<String, Value> = tags.collect();
            let usual_ms = 1.0 + random.f64();
            let is_slow = operation == "pay" && tags["key.17"] == "v2";
            let mut span = span(u128::from(trace), id, (id > 1).then_some(1), "shop");
            span["operation_name"] = json!(operation);
            span["duration_ms"] = json!(if is_slow { usual_ms * 10.0 } else { usual_ms });
            span["tags"] = Value::Object(tags);
            spans.push(span);
        }
    }
    spans
}

fn text(value: &Value) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string())
}

/// By key and value: slow ones and others, of the spans of `pay`.
fn by_hand(spans: &[Value]) -> HashMap<(String, String), [u64; 2]> {
    let mut counts: HashMap<_, [u64; 2]> = HashMap::new();
    for span in spans.iter().filter(|span| span["operation_name"] == "pay") {
        let is_slow = span["duration_ms"].as_f64().unwrap() >= 5.0;
        let tags = span["tags"].as_object().unwrap();
        for (key, value) in tags.iter().chain([(&String::new(), &json!("all"))]) {
            counts.entry((key.clone(), text(value))).or_default()[usize::from(!is_slow)] += 1;
        }
    }
    counts
}

fn ask(server: &Server, more: Value) -> Value {
    let mut asked =
        json!({"a": {"service": "shop", "operation": "pay", "min_duration_ms": 5}, "limit": 1000});
    let members = more.as_object().unwrap().clone();
    asked.as_object_mut().unwrap().extend(members);
    let url = server.url("query", "/api/difference");
    let answer = crate::server::try_post(&url, &[], asked.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn a_planted_difference_is_first_and_counted_exactly() {
    let mut random = fastrand::Rng::with_seed(7);
    let server = Server::start();
    let mut spans = Vec::new();
    let mut send = |server: &Server, from: u64| {
        for part in 0..6 {
            let some = traffic(from + part * 500, 500, &mut random);
            server.send_spans(&some);
            spans.extend(some);
        }
    };
    send(&server, 1);
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start_in(dir, &[]);
    send(&server, 10_001);

    let answer = ask(&server, json!({}));
    assert_eq!(answer["complete"], true, "{}", answer["incomplete_reasons"]);
    assert!(
        answer["searched"]["blocks_read"].as_u64() > Some(0),
        "some are in a segment"
    );
    assert!(
        answer["searched"]["head_spans"].as_u64() > Some(0),
        "some are in memory"
    );
    let mut counts = by_hand(&spans);
    let all = counts.remove(&(String::new(), "all".to_owned())).unwrap();
    assert_eq!(
        [&answer["n_a"], &answer["n_b"]],
        [&json!(all[0]), &json!(all[1])]
    );
    let found = answer["attributes"].as_array().unwrap();
    assert_eq!([&found[0]["key"], &found[0]["value"]], ["key.17", "v2"]);
    assert_eq!(
        [&found[0]["a"], &found[0]["b"]],
        [&json!(all[0]), &json!(0)]
    );
    assert!(answer["keys"].as_u64() >= Some(ATTRIBUTES));
    let mut checked = 0;
    for one in found.iter().filter(|one| one["source"] == "span") {
        let key = (text(&one["key"]), text(&one["value"]));
        let [a, b] = counts[&key];
        assert_eq!([&one["a"], &one["b"]], [&json!(a), &json!(b)], "{key:?}");
        checked += 1;
    }
    assert!(checked > 200, "{checked} values were looked at");

    // A part of it is told as one.
    let part = ask(&server, json!({"sample": 4}));
    assert_eq!(
        (&part["complete"], &part["sampled"]),
        (&json!(false), &json!(0.25))
    );
    assert!(part["n_b"].as_u64() < answer["n_b"].as_u64());
}
