//! The service that the W3C's trace-context test harness examines: `POST` it an array of
//! `{"url": …, "arguments": […]}`, and it posts the arguments of each to its url, within the trace that
//! it was called in.
//!
//! ```text
//! cargo run -p tracewell-sdk --example w3c_echo -- --port 5000
//! python3 test/test.py http://127.0.0.1:5000/test     # in a checkout of w3c/trace-context
//! ```
//!
//! The harness as it is today examines level 2, whatever its `STRICT_LEVEL` and `SPEC_LEVEL`; for the stricter
//! keys of level 1 set `TRACEWELL_SDK_PROPAGATORS=tracecontext1`.
//!
//! All there is of tracing is one layer, and `send_traced` in place of `send`.
#![allow(clippy::print_stdout)] // a command-line tool

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use serde_json::Value as Json;
use tracewell_sdk::Tracer;
use tracewell_sdk::carrier::SendTraced;
use tracewell_sdk::layer::ServerLayer;

#[derive(Clone)]
struct Echo {
    tracer: Tracer,
    client: reqwest::Client,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port()?));
    let tracer = Tracer::from_env();
    let _guard = tracer.guard();
    let client = reqwest::Client::new();
    let app = Router::new()
        .fallback_service(post(echo).with_state(Echo { tracer, client }))
        .layer(ServerLayer::new(tracer));
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// What `--port` says; 0 has the system choose one.
fn port() -> Result<u16, String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [] => Ok(5000),
        [option, port] if option == "--port" => port
            .parse()
            .map_err(|error| format!("--port {port}: {error}")),
        _ => Err("usage: w3c_echo [--port PORT]".to_owned()),
    }
}

async fn echo(State(echo): State<Echo>, body: Bytes) -> Result<(), (StatusCode, String)> {
    let bad = |what: String| (StatusCode::BAD_REQUEST, what);
    let calls: Vec<Json> = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    for call in calls {
        let url = call["url"]
            .as_str()
            .ok_or_else(|| bad(format!("no url in {call}")))?;
        let request = echo
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json");
        let request = request.body(call["arguments"].to_string());
        let answer = request.send_traced(&echo.tracer).await;
        answer.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))?;
    }
    Ok(())
}
