//! Rows into spans: a trace by its id, page by page of its partition; and everything, for exports.

use std::ops::ControlFlow;
use std::sync::Arc;

use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::prepared::PreparedStatement;
use tracewell_model::{SpanBatch, SpanId, TraceId};
use tracewell_storage::row::RowDecoder;
use tracewell_storage::scan::{Each, ScanQuery, Scanned, SpanScanner};
use tracewell_storage::{Error, FoundTrace, ReadContext, Searched, TraceReader};

use crate::schema;
use crate::session::{Cassandra, while_wanted};

/// Rows of a page: a few megabytes, so that a giant trace never lies whole in the driver.
const PAGE_ROWS: i32 = 5_000;
/// Rows that a scan hands over at once: it can be told to end between them.
const ROWS_TOGETHER: usize = 250;

/// Reads spans.
#[derive(Debug)]
pub struct CassandraReader {
    cassandra: Cassandra,
    of_trace: PreparedStatement,
    all: PreparedStatement,
}

/// Rows as they come, decoded into batches.
#[derive(Default)]
struct Rows {
    decoder: RowDecoder,
    bytes: usize,
    damaged: u64,
}

impl CassandraReader {
    /// A reader of the tables of this cluster, which must be there.
    pub fn open(cassandra: Cassandra) -> Result<CassandraReader, Error> {
        schema::check(&cassandra)?;
        let keyspace = &cassandra.settings().keyspace;
        let all = format!("SELECT trace_id, span_id, span FROM {keyspace}.spans");
        let of_trace = format!("{all} WHERE trace_id = ?");
        Ok(CassandraReader {
            of_trace: cassandra.prepare(&of_trace, PAGE_ROWS)?,
            all: cassandra.prepare(&all, PAGE_ROWS)?,
            cassandra,
        })
    }

    /// One page, and where the next begins.
    fn page(
        &self,
        of: Option<TraceId>,
        from: PagingState,
        context: &ReadContext,
    ) -> Result<(QueryResult, Option<PagingState>), Error> {
        let session = self.cassandra.session();
        let (page, next) = match of {
            Some(id) => {
                let read = session.execute_single_page(&self.of_trace, (&id.0[..],), from);
                self.cassandra.block_on(while_wanted(context, read))
            }
            None => {
                let read = session.execute_single_page(&self.all, (), from);
                self.cassandra.block_on(while_wanted(context, read))
            }
        }?;
        let next = match next {
            PagingStateResponse::HasMorePages { state } => Some(state),
            PagingStateResponse::NoMorePages => None,
        };
        Ok((page, next))
    }
}

impl Rows {
    /// Takes a page's rows in until `spans_max` or `bytes_max` is reached; true when all went in.
    fn take(
        &mut self,
        page: QueryResult,
        spans_max: usize,
        bytes_max: usize,
    ) -> Result<bool, Error> {
        let foreign =
            |error: &dyn std::fmt::Display| Error::corrupt(format!("reading rows: {error}"));
        let page = page.into_rows_result().map_err(|error| foreign(&error))?;
        let rows = page.rows::<(&[u8], &[u8], &[u8])>();
        for (spans, row) in rows.map_err(|error| foreign(&error))?.enumerate() {
            let (trace_id, span_id, span) = row.map_err(|error| foreign(&error))?;
            if spans == spans_max || self.bytes + span.len() > bytes_max {
                return Ok(false);
            }
            let ids = TraceId::from_slice(trace_id).zip(SpanId::from_slice(span_id));
            let taken = ids.and_then(|(trace, id)| self.decoder.push(trace, id, span));
            self.damaged += u64::from(taken.is_none());
            self.bytes += span.len();
        }
        Ok(true)
    }
}

impl TraceReader for CassandraReader {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        let mut found = FoundTrace {
            searched: searched(),
            ..FoundTrace::default()
        };
        let mut rows = Rows::default();
        let mut from = Some(PagingState::start());
        while let Some(state) = from {
            let (page, next) = self.page(Some(id), state, context)?;
            let room = context.spans_max - found.len();
            let whole = rows.take(page, room, context.bytes_max)?;
            found.searched.blocks_read += 1;
            let batch = rows.decoder.finish();
            if !batch.is_empty() {
                let all = (0..batch.len() as u32).collect();
                found.parts.push((Arc::new(batch), all));
            }
            from = next;
            if !whole || (from.is_some() && found.len() == context.spans_max) {
                let cut = format!("the trace is cut after {} spans", found.len());
                found.incomplete.push(cut);
                break;
            }
        }
        found.searched.bytes_read = rows.bytes as u64;
        found.incomplete.extend(damage(rows.damaged));
        Ok(found)
    }
}

impl SpanScanner for CassandraReader {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        let mut scanned = Scanned {
            searched: searched(),
            ..Scanned::default()
        };
        let mut rows = Rows::default();
        let mut from = Some(PagingState::start());
        'pages: while let Some(state) = from {
            let (page, next) = self.page(None, state, context)?;
            from = next;
            rows.take(page, usize::MAX, usize::MAX)?;
            scanned.searched.blocks_read += 1;
            let batch: SpanBatch = rows.decoder.finish();
            let matching = query.rows(&batch, 0..batch.len() as u32);
            for some in matching.chunks(ROWS_TOGETHER) {
                scanned.spans += some.len() as u64;
                if let ControlFlow::Break(()) = each(&batch, some) {
                    break 'pages;
                }
            }
        }
        scanned.searched.bytes_read = rows.bytes as u64;
        scanned.spans_missing = rows.damaged;
        scanned.incomplete.extend(damage(rows.damaged));
        Ok(scanned)
    }
}

fn damage(rows: u64) -> Option<String> {
    (rows > 0).then(|| format!("{rows} rows are damaged, or of a newer version"))
}

fn searched() -> Searched {
    Searched {
        backend: "cassandra",
        ..Searched::default()
    }
}
