//! The samplers' ledger. A partition of the log is a partition here, too: its progress and its rounds
//! are written in one conditional batch, so that of two samplers one writes the next round.

use std::collections::{BTreeMap, HashSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};
use tracewell_model::TraceId;
use tracewell_storage::sampling::Kept;
use tracewell_storage::sampling::ledger::{Decided, Progress, Round};
use tracewell_storage::{Error, Ledger};

use crate::schema;
use crate::session::{Cassandra, classify};

/// Traces of one row.
const PIECE: usize = 1_000;
/// Rows of a page: of rounds, which are long, and of others.
const PAGE_ROUNDS: i32 = 100;
const PAGE_ROWS: i32 = 5_000;
const HOUR_NS: u64 = 3_600_000_000_000;

/// The ledger in the tables of a cluster.
#[derive(Debug)]
pub struct CassandraLedger {
    cassandra: Cassandra,
    /// How long rounds and pins are remembered.
    remember_s: i32,
    statements: Statements,
}

#[derive(Debug)]
struct Statements {
    advance: PreparedStatement,
    note_round: PreparedStatement,
    read: PreparedStatement,
    read_all: PreparedStatement,
    rounds: PreparedStatement,
    keep: PreparedStatement,
    why: PreparedStatement,
    pin: PreparedStatement,
    pinned: PreparedStatement,
}

impl Statements {
    fn prepare(cassandra: &Cassandra) -> Result<Statements, Error> {
        let keyspace = &cassandra.settings().keyspace;
        let paged = |cql: &str, page| cassandra.prepare(&cql.replace("KS", keyspace), page);
        let prepare = |cql: &str| paged(cql, PAGE_ROWS);
        let mut read = prepare(
            "SELECT DISTINCT log_partition, round, progress FROM KS.sampling WHERE log_partition = ?",
        )?;
        // Of a write whose end is not known this finds out what became of it.
        read.set_consistency(Consistency::LocalSerial);
        Ok(Statements {
            advance: prepare(
                "UPDATE KS.sampling SET round = ?, progress = ? WHERE log_partition = ? IF round = ?",
            )?,
            note_round: prepare(
                "INSERT INTO KS.sampling (log_partition, at_round, piece, at, read_to, as_of, decided)
                VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ?",
            )?,
            read,
            read_all: prepare("SELECT DISTINCT log_partition, round, progress FROM KS.sampling")?,
            rounds: paged(
                "SELECT at_round, at, read_to, as_of, decided FROM KS.sampling
                WHERE log_partition = ? AND at_round > ?",
                PAGE_ROUNDS,
            )?,
            keep: prepare("INSERT INTO KS.kept (trace_id, reason) VALUES (?, ?)")?,
            why: prepare("SELECT reason FROM KS.kept WHERE trace_id = ?")?,
            pin: prepare("INSERT INTO KS.pins (hour, trace_id) VALUES (?, ?) USING TTL ?")?,
            pinned: prepare("SELECT trace_id FROM KS.pins WHERE hour = ?")?,
        })
    }
}

impl CassandraLedger {
    /// The ledger of this cluster, whose tables must be there.
    pub fn open(cassandra: Cassandra, remember_s: u64) -> Result<CassandraLedger, Error> {
        schema::check(&cassandra)?;
        Ok(CassandraLedger {
            statements: Statements::prepare(&cassandra)?,
            remember_s: i32::try_from(remember_s).unwrap_or(i32::MAX),
            cassandra,
        })
    }

    /// All rows of an answer, page by page.
    fn rows(
        &self,
        statement: &PreparedStatement,
        values: Vec<CqlValue>,
        mut each: impl FnMut(&[Option<CqlValue>]) -> Option<()>,
    ) -> Result<(), Error> {
        let session = self.cassandra.session();
        let mut from = PagingState::start();
        loop {
            let read = session.execute_single_page(statement, &values, from);
            let (page, next) = self
                .cassandra
                .block_on(read)
                .map_err(|error| classify(&error))?;
            let page = page.into_rows_result().map_err(|error| foreign(&error))?;
            for row in page.rows::<Row>().map_err(|error| foreign(&error))? {
                let row = row.map_err(|error| foreign(&error))?;
                each(&row.columns).ok_or_else(|| foreign(&"a row is not understood"))?;
            }
            match next {
                PagingStateResponse::HasMorePages { state } => from = state,
                PagingStateResponse::NoMorePages => return Ok(()),
            }
        }
    }

    /// One statement for each of these, a bounded number at once, answered in their order.
    fn each<A: Send + 'static>(
        &self,
        statement: &PreparedStatement,
        values: Vec<Vec<CqlValue>>,
        read: fn(scylla::response::query_result::QueryResult) -> Result<A, Error>,
    ) -> Result<Vec<A>, Error> {
        let (cassandra, statement) = (self.cassandra.clone(), statement.clone());
        self.cassandra.run_apart(async move {
            let (session, statement) = (cassandra.session(), &statement);
            let asked = values.into_iter().map(|values| async move {
                let answer = session.execute_unpaged(statement, values).await;
                read(answer.map_err(|error| classify(&error))?)
            });
            stream::iter(asked)
                .buffered(cassandra.settings().concurrency.max(1))
                .try_collect()
                .await
        })
    }
}

