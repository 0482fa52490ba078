//! `POST /v1/spans`: a JSON array of spans, the simplest way in. 202 and nothing more, headers when
//! some spans were refused, 400 when none could be used.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use tracewell_wire::{Report, spans_json};

use super::{
    JSON, accepted_or_refused, media_type, plain_error, some_usable, take_in, unsupported_type,
};
use crate::intake::Intake;
use crate::refusal::Refusal;

pub(crate) const NAME: &str = "spans_http";

pub(crate) async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let outcome = report(&intake, request).await;
    accepted_or_refused(&intake, NAME, outcome, plain_error)
}

async fn report(intake: &Intake, request: Request) -> Result<Report, Refusal> {
    let media_type = media_type(request.headers());
    // A person with curl and no header means JSON as well.
    if !media_type.is_empty() && media_type != JSON {
        return Err(unsupported_type(&media_type, JSON));
    }
    some_usable(take_in(intake, request, spans_json::decode).await?)
}
