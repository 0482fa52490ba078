//! The endpoints: one table of paths and parameters, one plain function each. A function gets what
//! was asked and the readers, runs on the query pool, and answers with JSON.

pub(crate) mod changes;
pub(crate) mod critical_path;
pub(crate) mod difference;
pub(crate) mod errors;
pub(crate) mod go;
pub(crate) mod graph;
pub(crate) mod heatmap;
pub(crate) mod hotspots;
pub(crate) mod openapi;
mod past;
pub(crate) mod sampling;
mod scan;
pub(crate) mod search;
pub(crate) mod services;
pub(crate) mod shares;
pub(crate) mod status;
pub(crate) mod tags;
pub(crate) mod traces;
pub(crate) mod typical;

use http::Method;
use tracewell_storage::{ReadContext, Searched};

use crate::errors::Failure;
use crate::live::Live;
use crate::params::{Param, Params, decoded, once};
use crate::querier::Readers;

/// What a function gets.
pub(crate) struct Ask<'a> {
    pub(crate) readers: &'a Readers,
    pub(crate) context: &'a ReadContext,
    /// Segments of the path that its placeholders stand for.
    pub(crate) path: &'a [String],
    pub(crate) params: &'a Params,
    /// What was posted; empty for all else.
    pub(crate) body: &'a [u8],
    pub(crate) now_unix_ns: u64,
    /// What was answered of the present moment.
    pub(crate) live: &'a Live,
}

impl Ask<'_> {
    /// The segment of the path that the placeholder at this position stands for.
    pub(crate) fn segment(&self, position: usize) -> &str {
        self.path.get(position).map_or("", |segment| segment)
    }
}

/// What a function gives.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) json: String,
    pub(crate) bytes_read: u64,
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn new(json: String, searched: &Searched, incomplete: &[String]) -> Answer {
        Answer {
            json,
            bytes_read: searched.bytes_read,
            complete: incomplete.is_empty(),
        }
    }
}

/// How an endpoint is served.
#[derive(Clone, Copy)]
pub(crate) enum Serve {
    /// By a query on the pool.
    Query(fn(&Ask<'_>) -> Result<Answer, Failure>),
    /// By a query on the pool, which is posted: it is too long for a path.
    Posted(fn(&Ask<'_>) -> Result<Answer, Failure>),
    /// By a query on the pool, whose text is the place to go to.
    Redirect(fn(&Ask<'_>) -> Result<Answer, Failure>),
    /// By a stream of everything.
    Export,
    /// By the status source, outside the pool: an operator asks when the pool is full.
    Status,
    /// By a text that never changes.
    Text(&'static str),
}

/// An endpoint.
pub(crate) struct Endpoint {
    /// Placeholders in braces stand for one segment.
    pub(crate) path: &'static str,
    pub(crate) params: &'static [Param],
    pub(crate) serve: Serve,
}

impl Endpoint {
    /// The methods it takes.
    pub(crate) fn methods(&self) -> &'static [Method] {
        match self.serve {
            Serve::Posted(_) => &[Method::POST],
            _ => &[Method::GET, Method::HEAD],
        }
    }
}

/// All of them.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/api/traces/{trace_id}",
        params: &[once("format"), once("view"), once("pin")],
        serve: Serve::Query(traces::get_trace),
    },
    Endpoint {
        path: "/api/traces/{trace_id}/spans",
        params: &[once("ids"), once("rows")],
        serve: Serve::Query(traces::get_spans),
    },
    Endpoint {
        path: "/api/traces/{trace_id}/critical-path",
        params: &[],
        serve: Serve::Query(critical_path::get_critical_path),
    },
    Endpoint {
        path: "/api/traces",
        params: search::PARAMS,
        serve: Serve::Query(search::find_traces),
    },
    Endpoint {
        path: "/api/services",
        params: &[once("window")],
        serve: Serve::Query(services::list_services),
    },
    Endpoint {
        path: "/api/services/{service}/operations",
        params: &[once("window")],
        serve: Serve::Query(services::list_operations),
    },
    Endpoint {
        path: "/api/hotspots",
        params: hotspots::PARAMS,
        serve: Serve::Query(hotspots::find_hotspots),
    },
    Endpoint {
        path: "/api/difference",
        params: &[],
        serve: Serve::Posted(difference::compare),
    },
    Endpoint {
        path: "/api/heatmap",
        params: heatmap::PARAMS,
        serve: Serve::Query(heatmap::get_heatmap),
    },
    Endpoint {
        path: "/api/errors",
        params: errors::PARAMS,
        serve: Serve::Query(errors::list_errors),
    },
    Endpoint {
        path: "/api/errors/{fingerprint}",
        params: errors::ONE_PARAMS,
        serve: Serve::Query(errors::get_error),
    },
    Endpoint {
        path: "/api/shares",
        params: shares::PARAMS,
        serve: Serve::Query(shares::get_shares),
    },
    Endpoint {
        path: "/api/typical",
        params: typical::PARAMS,
        serve: Serve::Query(typical::get_typical),
    },
    Endpoint {
        path: "/api/changes",
        params: changes::PARAMS,
        serve: Serve::Query(changes::list_changes),
    },
    Endpoint {
        path: "/go",
        params: go::PARAMS,
        serve: Serve::Redirect(go::find_place),
    },
    Endpoint {
        path: "/api/graph",
        params: &[once("window")],
        serve: Serve::Query(graph::get_graph),
    },
    Endpoint {
        path: "/api/tags",
        params: &[once("prefix"), once("limit")],
        serve: Serve::Query(tags::list_keys),
    },
    Endpoint {
        path: "/api/tags/{key}/values",
        params: &[once("prefix"), once("limit")],
        serve: Serve::Query(tags::list_values),
    },
    Endpoint {
        path: "/api/export",
        params: crate::export::PARAMS,
        serve: Serve::Export,
    },
    Endpoint {
        path: "/api/sampling",
        params: &[],
        serve: Serve::Query(sampling::get_sampling),
    },
    Endpoint {
        path: "/api/sampling/what-if",
        params: &[],
        serve: Serve::Query(sampling::get_what_if),
    },
    Endpoint {
        path: "/api/status",
        params: &[],
        serve: Serve::Status,
    },
    Endpoint {
        path: "/api/openapi.json",
        params: &[],
        serve: Serve::Text(openapi::DOCUMENT),
    },
];

/// The endpoint of a path, and the segments its placeholders stand for.
pub(crate) fn find(path: &str) -> Result<(&'static Endpoint, Vec<String>), Failure> {
    for endpoint in ENDPOINTS {
        let Some(raw) = segments(endpoint.path, path) else {
            continue;
        };
        let mut found = Vec::with_capacity(raw.len());
        for (name, segment) in raw {
            let segment = decoded(segment, false).ok_or_else(|| {
                Failure::parameter(name, segment, "percent-encoded UTF-8 (a % is written %25)")
            })?;
            found.push(segment);
        }
        return Ok((endpoint, found));
    }
    Err(Failure::not_found(
        "no such endpoint; /api/openapi.json lists those that exist",
    ))
}

/// Placeholders' names and what stands in their place, if the path has this shape. Paths are split
/// before they are decoded, so that a service may have a slash in its name.
fn segments<'a>(shape: &'static str, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let (mut shape, mut path) = (shape.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        let (expected, segment) = match (shape.next(), path.next()) {
            (None, None) => return Some(found),
            (expected, segment) => (expected?, segment?),
        };
        let name = expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        match name {
            Some(name) => found.push((name, segment)),
            None if expected == segment => {}
            None => return None,
        }
    }
}
