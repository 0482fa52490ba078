//! What `bench cluster` found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Latency, QueryRow};

/// Roles apart, on external engines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// Spans sent.
    pub spans: u64,
    /// Partitions of the topic.
    pub partitions: u16,
    /// Whether the collector read what others put into the topic.
    pub republish: bool,
    /// Spans per second that the collector took in, all other roles and engines beside it.
    pub spans_per_s: f64,
    /// From a body to its answer.
    pub answer: Latency,
    /// One process of each.
    pub roles: Vec<RoleUse>,
    /// Roles with nothing beside them: a collector that fills a topic, workers that empty a full one.
    pub alone: Vec<Alone>,
    /// Bytes of a span.
    pub bytes: EngineBytes,
    /// Traces read back and compared field by field.
    pub verified_traces: u64,
    /// Spans of the huge trace that is among the questions.
    pub huge_spans: u64,
    /// Questions to the query role.
    pub rows: Vec<QueryRow>,
    /// Memory of the query role at its peak.
    pub query_peak_rss_mb: f64,
}

/// What a process of a role used, from when it was ready until it had ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RoleUse {
    /// The role.
    pub role: String,
    /// CPU seconds per million spans.
    pub cpu_s_per_m: f64,
    /// Of that, in the kernel.
    pub system_s_per_m: f64,
    /// By thread, before it was stopped.
    pub by_thread: BTreeMap<String, f64>,
    /// Memory at its peak.
    pub peak_rss_mb: f64,
    /// From the last answer to the sender until it had applied everything.
    pub behind_s: f64,
}

/// So many processes of one role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alone {
    /// The role.
    pub role: String,
    /// How many.
    pub processes: u64,
    /// Spans per second among them; of workers from a tenth of the spans to all.
    pub spans_per_s: f64,
    /// CPU seconds per million spans, all together.
    pub cpu_s_per_m: f64,
    /// Memory of the largest at its peak.
    pub peak_rss_mb: f64,
}

/// Bytes of a span in each engine, one replica; none where its directory is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EngineBytes {
    /// The topic.
    pub kafka: Option<f64>,
    /// The keyspace, flushed.
    pub cassandra: Option<f64>,
    /// The indices, with what rewriting documents left.
    pub opensearch_written: f64,
    /// The same, merged.
    pub opensearch: f64,
}
