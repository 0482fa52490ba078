//! OTLP over gRPC through a real HTTP/2 connection: framing, statuses, trailers, retry hints.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tracewell_storage::Error;

use crate::support::{Door, gzip, otlp, zstd};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const OK: &str = "0";
const INVALID_ARGUMENT: &str = "3";
const RESOURCE_EXHAUSTED: &str = "8";
const UNIMPLEMENTED: &str = "12";
const UNAVAILABLE: &str = "14";

/// A message with its prefix.
fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[compressed][..], &length, message].concat()
}

struct Reply {
    /// Headers and trailers together.
    meta: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn meta(&self, name: &str) -> &str {
        self.meta
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }
}

/// Serves the collector on a socket and calls it once.
async fn call(door: &Door, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("bound");
    let routes = door.collector.grpc_routes();
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("listening");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("sound");
    let response = sender.send_request(request).await.expect("an answer");
    assert_eq!(
        response.status(),
        200,
        "gRPC says what is wrong in grpc-status"
    );
    let mut meta = response.headers().clone();
    let collected = response
        .into_body()
        .collect()
        .await
        .expect("a whole answer");
    meta.extend(collected.trailers().cloned().unwrap_or_default());
    connection.abort();
    server.abort();
    Reply {
        meta,
        body: collected.to_bytes(),
    }
}

#[tokio::test]
async fn export_is_answered_with_a_message_and_a_status() {
    let door = Door::new(|_| ());
    let plain = otlp(&[&[1; 8], &[2; 8]]);
    let reply = call(&door, EXPORT, &[], frame(0, &plain)).await;
    assert_eq!(reply.meta("grpc-status"), OK);
    assert_eq!(reply.meta("content-type"), "application/grpc");
    assert_eq!(
        &reply.body[..],
        frame(0, &[]),
        "full success is an empty message"
    );
    let reply = call(
        &door,
        EXPORT,
        &[("grpc-encoding", "gzip")],
        frame(1, &gzip(&plain)),
    )
    .await;
    assert_eq!(reply.meta("grpc-status"), OK);
    let reply = call(
        &door,
        EXPORT,
        &[("grpc-encoding", "zstd")],
        frame(1, &zstd(&plain)),
    )
    .await;
    assert_eq!(reply.meta("grpc-status"), OK);
    let reply = call(&door, EXPORT, &[], frame(0, &[])).await;
    assert_eq!(reply.meta("grpc-status"), OK, "an empty request succeeds");
    door.check_account(6, 0);
}

#[tokio::test]
async fn refused_spans_are_partial_success() {
    let door = Door::new(|_| ());
    let reply = call(&door, EXPORT, &[], frame(0, &otlp(&[&[1; 8], &[2; 7]]))).await;
    assert_eq!(reply.meta("grpc-status"), OK);
    assert_eq!(&reply.body[7..9], [8, 1], "rejected_spans: 1");
    door.check_account(1, 1);
}

#[tokio::test]
async fn bad_frames_are_invalid_argument_and_never_retried() {
    let good = otlp(&[&[1; 8]]);
    let mut long = frame(0, &good);
    long[4] += 1;
    let cases = [
        ("no message", vec![], INVALID_ARGUMENT),
        ("half a prefix", vec![0, 0, 0], INVALID_ARGUMENT),
        ("unknown flag", frame(2, &good), INVALID_ARGUMENT),
        (
            "longer than it says",
            [frame(0, &good), frame(0, &good)].concat(),
            INVALID_ARGUMENT,
        ),
        ("shorter than it says", long, INVALID_ARGUMENT),
        (
            "compressed without saying how",
            frame(1, &gzip(&good)),
            INVALID_ARGUMENT,
        ),
        ("no protobuf", frame(0, b"{}"), INVALID_ARGUMENT),
        ("length 2^31", vec![0, 0x80, 0, 0, 0, 1], RESOURCE_EXHAUSTED),
    ];
    for (name, body, status) in cases {
        let door = Door::new(|_| ());
        let reply = call(&door, EXPORT, &[], body).await;
        assert_eq!(reply.meta("grpc-status"), status, "{name}");
        assert_eq!(reply.meta("grpc-status-details-bin"), "", "{name}");
        door.check_account(0, 0);
    }
}

#[tokio::test]
async fn unknown_methods_and_encodings_are_unimplemented() {
    let door = Door::new(|_| ());
    let body = frame(0, &otlp(&[&[1; 8]]));
    let reply = call(&door, "/a.B/C", &[], body.clone()).await;
    assert_eq!(reply.meta("grpc-status"), UNIMPLEMENTED);
    let reply = call(&door, EXPORT, &[("grpc-encoding", "br")], body.clone()).await;
    assert_eq!(reply.meta("grpc-status"), UNIMPLEMENTED);
    assert_eq!(reply.meta("grpc-accept-encoding"), "gzip,zstd,deflate");
    let reply = call(&door, EXPORT, &[("tracewell-ack", "replicated")], body).await;
    assert_eq!(reply.meta("grpc-status"), INVALID_ARGUMENT);
    door.check_account(0, 0);
}

#[tokio::test]
async fn too_large_is_not_to_be_retried_and_overload_is() {
    let door = Door::new(|config| config.body_bytes_max = 1_000);
    let bomb = frame(1, &gzip(&vec![0; 100_000]));
    let reply = call(&door, EXPORT, &[("grpc-encoding", "gzip")], bomb).await;
    assert_eq!(reply.meta("grpc-status"), RESOURCE_EXHAUSTED);
    assert_eq!(reply.meta("grpc-status-details-bin"), "");

    door.log.inner.refuse(Some(Error::overloaded("no room", 7)));
    let reply = call(&door, EXPORT, &[], frame(0, &otlp(&[&[1; 8]]))).await;
    assert_eq!(reply.meta("grpc-status"), UNAVAILABLE);
    let details = base64_decode(reply.meta("grpc-status-details-bin"));
    let name = b"type.googleapis.com/google.rpc.RetryInfo";
    assert!(details.windows(name.len()).any(|window| window == name));
    assert!(
        details.ends_with(&[10, 2, 8, 7]),
        "a delay of 7 seconds: {details:?}"
    );
    door.check_account(0, 1);
}

#[tokio::test]
async fn what_is_not_grpc_is_415() {
    use tower::ServiceExt;
    let door = Door::new(|_| ());
    let request = crate::support::post(EXPORT, &[("content-type", "application/json")], "{}");
    let response = door.collector.grpc_routes().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 415);
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .expect("base64")
}
