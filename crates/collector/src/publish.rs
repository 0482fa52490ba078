//! Hands batches to the span log and waits for its word (D7), for a second at most: the sender
//! never waits for storage (P1).

use std::sync::Arc;

use tokio::sync::oneshot;
use tracewell_model::SpanBatch;
use tracewell_storage::{Ack, Error};

use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::refusal::{Cause, Refusal};

/// Spans on their way into the log. They are counted here, not where the answer is awaited: the
/// sender may hang up while the log still works. Dropped unsettled, they count as refused.
struct Unsettled {
    metrics: Arc<Metrics>,
    spans: u64,
}

impl Unsettled {
    fn settle(mut self, taken: bool) {
        self.metrics.logged(std::mem::take(&mut self.spans), taken);
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        self.metrics.logged(self.spans, false);
    }
}

impl Intake {
    /// Appends, and answers when the level is reached.
    pub(crate) async fn publish(&self, batches: Vec<SpanBatch>, ack: Ack) -> Result<(), Refusal> {
        let spans = batches.iter().map(|batch| batch.len() as u64).sum();
        if spans == 0 {
            return Ok(());
        }
        let unsettled = Unsettled {
            metrics: Arc::clone(&self.metrics),
            spans,
        };
        let appending = self.append(batches, ack, unsettled);
        let retry_after_s = self.config.retry_after_s;
        match tokio::time::timeout(self.config.log_timeout, appending).await {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(error))) => Err(Refusal::of_log(&error, retry_after_s)),
            Ok(None) => Err(Refusal::retry(
                Cause::LogRefused,
                "the span log went away without an answer",
                retry_after_s,
            )),
            Err(_elapsed) => Err(Refusal::retry(
                Cause::LogTimeout,
                format!(
                    "the span log did not reach the level {} in time",
                    ack.name()
                ),
                retry_after_s,
            )),
        }
    }

    /// The log's word; none when it gave none.
    async fn append(
        &self,
        batches: Vec<SpanBatch>,
        ack: Ack,
        unsettled: Unsettled,
    ) -> Option<Result<(), Error>> {
        let (answer, answered) = oneshot::channel();
        let done = move |result: Result<(), Error>| {
            unsettled.settle(result.is_ok());
            // Nobody listens when the sender hung up or the time was up.
            drop(answer.send(result));
        };
        self.appender.append(batches, ack, Box::new(done)).await;
        answered.await.ok()
    }
}
