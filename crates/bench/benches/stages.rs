//! The stages of ingest and reading, one after another on one thread, on the same spans each time: for
//! counting instructions, which are the same wherever they are counted.
//!
//! `cargo xtask test bench` runs this under Valgrind, which writes what it counted whenever a function
//! of `stage` is entered or left; `stages bytes` stores more spans and prints what they take. Nothing
//! here is timed.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a stage that fails ends the count

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tracewell_bench::body::{Format, Layout, Pool, PoolOptions};
use tracewell_bench::traffic::{Dataset, Landscape};
use tracewell_model::clock::ManualClock;
use tracewell_model::{Clock, TraceId};
use tracewell_storage::{ReadContext, SpanLog, TraceQuery};
use tracewell_storage_embedded::engine::{Engine, EngineOptions};
use tracewell_storage_embedded::fs::StdFs;
use tracewell_storage_embedded::log::{EmbeddedLog, Options};
use tracewell_storage_embedded::stats::EmbeddedStats;
use tracewell_workers::aggregator::{self, Aggregator};
use tracewell_workers::storage_writer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 1;
const BEGIN_UNIX_NS: u64 = 1_750_000_000_000_000_000;
/// Spans whose stages are counted: under Valgrind each instruction costs fifty.
const COUNTED_SPANS: u64 = 50_000;
/// Spans whose bytes are: some segments of them.
const STORED_SPANS: u64 = 300_000;
const READS: usize = 50;
const SEARCHES: usize = 20;

