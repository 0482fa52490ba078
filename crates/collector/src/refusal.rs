//! Why a whole request is refused, and the one table of what each cause is in HTTP and in gRPC.
//! The receivers only choose the body's encoding. Overload is never a 500: clients would drop (P24).

use axum::http::StatusCode;
use tonic::Code;
use tracewell_storage::{Class, Error};
use tracewell_wire::DecodeError;

/// Why a request is refused. The names are metric labels: stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// Larger than the cap, as sent or decompressed.
    TooLarge,
    /// Not the format it claims to be, or cut short.
    Undecodable,
    /// Decoded, but none of its spans can be used.
    NoUsableSpan,
    /// A header asks for what does not exist.
    BadHeader,
    /// A content type nobody here reads.
    UnsupportedType,
    /// A content encoding nobody here decompresses.
    UnsupportedEncoding,
    /// The collector's own budgets are used up.
    Overloaded,
    /// The span log has no room, or is in passing trouble.
    LogRefused,
    /// The span log did not answer in time.
    LogTimeout,
    /// The body did not arrive in time.
    BodyTimeout,
    /// No such path.
    NotFound,
    /// The path exists, for another method.
    MethodNotAllowed,
    /// A defect of ours; the log line says which.
    Internal,
}

/// A refused request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    /// What was seen and what is accepted; goes to the sender.
    pub(crate) message: String,
    /// When to try again; set for overload only.
    pub(crate) retry_after_s: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Refusal {
            cause,
            message: message.into(),
            retry_after_s: None,
        }
    }

    pub(crate) fn retry(cause: Cause, message: impl Into<String>, after_s: u32) -> Self {
        Refusal {
            cause,
            message: message.into(),
            retry_after_s: Some(after_s.max(1)),
        }
    }

    /// What a decoder could not read.
    pub(crate) fn of_decode(error: DecodeError) -> Self {
        let cause = match error {
            DecodeError::Malformed(_) => Cause::Undecodable,
            DecodeError::TooLarge { .. } => Cause::TooLarge,
        };
        Refusal::new(cause, error.to_string())
    }

    /// What the span log said. Only a call it can never take is the sender's fault.
    pub(crate) fn of_log(error: &Error, retry_after_s: u32) -> Self {
        let message = format!("the span log refused: {error}");
        match error.class {
            Class::Invalid => Refusal::new(Cause::Undecodable, message),
            Class::Retryable | Class::Overloaded | Class::Corrupt | Class::DeadlineExceeded => {
                let after_s = error.retry_after_s.unwrap_or(retry_after_s);
                Refusal::retry(Cause::LogRefused, message, after_s)
            }
        }
    }
}

impl Cause {
    /// The stable name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Cause::TooLarge => "too_large",
            Cause::Undecodable => "undecodable",
            Cause::NoUsableSpan => "no_usable_span",
            Cause::BadHeader => "bad_header",
            Cause::UnsupportedType => "unsupported_type",
            Cause::UnsupportedEncoding => "unsupported_encoding",
            Cause::Overloaded => "overloaded",
            Cause::LogRefused => "log_refused",
            Cause::LogTimeout => "log_timeout",
            Cause::BodyTimeout => "body_timeout",
            Cause::NotFound => "not_found",
            Cause::MethodNotAllowed => "method_not_allowed",
            Cause::Internal => "internal",
        }
    }

    /// Its HTTP status.
    pub(crate) fn http(self) -> StatusCode {
        match self {
            Cause::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Cause::Undecodable | Cause::NoUsableSpan | Cause::BadHeader => StatusCode::BAD_REQUEST,
            Cause::UnsupportedType | Cause::UnsupportedEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Cause::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Cause::LogRefused | Cause::LogTimeout => StatusCode::SERVICE_UNAVAILABLE,
            Cause::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Cause::NotFound => StatusCode::NOT_FOUND,
            Cause::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Cause::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its gRPC code. Of these OTLP senders retry `UNAVAILABLE`, `DEADLINE_EXCEEDED` and, only with
    /// RetryInfo, `RESOURCE_EXHAUSTED`: which is why too large is the last without it.
    pub(crate) fn grpc(self) -> Code {
        match self {
            Cause::TooLarge => Code::ResourceExhausted,
            Cause::Undecodable | Cause::NoUsableSpan | Cause::BadHeader => Code::InvalidArgument,
            Cause::Overloaded | Cause::LogRefused | Cause::LogTimeout => Code::Unavailable,
            Cause::BodyTimeout => Code::DeadlineExceeded,
            Cause::UnsupportedType
            | Cause::UnsupportedEncoding
            | Cause::NotFound
            | Cause::MethodNotAllowed => Code::Unimplemented,
            Cause::Internal => Code::Internal,
        }
    }

    /// True when an operator should look: the sender did nothing wrong.
    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Cause::Overloaded | Cause::LogRefused | Cause::LogTimeout | Cause::Internal
        )
    }
}
