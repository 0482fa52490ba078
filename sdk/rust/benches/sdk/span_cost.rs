//! A span from its start to its end, by whoever contends. Each contender is warmed up, then all are timed in
//! turn, in short slices: a busy neighbour spoils slices of all alike, and not the best tenth of them.

use std::time::Instant;

use tracewell_sdk::{Context, Kind, Sampler, Tracer};

use crate::allocations;
use crate::collectors;
use crate::others;
use crate::table::Row;

const SLICES: usize = 500;
pub(crate) const SPANS: u64 = 1_000;

/// Someone's way to record a span of this work. Others' SDKs join here.
struct Contender {
    name: &'static str,
    /// What is current meanwhile.
    within: Context,
    record: Box<dyn Fn(u64)>,
    /// Between two slices: lets what was recorded be sent, as a service that is no bench would.
    settle: Box<dyn Fn()>,
}

fn contenders() -> Vec<Contender> {
    let (healthy, dead) = (collectors::tracer("healthy"), collectors::tracer("dead"));
    let never = Tracer::builder().sampler(Sampler::never()).build();
    let flush = move || assert!(healthy.flush(std::time::Duration::from_secs(60)));
    let contender = |name, record: Box<dyn Fn(u64)>| Contender {
        name,
        within: Context::default(),
        record,
        settle: Box::new(flush),
    };
    let other = |name, (record, settle): others::Ways| Contender {
        name,
        within: Context::default(),
        record,
        settle,
    };
    vec![
        contender(
            "tracewell: root",
            Box::new(move |number| attributed(healthy, number)),
        ),
        Contender {
            within: healthy.start("parent").context(),
            ..contender(
                "tracewell: child",
                Box::new(move |number| attributed(healthy, number)),
            )
        },
        Contender {
            settle: Box::new(|| ()),
            ..contender(
                "tracewell: root, flat out, collector dead, ring full",
                Box::new(move |number| attributed(dead, number)),
            )
        },
        contender(
            "tracewell: root, no attributes",
            Box::new(move |_| healthy.start("x").end()),
        ),
        contender(
            "tracewell: not sampled",
            Box::new(move |number| attributed(never, number)),
        ),
        other(
            "opentelemetry_sdk: root, BatchSpanProcessor",
            others::opentelemetry_batch(others::Nowhere),
        ),
        other(
            "opentelemetry_sdk: root, our RingProcessor",
            others::opentelemetry_ring(),
        ),
        other("fastrace: root", others::fastrace_root(others::Nowhere)),
        other(
            "fastrace: local child",
            others::fastrace_local(others::Nowhere),
        ),
    ]
}

/// Six attributes of the usual kinds.
pub(crate) fn attributed(tracer: Tracer, number: u64) {
    let mut span = tracer.span("GET /cart/{id}").kind(Kind::Server).start();
    span.set_attribute("http.request.method", "GET");
    span.set_attribute("http.route", "/cart/{id}");
    span.set_attribute("http.response.status_code", 200);
    span.set_attribute("user.id", "u-12345678");
    span.set_attribute("cart.items", number);
    span.set_attribute("cache.hit", true);
    span.end();
}

/// What a contender's slices took.
#[derive(Default)]
struct Taken {
    ns_a_span: Vec<f64>,
    allocations: u64,
}

impl Taken {
    fn slice(&mut self, contender: &Contender) {
        let _current = contender.within.clone().attach();
        // Others have had the caches since its last turn, and its buffers lie cold: one slice goes before.
        (contender.settle)();
        (0..SPANS).for_each(|number| (contender.record)(number));
        (contender.settle)();
        let before = allocations::so_far();
        let start = Instant::now();
        (0..SPANS).for_each(|number| (contender.record)(number));
        let ns = start.elapsed().as_nanos() as f64;
        self.ns_a_span.push(ns / SPANS as f64);
        self.allocations += allocations::so_far() - before;
    }

    fn row(mut self, contender: &Contender) -> Row {
        self.ns_a_span.sort_by(f64::total_cmp);
        let at = |share: f64| self.ns_a_span[(SLICES as f64 * share) as usize].round();
        let allocations = self.allocations as f64 / (SLICES as u64 * SPANS) as f64;
        Row {
            group: "a span: started, six attributes, ended",
            what: contender.name.to_owned(),
            figures: vec![
                ("best tenth, ns", at(0.1)),
                ("median, ns", at(0.5)),
                ("allocations a span", (allocations * 100.0).round() / 100.0),
            ],
        }
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let contenders = contenders();
    for contender in &contenders {
        let mut warm = Taken::default();
        (0..100).for_each(|_| warm.slice(contender));
    }
    let mut taken: Vec<Taken> = contenders.iter().map(|_| Taken::default()).collect();
    for _ in 0..SLICES {
        for (taken, contender) in taken.iter_mut().zip(&contenders) {
            taken.slice(contender);
        }
    }
    let rows = taken.into_iter().zip(&contenders);
    rows.map(|(taken, contender)| taken.row(contender))
        .collect()
}
