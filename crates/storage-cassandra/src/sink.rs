//! Spans into rows. What `apply` was given is on a quorum of replicas when it returns, so that all of
//! it is durable; the log's own commit is the group's memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::errors::ExecutionError;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use tracewell_model::{BatchBuilder, CopyScratch, SpanBatch, SpanId, TraceId};
use tracewell_storage::row::{RowEncoder, content_hash};
use tracewell_storage::{DeadLetters, Error, Position, Record, Sink};

use crate::schema;
use crate::session::{Cassandra, tried};

/// Rows written before anything is said to be written (Q1).
const UNIT_ROWS: usize = 10_000;
/// Rows of one trace that are sent together have fewer bytes than this. They are one mutation of one
/// partition, which Cassandra does not count as a large batch; ScyllaDB warns from 128 KiB.
const TOGETHER_BYTES_MAX: usize = 32 * 1024;

/// The storage group's sink.
pub struct CassandraSink {
    writer: Writer,
    dead_letters: Arc<dyn DeadLetters>,
    applied: BTreeMap<u32, u64>,
    unit: Arc<Unit>,
}

/// What writing takes, to be handed to the driver's thread.
#[derive(Clone)]
struct Writer {
    cassandra: Cassandra,
    insert: Arc<PreparedStatement>,
    retries: Arc<AtomicU64>,
}

impl std::fmt::Debug for CassandraSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CassandraSink")
            .field("applied", &self.applied)
            .finish_non_exhaustive()
    }
}

/// The rows of some batches, encoded end to end.
#[derive(Clone, Debug, Default)]
struct Unit {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    trace_id: TraceId,
    span_id: SpanId,
    content: i64,
    bytes: Range<usize>,
}

impl Unit {
    fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Rows that are sent together: neighbours of one trace, not too many bytes.
    fn pieces(&self) -> Vec<Range<usize>> {
        let mut pieces: Vec<Range<usize>> = Vec::new();
        let mut bytes = 0;
        for (at, row) in self.rows.iter().enumerate() {
            bytes += row.bytes.len();
            match pieces.last_mut() {
                Some(piece)
                    if self.rows[piece.start].trace_id == row.trace_id
                        && bytes <= TOGETHER_BYTES_MAX =>
                {
                    piece.end = at + 1;
                }
                _ => {
                    pieces.push(at..at + 1);
                    bytes = row.bytes.len();
                }
            }
        }
        pieces
    }

    fn values<'a>(&'a self, row: &'a Row) -> (&'a [u8], &'a [u8], i64, &'a [u8]) {
        let span = &self.bytes[row.bytes.clone()];
        (&row.trace_id.0, &row.span_id.0, row.content, span)
    }
}

impl CassandraSink {
    /// A sink into the tables of this cluster, which must be there.
    pub fn open(
        cassandra: Cassandra,
        dead_letters: Arc<dyn DeadLetters>,
    ) -> Result<CassandraSink, Error> {
        schema::check(&cassandra)?;
        let keyspace = &cassandra.settings().keyspace;
        let insert = format!(
            "INSERT INTO {keyspace}.spans (trace_id, span_id, content, span) VALUES (?, ?, ?, ?)"
        );
        let writer = Writer {
            insert: Arc::new(cassandra.prepare(&insert, 1)?),
            cassandra,
            retries: Arc::default(),
        };
        Ok(CassandraSink {
            writer,
            dead_letters,
            applied: BTreeMap::new(),
            unit: Arc::default(),
        })
    }

    /// Writes that were tried again.
    pub fn retries(&self) -> Arc<AtomicU64> {
        self.writer.retries.clone()
    }

    /// The unit, which nobody reads while it is filled.
    fn unit(&mut self) -> &mut Unit {
        Arc::make_mut(&mut self.unit)
    }

    /// Encodes a batch's rows. Those too large for any row are set aside.
    fn encode(&mut self, batch: &SpanBatch) -> Result<(), Error> {
        let row_bytes_max = self.writer.cassandra.settings().row_bytes_max;
        let unit = self.unit();
        let mut encoder = RowEncoder::new(batch);
        let mut too_large = Vec::new();
        for span in batch.spans() {
            let from = unit.bytes.len();
            encoder.encode(span.row, &mut unit.bytes);
            let bytes = from..unit.bytes.len();
            if bytes.len() > row_bytes_max {
                unit.bytes.truncate(from);
                too_large.push(span);
                continue;
            }
            unit.rows.push(Row {
                trace_id: span.trace_id(),
                span_id: span.span_id(),
                content: content_hash(&unit.bytes[bytes.clone()]).cast_signed(),
                bytes,
            });
        }
        if too_large.is_empty() {
            return Ok(());
        }
        let (mut builder, mut scratch) = (BatchBuilder::new(1), CopyScratch::default());
        for span in too_large {
            builder.copy(span, &mut scratch);
        }
        let reason = format!("the span is larger than a row of {row_bytes_max} bytes");
        self.dead_letters.set_aside(builder.finish_one(), &reason)
    }

    /// Writes the unit, on the driver's own thread: there an answer wakes its request without a call to
    /// the kernel.
    fn write(&mut self) -> Result<(), Error> {
        // A trace's rows side by side: they go to the same replicas, in one mutation.
        self.unit().rows.sort_unstable_by_key(|row| row.trace_id);
        let (writer, unit) = (self.writer.clone(), self.unit.clone());
        self.writer.cassandra.run_apart(writer.write(unit))
    }
}

impl Writer {
    /// Writes rows that are sorted, a bounded number of requests at once.
    async fn write(self, unit: Arc<Unit>) -> Result<(), Error> {
        let pieces = unit.pieces().into_iter();
        let writes = pieces.map(|piece| self.write_rows(&unit, piece));
        stream::iter(writes)
            .buffer_unordered(self.cassandra.settings().concurrency.max(1))
            .try_collect()
            .await
    }

    async fn write_rows(&self, unit: &Unit, piece: Range<usize>) -> Result<(), Error> {
        let rows = &unit.rows[piece];
        let again = || {
            self.retries.fetch_add(1, Ordering::Relaxed);
        };
        tried(|| self.try_rows(unit, rows), again).await
    }

    async fn try_rows(&self, unit: &Unit, rows: &[Row]) -> Result<(), ExecutionError> {
        let session = self.cassandra.session();
        if let [row] = rows {
            let written = session.execute_unpaged(&self.insert, unit.values(row));
            return written.await.map(drop);
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(true);
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            batch.append_statement(PreparedStatement::clone(&self.insert));
            values.push(unit.values(row));
        }
        session.batch(&batch, values).await.map(drop)
    }
}

impl Sink for CassandraSink {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        self.unit().clear();
        for (number, record) in (1..).zip(records) {
            self.encode(&record.batch)?;
            if self.unit.rows.len() >= UNIT_ROWS || number == records.len() {
                self.write()?;
                self.unit().clear();
            }
        }
        for Position { partition, offset } in records.iter().map(|record| record.position) {
            let applied = self.applied.entry(partition).or_default();
            *applied = offset.max(*applied);
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let position = |(&partition, &offset)| Position { partition, offset };
        self.applied.iter().map(position).collect()
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
