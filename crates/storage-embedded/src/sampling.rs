//! The embedded engine as a store that the sampler takes traces out of. A portion is a segment: it is
//! decided about when the last of its spans has had its live window, and then compaction copies it
//! without what is dropped. Every span is so looked at once, in its segment's tables.
#![warn(clippy::indexing_slicing)]

mod book;
mod candidates;
mod entry;
mod shelf;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tracewell_model::{Clock, TraceId, TraceSummary};
use tracewell_storage::sampling::{Books, Bounds, Due, Horizon, Kept, Portion, Verdict};
use tracewell_storage::{Error, ReadContext, SampledStore};

use crate::engine::{self, Engine, View};
use crate::fs::Fs;
use crate::segment::Segment;
use crate::segment::data::trace_hash;
use book::{Book, Patience};
use candidates::Reading;
use entry::{Pin, Round};

/// How long reading a portion may take: the largest segment takes a second.
const READ_NS: u64 = 60_000_000_000;
/// How long dropped traces are remembered at least, if they are not too many: their last spans come
/// within seconds, but for a queue that stood still.
const DROPPED_NS: u64 = 3_600_000_000_000;

/// The sampler writes down how far it has read every ten seconds.
const UNREAD_NS: u64 = 60_000_000_000;

/// See the module.
pub struct EmbeddedSampling {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    engine: Arc<Engine>,
    book: RwLock<Book>,
    /// Of a store that nobody samples: how far back what would be decided is of interest.
    idle_window_ns: Option<u64>,
    /// What could not be read of segments and shelves, last.
    trouble: Mutex<Option<String>>,
}

impl std::fmt::Debug for EmbeddedSampling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedSampling").finish_non_exhaustive()
    }
}

impl EmbeddedSampling {
    /// A store that nobody samples: it only tells what would be decided of this window.
    pub fn idle(
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        engine: Arc<Engine>,
        live_window_ns: u64,
    ) -> EmbeddedSampling {
        let patience = Patience {
            dropped_ns: 0,
            kept_ns: 0,
        };
        EmbeddedSampling {
            book: RwLock::new(Book::blank(fs.clone(), Path::new(""), patience)),
            fs,
            clock,
            engine,
            idle_window_ns: Some(live_window_ns),
            trouble: Mutex::default(),
        }
    }

    /// Opens the book under `dir/sampling`; where there is none, what is stored by now stays.
    pub fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        clock: Arc<dyn Clock>,
        engine: Arc<Engine>,
        live_window_ns: u64,
    ) -> Result<EmbeddedSampling, Error> {
        let patience = Patience {
            dropped_ns: DROPPED_NS.max(live_window_ns.saturating_mul(4)),
            kept_ns: engine.retention().spans_ns,
        };
        let dir = dir.join("sampling");
        let now_unix_ns = clock.unix_ns();
        let mut book = Book::open(fs.clone(), &dir, patience, now_unix_ns)?;
        if let Some(unread_unix_ns) = unread(&engine, &book) {
            book.decide(Round {
                at_unix_ns: now_unix_ns,
                books: book.books.clone(),
                decided_through_unix_ns: book.decided_through_unix_ns.max(unread_unix_ns),
                ..Round::default()
            })?;
        }
        let dropped = book.dropped_spans.iter().map(|(&id, &spans)| (id, spans));
        engine.note_decided(book.decided_through_unix_ns, dropped);
        Ok(EmbeddedSampling {
            fs,
            clock,
            engine,
            book: RwLock::new(book),
            idle_window_ns: None,
            trouble: Mutex::default(),
        })
    }

    /// The sampler's word for compaction. A part of a trace that has an error stays whatever was
    /// decided: it came late, and is to be decided about.
    pub fn verdict(&self, trace: &TraceSummary) -> engine::Verdict {
        let is_dropped = || self.book().is_dropped(trace_hash(trace.trace_id));
        match trace.error_count == 0 && is_dropped() {
            true => engine::Verdict::Drop,
            false => engine::Verdict::Keep,
        }
    }

    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self) -> ReadContext {
        ReadContext::new(self.clock.clone(), READ_NS)
    }

    fn note(&self, trouble: Option<String>) {
        let mut noted = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = trouble;
    }

    /// Decided about, without anything of it being dropped: it cannot be read as a whole, or not be
    /// searched any more.
    fn pass(&self, segment: &Segment) -> Result<(), Error> {
        let mut book = self.book_mut();
        let round = Round {
            at_unix_ns: self.clock.unix_ns(),
            books: book.books.clone(),
            decided_through_unix_ns: segment.meta.arrived_max_unix_ns,
            ..Round::default()
        };
        book.decide(round)?;
        self.engine.note_decided(book.decided_through_unix_ns, None);
        Ok(())
    }
}

/// The last arrival in a segment, if the sampler has never read that far: it was off then, and what
/// came meanwhile stays, as all does that came before it was on.
fn unread(engine: &Engine, book: &Book) -> Option<u64> {
    let read = book.books.positions.iter().map(|(_, arrived)| *arrived);
    let view = engine.view.load();
    let stored = view.segments.iter();
    let newest = stored.map(|segment| segment.meta.arrived_max_unix_ns).max();
    newest.filter(|&newest| newest > read.max().unwrap_or(0).saturating_add(UNREAD_NS))
}

