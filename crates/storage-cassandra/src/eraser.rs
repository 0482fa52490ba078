//! Takes dropped traces out of the table: a tombstone each, of the time until which their spans had been
//! written. What was written later, a late span that failed say, is not touched by it.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::statement::prepared::PreparedStatement;
use tracewell_storage::sampling::ledger::Erased;
use tracewell_storage::{Eraser, Error};

use crate::schema;
use crate::session::{Cassandra, tried};

/// Erases traces.
#[derive(Debug)]
pub struct CassandraEraser {
    cassandra: Cassandra,
    delete: PreparedStatement,
}

impl CassandraEraser {
    /// An eraser of the tables of this cluster, which must be there.
    pub fn open(cassandra: Cassandra) -> Result<CassandraEraser, Error> {
        schema::check(&cassandra)?;
        let keyspace = &cassandra.settings().keyspace;
        let delete = format!("DELETE FROM {keyspace}.spans USING TIMESTAMP ? WHERE trace_id = ?");
        Ok(CassandraEraser {
            delete: cassandra.prepare(&delete, 1)?,
            cassandra,
        })
    }
}

async fn delete(
    cassandra: &Cassandra,
    statement: &PreparedStatement,
    erased: Erased,
) -> Result<(), Error> {
    // Cassandra's times are in microseconds.
    let as_of = i64::try_from(erased.as_of_unix_ns / 1_000).unwrap_or(i64::MAX);
    let values = (as_of, &erased.trace_id.0[..]);
    let delete = || async {
        let deleted = cassandra.session().execute_unpaged(statement, values);
        deleted.await.map(drop)
    };
    tried(delete, || {}).await
}

impl Eraser for CassandraEraser {
    fn erase(&self, traces: &[Erased]) -> Result<(), Error> {
        let (cassandra, statement) = (self.cassandra.clone(), self.delete.clone());
        let traces = traces.to_vec();
        self.cassandra.run_apart(async move {
            let deletes = traces.into_iter();
            let deletes = deletes.map(|erased| delete(&cassandra, &statement, erased));
            stream::iter(deletes)
                .buffer_unordered(cassandra.settings().concurrency.max(1))
                .try_collect()
                .await
        })
    }
}
