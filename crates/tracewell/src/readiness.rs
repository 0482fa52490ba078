//! Readiness: whether the store has taken in what the log held at the start (D8). Statistics count
//! it again afterwards, and say so until they are done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tracewell_storage::SpanLog;
use tracewell_workers::{StatusHandle, Worker, storage_writer};

/// Ready once the store has taken in what the log held at the start.
pub(crate) struct Readiness {
    replay: Option<Replay>,
    workers: Vec<StatusHandle>,
    ready: AtomicBool,
}

/// What the store's group has to do.
struct Replay {
    log: Arc<dyn SpanLog>,
    /// Spans in the log at the start, damaged ones among them.
    accepted_spans: u64,
    worker: StatusHandle,
    /// Spans it has to take in; fewer will come if some turn out to be damaged.
    spans: u64,
    /// The worker's polls when the log had given it everything.
    delivered_at_poll: OnceLock<u64>,
}

impl Readiness {
    /// Takes note of what is to be replayed; to be made before anything new is taken in.
    pub(crate) fn new(log: &Arc<dyn SpanLog>, workers: &[Worker]) -> Readiness {
        let status = log.status();
        let workers: Vec<StatusHandle> = workers.iter().map(Worker::status).collect();
        let of_store = |worker: &&StatusHandle| worker.snapshot().group == storage_writer::GROUP;
        let replay = workers.iter().find(of_store).map(|worker| Replay {
            log: log.clone(),
            accepted_spans: status.accepted_spans,
            spans: status.lag_spans(storage_writer::GROUP),
            worker: worker.clone(),
            delivered_at_poll: OnceLock::new(),
        });
        Readiness {
            replay,
            workers,
            ready: AtomicBool::new(false),
        }
    }

    /// Of a process of a cluster: ready once it is open, as others have taken in what it has not.
    #[cfg(feature = "cluster")]
    pub(crate) fn without_replay(workers: Vec<StatusHandle>) -> Readiness {
        Readiness {
            replay: None,
            workers,
            ready: AtomicBool::new(true),
        }
    }

    /// What is still awaited, as a sentence; nothing once the node is ready, and for as long as all
    /// its workers live.
    pub(crate) fn waiting_for(&self) -> Option<String> {
        self.dead_worker().or_else(|| self.replaying())
    }

    /// A worker that will never take in anything again.
    fn dead_worker(&self) -> Option<String> {
        let mut workers = self.workers.iter().map(StatusHandle::snapshot);
        let dead = workers.find(|worker| worker.panicked)?;
        Some(format!(
            "the {} worker ended by a panic: what is sent stays in the log, a restart takes it in",
            dead.group
        ))
    }

    /// What is being replayed. A worker that died over it holds up nothing but `/readyz`: queries
    /// and the status page are what an operator needs then.
    pub(crate) fn replaying(&self) -> Option<String> {
        if self.ready.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(replay) = &self.replay {
            let worker = replay.worker.snapshot();
            let done = worker.applied_spans + worker.dead_lettered_spans;
            if done < replay.spans && !worker.panicked && !replay.has_passed() {
                let (group, spans) = (worker.group, replay.spans);
                return Some(format!(
                    "replaying: the {group} group has {done} of {spans} spans"
                ));
            }
        }
        self.ready.store(true, Ordering::Relaxed);
        None
    }
}

impl Replay {
    /// Whether the group is through although spans did not come: damaged ones never will. The log
    /// has delivered everything, and the worker has asked for more since: it asks only when it has
    /// nothing left to apply.
    fn has_passed(&self) -> bool {
        let log = self.log.status();
        let worker = self.worker.snapshot();
        let lag = log.lag_spans(&worker.group);
        if log.accepted_spans.saturating_sub(lag) < self.accepted_spans {
            return false;
        }
        worker.polls > *self.delivered_at_poll.get_or_init(|| worker.polls)
    }
}
