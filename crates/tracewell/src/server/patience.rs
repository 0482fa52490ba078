//! How long a connection is waited for. hyper's own header timeout runs while a kept connection
//! lies idle, so that senders which flush every minute would write into a connection just closed;
//! and before the first byte it does not run at all. So the stream itself keeps the time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// From a request's first byte (or the connection's beginning) to the end of its head.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two requests: a minute, and a margin for those who flush once a minute.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(65);
/// How long a client may take nothing of its answer.
pub(super) const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);
/// What HTTP/2 begins with. From there on its own pings tell who is alive.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The rest of a request's head.
    Head,
    /// Us: a request is being answered (its body has a time of its own, in the collector).
    Answer,
    /// The next request.
    Next,
    /// HTTP/2, whose streams come and go at any time.
    Streams,
}

/// Where one connection stands; shared between its stream and its service.
#[derive(Clone, Debug)]
pub(super) struct Turn(Arc<Mutex<Standing>>);

#[derive(Debug)]
struct Standing {
    phase: Phase,
    since: Instant,
    /// Who reads without a deadline, and gets one with the next phase.
    reader: Option<Waker>,
}

impl Turn {
    pub(super) fn new() -> Turn {
        Turn(Arc::new(Mutex::new(Standing {
            phase: Phase::Head,
            since: Instant::now(),
            reader: None,
        })))
    }

    /// A request's head is complete.
    pub(super) fn ours(&self) {
        self.becomes(|_| Phase::Answer);
    }

    /// A request has its answer.
    pub(super) fn theirs(&self) {
        self.becomes(|_| Phase::Next);
    }

    fn becomes(&self, next: impl FnOnce(Phase) -> Phase) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, next) = (state.phase, next(state.phase));
        // Streams stay streams, whatever becomes of one of them.
        if before != Phase::Streams && before != next {
            (state.phase, state.since) = (next, Instant::now());
            state.reader.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Until when the client may keep silent; when it may as long as it likes, its reader is woken
    /// with the next phase.
    fn deadline(&self, cx: &Context<'_>) -> Option<Instant> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.phase {
            Phase::Head => Some(state.since + HEADER_TIMEOUT),
            Phase::Next => Some(state.since + IDLE_TIMEOUT),
            Phase::Answer | Phase::Streams => {
                state.reader = Some(cx.waker().clone());
                None
            }
        }
    }
}

/// A stream that ends with an error when its client takes too long.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    turn: Turn,
    /// How much of the preface has been seen; none when it is not HTTP/2.
    preface: Option<usize>,
    reading: Pin<Box<Sleep>>,
    /// Runs while the client takes nothing.
    unread: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, turn: Turn) -> Self {
        Patient {
            stream,
            turn,
            preface: Some(0),
            reading: Box::pin(sleep(HEADER_TIMEOUT)),
            unread: None,
        }
    }

    /// These bytes came in.
    fn heard(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let is_preface = self.preface.is_some_and(|seen| {
            let rest = PREFACE.get(seen..).unwrap_or_default();
            rest.iter().zip(bytes).all(|(a, b)| a == b)
        });
        self.preface = self
            .preface
            .map(|seen| seen + bytes.len())
            .filter(|seen| is_preface && *seen < PREFACE.len());
        let streams = is_preface && self.preface.is_none();
        self.turn.becomes(|phase| match phase {
            _ if streams => Phase::Streams,
            Phase::Next => Phase::Head,
            phase => phase,
        });
    }

    /// An error once the client has been silent for too long; else this.
    fn unless_late<T>(
        &mut self,
        cx: &mut Context<'_>,
        read: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(deadline) = self.turn.deadline(cx) else {
            return read;
        };
        if self.reading.deadline() != deadline {
            self.reading.as_mut().reset(deadline);
        }
        match self.reading.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => read,
        }
    }

    /// The same of a client that does not read.
    fn unless_unread<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.unread = None;
            return written;
        }
        let unread = self
            .unread
            .get_or_insert_with(|| Box::pin(sleep(UNREAD_TIMEOUT)));
        unread
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.heard(buf.filled().get(before..).unwrap_or_default());
        self.unless_late(cx, read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_unread(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.unless_unread(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
