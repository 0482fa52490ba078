//! Trace stores that are wrong on purpose.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;

use hashbrown::HashSet;
use tracewell_model::clock::ManualClock;
use tracewell_model::{Clock, SpanBatch, TraceId};

use crate::conformance::spans::{Attributes, OwnedValue, SpanSpec, batch, filter, specs};
use crate::conformance::{Durability, OpenStore, Restart, StoreFixture};
use crate::context::ReadContext;
use crate::error::Error;
use crate::find::{Found, Names, Order, TraceFinder, TraceQuery};
use crate::log::{Position, Record};
use crate::memory::MemoryStore;
use crate::scan::{Each, ScanQuery, Scanned, SpanScanner};
use crate::sink::Sink;
use crate::traces::{FoundTrace, TraceReader};
use crate::value_counts::{Sets, ValueCounts};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Loses one span in a thousand.
    DropsEveryThousandth,
    /// Comes back empty, yet calls everything durable.
    ForgetsOnRestart,
    /// Calls durable what a crash takes.
    DurableTooEarly,
    /// Takes back what it called durable.
    DurableGoesBack,
    /// Keeps one span of each id (never deduplicate by id alone).
    MergesNamesakes,
    /// Counts what was delivered twice as two spans.
    CountsRepeats,
    /// Trims texts.
    TrimsTexts,
    /// Stores integers as doubles.
    RoundsIntegers,
    /// Lets an event's attributes be found no more.
    ForgetsEvents,
    /// Cuts a long answer without a word.
    CutsInSilence,
    /// Goes on when the time is up.
    IgnoresDeadline,
    /// Shows a trace of a page twice.
    ShowsOneTraceTwice,
    /// Lets one span satisfy the tags and another the rest.
    MixesPredicates,
    /// Loses the first trace of every page but the first.
    SkipsAtPageBoundary,
    /// Goes on behind all traces whose key equals the last one's.
    SkipsTies,
    /// Lets traces into later pages that came after the first, and keys move.
    IgnoresHorizon,
    /// Judges the error of a trace by its first fragment.
    MissesLateErrors,
    /// Scans what is durable only.
    ScansWithoutHead,
    /// Scans the last moment of a range too.
    ScansPastTheEnd,
    /// Goes on scanning when told to end.
    ScansOn,
    /// Counts what is in the first set in the rest too.
    CountsTheRestTwice,
}

impl StoreFault {
    /// Every fault.
    pub const ALL: [StoreFault; 21] = [
        StoreFault::DropsEveryThousandth,
        StoreFault::ForgetsOnRestart,
        StoreFault::DurableTooEarly,
        StoreFault::DurableGoesBack,
        StoreFault::MergesNamesakes,
        StoreFault::CountsRepeats,
        StoreFault::TrimsTexts,
        StoreFault::RoundsIntegers,
        StoreFault::ForgetsEvents,
        StoreFault::CutsInSilence,
        StoreFault::IgnoresDeadline,
        StoreFault::ShowsOneTraceTwice,
        StoreFault::MixesPredicates,
        StoreFault::SkipsAtPageBoundary,
        StoreFault::SkipsTies,
        StoreFault::IgnoresHorizon,
        StoreFault::MissesLateErrors,
        StoreFault::ScansWithoutHead,
        StoreFault::ScansPastTheEnd,
        StoreFault::ScansOn,
        StoreFault::CountsTheRestTwice,
    ];
}

/// Opens trace stores with this fault.
#[derive(Clone, Copy, Debug)]
pub struct BrokenStore(pub StoreFault);

impl StoreFixture for BrokenStore {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenStore> {
        let inner = MemoryStore::new();
        Box::new(Broken {
            fault: self.0,
            inner,
            clock,
            spans: 0,
            claimed: Vec::new(),
        })
    }
}

struct Broken {
    fault: StoreFault,
    inner: MemoryStore,
    clock: Arc<ManualClock>,
    /// Spans taken in so far.
    spans: u64,
    /// What it says is durable, where that is not what is.
    claimed: Vec<Position>,
}

impl OpenStore for Broken {
    fn sink(&mut self) -> &mut dyn Sink {
        self
    }

    fn reader(&self) -> &dyn TraceReader {
        self
    }

