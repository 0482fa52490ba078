//! The thread that hands batches to the span log. `append` is a plain call that a stalled disk holds
//! up, which must hold up no answer. A log writes one batch at a time, so one thread does; under load
//! it goes from one append to the next and nobody has to wake it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracewell_model::SpanBatch;
use tracewell_storage::{Ack, Completion, SpanLog};

/// Appends under way: beyond them requests wait here, as long as an answer may take, and keep their
/// spans to themselves.
const APPENDS_MAX: usize = 16;

/// Hands batches to the log, in the order they come.
pub(crate) struct Appender {
    log: Arc<dyn SpanLog>,
    room: Arc<Semaphore>,
    queue: SyncSender<Append>,
}

struct Append {
    /// Held by those under way only: a collector that is gone keeps no log open.
    log: Arc<dyn SpanLog>,
    batches: Vec<SpanBatch>,
    ack: Ack,
    done: Completion,
    permit: OwnedSemaphorePermit,
}

impl Appender {
    /// Starts the thread; it ends with the appender.
    pub(crate) fn new(log: Arc<dyn SpanLog>) -> Appender {
        let (queue, appends) = sync_channel(APPENDS_MAX);
        let thread = std::thread::Builder::new().name("append".to_owned());
        thread
            .spawn(move || appends.iter().for_each(run))
            .expect("a process that starts has room for a thread");
        Appender {
            log,
            room: Arc::new(Semaphore::new(APPENDS_MAX)),
            queue,
        }
    }

    /// Queues an append as soon as there is room. Its outcome comes through `done`.
    pub(crate) async fn append(&self, batches: Vec<SpanBatch>, ack: Ack, done: Completion) {
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else {
            return;
        };
        // A place in the queue comes with the permit. Should the thread be gone, `done` is dropped,
        // which tells the same.
        drop(self.queue.try_send(Append {
            log: Arc::clone(&self.log),
            batches,
            ack,
            done,
            permit,
        }));
    }
}

fn run(append: Append) {
    let Append {
        log,
        batches,
        ack,
        done,
        permit,
    } = append;
    // A log that panics costs the request it panics on.
    let outcome = catch_unwind(AssertUnwindSafe(|| log.append(batches, ack, done)));
    if outcome.is_err() {
        tracing::error!("the span log panicked while it took spans");
    }
    drop((log, permit));
}
