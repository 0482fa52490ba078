//! One request and its answer as a span, by OpenTelemetry's conventions for HTTP and gRPC: what the
//! layers and reqwest's requests have in common. Query strings are left out; they hold secrets.

use std::fmt::Display;

use http::{HeaderMap, Method, StatusCode, header};

use crate::context::Context;
use crate::span::{Kind, Span, Status};
use crate::tracer::Tracer;

/// gRPC's codes that are the server's own fault, by the same conventions.
const GRPC_SERVER_FAULTS: [i64; 6] = [2, 4, 12, 13, 14, 15];

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Exchange {
    span: Span,
    context: Context,
    kind: Kind,
    grpc: bool,
    /// Whether it is known how it went.
    settled: bool,
}

/// What is known of a request before it is answered.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<u16>,
    pub(crate) headers: &'a HeaderMap,
}

impl Exchange {
    /// The answering side, which continues the caller's trace.
    #[cfg(feature = "tower")]
    pub(crate) fn answering(tracer: &Tracer, asked: &Asked<'_>, route: Option<&str>) -> Exchange {
        let caller = tracer.propagator().extract(asked.headers);
        let mut exchange = Exchange::begin(tracer, asked, route, Kind::Server, &caller);
        if let Some(route) = route {
            exchange.span.set_attribute("http.route", route);
        }
        exchange
    }

    /// The asking side, below the current span.
    pub(crate) fn asking(tracer: &Tracer, asked: &Asked<'_>) -> Exchange {
        Exchange::begin(tracer, asked, None, Kind::Client, &Context::current())
    }

    fn begin(
        tracer: &Tracer,
        asked: &Asked<'_>,
        route: Option<&str>,
        kind: Kind,
        parent: &Context,
    ) -> Exchange {
        let content_type = asked.headers.get(header::CONTENT_TYPE);
        let grpc = content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
        let method = known(asked.method);
        let spoken;
        let name = match route {
            _ if grpc => asked.path.trim_start_matches('/'),
            Some(route) => {
                spoken = [method, route].join(" ");
                &spoken
            }
            None => method,
        };
        let mut span = tracer.span(name).kind(kind).parent(parent).start();
        if span.is_recording() {
            describe(&mut span, asked, grpc);
        }
        Exchange {
            context: span.context(),
            span,
            kind,
            grpc,
            settled: false,
        }
    }

    /// What holds below it, and what the callee shall know.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The head of an answer came.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.settled = true;
        let code = status.as_u16();
        self.span.set_attribute("http.response.status_code", code);
        if status.is_server_error() || (self.kind == Kind::Client && status.is_client_error()) {
            self.span.set_status(Status::error(status.to_string()));
        }
        self.grpc_status(headers); // an answer of nothing else has it here
    }

    /// The end of an answer came, with this after it.
    #[cfg(feature = "tower")]
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.grpc_status(trailers);
    }

    /// There will be no answer, or no more of it.
    pub(crate) fn failed(&mut self, error: &dyn Display) {
        self.settled = true;
        self.span.record_exception("", &error.to_string(), "");
    }

    fn grpc_status(&mut self, headers: &HeaderMap) {
        if !self.grpc {
            return;
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(code) = text("grpc-status").and_then(|code| code.parse::<i64>().ok()) else {
            return;
        };
        self.span.set_attribute("rpc.grpc.status_code", code);
        let fault = match self.kind {
            Kind::Client => code != 0,
            _ => GRPC_SERVER_FAULTS.contains(&code),
        };
        if fault {
            let message = text("grpc-message").unwrap_or_default();
            self.span
                .set_status(Status::error(format!("gRPC status {code}: {message}")));
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.settled {
            self.span
                .set_status(Status::error("cancelled before there was an answer"));
        }
    }
}

fn describe(span: &mut Span, asked: &Asked<'_>, grpc: bool) {
    if grpc {
        let path = asked.path.trim_start_matches('/');
        let (service, method) = path.split_once('/').unwrap_or((path, ""));
        span.set_attribute("rpc.system", "grpc");
        span.set_attribute("rpc.service", service);
        span.set_attribute("rpc.method", method);
    } else {
        span.set_attribute("http.request.method", asked.method.as_str());
        span.set_attribute("url.path", asked.path);
    }
    if let Some(host) = asked.host {
        span.set_attribute("server.address", host);
    }
    if let Some(port) = asked.port {
        span.set_attribute("server.port", port);
    }
}

/// A caller may invent methods; names of spans are few.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::PATCH
        | Method::HEAD
        | Method::OPTIONS
        | Method::CONNECT
        | Method::TRACE => method.as_str(),
        _ => "HTTP",
    }
}
