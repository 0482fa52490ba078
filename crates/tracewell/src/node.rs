//! A running node: opened in order, stopped in reverse. Ingest and query run on runtimes of their
//! own (R26); workers and the log's sync run on named threads (D14).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tracewell_collector::Collector;
use tracewell_model::Clock;
use tracewell_model::clock::SystemClock;
use tracewell_query::{Metrics, Querier, QueryConfig, Readers};
use tracewell_workers::{SdkLosses, Stop, Worker, WorkersCollector, storage_writer};

use crate::about::About;
use crate::addresses::Addresses;
use crate::admin;
use crate::assemble::Embedded;
use crate::backlog;
use crate::client;
use crate::config::Config;
use crate::log_metrics::LogMetrics;
use crate::memory::{self, Shares};
use crate::readiness::Readiness;
use crate::role::Role;
use crate::server;
use crate::status::{NodeMetrics, NodeStatus};

/// How long the last requests' tasks may take once their listener has drained.
pub(crate) const RUNTIME_STOP: Duration = Duration::from_secs(5);
/// How much less of a busy processor those get who take spans in than those who store them: half of
/// another's share. Else spans come in faster than they are stored, fall out of the log's memory, and
/// are read back from the disk and decoded once more.
const INGEST_NICE: i32 = 3;
/// How often the sealer looks whether there is a full head: at full rate one is full in half a second.
const SEAL_EVERY: Duration = Duration::from_millis(20);
/// How much less of a busy processor the compactor gets: a third of another's share, so that it
/// never starves.
const COMPACT_NICE: i32 = 5;
/// How often the compactor looks whether something has expired, or is to be merged.
const COMPACT_EVERY: Duration = Duration::from_millis(500);
/// How often the start looks how far replay is, and the sealer meanwhile whether the head is due.
const REPLAY_LOOK_EVERY: Duration = Duration::from_millis(2);
/// The longest the log's thread waits before it looks whether to stop.
const SYNC_WAIT: Duration = Duration::from_millis(200);

/// What runs until it is told to stop.
pub(crate) trait Running {
    /// Where it listens.
    fn addresses(&self) -> &Addresses;

    /// Where its files are.
    fn data(&self) -> &Path;

    /// Closes the doors, lets the staff finish, closes the rooms (P21).
    fn stop(self) -> anyhow::Result<()>;
}

/// A node that runs.
pub(crate) struct Node {
    addresses: Addresses,
    data: PathBuf,
    doors: watch::Sender<bool>,
    rooms: watch::Sender<bool>,
    ingest: Runtime,
    query: Runtime,
    ingest_servers: Vec<tokio::task::JoinHandle<()>>,
    query_servers: Vec<tokio::task::JoinHandle<()>>,
    stop_workers: Stop,
    stop_sync: Stop,
    workers: Vec<JoinHandle<()>>,
    sync: JoinHandle<()>,
    sealer: JoinHandle<()>,
    compactor: JoinHandle<()>,
    backend: Arc<Embedded>,
}

