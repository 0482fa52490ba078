//! Critical paths: against the answers that CRISP publishes with its cases, and of shapes that real
//! traces have and examples have not.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // tests

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tracewell_analysis::critical_path::{self, Node};
use tracewell_model::{SpanKind, Trace};
use tracewell_wire::import;

/// Exclusive microseconds by `[service] operation`, as CRISP writes them.
type Times = BTreeMap<String, u64>;

fn published(file: &Value) -> Times {
    let answer = &file["testing"];
    let times = answer.get("opTimeExclusive").unwrap_or(&answer[0]);
    let times = times.as_object().unwrap().iter();
    times
        .map(|(name, time)| (name.clone(), time.as_u64().unwrap()))
        .collect()
}

fn computed(file: &[u8]) -> Times {
    let mut batches = Vec::new();
    import::decode_file(file, 1, &mut |builder, _| batches.extend(builder.finish())).unwrap();
    let trace = Trace::assemble(batches.iter().flat_map(|batch| batch.spans()));
    let path = critical_path::of_trace(&trace);
    let mut times = Times::new();
    for (row, exclusive) in trace.rows.iter().zip(path) {
        let name = format!("[{}] {}", row.span.service(), row.span.operation());
        if let Some(ns) = exclusive {
            *times.entry(name).or_default() += ns / 1_000;
        }
    }
    times
}

#[test]
fn paths_are_those_that_crisp_publishes() {
    let crisp = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/crisp");
    if !crisp.is_dir() {
        println!("skipped: ../shared/data is absent");
        return;
    }
    let folders = ["", "err_pattern1", "err_pattern2"].map(|folder| crisp.join(folder));
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut cases = 0;
    for file in files.map(|entry| entry.unwrap().path()) {
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let bytes = std::fs::read(&file).unwrap();
            let expected = published(&serde_json::from_slice(&bytes).unwrap());
            assert_eq!(computed(&bytes), expected, "{}", file.display());
            cases += 1;
        }
    }
    assert_eq!(cases, 17);
}

/// A node from its start to its end.
fn node(parent: Option<u32>, start: u64, end: u64) -> Node {
    Node {
        start_unix_ns: start,
        duration_ns: end - start,
        parent,
        ..Node::default()
    }
}

fn of_kind(kind: SpanKind, node: Node) -> Node {
    Node { kind, ..node }
}

const OFF: Option<u64> = None;

/// `None` is beside the path.
fn check(what: &str, nodes: &[Node], expected: &[Option<u64>]) {
    assert_eq!(critical_path::of_nodes(nodes), expected, "{what}");
}

#[test]
fn time_goes_to_the_child_that_was_waited_for() {
    let top = node(None, 100, 200);
    check("alone", &[top], &[Some(100)]);
    check("no time at all", &[node(None, 5, 5)], &[Some(0)]);
    check("nothing", &[], &[]);
    check(
        "touching siblings follow one another",
        &[top, node(Some(0), 110, 150), node(Some(0), 150, 190)],
        &[Some(20), Some(40), Some(40)],
    );
    check(
        "of parallel children the last to finish",
        &[top, node(Some(0), 110, 170), node(Some(0), 120, 190)],
        &[Some(30), OFF, Some(70)],
    );
    check(
        "a child that outlives its parent counts to the parent's end",
        &[top, node(Some(0), 150, 900), node(Some(1), 160, 800)],
        &[Some(50), Some(10), Some(40)],
    );
    check(
        "one that starts before it from its start",
        &[top, node(Some(0), 50, 150)],
        &[Some(50), Some(50)],
    );
    check(
        "one outside was not waited for, nor what is beneath it",
        &[top, node(Some(0), 300, 400), node(Some(1), 120, 150)],
        &[Some(100), OFF, OFF],
    );
}

#[test]
fn what_is_not_waited_for_is_beside_the_path() {
    let top = node(None, 0, 100);
    let sent = of_kind(SpanKind::Producer, node(Some(0), 10, 20));
    let mut taken = of_kind(SpanKind::Consumer, node(Some(1), 12, 20));
    taken.detached = true;
    check("messages", &[top, sent, taken], &[Some(90), Some(10), OFF]);
}

#[test]
fn a_servers_skewed_clock_is_set_right() {
    let client = of_kind(SpanKind::Client, node(None, 1_000, 1_100));
    let server = of_kind(SpanKind::Server, node(Some(0), 5_010, 5_090));
    let below = node(Some(1), 5_020, 5_080);
    check(
        "ahead",
        &[client, server, below],
        &[Some(20), Some(20), Some(60)],
    );
    let server = of_kind(SpanKind::Server, node(Some(0), 10, 90));
    let below = node(Some(1), 20, 80);
    check(
        "behind",
        &[client, server, below],
        &[Some(20), Some(20), Some(60)],
    );
    let longer = of_kind(SpanKind::Server, node(Some(0), 1_050, 1_950));
    check(
        "but only if it fits",
        &[client, longer],
        &[Some(50), Some(50)],
    );
}

#[test]
fn a_forest_has_one_path() {
    let orphan = |start, end| Node {
        orphan: true,
        ..node(None, start, end)
    };
    check(
        "an orphan hangs beneath the root",
        &[node(None, 0, 100), orphan(20, 60)],
        &[Some(60), Some(40)],
    );
    check(
        "orphans alone follow one another",
        &[orphan(0, 10), orphan(20, 60)],
        &[Some(10), Some(40)],
    );
    check(
        "roots too; those beneath others in time are beside the path",
        &[node(None, 0, 10), node(None, 5, 90), node(None, 100, 120)],
        &[OFF, Some(85), Some(20)],
    );
}

#[test]
fn the_deepest_and_the_widest_traces_are_walked() {
    let deep: Vec<Node> = (0..100_000u32)
        .map(|at| node(at.checked_sub(1), u64::from(at), 1_000_000))
        .collect();
    let path = critical_path::of_nodes(&deep);
    assert_eq!(path.iter().flatten().sum::<u64>(), 1_000_000);
    assert!(path.iter().all(Option::is_some));

    // All overlap slightly, which is the case that looks at its neighbours.
    let wide = (0..100_000u64).map(|at| node(Some(0), at * 100, at * 100 + 101));
    let wide: Vec<Node> = std::iter::once(node(None, 0, 10_000_001))
        .chain(wide)
        .collect();
    let path = critical_path::of_nodes(&wide);
    assert!(path.iter().all(Option::is_some));
}

/// Whatever the shape: no more time than there was, and all of it where nothing overlaps slightly.
#[test]
fn a_path_is_as_long_as_its_root() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut nodes = vec![node(None, 1_000, 2_000)];
        for at in 1..random.u32(1..60) {
            let start = random.u64(900..2_100);
            let end = start + random.u64(0..400);
            nodes.push(node(Some(random.u32(0..at)), start, end));
        }
        let total: u64 = critical_path::of_nodes(&nodes).iter().flatten().sum();
        assert!((1_000..=1_010).contains(&total), "seed {seed}: {total}");
    }
}
