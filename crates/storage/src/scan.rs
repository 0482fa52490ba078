//! Reading everything: stored spans batch by batch, for exports.

use std::ops::ControlFlow;

use tracewell_model::{SpanBatch, SpanRef, StatusCode};

use crate::context::{ReadContext, Searched};
use crate::error::Error;
use crate::span_query::{Matcher, SpanQuery};
use crate::value_counts::{Sets, ValueCounts};

/// Takes rows of a batch, in ascending order and at least one; `Break` ends the scan.
pub type Each<'a> = &'a mut dyn FnMut(&SpanBatch, &[u32]) -> ControlFlow<()>;

/// Hands over every stored span.
///
/// Contract: each span that matches and was stored when the scan began is handed over at least
/// once; spans that come meanwhile may be. Exact repeats are left out where copies lie together;
/// copies that were stored apart (a redelivery long after) may each show. The order is the store's.
/// `each` may take as long as it likes: no lock is held meanwhile, and of the spans not yet handed
/// over no more memory than a head's. After `Break` nothing more is handed over. Damage does not
/// fail the scan: it is named in `incomplete` and counted. The context's caps are a trace's and do
/// not bound a scan; when the time is up or the caller gone, it ends with an error of class
/// `DeadlineExceeded`, or with what was handed over so far, named as incomplete.
pub trait SpanScanner: Send + Sync {
    /// Every span that matches.
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error>;

    /// Hands over start, duration and status of every span that is asked for, of so many blocks of one: as
    /// the scan would, which a store that has columns need not make spans for. What was handed over when the
    /// time was up is an even part of everything where the store can.
    fn scan_points(
        &self,
        query: &SpanQuery,
        one_of: u32,
        context: &ReadContext,
        each: &mut dyn FnMut(&[Point]),
    ) -> Result<Scanned, Error> {
        let scan = ScanQuery {
            one_of,
            ..query.scan()
        };
        self.scan_spans(&scan, context, &mut |batch, rows| {
            each(&points(query, batch, rows));
            ControlFlow::Continue(())
        })
    }

    /// Counts the values of every span in two sets, of so many blocks of one: as if each span of the scan
    /// was taken, which a store that has columns need not make spans for. What was counted when the time
    /// was up is an even part of everything where the store can; `spans` and `spans_missing` may count
    /// spans that are in neither set.
    fn count_values(
        &self,
        sets: &Sets<'_>,
        one_of: u32,
        context: &ReadContext,
        counts: &mut ValueCounts,
    ) -> Result<Scanned, Error> {
        self.scan_spans(&sets.scan(one_of), context, &mut |batch, rows| {
            counts.take(batch, rows, sets);
            ControlFlow::Continue(())
        })
    }
}

/// A span as a point: when, how long, and whether it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Start.
    pub start_unix_ns: u64,
    /// Duration.
    pub duration_ns: u64,
    /// Its status is an error.
    pub error: bool,
}

/// The points of those rows that are asked for.
pub fn points(query: &SpanQuery, batch: &SpanBatch, rows: &[u32]) -> Vec<Point> {
    let (matcher, columns) = (Matcher::new(query, batch), batch.columns());
    if matcher.is_hopeless() {
        return Vec::new();
    }
    let matching = rows.iter().filter(|&&row| matcher.matches(row));
    let point = |&row: &u32| {
        let at = row as usize;
        Point {
            start_unix_ns: columns.start_unix_ns[at],
            duration_ns: columns.duration_ns[at],
            error: columns.status[at] == StatusCode::Error as u8,
        }
    };
    matching.map(point).collect()
}

/// Which spans: all conditions hold on the span itself, so adjacent ranges of time share no span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanQuery {
    /// The span's start, at or after.
    pub start_unix_ns: Option<u64>,
    /// The span's start, before.
    pub end_unix_ns: Option<u64>,
    /// The span's service.
    pub service: Option<String>,
    /// Of so many blocks one is enough, the same ones at each scan: a sample of traces for a first
    /// look. 0 and 1: all. Only stores that then read less leave any out, and say so.
    pub one_of: u32,
}

impl ScanQuery {
    /// True when the span is asked for.
    pub fn matches(&self, span: SpanRef<'_>) -> bool {
        let start = span.start_unix_ns();
        self.start_unix_ns.is_none_or(|from| start >= from)
            && self.end_unix_ns.is_none_or(|to| start < to)
            && self
                .service
                .as_deref()
                .is_none_or(|wanted| wanted == span.service())
    }

    /// The rows that match, of these.
    pub fn rows(&self, batch: &SpanBatch, of: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let rows = of.into_iter();
        rows.filter(|&row| self.matches(batch.span(row))).collect()
    }
}

/// What a scan handed over, and what it could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Spans handed over.
    pub spans: u64,
    /// Spans in what could not be read; those of them that do not match are counted too.
    pub spans_missing: u64,
    /// What was looked at.
    pub searched: Searched,
    /// Of so many blocks one was read, as was enough; 0 and 1: all.
    pub one_of: u32,
    /// Blocks that were to be looked at when the time was up, where what was looked at is an even part.
    pub blocks_left: u64,
    /// The time was up, and what was handed over is whatever came first: nobody knows what part that is.
    pub is_cut_short: bool,
    /// Why spans are missing; sentences.
    pub incomplete: Vec<String>,
}