impl Node {
    /// Opens everything and answers once it is ready: replayed, listening, and said so.
    pub(crate) fn start(config: &Config) -> anyhow::Result<Node> {
        Role::check(config).map_err(anyhow::Error::msg)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let backend = Arc::new(Embedded::open(config, &clock)?);
        Addresses::remove(&config.data);
        let ingest = ingest_runtime()?;
        let query = runtime("query")?;
        let ingest_listener =
            ingest.block_on(server::bind("listen_ingest", config.listen_ingest))?;
        let grpc_listener =
            ingest.block_on(server::bind("listen_otlp_grpc", config.listen_otlp_grpc))?;
        let query_listener = query.block_on(server::bind("listen_query", config.listen_query))?;
        let admin_listener = query.block_on(server::bind("listen_admin", config.listen_admin))?;
        let mut addresses = Addresses::default();
        addresses.add("ingest", ingest_listener.local_addr()?);
        addresses.add("otlp_grpc", grpc_listener.local_addr()?);
        addresses.add("query", query_listener.local_addr()?);
        addresses.add("admin", admin_listener.local_addr()?);

        let losses = SdkLosses::default();
        let workers = backend.workers(&clock, losses.clone())?;
        let collector = Collector::new(backend.span_log(), clock.clone(), collector_config(config));
        let readiness = Arc::new(Readiness::new(&backend.span_log(), &workers));
        let worker_status: Vec<_> = workers.iter().map(Worker::status).collect();
        let about = About::new(
            config,
            &addresses,
            Some(collector.clone()),
            worker_status.clone(),
            readiness.clone(),
            clock.clone(),
        );
        let status = Arc::new(NodeStatus::new(about, backend.clone()));
        let mut registry = Registry::default();
        collector.register(&mut registry);
        registry.register_collector(Box::new(WorkersCollector(worker_status)));
        registry.register_collector(Box::new(losses));
        registry.register_collector(Box::new(NodeMetrics(status.clone())));
        registry.register_collector(Box::new(LogMetrics(backend.span_log())));
        let query_metrics = Metrics::register(&mut registry);
        let admin = admin::routes(readiness.clone(), registry);

        let (doors, doors_stop) = watch::channel(false);
        let (rooms, rooms_stop) = watch::channel(false);
        let readers = Readers {
            refusals: collector.refusals(),
            ..backend.readers()
        };
        let querier = Arc::new(Querier::new(readers, clock.clone(), QueryConfig::default()));
        let api = tracewell_query::routes(querier, status, query_metrics);
        let api = api.merge(admin.clone());
        let spawn = |runtime: &Runtime,
                     listener: TcpListener,
                     router: Router,
                     stop: &watch::Receiver<bool>| {
            runtime.spawn(server::serve(listener, router, stop.clone()))
        };
        let query_servers = vec![
            spawn(&query, query_listener, api, &rooms_stop),
            spawn(&query, admin_listener, admin, &rooms_stop),
        ];
        let ingest_servers = vec![
            spawn(
                &ingest,
                ingest_listener,
                collector
                    .http_routes()
                    .merge(admin::health(readiness.clone())),
                &doors_stop,
            ),
            spawn(&ingest, grpc_listener, collector.grpc_routes(), &doors_stop),
        ];

        ingest.spawn(backlog::hold_off(backend.span_log(), collector.clone()));

        let (stop_workers, stop_sync) = (Stop::new(), Stop::new());
        let watch = memory::Watch {
            bytes_max: config.memory_bytes_max,
            engine: backend.engine.clone(),
            collector: collector.clone(),
        };
        memory::spawn(watch, stop_workers.clone())?;
        let start = |worker| spawn_worker(worker, stop_workers.clone());
        let is_store = |worker: &Worker| worker.status().snapshot().group == storage_writer::GROUP;
        let (store, others) = workers.into_iter().partition::<Vec<_>, _>(is_store);
        let mut workers = store
            .into_iter()
            .map(start)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let sync = spawn_sync(backend.clone(), stop_sync.clone())?;
        let sealer = spawn_sealer(backend.clone(), readiness.clone(), stop_workers.clone())?;
        let compactor = spawn_compactor(backend.clone(), stop_workers.clone())?;
        wait_for_replay(&readiness, clock.as_ref());
        // What is found (D8) comes first; figures are counted again beside what comes in now.
        for worker in others {
            workers.push(start(worker)?);
        }
        addresses.write(&config.data)?;
        Ok(Node {
            addresses,
            data: config.data.clone(),
            doors,
            rooms,
            ingest,
            query,
            ingest_servers,
            query_servers,
            stop_workers,
            stop_sync,
            workers,
            sync,
            sealer,
            compactor,
            backend,
        })
    }
}

impl Running for Node {
    fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn data(&self) -> &Path {
        &self.data
    }

    fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping: no more spans are taken in");
        Addresses::remove(&self.data);
        close(&self.ingest, &self.doors, self.ingest_servers);
        self.ingest.shutdown_timeout(RUNTIME_STOP);
        self.stop_workers.set();
        for worker in self.workers {
            worker.join().map_err(|_| {
                anyhow::anyhow!("a worker ended badly; the log has what it had not stored")
            })?;
        }
        self.sealer.join().map_err(|_| {
            anyhow::anyhow!("the sealer ended badly; the log has what is not sealed")
        })?;
        self.compactor
            .join()
            .map_err(|_| anyhow::anyhow!("the compactor ended badly; segments are as they were"))?;
        self.stop_sync.set();
        self.sync
            .join()
            .map_err(|_| anyhow::anyhow!("the log's sync ended badly"))?;
        close(&self.query, &self.rooms, self.query_servers);
        self.query.shutdown_timeout(RUNTIME_STOP);
        self.backend
            .log
            .close()
            .map_err(|error| anyhow::anyhow!("close the log: {error}"))?;
        tracing::info!("stopped");
        Ok(())
    }
}

