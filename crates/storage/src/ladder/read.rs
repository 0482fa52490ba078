//! Reading a ladder: rows of services, operations and edges over a window.

use hashbrown::HashMap;

use super::names::Key;
use super::slot::Counted;
use super::{Ladder, RUNGS, absorb};
use crate::stats::{
    Answer, Basis, EdgeFigures, Figures, OTHER, OperationFigures, STEP_NS, SeriesKey,
    ServiceFigures, Window,
};

/// Into how many steps a window is cut at most: more than any screen has columns.
const STEPS_MAX: usize = 10_000;

/// Figures that are summed, by step of the window; outside of all steps under none.
type Steps = HashMap<Option<usize>, Figures>;

impl Ladder {
    /// Every service's figures: those of its entry spans, or of all its spans where the window has
    /// no entry span of it. A window's ends are rounded outwards to the slots they fall in, which
    /// are 10 s long in the last hour and up to 10 min before.
    pub fn services(&self, window: &Window) -> Answer<ServiceFigures> {
        let (mut of_entries, incomplete) = self.sums(window, |_, is_entry| is_entry);
        // Most services have entry spans; only of the others all spans are gone through.
        let (others, missed) = self.sums(window, |service, _| !of_entries.contains_key(&service));
        let incomplete = if incomplete.is_empty() {
            missed
        } else {
            incomplete
        };
        let others = others.into_iter().map(|sums| (Basis::AllSpans, sums));
        let entries = of_entries.drain().map(|sums| (Basis::EntrySpans, sums));
        let rows = entries.chain(others).map(|(basis, (service, mut steps))| {
            let mut figures = Figures::default();
            steps
                .values()
                .for_each(|step| absorb(&mut figures, step.into()));
            steps.remove(&None);
            ServiceFigures {
                service: self.names.text(service).to_owned(),
                basis,
                series: series(window, steps),
                figures,
            }
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| a.service.cmp(&b.service));
        let capped = rows.iter().any(|row| row.service == OTHER);
        Answer {
            rows,
            capped,
            incomplete,
            ..Answer::default()
        }
    }

    /// The figures of each service's operations that are wanted, by service and whether of entries.
    fn sums(
        &self,
        window: &Window,
        is_wanted: impl Fn(u32, bool) -> bool,
    ) -> (HashMap<u32, Steps>, Vec<String>) {
        let mut sums: HashMap<u32, Steps> = HashMap::new();
        let incomplete = self.each(window, |from_unix_ns, key, figures| match key {
            Key::Operation { service, entry, .. } if is_wanted(service, entry) => {
                let steps = sums.entry(service).or_default();
                let step = step_of(window, from_unix_ns);
                absorb(steps.entry(step).or_default(), figures);
            }
            _ => {}
        });
        (sums, incomplete)
    }

    /// Every operation of a service, all its spans counted; none for an unknown service.
    pub fn operations(&self, service: &str, window: &Window) -> Answer<OperationFigures> {
        let Some(wanted) = self.names.find(service) else {
            return Answer::default();
        };
        let mut sums: HashMap<u32, Figures> = HashMap::new();
        let incomplete = self.each(window, |_, key, figures| match key {
            Key::Operation {
                service, operation, ..
            } if service == wanted => absorb(sums.entry(operation).or_default(), figures),
            _ => {}
        });
        let rows = sums
            .into_iter()
            .map(|(operation, figures)| OperationFigures {
                operation: self.names.text(operation).to_owned(),
                figures,
            });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| a.operation.cmp(&b.operation));
        let capped = rows.iter().any(|row| row.operation == OTHER);
        Answer {
            rows,
            capped,
            incomplete,
            ..Answer::default()
        }
    }

