//! What a collector's reply means for the batch.
#![warn(clippy::indexing_slicing)]

use std::time::Duration;

use crate::encode::proto::Fields;
use crate::flush::transport::Reply;

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has the batch, but for so many spans.
    Accepted { refused: u64 },
    /// Try again, not before this.
    Later(Option<Duration>),
    /// It will never take it.
    Refused,
}

impl Outcome {
    /// OTLP's rules: 429, 502, 503 and 504 may be tried again, anything else that is no success not.
    pub(crate) fn of(reply: &Reply) -> Outcome {
        match reply.status {
            200..=299 => Outcome::Accepted {
                refused: refused(reply),
            },
            408 | 429 | 502..=504 => Outcome::Later(retry_after(reply)),
            _ => Outcome::Refused,
        }
    }
}

/// `Tracewell-Refused` of `/v1/spans`, or `partial_success.rejected_spans` of OTLP.
fn refused(reply: &Reply) -> u64 {
    if let Some(refused) = reply.header("tracewell-refused") {
        return refused.trim().parse().unwrap_or(0);
    }
    let field = |message, wanted| {
        Fields(message)
            .find(|(number, _)| *number == wanted)
            .map(|(_, field)| field)
    };
    let partial = field(reply.body.as_slice(), 1).map(|partial| partial.bytes());
    partial
        .and_then(|partial| field(partial, 1))
        .map_or(0, |rejected| rejected.number())
}

/// In seconds; a date, which no collector sends, leaves it to the backoff.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let seconds = reply.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_understood() {
        let with = |status, header: Option<(&str, &str)>, body: &[u8]| {
            let mut reply = Reply::new(status);
            reply
                .headers
                .extend(header.map(|(name, value)| (name.to_owned(), value.to_owned())));
            reply.body = body.to_vec();
            Outcome::of(&reply)
        };
        let accepted = |refused| Outcome::Accepted { refused };
        assert_eq!(with(202, None, b""), accepted(0));
        assert_eq!(
            with(202, Some(("tracewell-refused", "3")), b""),
            accepted(3)
        );
        assert_eq!(
            with(200, None, &[0x0A, 5, 0x08, 7, 0x12, 1, b'x']),
            accepted(7)
        );
        assert_eq!(with(200, None, b"<html>hello</html>"), accepted(0));
        let seconds = |seconds| Outcome::Later(Some(Duration::from_secs(seconds)));
        assert_eq!(with(429, Some(("retry-after", "2")), b""), seconds(2));
        assert_eq!(
            with(503, Some(("retry-after", "soon")), b""),
            Outcome::Later(None)
        );
        for status in [301, 400, 401, 404, 413, 500, 501] {
            assert_eq!(
                with(status, Some(("retry-after", "1")), b""),
                Outcome::Refused,
                "{status}"
            );
        }
    }
}
