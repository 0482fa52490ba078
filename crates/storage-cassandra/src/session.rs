//! The session: the driver with a small runtime of its own behind the synchronous seams (D14), and
//! what its errors mean.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, Statement};
use tokio::runtime::{Builder, Runtime};
use tracewell_storage::{Class, Error, ReadContext};

/// Beyond this a node counts as hung; the request is repeated.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a read that waits looks whether anyone still wants it (P16).
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A write that fails is tried so often, after waits that double, before it is given back.
const TRIES_MAX: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// Where the store is, and how it is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Some nodes, `host:port`; the others are found through them.
    pub nodes: Vec<String>,
    /// User and password, if the cluster asks for them.
    pub credentials: Option<(String, String)>,
    /// The datacenter to talk to; none for any.
    pub datacenter: Option<String>,
    /// The keyspace: one tenant.
    pub keyspace: String,
    /// Replicas of a keyspace that is made, in every datacenter.
    pub replicas: u32,
    /// How long spans are kept (R12).
    pub kept_s: u32,
    /// Writes under way at once: enough for all of a node's cores, few enough not to drown it.
    pub concurrency: usize,
    /// The largest row. Beyond half a commit log segment Cassandra refuses; spans over this are set
    /// aside with that reason.
    pub row_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            nodes: vec!["127.0.0.1:9042".to_owned()],
            credentials: None,
            datacenter: None,
            keyspace: "tracewell".to_owned(),
            replicas: 1,
            kept_s: 30 * 86_400,
            concurrency: 64,
            row_bytes_max: 4 * 1024 * 1024,
        }
    }
}

/// A cluster. Clones share one session.
#[derive(Clone)]
pub struct Cassandra {
    inner: Arc<Inner>,
}

struct Inner {
    session: Session,
    /// There until this is dropped.
    runtime: Option<Runtime>,
    settings: Settings,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever drops it may be a task of another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Cassandra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cassandra")
            .field("keyspace", &self.settings().keyspace)
            .finish_non_exhaustive()
    }
}

impl Cassandra {
    /// Connects.
    pub fn connect(settings: Settings) -> Result<Cassandra, Error> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if settings.keyspace.is_empty() || !settings.keyspace.chars().all(word) {
            let keyspace = &settings.keyspace;
            return Err(Error::invalid(format!(
                "the keyspace {keyspace:?} is not a name of letters, digits and _"
            )));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cassandra")
            .enable_all()
            .build()
            .map_err(|error| Error::retryable(format!("starting a runtime: {error}")))?;
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .build();
        let mut builder = SessionBuilder::new()
            .known_nodes(&settings.nodes)
            .connection_timeout(CONNECT_TIMEOUT)
            .default_execution_profile_handle(profile.into_handle());
        if let Some((user, password)) = &settings.credentials {
            builder = builder.user(user, password);
        }
        if let Some(datacenter) = &settings.datacenter {
            builder = builder.prefer_datacenter(datacenter.clone());
        }
        let nodes = settings.nodes.join(", ");
        let session = runtime.block_on(builder.build()).map_err(|error| {
            Error::retryable(format!("connecting to Cassandra at {nodes}: {error}"))
        })?;
        let inner = Arc::new(Inner {
            session,
            runtime: Some(runtime),
            settings,
        });
        Ok(Cassandra { inner })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn session(&self) -> &Session {
        &self.inner.session
    }

    /// Runs a future on the calling thread, a worker's or a query pool's.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }

    fn runtime(&self) -> &Runtime {
        let runtime = self.inner.runtime.as_ref();
        runtime.expect("it is there until the drop")
    }

    /// Runs a future on the runtime's thread, where the driver's own tasks are.
    pub(crate) fn run_apart<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.block_on(self.runtime().spawn(future));
        done.unwrap_or_else(|error| Err(Error::retryable(format!("Cassandra: {error}"))))
    }

    /// Prepares a statement; every one of ours may be repeated.
    pub(crate) fn prepare(&self, cql: &str, page: i32) -> Result<PreparedStatement, Error> {
        let statement = Statement::new(cql).with_page_size(page);
        let mut prepared = self
            .block_on(self.session().prepare(statement))
            .map_err(|error| Error::retryable(format!("Cassandra: preparing {cql}: {error}")))?;
        prepared.set_is_idempotent(true);
        Ok(prepared)
    }

    /// Runs a statement that answers nothing.
    pub(crate) fn run(&self, cql: &str) -> Result<(), Error> {
        let done = self.block_on(self.session().query_unpaged(cql, ()));
        done.map(drop).map_err(|error| classify(&error))
    }
}

/// The future's answer, unless the reader's time is up or nobody wants it any more.
pub(crate) async fn while_wanted<T>(
    context: &ReadContext,
    future: impl Future<Output = Result<T, ExecutionError>>,
) -> Result<T, Error> {
    tokio::pin!(future);
    loop {
        context.check()?;
        tokio::select! {
            done = &mut future => return done.map_err(|error| classify(&error)),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Writes, again and again if need be; each time after the first is told.
pub(crate) async fn tried<F: Future<Output = Result<(), ExecutionError>>>(
    write: impl Fn() -> F,
    again: impl Fn(),
) -> Result<(), Error> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES_MAX {
        if write().await.is_ok() {
            return Ok(());
        }
        again();
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    write().await.map_err(|error| classify(&error))
}

/// What to do about an error. None says that a row is at fault (rows too large are not sent), so
/// everything passes or waits for an operator, and no span is set aside for it.
pub(crate) fn classify(error: &ExecutionError) -> Error {
    let class = match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::Overloaded | DbError::RateLimitReached { .. },
            _,
        )) => Class::Overloaded,
        _ => Class::Retryable,
    };
    Error::new(class, format!("Cassandra: {error}"))
}
