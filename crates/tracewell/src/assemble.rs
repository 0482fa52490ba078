//! Picks the backends and hands their seams down. The only place that names one.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;
#[cfg(feature = "cluster")]
pub(crate) mod engines;
#[cfg(feature = "cluster")]
mod late;
#[cfg(feature = "cluster")]
mod sampled;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tracewell_model::{Clock, TraceSummary};
use tracewell_query::Readers;
use tracewell_storage::{Error, SampledStore, SpanLog, StatsReader, StatsWriter};
use tracewell_storage_embedded::engine::{Engine, EngineOptions, Expiry, Keep, Retention};
use tracewell_storage_embedded::fs::{DirLock, Fs, StdFs, lock_dir};
use tracewell_storage_embedded::log::{self, EmbeddedLog};
use tracewell_storage_embedded::sampling::EmbeddedSampling;
use tracewell_storage_embedded::stats::EmbeddedStats;
use tracewell_workers::{
    Options, Sampling, SdkLosses, Step, Stop, Worker, aggregator, sampler, storage_writer,
};

use crate::backlog::Behind;
use crate::client;
use crate::config::{Config, DiskCap};
use crate::memory::Shares;

/// How often in a row the store may fail to take in what the log has.
const TRIES_MAX: u32 = 20;

/// The embedded backend: log, engine and statistics of one data directory.
pub(crate) struct Embedded {
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) stats: Arc<EmbeddedStats>,
    pub(crate) sampling: Arc<Sampling>,
    sampled: Arc<EmbeddedSampling>,
    /// Held as long as the process uses the directory.
    _lock: DirLock,
}

impl Embedded {
    /// Opens the directory, or says why it cannot be.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Embedded> {
        let dir = &config.data;
        std::fs::create_dir_all(dir)
            .with_context(|| format!("data = {}: cannot create the directory", dir.display()))?;
        let fs = StdFs::shared();
        let lock = lock_dir(fs.as_ref(), dir).map_err(said)?;
        let memory = Shares::of(config.memory_bytes_max);
        let mut groups = vec![
            storage_writer::GROUP.to_owned(),
            aggregator::GROUP.to_owned(),
        ];
        if config.sampling.is_enabled {
            groups.push(sampler::GROUP.to_owned());
        }
        let log_options = log::Options {
            groups: groups.clone(),
            ring_bytes_max: memory.tail,
            ..log::Options::default()
        };
        let (log, recovery) =
            EmbeddedLog::open(fs.clone(), dir, log_options, clock.clone()).map_err(said)?;
        tracing::info!(?recovery, "log opened");
        let seal_after_s = config.seal_after_s.min(config.sampling.seal_after_s_max());
        let engine_options = EngineOptions {
            head_bytes_max: memory.head as u64,
            cache_bytes_max: memory.cache,
            filter_bytes_max: memory.filters,
            small_head_age_ns: seal_after_s * 1_000_000_000,
            head_age_ns: seal_after_s.min(60) * 1_000_000_000,
            quiet_head_age_ns: seal_after_s.min(60) * 1_000_000_000,
            retention: retention(config, fs.as_ref()),
            // A named thread of the node seals.
            seal_inline: false,
            ..EngineOptions::default()
        };
        let engine = Engine::open(fs.clone(), dir, clock.clone(), engine_options).map_err(said)?;
        log.note_stored(&engine.durable(), engine.status().applied_spans());
        let stats = EmbeddedStats::open(fs.clone(), dir, clock.clone()).map_err(said)?;
        let (log, stats) = (Arc::new(log), Arc::new(stats));
        let sampled = Arc::new(open_sampling(config, fs, clock, &engine)?);
        let sampling = Sampling::new(
            config.sampling.policy.clone(),
            sampled.clone(),
            stats.clone(),
            sampler::Behind {
                log: log.clone(),
                groups,
            },
            clock.clone(),
        );
        Ok(Embedded {
            log,
            engine,
            stats,
            sampling,
            sampled,
            _lock: lock,
        })
    }

    /// The log as the collector and the workers see it.
    pub(crate) fn span_log(&self) -> Arc<dyn SpanLog> {
        self.log.clone()
    }

    /// The readers as the query role sees them.
    pub(crate) fn readers(&self) -> Readers {
        let traces = Arc::new(self.engine.traces());
        let stats: Arc<dyn StatsReader> = self.stats.clone();
        let behind = Arc::new(Behind {
            reader: traces.clone(),
            log: self.span_log(),
            group: storage_writer::GROUP,
        });
        Readers {
            traces: behind.clone(),
            finder: behind,
            scanner: traces.clone(),
            exporter: traces,
            stats,
            refusals: Default::default(),
            sampling: Some(self.sampling.clone()),
        }
    }

    /// Removes what has expired, opens what could not be read, and keeps filters in their room. What fails is tried again at a
    /// later call.
    pub(crate) fn retain(&self) {
        self.engine.reopen_step();
        self.engine.shed_step();
        match self.engine.retain_step() {
            Ok(expiry) if expiry == Expiry::default() => {}
            Ok(expiry) => tracing::info!(?expiry, "removed what is too old"),
            Err(error) => tracing::warn!(%error, "removing what is too old"),
        }
    }

    /// Merges the next segments; false when there is nothing to do for now.
    pub(crate) fn compact(&self, stop: &Stop) -> bool {
        let verdict = |trace: &TraceSummary| self.sampled.verdict(trace);
        let keep: Keep<'_> = match self.sampled.is_on() {
            true => Some(&verdict),
            false => None,
        };
        match self.engine.compact_step(keep, &|| !stop.is_set()) {
            Ok(None) => false,
            Ok(Some(figures)) => {
                tracing::debug!(?figures, "merged segments");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "merging segments");
                false
            }
        }
    }

    /// Takes in what the log has beyond the segments, as a start does, on this thread.
    pub(crate) fn take_in(&self, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
        let sink = Box::new(self.engine.sink());
        let worker = storage_writer::start(&*self.log, sink, clock.clone(), Options::default());
        let mut worker = worker.map_err(said)?;
        for _ in 0..TRIES_MAX {
            match take_in_until_it_fails(&mut worker) {
                None => return Ok(()),
                Some(wait) => client::wait(wait),
            }
        }
        let error = worker.status().snapshot().last_error;
        bail!(
            "what the log has cannot be taken in: {}",
            error.unwrap_or_default()
        )
    }

    /// One worker a consumer group, joined to the log where its sink's durable state ends.
    pub(crate) fn workers(
        &self,
        clock: &Arc<dyn Clock>,
        losses: SdkLosses,
    ) -> anyhow::Result<Vec<Worker>> {
        let writer: Arc<dyn StatsWriter> = self.stats.clone();
        let sink = Box::new(self.engine.sink());
        let storage = storage_writer::start(&*self.log, sink, clock.clone(), Options::default());
        let options = Options::default();
        let stats = aggregator::start_noting(losses, &*self.log, writer, clock.clone(), options);
        let mut workers = vec![storage.map_err(said)?, stats.map_err(said)?];
        if self.sampled.is_on() {
            workers.push(self.sampling.start(Options::default()).map_err(said)?);
        }
        Ok(workers)
    }
}

