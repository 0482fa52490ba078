//! What a tenant's spans take in each engine, looked at from outside.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use http::Method;

use super::cql;
use super::figures::EngineBytes;
use crate::api::Api;
use crate::cli::EngineArgs;
use crate::process::disk_bytes;
use crate::record::rounded;
use crate::{pause, session};

/// Cassandra writes its memtables out this often, once it is told so.
const FLUSH_MS: u64 = 2_000;
/// Files that stay as they are for so long are all there are.
const SETTLED: Duration = Duration::from_secs(8);
const LOOKS_MAX: usize = 30;

/// Bytes of a span in each engine.
pub(super) fn bytes(engines: &EngineArgs, tenant: &str, spans: u64) -> anyhow::Result<EngineBytes> {
    let waiting = session::busy("weighing what the engines keep");
    let per_span = |bytes: u64| rounded(bytes as f64 / spans.max(1) as f64, 1);
    let mut bytes = EngineBytes::default();
    if let Some(dir) = &engines.engines_dir {
        let partition = format!("{tenant}-");
        let kafka = named_bytes(dir, &|name| name.starts_with(&partition))?;
        bytes.kafka = Some(per_span(kafka));
        cql::run(
            &engines.cassandra,
            &format!("ALTER TABLE {tenant}.spans WITH memtable_flush_period_in_ms = {FLUSH_MS}"),
        )?;
        bytes.cassandra = Some(per_span(settled_bytes(dir, tenant)?));
    }
    let host = engines.opensearch.trim_start_matches("http://");
    let mut api = Api::new(host).context("OpenSearch")?;
    let indices = format!("/{tenant}-*");
    let store = format!("{indices}/_stats/store");
    bytes.opensearch_written = per_span(index_bytes(&mut api, &indices, &store)?);
    post(
        &mut api,
        &format!("{indices}/_forcemerge?max_num_segments=1"),
    )?;
    bytes.opensearch = per_span(index_bytes(&mut api, &indices, &store)?);
    waiting.finish_and_clear();
    Ok(bytes)
}

fn index_bytes(api: &mut Api, indices: &str, store: &str) -> anyhow::Result<u64> {
    post(api, &format!("{indices}/_flush"))?;
    let bytes = &api.json(store)?["_all"]["primaries"]["store"]["size_in_bytes"];
    bytes.as_u64().context("OpenSearch says no size")
}

fn post(api: &mut Api, path: &str) -> anyhow::Result<()> {
    let (answer, _) = api.ask(Method::POST, path)?;
    let words = String::from_utf8_lossy(&answer.body);
    ensure!(
        answer.status == 200,
        "{path}: {} {words:.200}",
        answer.status
    );
    Ok(())
}

/// Room of the keyspace once it is written out.
fn settled_bytes(dir: &Path, keyspace: &str) -> anyhow::Result<u64> {
    let mut last = 0;
    for _ in 0..LOOKS_MAX {
        pause(SETTLED);
        let now = named_bytes(dir, &|name| name == keyspace)?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
    anyhow::bail!("the files of the keyspace {keyspace} do not come to rest")
}

/// Room of all directories below that are called so.
fn named_bytes(dir: &Path, is: &impl Fn(&str) -> bool) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        match entry.file_name().to_str() {
            _ if !path.is_dir() => {}
            Some(name) if is(name) => bytes += disk_bytes(&path)?,
            // Engines make and remove directories all the time.
            _ => bytes += named_bytes(&path, is).unwrap_or(0),
        }
    }
    Ok(bytes)
}
