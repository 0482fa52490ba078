//! The same input through one embedded process and through a cluster gives the same answers to the
//! same questions, span for span: also where several processes of a role share its work (R44, Q6).

use serde_json::{Value, json};

use crate::server::{Server, eventually_within, get, run, shared_data};
use crate::stack::{Roles, Stack, encoded, now_ns};

/// Traces that are compared by id, of all.
const BY_ID_MAX: usize = 60;
/// Keys whose values are asked for.
const KEYS_MAX: usize = 10;

/// Answers of two servers to the same questions.
struct Both<'a> {
    embedded: &'a Server,
    cluster: &'a Server,
}

impl Both<'_> {
    /// The answer of the cluster, which is the embedded one's: not at once where a group works through
    /// records again because a member came or went, and the answer says that it may lack some.
    fn ask(&self, path: &str) -> Value {
        let mut last = None;
        let is_same = (0..3_600).any(|_| {
            let [expected, answer] =
                [self.embedded, self.cluster].map(|of| told(of.get_json(path)));
            let is_same = answer == expected;
            last = Some((expected, answer));
            is_same || {
                crate::server::pause(std::time::Duration::from_millis(50));
                false
            }
        });
        let (expected, answer) = last.unwrap();
        assert!(is_same, "{path}\n{answer}\n is not \n{expected}");
        answer
    }

    /// All hits, page by page.
    fn search(&self, question: &str, limit: usize) -> Vec<Value> {
        let [expected, found] = [self.embedded, self.cluster]
            .map(|of| eventually_within(5, question, || hits(of, question, limit).ok()));
        let ids = |hits: &[Value]| -> Vec<String> {
            hits.iter().map(|hit| hit["trace_id"].to_string()).collect()
        };
        assert_eq!(ids(&found), ids(&expected), "{question}");
        assert_eq!(found, expected, "{question}");
        found
    }
}

/// An answer without what says how it was found. Rates that depend on this very moment are left out
/// too, and unjoined spans, which are counted since a process started.
fn told(mut answer: Value) -> Value {
    let top = answer.as_object_mut().unwrap();
    top.remove("searched");
    top.remove("unjoined");
    for row in top
        .get_mut("metrics")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        row.as_object_mut().unwrap().remove("series");
    }
    // A partition that moves between aggregators takes no join window along: some calls make no edge, and
    // which caller is likeliest to owe a span is told by edges.
    for edge in rows(&mut answer, "edges") {
        edge.retain(|name, _| name == "parent" || name == "child");
    }
    for reason in rows(&mut answer, "partial_reasons") {
        reason.retain(|name, _| name == "parent_span_id");
    }
    answer
}

/// The objects of a member of an answer.
fn rows<'a>(
    answer: &'a mut Value,
    member: &str,
) -> impl Iterator<Item = &'a mut serde_json::Map<String, Value>> {
    let rows = answer.get_mut(member).and_then(Value::as_array_mut);
    rows.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// All hits; the page that lacks some, if one does.
fn hits(server: &Server, question: &str, limit: usize) -> Result<Vec<Value>, Value> {
    let (mut hits, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get_json(&format!("/api/traces?limit={limit}{question}{cursor}"));
        if page["complete"] != true {
            return Err(page["incomplete_reasons"].clone());
        }
        hits.extend(page["traces"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", encoded(next)),
            None => return Ok(hits),
        }
    }
}

fn texts<'a>(answer: &'a Value, list: &str) -> Vec<&'a str> {
    let list = answer[list].as_array().unwrap().iter();
    list.filter_map(Value::as_str).collect()
}

