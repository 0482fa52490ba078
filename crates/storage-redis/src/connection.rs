//! The connection: one, opened when it is needed, given up when it fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Client, Connection, RedisError, RedisResult};
use tracewell_model::Clock;
use tracewell_storage::{Class, Error};

/// A server that does not answer within this is as good as down: figures are read on every page.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a failure stands for the next calls, so that an outage costs each query nothing.
const FAILURE_STANDS_NS: u64 = 1_000_000_000;

/// Where the figures are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `redis://[user:password@]host[:port][/database]`.
    pub url: String,
    /// What every key begins with; empty for the keys as they are documented.
    pub prefix: String,
    /// Which log positions are of: its topic's id. A log made anew is counted from its beginning.
    pub log: String,
}

/// A Redis server. Clones share one connection.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    settings: Settings,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    failed: Option<(u64, Error)>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// The server of these settings; nothing is sent yet.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Redis, Error> {
        let client = Client::open(settings.url.as_str())
            // The address may hold a password: it is not repeated.
            .map_err(|error| Error::invalid(format!("the address of Redis is wrong: {error}")))?;
        let state = Mutex::default();
        let inner = Arc::new(Inner {
            client,
            settings,
            clock,
            state,
        });
        Ok(Redis { inner })
    }

    /// Host and port, for people.
    pub fn address(&self) -> String {
        self.inner.client.get_connection_info().addr().to_string()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.inner.clock.as_ref()
    }

    /// Makes a call. A connection on which one failed is not used again.
    pub(crate) fn call<T>(
        &self,
        ask: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Error> {
        let now = self.clock().monotonic_ns();
        let mut state = self
            .inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((at, error)) = &state.failed
            && now.saturating_sub(*at) < FAILURE_STANDS_NS
        {
            return Err(error.clone());
        }
        let taken = state.connection.take().map_or_else(|| self.connect(), Ok);
        let answered = taken.and_then(|mut connection| {
            let answer = ask(&mut connection)?;
            Ok((answer, connection))
        });
        match answered {
            Ok((answer, connection)) => {
                state.connection = Some(connection);
                state.failed = None;
                Ok(answer)
            }
            Err(error) => {
                let error = self.classify(&error);
                state.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.inner.client.get_connection_with_timeout(TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.set_write_timeout(Some(TIMEOUT))?;
        Ok(connection)
    }

    /// Every failure passes: none says that the figures are wrong. A full server wants less.
    fn classify(&self, error: &RedisError) -> Error {
        let class = match error.code() {
            Some("OOM") => Class::Overloaded,
            _ => Class::Retryable,
        };
        let address = self.address();
        Error::new(class, format!("Redis at {address}: {error}"))
    }
}
