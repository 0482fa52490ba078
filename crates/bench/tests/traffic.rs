//! The generator by its bodies: what decoders make of them is the traces they were made of.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use tracewell_bench::body::{Format, Layout, Pool, PoolOptions};
use tracewell_bench::traffic::{Dataset, Landscape};
use tracewell_model::{BatchBuilder, SpanBatch, SpanId, TraceId};
use tracewell_wire::{Report, otlp, spans_json, zipkin};

const BEGIN: u64 = 1_750_000_000_000_000_000;

fn pool(dataset: Dataset, services: usize, format: Format, layout: Layout, seed: u64) -> Pool {
    let landscape = Landscape::new(dataset, services, seed, 50_000);
    let spans = if dataset == Dataset::Adversarial {
        2_000
    } else {
        20_000
    };
    Pool::new(
        landscape,
        seed,
        PoolOptions {
            format,
            layout,
            batch: 500,
            spans,
            giant_spans: 0,
        },
    )
}

/// A cycle's requests as the server's decoders read them.
fn decoded(pool: &Pool, format: Format, cycle: u64) -> Vec<SpanBatch> {
    let cycle = pool.plan.cycle(cycle, BEGIN);
    let bodies = pool.templates.iter().enumerate();
    bodies
        .map(|(nth, template)| {
            let body = pool.plan.write(nth as u64, template.clone(), cycle);
            let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
            match format {
                Format::OtlpHttp => otlp::protobuf::decode(&body, &mut builder, &mut report),
                Format::OtlpGrpc => otlp::protobuf::decode(&body[5..], &mut builder, &mut report),
                Format::SpansJson => spans_json::decode(&body, &mut builder, &mut report),
                Format::Zipkin => zipkin::decode_protobuf(&body, &mut builder, &mut report),
            }
            .unwrap();
            assert_eq!(report.refused_count(), 0, "{}", report.refusals());
            let batch = builder.finish_one();
            assert_eq!(batch.len() as u32, pool.plan.body_spans(nth as u64));
            batch
        })
        .collect()
}

