//! The asking side.

use std::fmt::Display;
use std::task::{Context as Task, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::exchange::{Asked, Exchange};
use crate::layer::{ResponseFuture, TracedBody};
use crate::tracer::Tracer;

/// Makes every request that is sent a span below the current one, and writes its context into the headers.
#[derive(Clone, Copy, Debug)]
pub struct ClientLayer {
    tracer: Tracer,
}

impl ClientLayer {
    /// With this tracer.
    pub fn new(tracer: Tracer) -> Self {
        ClientLayer { tracer }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        let tracer = self.tracer;
        Client { inner, tracer }
    }
}

/// A client whose requests are spans; from [`ClientLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Client<S> {
    inner: S,
    tracer: Tracer,
}

impl<S, B, R> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let asked = Asked {
            method: request.method(),
            path: request.uri().path(),
            host: request.uri().host(),
            port: request.uri().port_u16(),
            headers: request.headers(),
        };
        let exchange = Exchange::asking(&self.tracer, &asked);
        let propagator = self.tracer.propagator();
        propagator.inject(exchange.context(), request.headers_mut());
        let current = exchange.context().clone();
        let inner = current.within(|| self.inner.call(request));
        ResponseFuture::new(inner, exchange)
    }
}
