//! The indexer's sink: spans gather by trace, and once a second the traces that grew are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use tracewell_model::TraceId;
use tracewell_storage::row::{RowEncoder, content_hash};
use tracewell_storage::{Class, DeadLetters, Error, Position, Record, Sink};

use crate::bulk::{self, Bulk, Item, Outcome, Version};
use crate::document::Document;
use crate::http::Http;
use crate::indices::{expire_with, index_of};
use crate::names::Known;
use crate::rows::Rows;
use crate::settings::Settings;

/// New spans that are not put off to the next tick.
const UNWRITTEN_MAX: usize = 20_000;
/// A trace without a new span for this long is let go; one that goes on is read back.
const HELD_NS: u64 = 30_000_000_000;
/// Rounds in which conflicts are resolved; each reads what is there and adds to it.
const ROUNDS_MAX: usize = 5;
/// How often old indices are looked for.
const EXPIRE_EVERY_NS: u64 = 600_000_000_000;

/// The search group's sink.
pub struct OpenSearchSink {
    http: Http,
    dead_letters: Arc<dyn DeadLetters>,
    held: HashMap<TraceId, Held>,
    known: Known,
    unwritten: usize,
    applied: BTreeMap<u32, u64>,
    durable: BTreeMap<u32, u64>,
    now_unix_ns: u64,
    expired_unix_ns: u64,
}

/// A trace of the last moments.
#[derive(Debug)]
struct Held {
    rows: Rows,
    index: String,
    version: Option<Version>,
    written: bool,
    /// Rows whose names are written, or about to be.
    named: usize,
    touched_unix_ns: u64,
}

impl std::fmt::Debug for OpenSearchSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSearchSink")
            .field("held", &self.held.len())
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

impl OpenSearchSink {
    /// A sink into this index, whose template must be there; nothing is sent yet.
    pub fn new(
        settings: Settings,
        dead_letters: Arc<dyn DeadLetters>,
    ) -> Result<OpenSearchSink, Error> {
        Ok(OpenSearchSink {
            http: Http::new(settings)?,
            dead_letters,
            held: HashMap::new(),
            known: Known::default(),
            unwritten: 0,
            applied: BTreeMap::new(),
            durable: BTreeMap::new(),
            now_unix_ns: 0,
            expired_unix_ns: 0,
        })
    }

    /// Bytes of memory held, for the budget (D15).
    pub fn memory_bytes(&self) -> usize {
        let held = self.held.values().map(|held| held.rows.memory_bytes());
        held.sum()
    }

    fn take(&mut self, record: &Record) {
        let settings = self.http.settings.clone();
        let mut encoder = RowEncoder::new(&record.batch);
        let mut row = Vec::new();
        for span in record.batch.spans() {
            row.clear();
            encoder.encode(span.row, &mut row);
            let held = self.held.entry(span.trace_id()).or_insert_with(|| Held {
                rows: Rows::default(),
                index: index_of(&settings, record.arrived_unix_ns),
                version: None,
                written: true,
                named: 0,
                touched_unix_ns: 0,
            });
            let arrived = record.arrived_unix_ns;
            if held.rows.add(span, content_hash(&row), arrived, &settings) {
                self.unwritten += 1;
                held.written = false;
            }
            held.touched_unix_ns = held.touched_unix_ns.max(arrived);
        }
        self.now_unix_ns = self.now_unix_ns.max(record.arrived_unix_ns);
        let Position { partition, offset } = record.position;
        let applied = self.applied.entry(partition).or_default();
        *applied = offset.max(*applied);
    }

    /// Writes every trace that grew, then says so.
    fn write(&mut self) -> Result<(), Error> {
        for _ in 0..ROUNDS_MAX {
            let (conflicts, later) = self.round()?;
            if let Some(reason) = later {
                let refused = format!("OpenSearch refused documents for now: {reason}");
                return Err(Error::new(Class::Overloaded, refused));
            }
            if conflicts.is_empty() {
                self.unwritten = 0;
                self.durable.clone_from(&self.applied);
                return Ok(());
            }
            self.read_back(&conflicts)?;
        }
        Err(Error::retryable(
            "documents are written by another indexer too",
        ))
    }

    /// One go at everything that is not written: traces whose document is another, and why some are
    /// not written yet.
    fn round(&mut self) -> Result<(Vec<TraceId>, Option<String>), Error> {
        let (mut conflicts, mut later) = (Vec::new(), None);
        let unwritten = self.held.iter().filter(|(_, held)| !held.written);
        let unwritten: Vec<TraceId> = unwritten.map(|(&id, _)| id).collect();
        let mut bulk = Bulk::default();
        for (number, id) in (1..).zip(&unwritten) {
            if let Some(held) = self.held.get_mut(id) {
                let Held { index, rows, .. } = held;
                for name in self.known.new_names(index, rows, held.named) {
                    bulk.put_name(index, name);
                }
                held.named = rows.rows.len();
                bulk.put_trace(index, *id, rows, held.version);
            }
            if bulk.body.len() < bulk::BYTES_MAX && number < unwritten.len() {
                continue;
            }
            let sent = std::mem::take(&mut bulk).send(&self.http);
            for (item, outcome) in sent.inspect_err(|_| self.forget_names())? {
                self.settle(item, outcome, &mut conflicts, &mut later)?;
            }
        }
        Ok((conflicts, later))
    }

