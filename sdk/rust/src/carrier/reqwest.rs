//! reqwest's requests, each sent as a span below the current one, with its context in the headers.

use std::future::Future;

use reqwest::{RequestBuilder, Response};

use crate::exchange::{Asked, Exchange};
use crate::tracer::Tracer;

/// Sends requests of reqwest within spans.
///
/// ```
/// use tracewell_sdk::Tracer;
/// use tracewell_sdk::carrier::SendTraced;
///
/// # let tracer = Tracer::disabled();
/// # async fn stock(tracer: Tracer, client: reqwest::Client) -> reqwest::Result<reqwest::Response> {
/// client.get("http://stock:8080/apples").send_traced(&tracer).await
/// # }
/// ```
pub trait SendTraced {
    /// As `send`. The span ends when the head of the answer is there.
    fn send_traced(self, tracer: &Tracer)
    -> impl Future<Output = reqwest::Result<Response>> + Send;
}

impl SendTraced for RequestBuilder {
    fn send_traced(
        self,
        tracer: &Tracer,
    ) -> impl Future<Output = reqwest::Result<Response>> + Send {
        send(self, *tracer)
    }
}

async fn send(builder: RequestBuilder, tracer: Tracer) -> reqwest::Result<Response> {
    let (client, request) = builder.build_split();
    let mut request = request?;
    let url = request.url();
    let asked = Asked {
        method: request.method(),
        path: url.path(),
        host: url.host_str(),
        port: url.port(),
        headers: request.headers(),
    };
    let mut exchange = Exchange::asking(&tracer, &asked);
    let propagator = tracer.propagator();
    propagator.inject(exchange.context(), request.headers_mut());
    let context = exchange.context().clone();
    let outcome = context.follow(client.execute(request)).await;
    match &outcome {
        Ok(response) => exchange.answered(response.status(), response.headers()),
        Err(error) => exchange.failed(error),
    }
    outcome
}
