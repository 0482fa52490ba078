//! A small shop: four services in one process, each with its own tracer, and nothing of tracing in their
//! code but the layers, one `send_traced`, and the context in the messages of the queue.
//!
//! ```text
//! customer ─▶ frontend (axum) ─┬▶ catalog (axum, by reqwest), two calls at once
//!                              ├▶ stock (gRPC, by tonic), at the same time
//!                              └▶ queue "orders" (Kafka-style) ─▶ mail, later, on a thread of its own
//! ```
//!
//! `cargo run -p tracewell-sdk --example shop` places an order, prints its trace's id, and ends when
//! all spans are sent, to `TRACEWELL_SDK_ENDPOINT`.
#![allow(clippy::print_stdout)] // a command-line tool

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::uri::PathAndQuery;
use axum::routing::{get, post};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tonic_prost::ProstCodec;
use tower::{ServiceBuilder, service_fn};
use tracewell_sdk::carrier::{self, SendTraced};
use tracewell_sdk::layer::{Client, ClientLayer, ServerLayer};
use tracewell_sdk::{Context, Kind, Tracer, TracerBuilder};

type AnyError = Box<dyn std::error::Error + Send + Sync>;
/// Bytes by name, as Kafka has them.
type Headers = Vec<(&'static str, Vec<u8>)>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let [customer, frontend, catalog, stock, mail] =
        ["customer", "frontend", "catalog", "stock", "mail"].map(tracer);
    let (orders, queue) = sync_channel(16);
    let mailer = std::thread::spawn(move || deliver(mail, &queue));

    let catalog_url = serve(catalog, Router::new().route("/products/{id}", get(product))).await?;
    let reserve = post(move |request: Request| reserve(stock, request));
    let stock_url = serve(stock, Router::new().route("/shop.Stock/Reserve", reserve)).await?;
    let shop = Shop {
        tracer: frontend,
        http: reqwest::Client::new(),
        catalog_url,
        stock: ServiceBuilder::new()
            .layer(ClientLayer::new(frontend))
            .service(Endpoint::from_shared(stock_url)?.connect_lazy()),
        orders,
    };
    let shop = Router::new().route("/orders", post(order)).with_state(shop);
    let shop_url = serve(frontend, shop).await?;

    let visit = customer.start("visit");
    println!("{}", visit.span_context().trace_id());
    let request = reqwest::Client::new().post(format!("{shop_url}/orders"));
    let answer = visit.around(request.send_traced(&customer)).await?;
    answer.error_for_status()?;
    mailer.join().map_err(|_| "the mailer panicked")?;
    for tracer in [customer, frontend, catalog, stock, mail] {
        let sent = tokio::task::spawn_blocking(move || tracer.shutdown(Duration::from_secs(20)));
        if !sent.await? {
            return Err(format!("not all was sent: {:?}", tracer.account()).into());
        }
    }
    Ok(())
}

fn tracer(service: &str) -> Tracer {
    TracerBuilder::from_env().service_name(service).build()
}

/// Serves on a port of the system's choice, within a span each request; returns its URL.
async fn serve(tracer: Tracer, app: Router) -> Result<String, AnyError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = app.layer(ServerLayer::new(tracer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

#[derive(Clone)]
struct Shop {
    tracer: Tracer,
    http: reqwest::Client,
    catalog_url: String,
    stock: Client<Channel>,
    orders: SyncSender<Headers>,
}

/// The frontend's one page: two products looked up and one reserved, all at once, then the mail.
async fn order(State(shop): State<Shop>) -> Result<(), (StatusCode, String)> {
    let look_up = |id: u32| {
        let url = format!("{}/products/{id}", shop.catalog_url);
        let context = Context::current();
        let (tracer, request) = (shop.tracer, shop.http.get(url));
        // A task of its own: the context goes along.
        tokio::spawn(context.follow(async move { request.send_traced(&tracer).await }))
    };
    let outcome = tokio::join!(look_up(1), look_up(2), reserve_one(shop.stock.clone()));
    let failed = |what: String| (StatusCode::BAD_GATEWAY, what);
    for found in [outcome.0, outcome.1] {
        let found = found.map_err(|error| failed(error.to_string()))?;
        found.map_err(|error| failed(error.to_string()))?;
    }
    outcome.2.map_err(|status| failed(status.to_string()))?;
    publish(&shop).map_err(failed)
}

async fn reserve_one(stock: Client<Channel>) -> Result<(), Status> {
    let mut stock = tonic::client::Grpc::new(stock);
    let unready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
    stock.ready().await.map_err(unready)?;
    let path = PathAndQuery::from_static("/shop.Stock/Reserve");
    let codec = ProstCodec::<String, String>::default();
    let request = tonic::Request::new("apples".to_owned());
    stock.unary(request, path, codec).await.map(|_| ())
}

fn publish(shop: &Shop) -> Result<(), String> {
    let send = shop.tracer.span("orders publish").kind(Kind::Producer);
    let send = send.start();
    let mut ours: Vec<(&str, String)> = Vec::new();
    shop.tracer.propagator().inject(&send.context(), &mut ours);
    let headers = ours
        .into_iter()
        .map(|(name, value)| (name, value.into_bytes()));
    let gone = |_| "the queue is full or gone".to_owned();
    shop.orders.try_send(headers.collect()).map_err(gone)
}

/// Takes one order from the queue, and writes the mail in parallel to its parts.
fn deliver(tracer: Tracer, queue: &Receiver<Headers>) {
    let Ok(headers) = queue.recv() else { return };
    let pairs = headers
        .iter()
        .map(|(name, value)| (*name, Some(value.as_slice())));
    let sender = tracer.propagator().extract(&carrier::text_of(pairs));
    let receive = tracer.span("orders process").kind(Kind::Consumer);
    let receive = receive.parent(&sender).start();
    std::thread::scope(|threads| {
        for part in ["render text", "render invoice"] {
            threads.spawn(receive.context().carry(move || tracer.start(part).end()));
        }
    });
}

async fn product(Path(id): Path<u32>) -> String {
    format!("product {id}")
}

/// A unary gRPC method, without generated code.
async fn reserve(tracer: Tracer, request: Request) -> axum::http::Response<tonic::body::Body> {
    let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
    let method = service_fn(move |request: tonic::Request<String>| async move {
        let mut select = tracer
            .span("SELECT … FOR UPDATE")
            .kind(Kind::Client)
            .start();
        select.set_attribute("sku", request.get_ref());
        Ok::<_, Status>(Response::new("reserved".to_owned()))
    });
    grpc.unary(method, request).await
}
