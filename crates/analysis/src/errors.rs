//! Errors in groups: each counted where it began, with those that it harmed beneath it.
//!
//! A failed span whose failed child it is that failed it only passes an error on. What is left are
//! the errors that began somewhere; those of one fingerprint are a group.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use hashbrown::HashMap;
use tracewell_model::{SpanId, SpanRef, StatusCode, TraceId};
use tracewell_storage::{Error, ReadContext, ScanQuery, Scanned, SpanScanner};

use crate::fingerprint::{Fingerprint, Occurrence};
use crate::sample::mixed;
use crate::spans::as_far_as_read;

/// Failed spans that are held at once; with more, every second trace goes, and is said to.
const ERRORS_MAX: usize = 200_000;
/// Groups; further errors are counted as others.
const GROUPS_MAX: usize = 10_000;
/// Points of a group's trend.
pub const TREND_STEPS: usize = 30;
/// Examples of a group: the latest.
const SAMPLES_MAX: usize = 5;
/// Bytes of a message or stack that are shown of a group; its examples have all.
const SHOWN_BYTES_MAX: usize = 4_096;

/// A group of errors.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its identity.
    pub fingerprint: u64,
    /// Where they begin.
    pub service: String,
    /// `exception.type`, often empty.
    pub exception_type: String,
    /// The message without what varies.
    pub message: String,
    /// The latest message as it came.
    pub example: String,
    /// The top frames without what varies.
    pub frames: Vec<String>,
    /// Errors that began here.
    pub count: u64,
    /// By step of the range.
    pub trend: Vec<u64>,
    /// The first in the range.
    pub first_unix_ns: u64,
    /// The last in the range.
    pub last_unix_ns: u64,
    /// Operations they begin in.
    pub operations: BTreeMap<String, u64>,
    /// Versions of the service that they begin in.
    pub versions: BTreeMap<String, u64>,
    /// Services they reach, their own among them.
    pub services: BTreeMap<String, u64>,
    /// The latest ones, the latest first.
    pub samples: Vec<(u64, TraceId, SpanId)>,
}

/// All groups of a range of time.
#[derive(Debug)]
pub struct Errors {
    /// The groups, the most frequent first.
    pub groups: Vec<Group>,
    /// Errors in none of them, because there were too many groups.
    pub others: u64,
    /// The part of all traces that was looked at.
    pub share: f64,
    /// What reading was like.
    pub scanned: Scanned,
}

/// A failed span.
#[derive(Clone, Copy, Debug)]
struct Failed {
    trace: TraceId,
    id: SpanId,
    parent: SpanId,
    start_unix_ns: u64,
    service: u32,
    operation: u32,
    version: u32,
    group: u32,
}

/// Groups the errors of a range of time.
pub fn group(
    scanner: &dyn SpanScanner,
    (from_unix_ns, to_unix_ns): (u64, u64),
    context: &ReadContext,
) -> Result<Errors, Error> {
    let query = ScanQuery {
        start_unix_ns: Some(from_unix_ns),
        end_unix_ns: Some(to_unix_ns),
        ..ScanQuery::default()
    };
    let mut gather = Gather {
        kept_to: u64::MAX,
        ..Gather::default()
    };
    let read = scanner.scan_spans(&query, context, &mut |batch, rows| {
        let status = &batch.columns().status;
        for &row in rows {
            if status[row as usize] == StatusCode::Error as u8 {
                gather.take(batch.span(row));
            }
        }
        ControlFlow::Continue(())
    });
    let scanned = as_far_as_read(read)?;
    Ok(gather.finish((from_unix_ns, to_unix_ns), scanned))
}

#[derive(Default)]
struct Gather {
    failed: Vec<Failed>,
    kept_to: u64,
    texts: Vec<Box<str>>,
    positions: HashMap<Box<str>, u32>,
    groups: Vec<Group>,
    by_fingerprint: HashMap<u64, u32>,
}