    /// Every operation of every service, all its spans counted.
    pub fn every_operation(&self, window: &Window) -> Answer<(String, OperationFigures)> {
        let mut sums: HashMap<(u32, u32), Figures> = HashMap::new();
        let incomplete = self.each(window, |_, key, figures| {
            if let Key::Operation {
                service, operation, ..
            } = key
            {
                absorb(sums.entry((service, operation)).or_default(), figures);
            }
        });
        let rows = sums.into_iter().map(|((service, operation), figures)| {
            let operation = self.names.text(operation).to_owned();
            let figures = OperationFigures { operation, figures };
            (self.names.text(service).to_owned(), figures)
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| (&a.0, &a.1.operation).cmp(&(&b.0, &b.1.operation)));
        let capped = rows
            .iter()
            .any(|(service, row)| service == OTHER || row.operation == OTHER);
        Answer {
            rows,
            capped,
            incomplete,
            ..Answer::default()
        }
    }

    /// Every edge of the service graph.
    pub fn graph(&self, window: &Window) -> Answer<EdgeFigures> {
        let mut sums: HashMap<(u32, u32), Figures> = HashMap::new();
        let incomplete = self.each(window, |_, key, figures| {
            if let Key::Edge { parent, child } = key {
                absorb(sums.entry((parent, child)).or_default(), figures);
            }
        });
        let rows = sums
            .into_iter()
            .map(|((parent, child), figures)| EdgeFigures {
                parent: self.names.text(parent).to_owned(),
                child: self.names.text(child).to_owned(),
                figures,
            });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| (&a.parent, &a.child).cmp(&(&b.parent, &b.child)));
        let capped = rows
            .iter()
            .any(|row| row.parent == OTHER || row.child == OTHER);
        Answer {
            rows,
            capped,
            unjoined: self.unjoined,
            incomplete,
            ..Answer::default()
        }
    }

    /// Shows every figure that the window touches, with its slot's start; of a series and a slot there
    /// may be several.
    pub fn each_figure(
        &self,
        window: &Window,
        mut see: impl FnMut(u64, SeriesKey, Figures),
    ) -> Vec<String> {
        self.each(window, |from_unix_ns, key, figures| {
            see(from_unix_ns, self.names.series(&key), figures.into());
        })
    }

    /// Shows every figure of the slots that the window touches, with their start; answers which could
    /// not be read, as sentences.
    fn each(&self, window: &Window, mut see: impl FnMut(u64, Key, Counted<'_>)) -> Vec<String> {
        let mut unread = Vec::new();
        for (rung, slots) in RUNGS.iter().zip(&self.rungs) {
            let from = window.from_unix_ns / rung.slot_ns;
            let to = window.to_unix_ns.div_ceil(rung.slot_ns).max(from);
            for (number, slot) in slots.range(from..to) {
                let from_unix_ns = number * rung.slot_ns;
                let see = |key, figures: Counted<'_>| see(from_unix_ns, key, figures);
                unread.extend(slot.each(self.shelf(), see));
            }
        }
        let slots = unread.len();
        let first = unread.into_iter().next();
        let said = first.map(|(_, error)| format!("figures of {slots} times are missing: {error}"));
        said.into_iter().collect()
    }
}

/// How many steps, and where the first one starts.
fn steps(window: &Window) -> (usize, u64) {
    (
        window.steps.min(STEPS_MAX),
        window.from_unix_ns - window.from_unix_ns % STEP_NS,
    )
}

/// The step that a slot counts in: the one its start lies in, the first for a slot cut by `from`.
fn step_of(window: &Window, slot_from_unix_ns: u64) -> Option<usize> {
    let (steps, from) = steps(window);
    let length = window
        .to_unix_ns
        .checked_sub(from)
        .filter(|&length| length > 0)?;
    let offset = u128::from(slot_from_unix_ns.saturating_sub(from));
    let step = offset * steps as u128 / u128::from(length);
    (steps > 0).then(|| (step as usize).min(steps - 1))
}

/// Every step of the window with its start, empty ones too.
fn series(window: &Window, mut by_step: Steps) -> Vec<(u64, Figures)> {
    let (steps, from) = steps(window);
    let length = u128::from(window.to_unix_ns.saturating_sub(from));
    let start = |step: usize| from + (length * step as u128 / steps as u128) as u64;
    (0..steps)
        .map(|step| (start(step), by_step.remove(&Some(step)).unwrap_or_default()))
        .collect()
}
