//! `/api/status`: what the binary knows about itself, as docs/api.md shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use tracewell_storage::Account;

/// Gives the report; implemented by the binary. May look at files, must not wait for long.
pub trait StatusSource: Send + Sync {
    /// The state right now.
    fn status(&self) -> StatusReport;
}

/// The state of a process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StatusReport {
    /// Of the binary.
    pub version: String,
    /// When the process started.
    pub started_at_unix_ns: u64,
    /// How long ago, by the monotonic clock.
    pub uptime_s: f64,
    /// What it runs.
    pub roles: Vec<String>,
    /// Where its files are.
    pub data_dir: String,
    /// True after replay.
    pub ready: bool,
    /// Addresses by listener: `ingest`, `otlp_grpc`, `query`, `admin`; those that run.
    pub listeners: BTreeMap<String, String>,
    /// What became of every span.
    pub account: AccountReport,
    /// What comes in.
    pub ingest: IngestReport,
    /// The span log.
    pub log: LogReport,
    /// The store.
    pub store: StoreReport,
    /// A sentence for each thing an operator should look at.
    pub problems: Vec<String>,
}

/// The account of D9 in two parts: at the door since the start, and of the log since ever.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountReport {
    /// At the door.
    pub since_start: DoorReport,
    /// Of the log.
    pub log: LogAccount,
    /// True when nothing is missing and nothing is made up.
    pub balances: bool,
}

/// Spans at the door, since the process started.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DoorReport {
    /// Spans that came.
    pub received: u64,
    /// Those taken in.
    pub accepted: u64,
    /// Those refused.
    pub refused: u64,
    /// Why.
    pub refused_by_reason: BTreeMap<String, u64>,
}

/// [`Account`], to be shown.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LogAccount {
    accepted: u64,
    stored: u64,
    duplicate: u64,
    sampled_out: u64,
    dead_lettered: u64,
    in_flight: u64,
    expired: u64,
    erased: u64,
}

impl AccountReport {
    /// Both parts, and whether they balance.
    pub fn new(since_start: DoorReport, log: &Account) -> AccountReport {
        let at_the_door = since_start.received == since_start.accepted + since_start.refused;
        AccountReport {
            balances: at_the_door && log.balances(),
            since_start,
            log: LogAccount {
                accepted: log.accepted,
                stored: log.stored,
                duplicate: log.duplicate,
                sampled_out: log.sampled_out,
                dead_lettered: log.dead_lettered,
                in_flight: log.in_flight,
                expired: log.expired,
                erased: log.erased,
            },
        }
    }
}

/// What comes in.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct IngestReport {
    /// Spans.
    pub spans_per_s: f64,
    /// Bytes of their bodies.
    pub bytes_per_s: f64,
}

/// The span log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogReport {
    /// On disk.
    pub bytes: u64,
    /// Its files.
    pub files: u64,
    /// Its consumer groups.
    pub groups: Vec<GroupReport>,
}

/// How far a consumer group is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// Records not consumed yet.
    pub lag_records: u64,
    /// Spans in them.
    pub lag_spans: u64,
    /// Age of the oldest of them.
    pub lag_seconds: f64,
    /// How long until some of them expire, in a log that does not wait for its groups (Kafka).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_to_loss: Option<f64>,
    /// Records that expired before the group came to them.
    pub lost_records: u64,
}

/// The store.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct StoreReport {
    /// Spans not in a segment yet.
    pub head_spans: u64,
    /// Segments.
    pub segments: u64,
    /// Spans in them.
    pub segment_spans: u64,
    /// On disk.
    pub disk_bytes: u64,
    /// Spans not in a segment that stays as it is: in memory, or yet to be merged.
    pub unsettled_spans: u64,
    /// Merges since the start.
    pub merges: u64,
    /// Spans that merges copied as they were.
    pub merge_copied_spans: u64,
    /// Spans that they wrote anew.
    pub merge_rewritten_spans: u64,
    /// Bytes that they read.
    pub merge_read_bytes: u64,
    /// Bytes that they wrote.
    pub merge_written_bytes: u64,
    /// Blocks that cannot be read.
    pub damaged_blocks: u64,
    /// The start of the oldest span.
    pub oldest_unix_ns: u64,
}
