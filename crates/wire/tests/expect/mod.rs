//! Counts over spans, as `EXPECT.json` of the shared data has them: worked out there by an
//! independent reader, here from what the decoders made. Other crates' tests may include this folder
//! by `#[path]`; `show` needs `tracewell-wire`, the rest `tracewell-model` and
//! `serde_json` only.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tracewell_model::{Marks, SpanId, SpanRef, TraceId, identity};

/// The figures of a file by their names in `EXPECT.json`; figures that are zero may be absent.
pub type Figures = BTreeMap<String, u64>;

/// The folder of shared data; none where it is not mounted.
pub fn data_dir() -> Option<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    dir.join("EXPECT.json").is_file().then_some(dir)
}

/// The expected figures of every file, by its path in the folder.
pub fn expected(dir: &std::path::Path) -> BTreeMap<String, Figures> {
    let text = std::fs::read(dir.join("EXPECT.json")).unwrap();
    let mut expected: BTreeMap<String, Figures> = serde_json::from_slice(&text).unwrap();
    for (file, name, count) in D5_DIFFERS {
        let figures = expected.get_mut(file).expect("the file is in EXPECT.json");
        figures.insert(name.into(), count);
    }
    expected
}

const OTHER_TRACE: &str = "jaeger-formats/uimodel/converter/v1/json/fixtures/ui_01.json";
const FOLLOWS_FROM: &str = "jaeger-ui/testTrace.json";

/// Where D5 and the independent reader differ, each seen in the file itself.
const D5_DIFFERS: [(&str, &str, u64); 7] = [
    // The reader took the very first CHILD_OF as the parent, which is of another trace there, and so
    // counted an orphan. D5 takes the first of the SAME trace: the span hangs under
    // 0000000000000002, beside another child, and has a child itself.
    (OTHER_TRACE, "orphans", 0),
    (OTHER_TRACE, "traces_with_orphans", 0),
    (OTHER_TRACE, "deepest", 3),
    (OTHER_TRACE, "widest_fanout", 2),
    // span-7 only FOLLOWS_FROM span-6, which the reader took for a second root. To D5 span-6 is its
    // parent, and has long ended when span-7 starts.
    (FOLLOWS_FROM, "roots", 1),
    (FOLLOWS_FROM, "traces_with_many_roots", 0),
    (FOLLOWS_FROM, "child_ends_after_parent", 1),
];

/// The figures of these spans, in which equal ones may repeat.
pub fn figures<'a>(all: Vec<SpanRef<'a>>) -> Figures {
    let total = all.len();
    let ids: BTreeSet<_> = all.iter().map(|s| (s.trace_id(), s.span_id())).collect();
    let (spans, exact_duplicates) = identity::distinct(all);
    let mut traces: BTreeMap<TraceId, Vec<SpanRef<'a>>> = BTreeMap::new();
    for span in &spans {
        traces.entry(span.trace_id()).or_default().push(*span);
    }
    let services: BTreeSet<_> = spans.iter().map(|s| s.service()).collect();
    let operations: BTreeSet<_> = spans.iter().map(|s| (s.service(), s.operation())).collect();
    let mut figures = Figures::new();
    let mut add = |name: &str, count: usize| {
        *figures.entry(name.to_owned()).or_default() += count as u64;
    };
    add("spans", spans.len());
    add("exact_duplicates", exact_duplicates);
    add("duplicate_span_ids", total - ids.len());
    add("traces", traces.len());
    add("services", services.len());
    add("operations", operations.len());
    add("error_spans", spans.iter().filter(|s| s.is_error()).count());
    let has_no_start = |s: &&SpanRef<'_>| s.marks().has(Marks::NO_START_TIME);
    add("no_start_time", spans.iter().filter(has_no_start).count());
    for trace in traces.values() {
        let tree = Tree::of(trace);
        add("roots", tree.roots);
        add("orphans", tree.orphans);
        add("traces_with_orphans", usize::from(tree.orphans > 0));
        add("traces_without_root", usize::from(tree.roots == 0));
        add("traces_with_many_roots", usize::from(tree.roots > 1));
        add("child_ends_after_parent", tree.ends_after_parent);
        add("child_starts_before_parent", tree.starts_before_parent);
        add("ids_not_32_hex", usize::from(has_short_id(trace)));
    }
    let most = |of: fn(&Tree) -> usize| traces.values().map(|t| of(&Tree::of(t))).max();
    add("deepest", most(|tree| tree.deepest).unwrap_or(0));
    add(
        "widest_fanout",
        most(|tree| tree.widest_fanout).unwrap_or(0),
    );
    add(
        "largest_trace",
        traces.values().map(Vec::len).max().unwrap_or(0),
    );
    figures
}

/// True when the trace's id had fewer than 32 digits or was no hex: seen by what became of it.
fn has_short_id(trace: &[SpanRef<'_>]) -> bool {
    let is_padded = |span: &SpanRef<'_>| span.trace_id().0.starts_with(&[0; 8]);
    let is_hashed = |span: &SpanRef<'_>| span.attributes().any(|a| a.key == "jaeger.trace_id");
    trace.iter().any(|span| is_padded(span) || is_hashed(span))
}

/// The shape of one trace. Spans with one id count as one parent, the first of them.
struct Tree {
    roots: usize,
    orphans: usize,
    deepest: usize,
    widest_fanout: usize,
    ends_after_parent: usize,
    starts_before_parent: usize,
}

impl Tree {
    fn of(trace: &[SpanRef<'_>]) -> Tree {
        let mut by_id: BTreeMap<SpanId, SpanRef<'_>> = BTreeMap::new();
        for span in trace {
            by_id.entry(span.span_id()).or_insert(*span);
        }
        let parent_of = |span: &SpanRef<'_>| span.parent().and_then(|id| by_id.get(&id).copied());
        let mut children: BTreeMap<SpanId, usize> = BTreeMap::new();
        let mut tree = Tree {
            roots: trace.iter().filter(|span| span.parent().is_none()).count(),
            orphans: 0,
            deepest: 0,
            widest_fanout: 0,
            ends_after_parent: 0,
            starts_before_parent: 0,
        };
        for span in trace {
            let mut depth = 1;
            let mut above = parent_of(span);
            while let Some(parent) = above.filter(|_| depth <= trace.len()) {
                depth += 1;
                above = parent_of(&parent);
            }
            tree.deepest = tree.deepest.max(depth);
            let Some(parent) = parent_of(span) else {
                tree.orphans += usize::from(span.parent().is_some());
                continue;
            };
            *children.entry(parent.span_id()).or_default() += 1;
            // Without a start time there is no end to compare with (the reader skips these, too).
            if [span, &parent]
                .iter()
                .any(|s| s.marks().has(Marks::NO_START_TIME))
            {
                continue;
            }
            tree.ends_after_parent += usize::from(span.end_unix_ns() > parent.end_unix_ns());
            tree.starts_before_parent += usize::from(span.start_unix_ns() < parent.start_unix_ns());
        }
        tree.widest_fanout = children.into_values().max().unwrap_or(0);
        tree
    }
}

/// Where the figures differ, a line each.
pub fn differences(file: &str, expected: &Figures, found: &Figures) -> Vec<String> {
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let figure = |figures: &Figures, name: &str| figures.get(name).copied().unwrap_or(0);
    let lines = names
        .into_iter()
        .map(|name| (name, figure(expected, name), figure(found, name)));
    lines
        .filter(|(_, expected, found)| expected != found)
        .map(|(name, expected, found)| {
            format!("{file}: {name}: {expected} expected, {found} found")
        })
        .collect()
}
