//! A trace of 100,000 spans: small as columns, and in pages of full spans.

use std::io::Write as _;

use flate2::write::GzDecoder;
use http::Request;
use serde_json::{Value, json};
use tracewell_model::{
    BatchBuilder, ResourceInput, ScopeInput, SpanId, SpanInput, SpanKind, StatusCode, TraceId,
};

use crate::world::{NOW, World, ask};

const SPANS: u64 = 100_000;
/// 1.04 MB of it are the ids, which are random and so cost more than their 8 bytes each.
const COLUMNS_BYTES_MAX: usize = 1_500_000;

/// Ids as random as real ones, so that compression gains nothing it would not gain in life.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn world() -> World {
    let mut builder = BatchBuilder::new(1);
    let scope = builder.scope(&ScopeInput::default());
    let resources: Vec<_> = (0..40)
        .map(|at| {
            let service = format!("service-{at}");
            builder.resource(&ResourceInput {
                service: &service,
                ..ResourceInput::default()
            })
        })
        .collect();
    let id = |at: u64| SpanId(mixed(at + 1).to_be_bytes());
    // A tree of eight children each, whose clocks tick in microseconds, as most do.
    let us = |random: u64, below: u64| random % below * 1_000;
    let mut starts = vec![NOW; SPANS as usize];
    for at in 0..SPANS {
        let above = at.saturating_sub(1) / 8;
        let parent = (at > 0).then(|| id(above));
        let start = starts[above as usize] + us(mixed(at), 2_000);
        starts[at as usize] = start;
        builder.push(&SpanInput {
            trace_id: TraceId([1; 16]),
            span_id: id(at),
            parent,
            resource: resources[(mixed(above) % 40) as usize],
            scope,
            start_unix_ns: start,
            duration_ns: us(mixed(at + 5), 3_000),
            operation: ["GET /a", "GET /b", "SELECT", "publish"][(mixed(above) % 4) as usize],
            kind: SpanKind::from_u8((mixed(above) % 6) as u8).unwrap_or_default(),
            status: if at % 50 == 0 {
                StatusCode::Error
            } else {
                StatusCode::Unset
            },
            status_message: "",
            flags: 1,
            attributes: &[],
            event_attributes: &[],
            rest: &[],
            marks: Default::default(),
        });
    }
    let world = World::new();
    world.store.push(builder.finish_one(), NOW);
    world
}

/// Undoes the compression of our own answer.
fn unzipped(body: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    decoder.write_all(body).expect("gzip");
    decoder.finish().expect("gzip")
}

#[tokio::test]
async fn a_hundred_thousand_spans() {
    let world = world();
    let trace = format!("/api/traces/{}", TraceId([1; 16]));
    let request = Request::get(format!("{trace}?view=columns")).header("accept-encoding", "gzip");
    let reply = ask(&world.router, request).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(
        reply.body.len() <= COLUMNS_BYTES_MAX,
        "{} bytes",
        reply.body.len()
    );
    println!(
        "columns of {SPANS} spans: {} bytes gzipped",
        reply.body.len()
    );
    let columns: Value = serde_json::from_slice(&unzipped(&reply.body)).expect("JSON");
    for column in [
        "parent",
        "start_ns",
        "duration",
        "service",
        "operation",
        "kind",
        "flags",
    ] {
        assert_eq!(
            columns[column].as_array().map(Vec::len),
            Some(SPANS as usize),
            "{column}"
        );
    }

    let rows: Vec<_> = (0..500).map(|at| at * 199).collect();
    let list = rows
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let page = world.ok(&format!("{trace}/spans?rows={list}")).await;
    let spans = page["spans"].as_array().expect("spans");
    assert_eq!(spans.len(), rows.len());
    for (span, row) in spans.iter().zip(rows) {
        let id = columns["span_ids"]
            .as_str()
            .and_then(|ids| ids.get(row as usize * 16..)?.get(..16));
        assert_eq!(span["span_id"].as_str(), id);
    }

    let whole = world.ok(&trace).await;
    assert_eq!(
        whole["spans"].as_array().map(Vec::len),
        Some(SPANS as usize)
    );
    assert_eq!(whole["span_count"], json!(SPANS));
}

#[tokio::test]
async fn small_answers_and_plain_clients_get_no_gzip() {
    let world = World::new();
    for (uri, encoding, zipped) in [
        ("/api/openapi.json", "gzip", true),
        ("/api/openapi.json", "br, gzip;q=0.1", true),
        ("/api/openapi.json", "gzip;q=0", false),
        ("/api/openapi.json", "identity", false),
        ("/api/tags", "gzip", false),
    ] {
        let reply = ask(
            &world.router,
            Request::get(uri).header("accept-encoding", encoding),
        )
        .await;
        assert_eq!(
            reply.header("content-encoding").is_some(),
            zipped,
            "{uri} {encoding}"
        );
        assert_eq!(reply.header("vary"), Some("accept-encoding"));
    }
}
