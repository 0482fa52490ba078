//! What can be set about the collector, and the defaults with their reasons.

use std::time::Duration;

use tracewell_model::limits;
use tracewell_storage::Ack;

/// Settings of a [`crate::Collector`]. Start from `Default` and change what differs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Shards that traces are split into; the log's and the store's must agree.
    pub shards: u16,
    /// A body's size, as sent and decompressed alike; over it a request is refused as too large.
    pub body_bytes_max: usize,
    /// Bytes of bodies in flight, compressed and decompressed together; over it 429 (D15).
    pub in_flight_bytes_max: usize,
    /// Requests in flight; over it 429. Bounds what the byte budget does not see: idle senders.
    pub requests_max: usize,
    /// How long a body may take to arrive; then 408.
    pub body_timeout: Duration,
    /// How long the log may take to acknowledge; then 503. P1 promises an answer within a second.
    pub log_timeout: Duration,
    /// The level of requests that do not ask for one (D7).
    pub ack: Ack,
    /// Whether the log can acknowledge `replicated`; the embedded one cannot.
    pub replicated: bool,
    /// What `Retry-After` says when the log does not know better.
    pub retry_after_s: u32,
    /// Threads that decode large bodies; 0 takes one a core.
    pub decode_threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            shards: 1,
            body_bytes_max: limits::BODY_BYTES_MAX,
            in_flight_bytes_max: 128 * 1024 * 1024,
            requests_max: 1_024,
            body_timeout: Duration::from_secs(30),
            log_timeout: Duration::from_secs(1),
            ack: Ack::default(),
            replicated: false,
            retry_after_s: 1,
            decode_threads: 0,
        }
    }
}

impl Config {
    /// The level this word asks for, or a sentence naming what is accepted.
    pub(crate) fn parse_ack(&self, word: &[u8]) -> Result<Ack, String> {
        let ack = std::str::from_utf8(word).ok().and_then(Ack::from_name);
        match ack {
            Some(Ack::Replicated) if !self.replicated => Err(format!(
                "Tracewell-Ack: this span log does not replicate; accepted are {}",
                self.accepted_acks()
            )),
            Some(ack) => Ok(ack),
            None => Err(format!(
                "Tracewell-Ack: unknown level; accepted are {}",
                self.accepted_acks()
            )),
        }
    }

    fn accepted_acks(&self) -> &'static str {
        match self.replicated {
            true => "received, logged, durable and replicated",
            false => "received, logged and durable",
        }
    }
}
