//! What every receiver does between a request's head and its answer: admit, read, decompress,
//! decode, append. Each step takes and returns plain values; the receivers string them together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tracewell_model::{Clock, limits};
use tracewell_storage::{Ack, Refusals, RefusedSpan};
use tracewell_wire::DecodeError;
use tracewell_wire::decompress::Encoding;

use crate::admission::{Admission, Permit};
use crate::appender::Appender;
use crate::buffer::{Buffer, Buffers};
use crate::config::Config;
use crate::decoder::{Decode, Decoded, Decoders, Stopped};
use crate::metrics::{Metrics, Warnings};
use crate::refusal::{Cause, Refusal};

/// The header that asks for an acknowledgement level, over HTTP and gRPC alike.
pub(crate) const ACK_HEADER: &str = "tracewell-ack";

/// Compressed bodies above this leave the async thread: batches of spans shrink to about an eighth, and
/// decompressing takes as long as decoding.
const INLINE_COMPRESSED_BYTES_MAX: usize = limits::INLINE_BODY_BYTES_MAX / 16;

/// How long a refused request may go on sending before it is answered all the same.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A body reserves at most this much before its bytes are there.
const RESERVE_BYTES_MAX: usize = 1024 * 1024;

/// What all receivers share.
pub(crate) struct Intake {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) admission: Arc<Admission>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Refusals,
    pub(crate) warnings: Warnings,
    pub(crate) buffers: Buffers,
    pub(crate) decoders: Arc<Decoders>,
    /// One permit a decoding thread: bodies wait here rather than on the runtime's 512 threads.
    pub(crate) decoding: Arc<Semaphore>,
    pub(crate) appender: Appender,
}

impl Intake {
    /// Lets a request in, or refuses it before a byte of its body is read.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Permit, Refusal> {
        let announced = content_length(headers)?;
        if announced > self.config.body_bytes_max as u64 {
            return Err(self.too_large());
        }
        self.admission.admit(announced as usize)
    }

    /// The level this request asks for.
    pub(crate) fn ack(&self, headers: &HeaderMap) -> Result<Ack, Refusal> {
        let Some(word) = headers.get(ACK_HEADER) else {
            return Ok(self.config.ack);
        };
        let ack = self.config.parse_ack(word.as_bytes());
        ack.map_err(|message| Refusal::new(Cause::BadHeader, message))
    }

    /// Reads a body, charging each piece, until its end, its cap or its time.
    pub(crate) async fn read(
        &self,
        body: &mut Body,
        permit: &mut Permit,
    ) -> Result<Bytes, Refusal> {
        let reading = self.read_all(body, permit);
        match tokio::time::timeout(self.config.body_timeout, reading).await {
            Ok(read) => read.inspect(|body| self.metrics.body(body.len())),
            Err(_elapsed) => {
                let after_s = self.config.body_timeout.as_secs();
                let message = format!("the body did not arrive within {after_s} s");
                Err(Refusal::new(Cause::BodyTimeout, message))
            }
        }
    }

    async fn read_all(&self, body: &mut Body, permit: &mut Permit) -> Result<Bytes, Refusal> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
        let (mut first, mut all) = (Bytes::new(), None::<Buffer>);
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                *body = Body::empty();
                Refusal::new(Cause::Undecodable, format!("the body broke off: {error}"))
            })?;
            let Ok(piece) = frame.into_data() else {
                continue; // trailers
            };
            bytes += piece.len();
            if bytes > self.config.body_bytes_max {
                return Err(self.too_large());
            }
            permit.charge(piece.len())?;
            // Small bodies come in one piece and are not copied.
            if bytes == piece.len() {
                first = piece;
                continue;
            }
            let all = all.get_or_insert_with(|| {
                let mut all = self.buffers.take();
                all.bytes.reserve(announced.min(RESERVE_BYTES_MAX));
                all.bytes.extend_from_slice(&std::mem::take(&mut first));
                all
            });
            all.bytes.extend_from_slice(&piece);
        }
        // A body that has ended must not be asked again, not even to be discarded.
        *body = Body::empty();
        Ok(all.map_or(first, Buffer::freeze))
    }

    /// Reads and forgets what is left of a refused body. A sender that is still writing when the
    /// connection closes sees a reset, and never the answer that tells it what to do.
    pub(crate) async fn discard(&self, mut body: Body) {
        let discarding = async {
            let mut left = self.config.body_bytes_max;
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(bytes) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Whoever needs longer learns it the hard way: a refusal must stay cheap.
        drop(tokio::time::timeout(DISCARD_TIMEOUT, discarding).await);
    }

    /// Decompresses and decodes: small bodies here, large ones on the bounded pool (D14).
    pub(crate) async fn decode(
        &self,
        body: Bytes,
        encoding: Encoding,
        permit: &mut Permit,
        decode: Decode,
    ) -> Result<Decoded, Refusal> {
        let inline_max = match encoding.is_identity() {
            true => limits::INLINE_BODY_BYTES_MAX,
            false => INLINE_COMPRESSED_BYTES_MAX,
        };
        let inline = body.len() <= inline_max;
        // What is decompressed is charged once its size is known; until then it may only grow into
        // the room there is.
        let bytes_max = self
            .config
            .body_bytes_max
            .min(self.admission.available_bytes());
        let decoders = Arc::clone(&self.decoders);
        let work = move || decoders.decode(&body, encoding, bytes_max, decode);
        let decoded = if inline {
            work()
        } else {
            self.on_pool(work).await
        };
        let decoded = decoded.map_err(|stopped| match stopped {
            Stopped::Body(DecodeError::TooLarge { limit })
                if limit == bytes_max && limit < self.config.body_bytes_max =>
            {
                self.admission.full("bytes")
            }
            Stopped::Body(error) => Refusal::of_decode(error),
            Stopped::Busy => self.admission.full("large bodies"),
            Stopped::Defect => Refusal::new(Cause::Internal, "the decoder failed on this body"),
        })?;
        if !encoding.is_identity() {
            permit.charge(decoded.bytes)?;
        }
        self.metrics.decoded(&decoded.report, decoded.bytes);
        for (named, reason) in &decoded.report.named {
            self.refusals.add(RefusedSpan {
                trace_id: named.trace_id,
                span_id: named.span_id,
                reason: reason.name(),
                at_unix_ns: self.clock.unix_ns(),
            });
        }
        Ok(decoded)
    }

    /// Runs this on one of the decoding threads, if one comes free within the second an answer may take.
    async fn on_pool(
        &self,
        work: impl FnOnce() -> Result<Decoded, Stopped> + Send + 'static,
    ) -> Result<Decoded, Stopped> {
        let decoding = Arc::clone(&self.decoding);
        let free = tokio::time::timeout(self.config.log_timeout, decoding.acquire_owned()).await;
        let Ok(Ok(permit)) = free else {
            return Err(Stopped::Busy);
        };
        // The permit goes with the work: a sender that hangs up does not stop a running decode.
        let work = move || {
            let decoded = work();
            drop(permit);
            decoded
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or(Err(Stopped::Defect))
    }

    /// Notes a refused request: counted always, said aloud seldom, and only when it is our doing.
    pub(crate) fn note_refusal(&self, receiver: &'static str, refusal: &Refusal) {
        self.metrics.refused_request(refusal.cause);
        if !refusal.cause.is_ours() {
            tracing::debug!(receiver, reason = refusal.cause.name(), "request refused");
            return;
        }
        if let Some(suppressed) = self.warnings.may_say(self.clock.monotonic_ns()) {
            let reason = refusal.cause.name();
            let error = refusal.message.as_str();
            tracing::warn!(receiver, reason, error, suppressed, "requests refused");
        }
    }

    fn too_large(&self) -> Refusal {
        let bytes_max = self.config.body_bytes_max;
        Refusal::new(
            Cause::TooLarge,
            format!("the body is larger than {bytes_max} bytes"),
        )
    }
}

/// What `Content-Length` announces; 0 when it is absent. hyper has refused contradicting ones.
fn content_length(headers: &HeaderMap) -> Result<u64, Refusal> {
    let Some(value) = headers.get(CONTENT_LENGTH) else {
        return Ok(0);
    };
    let digits = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    digits.ok_or_else(|| Refusal::new(Cause::BadHeader, "Content-Length is not a number"))
}

/// How the body is compressed; several headers are one list, as HTTP says.
pub(crate) fn content_encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    parse_encoding("Content-Encoding", &lines.join(","))
}