impl Ledger for CassandraLedger {
    fn read(&self, partition: u32, after: u64) -> Result<Option<(Progress, Vec<Round>)>, Error> {
        let key = CqlValue::Int(partition.cast_signed());
        let mut known = None;
        self.rows(&self.statements.read, vec![key.clone()], |row| {
            known = progress_of(row)?;
            Some(())
        })?;
        let Some((_, progress)) = known else {
            return Ok(None);
        };
        let mut rounds: BTreeMap<u64, Round> = BTreeMap::new();
        let asked = vec![key, big(after)];
        self.rows(&self.statements.rounds, asked, |row| {
            let [
                Some(number),
                Some(at),
                Some(read),
                Some(as_of),
                Some(decided),
            ] = row
            else {
                return None;
            };
            let number = small(number)?;
            let round = rounds.entry(number).or_insert(Round {
                number,
                at_unix_ns: small(at)?,
                read: small(read)?,
                as_of_unix_ns: small(as_of)?,
                decided: Vec::new(),
            });
            round.decided.extend(Decided::decode(decided.as_blob()?)?);
            Some(())
        })?;
        // What another writes meanwhile is read the next time.
        rounds.retain(|number, _| *number <= progress.round);
        Ok(Some((progress, rounds.into_values().collect())))
    }

    fn write(
        &self,
        partition: u32,
        progress: &Progress,
        round: Option<&Round>,
    ) -> Result<bool, Error> {
        let key = CqlValue::Int(partition.cast_signed());
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.append_statement(self.statements.advance.clone());
        let before = progress.round.saturating_sub(1);
        let mut values = vec![vec![
            Some(big(progress.round)),
            Some(CqlValue::Blob(progress.encode())),
            Some(key.clone()),
            (before > 0).then(|| big(before)),
        ]];
        let pieces = round.into_iter().flat_map(|round| {
            let pieces = round.decided.chunks(PIECE);
            pieces.map(move |piece| (round, piece))
        });
        for (number, (round, piece)) in (0..).zip(pieces) {
            batch.append_statement(self.statements.note_round.clone());
            let row = [
                key.clone(),
                big(round.number),
                CqlValue::Int(number),
                big(round.at_unix_ns),
                big(round.read),
                big(round.as_of_unix_ns),
                CqlValue::Blob(Decided::encode(piece)),
                CqlValue::Int(self.remember_s),
            ];
            values.push(row.into_iter().map(Some).collect());
        }
        let written = self.cassandra.session().batch(&batch, values);
        let written = self.cassandra.block_on(written);
        let answer = written.map_err(|error| classify(&error))?;
        let answer = answer.into_rows_result().map_err(|error| foreign(&error))?;
        let first = answer.first_row::<Row>().map_err(|error| foreign(&error))?;
        let is_applied = first.columns.first().and_then(Option::as_ref);
        let is_applied = is_applied.and_then(CqlValue::as_boolean);
        is_applied.ok_or_else(|| foreign(&"it does not say whether a round was written"))
    }

    fn read_all(&self) -> Result<Vec<(u32, Progress)>, Error> {
        let mut all = Vec::new();
        self.rows(&self.statements.read_all, Vec::new(), |row| {
            all.extend(progress_of(row)?);
            Some(())
        })?;
        Ok(all)
    }

    fn note_kept(&self, kept: &[(TraceId, Kept)]) -> Result<(), Error> {
        let values = kept.iter().map(|(id, reason)| {
            let code = (*reason as u8).cast_signed();
            vec![CqlValue::Blob(id.0.to_vec()), CqlValue::TinyInt(code)]
        });
        let done = self.each(&self.statements.keep, values.collect(), |_| Ok(()));
        done.map(drop)
    }

    fn why_kept(&self, ids: &[TraceId]) -> Result<Vec<Option<Kept>>, Error> {
        let asked = ids.iter().map(|id| vec![CqlValue::Blob(id.0.to_vec())]);
        self.each(&self.statements.why, asked.collect(), |answer| {
            let rows = answer.into_rows_result().map_err(|error| foreign(&error))?;
            let row = rows.maybe_first_row::<(i8,)>();
            let row = row.map_err(|error| foreign(&error))?;
            Ok(row.map(|(code,)| Kept::of_code(code.cast_unsigned())))
        })
    }

    fn pin(&self, id: TraceId, at_unix_ns: u64) -> Result<(), Error> {
        let values = [
            big(at_unix_ns / HOUR_NS),
            CqlValue::Blob(id.0.to_vec()),
            CqlValue::Int(self.remember_s),
        ];
        let done = self.each(&self.statements.pin, vec![values.to_vec()], |_| Ok(()));
        done.map(drop)
    }

    fn pinned(&self, since_unix_ns: u64) -> Result<HashSet<TraceId>, Error> {
        let since = since_unix_ns / HOUR_NS;
        let hours = i64::from(self.remember_s) / 3_600 + 2;
        let mut pinned = HashSet::new();
        for hour in (0..hours).map(|hour| since + hour.unsigned_abs()) {
            self.rows(&self.statements.pinned, vec![big(hour)], |row| {
                let id = row.first()?.as_ref()?.as_blob()?;
                pinned.insert(TraceId::from_slice(id)?);
                Some(())
            })?;
        }
        Ok(pinned)
    }
}

/// A partition and how far it is; the inner none where only old rounds are left of it.
#[allow(clippy::option_option)]
fn progress_of(row: &[Option<CqlValue>]) -> Option<Option<(u32, Progress)>> {
    let [Some(partition), round, progress] = row else {
        return None;
    };
    let (Some(round), Some(progress)) = (round, progress) else {
        return Some(None);
    };
    let partition = u32::try_from(partition.as_int()?).ok()?;
    let progress = Progress::decode(small(round)?, progress.as_blob()?)?;
    Some(Some((partition, progress)))
}

fn big(number: u64) -> CqlValue {
    CqlValue::BigInt(number.cast_signed())
}

fn small(value: &CqlValue) -> Option<u64> {
    value.as_bigint().map(i64::cast_unsigned)
}

fn foreign(error: &dyn std::fmt::Display) -> Error {
    Error::retryable(format!("Cassandra: reading the samplers' ledger: {error}"))
}
