//! The layers: what a request's span says, whom it is below, and with what it ends.

use std::convert::Infallible;
use std::io::Error;

use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value as Json;
use tonic::service::Interceptor;
use tower::{Layer, ServiceExt, service_fn};
use tracewell_sdk::carrier::{CurrentContext, SendTraced};
use tracewell_sdk::layer::{ClientLayer, ServerLayer};
use tracewell_sdk::settings::Protocol;
use tracewell_sdk::{Context, Tracer};

use crate::PATIENCE;
use crate::collector::{Answer, Collector};

type Request = axum::http::Request<Body>;
type Response = axum::http::Response<Body>;

/// The spans that a tracer sends of this, in the order of their ends.
fn spans_of<F: Future<Output = ()>>(work: impl FnOnce(Tracer) -> F) -> Vec<Json> {
    let collector = Collector::healthy();
    let builder = Tracer::builder().endpoint(&collector.url());
    let tracer = builder.protocol(Protocol::Spans).build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work(tracer));
    assert!(tracer.shutdown(PATIENCE));
    collector.spans()
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = axum::http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// An answer of a head, and perhaps of trailers.
fn answer(status: u16, headers: &[(&str, &str)], trailers: &[(&'static str, &str)]) -> Response {
    let mut response = axum::http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let trailers = trailers.iter().map(|(name, value)| {
        (
            axum::http::HeaderName::from_static(name),
            value.parse().unwrap(),
        )
    });
    let body = http_body_util::Full::new(Bytes::from_static(b"x"));
    let trailers: axum::http::HeaderMap = trailers.collect();
    let body = body.with_trailers(std::future::ready(Some(Ok::<_, Infallible>(trailers))));
    response.body(Body::new(body)).unwrap()
}

/// The status and message of the one span, of a server or a client, whose service answers so.
fn status_of(client: bool, asked: Request, answered: Result<Response, Error>) -> (Json, Json) {
    let spans = spans_of(|tracer| async move {
        let mut answered = Some(answered);
        let service = service_fn(move |_| std::future::ready(answered.take().unwrap()));
        let body = if client {
            let answer = ClientLayer::new(tracer).layer(service).oneshot(asked).await;
            answer.map(|response| Body::new(response.into_body()))
        } else {
            let answer = ServerLayer::new(tracer).layer(service).oneshot(asked).await;
            answer.map(|response| Body::new(response.into_body()))
        };
        if let Ok(body) = body {
            body.collect().await.unwrap();
        }
    });
    assert_eq!(spans.len(), 1);
    (spans[0]["status"].clone(), spans[0]["tags"].clone())
}

#[test]
fn routes_name_spans_and_handlers_are_below_them() {
    let spans = spans_of(|tracer| async move {
        let handler = move || async move { tracer.start("SELECT").end() };
        let app = axum::Router::new().route("/cart/{id}", get(handler));
        let app = app.layer(ServerLayer::new(tracer));
        let caller = (
            "traceparent",
            "00-12345678901234567890123456789012-1234567890123456-01",
        );
        let asked = request("/cart/7?secret=1", &[caller, ("host", "shop.example")]);
        assert_eq!(app.oneshot(asked).await.unwrap().status(), 200);
    });
    let (select, server) = (&spans[0], &spans[1]);
    assert_eq!(server["operation_name"], "GET /cart/{id}");
    assert_eq!(server["kind"], "server");
    assert_eq!(server["trace_id"], "12345678901234567890123456789012");
    assert_eq!(server["parent_span_id"], "1234567890123456");
    assert_eq!(select["parent_span_id"], server["span_id"]);
    let tags = &server["tags"];
    assert_eq!(tags["http.route"], "/cart/{id}");
    assert_eq!(tags["url.path"], "/cart/7", "a query may hold secrets");
    assert_eq!(tags["server.address"], "shop.example");
    assert_eq!(tags["http.response.status_code"], 200);
}

#[test]
fn an_answers_status_is_the_spans() {
    let http = |client, code| {
        let (status, tags) = status_of(client, request("/", &[]), Ok(answer(code, &[], &[])));
        assert_eq!(tags["http.response.status_code"], code);
        status
    };
    assert_eq!(http(false, 404), "ok", "the caller's mistake");
    assert_eq!(http(true, 404), "error");
    assert_eq!(http(false, 503), "error");
    assert_eq!(http(true, 503), "error");
    let gone = Err(Error::other("the table is gone"));
    assert_eq!(status_of(false, request("/", &[]), gone).0, "error");
}

#[test]
fn grpc_says_its_status_in_headers_or_trailers() {
    let grpc = |client, headers: &[(&str, &str)], trailers: &[(&'static str, &str)]| {
        let asked = request(
            "/shop.Stock/Get",
            &[("content-type", "application/grpc+proto")],
        );
        let (status, tags) = status_of(client, asked, Ok(answer(200, headers, trailers)));
        assert_eq!(
            (&tags["rpc.service"], &tags["rpc.method"]),
            (&"shop.Stock".into(), &"Get".into())
        );
        (status, tags["rpc.grpc.status_code"].clone())
    };
    let outcome = |status: &str, code: i64| (Json::from(status), Json::from(code));
    assert_eq!(grpc(true, &[], &[("grpc-status", "0")]), outcome("ok", 0));
    assert_eq!(
        grpc(true, &[], &[("grpc-status", "5")]),
        outcome("error", 5)
    );
    assert_eq!(grpc(false, &[], &[("grpc-status", "5")]), outcome("ok", 5));
    assert_eq!(
        grpc(false, &[("grpc-status", "13")], &[]),
        outcome("error", 13)
    );
}

#[test]
fn a_streams_end_is_the_spans_end() {
    let spans = spans_of(|tracer| async move {
        let service = service_fn(move |_: Request| async move {
            let chunk = move |_| {
                tracer.start("chunk").end();
                Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"x")))
            };
            let chunks = futures_util::stream::iter(0..2).map(chunk);
            Ok::<_, Infallible>(axum::http::Response::new(StreamBody::new(chunks)))
        });
        let answer = ServerLayer::new(tracer)
            .layer(service)
            .oneshot(request("/", &[]))
            .await;
        tracer.start("after the head").end();
        answer.unwrap().into_body().collect().await.unwrap();
    });
    let names: Vec<&str> = spans
        .iter()
        .map(|s| s["operation_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["after the head", "chunk", "chunk", "GET"]);
    assert_eq!(spans[0]["parent_span_id"], Json::Null);
    assert_eq!(spans[1]["parent_span_id"], spans[3]["span_id"]);
}

#[test]
fn a_request_given_up_says_so() {
    let spans = spans_of(|tracer| async move {
        let service =
            service_fn(|_: Request| std::future::pending::<Result<Response, Infallible>>());
        let answer = ServerLayer::new(tracer)
            .layer(service)
            .oneshot(request("/", &[]));
        tokio::select! {
            biased;
            _ = answer => panic!("nobody answers"),
            () = std::future::ready(()) => {}
        }
    });
    assert_eq!(spans[0]["status"], "error");
}

#[test]
fn a_client_is_below_the_current_span_and_tells_the_callee() {
    let callee = Collector::answering(|n| Answer::Status([200, 500][n], "", b""));
    let url = callee.url();
    let spans = spans_of(|tracer| async move {
        let page = tracer.start("page");
        let client = reqwest::Client::new();
        let calls = async {
            for body in ["a", "b"] {
                let request = client.post(format!("{url}/stock?secret=1")).body(body);
                request.send_traced(&tracer).await.unwrap();
            }
            client
                .post("http://127.0.0.1:1/")
                .body("c")
                .send_traced(&tracer)
                .await
                .unwrap_err();
            let mut metadata = CurrentContext::new(tracer);
            let metadata = metadata
                .call(tonic::Request::new(()))
                .unwrap()
                .into_parts()
                .0;
            tracer.propagator().extract(&metadata)
        };
        let told = page.context().follow(calls).await;
        assert_eq!(told.span().span_id(), page.span_context().span_id());
        assert_eq!(
            Context::current(),
            Context::default(),
            "nothing stays behind"
        );
    });
    let page = spans.last().unwrap();
    let statuses: Vec<&Json> = spans[..3].iter().map(|span| &span["status"]).collect();
    assert_eq!(statuses, ["ok", "error", "error"]);
    for (span, received) in spans.iter().zip(callee.received()) {
        assert_eq!(span["parent_span_id"], page["span_id"]);
        assert_eq!(
            (&span["kind"], &span["operation_name"]),
            (&"client".into(), &"POST".into())
        );
        assert_eq!(span["tags"]["url.path"], "/stock");
        let told = received.header("traceparent").unwrap();
        assert_eq!(told.split('-').nth(2), span["span_id"].as_str());
    }
}