/// The encoding this header names.
pub(crate) fn parse_encoding(header: &str, value: &str) -> Result<Encoding, Refusal> {
    let unknown = |error| Refusal::new(Cause::UnsupportedEncoding, format!("{header}: {error}"));
    Encoding::parse(value).map_err(unknown)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use tracewell_model::clock::ManualClock;
    use tracewell_storage::memory::MemoryLog;

    fn intake(config: Config) -> Arc<Intake> {
        let clock = Arc::new(ManualClock::at(1));
        let log = Arc::new(MemoryLog::new(clock.clone()));
        crate::Collector::new(log, clock, config).intake
    }

    /// What becomes of a body of this size with this decoder.
    async fn decoded(intake: &Intake, bytes: usize, decode: Decode) -> Result<usize, Cause> {
        let mut permit = intake.admit(&HeaderMap::new()).expect("there is room");
        let body = Bytes::from(vec![b' '; bytes]);
        let decoded = intake
            .decode(body, Encoding::IDENTITY, &mut permit, decode)
            .await;
        decoded
            .map(|decoded| decoded.bytes)
            .map_err(|refusal| refusal.cause)
    }

    #[tokio::test]
    async fn a_decoder_that_panics_costs_its_own_request_only() {
        let intake = intake(Config::default());
        for bytes in [1, limits::INLINE_BODY_BYTES_MAX + 1] {
            let panics: Decode = |_, _, _| panic!("a defect");
            assert_eq!(decoded(&intake, bytes, panics).await, Err(Cause::Internal));
            assert_eq!(decoded(&intake, bytes, |_, _, _| Ok(())).await, Ok(bytes));
        }
        assert_eq!(intake.admission.in_flight_requests(), 0);
    }

    #[tokio::test]
    async fn large_bodies_wait_for_a_decoding_thread_and_are_then_told_to_come_back() {
        let log_timeout = Duration::from_millis(5);
        let intake = intake(Config {
            log_timeout,
            decode_threads: 1,
            ..Config::default()
        });
        let taken = Arc::clone(&intake.decoding).acquire_owned().await.unwrap();
        let large = limits::INLINE_BODY_BYTES_MAX + 1;
        assert_eq!(
            decoded(&intake, large, |_, _, _| Ok(())).await,
            Err(Cause::Overloaded)
        );
        assert_eq!(
            decoded(&intake, 10, |_, _, _| Ok(())).await,
            Ok(10),
            "small ones go on"
        );
        drop(taken);
    }
}
