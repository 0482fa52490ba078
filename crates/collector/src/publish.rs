//! Hands batches to the span log and waits for its word (D7), for a second at most: the sender
//! never waits for storage (P1).

use std::sync::Arc;

use tokio::sync::oneshot;
use tracewell_model::SpanBatch;
use tracewell_storage::{Ack, Error};

use crate::intake::Intake;
use crate::refusal::{Cause, Refusal};

impl Intake {
    /// Appends, and answers when the level is reached. The spans are counted in the log's callback,
    /// not here: the sender may hang up while the log still works, and they must be counted all the same.
    pub(crate) async fn publish(&self, batches: Vec<SpanBatch>, ack: Ack) -> Result<(), Refusal> {
        let spans: u64 = batches.iter().map(|batch| batch.len() as u64).sum();
        if spans == 0 {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let metrics = Arc::clone(&self.metrics);
        let done = move |result: Result<(), Error>| {
            metrics.logged(spans, result.is_ok());
            // The receiver is gone when the sender hung up or the time was up: nobody to tell.
            drop(answer.send(result));
        };
        self.log.append(batches, ack, Box::new(done));
        let retry_after_s = self.config.retry_after_s;
        match tokio::time::timeout(self.config.log_timeout, answered).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Refusal::of_log(&error, retry_after_s)),
            Ok(Err(_dropped)) => Err(Refusal::retry(
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
}
