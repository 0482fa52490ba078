//! What the readers of a cluster are told of its samplers, whoever those are: by the ledger, which all
//! of them write.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracewell_model::{Clock, SpanBatch, TraceId};
use tracewell_storage::sampling::ledger::Progress;
use tracewell_storage::sampling::{Books, HealthyShare, Kept, SamplingReport, WhatIf};
use tracewell_storage::{
    Class, Error, Ledger, ReadContext, SamplingReader, ScanQuery, SpanScanner, StatsReader,
};

use super::policy::{Judge, Policy};
use super::tracker::{Seen, Tracker};
use super::usual::Lately;
use super::{ROUND_NS, foretell};

/// How much later than its live window a decision may come before something is wrong.
const LATE_NS: u64 = 12 * ROUND_NS;

/// See the module.
pub struct SharedSampling {
    policy: Policy,
    /// None where nothing is sampled.
    ledger: Option<Arc<dyn Ledger>>,
    scanner: Arc<dyn SpanScanner>,
    usual: Lately,
    clock: Arc<dyn Clock>,
    pins_failed: AtomicU64,
}

impl std::fmt::Debug for SharedSampling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSampling").finish_non_exhaustive()
    }
}

impl SharedSampling {
    /// Of samplers that go by this policy and write this ledger; what is not decided yet is scanned.
    pub fn new(
        policy: Policy,
        ledger: Option<Arc<dyn Ledger>>,
        scanner: Arc<dyn SpanScanner>,
        stats: Arc<dyn StatsReader>,
        clock: Arc<dyn Clock>,
    ) -> SharedSampling {
        SharedSampling {
            policy,
            ledger,
            scanner,
            usual: Lately::new(stats, clock.clone()),
            clock,
            pins_failed: AtomicU64::new(0),
        }
    }

    fn late(&self, through_unix_ns: u64) -> Option<String> {
        let age_ns = self.clock.unix_ns().saturating_sub(through_unix_ns);
        let late_ns = age_ns.saturating_sub(self.policy.live_window_ns.saturating_mul(2));
        (late_ns > LATE_NS).then(|| {
            format!(
                "nothing was decided for {} s: the samplers, or the stores that they wait for, are behind or away",
                late_ns / 1_000_000_000
            )
        })
    }
}

impl SamplingReader for SharedSampling {
    fn is_on(&self) -> bool {
        self.ledger.is_some()
    }

    fn why_kept(&self, traces: &[(TraceId, u64)]) -> Result<Vec<Option<Kept>>, Error> {
        let ids: Vec<TraceId> = traces.iter().map(|(id, _)| *id).collect();
        match &self.ledger {
            Some(ledger) => ledger.why_kept(&ids),
            None => Ok(vec![None; ids.len()]),
        }
    }

    fn pin(&self, id: TraceId, _start_unix_ns: u64) {
        let now_unix_ns = self.clock.unix_ns();
        let ledger = self.ledger.as_ref();
        if let Some(Err(error)) = ledger.map(|ledger| ledger.pin(id, now_unix_ns)) {
            self.pins_failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, "pinning a trace");
        }
    }

    fn report(&self) -> SamplingReport {
        let mut report = SamplingReport {
            live_window_ns: self.policy.live_window_ns,
            ..SamplingReport::default()
        };
        let read = self.ledger.as_ref().map(|ledger| ledger.read_all());
        match read {
            Some(Ok(all)) => {
                let all: Vec<Progress> = all.into_iter().map(|(_, progress)| progress).collect();
                let through = all.iter().map(|progress| progress.through_unix_ns).min();
                report.decided_through_unix_ns = through.unwrap_or(0);
                report.waiting = match through {
                    Some(through) => self.late(through),
                    None => Some("no sampler has decided anything yet".to_owned()),
                };
                report.books = sum(all);
            }
            Some(Err(error)) => report.waiting = Some(format!("the ledger is away: {error}")),
            None => {}
        }
        match self.pins_failed.load(Ordering::Relaxed) {
            0 => {}
            n => report.problems.push(format!(
                "{n} times a trace that was opened could not be pinned"
            )),
        }
        report
    }

    /// By a scan of what came within the live window.
    fn what_if(&self, context: &ReadContext) -> Result<WhatIf, Error> {
        let usual = self.usual.read_now()?;
        let now_unix_ns = self.clock.unix_ns();
        let since_unix_ns = now_unix_ns.saturating_sub(self.policy.live_window_ns);
        let ledger = self.ledger.as_ref();
        let pinned = ledger.map(|ledger| ledger.pinned(since_unix_ns));
        let pinned = pinned.transpose()?.unwrap_or_default();
        let query = ScanQuery {
            start_unix_ns: Some(since_unix_ns),
            end_unix_ns: Some(now_unix_ns),
            ..ScanQuery::default()
        };
        let mut tracker = Tracker::default();
        let mut each = |batch: &SpanBatch, rows: &[u32]| {
            for span in rows.iter().map(|&row| batch.span(row)) {
                let at = Seen {
                    position: 0,
                    unix_ns: span.start_unix_ns(),
                };
                tracker.add(span, at);
            }
            ControlFlow::Continue(())
        };
        let scanned = self.scanner.scan_spans(&query, context, &mut each)?;
        if let Some(sentence) = scanned.incomplete.first() {
            let said = format!("not all of the live window can be read: {sentence}");
            return Err(Error::new(Class::Retryable, said));
        }
        let mut candidates = tracker.all();
        for candidate in &mut candidates {
            candidate.pace = tracker.pace(candidate.trace_id, &usual);
            candidate.is_pinned = pinned.contains(&candidate.trace_id);
        }
        let judge = Judge::new(self.policy.clone(), HealthyShare::default());
        Ok(foretell(judge, &candidates, tracker.operations(), &usual))
    }
}

/// The books of all partitions.
fn sum(all: Vec<Progress>) -> Books {
    let mut books = Books::default();
    for one in all.iter().map(|progress| &progress.books) {
        let counts = books.kept.iter_mut().chain(&mut books.dropped);
        for (sum, count) in counts.zip(one.kept.iter().chain(&one.dropped)) {
            *sum += count;
        }
        books.kept_spans += one.kept_spans;
        books.dropped_spans += one.dropped_spans;
    }
    books
}
