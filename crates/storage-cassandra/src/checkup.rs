//! Whether the cluster is as the roles need it, for `tracewell doctor`.

use std::collections::BTreeMap;

use scylla::deserialize::row::DeserializeRow;
use tracewell_storage::{Checkup, Error};

use crate::schema;
use crate::session::{Cassandra, classify};

/// What the cluster is like, and what is wrong with it.
pub fn check(cassandra: &Cassandra) -> Result<Checkup, Error> {
    let settings = cassandra.settings();
    let keyspace = &settings.keyspace;
    let version: Vec<(String,)> = rows(cassandra, "SELECT release_version FROM system.local")?;
    let version = version.first().map_or("?", |(version,)| version).to_owned();
    let others: Vec<(i64,)> = rows(cassandra, "SELECT count(*) FROM system.peers")?;
    let nodes = 1 + others.first().map_or(0, |(count,)| count.unsigned_abs());
    let mut checkup = Checkup::default();
    if let Err(error) = schema::check(cassandra) {
        checkup.seen = format!("version {version}, {nodes} node(s)");
        checkup.expect(false, error.message, "tracewell schema");
        return Ok(checkup);
    }

    let cql = format!(
        "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'"
    );
    let replication: Vec<(BTreeMap<String, String>,)> = rows(cassandra, &cql)?;
    let replication = replication
        .into_iter()
        .flat_map(|(of_keyspace,)| of_keyspace);
    // A number for each datacenter, or one for all, beside the strategy's name.
    let replicas = replication.filter_map(|(_, number)| number.parse::<u32>().ok());
    let replicas = replicas.min().unwrap_or(0);
    let cql = format!(
        "SELECT default_time_to_live, compaction FROM system_schema.tables
        WHERE keyspace_name = '{keyspace}' AND table_name = 'spans'"
    );
    let table: Vec<(i32, BTreeMap<String, String>)> = rows(cassandra, &cql)?;
    let (kept_s, compaction) = table.into_iter().next().unwrap_or_default();
    let strategy = compaction.get("class").map_or("", String::as_str);

    checkup.seen = format!(
        "version {version}, {nodes} node(s); keyspace {keyspace}: {replicas} replica(s), spans kept for {kept_s} s"
    );
    let wanted = settings.replicas;
    checkup.expect(
        replicas >= wanted,
        format!("the keyspace {keyspace} has {replicas} replica(s), {wanted} are set"),
        format!(
            "ALTER KEYSPACE {keyspace} WITH replication = {}; then `nodetool repair {keyspace}` on each node",
            schema::replication(settings)
        ),
    );
    let quorum = u64::from(replicas / 2 + 1);
    checkup.expect(
        nodes >= quorum,
        format!("{nodes} node(s) are no quorum of {replicas} replicas: every write fails"),
        "add nodes, or set cassandra_replicas and alter the keyspace",
    );
    // ScyllaDB has no such table, and another commit log.
    let sync = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'";
    let sync: Vec<(String,)> = rows(cassandra, sync).unwrap_or_default();
    let periodic = sync.iter().any(|(sync,)| sync == "periodic");
    checkup.expect(
        replicas > 1 || !periodic,
        "commitlog_sync is periodic: when the only replica of a span is killed, it forgets the last moments of what it acknowledged",
        "in cassandra.yaml, commitlog_sync: group and commitlog_sync_group_window: 10ms; or three replicas",
    );
    checkup.expect(
        u32::try_from(kept_s).ok() == Some(settings.kept_s),
        format!("spans are kept for {kept_s} s, {} are set", settings.kept_s),
        "tracewell schema",
    );
    checkup.expect(
        strategy.ends_with("TimeWindowCompactionStrategy"),
        format!("{keyspace}.spans is compacted by {strategy}: expired spans keep their room"),
        "tracewell schema",
    );
    Ok(checkup)
}

fn rows<R>(cassandra: &Cassandra, cql: &str) -> Result<Vec<R>, Error>
where
    R: for<'a, 'b> DeserializeRow<'a, 'b>,
{
    let answer = cassandra.block_on(cassandra.session().query_unpaged(cql, ()));
    let answer = answer.map_err(|error| classify(&error))?;
    let foreign = |error: &dyn std::fmt::Display| Error::corrupt(format!("{cql}: {error}"));
    let answer = answer.into_rows_result().map_err(|error| foreign(&error))?;
    let rows = answer.rows::<R>().map_err(|error| foreign(&error))?;
    rows.collect::<Result<_, _>>()
        .map_err(|error| foreign(&error))
}