pub(crate) fn collector_config(config: &Config) -> tracewell_collector::Config {
    tracewell_collector::Config {
        ack: config.ack,
        in_flight_bytes_max: Shares::of(config.memory_bytes_max).bodies,
        ..tracewell_collector::Config::default()
    }
}

pub(crate) fn runtime(name: &'static str) -> anyhow::Result<Runtime> {
    build(name, &mut tokio::runtime::Builder::new_multi_thread())
}

/// The runtime of those who take spans in beside those who store them.
fn ingest_runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    build(
        "ingest",
        builder.on_thread_start(|| step_back("ingest", INGEST_NICE)),
    )
}

fn build(name: &'static str, builder: &mut tokio::runtime::Builder) -> anyhow::Result<Runtime> {
    builder
        .thread_name(name)
        .enable_all()
        .build()
        .with_context(|| format!("start the {name} runtime"))
}

/// Lets others go first on a busy processor. On Linux this is of the calling thread alone.
fn step_back(thread: &str, nice: i32) {
    if let Err(error) = rustix::process::nice(nice) {
        tracing::warn!(%error, thread, "a thread runs at the priority of all others");
    }
}

/// Closes listeners and waits for what is open; `serve` bounds how long.
pub(crate) fn close(
    runtime: &Runtime,
    stop: &watch::Sender<bool>,
    servers: Vec<tokio::task::JoinHandle<()>>,
) {
    stop.send_replace(true);
    for server in servers {
        if let Err(error) = runtime.block_on(server) {
            tracing::error!(%error, "a listener ended badly");
        }
    }
}

/// Waits until what the log held is found again, and says each second how far it is.
fn wait_for_replay(readiness: &Readiness, clock: &dyn Clock) {
    let begun = clock.monotonic_ns();
    let mut said_s = 0;
    while let Some(progress) = readiness.replaying() {
        let seconds = clock.monotonic_ns().saturating_sub(begun) / 1_000_000_000;
        if seconds > said_s {
            said_s = seconds;
            tracing::info!(seconds, "{progress}");
        }
        client::wait(REPLAY_LOOK_EVERY);
    }
}

fn spawn_worker(mut worker: Worker, stop: Stop) -> anyhow::Result<JoinHandle<()>> {
    let name = format!("{}-worker", worker.status().snapshot().group);
    let thread = std::thread::Builder::new().name(name);
    thread
        .spawn(move || worker.run(&stop))
        .context("start a worker")
}

/// Seals full heads beside the worker, which takes in the next spans meanwhile (D8). While the log is
/// replayed heads are full in no time.
fn spawn_sealer(
    backend: Arc<Embedded>,
    readiness: Arc<Readiness>,
    stop: Stop,
) -> anyhow::Result<JoinHandle<()>> {
    let pause = move || match readiness.replaying() {
        Some(_) => REPLAY_LOOK_EVERY,
        None => SEAL_EVERY,
    };
    let run = move || {
        while !stop.wait(pause()) {
            match backend.engine.seal_step() {
                Ok(_sealed) => {}
                // Tried again at the next step; the engine's status names it until then.
                Err(error) => tracing::warn!(%error, "sealing the head"),
            }
        }
    };
    let thread = std::thread::Builder::new().name("sealer".to_owned());
    thread.spawn(run).context("start the sealer")
}

/// Removes what has expired, and merges segments. Whoever takes spans in or answers goes first.
fn spawn_compactor(backend: Arc<Embedded>, stop: Stop) -> anyhow::Result<JoinHandle<()>> {
    let run = move || {
        step_back("compactor", COMPACT_NICE);
        while !stop.wait(COMPACT_EVERY) {
            backend.retain();
            while backend.compact(&stop) {
                backend.retain();
            }
        }
    };
    let thread = std::thread::Builder::new().name("compactor".to_owned());
    thread.spawn(run).context("start the compactor")
}

/// The log's grouped fdatasync (D7): waits for someone who wants `durable`, then syncs for all.
fn spawn_sync(backend: Arc<Embedded>, stop: Stop) -> anyhow::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("log-sync".to_owned());
    let run = move || {
        while !stop.is_set() {
            backend.log.wait_for_sync_work(SYNC_WAIT);
            backend.log.sync_step();
        }
    };
    thread.spawn(run).context("start the log's sync")
}
