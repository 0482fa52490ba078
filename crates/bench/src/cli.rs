//! What `tracewell bench` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::body::{Encoding, Format, Layout};
use crate::traffic::Dataset;

/// Arguments of `tracewell bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: Bench,
}

const EXAMPLES: &str = "Each run starts a server of this binary on free ports, in a directory that goes with it. Figures are
CPU seconds per million spans first: unlike spans per second they can be compared when the
machine is shared. `--json` prints one object a run, for `tracewell bench report`.

  tracewell bench ingest --spans 10m
  tracewell bench ingest --format spans-json --encoding zstd --runs 3 --json >> runs.jsonl
  tracewell bench ingest --url http://127.0.0.1:10428/insert/opentelemetry/v1/traces --pid 4711 --label peer
  tracewell bench query --spans 10m --loads cold,0,50,90
  tracewell bench growth --steps 1m,10m,30m";

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Send spans; say what taking them in cost, until all is settled
    Ingest(IngestArgs),
    /// Ask questions with and without ingest beside them; answers are checked against the traffic
    Query(QueryArgs),
    /// Send more and more; say what changes
    Growth(GrowthArgs),
    /// kill -9 at full rate; count what was acknowledged and is gone
    Recovery(RecoveryArgs),
    /// Roles apart on Kafka, Cassandra, OpenSearch and Redis (a build with them); what each costs
    Cluster(ClusterArgs),
    /// Everything that docs/performance.md shows
    All(AllArgs),
    /// Tables of recorded runs, in the frame of a page
    Report(ReportArgs),
}

/// What is sent, and over what.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Traffic")]
pub(crate) struct TrafficArgs {
    /// Format and protocol of requests
    #[arg(long, value_enum, default_value_t = Format::OtlpHttp)]
    pub(crate) format: Format,
    /// Which spans share a request
    #[arg(long, value_enum, default_value_t = Layout::Gateway)]
    pub(crate) layout: Layout,
    /// Compression of bodies; they are compressed before the clock starts, 100 bytes of memory a span
    #[arg(long, value_enum, default_value_t = Encoding::Identity)]
    pub(crate) encoding: Encoding,
    /// Whose traffic it is
    #[arg(long, value_enum, default_value_t = Dataset::Realistic)]
    pub(crate) dataset: Dataset,
    /// How many services there are; each fifty are a company
    #[arg(long, default_value = "50", value_name = "N", value_parser = at_least_one)]
    pub(crate) services: u64,
    /// Same seed, same traffic
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Spans of a request at most
    #[arg(long, default_value = "500", value_name = "N", value_parser = at_least_one)]
    pub(crate) batch: u64,
    /// Connections; each waits for its answer before it sends again
    #[arg(long, default_value = "4", value_name = "N", value_parser = at_least_one)]
    pub(crate) connections: u64,
    /// Spans after which the same requests come again, with other ids, times and drawn values
    #[arg(long, default_value = "250k", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) pool: u64,
    /// How dense spans lie in time, per second; their last ones are of now
    #[arg(long, default_value = "50k", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) density: u64,
}

