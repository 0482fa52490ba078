//! An end of an engine that is opened when it is asked for: a process starts, and answers what it
//! can, while the engine is away (P15).

use std::sync::{Arc, Mutex, OnceLock, TryLockError};

use tracewell_model::{Clock, TraceId};
use tracewell_storage::scan::Each;
use tracewell_storage::{
    Error, FoundTrace, ReadContext, ScanQuery, Scanned, SpanScanner, TraceReader,
};

/// How long a failure stands for those who ask next, so that an outage costs each of them nothing.
const FAILURE_STANDS_NS: u64 = 1_000_000_000;

type Open<T> = Box<dyn Fn() -> Result<T, Error> + Send + Sync>;

/// See the module.
pub(crate) struct Late<T> {
    open: Open<T>,
    clock: Arc<dyn Clock>,
    opened: OnceLock<T>,
    failed: Mutex<Option<(u64, Error)>>,
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
            failed: Mutex::default(),
        }
    }

    /// It, if it is open or can be opened now.
    pub(crate) fn get(&self) -> Result<&T, Error> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let mut failed = match self.failed.try_lock() {
            Ok(failed) => failed,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::retryable("the engine is being connected to"));
            }
        };
        let now = self.clock.monotonic_ns();
        if let Some((at, error)) = &*failed
            && now.saturating_sub(*at) < FAILURE_STANDS_NS
        {
            return Err(error.clone());
        }
        match (self.open)() {
            Ok(opened) => Ok(self.opened.get_or_init(|| opened)),
            Err(error) => {
                *failed = Some((self.clock.monotonic_ns(), error.clone()));
                Err(error)
            }
        }
    }
}

impl<R: TraceReader> TraceReader for Late<R> {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        self.get()?.get_trace(id, context)
    }
}

impl<R: SpanScanner> SpanScanner for Late<R> {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        self.get()?.scan_spans(query, context, each)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracewell_model::clock::ManualClock;

    use super::*;

    #[test]
    fn a_failure_stands_for_a_second_and_success_for_good() {
        let clock = Arc::new(ManualClock::at(0));
        let tries = Arc::new(AtomicU32::new(0));
        let counted = tries.clone();
        let late = Late::new(clock.clone(), move || {
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::retryable("away")),
                _ => Ok(7),
            }
        });
        assert!(late.get().is_err() && late.get().is_err());
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        clock.advance(FAILURE_STANDS_NS);
        assert_eq!((late.get().unwrap(), late.get().unwrap()), (&7, &7));
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }
}
