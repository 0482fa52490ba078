//! The body of an answer, with whose end the span ends: a stream takes its time after its head.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::Exchange;

pin_project! {
    /// The body of an answer that came through one of the layers.
    #[derive(Debug)]
    pub struct TracedBody<B> {
        #[pin]
        inner: B,
        exchange: Option<Exchange>,
    }
}

impl<B: Body> TracedBody<B> {
    pub(super) fn new(inner: B, exchange: Option<Exchange>) -> Self {
        // A body that has nothing more to say may never be asked.
        let exchange = exchange.filter(|_| !inner.is_end_stream());
        TracedBody { inner, exchange }
    }
}

impl<B: Default> Default for TracedBody<B> {
    /// A body of no request.
    fn default() -> Self {
        let (inner, exchange) = (B::default(), None);
        TracedBody { inner, exchange }
    }
}

impl<B> Body for TracedBody<B>
where
    B: Body,
    B::Error: Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let context = this.exchange.as_ref().map(Exchange::context).cloned();
        let frame = match context {
            Some(context) => ready!(context.within(|| this.inner.as_mut().poll_frame(task))),
            None => return this.inner.poll_frame(task),
        };
        if let Some(exchange) = this.exchange {
            match &frame {
                Some(Ok(frame)) => {
                    if let Some(trailers) = frame.trailers_ref() {
                        exchange.trailers(trailers);
                    }
                }
                Some(Err(error)) => exchange.failed(error),
                None => {}
            }
        }
        if !matches!(frame, Some(Ok(_))) || this.inner.is_end_stream() {
            *this.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