/// The server of a run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Binary to start servers of [default: this one]
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// A further argument of `tracewell start`, such as --memory-bytes-max=384MiB (repeat for more)
    #[arg(long = "server", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
    /// Directory in which data directories are made [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// How to tell.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// One JSON object a run, on a line
    #[arg(long)]
    pub(crate) json: bool,
    /// A name to tell runs apart by in a report
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    pub(crate) traffic: TrafficArgs,
    /// Spans to send
    #[arg(long, default_value = "1m", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) spans: u64,
    /// End after so many seconds, if there are still spans to send then
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// Spans per second [default: as many as are answered]
    #[arg(long, value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) rate: Option<u64>,
    /// Do not send again what an overloaded server turned away; it is counted
    #[arg(long)]
    pub(crate) no_retry: bool,
    /// How often, each with an empty directory
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) runs: u32,
    /// Traces to read back and compare field by field
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) verify: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Drive the server there, which may be any that takes the format
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// That server's processes: for its CPU and memory
    #[arg(long, value_name = "PID", requires = "url")]
    pub(crate) pid: Vec<u32>,
    /// That server's directory: for its room on disk
    #[arg(long, value_name = "DIR", requires = "url")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) traffic: TrafficArgs,
    /// Spans to store first, rounded to whole pools
    #[arg(long, default_value = "1m", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) spans: u64,
    /// When to ask: cold (just restarted, no file in the page cache), or beside ingest at so many
    /// percent of its full rate
    #[arg(long, default_value = "0,50,90", value_name = "LOADS", value_delimiter = ',', value_parser = load)]
    pub(crate) loads: Vec<Option<u64>>,
    /// How often each question is asked at each load, in as many variants
    #[arg(long, default_value = "200", value_name = "N", value_parser = at_least_one)]
    pub(crate) queries: u64,
    /// End each load after so many seconds, if there are still questions to ask then
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) seconds: u64,
    /// Ask so many mixed questions a second beside ingest at half its rate, and say what ingest costs
    /// with and without
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) qps: Option<u64>,
    /// Seconds of that, each
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) qps_seconds: u64,
    /// Traces to read back and compare field by field
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) verify: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GrowthArgs {
    #[command(flatten)]
    pub(crate) traffic: TrafficArgs,
    /// Spans stored at each look
    #[arg(long, default_value = "1m,10m,30m", value_name = "SPANS", value_delimiter = ',', value_parser = at_least_one)]
    pub(crate) steps: Vec<u64>,
    /// How often each of the two questions is asked at each look
    #[arg(long, default_value = "500", value_name = "N", value_parser = at_least_one)]
    pub(crate) queries: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RecoveryArgs {
    #[command(flatten)]
    pub(crate) traffic: TrafficArgs,
    /// Spans acknowledged between two kills
    #[arg(long, default_value = "500k", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) spans: u64,
    /// How often the server is killed, always on the same directory
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) kills: u32,
    /// Traces to read back after each kill, half of them of what was acknowledged last
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub(crate) verify: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The engines, which run. What is stored there stays, under names that begin with `bench`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engines")]
pub(crate) struct EngineArgs {
    /// Kafka
    #[arg(long, env = "STACK_KAFKA", value_name = "HOST:PORT")]
    pub(crate) kafka: String,
    /// Cassandra
    #[arg(long, env = "STACK_CASSANDRA", value_name = "HOST:PORT")]
    pub(crate) cassandra: String,
    /// OpenSearch
    #[arg(long, env = "STACK_OPENSEARCH", value_name = "URL")]
    pub(crate) opensearch: String,
    /// Redis
    #[arg(long, env = "STACK_REDIS", value_name = "URL")]
    pub(crate) redis: String,
    /// Directory below which Kafka and Cassandra keep their files, for the bytes of a span
    #[arg(long, value_name = "DIR")]
    pub(crate) engines_dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArgs {
    #[command(flatten)]
    pub(crate) traffic: TrafficArgs,
    /// Spans to send, rounded to whole pools
    #[arg(long, default_value = "1m", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) spans: u64,
    /// Partitions of the topic
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) partitions: u16,
    /// Collectors read what others put into the topic, all of it
    #[arg(long)]
    pub(crate) republish: bool,
    /// So many storage writers at once, each time on a full topic
    #[arg(long, default_value = "1,2,4", value_name = "NUMBERS", value_delimiter = ',', value_parser = at_least_one)]
    pub(crate) writers: Vec<u64>,
    /// How often each question is asked
    #[arg(long, default_value = "200", value_name = "N", value_parser = at_least_one)]
    pub(crate) queries: u64,
    /// Spans of a trace that is read whole
    #[arg(long, default_value = "100k", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) huge: u64,
    /// Traces to read back and compare field by field
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) verify: u64,
    #[command(flatten)]
    pub(crate) engines: EngineArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AllArgs {
    /// Spans of each ingest run
    #[arg(long, default_value = "1m", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) spans: u64,
    /// Spans stored for questions
    #[arg(long, default_value = "10m", value_name = "SPANS", value_parser = at_least_one)]
    pub(crate) stored: u64,
    /// Spans stored at each look at growth
    #[arg(long, default_value = "1m,10m,30m", value_name = "SPANS", value_delimiter = ',', value_parser = at_least_one)]
    pub(crate) steps: Vec<u64>,
    /// How often each ingest run is made
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) runs: u32,
    /// Same seed, same traffic
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// Files of runs, a JSON object a line
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Text in which lines `<!-- bench: NAME -->` become tables
    #[arg(
        long,
        default_value = "docs/performance/frame.txt",
        value_name = "FILE"
    )]
    pub(crate) frame: PathBuf,
    /// Print nothing; fail when this page is not what would be printed
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
}

