//! Text → HTTP response: headers, compression where asked for, no body for HEAD.

use std::io::Write as _;

use axum::body::Body;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    LOCATION, REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::errors::Failure;

/// Smaller bodies fit into one packet anyway.
const COMPRESS_BYTES_MIN: usize = 1024;
/// Most of what gzip can do to numbers, at a third of its best level's cost.
pub(crate) const LEVEL: u32 = 5;
/// Says of answers that have no room to say it themselves (`format=otlp`) whether they are complete.
const COMPLETE: HeaderName = HeaderName::from_static("tracewell-complete");

/// What the client takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepts {
    pub(crate) gzip: bool,
    pub(crate) body: bool,
}

impl Accepts {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Accepts {
        let encodings = headers.get_all(ACCEPT_ENCODING).iter();
        let gzip = encodings
            .filter_map(|value| value.to_str().ok())
            .any(names_gzip);
        Accepts {
            gzip,
            body: method != Method::HEAD,
        }
    }
}

/// True when gzip is named and not weighed as zero.
fn names_gzip(encodings: &str) -> bool {
    encodings.split(',').any(|encoding| {
        let (name, weight) = encoding.split_once(';').unwrap_or((encoding, "q=1"));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

/// A query's answer.
pub(crate) fn answer(json: String, complete: bool, accepts: Accepts) -> Response {
    let mut response = self::json(json, accepts);
    let complete = HeaderValue::from_static(if complete { "true" } else { "false" });
    response.headers_mut().insert(COMPLETE, complete);
    response
}

/// An answer that is still being made, of a type of its own.
pub(crate) fn streamed(headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    common(response.headers_mut());
    response
}

/// To another place of this server.
pub(crate) fn redirect(place: &str, accepts: Accepts) -> Response {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::try_from(place).map(|place| (LOCATION, place)));
    response(StatusCode::SEE_OTHER, headers, Vec::new(), accepts)
}

/// Any JSON.
pub(crate) fn json(json: String, accepts: Accepts) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let mut body = json.into_bytes();
    if accepts.gzip && body.len() >= COMPRESS_BYTES_MIN {
        body = gzip(&body);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response(StatusCode::OK, headers, body, accepts)
}

/// An error.
pub(crate) fn failure(failure: &Failure, accepts: Accepts) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(seconds) = failure.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let allow = failure.allow.as_deref().map(HeaderValue::try_from);
    headers.extend(allow.and_then(Result::ok).map(|allow| (ALLOW, allow)));
    response(
        failure.status,
        headers,
        failure.body().into_bytes(),
        accepts,
    )
}

fn response(status: StatusCode, headers: HeaderMap, body: Vec<u8>, accepts: Accepts) -> Response {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(if accepts.body {
        Body::from(body)
    } else {
        Body::empty()
    });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    common(headers);
    response
}

/// What every answer has.
fn common(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(LEVEL));
    let written = encoder.write_all(body);
    debug_assert!(written.is_ok(), "a Vec takes everything");
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_when_asked_for() {
        for (header, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, gzip ; q=1", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, br", false),
            ("gzip;q=x", false),
            ("gzipped", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(names_gzip(header), expected, "{header}");
        }
    }
}
