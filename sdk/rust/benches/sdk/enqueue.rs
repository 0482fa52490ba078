//! What putting a finished span into the ring costs the thread that does it, flat out from several
//! threads at once: more than any service, so the ring is full nearly all the time.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use tracewell_sdk::Tracer;
use tracewell_sdk::internals::Finished;

use crate::allocations;
use crate::collectors::{self, STATES};
use crate::latency::Latencies;
use crate::table::Row;

/// Spans measured in all, whatever the number of producers.
const SPANS: usize = 800_000;
const PRODUCERS: [usize; 3] = [1, 4, 16];
/// As often the flusher looks meanwhile, at least.
const WARM_ROUNDS: u32 = 5;
const LOOK: Duration = Duration::from_millis(110);

pub(crate) fn rows() -> Vec<Row> {
    let cases = STATES
        .iter()
        .flat_map(|state| PRODUCERS.map(|producers| (*state, producers)));
    cases
        .map(|(state, producers)| measure(state, producers))
        .collect()
}

fn measure(state: &'static str, producers: usize) -> Row {
    let tracer = collectors::tracer(state);
    let start = Arc::new(Barrier::new(producers));
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let start = start.clone();
            std::thread::spawn(move || produce(tracer, &start, SPANS / producers))
        })
        .collect();
    let mut all = Latencies::new();
    let mut allocations = 0;
    for thread in threads {
        let (latencies, allocated) = thread.join().unwrap();
        all.add(&latencies);
        allocations += allocated;
    }
    let account = tracer.account();
    let share = account.dropped_total() as f64 / account.ended as f64;
    tracer.shutdown(Duration::from_millis(100));
    let threads = if producers == 1 {
        "1 producer"
    } else {
        &format!("{producers} producers")
    };
    Row {
        group: "enqueue of a finished span",
        what: format!("collector {state}, {threads}"),
        figures: vec![
            ("p50, ns", all.percentile(0.5)),
            ("p99, ns", all.percentile(0.99)),
            ("p99.9, ns", all.percentile(0.999)),
            ("max, µs", (all.percentile(1.0) / 1000.0).round()),
            ("allocations", allocations as f64),
            ("dropped, %", (share * 100.0).round()),
        ],
    }
}

fn produce(tracer: Tracer, start: &Barrier, spans: usize) -> (Latencies, u64) {
    let finished = || {
        let mut span = tracer.start("GET /cart/{id}");
        span.set_attribute("http.route", "/cart/{id}");
        span.set_attribute("user.id", "u-12345678");
        Finished::of(span).unwrap()
    };
    start.wait();
    // Warm: the ring has gone round, the flusher has its batch, and every buffer has been made.
    for _ in 0..WARM_ROUNDS {
        (0..60_000).for_each(|_| finished().enqueue());
        std::thread::sleep(LOOK);
    }
    let mut latencies = Latencies::new();
    let before = allocations::so_far();
    for _ in 0..spans {
        let span = finished();
        latencies.time(|| span.enqueue());
    }
    (latencies, allocations::so_far() - before)
}
