//! A request on its way: polled within its span.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::exchange::Exchange;
use crate::layer::TracedBody;

pin_project! {
    /// The answer to be, of a service under one of the layers.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        exchange: Option<Exchange>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, exchange: Exchange) -> Self {
        let exchange = Some(exchange);
        ResponseFuture { inner, exchange }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: Display,
{
    type Output = Result<Response<TracedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let context = this.exchange.as_ref().map(Exchange::context).cloned();
        let outcome = match context {
            Some(context) => ready!(context.within(|| this.inner.poll(task))),
            None => ready!(this.inner.poll(task)),
        };
        let mut exchange = this.exchange.take();
        Poll::Ready(match outcome {
            Ok(response) => {
                if let Some(exchange) = &mut exchange {
                    exchange.answered(response.status(), response.headers());
                }
                Ok(response.map(|body| TracedBody::new(body, exchange)))
            }
            Err(error) => {
                if let Some(exchange) = &mut exchange {
                    exchange.failed(&error);
                }
                Err(error)
            }
        })
    }
}
