//! What a run found: one JSON object a run, to be committed; and the same for eyes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracewell_model::histogram::Histogram;

use crate::body::{Encoding, Format, Layout};
pub(crate) use crate::cluster::figures::Cluster;
use crate::machine::Machine;
use crate::traffic::Dataset;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The version that measured, and, unless a URL was given, was measured.
    pub version: String,
    /// When.
    pub at_unix_s: u64,
    /// Whose figures these are, where they are not Tracewell's, or which of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// On what.
    pub machine: Machine,
    /// With what.
    pub settings: Settings,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What a run was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Format and protocol.
    pub format: Format,
    /// Which spans share a request.
    pub layout: Layout,
    /// How bodies are compressed.
    pub encoding: Encoding,
    /// Whose traffic.
    pub dataset: Dataset,
    /// Services of it.
    pub services: usize,
    /// Its seed.
    pub seed: u64,
    /// Spans of a request.
    pub batch: usize,
    /// Connections.
    pub connections: usize,
    /// Spans after which bodies repeat, but for what cycles change.
    pub pool: u64,
    /// Spans per second that were sent at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// Further arguments of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server: Vec<String>,
    /// Where another server was driven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "bench", rename_all = "kebab-case")]
pub(crate) enum Figures {
    /// `bench ingest`
    Ingest(Ingest),
    /// `bench query`
    Query(Query),
    /// `bench growth`: one step
    Growth(Growth),
    /// `bench recovery`: one kill
    Recovery(Recovery),
    /// `bench cluster`
    Cluster(Cluster),
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half are faster.
    pub p50_ms: f64,
    /// One in a hundred is slower.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Latency {
    /// Of a histogram of nanoseconds.
    pub(crate) fn of(histogram: &Histogram) -> Latency {
        let at = |share| rounded(histogram.quantile(share).unwrap_or(0) as f64 / 1e6, 3);
        Latency {
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

/// So many digits after the point: a figure's noise is not worth its bytes.
pub(crate) fn rounded(number: f64, digits: i32) -> f64 {
    let by = 10f64.powi(digits);
    (number * by).round() / by
}

/// Spans taken in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ingest {
    /// Spans acknowledged.
    pub spans: u64,
    /// From the first body to the last answer.
    pub seconds: f64,
    /// The generator ran on the same cores.
    pub spans_per_s: f64,
    /// From a body to its answer.
    pub answer: Latency,
    /// Bytes of a span in a body before compression.
    pub body_bytes_per_span: f64,
    /// Microseconds of CPU that the generator took for a span.
    pub generator_us_per_span: f64,
    /// Spans that the server found unusable.
    pub refused_spans: u64,
    /// Bodies turned away by an overloaded server.
    pub overloaded: u64,
    /// Spans not sent again after that.
    pub given_up_spans: u64,
    /// Traces read back and compared field by field.
    #[serde(default)]
    pub verified_traces: u64,
    /// What the server used; nothing is known of a foreign one without its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerUse>,
    /// Room on disk; nothing is known of a foreign one without its directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
}

/// What a server used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServerUse {
    /// CPU seconds per million spans, from its start to the last answer.
    pub cpu_s_per_m_end: f64,
    /// The same, of its whole life: settled, and cleanly stopped where it was ours.
    pub cpu_s_per_m: f64,
    /// Of that, in the program.
    pub user_s_per_m: f64,
    /// Of that, in the kernel.
    pub system_s_per_m: f64,
    /// CPU seconds per million spans by thread, before the stop.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_thread: BTreeMap<String, f64>,
    /// From the last answer until it had settled.
    pub settle_s: f64,
    /// False when it had not within the time given.
    pub settled: bool,
    /// Memory at its peak.
    pub peak_rss_mb: f64,
}

/// Room on disk, and what was written for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disk {
    /// Bytes per span at the last answer.
    pub bytes_per_span_end: f64,
    /// When it had settled.
    pub bytes_per_span_settled: f64,
    /// After a clean stop.
    pub bytes_per_span: f64,
    /// Bytes that the disk had to take, per span.
    pub written_per_span: f64,
    /// The same per byte that is left after a clean stop.
    pub write_amplification: f64,
}

/// Questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Query {
    /// Spans stored before the first question.
    pub spans: u64,
    /// Spans per second at which they were taken in.
    pub full_rate: f64,
    /// Traces read back and compared field by field.
    pub verified_traces: u64,
    /// Each question at each load.
    pub rows: Vec<QueryRow>,
    /// Questions at a rate beside ingest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Memory at its peak.
    pub peak_rss_mb: f64,
}

/// A question at a load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueryRow {
    /// `cold`, or percent of the full rate that is sent meanwhile.
    pub load: String,
    /// The question.
    pub question: String,
    /// How often it was asked.
    pub asked: u64,
    /// How long answers took.
    #[serde(flatten)]
    pub latency: Latency,
    /// Answers that were not what the traffic says.
    pub wrong: u64,
    /// Answers that said they may be incomplete.
    pub incomplete: u64,
    /// The first wrong answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// Questions at a rate beside ingest (R14).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// Questions per second.
    pub qps: u64,
    /// Questions per second that were answered.
    pub answered_per_s: f64,
    /// Spans per second meanwhile.
    pub spans_per_s: u64,
    /// CPU microseconds a span on all but query threads, nobody asking.
    pub ingest_us_per_span_without: f64,
    /// The same, with questions.
    pub ingest_us_per_span_with: f64,
    /// CPU milliseconds a question on query threads.
    pub query_ms_per_question: f64,
    /// From when a question was due to its answer.
    pub answer: Latency,
    /// Answers that were not what the traffic says.
    pub wrong: u64,
}

/// A step of growth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Growth {
    /// Spans stored.
    pub spans: u64,
    /// CPU seconds per million spans of this step, settled and stopped.
    pub cpu_s_per_m: f64,
    /// Spans per second of this step.
    pub spans_per_s: f64,
    /// Of all stored.
    pub disk_bytes_per_span: f64,
    /// After the restart that followed.
    pub by_id: Latency,
    /// Service, error, duration and a tag; newest 20.
    pub search: Latency,
    /// Answers that were not what the traffic says.
    pub wrong: u64,
    /// Memory at the peak of this step.
    pub peak_rss_mb: f64,
    /// Files open once the questions were answered.
    pub open_files: u64,
    /// Segments.
    pub segments: u64,
    /// From the restart until ready.
    pub ready_s: f64,
}

/// A kill -9 at full rate, and what was found after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recovery {
    /// Spans acknowledged since the directory was new.
    pub acknowledged: u64,
    /// Of those, missing from the account.
    pub lost: u64,
    /// Traces of the last acknowledged and of random bodies that were read back.
    pub verified_traces: u64,
    /// Acknowledged spans missing from them.
    pub verified_lost: u64,
    /// Log to be read back.
    pub log_mib: f64,
    /// From the start until ready.
    pub ready_s: f64,
    /// The same per GiB of log.
    pub ready_s_per_gib: f64,
}