    fn settle(
        &mut self,
        item: Item,
        outcome: Outcome,
        conflicts: &mut Vec<TraceId>,
        later: &mut Option<String>,
    ) -> Result<(), Error> {
        let id = match item {
            Item::Trace(id) => id,
            Item::Name(name) => {
                if let Outcome::Later(reason) = outcome {
                    self.forget_names();
                    *later = Some(format!("the name {name:?}: {reason}"));
                }
                return Ok(());
            }
        };
        let Some(held) = self.held.get_mut(&id) else {
            return Ok(());
        };
        match outcome {
            Outcome::Written(version) => {
                (held.written, held.version) = (true, Some(version));
            }
            Outcome::Conflict => conflicts.push(id),
            Outcome::Later(reason) => *later = Some(reason),
            Outcome::Never(reason) => {
                let reason = format!("OpenSearch refuses the trace's document: {reason}");
                self.dead_letters
                    .set_aside(held.rows.to_batch(id), &reason)?;
                self.held.remove(&id);
            }
        }
        Ok(())
    }

    /// Some may not be written: all of the rows at hand are named again.
    fn forget_names(&mut self) {
        self.known = Known::default();
        self.held.values_mut().for_each(|held| held.named = 0);
    }

    /// Takes in what the documents of these traces say, so that the next write keeps it.
    fn read_back(&mut self, ids: &[TraceId]) -> Result<(), Error> {
        let index = |id| self.held.get(id).map_or("", |held: &Held| &held.index);
        let read = bulk::read(&self.http, ids.iter().map(|id| (index(id), *id)))?;
        for (id, (version, document)) in ids.iter().zip(read) {
            let Some(held) = self.held.get_mut(id) else {
                continue;
            };
            held.version = version;
            match document.map(Document::open) {
                Some(Some((_, rows))) => held.rows.absorb(&rows),
                // What is damaged is replaced by what is known.
                Some(None) => tracing::warn!(trace = %id, "the trace's document was damaged"),
                // Not there any more: it is made anew.
                None => {}
            }
        }
        Ok(())
    }

    /// Lets go of traces that are written: those that came to rest, and the oldest where all
    /// together take too much.
    fn let_go(&mut self, now_unix_ns: u64) {
        self.held.retain(|_, held| {
            !held.written || now_unix_ns.saturating_sub(held.touched_unix_ns) < HELD_NS
        });
        let (mut bytes, bytes_max) = (self.memory_bytes(), self.http.settings.held_bytes_max);
        if bytes <= bytes_max {
            return;
        }
        let written = self.held.iter().filter(|(_, held)| held.written);
        let mut oldest: Vec<_> = written
            .map(|(&id, held)| (held.touched_unix_ns, id))
            .collect();
        oldest.sort_unstable();
        for (_, id) in oldest {
            // To three quarters, so that this is not done for every batch.
            if bytes <= bytes_max / 4 * 3 {
                break;
            }
            if let Some(held) = self.held.remove(&id) {
                bytes -= held.rows.memory_bytes();
            }
        }
    }

    fn expire(&mut self, now_unix_ns: u64) {
        if now_unix_ns.abs_diff(self.expired_unix_ns) < EXPIRE_EVERY_NS {
            return;
        }
        self.expired_unix_ns = now_unix_ns;
        match expire_with(&self.http, now_unix_ns) {
            Ok(expired) if expired.is_empty() => {}
            Ok(expired) => tracing::info!(?expired, "indices are past their days"),
            // Searches go on, and the next try is soon.
            Err(error) => tracing::warn!(%error, "old indices could not be dropped"),
        }
    }
}

impl Sink for OpenSearchSink {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        // What could not be written before must be out before more is taken in.
        if self.unwritten >= UNWRITTEN_MAX {
            self.write()?;
        }
        records.iter().for_each(|record| self.take(record));
        if self.unwritten >= UNWRITTEN_MAX {
            self.write()?;
            self.let_go(self.now_unix_ns);
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let position = |(&partition, &offset)| Position { partition, offset };
        self.durable.iter().map(position).collect()
    }

    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        self.write()?;
        self.let_go(now_unix_ns);
        self.expire(now_unix_ns);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.write()
    }
}
