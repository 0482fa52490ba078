//! The command line: what can be asked, and the help that explains it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracewell_bench::BenchArgs;
use tracewell_export::Format as ExportFormat;

/// End-to-end request tracing: one binary, from a laptop to a cluster.
#[derive(Debug, Parser)]
#[command(name = "tracewell", version, about, max_term_width = 100, after_help = FIRST_STEPS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "First steps:
  tracewell demo                     a living shop of a dozen services; open http://127.0.0.1:4320
  tracewell start                    receive spans on 127.0.0.1:4318 (HTTP) and :4317 (gRPC)
  tracewell load traces.json         put a file of traces into a running server
  tracewell get 4bf92f3577b34da6…    one trace as a tree, in the terminal";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Start(StartArgs),
    /// Run the server with a living shop of a dozen services; its data goes when it ends
    Demo(DemoArgs),
    /// Send files of traces to a server: OTLP, Jaeger, Zipkin, Data Prepper, Nezha, /v1/spans
    Load(LoadArgs),
    /// Show one trace as a tree
    Get(GetArgs),
    /// Find traces
    Search(SearchArgs),
    /// Write all spans, or a part of them, to a file: OTLP JSON lines, or Parquet
    Export(ExportArgs),
    /// Show a running server's account and health
    Status(ServerArgs),
    /// Show what the sampler kept and dropped
    Sampling(SamplingArgs),
    /// Check the settings and show each with where it came from
    CheckConfig(StartArgs),
    /// Make what the engines of a cluster have to have: topics, keyspaces, templates
    #[cfg(feature = "cluster")]
    Schema(StartArgs),
    /// Check the engines of a cluster, and say what sets them right
    #[cfg(feature = "cluster")]
    Doctor(StartArgs),
    /// Measure a server: what ingest, questions, growth and recovery cost
    Bench(BenchArgs),
}

/// Settings of a server. Every one is also a key of the file and a TRACEWELL_… variable.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StartArgs {
    /// File of settings (TOML)
    #[arg(long, value_name = "FILE", env = "TRACEWELL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// What this process does: all, or a list of collector, storage-writer, indexer, aggregator, sampler, query
    #[arg(long, value_name = "ROLES")]
    pub(crate) role: Option<String>,
    /// Directory of the embedded log and stores [default: tracewell-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// /v1/spans, OTLP/HTTP and Zipkin [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_ingest: Option<String>,
    /// OTLP/gRPC [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_otlp_grpc: Option<String>,
    /// Query API and UI [default: 127.0.0.1:4320]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_query: Option<String>,
    /// Health and metrics [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_admin: Option<String>,
    /// What an answer promises: received, logged (survives kill -9), durable (survives power loss) [default: logged]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) ack: Option<String>,
    /// Memory for heads, caches and bodies in flight [default: 768MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory_bytes_max: Option<String>,
    /// Seconds until even a few spans go from memory into a segment [default: 600]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seal_after_s: Option<String>,
    /// Seconds for which spans are kept [default: 2592000, 30 days]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) retention_s: Option<String>,
    /// Seconds for which they can be searched [default: 604800, 7 days]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) search_retention_s: Option<String>,
    /// Disk for segments, as a size or a share (80%); 0 for no cap [default: 0]
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk_bytes_max: Option<String>,
    /// How long everything is kept where traces are sampled [default: 15m]
    #[arg(long, value_name = "TIME")]
    pub(crate) live_window: Option<String>,
    /// Drop most healthy traces after the live window
    #[arg(long)]
    pub(crate) sampling_enabled: bool,
    /// Of healthy traces at most so many per cent stay [default: 5]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) sampling_healthy_percent: Option<String>,
    /// Healthy traces that stay of each operation and latency band [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) sampling_diversity: Option<String>,
    /// Roots whose traces all stay: service,service/operation
    #[arg(long, value_name = "ROOTS")]
    pub(crate) sampling_keep_roots: Option<String>,
    /// error, warn, info, debug, trace, or a filter [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Allow listening beyond loopback without TLS and authentication
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl StartArgs {
    /// The flags that were given, by setting.
    pub(crate) fn flags(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("role", self.role.clone()),
            ("data", self.data.clone()),
            ("listen_ingest", self.listen_ingest.clone()),
            ("listen_otlp_grpc", self.listen_otlp_grpc.clone()),
            ("listen_query", self.listen_query.clone()),
            ("listen_admin", self.listen_admin.clone()),
            ("ack", self.ack.clone()),
            ("memory_bytes_max", self.memory_bytes_max.clone()),
            ("seal_after_s", self.seal_after_s.clone()),
            ("retention_s", self.retention_s.clone()),
            ("search_retention_s", self.search_retention_s.clone()),
            ("disk_bytes_max", self.disk_bytes_max.clone()),
            ("live_window", self.live_window.clone()),
            (
                "sampling_enabled",
                self.sampling_enabled.then(|| "true".to_owned()),
            ),
            (
                "sampling_healthy_percent",
                self.sampling_healthy_percent.clone(),
            ),
            ("sampling_diversity", self.sampling_diversity.clone()),
            ("sampling_keep_roots", self.sampling_keep_roots.clone()),
            ("log_level", self.log_level.clone()),
            ("log_format", self.log_format.clone()),
            ("insecure", self.insecure.then(|| "true".to_owned())),
        ]
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) start: StartArgs,
    /// Traces per second
    #[arg(long, default_value_t = 20.0, value_name = "N")]
    pub(crate) rate: f64,
    /// Minutes of history to send at once, so that charts are full
    #[arg(long, default_value_t = 15, value_name = "MINUTES")]
    pub(crate) history: u64,
    /// Same seed, same shop
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub(crate) seed: u64,
    /// Send to this server instead of running one
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// Let this service die every minute, with all that it has not sent
    #[arg(long, value_name = "SERVICE")]
    pub(crate) crash: Option<String>,
    /// Give this service too small a ring: it drops its oldest spans, and says so
    #[arg(long, value_name = "SERVICE")]
    pub(crate) overflow: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Files; their format is recognized by content, gzip and zstd are unpacked
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The server's ingest address
    #[arg(
        long,
        default_value = "http://127.0.0.1:4318",
        value_name = "URL",
        env = "TRACEWELL_INGEST_URL"
    )]
    pub(crate) to: String,
    /// Move all spans in time so that the latest ends at this moment: now, RFC 3339, or Unix nanoseconds
    #[arg(long, value_name = "TIME")]
    pub(crate) shift_to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The server's query address
    #[arg(
        long,
        default_value = "http://127.0.0.1:4320",
        value_name = "URL",
        env = "TRACEWELL_URL"
    )]
    pub(crate) url: String,
    /// Read the data directory of a stopped server instead
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// otlp-json: one ExportTraceServiceRequest a line, nothing lost; parquet: for DuckDB and others
    #[arg(long, default_value = "otlp-json", value_name = "FORMAT", value_parser = export_format)]
    pub(crate) format: ExportFormat,
    /// File to write, - for standard output; it has its name once it is whole
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    pub(crate) out: String,
    /// Spans that started at or after: now-15m, RFC 3339, or Unix nanoseconds
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Spans that started before
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    /// Spans of this service
    #[arg(long, short)]
    pub(crate) service: Option<String>,
}

