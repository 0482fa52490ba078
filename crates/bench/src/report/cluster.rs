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

/// A row for each role and number of its processes, with nothing beside them.
pub(super) fn alone(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| role, alone | processes | spans/s among them | CPU-s per M spans, all together | peak RSS of the largest, MB |"
    );
    line!(text, "|---|---|---|---|---|");
    let all = || clusters(runs).flat_map(|cluster| &cluster.alone);
    let mut rows: Vec<(&str, u64)> = Vec::new();
    for row in all().map(|alone| (alone.role.as_str(), alone.processes)) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    for (role, processes) in rows {
        let group =
            || all().filter(|alone| (alone.role.as_str(), alone.processes) == (role, processes));
        line!(
            text,
            "| {role} | {processes} | {} | {} | {} |",
            spread(group(), |alone| Some(alone.spans_per_s), 0),
            spread(group(), |alone| Some(alone.cpu_s_per_m), 2),
            spread(group(), |alone| Some(alone.peak_rss_mb), 0),
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
