//! Span logs that are wrong on purpose.

use std::sync::Arc;
use std::time::Duration;

use tracewell_model::SpanBatch;
use tracewell_model::clock::ManualClock;

use crate::conformance::spans::filter;
use crate::conformance::{Durability, LogFixture, OpenLog, Restart};
use crate::error::Error;
use crate::log::{Ack, Completion, Consumer, LogStatus, Position, Record, SpanLog};
use crate::memory::MemoryLog;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFault {
    /// Loses every tenth batch that it acknowledges.
    LosesEveryTenth,
    /// Comes back empty.
    ForgetsOnRestart,
    /// Never answers some appends.
    ForgetsAnAnswer,
    /// Delivers a poll's records in the wrong order.
    Reorders,
    /// Takes what was delivered for committed.
    CommitsOnDelivery,
    /// Lets groups take records from each other.
    SharesGroups,
    /// Ignores what the sink says is durable.
    IgnoresDurable,
    /// Loses a span of a batch.
    LosesASpan,
    /// Lets an old commit undo a newer one: delivers from the first commit.
    IgnoresCommits,
    /// Counts accepted spans since the start only.
    CountsSinceStart,
    /// Says nobody lags.
    HidesLag,
    /// Lets arrival times follow the clock back.
    FollowsTheClock,
}

impl LogFault {
    /// Every fault.
    pub const ALL: [LogFault; 12] = [
        LogFault::LosesEveryTenth,
        LogFault::ForgetsOnRestart,
        LogFault::ForgetsAnAnswer,
        LogFault::Reorders,
        LogFault::CommitsOnDelivery,
        LogFault::SharesGroups,
        LogFault::IgnoresDurable,
        LogFault::LosesASpan,
        LogFault::IgnoresCommits,
        LogFault::CountsSinceStart,
        LogFault::HidesLag,
        LogFault::FollowsTheClock,
    ];
}

/// Opens span logs with this fault.
#[derive(Clone, Copy, Debug)]
pub struct BrokenLog(pub LogFault);

impl LogFixture for BrokenLog {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn patience(&self) -> Duration {
        // All there is to wait for here never comes.
        Duration::from_millis(50)
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenLog> {
        let inner = MemoryLog::new(clock.clone());
        Box::new(Broken {
            fault: self.0,
            inner,
            clock,
            accepted_before: 0,
        })
    }
}

struct Broken {
    fault: LogFault,
    inner: MemoryLog,
    clock: Arc<ManualClock>,
    accepted_before: u64,
}

impl OpenLog for Broken {
    fn log(&self) -> &dyn SpanLog {
        self
    }

    fn restart(self: Box<Self>, _how: Restart) -> Box<dyn OpenLog> {
        let accepted_before = self.inner.status().accepted_spans;
        let inner = match self.fault {
            LogFault::ForgetsOnRestart => MemoryLog::new(self.clock.clone()),
            _ => self.inner.restart(),
        };
        Box::new(Broken {
            inner,
            accepted_before,
            ..*self
        })
    }
}

impl SpanLog for Broken {
    fn append(&self, batches: Vec<SpanBatch>, ack: Ack, done: Completion) {
        let written = self.inner.status().records;
        match self.fault {
            LogFault::LosesEveryTenth if written % 10 == 9 => done(Ok(())),
            LogFault::ForgetsAnAnswer if ack == Ack::Durable => drop(done),
            _ => self.inner.append(batches, ack, done),
        }
    }

    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        let inner = match self.fault {
            LogFault::SharesGroups => self.inner.subscribe("one", durable)?,
            LogFault::IgnoresDurable => self.inner.subscribe(group, &[])?,
            _ => self.inner.subscribe(group, durable)?,
        };
        Ok(Box::new(BrokenConsumer {
            fault: self.fault,
            inner,
            clock: self.clock.clone(),
        }))
    }

    fn status(&self) -> LogStatus {
        let mut status = self.inner.status();
        match self.fault {
            LogFault::CountsSinceStart => status.accepted_spans -= self.accepted_before,
            LogFault::HidesLag => status.groups.iter_mut().for_each(|group| {
                (group.lag_records, group.lag_spans, group.lag_ns) = (0, 0, 0);
            }),
            _ => {}
        }
        status
    }
}

struct BrokenConsumer {
    fault: LogFault,
    inner: Box<dyn Consumer>,
    clock: Arc<ManualClock>,
}

impl Consumer for BrokenConsumer {
    fn poll(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        let mut records = self.inner.poll(spans_max, wait)?;
        match self.fault {
            LogFault::Reorders => records.reverse(),
            LogFault::CommitsOnDelivery => {
                let last = records.last().map(|record| record.position);
                self.inner.commit(last.as_slice())?;
            }
            LogFault::LosesASpan => {
                for record in &mut records {
                    let last = record.batch.len() as u32 - 1;
                    record.batch = Arc::new(filter(&record.batch, |span| span.row != last));
                }
            }
            LogFault::FollowsTheClock => {
                let now = tracewell_model::Clock::unix_ns(&*self.clock);
                records
                    .iter_mut()
                    .for_each(|record| record.arrived_unix_ns = now);
            }
            _ => {}
        }
        Ok(records)
    }

    fn commit(&mut self, positions: &[Position]) -> Result<(), Error> {
        match self.fault {
            LogFault::IgnoresCommits => Ok(()),
            _ => self.inner.commit(positions),
        }
    }
}