/// The segment to decide about next, if all of it arrived by then.
fn next_segment(view: &View, decided: u64, through_unix_ns: u64) -> Option<&Arc<Segment>> {
    let undecided = view.segments.iter().filter(|segment| {
        let arrived = segment.meta.arrived_max_unix_ns;
        arrived > decided && arrived <= through_unix_ns
    });
    undecided.min_by_key(|segment| segment.meta.arrived_max_unix_ns)
}

/// Until then everything that arrived is in segments.
fn sealed_through(view: &View) -> u64 {
    let heads = view.heads();
    let oldest = heads.batches().map(|batch| batch.arrived_unix_ns).min();
    oldest.map_or(u64::MAX, |oldest| oldest.saturating_sub(1))
}

impl SampledStore for EmbeddedSampling {
    fn is_on(&self) -> bool {
        self.idle_window_ns.is_none()
    }

    fn next_due(&self, horizon: &Horizon, bounds: &dyn Bounds) -> Result<Due, Error> {
        // Taken in this order: what was applied by now is in the view.
        if !self.engine.has_applied(&horizon.positions) {
            let said =
                "nothing is sampled: the store has not taken in all that the sampler has read";
            return Ok(Due::Waiting(said.to_owned()));
        }
        loop {
            let context = self.context();
            let mut reading = Reading::new(&self.engine, &self.book, bounds, &context);
            let view = Arc::clone(&reading.view);
            let through = horizon.unix_ns.min(sealed_through(&view));
            let decided = self.decided_through_unix_ns();
            let Some(segment) = next_segment(&view, decided, through) else {
                return Ok(Due::Nothing);
            };
            match reading.segment(segment) {
                Ok(()) => {
                    let mut portion = reading.portion;
                    portion.id = segment.meta.id;
                    portion.through_unix_ns = segment.meta.arrived_max_unix_ns;
                    return Ok(Due::Portion(portion));
                }
                Err(error) if error.class == tracewell_storage::Class::DeadlineExceeded => {
                    return Err(error);
                }
                Err(error) => {
                    let id = segment.meta.id;
                    self.note(Some(format!("all of segment {id:016x} is kept: {error}")));
                    self.pass(segment)?;
                }
            }
        }
    }

    fn read_undecided(&self, bounds: &dyn Bounds) -> Result<Portion, Error> {
        let context = self.context();
        let mut reading = Reading::new(&self.engine, &self.book, bounds, &context);
        let decided = self.decided_through_unix_ns();
        let view = Arc::clone(&reading.view);
        let undecided = |segment: &&Arc<Segment>| segment.meta.arrived_max_unix_ns > decided;
        for segment in view.segments.iter().filter(undecided) {
            reading.segment(segment)?;
        }
        reading.head()?;
        Ok(reading.portion)
    }

    fn decide(&self, portion: &Portion, verdicts: &[Verdict], books: &Books) -> Result<(), Error> {
        let mut round = Round {
            at_unix_ns: self.clock.unix_ns(),
            books: books.clone(),
            decided_through_unix_ns: portion.through_unix_ns,
            segment: portion.id,
            starts: (u64::MAX, 0),
            ..Round::default()
        };
        for (candidate, verdict) in portion.candidates.iter().zip(verdicts) {
            let is_known = candidate.before == Some(*verdict);
            match verdict {
                Verdict::Keep(_) if is_known => {}
                Verdict::Keep(reason) => {
                    let (from, to) = round.starts;
                    let start = candidate.start_unix_ns;
                    round.starts = (from.min(start), to.max(start));
                    round.kept.push((candidate.trace_id, *reason as u8));
                }
                Verdict::Drop(_) => {
                    round.dropped_spans += candidate.spans;
                    if !is_known {
                        round.dropped.push(trace_hash(candidate.trace_id));
                    }
                }
            }
        }
        let noted = (round.dropped_spans > 0).then_some((portion.id, round.dropped_spans));
        let mut book = self.book_mut();
        book.decide(round)?;
        self.engine.note_decided(portion.through_unix_ns, noted);
        Ok(())
    }

    fn save(&self, books: &Books) -> Result<(), Error> {
        let now_unix_ns = self.clock.unix_ns();
        self.book_mut().save(books.clone(), now_unix_ns)
    }

    fn books(&self) -> Books {
        self.book().books.clone()
    }

    fn decided_through_unix_ns(&self) -> u64 {
        match self.idle_window_ns {
            Some(window_ns) => self.clock.unix_ns().saturating_sub(window_ns),
            None => self.book().decided_through_unix_ns,
        }
    }

    fn recall(&self, id: TraceId, start_unix_ns: u64) -> Option<Verdict> {
        let shelves = {
            let book = self.book();
            if let Some(verdict) = book.recent(id) {
                return Some(verdict);
            }
            book.shelves(start_unix_ns)
        };
        for shelf in shelves {
            match shelf.get(self.fs.as_ref(), id) {
                Ok(None) => {}
                Ok(Some(reason)) => return Some(Verdict::Keep(Kept::of_code(reason))),
                Err(error) => {
                    self.note(Some(format!(
                        "why some traces are kept is not known: {error}"
                    )));
                }
            }
        }
        None
    }

    fn pin(&self, id: TraceId, start_unix_ns: u64) -> Result<(), Error> {
        let at_unix_ns = self.clock.unix_ns();
        self.book_mut().pin(Pin {
            id,
            start_unix_ns,
            at_unix_ns,
        })
    }

    fn problems(&self) -> Vec<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = self.book().problems.clone();
        problems.extend(trouble.iter().cloned());
        problems
    }
}