    fn finder(&self) -> &dyn TraceFinder {
        self
    }

    fn scanner(&self) -> &dyn SpanScanner {
        self
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStore> {
        let claimed = Sink::durable(&*self);
        let inner = match self.fault {
            StoreFault::ForgetsOnRestart => MemoryStore::new(),
            _ => self.inner.restart(how),
        };
        Box::new(Broken {
            inner,
            claimed,
            ..*self
        })
    }
}

impl Sink for Broken {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        for record in records {
            let batch = Arc::new(self.spoil(&record.batch));
            let record = Record {
                batch,
                ..record.clone()
            };
            if self.fault == StoreFault::DurableTooEarly {
                self.claimed = vec![record.position];
            }
            match self.fault {
                // Past the position check, so that redelivery adds a second copy; that alone
                // is allowed by the contract of both sink and reader.
                StoreFault::CountsRepeats => {
                    let again = SpanBatch::clone(&record.batch);
                    self.inner.push(again, record.arrived_unix_ns);
                    self.inner.apply(&[record])?;
                }
                _ => self.inner.apply(&[record])?,
            }
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let mut durable = self.inner.durable();
        match self.fault {
            StoreFault::DurableTooEarly if !self.claimed.is_empty() => self.claimed.clone(),
            StoreFault::ForgetsOnRestart if durable.is_empty() => self.claimed.clone(),
            StoreFault::DurableGoesBack => {
                durable.retain(|position| position.offset % 3 != 0);
                durable
            }
            _ => durable,
        }
    }

    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        self.inner.tick(now_unix_ns)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.inner.flush()
    }
}

impl Broken {
    /// What the sink makes of a batch.
    fn spoil(&mut self, original: &SpanBatch) -> SpanBatch {
        match self.fault {
            StoreFault::DropsEveryThousandth => filter(original, |_span| {
                self.spans += 1;
                !self.spans.is_multiple_of(1_000)
            }),
            StoreFault::TrimsTexts => with_values(original, |value| match value {
                OwnedValue::Str(text) => OwnedValue::Str(text.trim().to_owned()),
                other => other,
            }),
            StoreFault::RoundsIntegers => with_values(original, |value| match value {
                OwnedValue::Int(number) => OwnedValue::Int(number as f64 as i64),
                other => other,
            }),
            StoreFault::ForgetsEvents => {
                let spans = specs(original).into_iter();
                let spans = spans.map(|s| SpanSpec {
                    event_attributes: Vec::new(),
                    ..s
                });
                batch(&spans.collect::<Vec<_>>())
            }
            _ => original.clone(),
        }
    }

    /// The same bounds without an end.
    fn forever(&self, context: &ReadContext) -> ReadContext {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let mut forever = ReadContext::new(clock, u64::MAX);
        (forever.spans_max, forever.bytes_max) = (context.spans_max, context.bytes_max);
        forever
    }

    /// The pages of traces that satisfy the tags by one span and the rest by another.
    fn mix(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        let all = TraceQuery {
            limit: usize::MAX,
            cursor: None,
            ..query.clone()
        };
        let tags = TraceQuery {
            tags: query.tags.clone(),
            limit: usize::MAX,
            ..TraceQuery::default()
        };
        let by_tags = self.inner.find_traces(&tags, context)?.hits.into_iter();
        let tagged: HashSet<TraceId> = by_tags.map(|hit| hit.summary.trace_id).collect();
        let rest = TraceQuery {
            tags: Vec::new(),
            ..all
        };
        let mut found = self.inner.find_traces(&rest, context)?;
        let key = |hit: &crate::TraceHit| match query.order {
            Order::Newest => hit.summary.start_unix_ns,
            Order::Slowest => hit.summary.duration_ns,
        };
        found.hits.retain(|hit| {
            let id = hit.summary.trace_id;
            tagged.contains(&id)
                && query
                    .cursor
                    .is_none_or(|cursor| cursor.is_before(key(hit), id))
        });
        found
            .hits
            .sort_by_key(|hit| (Reverse(key(hit)), hit.summary.trace_id));
        let more = found.hits.len() > query.limit;
        found.hits.truncate(query.limit);
        found.next = found.hits.last().filter(|_| more).map(|hit| crate::Cursor {
            key: key(hit),
            trace_id: hit.summary.trace_id,
            horizon_unix_ns: u64::MAX,
        });
        Ok(found)
    }
}

