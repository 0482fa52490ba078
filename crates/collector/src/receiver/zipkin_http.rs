//! `POST /api/v2/spans`: Zipkin v2 in JSON or protobuf. 202 and nothing more; errors are text.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use tracewell_wire::{Report, zipkin};

use super::{
    JSON, PROTOBUF, accepted_or_refused, media_type, some_usable, take_in, text_error,
    unsupported_type,
};
use crate::decoder::Decode;
use crate::intake::Intake;
use crate::refusal::Refusal;

pub(crate) const NAME: &str = "zipkin_http";

pub(crate) async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let outcome = report(&intake, request).await;
    accepted_or_refused(&intake, NAME, outcome, text_error)
}

async fn report(intake: &Intake, request: Request) -> Result<Report, Refusal> {
    let media_type = media_type(request.headers());
    let decode: Decode = match media_type.as_str() {
        // Zipkin's own clients always say; scripts do not, and its server takes those for JSON.
        JSON | "" => zipkin::decode_json,
        PROTOBUF | "application/protobuf" => zipkin::decode_protobuf,
        _ => {
            return Err(unsupported_type(
                &media_type,
                "application/json, application/x-protobuf",
            ));
        }
    };
    some_usable(take_in(intake, request, decode).await?)
}
