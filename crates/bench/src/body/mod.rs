//! Request bodies, made before the clock starts: spans encoded once, with the places noted in which a
//! cycle differs from the last one, so that sending costs a few writes a span.

mod otlp;
mod piece;
mod pool;
mod spans_json;
mod zipkin;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use piece::Place;
pub use pool::{Plan, Pool, PoolOptions};

/// The format and the protocol of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// OTLP protobuf over HTTP: POST /v1/traces
    OtlpHttp,
    /// OTLP protobuf over gRPC
    OtlpGrpc,
    /// Tracewell's own JSON: POST /v1/spans
    SpansJson,
    /// Zipkin v2 protobuf: POST /api/v2/spans
    Zipkin,
}

impl Format {
    /// The format's name, as `--format` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Format::OtlpHttp => "otlp-http",
            Format::OtlpGrpc => "otlp-grpc",
            Format::SpansJson => "spans-json",
            Format::Zipkin => "zipkin",
        }
    }
}

/// Which spans share a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// All services' spans as they end, as a gateway sends them
    Gateway,
    /// One instance's spans, as its SDK sends them
    Service,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Not at all
    Identity,
    /// gzip, level 6
    Gzip,
    /// zstd, level 3
    Zstd,
}

impl Encoding {
    /// What `Content-Encoding` says, if anything.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => Some("gzip"),
            Encoding::Zstd => Some("zstd"),
        }
    }

    /// The body, compressed.
    pub fn compress(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Encoding::Identity => Ok(body.to_vec()),
            Encoding::Gzip => {
                use std::io::Write;
                let mut out =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                out.write_all(body)?;
                out.finish()
            }
            Encoding::Zstd => zstd::bulk::compress(body, 3),
        }
    }
}
