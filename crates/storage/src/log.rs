//! The span log: where acknowledged spans are safe before any store has them (R42, R43).

use std::sync::Arc;
use std::time::Duration;

use tracewell_model::SpanBatch;

use crate::error::Error;

/// What an acknowledgement promises (D7). Each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// The collector has it; a crash may lose it.
    Received,
    /// The log's `write(2)` returned: survives kill -9 of the process.
    #[default]
    Logged,
    /// A grouped fdatasync returned: survives a power cut.
    Durable,
    /// Kafka's acks=all.
    Replicated,
}

impl Ack {
    /// The word for it, in headers, settings and docs alike.
    pub fn name(self) -> &'static str {
        match self {
            Ack::Received => "received",
            Ack::Logged => "logged",
            Ack::Durable => "durable",
            Ack::Replicated => "replicated",
        }
    }

    /// The level with this name.
    pub fn from_name(name: &str) -> Option<Ack> {
        [Ack::Received, Ack::Logged, Ack::Durable, Ack::Replicated]
            .into_iter()
            .find(|ack| ack.name() == name)
    }
}

/// The place of a record in the log. Offsets count records of one partition, from 1, without gaps
/// but for damage and, in a log shared with others, for theirs; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which partition; the embedded log has one, 0.
    pub partition: u32,
    /// Which record.
    pub offset: u64,
}

/// A batch in the log.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it lies.
    pub position: Position,
    /// When it was appended. Never goes back within a partition, whatever the clock does; a log that
    /// can makes it strictly rise, so that a search's horizon (D18) falls between two records.
    pub arrived_unix_ns: u64,
    /// The spans.
    pub batch: Arc<SpanBatch>,
}

/// Called exactly once when the asked level is reached, or cannot be. May run on any thread and
/// must not block.
pub type Completion = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// The log.
///
/// Contract:
/// * `append` calls `done(Ok)` only when every batch has reached the level of `ack`. On an error
///   some of the batches may be in the log all the same: the sender repeats, identity (D2) hides it.
/// * What `append` acknowledged at `Logged` or above is delivered to every group at least once, in
///   offset order per partition, over restarts and kill -9, until the group commits past it.
/// * In one process, the batch handed to a group that is caught up is the appended one, not copied.
/// * A level that the log cannot keep is refused as [`crate::Class::Invalid`], never answered.
/// * A damaged record is skipped and counted in [`LogStatus`], never delivered altered, and costs
///   no other record.
/// * No room is [`crate::Class::Overloaded`]; the log recovers by itself when there is room again.
pub trait SpanLog: Send + Sync {
    /// Appends batches; empty ones are ignored, and answered even when there is nothing else.
    fn append(&self, batches: Vec<SpanBatch>, ack: Ack, done: Completion);

    /// Joins a consumer group. Delivery starts after the later of what the group committed and
    /// what its sink says is durable (`Sink::durable`): whoever joins again, after a crash of its
    /// worker or of the process, gets once more what was delivered and not committed.
    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error>;

    /// Figures for the account, for lag and for health.
    fn status(&self) -> LogStatus;
}

/// One member of a consumer group.
pub trait Consumer: Send {
    /// The next records in order: about `spans_max` spans of them, at least one record. Waits up to
    /// `wait` when there is none; an empty answer means none came.
    fn poll(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error>;

    /// Everything at or before these positions is durable in the group's sink; the log may forget it.
    /// A position before one committed earlier changes nothing, nor does one of a partition that
    /// another member has by now.
    fn commit(&mut self, positions: &[Position]) -> Result<(), Error>;

    /// True when partitions are to go to another member of the group: the caller makes durable what
    /// it applied and commits. The next `poll` gives them up, whether that worked or not: what is not
    /// committed is delivered again, to the other.
    fn leaving(&self) -> bool {
        false
    }

    /// Keeps a record that the group's sink can never take, with the reason, where an operator finds
    /// it (P14). On an error the caller tries again before it goes on. A log without such a place keeps
    /// nothing; the caller counts it in any case.
    fn set_aside(&mut self, _record: &Record, _reason: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// Figures of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogStatus {
    /// Spans ever acknowledged into the log, over restarts and kill -9 (D9): exact, in a log that
    /// others append to whenever nobody does.
    pub accepted_spans: u64,
    /// Records held now.
    pub records: u64,
    /// Bytes held now.
    pub bytes: u64,
    /// Files held now.
    pub files: u64,
    /// Damaged records that were skipped.
    pub damaged_records: u64,
    /// Spans in them, as far as their headers or neighbours tell.
    pub damaged_spans: u64,
    /// The groups.
    pub groups: Vec<GroupStatus>,
    /// What an operator should look at, a sentence each.
    pub problems: Vec<String>,
}

impl LogStatus {
    /// The figures of this group, if it ever joined.
    pub fn group(&self, name: &str) -> Option<&GroupStatus> {
        self.groups.iter().find(|group| group.group == name)
    }

    /// Spans not yet delivered to this group; none for an unknown one.
    pub fn lag_spans(&self, group: &str) -> u64 {
        self.group(group).map_or(0, |group| group.lag_spans)
    }
}

/// Figures of a consumer group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupStatus {
    /// Its name.
    pub group: String,
    /// Records not yet delivered to it.
    pub lag_records: u64,
    /// Spans in them; a log that others append to may reckon it from the mean.
    pub lag_spans: u64,
    /// Age of the oldest record not yet delivered; 0 when caught up.
    pub lag_ns: u64,
    /// Records delivered but not yet committed.
    pub uncommitted_records: u64,
    /// Spans delivered to it over all time, in a log that says so in its commits (Kafka).
    pub taken_spans: u64,
    /// Spans that this process set aside for it.
    pub dead_lettered_spans: u64,
    /// Spans it should have been given since it joined, and was not: they were damaged.
    pub lost_spans: u64,
    /// Records that expired before it came to them (P13).
    pub lost_records: u64,
    /// How long until records expire that it has not got; none where the log waits for its groups.
    pub time_to_loss_ns: Option<u64>,
}
