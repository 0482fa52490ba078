//! A process of a cluster: the listeners and workers of its roles, and nothing else. All that must
//! survive lies in the engines, so that any of these processes may die, and any number may run.

mod checkup;
mod status;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

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
use tracewell_storage::SpanLog;
use tracewell_storage_kafka::KafkaLog;
use tracewell_workers::{Opening, Stop, WorkersCollector};

use crate::about::About;
use crate::addresses::Addresses;
use crate::admin;
use crate::assemble::cluster::Cluster;
use crate::config::Config;
use crate::log_metrics::LogMetrics;
use crate::node::{RUNTIME_STOP, Running, close, collector_config, runtime};
use crate::readiness::Readiness;
use crate::role::Role;
use crate::server;
pub(crate) use checkup::{doctor, schema};
use status::{ClusterMetrics, ClusterStatus};

/// A process of a cluster that runs.
pub(crate) struct ClusterNode {
    addresses: Addresses,
    data: PathBuf,
    doors: Doors,
    rooms: Doors,
    stop_workers: Stop,
    workers: Vec<JoinHandle<()>>,
    log: Arc<KafkaLog>,
}

/// Listeners that open and close together, on a runtime of their own (R26).
struct Doors {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

impl Doors {
    fn new(name: &'static str) -> anyhow::Result<Doors> {
        Ok(Doors {
            runtime: runtime(name)?,
            stop: watch::channel(false).0,
            servers: Vec::new(),
        })
    }

    /// Opens a listener, and notes where.
    fn open(
        &mut self,
        name: (&'static str, &'static str),
        address: SocketAddr,
        router: Router,
        addresses: &mut Addresses,
    ) -> anyhow::Result<()> {
        let listener = self.bind(name, address, addresses)?;
        self.serve(listener, router);
        Ok(())
    }

    /// A listener that takes no request yet.
    fn bind(
        &mut self,
        (name, setting): (&'static str, &'static str),
        address: SocketAddr,
        addresses: &mut Addresses,
    ) -> anyhow::Result<TcpListener> {
        let listener = self.runtime.block_on(server::bind(setting, address))?;
        addresses.add(name, listener.local_addr()?);
        Ok(listener)
    }

    fn serve(&mut self, listener: TcpListener, router: Router) {
        let serving = server::serve(listener, router, self.stop.subscribe());
        self.servers.push(self.runtime.spawn(serving));
    }

    fn close(self) {
        close(&self.runtime, &self.stop, self.servers);
        self.runtime.shutdown_timeout(RUNTIME_STOP);
    }
}

impl ClusterNode {
    /// Opens what its roles need and answers once it listens.
    pub(crate) fn start(config: &Config) -> anyhow::Result<ClusterNode> {
        Role::check(config).map_err(anyhow::Error::msg)?;
        std::fs::create_dir_all(&config.data)?;
        Addresses::remove(&config.data);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let Cluster {
            log,
            workers,
            readers,
            sinks,
        } = Cluster::open(config, &clock)?;
        let worker_status: Vec<_> = workers.iter().map(Opening::status).collect();
        let readiness = Arc::new(Readiness::without_replay(worker_status.clone()));

        let mut registry = Registry::default();
        let span_log: Arc<dyn SpanLog> = log.clone();
        registry.register_collector(Box::new(WorkersCollector(worker_status.clone())));
        registry.register_collector(Box::new(LogMetrics(span_log.clone())));
        registry.register_collector(Box::new(ClusterMetrics {
            log: span_log.clone(),
            sinks: sinks.clone(),
        }));
        if config.roles.contains(&Role::Aggregator) {
            registry.register_collector(Box::new(sinks.losses.clone()));
        }
        let (mut doors, mut rooms) = (Doors::new("ingest")?, Doors::new("query")?);
        let mut addresses = Addresses::default();
        let mut collector = None;
        if config.roles.contains(&Role::Collector) {
            let of_door = tracewell_collector::Config {
                replicated: true,
                ..collector_config(config)
            };
            let door = Collector::new(span_log.clone(), clock.clone(), of_door);
            door.register(&mut registry);
            let http = door.http_routes();
            let http = http.merge(admin::health(readiness.clone()));
            let (at, name) = (config.listen_ingest, ("ingest", "listen_ingest"));
            doors.open(name, at, http, &mut addresses)?;
            let (at, name) = (config.listen_otlp_grpc, ("otlp_grpc", "listen_otlp_grpc"));
            doors.open(name, at, door.grpc_routes(), &mut addresses)?;
            collector = Some(door);
        }
        let query_metrics = readers.is_some().then(|| Metrics::register(&mut registry));
        let admin = admin::routes(readiness.clone(), registry);
        let (at, name) = (config.listen_admin, ("admin", "listen_admin"));
        rooms.open(name, at, admin.clone(), &mut addresses)?;
        if let (Some(readers), Some(metrics)) = (readers, query_metrics) {
            let (at, name) = (config.listen_query, ("query", "listen_query"));
            let listener = rooms.bind(name, at, &mut addresses)?;
            let door = collector.as_ref().map(Collector::refusals);
            let readers = Readers {
                refusals: door.unwrap_or_default(),
                ..readers
            };
            let about = About::new(
                config,
                &addresses,
                collector,
                worker_status,
                readiness,
                clock.clone(),
            );
            let status = Arc::new(ClusterStatus {
                about,
                log: span_log,
                sinks,
                clock: clock.clone(),
                moved: Mutex::default(),
            });
            let querier = Querier::new(readers, clock, QueryConfig::default());
            let api = tracewell_query::routes(Arc::new(querier), status, metrics);
            rooms.serve(listener, api.merge(admin));
        }

        let stop_workers = Stop::new();
        let workers = workers
            .into_iter()
            .map(|worker| spawn(worker, stop_workers.clone()))
            .collect::<anyhow::Result<_>>()?;
        addresses.write(&config.data)?;
        Ok(ClusterNode {
            addresses,
            data: config.data.clone(),
            doors,
            rooms,
            stop_workers,
            workers,
            log,
        })
    }
}

impl Running for ClusterNode {
    fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn data(&self) -> &Path {
        &self.data
    }

    fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping: no more spans are taken in");
        Addresses::remove(&self.data);
        self.doors.close();
        self.stop_workers.set();
        for worker in self.workers {
            let ended = worker.join();
            ended.map_err(|_| {
                anyhow::anyhow!("a worker ended badly; the log has what it had not committed")
            })?;
        }
        self.log
            .close()
            .map_err(|error| anyhow::anyhow!("close the log: {error}"))?;
        self.rooms.close();
        tracing::info!("stopped");
        Ok(())
    }
}

fn spawn(mut worker: Opening, stop: Stop) -> anyhow::Result<JoinHandle<()>> {
    let name = format!("{}-worker", worker.status().snapshot().group);
    let thread = std::thread::Builder::new().name(name);
    thread
        .spawn(move || worker.run(&stop))
        .context("start a worker")
}
