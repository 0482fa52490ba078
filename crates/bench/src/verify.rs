//! Reading traces back and comparing every field with the traffic they were sent as.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde_json::Value as Json;

use crate::api::Api;
use crate::body::Format;
use crate::session::Traffic;
use crate::traffic::random::Random;
use crate::traffic::{Attribute, Cycle, Span, Value};

/// Compares so many traces of which every body was acknowledged; fails at the first difference.
pub(crate) fn some(
    api: &mut Api,
    traffic: &Traffic,
    ledger: &[u64],
    count: u64,
) -> anyhow::Result<u64> {
    let plan = &traffic.plan;
    let whole: BTreeSet<u64> = ledger.iter().copied().collect();
    let cycles = (0..=ledger.iter().max().copied().unwrap_or(0) / plan.bodies())
        .filter(|cycle| {
            (0..plan.bodies()).all(|body| whole.contains(&(cycle * plan.bodies() + body)))
        })
        .collect::<Vec<_>>();
    if cycles.is_empty() {
        return Ok(0);
    }
    let mut random = Random::of(count, whole.len() as u64);
    for _ in 0..count {
        let cycle = plan.cycle(*random.pick(&cycles), traffic.began_unix_ns);
        trace(
            api,
            traffic,
            random.below(plan.traces() as usize) as u64,
            cycle,
        )?;
    }
    Ok(count)
}

/// Compares one trace.
fn trace(api: &mut Api, traffic: &Traffic, number: u64, cycle: Cycle) -> anyhow::Result<()> {
    let (id, span_ids) = traffic.plan.ids(number, cycle);
    let id = hex(&id);
    let span_ids: Vec<String> = span_ids.map(|id| hex(&id)).collect();
    let answer = api.json(&format!("/api/traces/{id}"))?;
    let stored: BTreeMap<&str, &Json> = answer["spans"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|span| (span["span_id"].as_str().unwrap_or_default(), span))
        .collect();
    let trace = traffic.plan.trace(number);
    ensure!(
        answer["complete"] == true,
        "trace {id} is not complete: {}",
        answer["incomplete_reasons"]
    );
    ensure!(
        stored.len() == trace.spans.len(),
        "trace {id} has {} spans of {}",
        stored.len(),
        trace.spans.len()
    );
    let format = traffic.format();
    for (span, span_id) in trace.spans.iter().zip(&span_ids) {
        let got = stored
            .get(span_id.as_str())
            .with_context(|| format!("trace {id} is without span {span_id}"))?;
        let parent = span
            .parent
            .map(|parent| Json::from(span_ids[parent as usize].as_str()))
            .unwrap_or_default();
        let service = &*traffic.plan.landscape.origins[span.origin as usize].service;
        compare(got, span, trace.start_ns, service, &parent, cycle, format)
            .with_context(|| format!("trace {id}, span {span_id}"))?;
        if matches!(format, Format::OtlpHttp | Format::OtlpGrpc) {
            let origin = &traffic.plan.landscape.origins[span.origin as usize];
            attributes(&got["resource"], &origin.attributes, cycle)
                .with_context(|| format!("trace {id}, resource of span {span_id}"))?;
            ensure!(
                got["scope"]["name"] == span.scope.0,
                "trace {id}, scope of span {span_id} is {}",
                got["scope"]
            );
        }
    }
    Ok(())
}

fn compare(
    got: &Json,
    span: &Span,
    trace_start_ns: u64,
    service: &str,
    parent: &Json,
    cycle: Cycle,
    format: Format,
) -> anyhow::Result<()> {
    let grain = if format == Format::Zipkin { 1_000 } else { 1 };
    let start_ns = (cycle.begin_unix_ns + trace_start_ns + span.start_ns) / grain * grain;
    let status = if span.failure.is_some() {
        "error"
    } else {
        "ok"
    };
    let wanted = [
        ("parent_span_id", parent.clone()),
        ("service_name", service.into()),
        ("operation_name", (&*span.name).into()),
        ("start_time_unix_ns", start_ns.into()),
        ("duration_ns", (span.duration_ns / grain * grain).into()),
        ("status", status.into()),
    ];
    for (member, wanted) in wanted {
        ensure!(
            got[member] == wanted,
            "{member} is {}, not {wanted}",
            got[member]
        );
    }
    attributes(&got["tags"], &span.attributes, cycle)?;
    let events = got["events"].as_array().map_or(0, Vec::len);
    ensure!(
        events == span.events.len(),
        "{events} events, not {}",
        span.events.len()
    );
    if format != Format::Zipkin {
        ensure!(got["kind"] == span.kind.name(), "kind is {}", got["kind"]);
        for (got, event) in got["events"]
            .as_array()
            .into_iter()
            .flatten()
            .zip(&span.events)
        {
            ensure!(got["name"] == event.name, "event is {}", got["name"]);
            attributes(&got["attributes"], &event.attributes, cycle)?;
        }
    }
    Ok(())
}

fn attributes(got: &Json, wanted: &[Attribute], cycle: Cycle) -> anyhow::Result<()> {
    for (key, value) in wanted {
        let got = &got[&**key];
        let same = match (got, value) {
            (Json::Number(number), Value::Float(wanted)) => number.as_f64() == Some(*wanted),
            (Json::String(text), _) => *text == cycle.text(value),
            (Json::Number(number), _) => number.to_string() == cycle.text(value),
            (Json::Bool(truth), _) => truth.to_string() == cycle.text(value),
            _ => false,
        };
        ensure!(same, "{:?} is {got}, not {}", &**key, cycle.text(value));
    }
    Ok(())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