/// Searches of every kind, over what these servers have.
fn questions(both: &Both<'_>, between: (u64, u64)) -> Vec<String> {
    let mut questions: Vec<String> = [
        "",
        "&order=slowest",
        "&error=true",
        "&error=false&order=slowest",
        "&span_error=false",
        "&status=ok",
        "&status=error",
        "&status=partial",
        "&min_duration_ms=5",
        "&max_duration_ms=5&order=slowest",
        "&min_span_duration_ms=2&max_span_duration_ms=9",
    ]
    .map(str::to_owned)
    .into();
    questions.push(format!("&start={}&end={}", between.0, between.1));
    let services = both.ask("/api/services?window=1h");
    for service in texts(&services, "services").into_iter().take(8) {
        let path = format!("/api/services/{}/operations?window=1h", encoded(service));
        both.ask(&path);
        let operations = both.cluster.get_json(&path);
        let service = format!("&service={}", encoded(service));
        questions.push(service.clone());
        questions.push(format!("{service}&span_error=true&order=slowest"));
        for operation in texts(&operations, "operations").into_iter().take(2) {
            let operation = encoded(operation);
            questions.push(format!("{service}&operation={operation}"));
            questions.push(format!(
                "&operation={operation}&min_span_duration_ms=1&error=true"
            ));
        }
    }
    let keys = both.ask("/api/tags?limit=1000");
    let keys = texts(&keys, "keys");
    both.ask("/api/tags?limit=5");
    let every = keys.len().div_ceil(KEYS_MAX).max(1);
    for key in keys.into_iter().step_by(every) {
        let values = both.ask(&format!("/api/tags/{}/values?limit=1000", encoded(key)));
        let values = texts(&values, "values");
        questions.push(format!("&tag={}", encoded(key)));
        if let Some(value) = values.iter().rev().find(|value| value.len() < 1_000) {
            let pair = |is: &str| format!("&tag={}", encoded(&format!("{key}{is}{value}")));
            questions.push(pair("="));
            questions.push(pair("!="));
            let beginning: String = value
                .chars()
                .filter(|c| c.is_alphanumeric())
                .take(1)
                .collect();
            questions.push(format!(
                "&order=slowest&tag={}",
                encoded(&format!("{key}~={beginning}"))
            ));
            questions.push(format!("{}&error=true&status=error", pair("=")));
        }
    }
    questions
}

/// Asks both everything.
fn compare(both: &Both<'_>, limit: usize, between: (u64, u64)) {
    both.embedded.quiet_status();
    let expected = hits(both.embedded, "", 1_000).unwrap();
    assert!(expected.len() > 100, "{} traces are few", expected.len());
    eventually_within(5, "the index has every trace as it is", || {
        let found = hits(both.cluster, "", 1_000);
        (found.as_ref() == Ok(&expected)).then_some(())
    });
    // Who owed a missing span is told by the figures, so they come first.
    both.ask("/api/services?window=1h");
    both.ask("/api/graph?window=1h");
    let every = expected.len().div_ceil(BY_ID_MAX).max(1);
    for hit in expected.iter().step_by(every) {
        let id = hit["trace_id"].as_str().unwrap();
        let trace = both.ask(&format!("/api/traces/{id}"));
        assert_eq!(
            trace["spans"].as_array().unwrap().len(),
            hit["span_count"],
            "{id}"
        );
    }
    both.search("&error=true", limit / 6);
    let mut found = 0;
    for question in questions(both, between) {
        found += usize::from(!both.search(&question, limit).is_empty());
    }
    assert!(found > 40, "{found} questions found something");
}

/// Requests with traces of all shapes, some minutes old.
fn requests(base_ns: u64) -> Vec<Vec<Value>> {
    let mut rng = fastrand::Rng::with_seed(6);
    let services = ["web", "cart", "pay:ment", "db", "é \"x\" <b>"];
    let mut requests = vec![Vec::new(); 40];
    for trace in 1..=240u64 {
        let start = base_ns + trace * 3_000_000_000;
        let count = rng.u64(1..12);
        for id in 1..=count {
            let service = services[rng.usize(..services.len())];
            let parent = match rng.u8(0..30) {
                0 => Some(format!("{:016x}", 0xdead_0000 + id)),
                _ => (id > 1).then(|| format!("{:016x}", trace * 100 + rng.u64(1..id))),
            };
            let code = rng
                .choice([json!(200), json!(404), json!("500"), json!(500)])
                .unwrap();
            let mut tags = json!({
                "http.status_code": code, "user_id": format!("u-{}", rng.u8(0..9)),
                "n": rng.i64(-3..3), "flag": rng.bool(), "ratio": f64::from(rng.u8(0..5)) / 4.0,
                "list": [1, "a", null], "empty": "", "statement": "SELECT ✓ ".repeat(rng.usize(1..20)),
            });
            if rng.bool() {
                tags.as_object_mut().unwrap().remove("flag");
            }
            let span = json!({
                "trace_id": format!("{:032x}", u128::from(trace) * 0x9e37_79b9_7f4a_7c15),
                "span_id": format!("{:016x}", trace * 100 + id),
                "parent_span_id": parent,
                "service_name": service,
                "operation_name": format!("{} /{}", ["GET", "PUT"][rng.usize(0..2)], rng.u8(0..4)),
                "start_time_unix_ns": start + rng.u64(0..1_000_000_000),
                "duration_ms": f64::from(rng.u32(0..40_000)) / 1_000.0,
                "status": if rng.u8(0..9) == 0 { "error" } else { "ok" },
                "tags": tags,
            });
            // Spans of a trace come apart, and some twice.
            let at = (trace as usize / 7 + rng.usize(0..3)) % 40;
            requests[at].push(span.clone());
            if rng.u8(0..20) == 0 {
                requests[(at + 1) % 40].push(span);
            }
        }
    }
    requests
}

