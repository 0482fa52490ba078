//! Why traces are kept, in answers: asked once for a page, and said where it cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use serde_json::{Value, json};
use tracewell_model::TraceId;
use tracewell_model::clock::ManualClock;
use tracewell_query::{QueryConfig, Readers};
use tracewell_storage::memory::MemoryStats;
use tracewell_storage::sampling::{Kept, SamplingReport, WhatIf};
use tracewell_storage::{Error, ReadContext, SamplingReader};

use crate::world::{NOW, World, ask, router};

const SEARCH: &str = "/api/traces";
const TRACE: &str = "/api/traces/00000000000000000000000000000001";

/// Knows it of the first trace, and nothing yet of others; or of none.
#[derive(Default)]
struct Sampler {
    is_away: bool,
    asked: AtomicUsize,
}

impl SamplingReader for Sampler {
    fn is_on(&self) -> bool {
        true
    }

    fn why_kept(&self, traces: &[(TraceId, u64)]) -> Result<Vec<Option<Kept>>, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let why = |(id, _): &(TraceId, u64)| (id.0[15] == 1).then_some(Kept::Share);
        match self.is_away {
            true => Err(Error::retryable("the ledger is away")),
            false => Ok(traces.iter().map(why).collect()),
        }
    }

    fn pin(&self, _id: TraceId, _start_unix_ns: u64) {}

    fn report(&self) -> SamplingReport {
        SamplingReport::default()
    }

    fn what_if(&self, _context: &ReadContext) -> Result<WhatIf, Error> {
        Ok(WhatIf::default())
    }
}

/// What a search and a trace answer, of three traces.
async fn answers(sampler: Arc<Sampler>) -> [Value; 2] {
    let span = |id: u64| {
        json!({"trace_id": format!("{id:032x}"), "span_id": format!("{id:016x}"), "service_name": "shop",
               "operation_name": "op", "start_time_unix_ns": NOW - 1_000_000 * (10 - id), "duration_ms": 1.0})
    };
    let store = World::of(&json!([span(1), span(2), span(3)])).store;
    let readers = Readers {
        traces: Arc::new(store.clone()),
        finder: Arc::new(store.clone()),
        scanner: Arc::new(store.clone()),
        exporter: Arc::new(store),
        stats: Arc::new(MemoryStats::new()),
        refusals: Default::default(),
        sampling: Some(sampler),
    };
    let clock = Arc::new(ManualClock::at(NOW));
    let router = router(readers, clock, QueryConfig::default());
    let search = ask(&router, Request::get(SEARCH)).await;
    let trace = ask(&router, Request::get(TRACE)).await;
    [search.json(), trace.json()]
}

#[tokio::test]
async fn a_page_of_hits_asks_once_why_they_are_kept() {
    let sampler = Arc::<Sampler>::default();
    let [search, trace] = answers(sampler.clone()).await;
    let why = search["traces"].as_array().unwrap().iter();
    let why: Vec<&Value> = why.map(|hit| &hit["kept_because"]).collect();
    assert_eq!(why, [&Value::Null, &Value::Null, &json!("share")]);
    assert_eq!(trace["kept_because"], "share");
    assert_eq!(search["complete"], true);
    assert_eq!(sampler.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_said() {
    let sampler = Sampler {
        is_away: true,
        ..Sampler::default()
    };
    let [search, trace] = answers(Arc::new(sampler)).await;
    for (answer, of) in [(&search, &search["traces"][0]), (&trace, &trace)] {
        assert_eq!(of.get("kept_because"), None, "{of}");
        assert_eq!(answer["complete"], false);
        let said = "why traces are kept cannot be read now: the ledger is away";
        assert_eq!(answer["incomplete_reasons"], json!([said]));
    }
}
