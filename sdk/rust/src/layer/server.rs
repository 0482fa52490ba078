//! The answering side.

use std::fmt::Display;
use std::task::{Context as Task, Poll};

use http::{Extensions, Request, Response, header};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::exchange::{Asked, Exchange};
use crate::layer::{ResponseFuture, TracedBody};
use crate::tracer::Tracer;

/// Finds the route that a request was matched with, which its span is named by.
pub type Route = for<'a> fn(&'a Extensions) -> Option<&'a str>;

/// Makes every request that is answered a span, which continues the caller's trace.
#[derive(Clone, Copy, Debug)]
pub struct ServerLayer {
    tracer: Tracer,
    route: Route,
}

impl ServerLayer {
    /// With this tracer. With the feature `axum`, spans are named by axum's routes.
    pub fn new(tracer: Tracer) -> Self {
        #[cfg(feature = "axum")]
        let route: Route = |extensions| {
            let matched = extensions.get::<axum::extract::MatchedPath>();
            matched.map(axum::extract::MatchedPath::as_str)
        };
        #[cfg(not(feature = "axum"))]
        let route: Route = |_| None;
        ServerLayer { tracer, route }
    }

    /// With another router, which leaves the route among a request's extensions.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        let layer = *self;
        Server { inner, layer }
    }
}

/// A service whose requests are spans; from [`ServerLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Server<S> {
    inner: S,
    layer: ServerLayer,
}

impl<S, B, R> Service<Request<B>> for Server<S>
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let host = request.headers().get(header::HOST);
        let authority = request
            .uri()
            .authority()
            .map(|authority| authority.as_str());
        let host = host.and_then(|host| host.to_str().ok()).or(authority);
        let asked = Asked {
            method: request.method(),
            path: request.uri().path(),
            host,
            port: None,
            headers: request.headers(),
        };
        let route = (self.layer.route)(request.extensions());
        let exchange = Exchange::answering(&self.layer.tracer, &asked, route);
        let current = exchange.context().clone();
        let inner = current.within(|| self.inner.call(request));
        ResponseFuture::new(inner, exchange)
    }
}
