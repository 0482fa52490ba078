//! `GET /api/export`: everything that matches, streamed. The scan runs on a thread of its own and
//! waits for its reader, chunk by chunk; a reader that goes away, or takes nothing, ends it. Exports
//! take no query's turn, and are few at a time.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use http_body_util::channel::{Channel, Sender};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracewell_export::{Error, Format, export};
use tracewell_storage::{ReadContext, ScanQuery, SpanScanner};

use crate::errors::Failure;
use crate::metrics::Metrics;
use crate::params::{Param, Params, once};
use crate::querier::CancelOnDrop;
use crate::respond::{self, Accepts};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[once("format"), once("start"), once("end"), once("service")];

/// Exports running at once: each may hold a head that was sealed meanwhile, and a row group.
const EXPORTS_MAX: usize = 2;
/// What is handed to the connection at once.
const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks that wait for the connection; then the scan waits.
const CHUNKS_MAX: usize = 4;
/// How long a chunk may wait for its reader: a turn is not held for who takes less.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs exports.
pub(crate) struct Exporter {
    scanner: Arc<dyn SpanScanner>,
    metrics: Metrics,
    turns: Arc<Semaphore>,
}

/// What is asked for.
struct Ask {
    format: Format,
    query: ScanQuery,
}

impl Ask {
    fn read(params: &Params, now_unix_ns: u64) -> Result<Ask, Failure> {
        let time = |name, text: &str| values::time(name, text, now_unix_ns);
        let format = params.read("format", |name, text| {
            let accepted = Format::ALL.map(Format::name).join(", ");
            Format::from_name(text).ok_or_else(|| Failure::parameter(name, text, &accepted))
        })?;
        let format = format.unwrap_or(Format::OtlpJson);
        if !format.is_built() {
            return Err(Failure::about("format", Error::NotBuilt.to_string()));
        }
        let query = ScanQuery {
            start_unix_ns: params.read("start", time)?,
            end_unix_ns: params.read("end", time)?,
            service: params.one("service").map(str::to_owned),
            ..ScanQuery::default()
        };
        Ok(Ask { format, query })
    }
}

impl Exporter {
    pub(crate) fn new(scanner: Arc<dyn SpanScanner>, metrics: Metrics) -> Exporter {
        Exporter {
            scanner,
            metrics,
            turns: Arc::new(Semaphore::new(EXPORTS_MAX)),
        }
    }

    /// The answer's head at once; its body as it is read.
    pub(crate) fn answer(
        &self,
        params: &Params,
        context: ReadContext,
        now_unix_ns: u64,
        accepts: Accepts,
    ) -> Result<Response, Failure> {
        let ask = Ask::read(params, now_unix_ns)?;
        let turn = self.turns.clone().try_acquire_owned();
        let turn = turn.map_err(|_| Failure::too_busy("too many exports are running"))?;
        let gzip = accepts.gzip && ask.format == Format::OtlpJson;
        let headers = headers(ask.format, gzip);
        if !accepts.body {
            return Ok(respond::streamed(headers, Body::empty()));
        }
        let (sender, body) = Channel::<Bytes, io::Error>::new(CHUNKS_MAX);
        // The connection holds the body for as long as someone reads it.
        let gone = CancelOnDrop(context.cancel_flag());
        let body = body.map_frame(move |frame| {
            let _held = &gone;
            frame
        });
        let chunks = Chunks {
            sender: Some(sender),
            runtime: Handle::current(),
            buffer: Vec::with_capacity(CHUNK_BYTES),
        };
        let (scanner, metrics) = (self.scanner.clone(), self.metrics.clone());
        let work = move || {
            run(
                scanner.as_ref(),
                &ask,
                &context,
                chunks,
                gzip,
                &metrics,
                turn,
            )
        };
        drop(tokio::task::spawn_blocking(work));
        Ok(respond::streamed(headers, Body::new(body)))
    }
}

fn headers(format: Format, gzip: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    let file = format!("attachment; filename=\"spans.{}\"", format.extension());
    headers.extend(HeaderValue::try_from(file).map(|value| (CONTENT_DISPOSITION, value)));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers
}

fn run(
    scanner: &dyn SpanScanner,
    ask: &Ask,
    context: &ReadContext,
    mut chunks: Chunks,
    gzip: bool,
    metrics: &Metrics,
    turn: OwnedSemaphorePermit,
) {
    let write = |out: &mut (dyn Write + Send)| {
        export(scanner, &ask.query, context, ask.format, out, &mut |_| {})
    };
    let outcome = match gzip {
        false => write(&mut chunks),
        true => {
            let mut encoder = GzEncoder::new(&mut chunks, Compression::new(respond::LEVEL));
            write(&mut encoder).and_then(|done| Ok((encoder.finish()?, done).1))
        }
    };
    // Before the last chunk goes, so that who asks right after its end finds the turn free.
    drop(turn);
    match outcome.and_then(|done| Ok((chunks.finish()?, done).1)) {
        Ok((summary, searched)) => metrics.read(searched.bytes_read, summary.complete),
        // Clients vanish all the time; it is theirs to know.
        Err(error) => tracing::debug!(%error, "an export ended early"),
    }
}

/// The body as it is written. Dropped before `finish`, it breaks the connection off, so that no
/// client takes a part for the whole.
struct Chunks {
    sender: Option<Sender<Bytes, io::Error>>,
    runtime: Handle,
    buffer: Vec<u8>,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        let Some(sender) = &mut self.sender else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let sent = async { tokio::time::timeout(PATIENCE, sender.send_data(chunk.into())).await };
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn finish(mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.send()?;
        }
        self.sender = None;
        Ok(())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    /// Chunks go when they are full, or when all is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.abort(io::Error::other("the export ended early"));
        }
    }
}
