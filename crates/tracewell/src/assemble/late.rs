//! An engine's reader, which may be away (P15). It is opened when it is asked for, so that a process
//! starts, and answers what it can, without it. And while it is away one question at a time finds out
//! whether it is back: the others are answered at once, and hold no thread that other engines'
//! questions need.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracewell_model::{Clock, TraceId};
use tracewell_storage::sampling::Kept;
use tracewell_storage::sampling::ledger::{Progress, Round};
use tracewell_storage::scan::{Each, Point};
use tracewell_storage::{
    Class, Error, Found, FoundTrace, Ledger, Names, ReadContext, ScanQuery, Scanned, Sets,
    SpanQuery, SpanScanner, TraceFinder, TraceQuery, TraceReader, ValueCounts,
};

/// How long a failure stands for those who ask next.
const FAILURE_STANDS_NS: u64 = 1_000_000_000;

type Open<T> = Box<dyn Fn() -> Result<T, Error> + Send + Sync>;

/// See the module.
pub(crate) struct Late<T> {
    open: Open<T>,
    clock: Arc<dyn Clock>,
    opened: OnceLock<T>,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    failed: Option<(u64, Error)>,
    /// Somebody finds out whether it is over.
    tried: bool,
}

impl<T> Late<T> {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        open: impl Fn() -> Result<T, Error> + Send + Sync + 'static,
    ) -> Late<T> {
        Late {
            open: Box::new(open),
            clock,
            opened: OnceLock::new(),
            trouble: Mutex::default(),
        }
    }

    /// Opens it if it is there, without a question.
    pub(crate) fn try_open(&self) -> Result<(), Error> {
        self.ask(|_| Ok(()))
    }

    fn ask<A>(&self, question: impl FnOnce(&T) -> Result<A, Error>) -> Result<A, Error> {
        {
            let mut trouble = self.trouble();
            if let Some((at, error)) = &trouble.failed {
                let now = self.clock.monotonic_ns();
                if trouble.tried || now.saturating_sub(*at) < FAILURE_STANDS_NS {
                    return Err(error.clone());
                }
                trouble.tried = true;
            }
        }
        let opened = match self.opened.get() {
            Some(opened) => Ok(opened),
            None => (self.open)().map(|opened| self.opened.get_or_init(|| opened)),
        };
        let answer = opened.and_then(question);
        let is_away = |error: &&Error| matches!(error.class, Class::Retryable | Class::Overloaded);
        let failed = answer.as_ref().err().filter(is_away);
        *self.trouble() = Trouble {
            failed: failed.map(|error| (self.clock.monotonic_ns(), error.clone())),
            tried: false,
        };
        answer
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: TraceReader> TraceReader for Late<R> {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        self.ask(|reader| reader.get_trace(id, context))
    }
}

impl<R: SpanScanner> SpanScanner for Late<R> {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        self.ask(|reader| reader.scan_spans(query, context, each))
    }

    fn scan_points(
        &self,
        query: &SpanQuery,
        one_of: u32,
        context: &ReadContext,
        each: &mut dyn FnMut(&[Point]),
    ) -> Result<Scanned, Error> {
        self.ask(|reader| reader.scan_points(query, one_of, context, each))
    }

    fn count_values(
        &self,
        sets: &Sets<'_>,
        one_of: u32,
        context: &ReadContext,
        counts: &mut ValueCounts,
    ) -> Result<Scanned, Error> {
        self.ask(|reader| reader.count_values(sets, one_of, context, counts))
    }
}

impl<R: TraceFinder> TraceFinder for Late<R> {
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        self.ask(|finder| finder.find_traces(query, context))
    }

    fn list_services(&self, context: &ReadContext) -> Result<Names, Error> {
        self.ask(|finder| finder.list_services(context))
    }

    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error> {
        self.ask(|finder| finder.list_operations(service, context))
    }

    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.ask(|finder| finder.list_tag_keys(prefix, limit, context))
    }

    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        self.ask(|finder| finder.list_tag_values(key, prefix, limit, context))
    }
}

impl<L: Ledger> Ledger for Late<L> {
    fn read(&self, partition: u32, after: u64) -> Result<Option<(Progress, Vec<Round>)>, Error> {
        self.ask(|ledger| ledger.read(partition, after))
    }

    fn write(
        &self,
        partition: u32,
        progress: &Progress,
        round: Option<&Round>,
    ) -> Result<bool, Error> {
        self.ask(|ledger| ledger.write(partition, progress, round))
    }

    fn read_all(&self) -> Result<Vec<(u32, Progress)>, Error> {
        self.ask(L::read_all)
    }

    fn note_kept(&self, kept: &[(TraceId, Kept)]) -> Result<(), Error> {
        self.ask(|ledger| ledger.note_kept(kept))
    }

    fn why_kept(&self, ids: &[TraceId]) -> Result<Vec<Option<Kept>>, Error> {
        self.ask(|ledger| ledger.why_kept(ids))
    }

    fn pin(&self, id: TraceId, at_unix_ns: u64) -> Result<(), Error> {
        self.ask(|ledger| ledger.pin(id, at_unix_ns))
    }

    fn pinned(&self, since_unix_ns: u64) -> Result<HashSet<TraceId>, Error> {
        self.ask(|ledger| ledger.pinned(since_unix_ns))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracewell_model::clock::ManualClock;

    use super::*;

    #[test]
    fn a_failure_stands_for_a_second_and_then_one_question_finds_out() {
        let clock = Arc::new(ManualClock::at(0));
        let opened = AtomicU32::new(0);
        let late = Late::new(clock.clone(), move || {
            match opened.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::retryable("away")),
                number => Ok(number),
            }
        });
        let asked = AtomicU32::new(0);
        let ask = |answer: Result<u32, Error>| {
            late.ask(|_| {
                asked.fetch_add(1, Ordering::Relaxed);
                answer
            })
        };
        assert!(ask(Ok(5)).is_err() && ask(Ok(5)).is_err(), "not opened");
        clock.advance(FAILURE_STANDS_NS);
        assert_eq!(ask(Ok(5)).unwrap(), 5);
        // One fails by itself: the next are told the same without being asked.
        assert!(ask(Err(Error::retryable("hangs"))).is_err());
        assert_eq!(ask(Ok(6)).unwrap_err().message, "hangs");
        clock.advance(FAILURE_STANDS_NS);
        let back = late.ask(|_| {
            assert!(ask(Ok(7)).is_err(), "while one finds out");
            Ok(8)
        });
        assert_eq!((back.unwrap(), ask(Ok(9)).unwrap()), (8, 9));
        // A question that was wrong says nothing about the engine.
        assert!(ask(Err(Error::invalid("what?"))).is_err());
        assert_eq!(ask(Ok(10)).unwrap(), 10);
        assert_eq!(asked.load(Ordering::Relaxed), 5);
    }
}