/// `250000`, `250k`, `10m`, `1.5m`.
fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text}: a number such as 20000, 20k or 1.5m is accepted");
    let (digits, unit) = match text.to_ascii_lowercase() {
        text if text.ends_with('k') => (text, 1e3),
        text if text.ends_with('m') => (text, 1e6),
        text if text.ends_with('g') => (text, 1e9),
        text => (text, 1.0),
    };
    let number: f64 = digits
        .trim_end_matches(['k', 'm', 'g'])
        .parse()
        .map_err(|_| wrong())?;
    let number = number * unit;
    if (0.0..1e15).contains(&number) && number.fract() == 0.0 {
        Ok(number as u64)
    } else {
        Err(wrong())
    }
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match count(text)? {
        0 => Err("at least 1 is accepted".to_owned()),
        number => Ok(number),
    }
}

/// `cold`, or percent.
fn load(text: &str) -> Result<Option<u64>, String> {
    match text.trim_end_matches('%').parse() {
        _ if text == "cold" => Ok(None),
        Ok(percent @ 0..=100) => Ok(Some(percent)),
        _ => Err(format!("{text}: cold, or 0 to 100 percent is accepted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_may_be_short() {
        assert_eq!(count("20000"), Ok(20_000));
        assert_eq!(count("20k"), Ok(20_000));
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert!(count("1.5").is_err());
        assert!(count("-1").is_err());
        assert!(count("many").is_err());
        assert!(at_least_one("0").is_err());
    }

    #[test]
    fn loads_are_cold_or_percent() {
        assert_eq!(load("cold"), Ok(None));
        assert_eq!(load("50"), Ok(Some(50)));
        assert_eq!(load("90%"), Ok(Some(90)));
        assert!(load("101").is_err());
        assert!(load("warm").is_err());
    }

    #[test]
    fn all_commands_parse() {
        use clap::{Command, FromArgMatches};
        let command = || BenchArgs::augment_args(Command::new("bench"));
        command().debug_assert();
        let parse = |line: &str| {
            command()
                .try_get_matches_from(line.split(' '))
                .and_then(|matches| BenchArgs::from_arg_matches(&matches))
        };
        for line in [
            "bench ingest --spans 10m --rate 300k --format zipkin --layout service --encoding gzip --server --memory-bytes-max=1GiB",
            "bench ingest --url http://127.0.0.1:1 --pid 1 --pid 2 --data /tmp --no-retry --seconds 600",
            "bench query --loads cold,0,50,90 --qps 300 --dataset low-entropy",
            "bench growth --steps 1m,2m",
            "bench recovery --kills 200",
            "bench cluster --kafka h:1 --cassandra h:2 --opensearch http://h:3 --redis redis://h:4 --writers 1,3 --republish",
            "bench all --json --label x",
            "bench report a.jsonl b.jsonl --check docs/performance.md",
        ] {
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for line in [
            "bench ingest --pid 1",
            "bench ingest --spans 0",
            "bench report",
            "bench query --loads hot",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
