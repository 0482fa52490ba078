//! Runs queries. The seams are synchronous (D14), so each query gets a thread of a bounded pool, a
//! deadline, and a flag that stops it when nobody waits for the answer any more (P16).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracewell_model::{Clock, limits};
use tracewell_storage::{
    ReadContext, Refusals, SamplingReader, SpanScanner, StatsReader, TraceFinder, TraceReader,
};

use crate::errors::Failure;

/// How much longer than its deadline a query may hold its connection: backends look at the time
/// between units of work, and this is the end for one that does not.
const GRACE: Duration = Duration::from_secs(5);

/// The readers of a backend.
#[derive(Clone)]
pub struct Readers {
    /// By id.
    pub traces: Arc<dyn TraceReader>,
    /// Search and names.
    pub finder: Arc<dyn TraceFinder>,
    /// Spans of some minutes or days, for figures over many traces.
    pub scanner: Arc<dyn SpanScanner>,
    /// Everything stored, however long it takes, for exports.
    pub exporter: Arc<dyn SpanScanner>,
    /// Figures.
    pub stats: Arc<dyn StatsReader>,
    /// What this process refused at its door.
    pub refusals: Refusals,
    /// What the sampler decided; none where nobody samples.
    pub sampling: Option<Arc<dyn SamplingReader>>,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

/// What the query side may use.
#[derive(Clone, Copy, Debug)]
pub struct QueryConfig {
    /// Queries running at once: each may hold a whole trace in memory.
    pub running_max: usize,
    /// Queries waiting for their turn; further ones are told to come back.
    pub waiting_max: usize,
    /// How long a query may take, its wait included.
    pub deadline_ms: u64,
}

impl Default for QueryConfig {
    fn default() -> Self {
        QueryConfig {
            running_max: 8,
            waiting_max: 256,
            deadline_ms: limits::QUERY_DEADLINE_MS,
        }
    }
}

/// Runs queries against a backend's readers.
pub struct Querier {
    readers: Readers,
    clock: Arc<dyn Clock>,
    config: QueryConfig,
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl std::fmt::Debug for Querier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Querier")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Querier {
    /// A querier over these readers.
    pub fn new(readers: Readers, clock: Arc<dyn Clock>, config: QueryConfig) -> Querier {
        let running = Arc::new(Semaphore::new(config.running_max.max(1)));
        Querier {
            readers,
            clock,
            config,
            running,
            waiting: AtomicUsize::new(0),
        }
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Runs one query on the pool. Dropping the future stops the query at its next look.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Readers, &ReadContext) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let deadline = Duration::from_millis(self.config.deadline_ms);
        let context = ReadContext::new(self.clock.clone(), deadline.as_nanos() as u64);
        let _gone = CancelOnDrop(context.cancel_flag());
        let readers = self.readers.clone();
        let work = async {
            let turn = self.turn().await?;
            let running = tokio::task::spawn_blocking(move || {
                // Held to the end of the work, not of the connection: that is what bounds the pool.
                let _turn = turn;
                context.check()?;
                query(&readers, &context)
            });
            running.await.unwrap_or_else(|error| {
                tracing::error!(%error, "query failed");
                Err(Failure::internal(
                    "the query failed; the server's log has the reason",
                ))
            })
        };
        match tokio::time::timeout(deadline + GRACE, work).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Failure::deadline("the query's time was up")),
        }
    }

    /// Waits for a turn, unless too many wait already.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(turn) = self.running.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.config.waiting_max {
            return Err(Failure::too_busy("too many queries are waiting"));
        }
        let turn = self.running.clone().acquire_owned().await;
        turn.map_err(|_| Failure::too_busy("the server is stopping"))
    }
}

/// Counts a waiting query down again, however its wait ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells a query that its caller went away.
pub(crate) struct CancelOnDrop(pub(crate) Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
