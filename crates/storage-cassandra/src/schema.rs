//! The tables, made and migrated by `tracewell schema`, checked by everyone else. Steps are only ever
//! appended; a keyspace says how many of them it has seen.

use tracewell_storage::Error;

use crate::session::{Cassandra, Settings, classify};

/// What each version adds. `KEYSPACE` stands for its name.
const STEPS: &[&[&str]] = &[
    &["CREATE TABLE IF NOT EXISTS KEYSPACE.spans (
        trace_id blob, span_id blob, content bigint, span blob,
        PRIMARY KEY (trace_id, span_id, content))"],
    // What the sampler decided (docs/formats/cluster.md).
    &[
        "CREATE TABLE IF NOT EXISTS KEYSPACE.sampling (
            log_partition int, at_round bigint, piece int,
            at bigint, read_to bigint, as_of bigint, decided blob,
            round bigint static, progress blob static,
            PRIMARY KEY (log_partition, at_round, piece))
            WITH gc_grace_seconds = 10800",
        "CREATE TABLE IF NOT EXISTS KEYSPACE.kept (trace_id blob PRIMARY KEY, reason tinyint)",
        "CREATE TABLE IF NOT EXISTS KEYSPACE.pins (
            hour bigint, trace_id blob, PRIMARY KEY (hour, trace_id))
            WITH gc_grace_seconds = 10800",
    ],
];
/// Tables that have something for every trace, for as long as spans are kept.
const LIKE_SPANS: [&str; 2] = ["spans", "kept"];

/// Makes the keyspace and its tables, or brings them up to date, and sets what settings say of them.
/// Answers the steps that were taken.
pub fn migrate(cassandra: &Cassandra) -> Result<usize, Error> {
    let settings = cassandra.settings();
    let (keyspace, replication) = (&settings.keyspace, replication(settings));
    cassandra.run(&format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}"
    ))?;
    cassandra.run(&format!(
        "CREATE TABLE IF NOT EXISTS {keyspace}.schema_version (id int PRIMARY KEY, version int)"
    ))?;
    let version = version(cassandra)?;
    let steps = STEPS
        .get(version..)
        .ok_or_else(|| newer(settings, version))?;
    for (number, step) in (version + 1..).zip(steps) {
        for statement in *step {
            cassandra.run(&statement.replace("KEYSPACE", keyspace))?;
        }
        cassandra.run(&format!(
            "INSERT INTO {keyspace}.schema_version (id, version) VALUES (0, {number})"
        ))?;
    }
    for table in LIKE_SPANS {
        // Cassandra and ScyllaDB name the compressor by different words, and refuse the other's.
        cassandra
            .run(&options(settings, table, "class"))
            .or_else(|_| cassandra.run(&options(settings, table, "sstable_compression")))?;
    }
    Ok(steps.len())
}

/// Fails, saying what to do, where the tables are not those that this program reads and writes.
pub fn check(cassandra: &Cassandra) -> Result<(), Error> {
    let settings = cassandra.settings();
    let version = version(cassandra).map_err(|error| {
        let keyspace = &settings.keyspace;
        Error::retryable(format!(
            "the keyspace {keyspace} has no tables of tracewell, `tracewell schema` makes them: {error}"
        ))
    })?;
    if version > STEPS.len() {
        return Err(newer(settings, version));
    }
    if version < STEPS.len() {
        return Err(Error::retryable(format!(
            "the keyspace {} is at version {version} of {}: `tracewell schema` brings it up to date",
            settings.keyspace,
            STEPS.len()
        )));
    }
    Ok(())
}

/// As CQL writes it: so many replicas in every datacenter.
pub(crate) fn replication(settings: &Settings) -> String {
    let replicas = settings.replicas;
    format!("{{'class': 'NetworkTopologyStrategy', 'replication_factor': {replicas}}}")
}

fn newer(settings: &Settings, version: usize) -> Error {
    Error::invalid(format!(
        "the keyspace {} was made by a newer tracewell (version {version}, this one knows {})",
        settings.keyspace,
        STEPS.len()
    ))
}

fn version(cassandra: &Cassandra) -> Result<usize, Error> {
    let keyspace = &cassandra.settings().keyspace;
    let cql = format!("SELECT version FROM {keyspace}.schema_version WHERE id = 0");
    let rows = cassandra
        .block_on(cassandra.session().query_unpaged(cql, ()))
        .map_err(|error| classify(&error))?;
    let rows = rows
        .into_rows_result()
        .map_err(|error| Error::corrupt(format!("reading the schema's version: {error}")))?;
    let version: Option<(i32,)> = rows
        .maybe_first_row()
        .map_err(|error| Error::corrupt(format!("reading the schema's version: {error}")))?;
    Ok(version.map_or(0, |(version,)| {
        usize::try_from(version).unwrap_or(usize::MAX)
    }))
}

/// Q2: windows of a thirtieth of the time that spans are kept, a day for a month, so that whole
/// files expire. Tombstones are short-lived: the sampler deletes inside a span's own window, whose files
/// become one when it is over, without what was deleted.
fn options(settings: &Settings, table: &str, compressor: &str) -> String {
    let Settings {
        keyspace, kept_s, ..
    } = settings;
    let window_h = (kept_s / 3_600).div_ceil(30).max(1);
    format!(
        "ALTER TABLE {keyspace}.{table} WITH default_time_to_live = {kept_s}
        AND compaction = {{'class': 'TimeWindowCompactionStrategy',
            'compaction_window_unit': 'HOURS', 'compaction_window_size': {window_h}}}
        AND compression = {{'{compressor}': 'ZstdCompressor', 'chunk_length_in_kb': 16}}
        AND gc_grace_seconds = 10800"
    )
}