fn export_format(name: &str) -> Result<ExportFormat, String> {
    let accepted = ExportFormat::ALL.map(ExportFormat::name).join(", ");
    ExportFormat::from_name(name).ok_or_else(|| format!("accepted: {accepted}"))
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server's query address
    #[arg(
        long,
        default_value = "http://127.0.0.1:4320",
        value_name = "URL",
        env = "TRACEWELL_URL"
    )]
    pub(crate) url: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SamplingArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SamplingCommand>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SamplingCommand {
    /// Show what it would keep of what it has not decided about
    WhatIf(ServerArgs),
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For eyes
    Text,
    /// The API's answer
    Json,
    /// OTLP JSON, lossless
    Otlp,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Trace id, 1 to 32 hex digits
    pub(crate) trace_id: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Show tags and events of every span, not only of those that failed
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Service of the matching span
    #[arg(long, short)]
    pub(crate) service: Option<String>,
    /// Operation of the matching span
    #[arg(long, short)]
    pub(crate) operation: Option<String>,
    /// Traces in which any span failed
    #[arg(long, short)]
    pub(crate) error: bool,
    /// Traces in which the matching span itself failed
    #[arg(long)]
    pub(crate) span_error: bool,
    /// Trace status
    #[arg(long, value_name = "ok|error|partial")]
    pub(crate) status: Option<String>,
    /// Tag of the matching span: key=value, key!=value, key~=regex, or key (repeat for more)
    #[arg(long, short, value_name = "FILTER")]
    pub(crate) tag: Vec<String>,
    /// Least duration of the trace, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) min_duration_ms: Option<String>,
    /// Most duration of the trace, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) max_duration_ms: Option<String>,
    /// Least duration of the matching span, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) min_span_duration_ms: Option<String>,
    /// Traces that started at or after: now-15m, RFC 3339, or Unix nanoseconds
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Traces that started before
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    /// newest or slowest
    #[arg(long, value_name = "ORDER")]
    pub(crate) order: Option<String>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    pub(crate) limit: u32,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