fn with_values(original: &SpanBatch, change: impl Fn(OwnedValue) -> OwnedValue) -> SpanBatch {
    let change = |values: Attributes| -> Attributes {
        values
            .into_iter()
            .map(|(key, value)| (key, change(value)))
            .collect()
    };
    let spans = specs(original).into_iter();
    let spans = spans.map(|span| {
        let attributes = change(span.attributes.clone());
        SpanSpec { attributes, ..span }
    });
    batch(&spans.collect::<Vec<_>>())
}

impl TraceReader for Broken {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        let mut found = match self.fault {
            StoreFault::IgnoresDeadline => self.inner.get_trace(id, &self.forever(context))?,
            _ => self.inner.get_trace(id, context)?,
        };
        match self.fault {
            StoreFault::CutsInSilence => found.incomplete.clear(),
            StoreFault::MergesNamesakes => {
                let mut seen = HashSet::new();
                for (batch, rows) in &mut found.parts {
                    rows.retain(|row| seen.insert(batch.span(*row).span_id()));
                }
            }
            _ => {}
        }
        Ok(found)
    }
}

impl TraceFinder for Broken {
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        let mut query = query.clone();
        match (self.fault, &mut query.cursor) {
            (StoreFault::IgnoresDeadline, _) => {
                return self.inner.find_traces(&query, &self.forever(context));
            }
            (StoreFault::MixesPredicates, _) => return self.mix(&query, context),
            (StoreFault::IgnoresHorizon, Some(cursor)) => cursor.horizon_unix_ns = u64::MAX,
            (StoreFault::MissesLateErrors, _) if query.error == Some(true) => {
                query.span_error = Some(true);
            }
            _ => {}
        }
        let mut found = self.inner.find_traces(&query, context)?;
        match self.fault {
            StoreFault::ShowsOneTraceTwice if found.hits.len() + 1 < query.limit => {
                found.hits.extend(found.hits.last().cloned());
            }
            StoreFault::SkipsAtPageBoundary if query.cursor.is_some() && found.hits.len() > 1 => {
                found.hits.remove(0);
            }
            StoreFault::SkipsTies => {
                found.next = found.next.map(|next| crate::Cursor {
                    trace_id: TraceId([0xff; 16]),
                    ..next
                });
            }
            StoreFault::CountsRepeats => {
                for hit in &mut found.hits {
                    let spans = self.inner.get_trace(hit.summary.trace_id, context)?;
                    hit.summary.span_count = spans.len() as u64;
                }
            }
            _ => {}
        }
        Ok(found)
    }

    fn list_services(&self, context: &ReadContext) -> Result<Names, Error> {
        self.inner.list_services(context)
    }

    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error> {
        self.inner.list_operations(service, context)
    }

    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.inner.list_tag_keys(prefix, limit, context)
    }

    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.inner.list_tag_values(key, prefix, limit, context)
    }
}

impl SpanScanner for Broken {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        match self.fault {
            StoreFault::ScansWithoutHead => {
                let durable = self.inner.restart(Restart::Crash);
                durable.scan_spans(query, context, each)
            }
            StoreFault::ScansPastTheEnd => {
                let end_unix_ns = query.end_unix_ns.map(|to| to + 1);
                let query = ScanQuery {
                    end_unix_ns,
                    ..query.clone()
                };
                self.inner.scan_spans(&query, context, each)
            }
            StoreFault::ScansOn => self.inner.scan_spans(query, context, &mut |batch, rows| {
                let _ignored = each(batch, rows);
                ControlFlow::Continue(())
            }),
            _ => self.inner.scan_spans(query, context, each),
        }
    }

    fn count_values(
        &self,
        sets: &Sets<'_>,
        one_of: u32,
        context: &ReadContext,
        counts: &mut ValueCounts,
    ) -> Result<Scanned, Error> {
        let is_rest = sets.is_rest && self.fault != StoreFault::CountsTheRestTwice;
        let sets = Sets { is_rest, ..*sets };
        self.inner.count_values(&sets, one_of, context, counts)
    }
}
