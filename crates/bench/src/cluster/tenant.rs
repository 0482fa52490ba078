//! A tenant of the engines: a topic, a keyspace, a prefix of indices and one of keys, of one name that
//! nobody else has; and processes of the roles that work for it.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use tracewell_model::clock::{Clock, SystemClock};

use super::figures::RoleUse;
use crate::api::Api;
use crate::cli::ClusterArgs;
use crate::interrupt::Scratch;
use crate::pause;
use crate::process::{self, Cpu};
use crate::record::rounded;
use crate::server::{Recipe, Server};
use crate::session;

const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(100);
/// Workers that apply nothing for so long are stuck.
const STUCK_S: f64 = 120.0;

/// See the module.
pub(super) struct Tenant {
    pub(super) name: String,
    recipe: Recipe,
    parent: std::path::PathBuf,
    /// Where its file of settings is.
    _scratch: Scratch,
}

impl Tenant {
    /// Makes one with `tracewell schema`.
    pub(super) fn make(args: &ClusterArgs) -> anyhow::Result<Tenant> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench{}x{number}", SystemClock.unix_ns() / 1_000_000_000);
        let parent = session::parent(&args.server);
        let scratch = Scratch::new(&parent)?;
        let file = scratch.path().join("tracewell.toml");
        std::fs::write(&file, settings(args, &name))?;
        let mut recipe = session::recipe(&args.server)?;
        let made = Command::new(&recipe.binary)
            .args(["schema", "--config"])
            .arg(&file)
            .output()
            .context("run tracewell schema")?;
        let said = [made.stdout, made.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(made.status.success(), "tracewell schema: {said}");
        recipe
            .arguments
            .splice(0..0, ["--config".to_owned(), file.display().to_string()]);
        Ok(Tenant {
            name,
            recipe,
            parent,
            _scratch: scratch,
        })
    }

    /// A process of this role, once it is ready.
    pub(super) fn start(&self, role: &'static str) -> anyhow::Result<Role> {
        let scratch = Scratch::new(&self.parent)?;
        let mut recipe = self.recipe.clone();
        recipe
            .arguments
            .extend(["--role".to_owned(), role.to_owned()]);
        let server = Server::start(&recipe, scratch.path()).context(role)?;
        Ok(Role {
            ready: process::cpu(server.pid())?,
            api: Api::new(&server.address("admin"))?,
            role,
            server,
            _scratch: scratch,
        })
    }
}

/// The file of settings: one machine of each engine.
fn settings(args: &ClusterArgs, name: &str) -> String {
    let ClusterArgs {
        engines,
        partitions,
        republish,
        ..
    } = args;
    format!(
        "[kafka]
brokers = {:?}
topic = {name:?}
partitions = {partitions}
replicas = 1
in_sync_replicas_min = 1
republish = {republish}
[cassandra]
nodes = {:?}
keyspace = {name:?}
replicas = 1
[opensearch]
url = {:?}
prefix = {name:?}
replicas = 0
[redis]
url = {:?}
prefix = \"{name}:\"
",
        engines.kafka, engines.cassandra, engines.opensearch, engines.redis
    )
}

/// A process of a role.
pub(super) struct Role {
    pub(super) role: &'static str,
    pub(super) server: Server,
    api: Api,
    ready: Cpu,
    _scratch: Scratch,
}

impl Role {
    /// Spans that its worker handed to its sink.
    fn applied(&mut self) -> anyhow::Result<u64> {
        let group = match self.role {
            "storage-writer" => "storage",
            "indexer" => "search",
            _ => "stats",
        };
        let name = format!("tracewell_worker_applied_spans_total{{group=\"{group}\"}}");
        Ok(self.api.gauge(&name)?.unwrap_or(0.0) as u64)
    }

    /// Stops it; what it used for so many spans.
    pub(super) fn stop(self, spans: u64) -> anyhow::Result<RoleUse> {
        let per_m = 1e6 / spans.max(1) as f64;
        let by_thread = process::cpu_by_thread(self.server.pid())?;
        let by_thread = by_thread.into_iter().filter(|(_, s)| s * per_m >= 0.005);
        let by_thread = by_thread
            .map(|(name, s)| (name, rounded(s * per_m, 3)))
            .collect();
        drop(self.api);
        let used = self.server.stop().context(self.role)?;
        let cpu = used.cpu - self.ready;
        Ok(RoleUse {
            role: self.role.to_owned(),
            cpu_s_per_m: rounded(cpu.total_s() * per_m, 3),
            system_s_per_m: rounded(cpu.system_s * per_m, 3),
            by_thread,
            peak_rss_mb: rounded(used.peak_bytes as f64 / 1e6, 1),
            behind_s: 0.0,
        })
    }
}

/// Waits until workers of one group have applied so many spans among them; fails when they stand
/// still.
pub(super) fn wait_applied<'a>(
    workers: impl IntoIterator<Item = &'a mut Role>,
    spans: u64,
) -> anyhow::Result<()> {
    let mut workers: Vec<&mut Role> = workers.into_iter().collect();
    let (mut last, mut moved_ns) = (0, SystemClock.monotonic_ns());
    loop {
        let mut applied = 0;
        for worker in &mut workers {
            applied += worker.applied()?;
        }
        if applied >= spans {
            return Ok(());
        }
        let now = SystemClock.monotonic_ns();
        if applied > last {
            (last, moved_ns) = (applied, now);
        }
        let role = workers.first().map_or("", |worker| worker.role);
        ensure!(
            (now - moved_ns) as f64 / 1e9 < STUCK_S,
            "{role}: {applied} of {spans} spans were applied, and none for {STUCK_S} s"
        );
        pause(LOOK_EVERY);
    }
}
