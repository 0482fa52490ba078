//! One connection to a server: HTTP/1.1, or HTTP/2 for gRPC. Sends a body, says what became of it.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tracewell_wire::proto::{Field, Fields};

use crate::body::{Encoding, Format};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// How long an overloaded server is left alone when it does not say.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Where bodies go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `http://host:port/path`.
    pub url: Uri,
    /// What they are.
    pub format: Format,
    /// How they are compressed.
    pub encoding: Encoding,
}

impl Target {
    /// A target; the format's usual path stands in where the URL has none.
    pub(crate) fn new(url: &str, format: Format, encoding: Encoding) -> anyhow::Result<Target> {
        let parsed: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        if parsed.scheme_str() != Some("http") || parsed.authority().is_none() {
            bail!("{url}: a URL such as http://127.0.0.1:4318 is accepted");
        }
        let path = match format {
            Format::OtlpHttp => "/v1/traces",
            Format::OtlpGrpc => EXPORT,
            Format::SpansJson => "/v1/spans",
            Format::Zipkin => "/api/v2/spans",
        };
        let url = match parsed.path() {
            "" | "/" => format!("http://{}{path}", authority(&parsed)).parse()?,
            _ => parsed,
        };
        Ok(Target {
            url,
            format,
            encoding,
        })
    }

    fn request(&self, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
        let grpc = self.format == Format::OtlpGrpc;
        // HTTP/2 names the host in its URL, HTTP/1.1 in a header.
        let url = if grpc {
            self.url.to_string()
        } else {
            self.url.path().to_owned()
        };
        let mut request = Request::builder().method(Method::POST).uri(url);
        request = match self.format {
            Format::OtlpHttp | Format::Zipkin => {
                request.header(CONTENT_TYPE, "application/x-protobuf")
            }
            Format::SpansJson => request.header(CONTENT_TYPE, "application/json"),
            Format::OtlpGrpc => request
                .header(CONTENT_TYPE, "application/grpc")
                .header("te", "trailers"),
        };
        request = match self.encoding.name() {
            Some(encoding) if grpc => request.header("grpc-encoding", encoding),
            Some(encoding) => request.header(CONTENT_ENCODING, encoding),
            None => request,
        };
        if !grpc {
            request = request.header(HOST, authority(&self.url));
        }
        request.body(Full::new(body)).context("make a request")
    }
}

fn authority(url: &Uri) -> &str {
    url.authority().map_or("", |authority| authority.as_str())
}

/// What became of a body.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Taken, but for so many spans.
    Accepted {
        /// Spans the server found unusable.
        refused: u64,
    },
    /// Not now.
    Overloaded(Duration),
    /// Never: what the server says.
    Refused(String),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, and trailers where there are any.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// See the module.
pub(crate) struct Connection {
    sender: Sender,
    host: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) async fn open(host: &str, http2: bool) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(host)
            .await
            .with_context(|| format!("connect to {host}"))?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        let sender = if http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(4 << 20)
                .initial_connection_window_size(8 << 20)
                .handshake(io)
                .await?;
            // A connection that breaks is seen by the next request.
            tokio::spawn(async { drop(connection.await) });
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(async { drop(connection.await) });
            Sender::Http1(sender)
        };
        Ok(Connection {
            sender,
            host: host.to_owned(),
        })
    }

    /// Connects to a target.
    pub(crate) async fn to(target: &Target) -> anyhow::Result<Connection> {
        Connection::open(authority(&target.url), target.format == Format::OtlpGrpc).await
    }

    /// Asks for a path, with nothing in the request's body.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> anyhow::Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .body(Full::default())?;
        self.exchange(request).await
    }

    /// Sends a body.
    pub(crate) async fn post(&mut self, target: &Target, body: Bytes) -> anyhow::Result<Outcome> {
        let answer = self.exchange(target.request(body)?).await?;
        Ok(match target.format {
            Format::OtlpGrpc => grpc_outcome(&answer),
            Format::OtlpHttp | Format::SpansJson | Format::Zipkin => {
                http_outcome(&answer, target.format)
            }
        })
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let status = response.status().as_u16();
        let mut headers = response.headers().clone();
        let body = response.into_body().collect().await?;
        headers.extend(body.trailers().cloned().unwrap_or_default());
        Ok(Answer {
            status,
            headers,
            body: body.to_bytes(),
        })
    }
}