fn main() {
    let bytes = std::env::args().any(|argument| argument == "bytes");
    let dir = std::env::temp_dir().join(format!("tracewell-stages-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    if bytes {
        println!(
            "{{\"spans\": {STORED_SPANS}, \"bytes\": {}}}",
            stored_bytes(&dir)
        );
    } else {
        counted(&dir);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A node without its sockets and threads.
struct Rooms {
    clock: Arc<dyn Clock>,
    log: EmbeddedLog,
    engine: Arc<Engine>,
    stats: Arc<EmbeddedStats>,
}

impl Rooms {
    fn open(dir: &Path) -> Rooms {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(BEGIN_UNIX_NS));
        let groups = vec![
            storage_writer::GROUP.to_owned(),
            aggregator::GROUP.to_owned(),
        ];
        // The same salt each time: what is written is the same, too.
        let options = Options {
            groups,
            salt_seed: SEED,
            ..Options::default()
        };
        let (log, _recovery) =
            EmbeddedLog::open(StdFs::shared(), dir, options, clock.clone()).unwrap();
        let options = EngineOptions {
            seal_inline: false,
            ..EngineOptions::default()
        };
        Rooms {
            log,
            engine: Engine::open(StdFs::shared(), dir, clock.clone(), options).unwrap(),
            stats: EmbeddedStats::open(StdFs::shared(), dir, clock.clone())
                .map(Arc::new)
                .unwrap(),
            clock,
        }
    }

    fn context(&self) -> ReadContext {
        ReadContext::new(self.clock.clone(), 60_000_000_000)
    }
}

fn bodies(spans: u64) -> (Pool, Vec<Bytes>) {
    let landscape = Landscape::new(Dataset::Realistic, 50, SEED, 50_000);
    let options = PoolOptions {
        format: Format::OtlpHttp,
        layout: Layout::Gateway,
        batch: 500,
        spans,
        giant_spans: 0,
    };
    let pool = Pool::new(landscape, SEED, options);
    let cycle = pool.plan.cycle(0, BEGIN_UNIX_NS);
    let bodies = pool.templates.iter().enumerate();
    let bodies = bodies
        .map(|(body, template)| pool.plan.write(body as u64, template.clone(), cycle))
        .collect();
    (pool, bodies)
}

fn counted(dir: &Path) {
    let (pool, bodies) = bodies(COUNTED_SPANS);
    let plan = &pool.plan;
    let cycle = plan.cycle(0, BEGIN_UNIX_NS);
    let rooms = Rooms::open(dir);
    let mut storage = rooms
        .log
        .subscribe(storage_writer::GROUP, &rooms.engine.durable())
        .unwrap();
    let mut sink = rooms.engine.sink();
    let mut aggregator = Aggregator::new(rooms.stats.clone());
    let batches = stage::decode(&bodies);
    stage::log(&rooms.log, batches);
    let records = storage.poll(usize::MAX, std::time::Duration::ZERO).unwrap();
    stage::head(&mut sink, &records);
    stage::statistics(&mut aggregator, &records, BEGIN_UNIX_NS);
    drop(records);
    stage::seal(&mut sink);
    let reader = rooms.engine.traces();
    let step = plan.traces() as usize / READS;
    let ids: Vec<TraceId> = (0..READS)
        .map(|nth| TraceId(plan.ids((nth * step) as u64, cycle).0))
        .collect();
    assert_eq!(stage::by_id(&reader, &ids, &rooms.context()), READS);
    let services: Vec<&str> = plan.landscape.services().collect();
    let queries: Vec<TraceQuery> = (0..SEARCHES)
        .map(|nth| search(services[nth * 2 % services.len()], nth))
        .collect();
    assert!(stage::search(&reader, &queries, &rooms.context()) > 0);
    println!(
        "{{\"spans\": {}, \"reads\": {READS}, \"searches\": {SEARCHES}}}",
        plan.spans()
    );
}

/// Service, error, duration, newest 20.
fn search(service: &str, nth: usize) -> TraceQuery {
    TraceQuery {
        service: Some(service.to_owned()),
        span_error: Some(nth.is_multiple_of(2)),
        min_span_duration_ns: Some(1_000_000),
        limit: 20,
        ..TraceQuery::default()
    }
}

fn stored_bytes(dir: &Path) -> u64 {
    let (pool, bodies) = bodies(STORED_SPANS);
    let rooms = Rooms::open(dir);
    let mut storage = rooms
        .log
        .subscribe(storage_writer::GROUP, &rooms.engine.durable())
        .unwrap();
    let mut sink = rooms.engine.sink();
    for bodies in bodies.chunks(10) {
        stage::log(&rooms.log, stage::decode(bodies));
        let records = storage.poll(usize::MAX, std::time::Duration::ZERO).unwrap();
        stage::head(&mut sink, &records);
    }
    stage::seal(&mut sink);
    let status = rooms.engine.status();
    assert_eq!(status.stored, pool.plan.spans());
    status.disk_bytes
}

/// What is counted. Each stage is one function that is called, never a part of its caller.
mod stage {
    use super::*;
    use tracewell_model::{BatchBuilder, SpanBatch};
    use tracewell_storage::{Ack, Record, Sink, TraceFinder, TraceReader};
    use tracewell_storage_embedded::{EmbeddedTraces, StorageSink};
    use tracewell_wire::{Report, otlp};

    /// Shards of a batch: as many as a node of two processors has.
    const SHARDS: u16 = 2;

    #[inline(never)]
    pub(crate) fn decode(bodies: &[Bytes]) -> Vec<SpanBatch> {
        let mut batches = Vec::new();
        let mut builder = BatchBuilder::new(SHARDS);
        for body in bodies {
            let mut report = Report::default();
            otlp::protobuf::decode(body, &mut builder, &mut report).unwrap();
            batches.extend(builder.finish());
        }
        batches
    }

    #[inline(never)]
    pub(crate) fn log(log: &EmbeddedLog, batches: Vec<SpanBatch>) {
        let mut batches = batches.into_iter();
        loop {
            let request: Vec<SpanBatch> = batches.by_ref().take(usize::from(SHARDS)).collect();
            if request.is_empty() {
                return;
            }
            log.append(request, Ack::Logged, Box::new(|appended| appended.unwrap()));
        }
    }

    #[inline(never)]
    pub(crate) fn head(sink: &mut StorageSink, records: &[Record]) {
        sink.apply(records).unwrap();
    }

    #[inline(never)]
    pub(crate) fn statistics(aggregator: &mut Aggregator, records: &[Record], now_unix_ns: u64) {
        aggregator.apply(records).unwrap();
        aggregator.tick(now_unix_ns + 1_000_000_000).unwrap();
    }

    #[inline(never)]
    pub(crate) fn seal(sink: &mut StorageSink) {
        sink.flush().unwrap();
    }

    #[inline(never)]
    pub(crate) fn by_id(reader: &EmbeddedTraces, ids: &[TraceId], context: &ReadContext) -> usize {
        ids.iter()
            .filter(|id| !reader.get_trace(**id, context).unwrap().is_empty())
            .count()
    }

    #[inline(never)]
    pub(crate) fn search(
        finder: &EmbeddedTraces,
        queries: &[TraceQuery],
        context: &ReadContext,
    ) -> usize {
        queries
            .iter()
            .map(|query| finder.find_traces(query, context).unwrap().hits.len())
            .sum()
    }
}
