//! One file a dialect. A receiver picks the decoder by content type, runs the request through the
//! intake and words the answer; everything else it shares.

pub(crate) mod otlp_grpc;
mod otlp_http;
mod spans_http;
mod zipkin_http;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use http::header::{ALLOW, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use tracewell_storage::Ack;
use tracewell_wire::Report;
use tracewell_wire::decompress::Encoding;

use crate::admission::Permit;
use crate::decoder::Decode;
use crate::intake::{Intake, content_encoding};
use crate::refusal::{Cause, Refusal};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const PATHS: &str = "POST to /v1/spans, /v1/traces and /api/v2/spans";

/// Words a refusal in a dialect.
type RefusalBody = fn(&Refusal) -> (&'static str, Vec<u8>);

pub(crate) fn http_routes(intake: Arc<Intake>) -> Router {
    let not_post = |receiver, body: RefusalBody| {
        let intake = Arc::clone(&intake);
        move || std::future::ready(method_not_allowed(&intake, receiver, body))
    };
    let spans = post(spans_http::receive).fallback(not_post(spans_http::NAME, plain_error));
    let traces = post(otlp_http::receive).fallback(not_post(otlp_http::NAME, plain_error));
    let zipkin = post(zipkin_http::receive).fallback(not_post(zipkin_http::NAME, text_error));
    Router::new()
        .route("/v1/spans", spans)
        .route("/v1/traces", traces)
        .route("/api/v2/spans", zipkin)
        .fallback(not_found)
        .with_state(intake)
}

async fn not_found(axum::extract::State(intake): axum::extract::State<Arc<Intake>>) -> Response {
    let refusal = Refusal::new(
        Cause::NotFound,
        format!("no such path; accepted are {PATHS}"),
    );
    refuse(&intake, "none", &refusal, plain_error)
}

fn method_not_allowed(intake: &Intake, receiver: &'static str, body: RefusalBody) -> Response {
    let refusal = Refusal::new(Cause::MethodNotAllowed, "this path accepts POST only");
    let mut response = refuse(intake, receiver, &refusal, body);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// Takes a whole HTTP request in: from its head to the log's word.
async fn take_in(intake: &Intake, request: Request, decode: Decode) -> Result<Report, Refusal> {
    let (head, mut body) = request.into_parts();
    let admitted = admit(intake, &head.headers);
    // A sender that asks before it sends a body is told not to; reading would tell it to go on.
    let unsent = admitted.is_err() && head.headers.contains_key(EXPECT);
    let outcome = match admitted {
        Ok(admitted) => take_in_body(intake, admitted, &mut body, decode).await,
        Err(refusal) => Err(refusal),
    };
    if outcome.is_err() && !unsent {
        intake.discard(body).await;
    }
    outcome
}

/// What a request's head says of its body, and the room for it.
type Admitted = (Ack, Encoding, Permit);

fn admit(intake: &Intake, headers: &HeaderMap) -> Result<Admitted, Refusal> {
    Ok((
        intake.ack(headers)?,
        content_encoding(headers)?,
        intake.admit(headers)?,
    ))
}

async fn take_in_body(
    intake: &Intake,
    (ack, encoding, mut permit): Admitted,
    body: &mut Body,
    decode: Decode,
) -> Result<Report, Refusal> {
    let body = intake.read(body, &mut permit).await?;
    let decoded = intake.decode(body, encoding, &mut permit, decode).await?;
    intake.publish(decoded.batches, ack).await?;
    Ok(decoded.report)
}

/// The media type without its parameters, in lower case; empty when there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

fn unsupported_type(seen: &str, accepted: &str) -> Refusal {
    let seen = tracewell_wire::json::excerpt(seen);
    let message = format!("Content-Type is {seen}; accepted are {accepted}");
    Refusal::new(Cause::UnsupportedType, message)
}

/// An answer with a body.
fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Words what became of a request that is answered 202 when it went well, and counts the answer.
fn accepted_or_refused(
    intake: &Intake,
    receiver: &'static str,
    outcome: Result<Report, Refusal>,
    body: RefusalBody,
) -> Response {
    match outcome {
        Ok(report) => {
            let response = accepted(&report);
            intake
                .metrics
                .answered(receiver, response.status().as_u16());
            response
        }
        Err(refusal) => refuse(intake, receiver, &refusal, body),
    }
}

/// 202 without a body, telling of refused spans in headers.
fn accepted(report: &Report) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    if report.refused_count() > 0 {
        let headers = response.headers_mut();
        headers.insert(
            "tracewell-refused",
            HeaderValue::from(report.refused_count()),
        );
        headers.insert("tracewell-refused-reason", header_text(&report.refusals()));
    }
    response
}

/// A refusal as an answer, noted and counted.
fn refuse(
    intake: &Intake,
    receiver: &'static str,
    refusal: &Refusal,
    body: RefusalBody,
) -> Response {
    intake.note_refusal(receiver, refusal);
    let (content_type, body) = body(refusal);
    let mut response = answer(refusal.cause.http(), content_type, body);
    if let Some(after_s) = refusal.retry_after_s {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(after_s));
    }
    intake
        .metrics
        .answered(receiver, response.status().as_u16());
    response
}

/// `{"error":{"code","message"}}`, the house's own form.
fn plain_error(refusal: &Refusal) -> (&'static str, Vec<u8>) {
    let error = serde_json::json!({
        "error": { "code": refusal.cause.name(), "message": refusal.message }
    });
    (JSON, error.to_string().into_bytes())
}

/// A sentence, as Zipkin does.
fn text_error(refusal: &Refusal) -> (&'static str, Vec<u8>) {
    (
        "text/plain; charset=utf-8",
        refusal.message.clone().into_bytes(),
    )
}

/// Refuses a body of which no span can be used.
fn some_usable(report: Report) -> Result<Report, Refusal> {
    if report.accepted == 0 && report.refused_count() > 0 {
        let message = format!("none of the spans can be used: {}", report.refusals());
        return Err(Refusal::new(Cause::NoUsableSpan, message));
    }
    Ok(report)
}

/// Text that may stand in a header: visible ASCII and spaces, the rest as `?`, 512 bytes at most.
fn header_text(text: &str) -> HeaderValue {
    const BYTES_MAX: usize = 512;
    let visible = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    let text: String = text.chars().take(BYTES_MAX).map(visible).collect();
    HeaderValue::try_from(text.trim()).unwrap_or(HeaderValue::from_static("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_carries_nothing_hostile() {
        let value = header_text("a\r\nSet-Cookie: x\u{202e}é\0");
        assert_eq!(value, "a??Set-Cookie: x???");
        assert_eq!(header_text(&"é".repeat(9_000)).len(), 512);
        assert_eq!(header_text(""), "");
    }

    #[test]
    fn a_media_type_is_read_without_its_parameters() {
        let of = |value: &'static str| {
            media_type(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(of("Application/JSON; charset=utf-8"), JSON);
        assert_eq!(of(" application/x-protobuf "), PROTOBUF);
        assert_eq!(media_type(&HeaderMap::new()), "");
    }
}
