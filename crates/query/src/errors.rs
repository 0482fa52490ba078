//! What a request is answered when it is not answered: an HTTP status, a code a program acts on and
//! a sentence for people (docs/api.md, Errors).

use http::{Method, StatusCode};
use tracewell_storage::Class;
use tracewell_wire::json::excerpt;

use crate::json::Json;

/// When to come back after "too busy", unless the backend knows better.
const RETRY_AFTER_S: u32 = 1;

/// A request that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The parameter that is wrong.
    pub(crate) parameter: Option<String>,
    pub(crate) retry_after_s: Option<u32>,
    /// The methods that are accepted, where this one is not.
    pub(crate) allow: Option<String>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure {
            status,
            code,
            message: message.into(),
            parameter: None,
            retry_after_s: None,
            allow: None,
        }
    }

    /// A parameter is wrong: says what was seen and what is accepted.
    pub(crate) fn parameter(name: &str, seen: &str, accepted: &str) -> Failure {
        let message = format!(
            "{} is \"{}\"; accepted: {accepted}",
            excerpt(name),
            excerpt(seen)
        );
        Failure::about(name, message)
    }

    /// A parameter is wrong, in a sentence.
    pub(crate) fn about(name: &str, message: impl Into<String>) -> Failure {
        let failure = Failure::new(StatusCode::BAD_REQUEST, "bad_parameter", message);
        Failure {
            parameter: Some(excerpt(name)),
            ..failure
        }
    }

    /// Nothing of this is stored, or was seen by a search that says itself what it lacks.
    pub(crate) fn not_seen(nothing: &str, incomplete: &[String]) -> Failure {
        let because = match incomplete {
            [] => String::new(),
            reasons => format!(" (but the search was not complete: {})", reasons.join("; ")),
        };
        Failure::not_found(format!("{nothing}{because}"))
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn method_not_allowed(accepted: &[Method]) -> Failure {
        let accepted: Vec<_> = accepted.iter().map(Method::as_str).collect();
        let accepted = accepted.join(", ");
        let message = format!("accepted methods: {accepted}");
        let failure = Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        );
        Failure {
            allow: Some(accepted),
            ..failure
        }
    }

    pub(crate) fn too_busy(message: impl Into<String>) -> Failure {
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too_busy", message);
        Failure {
            retry_after_s: Some(RETRY_AFTER_S),
            ..failure
        }
    }

    pub(crate) fn deadline(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The answer's body.
    pub(crate) fn body(&self) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.key("error").object(|json| {
                json.key("code").text(self.code);
                json.key("message").text(&self.message);
                if let Some(parameter) = &self.parameter {
                    json.key("parameter").text(parameter);
                }
            });
        });
        json.into_text()
    }
}

impl From<tracewell_storage::Error> for Failure {
    fn from(error: tracewell_storage::Error) -> Failure {
        let failure = match error.class {
            Class::Retryable => Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                error.message,
            ),
            Class::Overloaded => Failure::too_busy(error.message),
            Class::Invalid => Failure::new(StatusCode::BAD_REQUEST, "bad_parameter", error.message),
            Class::Corrupt => Failure::internal(error.message),
            Class::DeadlineExceeded => Failure::deadline(error.message),
        };
        let retry_after_s = error.retry_after_s.or(failure.retry_after_s);
        Failure {
            retry_after_s,
            ..failure
        }
    }
}
