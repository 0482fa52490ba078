//! `POST /v1/traces`: OTLP over HTTP. Answers and errors are in the request's own encoding; refused
//! spans make a 200 with `partial_success`, so that senders do not repeat the good ones.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tracewell_wire::otlp::{self, response};

use super::{JSON, PROTOBUF, answer, media_type, refuse, take_in, unsupported_type};
use crate::decoder::Decode;
use crate::intake::Intake;
use crate::refusal::Refusal;

pub(crate) const NAME: &str = "otlp_http";

pub(crate) async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let media_type = media_type(request.headers());
    let decode: Decode = match media_type.as_str() {
        JSON => otlp::json::decode,
        PROTOBUF | "application/protobuf" => otlp::protobuf::decode,
        _ => {
            let accepted = "application/x-protobuf, application/protobuf, application/json";
            return refuse(
                &intake,
                NAME,
                &unsupported_type(&media_type, accepted),
                json_status,
            );
        }
    };
    // The spec wants the request's type back, so the less common spelling is kept too.
    let content_type = [JSON, PROTOBUF, "application/protobuf"]
        .into_iter()
        .find(|known| *known == media_type)
        .unwrap_or(PROTOBUF);
    match take_in(&intake, request, decode).await {
        Ok(report) => {
            let (rejected, message) = (report.refused_count() as u64, report.refusals());
            let body = match content_type {
                JSON => response::encode_response_json(rejected, &message).into_bytes(),
                _ => response::encode_response(rejected, &message),
            };
            intake.metrics.answered(NAME, StatusCode::OK.as_u16());
            answer(StatusCode::OK, content_type, body)
        }
        Err(refusal) => match content_type {
            JSON => refuse(&intake, NAME, &refusal, json_status),
            PROTOBUF => refuse(&intake, NAME, &refusal, |refusal| {
                protobuf_status(PROTOBUF, refusal)
            }),
            _ => refuse(&intake, NAME, &refusal, |refusal| {
                protobuf_status("application/protobuf", refusal)
            }),
        },
    }
}

fn json_status(refusal: &Refusal) -> (&'static str, Vec<u8>) {
    let code = refusal.cause.grpc() as i32;
    (
        JSON,
        response::encode_status_json(code, &refusal.message).into_bytes(),
    )
}

fn protobuf_status(content_type: &'static str, refusal: &Refusal) -> (&'static str, Vec<u8>) {
    let code = refusal.cause.grpc() as i32;
    (
        content_type,
        response::encode_status(code, &refusal.message),
    )
}
