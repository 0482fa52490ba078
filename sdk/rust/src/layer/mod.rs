//! tower layers: installed once, every request is a span, and contexts come in and go out with its
//! headers. They work wherever requests are `http::Request`s: axum, hyper, tonic (gRPC metadata is
//! HTTP/2 headers).
//!
//! ```
//! use axum::{Router, routing::get};
//! use tracewell_sdk::Tracer;
//! use tracewell_sdk::layer::ServerLayer;
//!
//! # let tracer = Tracer::disabled();
//! let app: Router = Router::new()
//!     .route("/cart/{id}", get(|| async { "two apples" }))
//!     .layer(ServerLayer::new(tracer)); // a span "GET /cart/{id}" for each request
//! ```
//!
//! A handler's spans, and the requests it makes through a [`ClientLayer`], are below the span of the
//! request it handles: the context is current while its future, and then its answer's body, is polled.
//! What a handler spawns takes the context along ([`handoff`](crate::handoff)).
//!
//! tonic's servers and clients take the same layers:
//!
//! ```no_run
//! # use tracewell_sdk::{Tracer, layer::{ClientLayer, ServerLayer}};
//! # async fn both(tracer: Tracer) -> Result<(), tonic::transport::Error> {
//! let server = tonic::transport::Server::builder().layer(ServerLayer::new(tracer));
//!
//! let channel = tonic::transport::Endpoint::from_static("http://stock:50051").connect().await?;
//! let channel = tower::ServiceBuilder::new().layer(ClientLayer::new(tracer)).service(channel);
//! // let client = StockClient::new(channel);
//! # Ok(()) }
//! ```

mod body;
mod client;
mod future;
mod server;

pub use body::TracedBody;
pub use client::{Client, ClientLayer};
pub use future::ResponseFuture;
pub use server::{Route, Server, ServerLayer};