#[test]
fn every_format_says_what_the_traces_say() {
    for format in [
        Format::OtlpHttp,
        Format::OtlpGrpc,
        Format::SpansJson,
        Format::Zipkin,
    ] {
        for layout in [Layout::Gateway, Layout::Service] {
            let pool = pool(Dataset::Realistic, 50, format, layout, 3);
            let batches = decoded(&pool, format, 2);
            let cycle = pool.plan.cycle(2, BEGIN);
            let stored: BTreeMap<(TraceId, SpanId), _> = batches
                .iter()
                .flat_map(SpanBatch::spans)
                .map(|span| ((span.trace_id(), span.span_id()), span))
                .collect();
            assert_eq!(stored.len() as u64, pool.plan.spans());
            for number in (0..pool.plan.traces()).step_by(7) {
                let trace = pool.plan.trace(number);
                let (trace_id, ids) = pool.plan.ids(number, cycle);
                let ids: Vec<_> = ids.collect();
                for (span, id) in trace.spans.iter().zip(&ids) {
                    let got = stored[&(TraceId(trace_id), SpanId(*id))];
                    let grain = if format == Format::Zipkin { 1_000 } else { 1 };
                    let start = cycle.begin_unix_ns + trace.start_ns + span.start_ns;
                    assert_eq!(
                        got.parent(),
                        span.parent.map(|parent| SpanId(ids[parent as usize]))
                    );
                    assert_eq!(got.start_unix_ns(), start / grain * grain);
                    assert_eq!(got.duration_ns(), span.duration_ns / grain * grain);
                    assert_eq!(got.operation(), &*span.name);
                    assert_eq!(
                        got.service(),
                        &*pool.plan.landscape.origins[span.origin as usize].service
                    );
                    assert_eq!(got.is_error(), span.failure.is_some());
                    let tags: BTreeMap<_, _> = got
                        .attributes()
                        .map(|tag| (tag.key, tag.value.text().into_owned()))
                        .collect();
                    for (key, value) in &span.attributes {
                        assert_eq!(
                            tags.get(&**key),
                            Some(&cycle.text(value)),
                            "{format:?} {key:?}"
                        );
                    }
                    if format == Format::OtlpHttp {
                        let exceptions = got.event_attributes().count();
                        assert_eq!(
                            exceptions,
                            span.events
                                .iter()
                                .map(|event| event.attributes.len())
                                .sum::<usize>()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_cycle_other_values() {
    let make = |seed| {
        pool(
            Dataset::Realistic,
            50,
            Format::OtlpHttp,
            Layout::Gateway,
            seed,
        )
    };
    assert_eq!(make(1).templates, make(1).templates);
    assert_ne!(make(1).templates, make(2).templates);
    let pool = make(1);
    let (first, second) = (
        decoded(&pool, Format::OtlpHttp, 0),
        decoded(&pool, Format::OtlpHttp, 1),
    );
    let drawn = |batches: &[SpanBatch]| -> BTreeSet<String> {
        let of = batches
            .iter()
            .flat_map(SpanBatch::spans)
            .flat_map(|span| span.attributes());
        of.filter(|tag| tag.key == "request.id")
            .map(|tag| tag.value.text().into_owned())
            .collect()
    };
    assert!(drawn(&first).is_disjoint(&drawn(&second)));
    assert_eq!(drawn(&first).len() as u64, pool.plan.traces());
}

#[test]
fn realistic_traffic_is_what_it_says_it_is() {
    for seed in 1..4 {
        let pool = pool(
            Dataset::Realistic,
            50,
            Format::OtlpHttp,
            Layout::Gateway,
            seed,
        );
        let batches = decoded(&pool, Format::OtlpHttp, 0);
        let spans = || batches.iter().flat_map(SpanBatch::spans);
        let count = pool.plan.spans() as f64;
        let a_span = |sum: usize| sum as f64 / count;
        let per_trace = count / pool.plan.traces() as f64;
        let attributes = a_span(
            spans()
                .map(|span| span.attributes().count() + span.resource().attributes().count())
                .sum(),
        );
        let errors = a_span(spans().filter(|span| span.is_error()).count());
        let services: BTreeSet<_> = spans().map(|span| span.service()).collect();
        let said = format!(
            "seed {seed}: {per_trace:.1} spans a trace, {attributes:.1} attributes, {:.0} bytes, {:.2} % errors, {} services, {} resources",
            pool.plan.bytes_per_span(),
            errors * 100.0,
            services.len(),
            batches[3].columns().resources.len()
        );
        assert!((16.0..23.0).contains(&per_trace), "{said}");
        assert!((10.0..13.0).contains(&attributes), "{said}");
        assert!(
            (450.0..600.0).contains(&pool.plan.bytes_per_span()),
            "{said}"
        );
        assert!((0.01..0.03).contains(&errors), "{said}");
        assert!(services.len() >= 45, "{said}");
    }
}

#[test]
fn a_giant_is_one() {
    let landscape = Landscape::new(Dataset::Realistic, 50, 1, 50_000);
    assert!((10_000..=10_001).contains(&landscape.giant(0, 10_000).spans.len()));
}

#[test]
fn other_datasets_and_sizes_are_made_too() {
    let adverse = pool(
        Dataset::Adversarial,
        50,
        Format::OtlpHttp,
        Layout::Gateway,
        1,
    );
    for span in decoded(&adverse, Format::OtlpHttp, 0)
        .iter()
        .flat_map(SpanBatch::spans)
    {
        assert_eq!(span.attributes().count(), 64);
    }
    let demo = pool(
        Dataset::LowEntropy,
        50,
        Format::OtlpHttp,
        Layout::Gateway,
        1,
    );
    let batches = decoded(&demo, Format::OtlpHttp, 0);
    let texts: BTreeSet<_> = batches
        .iter()
        .flat_map(SpanBatch::spans)
        .flat_map(|span| span.attributes())
        .map(|tag| tag.value.text().into_owned())
        .collect();
    assert!(texts.len() < 2_000, "{}", texts.len());
    let many = pool(
        Dataset::Realistic,
        500,
        Format::OtlpHttp,
        Layout::Service,
        1,
    );
    let services: BTreeSet<_> = many.plan.landscape.services().collect();
    assert_eq!(services.len(), 500);
    decoded(&many, Format::OtlpHttp, 0);
    assert_eq!(
        Landscape::new(Dataset::Realistic, 1, 1, 50_000)
            .services()
            .count(),
        1
    );
}
