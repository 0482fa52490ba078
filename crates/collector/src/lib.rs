//! The door: receive, admit, decompress, decode, append, answer. Stateless: what it knows of a
//! request ends with the answer. Spans come in as bytes of four dialects (`receiver`), leave as
//! batches into the span log, and the log's word becomes the answer.

use std::sync::Arc;

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tracewell_model::Clock;
use tracewell_storage::{Refusals, SpanLog};

mod admission;
mod appender;
mod buffer;
mod config;
mod decoder;
mod intake;
mod metrics;
mod pool;
mod publish;
mod receiver;
mod refusal;

pub use admission::Hold;
pub use config::Config;
pub use metrics::{Counters, LOG_REFUSED};

use admission::Admission;
use appender::Appender;
use buffer::Buffers;
use decoder::Decoders;
use intake::Intake;
use metrics::{InFlight, Warnings};

/// The collector. Cheap to clone; clones share budgets and counters.
#[derive(Clone)]
pub struct Collector {
    intake: Arc<Intake>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("config", &self.intake.config)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// A collector in front of this log.
    pub fn new(log: Arc<dyn SpanLog>, clock: Arc<dyn Clock>, config: Config) -> Self {
        let threads = match config.decode_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let admission = Admission::new(
            config.in_flight_bytes_max,
            config.requests_max,
            config.retry_after_s,
        );
        let buffers = Buffers::new();
        let intake = Intake {
            appender: Appender::new(log),
            clock,
            decoders: Arc::new(Decoders::new(config.shards, buffers.clone())),
            buffers,
            config,
            admission,
            metrics: Arc::default(),
            refusals: Refusals::default(),
            warnings: Warnings::default(),
            decoding: Arc::new(Semaphore::new(threads)),
        };
        Collector {
            intake: Arc::new(intake),
        }
    }

    /// `POST /v1/spans`, `/v1/traces` and `/api/v2/spans`; anything else is 404 or 405.
    pub fn http_routes(&self) -> Router {
        receiver::http_routes(Arc::clone(&self.intake))
    }

    /// OTLP's gRPC service; any other method is `UNIMPLEMENTED`. To be served over HTTP/2.
    pub fn grpc_routes(&self) -> Router {
        receiver::otlp_grpc::routes(Arc::clone(&self.intake))
    }

    /// Puts the collector's metrics on a page.
    pub fn register(&self, registry: &mut Registry) {
        self.intake.metrics.register(registry);
        registry.register_collector(Box::new(InFlight(Arc::clone(&self.intake.admission))));
    }

    /// What became of the spans so far. At a quiet moment received = accepted + refused.
    pub fn counters(&self) -> Counters {
        self.intake.metrics.counters()
    }

    /// Which spans were refused lately.
    pub fn refusals(&self) -> Refusals {
        self.intake.refusals.clone()
    }

    /// Answers every request 429 for this reason, or no longer.
    pub fn hold(&self, why: Hold, is_held: bool) {
        self.intake.admission.hold(why, is_held);
    }

    /// Bytes of bodies in flight, for the account of memory.
    pub fn in_flight_bytes(&self) -> usize {
        self.intake.admission.in_flight_bytes()
    }

    /// Requests in flight: 0 means that a stop loses nobody's answer.
    pub fn in_flight_requests(&self) -> usize {
        self.intake.admission.in_flight_requests()
    }
}
