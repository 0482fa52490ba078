//! The reading room: finds, gets and assembles; serves the API (docs/api.md) and the UI.
//!
//! A request comes in at `serve`, is found in the table of `api`, runs as a plain function on the
//! pool of `querier`, and leaves as JSON written by `json`. Shares nothing with the collector (R26).

mod api;
mod columns;
mod cursor;
mod errors;
mod export;
mod json;
mod live;
mod metrics;
mod missing;
mod params;
mod querier;
mod respond;
mod status;
pub mod ui;
mod values;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tracewell_storage::ReadContext;

use crate::api::{Answer, Ask, Endpoint, Serve};
use crate::errors::Failure;
use crate::export::Exporter;
use crate::params::Params;
use crate::respond::Accepts;
use live::Live;

pub use crate::metrics::Metrics;
/// Reads a point in time as every parameter takes it: `now-15m`, RFC 3339, Unix nanoseconds. The
/// error is a sentence.
pub fn read_time(name: &str, text: &str, now_unix_ns: u64) -> Result<u64, String> {
    values::time(name, text, now_unix_ns).map_err(|failure| failure.message)
}

pub use crate::querier::{Querier, QueryConfig, Readers};
pub use crate::status::{
    AccountReport, DoorReport, GroupReport, IngestReport, LogAccount, LogReport, StatusReport,
    StatusSource, StoreReport,
};

/// What every request needs.
struct Api {
    querier: Arc<Querier>,
    status: Arc<dyn StatusSource>,
    metrics: Metrics,
    reporting: Arc<Semaphore>,
    exporter: Exporter,
    live: Live,
}

/// A posted question: a page of conditions.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Reports being made at once; further requests wait for one to end.
const REPORTING_MAX: usize = 2;

/// Everything under `/api`, and the UI under all other paths.
pub fn routes(querier: Arc<Querier>, status: Arc<dyn StatusSource>, metrics: Metrics) -> Router {
    let exporter = Exporter::new(querier.readers().exporter.clone(), metrics.clone());
    let api = Arc::new(Api {
        querier,
        status,
        metrics,
        reporting: Arc::new(Semaphore::new(REPORTING_MAX)),
        exporter,
        live: Live::default(),
    });
    // One handler: the table in `api` is what is documented, counted and tested, and axum's own
    // routing would answer errors that are not the API's.
    Router::new()
        .route("/api", any(serve))
        .route("/api/", any(serve))
        .route("/api/{*path}", any(serve))
        .route("/go", any(serve))
        .with_state(api)
        .merge(ui::routes())
}

async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let started_ns = api.querier.clock().monotonic_ns();
    let accepts = Accepts::of(request.method(), request.headers());
    let (endpoint, response) = match api::find(request.uri().path()) {
        Err(failure) => ("unknown", Err(failure)),
        Ok((endpoint, path)) => {
            let response = match endpoint.methods().contains(request.method()) {
                true => api.answer(endpoint, path, request, accepts).await,
                false => Err(Failure::method_not_allowed(endpoint.methods())),
            };
            (endpoint.path, response)
        }
    };
    let response = response.unwrap_or_else(|failure| respond::failure(&failure, accepts));
    let taken_ns = api
        .querier
        .clock()
        .monotonic_ns()
        .saturating_sub(started_ns);
    api.metrics
        .answered(endpoint, response.status().as_u16(), taken_ns);
    response
}

/// What was posted, if it is short enough.
async fn body(request: Request) -> Result<Bytes, Failure> {
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    body.map_err(|error| {
        let message =
            format!("the body could not be read: {error}; accepted: up to {BODY_BYTES_MAX} bytes");
        Failure::about("body", message)
    })
}

impl Api {
    async fn answer(
        &self,
        endpoint: &'static Endpoint,
        path: Vec<String>,
        request: Request,
        accepts: Accepts,
    ) -> Result<Response, Failure> {
        let query = request.uri().query().unwrap_or("").to_owned();
        let (function, body) = match endpoint.serve {
            Serve::Query(function) | Serve::Redirect(function) => (function, Bytes::new()),
            Serve::Posted(function) => (function, body(request).await?),
            Serve::Export => {
                let params = Params::parse(&query, endpoint.params)?;
                let clock = self.querier.clock();
                // It takes as long as its reader does: `export` looks after those who take nothing.
                let context = ReadContext::new(clock.clone(), u64::MAX);
                return self
                    .exporter
                    .answer(&params, context, clock.unix_ns(), accepts);
            }
            Serve::Status => {
                Params::parse(&query, endpoint.params)?;
                return Ok(respond::json(self.status().await?, accepts));
            }
            Serve::Text(text) => {
                Params::parse(&query, endpoint.params)?;
                return Ok(respond::json(text.to_owned(), accepts));
            }
        };
        let now_unix_ns = self.querier.clock().unix_ns();
        let (metrics, live) = (self.metrics.clone(), self.live.clone());
        // Reading, writing JSON and compressing all take a pool thread: each may cost milliseconds.
        let work = move |readers: &Readers, context: &ReadContext| {
            let params = Params::parse(&query, endpoint.params)?;
            let ask = Ask {
                readers,
                context,
                path: &path,
                params: &params,
                body: &body,
                now_unix_ns,
                live: &live,
            };
            let Answer {
                json,
                bytes_read,
                complete,
            } = function(&ask)?;
            metrics.read(bytes_read, complete);
            context.check()?;
            Ok(match endpoint.serve {
                Serve::Redirect(_) => respond::redirect(&json, accepts),
                _ => respond::answer(json, complete, accepts),
            })
        };
        self.querier.run(work).await
    }

    /// The report looks at files and locks, so it leaves the async thread, but takes no query's
    /// turn: an operator asks when the pool is full.
    async fn status(&self) -> Result<String, Failure> {
        let stopping = |_| Failure::too_busy("the server is stopping");
        let turn = self
            .reporting
            .clone()
            .acquire_owned()
            .await
            .map_err(stopping)?;
        let source = self.status.clone();
        let report = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            api::status::get_status(source.as_ref())
        });
        report.await.unwrap_or_else(|error| {
            tracing::error!(%error, "status report failed");
            Err(Failure::internal(
                "the report failed; the server's log has the reason",
            ))
        })
    }
}
