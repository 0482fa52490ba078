//! OTLP over gRPC: `TraceService/Export`. One unary method needs no generated code: a message is a
//! flag, a length and bytes. Doing the framing here lets the bytes take the same way as HTTP bodies:
//! one admission, one capped decompressor, one decoding pool, no copy. tonic words the statuses.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Full};
use tonic::{Code, Status};
use tracewell_wire::decompress::Encoding;
use tracewell_wire::otlp::{self, response};
use tracewell_wire::{Report, proto};

use super::media_type;
use crate::intake::{Intake, parse_encoding};
use crate::refusal::{Cause, Refusal};

const NAME: &str = "otlp_grpc";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const GRPC: &str = "application/grpc";
/// Flag and length before each message.
const PREFIX_BYTES: usize = 5;
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

pub(crate) fn routes(intake: Arc<Intake>) -> Router {
    Router::new()
        .route(EXPORT, post(export))
        .fallback(unimplemented)
        .with_state(intake)
}

async fn unimplemented() -> Response {
    Status::unimplemented(format!("the only method here is {EXPORT}")).into_http()
}

async fn export(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    if !is_grpc(&media_type(request.headers())) {
        // Not gRPC at all: the protocol asks for a plain 415.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    match take_in(&intake, request).await {
        Ok(report) => {
            intake.metrics.answered(NAME, Code::Ok as u16);
            success(&report)
        }
        Err(refusal) => {
            intake.note_refusal(NAME, &refusal);
            let status = status_of(&refusal);
            intake.metrics.answered(NAME, status.code() as u16);
            with_accepted(status.into_http())
        }
    }
}

async fn take_in(intake: &Intake, request: Request) -> Result<Report, Refusal> {
    let (head, mut body) = request.into_parts();
    let ack = intake.ack(&head.headers)?;
    let encoding = message_encoding(&head.headers)?;
    let mut permit = intake.admit(&head.headers)?;
    let body = intake.read(&mut body, &mut permit).await?;
    let (compressed, message) = unframe(body, intake.config.body_bytes_max)?;
    let encoding = match (compressed, encoding) {
        (false, _) => Encoding::IDENTITY,
        (true, Some(encoding)) => encoding,
        (true, None) => return Err(malformed("a compressed message without grpc-encoding")),
    };
    let decoded = intake
        .decode(message, encoding, &mut permit, otlp::protobuf::decode)
        .await?;
    intake.publish(decoded.batches, ack).await?;
    Ok(decoded.report)
}

fn is_grpc(media_type: &str) -> bool {
    media_type == GRPC || media_type == "application/grpc+proto"
}

/// How messages with the compressed flag are compressed; none when they cannot be.
fn message_encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let Some(value) = headers.get("grpc-encoding") else {
        return Ok(None);
    };
    let value = String::from_utf8_lossy(value.as_bytes());
    let encoding = parse_encoding("grpc-encoding", &value)?;
    Ok((!encoding.is_identity()).then_some(encoding))
}

/// Takes the one message out of a body: whether it is compressed, and its bytes.
fn unframe(mut body: Bytes, bytes_max: usize) -> Result<(bool, Bytes), Refusal> {
    if body.len() < PREFIX_BYTES {
        return Err(malformed("no message"));
    }
    let compressed = match body.get_u8() {
        0 => false,
        1 => true,
        _ => return Err(malformed("the message's flag is neither 0 nor 1")),
    };
    let length = body.get_u32() as usize;
    if length > bytes_max {
        let message = format!("the message is larger than {bytes_max} bytes");
        return Err(Refusal::new(Cause::TooLarge, message));
    }
    match length.cmp(&body.len()) {
        std::cmp::Ordering::Equal => Ok((compressed, body)),
        std::cmp::Ordering::Less => Err(malformed("more than one message in a unary call")),
        std::cmp::Ordering::Greater => {
            Err(malformed("the message is shorter than its length says"))
        }
    }
}

fn malformed(what: &str) -> Refusal {
    Refusal::new(Cause::Undecodable, format!("gRPC framing: {what}"))
}

/// One message, then the status as trailers.
fn success(report: &Report) -> Response {
    let message = response::encode_response(report.refused_count() as u64, &report.refusals());
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(&message);
    let ok = (
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    );
    let trailers = HeaderMap::from_iter([ok]);
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    with_accepted(response)
}

fn with_accepted(mut response: Response) -> Response {
    response.headers_mut().insert(
        ACCEPT_ENCODING,
        HeaderValue::from_static("gzip,zstd,deflate"),
    );
    response
}

/// The status, with RetryInfo when trying again makes sense.
fn status_of(refusal: &Refusal) -> Status {
    let code = refusal.cause.grpc();
    // A status travels in one header; hyper's cap on the list is 16 KiB, percent-encoding triples.
    let message: String = refusal.message.chars().take(1_024).collect();
    match refusal.retry_after_s {
        None => Status::new(code, message),
        Some(after_s) => {
            let details = retry_details(code, &message, after_s);
            Status::with_details(code, message, details)
        }
    }
}

/// `google.rpc.Status` holding a `google.rpc.RetryInfo`.
fn retry_details(code: Code, message: &str, after_s: u32) -> Bytes {
    let mut status = response::encode_status(code as i32, message);
    proto::put_message_field(&mut status, 3, |any| {
        proto::put_bytes_field(any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        proto::put_message_field(any, 2, |retry_info| {
            proto::put_message_field(retry_info, 1, |duration| {
                proto::put_varint_field(duration, 1, u64::from(after_s));
            });
        });
    });
    status.into()
}
