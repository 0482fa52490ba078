//! A process of a cluster: the listeners and workers of its roles, and nothing else. All that must
//! survive lies in the engines, so that any of these processes may die, and any number may run.

mod checkup;
mod status;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tracewell_collector::Collector;
use tracewell_model::Clock;
use tracewell_model::clock::SystemClock;
use tracewell_storage::SpanLog;
use tracewell_storage_kafka::KafkaLog;
use tracewell_workers::{Stop, Worker, WorkersCollector};

use crate::addresses::Addresses;
use crate::admin;
use crate::assemble::cluster::Cluster;
use crate::config::Config;
use crate::log_metrics::LogMetrics;
use crate::node::{RUNTIME_STOP, Running, close, collector_config, runtime, spawn_worker};
use crate::readiness::Readiness;
use crate::role::Role;
use crate::server;
pub(crate) use checkup::{doctor, schema};
use status::ClusterMetrics;

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
        (name, setting): (&'static str, &'static str),
        address: std::net::SocketAddr,
        router: Router,
        addresses: &mut Addresses,
    ) -> anyhow::Result<()> {
        let listener = self.runtime.block_on(server::bind(setting, address))?;
        addresses.add(name, listener.local_addr()?);
        let serving = server::serve(listener, router, self.stop.subscribe());
        self.servers.push(self.runtime.spawn(serving));
        Ok(())
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
        let Cluster { log, workers } = Cluster::open(config, &clock)?;
        let worker_status: Vec<_> = workers.iter().map(Worker::status).collect();
        let readiness = Arc::new(Readiness::without_replay(worker_status.clone()));

        let mut registry = Registry::default();
        let span_log: Arc<dyn SpanLog> = log.clone();
        registry.register_collector(Box::new(WorkersCollector(worker_status)));
        registry.register_collector(Box::new(LogMetrics(span_log.clone())));
        registry.register_collector(Box::new(ClusterMetrics(span_log.clone())));
        let (mut doors, mut rooms) = (Doors::new("ingest")?, Doors::new("admin")?);
        let mut addresses = Addresses::default();
        if config.roles.contains(&Role::Collector) {
            let collector = Collector::new(
                span_log,
                clock,
                tracewell_collector::Config {
                    // A batch a partition: the log has nothing to sort.
                    shards: log.partitions(),
                    replicated: true,
                    ..collector_config(config)
                },
            );
            collector.register(&mut registry);
            let http = collector
                .http_routes()
                .merge(admin::health(readiness.clone()));
            doors.open(
                ("ingest", "listen_ingest"),
                config.listen_ingest,
                http,
                &mut addresses,
            )?;
            let grpc = collector.grpc_routes();
            doors.open(
                ("otlp_grpc", "listen_otlp_grpc"),
                config.listen_otlp_grpc,
                grpc,
                &mut addresses,
            )?;
        }
        let admin = admin::routes(readiness, registry);
        rooms.open(
            ("admin", "listen_admin"),
            config.listen_admin,
            admin,
            &mut addresses,
        )?;

        let stop_workers = Stop::new();
        let workers = workers
            .into_iter()
            .map(|worker| spawn_worker(worker, stop_workers.clone()))
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
