//! A span from its start to its end, by whoever contends. Each contender is warmed up, then timed in
//! turns with the others, in short slices: a busy neighbour spoils slices, not medians.

use std::time::Instant;

use tracewell_sdk::{Kind, Tracer};

use crate::Row;
use crate::allocations;
use crate::collectors;

const SLICES: usize = 1_000;
const SPANS: u64 = 500;

/// Someone's way to record a span of this work. Others' SDKs join here.
struct Contender {
    name: &'static str,
    record: Box<dyn Fn(u64)>,
}

fn contenders() -> Vec<Contender> {
    let (healthy, dead) = (collectors::tracer("healthy"), collectors::tracer("dead"));
    let parent = healthy.start("parent").context();
    let contender = |name, record: Box<dyn Fn(u64)>| Contender { name, record };
    vec![
        contender(
            "tracewell: root",
            Box::new(move |number| attributed(healthy, number)),
        ),
        contender(
            "tracewell: child of the current span",
            Box::new(move |number| {
                // The context stays attached for the slice: attaching is the caller's, once a request.
                attributed(healthy, number);
            }),
        )
        .within(parent),
        contender(
            "tracewell: root, collector dead",
            Box::new(move |number| attributed(dead, number)),
        ),
        contender(
            "tracewell: root, no attributes",
            Box::new(move |_| healthy.start("x").end()),
        ),
        contender("tracewell: not sampled", {
            let never = Tracer::builder()
                .sampler(tracewell_sdk::Sampler::never())
                .build();
            Box::new(move |number| attributed(never, number))
        }),
    ]
}

impl Contender {
    /// The same inside of a context.
    fn within(self, context: tracewell_sdk::Context) -> Contender {
        let record = self.record;
        Contender {
            name: self.name,
            record: Box::new(move |number| {
                if number == 0 {
                    std::mem::forget(context.clone().attach());
                }
                record(number);
            }),
        }
    }
}

/// Six attributes of the usual kinds.
fn attributed(tracer: Tracer, number: u64) {
    let mut span = tracer.span("GET /cart/{id}").kind(Kind::Server).start();
    span.set_attribute("http.request.method", "GET");
    span.set_attribute("http.route", "/cart/{id}");
    span.set_attribute("http.response.status_code", 200);
    span.set_attribute("user.id", "u-12345678");
    span.set_attribute("cart.items", number);
    span.set_attribute("cache.hit", true);
    span.end();
}

pub(crate) fn rows() -> Vec<Row> {
    contenders()
        .into_iter()
        .map(|contender| measure(&contender))
        .collect()
}

fn measure(contender: &Contender) -> Row {
    (0..100_000).for_each(|number| (contender.record)(number));
    let before = allocations::so_far();
    let mut slices = Vec::with_capacity(SLICES);
    for _ in 0..SLICES {
        let start = Instant::now();
        (1..=SPANS).for_each(|number| (contender.record)(number));
        slices.push(start.elapsed().as_nanos() as f64 / SPANS as f64);
    }
    let allocations = allocations::so_far() - before;
    slices.sort_by(f64::total_cmp);
    let at = |share: f64| slices[(SLICES as f64 * share) as usize].round();
    Row {
        group: "a span: started, six attributes, ended",
        what: contender.name.to_owned(),
        figures: vec![
            ("best tenth, ns", at(0.1)),
            ("median, ns", at(0.5)),
            (
                "allocations a span",
                allocations as f64 / (SLICES as u64 * SPANS) as f64,
            ),
        ],
    }
}
