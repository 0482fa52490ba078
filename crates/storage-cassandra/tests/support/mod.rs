//! A keyspace of a test's own in the Cassandra under test, and what was set aside.

use std::sync::Arc;

use futures_util::future::try_join_all;
use scylla::client::session_builder::SessionBuilder;
use tracewell_model::TraceId;
use tracewell_storage::conformance::aside::Aside;
use tracewell_storage_cassandra::{Cassandra, CassandraReader, CassandraSink, Settings, schema};

/// A keyspace with our tables.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) settings: Settings,
    cassandra: Cassandra,
    pub(crate) aside: Arc<Aside>,
}

/// A new keyspace; none, said aloud, without a Cassandra.
#[allow(clippy::print_stdout)] // how a test says that it was skipped
pub(crate) fn place() -> Option<Place> {
    let Ok(node) = std::env::var("STACK_CASSANDRA") else {
        println!("skipped: STACK_CASSANDRA does not say where a Cassandra is");
        return None;
    };
    let settings = Settings {
        nodes: vec![node],
        keyspace: format!("test_{:016x}", fastrand::u64(..)),
        ..Settings::default()
    };
    let cassandra = Cassandra::connect(settings.clone()).expect("Cassandra is there");
    schema::migrate(&cassandra).expect("Cassandra makes tables");
    Some(Place {
        settings,
        cassandra,
        aside: Arc::default(),
    })
}

impl Place {
    pub(crate) fn cassandra(&self) -> Cassandra {
        self.cassandra.clone()
    }

    /// The same with other settings.
    pub(crate) fn with(&self, settings: Settings) -> Place {
        Place {
            cassandra: Cassandra::connect(settings.clone()).expect("Cassandra is there"),
            settings,
            aside: self.aside.clone(),
        }
    }

    pub(crate) fn sink(&self) -> CassandraSink {
        CassandraSink::open(self.cassandra(), self.aside.clone()).expect("the tables are there")
    }

    pub(crate) fn reader(&self) -> CassandraReader {
        CassandraReader::open(self.cassandra()).expect("the tables are there")
    }

    /// Removes these traces: much sooner done than emptying a table, or making one.
    pub(crate) fn delete(&self, ids: impl IntoIterator<Item = TraceId>) {
        let runtime = tokio::runtime::Runtime::new().expect("threads are to be had");
        let deleted = runtime.block_on(async {
            let nodes = SessionBuilder::new().known_nodes(&self.settings.nodes);
            let session = nodes.build().await.expect("Cassandra is there");
            let cql = format!(
                "DELETE FROM {}.spans WHERE trace_id = ?",
                self.settings.keyspace
            );
            let delete = session.prepare(cql).await.expect("it is sound");
            let each = |id: TraceId| {
                let (session, delete) = (&session, &delete);
                async move { session.execute_unpaged(delete, (&id.0[..],)).await }
            };
            try_join_all(ids.into_iter().map(each)).await
        });
        deleted.expect("Cassandra deletes rows");
    }
}