fn open_sampling(
    config: &Config,
    fs: Arc<dyn Fs>,
    clock: &Arc<dyn Clock>,
    engine: &Arc<Engine>,
) -> anyhow::Result<EmbeddedSampling> {
    let (clock, engine) = (clock.clone(), engine.clone());
    let live_window_ns = config.sampling.policy.live_window_ns;
    match config.sampling.is_enabled {
        true => {
            EmbeddedSampling::open(fs, &config.data, clock, engine, live_window_ns).map_err(said)
        }
        false => Ok(EmbeddedSampling::idle(fs, clock, engine, live_window_ns)),
    }
}

/// How long segments are kept, and within how much disk.
fn retention(config: &Config, fs: &dyn Fs) -> Retention {
    let disk_bytes_max = match config.disk_cap {
        DiskCap::Bytes(bytes) => bytes,
        DiskCap::Percent(share) => fs
            .space(&config.data)
            .map_or(0, |space| space.total_bytes / 100 * share),
    };
    Retention {
        spans_ns: config.retention_s * 1_000_000_000,
        search_ns: config.search_retention_s * 1_000_000_000,
        disk_bytes_max,
    }
}

/// Answers how long to wait before the next try; nothing at the log's end.
fn take_in_until_it_fails(worker: &mut Worker) -> Option<Duration> {
    loop {
        match worker.step(Duration::ZERO) {
            Step::Idle => return None,
            Step::Applied { .. } | Step::SetAside { .. } => {}
            Step::RetryIn { wait_ns } => return Some(Duration::from_nanos(wait_ns)),
        }
    }
}

/// A backend's error, for the operator.
fn said(error: Error) -> anyhow::Error {
    anyhow!(error.message)
}
