//! A worker whose store may not be there yet. One that is away when the process starts holds up
//! its own group and no other role of the process: it is asked for again until it is there (P15).

use std::time::Duration;

use tracewell_storage::Error;

use crate::consume::{StatusHandle, Worker};
use crate::stop::Stop;

const WAIT_FIRST: Duration = Duration::from_millis(200);
/// So that a store that comes back is noticed.
const WAIT_MAX: Duration = Duration::from_secs(5);

type Open = Box<dyn FnMut() -> Result<Worker, Error> + Send>;

/// See the module.
pub struct Opening {
    open: Open,
    status: StatusHandle,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Opening {
    /// A worker of this group, to be opened so: its store connected, its log joined.
    pub fn new(
        group: &str,
        open: impl FnMut() -> Result<Worker, Error> + Send + 'static,
    ) -> Opening {
        Opening {
            open: Box::new(open),
            status: StatusHandle::of(group),
        }
    }

    /// The status of the worker that it will be.
    pub fn status(&self) -> StatusHandle {
        self.status.clone()
    }

    /// Opens it, however long that takes, and works until told to stop.
    pub fn run(&mut self, stop: &Stop) {
        let mut wait = WAIT_FIRST;
        while !stop.is_set() {
            match (self.open)() {
                Ok(worker) => {
                    let mut worker = worker.reporting_to(self.status.clone());
                    return worker.run(stop);
                }
                Err(error) => self.status.note_opening(&error),
            }
            stop.wait(wait);
            wait = (wait * 2).min(WAIT_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;

    use tracewell_model::Clock;
    use tracewell_model::clock::SystemClock;
    use tracewell_storage::memory::{MemoryLog, MemoryStore};

    use super::*;
    use crate::{Options, storage_writer};

    #[test]
    fn a_store_that_comes_late_is_worked_for_when_it_is_there() {
        let (stop, tries) = (Stop::new(), mpsc::channel());
        let mut number = 0;
        let mut opening = Opening::new(storage_writer::GROUP, move || {
            number += 1;
            tries.0.send(number).unwrap();
            if number < 3 {
                return Err(Error::retryable("nobody is there"));
            }
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let log = MemoryLog::new(clock.clone());
            let sink = Box::new(MemoryStore::new());
            storage_writer::start(&log, sink, clock, Options::default())
        });
        let (status, told) = (opening.status(), stop.clone());
        let thread = std::thread::spawn(move || opening.run(&told));
        assert_eq!(tries.1.iter().take(2).last(), Some(2));
        assert_eq!(tries.1.recv(), Ok(3));
        stop.set();
        thread.join().unwrap();
        let status = status.snapshot();
        assert_eq!((status.group.as_str(), status.retries), ("storage", 2));
        assert!(status.stopped && status.last_error.is_none(), "{status:?}");
    }
}