#[test]
fn several_processes_of_each_role_answer_as_one_embedded_process_does() {
    let Some(stack) = Stack::new() else { return };
    let embedded = Server::start();
    let more = ["storage-writer", "indexer", "aggregator", "aggregator"];
    let more = more.map(|role| stack.start(role));
    let Roles {
        workers,
        collector,
        query,
    } = stack.start_all();
    let workers: Vec<&Server> = workers.iter().chain(&more).collect();
    let base_ns = now_ns() - 900_000_000_000;
    let mut sent = 0;
    let mut send = |request: Vec<Value>| {
        for server in [&embedded, &collector] {
            server.send_patiently(&request);
        }
        sent += request.len() as u64;
    };
    // Members join in their own time: the test begins when each has partitions.
    let mut number = 0;
    eventually_within(5, "every process has its share", || {
        number += 1;
        send(small_traces(number, base_ns));
        let mut shares = GROUPS.iter().flat_map(|group| applied(&workers, group));
        shares.all(|share| share > 0).then_some(())
    });
    requests(base_ns).into_iter().for_each(&mut send);
    let both = Both {
        embedded: &embedded,
        cluster: &query,
    };
    let middle = base_ns + 300_000_000_000;
    compare(&both, 41, (middle, middle + 200_000_000_000));
    // Hardly anybody did another's work again.
    for group in GROUPS {
        let shares = applied(&workers, group);
        let done: u64 = shares.iter().sum();
        assert!((sent..sent * 2).contains(&done), "{group}: {shares:?}");
    }
}

/// The groups whose work is counted.
const GROUPS: [&str; 3] = ["storage", "search", "stats"];

/// How many spans each process of this group applied.
fn applied(workers: &[&Server], group: &str) -> Vec<u64> {
    let label = format!("tracewell_worker_applied_spans_total{{group=\"{group}\"}} ");
    let of_page = |page: String| -> Option<u64> {
        let number = page.lines().find_map(|line| line.strip_prefix(&label))?;
        Some(number.parse().unwrap())
    };
    let pages = workers.iter();
    let pages = pages.map(|worker| get(&worker.url("admin", "/metrics")).text());
    pages.filter_map(of_page).collect()
}

/// Eight traces of a span each, so that every partition soon has some.
fn small_traces(number: u128, start_unix_ns: u64) -> Vec<Value> {
    let one = |of: u128| {
        json!({
            "trace_id": format!("{:032x}", (number * 8 + of) * 0x9e37_79b9_7f4a_7c15_f39d),
            "span_id": "0000000000000001", "service_name": "begin", "operation_name": "join",
            "start_time_unix_ns": start_unix_ns - number as u64 * 1_000_000_000, "duration_ms": 1.5, "status": "ok",
        })
    };
    (0..8).map(one).collect()
}

#[test]
fn real_files_are_the_same_in_a_cluster() {
    let Some(data) = shared_data() else { return };
    let Some(stack) = Stack::new() else { return };
    let (embedded, cluster) = (Server::start(), stack.start("all"));
    let expected = std::fs::read(data.join("EXPECT.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let files: Vec<String> = expected
        .as_object()
        .unwrap()
        .keys()
        .map(|file| data.join(file).display().to_string())
        .collect();
    let shift_to = now_ns();
    for server in [&embedded, &cluster] {
        let (to, shift_to) = (server.url("ingest", ""), shift_to.to_string());
        let mut arguments = vec!["load", "--to", &to, "--shift-to", &shift_to];
        arguments.extend(files.iter().map(String::as_str));
        let load = run(&arguments);
        assert!(load.status.success(), "{load:?}");
    }
    let both = Both {
        embedded: &embedded,
        cluster: &cluster,
    };
    compare(&both, 100, (shift_to - 60_000_000_000, shift_to));
}