impl Gather {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(&position) = self.positions.get(text) {
            return position;
        }
        let position = self.texts.len() as u32;
        self.texts.push(text.into());
        self.positions.insert(text.into(), position);
        position
    }

    fn take(&mut self, span: SpanRef<'_>) {
        let trace = span.trace_id();
        if mixed(trace) > self.kept_to {
            return;
        }
        let group = self.group_of(span);
        let version = span
            .resource()
            .attributes()
            .find(|attribute| attribute.key == "service.version");
        let version = version.map_or_else(Default::default, |version| version.value.text());
        let failed = Failed {
            trace,
            id: span.span_id(),
            parent: span.parent().unwrap_or_default(),
            start_unix_ns: span.start_unix_ns(),
            service: self.text(span.service()),
            operation: self.text(span.operation()),
            version: self.text(&version),
            group,
        };
        self.failed.push(failed);
        while self.failed.len() > ERRORS_MAX {
            self.kept_to /= 2;
            let kept_to = self.kept_to;
            self.failed.retain(|failed| mixed(failed.trace) <= kept_to);
        }
    }

    /// The position of the group; that of no group once there are too many.
    fn group_of(&mut self, span: SpanRef<'_>) -> u32 {
        // An event's exception says more than an attribute of the span.
        let said = |key: &str| {
            let own = span.event_attributes().chain(span.attributes());
            let mut own = own.filter(|attribute| attribute.key == key);
            own.next()
                .map(|attribute| attribute.value.text())
                .unwrap_or_default()
        };
        let (exception_type, stack) = (said("exception.type"), said("exception.stacktrace"));
        let mut message = said("exception.message");
        if message.is_empty() {
            message = span.status_message().into();
        }
        let seen = Occurrence {
            exception_type: &exception_type,
            message: &message,
            stack: &stack,
            operation: span.operation(),
        };
        let fingerprint = Fingerprint::of(span.service(), seen);
        if let Some(&group) = self.by_fingerprint.get(&fingerprint.hash) {
            return group;
        }
        if self.groups.len() >= GROUPS_MAX {
            return u32::MAX;
        }
        let group = self.groups.len() as u32;
        self.by_fingerprint.insert(fingerprint.hash, group);
        self.groups.push(Group {
            fingerprint: fingerprint.hash,
            service: span.service().to_owned(),
            exception_type: exception_type.into_owned(),
            message: fingerprint.message,
            example: shown(&message),
            frames: fingerprint.frames,
            ..Group::default()
        });
        group
    }

    fn finish(mut self, range: (u64, u64), scanned: Scanned) -> Errors {
        let mut failed = std::mem::take(&mut self.failed);
        failed.sort_unstable_by_key(|failed| (failed.trace, failed.id, failed.start_unix_ns));
        failed.dedup_by_key(|failed| {
            (
                failed.trace,
                failed.id,
                failed.start_unix_ns,
                failed.service,
            )
        });
        let mut others = 0;
        for trace in failed.chunk_by(|a, b| a.trace == b.trace) {
            others += self.trace(trace, range);
        }
        let mut groups = self.groups;
        groups.retain(|group| group.count > 0);
        for group in &mut groups {
            group.samples.sort_unstable_by(|a, b| b.cmp(a));
            group.samples.truncate(SAMPLES_MAX);
        }
        groups.sort_unstable_by_key(|group| (std::cmp::Reverse(group.count), group.fingerprint));
        Errors {
            groups,
            others,
            share: self.kept_to as f64 / u64::MAX as f64,
            scanned,
        }
    }

    /// Counts the errors that began in a trace; answers how many were in no group.
    fn trace(&mut self, trace: &[Failed], (from_unix_ns, to_unix_ns): (u64, u64)) -> u64 {
        let find = |id: SpanId| trace.binary_search_by_key(&id, |failed| failed.id).ok();
        let parents: Vec<Option<usize>> = trace.iter().map(|failed| find(failed.parent)).collect();
        let mut passes_on = vec![false; trace.len()];
        for (at, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent.filter(|&parent| parent != at) {
                passes_on[parent] = true;
            }
        }
        let mut others = 0;
        for (at, failed) in trace.iter().enumerate().filter(|&(at, _)| !passes_on[at]) {
            let Some(group) = self.groups.get_mut(failed.group as usize) else {
                others += 1;
                continue;
            };
            let text = |position: u32| self.texts[position as usize].to_string();
            group.trend.resize(TREND_STEPS, 0);
            let length_ns = to_unix_ns.saturating_sub(from_unix_ns).max(1);
            let since_ns = failed.start_unix_ns.saturating_sub(from_unix_ns);
            let step = u128::from(since_ns) * TREND_STEPS as u128 / u128::from(length_ns);
            group.trend[(step as usize).min(TREND_STEPS - 1)] += 1;
            if group.count == 0 || failed.start_unix_ns < group.first_unix_ns {
                group.first_unix_ns = failed.start_unix_ns;
            }
            group.last_unix_ns = group.last_unix_ns.max(failed.start_unix_ns);
            group.count += 1;
            *group.operations.entry(text(failed.operation)).or_default() += 1;
            if !text(failed.version).is_empty() {
                *group.versions.entry(text(failed.version)).or_default() += 1;
            }
            // A circle of parents is as long as the trace at most.
            let mut services = BTreeSet::from([failed.service]);
            let mut above = parents[at];
            for _ in 0..trace.len() {
                let Some(parent) = above else { break };
                services.insert(trace[parent].service);
                above = parents[parent];
            }
            for service in services {
                *group.services.entry(text(service)).or_default() += 1;
            }
            group
                .samples
                .push((failed.start_unix_ns, failed.trace, failed.id));
            if group.samples.len() > 64 * SAMPLES_MAX {
                group.samples.sort_unstable_by(|a, b| b.cmp(a));
                group.samples.truncate(SAMPLES_MAX);
            }
        }
        others
    }
}

fn shown(text: &str) -> String {
    let mut end = text.len().min(SHOWN_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("").to_owned()
}
