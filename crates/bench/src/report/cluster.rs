//! The tables of roles apart.

use super::tables::{line, ms, spread};
use crate::record::{Cluster, Figures, Run};
use crate::table::count;

fn clusters(runs: &[Run]) -> impl Iterator<Item = &Cluster> + Clone {
    runs.iter().filter_map(|run| match &run.figures {
        Figures::Cluster(cluster) => Some(cluster),
        _ => None,
    })
}

/// A row a role, over all runs.
pub(super) fn roles(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| role, one process | runs | CPU-s per M spans | in the kernel | peak RSS, MB | done, s after the last answer |"
    );
    line!(text, "|---|---|---|---|---|---|");
    let all = || clusters(runs).flat_map(|cluster| &cluster.roles);
    let mut roles: Vec<&str> = Vec::new();
    for role in all() {
        if !roles.contains(&role.role.as_str()) {
            roles.push(&role.role);
        }
    }
    for role in roles {
        let group = || all().filter(|used| used.role == role);
        line!(
            text,
            "| {role} | {} | {} | {} | {} | {} |",
            group().count(),
            spread(group(), |used| Some(used.cpu_s_per_m), 2),
            spread(group(), |used| Some(used.system_s_per_m), 2),
            spread(group(), |used| Some(used.peak_rss_mb), 0),
            spread(group(), |used| Some(used.behind_s), 0),
        );
    }
    text
}

/// A row for each number of storage writers.
pub(super) fn writers(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| storage writers | spans/s among them | CPU-s per M spans, all together | peak RSS of the largest, MB |"
    );
    line!(text, "|---|---|---|---|");
    let all = || clusters(runs).flat_map(|cluster| &cluster.writers);
    let mut numbers: Vec<u64> = all().map(|writers| writers.processes).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let group = || all().filter(|writers| writers.processes == number);
        line!(
            text,
            "| {number} | {} | {} | {} |",
            spread(group(), |writers| Some(writers.spans_per_s), 0),
            spread(group(), |writers| Some(writers.cpu_s_per_m), 2),
            spread(group(), |writers| Some(writers.peak_rss_mb), 0),
        );
    }
    text
}

/// What a span takes in each engine.
pub(super) fn engines(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| bytes a span, one replica | Kafka | Cassandra | OpenSearch | before it merged |"
    );
    line!(text, "|---|---|---|---|---|");
    let group = || clusters(runs).map(|cluster| &cluster.bytes);
    line!(
        text,
        "| | {} | {} | {} | {} |",
        spread(group(), |bytes| bytes.kafka, 0),
        spread(group(), |bytes| bytes.cassandra, 0),
        spread(group(), |bytes| Some(bytes.opensearch), 0),
        spread(group(), |bytes| Some(bytes.opensearch_written), 0),
    );
    text
}

/// Questions to the query role, of the last run.
pub(super) fn query(runs: &[Run]) -> String {
    let mut text = String::new();
    let Some(cluster) = clusters(runs).last() else {
        return text;
    };
    let wrong: u64 = cluster.rows.iter().map(|row| row.wrong).sum();
    let asked: u64 = cluster.rows.iter().map(|row| row.asked).sum();
    line!(
        text,
        "{} spans stored; {asked} answers, {wrong} wrong; {} traces read back field by field; the huge trace has {} spans; the query role had {} MB at its peak.\n",
        count(cluster.spans),
        cluster.verified_traces,
        count(cluster.huge_spans),
        cluster.query_peak_rss_mb.round()
    );
    line!(text, "| question | p50/p99/max, ms |");
    line!(text, "|---|---|");
    for row in &cluster.rows {
        let latency = row.latency;
        line!(
            text,
            "| {} | {}/{}/{} |",
            row.question,
            ms(latency.p50_ms),
            ms(latency.p99_ms),
            ms(latency.max_ms)
        );
    }
    text
}