fn http_outcome(answer: &Answer, format: Format) -> Outcome {
    match answer.status {
        200..300 => Outcome::Accepted {
            refused: match format {
                Format::OtlpHttp => rejected_spans(&answer.body),
                _ => number(&answer.headers, "tracewell-refused").unwrap_or(0),
            },
        },
        429 | 502 | 503 | 504 => {
            let after = number(&answer.headers, "retry-after");
            Outcome::Overloaded(after.map_or(RETRY_AFTER, Duration::from_secs))
        }
        status => Outcome::Refused(format!(
            "{status} {:.200}",
            String::from_utf8_lossy(&answer.body)
        )),
    }
}

fn grpc_outcome(answer: &Answer) -> Outcome {
    match number(&answer.headers, "grpc-status") {
        Some(0) => Outcome::Accepted {
            refused: rejected_spans(answer.body.get(5..).unwrap_or_default()),
        },
        Some(8 | 14) => Outcome::Overloaded(RETRY_AFTER),
        status => {
            let said = answer
                .headers
                .get("grpc-message")
                .map_or("", |value| value.to_str().unwrap_or(""));
            Outcome::Refused(format!("HTTP {}, gRPC {status:?} {said}", answer.status))
        }
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `ExportTraceServiceResponse.partial_success {rejected_spans = 1}`.
fn rejected_spans(answer: &[u8]) -> u64 {
    let mut outer = Fields::of(answer);
    while let Ok(Some((number, field, _))) = outer.next_field() {
        let (1, Field::Bytes(partial)) = (number, field) else {
            continue;
        };
        let mut inner = Fields::of(partial);
        while let Ok(Some(field)) = inner.next_field() {
            if let (1, Field::Varint(count), _) = field {
                return count;
            }
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_formats_path_unless_it_names_one() {
        let url = |url: &str, format| {
            Target::new(url, format, Encoding::Identity).map(|target| target.url.to_string())
        };
        assert_eq!(
            url("http://h:1", Format::OtlpHttp).unwrap(),
            "http://h:1/v1/traces"
        );
        assert_eq!(
            url("http://h:1/", Format::Zipkin).unwrap(),
            "http://h:1/api/v2/spans"
        );
        assert_eq!(
            url(
                "http://h:1/insert/opentelemetry/v1/traces",
                Format::OtlpHttp
            )
            .unwrap(),
            "http://h:1/insert/opentelemetry/v1/traces"
        );
        assert!(url("https://h:1", Format::OtlpHttp).is_err());
        assert!(url("h:1", Format::OtlpHttp).is_err());
    }

    #[test]
    fn answers_are_told_apart() {
        let answer = |status, name: &'static str, value: &str, body: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            Answer {
                status,
                headers,
                body: Bytes::copy_from_slice(body),
            }
        };
        let http = |answer| http_outcome(&answer, Format::SpansJson);
        assert_eq!(
            http(answer(202, "tracewell-refused", "3", b"")),
            Outcome::Accepted { refused: 3 }
        );
        assert_eq!(
            http(answer(429, "retry-after", "2", b"")),
            Outcome::Overloaded(Duration::from_secs(2))
        );
        assert!(
            matches!(http(answer(400, "x", "", b"no")), Outcome::Refused(said) if said == "400 no")
        );
        let partial = [0x0a, 2, 8, 7];
        assert_eq!(
            http_outcome(&answer(200, "x", "", &partial), Format::OtlpHttp),
            Outcome::Accepted { refused: 7 }
        );
        assert_eq!(
            grpc_outcome(&answer(200, "grpc-status", "0", b"")),
            Outcome::Accepted { refused: 0 }
        );
        assert_eq!(
            grpc_outcome(&answer(200, "grpc-status", "8", b"")),
            Outcome::Overloaded(RETRY_AFTER)
        );
    }
}
