//! The accept loop of every listener: limits on connections and time that `axum::serve` does not
//! have (RELIABILITY, connections), HTTP/1 and HTTP/2 alike, and a graceful end.

mod patience;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::IntoResponse as _;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use patience::{Patient, Turn};

/// Connections of one listener; a thousand services through keep-alive connections fit.
const CONNECTIONS_MAX: usize = 1_000;
/// Connections of one address beyond loopback: one client cannot take all.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 100;
/// HTTP/2 streams of one connection.
const STREAMS_MAX: u32 = 100;
/// Header list of one request, counted as HTTP/2 does.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// What HTTP/2 adds for each header.
const HEADER_ENTRY_BYTES: usize = 32;
/// HTTP/1: bytes read but not taken yet. The longest URI hyper takes (64 KiB) and its headers fit;
/// a thousand heads that never end must not be the server's memory.
const UNREAD_BYTES_MAX: usize = 128 * 1024;
/// How long open requests may go on after the listener closed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 window of a connection: a gateway's 4 MiB batches should not wait for window updates.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Serves until `stop` turns true; then finishes what is open, for at most ten seconds.
pub(crate) async fn serve(
    listener: TcpListener,
    router: axum::Router,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Connections::default();
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of descriptors and the like: give the machine a moment, then go on.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stopped(&mut stop) => break,
        };
        let Some(place) = connections.enter(peer.ip()) else {
            // Closing at once tells the client more than silence would.
            drop(stream);
            continue;
        };
        tokio::spawn(handle(stream, router.clone(), place, graceful.watcher()));
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still open at the end and were cut off");
    }
}

/// Ends when told to, or when nobody is left who could tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if stop.changed().await.is_err() {
            return;
        }
    }
}

async fn handle(
    stream: TcpStream,
    router: axum::Router,
    place: Place,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // Answers are small and complete: waiting to fill packets only adds latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set nodelay");
    }
    converse(stream, router, watcher).await;
    drop(place);
}

/// Serves one connection to its end.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // `Patient` keeps the time.
        .header_read_timeout(None)
        .max_buf_size(UNREAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_connection_window_size(WINDOW_BYTES)
        .initial_stream_window_size(WINDOW_BYTES)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(30));
    let turn = Turn::new();
    let stream = Patient::new(stream, turn.clone());
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: http::Request<_>| {
        turn.ours();
        let answering = fits(request.headers()).then(|| router.call(request));
        let turn = turn.clone();
        async move {
            let answer = match answering {
                Some(answering) => answering.await,
                None => Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()),
            };
            answer.map(|answer| answer.map(|body| hand_over(body, turn)))
        }
    });
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        // Clients vanish all the time; it is theirs to know.
        tracing::debug!(%error, "connection ended");
    }
}

/// The client's turn begins when it has its answer; one that is made while it is sent takes its time.
fn hand_over(body: Body, turn: Turn) -> Body {
    struct TheirsAtTheEnd(Turn);
    impl Drop for TheirsAtTheEnd {
        fn drop(&mut self) {
            self.0.theirs();
        }
    }
    if body.size_hint().exact().is_some() {
        turn.theirs();
        return body;
    }
    let at_the_end = TheirsAtTheEnd(turn);
    Body::new(body.map_frame(move |frame| {
        let _held = &at_the_end;
        frame
    }))
}

/// Whether a header list is within its cap: hyper looks after HTTP/2's only.
fn fits(headers: &http::HeaderMap) -> bool {
    let bytes = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_ENTRY_BYTES
    };
    headers.iter().map(bytes).sum::<usize>() <= HEADER_LIST_BYTES_MAX as usize
}

/// Who is connected, counted.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Connections {
    /// A place for one more connection from this address, if there is one.
    fn enter(&self, ip: IpAddr) -> Option<Place> {
        let mut counts = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let here = counts.entry(ip).or_default();
        // Loopback is one machine's services, or a proxy's: only the total counts there.
        if all >= CONNECTIONS_MAX || (!ip.is_loopback() && *here >= CONNECTIONS_PER_ADDRESS_MAX) {
            return None;
        }
        *here += 1;
        Some(Place {
            connections: self.clone(),
            ip,
        })
    }
}

/// One connection's place, given back when dropped.
struct Place {
    connections: Connections,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .connections
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

/// Binds a listener, saying which setting is at fault when it cannot.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!(
            "{setting} = {address}: cannot listen there: {error} (another tracewell, or another program? \
             choose another port with --{}, 0 picks a free one)",
            setting.replace('_', "-")
        )
    })
}
