//! A trace's spans in brief: what searching needs of them. Held by the indexer while the trace is
//! young, written into its document, and made spans again by the finder, so that predicates and
//! summaries are those of `storage` and `model`.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, SpanRef, StatusCode, TraceId, TraceStatus, Value,
};

use crate::settings::Settings;

/// Up to so many rows, looking through them is as fast as a table of them.
const FEW: usize = 32;

/// A span in brief; texts are positions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) span_id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) start_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) service: u32,
    pub(crate) operation: u32,
    pub(crate) error: bool,
    /// The hash of its whole content (D2).
    pub(crate) content: u64,
    pub(crate) arrived_unix_ns: u64,
    /// Keys and texts of values, from the place that decides (D17).
    pub(crate) tags: Vec<(u32, u32)>,
}

/// The spans of a trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) texts: Vec<Arc<str>>,
    positions: HashMap<Arc<str>, u32>,
    pub(crate) rows: Vec<Row>,
    /// Where a span is, by its content.
    known: HashMap<(SpanId, u64), u32>,
    /// Spans beyond the cap.
    pub(crate) left_out: u64,
    text_bytes: usize,
}

impl Rows {
    /// Takes a span in; false when an equal one is there, or there are too many.
    pub(crate) fn add(
        &mut self,
        span: SpanRef<'_>,
        content: u64,
        arrived_unix_ns: u64,
        settings: &Settings,
    ) -> bool {
        if self.find(span.span_id(), content).is_some() {
            return false;
        }
        if self.rows.len() >= settings.spans_per_trace_max {
            self.left_out += 1;
            return false;
        }
        let row = Row {
            span_id: span.span_id(),
            parent: span.parent(),
            start_unix_ns: span.start_unix_ns(),
            duration_ns: span.duration_ns(),
            service: self.intern(span.service()),
            operation: self.intern(span.operation()),
            error: span.is_error(),
            content,
            arrived_unix_ns,
            tags: self.tags(span, settings),
        };
        self.push(row);
        true
    }

    /// Takes in what another has and this has not. A span came when it came first: by that a search
    /// knows whether it was there at its horizon.
    pub(crate) fn absorb(&mut self, other: &Rows) {
        for row in &other.rows {
            if let Some(at) = self.find(row.span_id, row.content) {
                let known = &mut self.rows[at];
                known.arrived_unix_ns = known.arrived_unix_ns.min(row.arrived_unix_ns);
                continue;
            }
            let mut here = |at: u32| self.intern(other.text(at));
            let (service, operation) = (here(row.service), here(row.operation));
            let tags = row.tags.iter().map(|&(key, text)| (here(key), here(text)));
            let tags = tags.collect();
            self.push(Row {
                service,
                operation,
                tags,
                ..row.clone()
            });
        }
        self.left_out = self.left_out.max(other.left_out);
    }

    pub(crate) fn push(&mut self, row: Row) {
        if self.rows.len() == FEW {
            let all = (0..).zip(&self.rows);
            self.known = all
                .map(|(at, row)| ((row.span_id, row.content), at))
                .collect();
        }
        if self.rows.len() >= FEW {
            let at = self.rows.len() as u32;
            self.known.insert((row.span_id, row.content), at);
        }
        self.rows.push(row);
    }

    fn find(&self, span_id: SpanId, content: u64) -> Option<usize> {
        if self.rows.len() > FEW {
            let at = self.known.get(&(span_id, content));
            return at.map(|&at| at as usize);
        }
        let same = |row: &Row| row.span_id == span_id && row.content == content;
        self.rows.iter().position(same)
    }

    /// The attributes that are searchable; of each key those of the first place that has it.
    fn tags(&mut self, span: SpanRef<'_>, settings: &Settings) -> Vec<(u32, u32)> {
        let listed = |key: &str| span.is_error() || settings.attributes.has(key);
        let mut tags = Vec::new();
        let mut decided = 0;
        let places: [&mut dyn Iterator<Item = Attribute<'_>>; 4] = [
            &mut span.attributes(),
            &mut span.resource().attributes(),
            &mut span.scope().attributes(),
            &mut span.event_attributes(),
        ];
        for place in places {
            for Attribute { key, value } in place {
                let is_decided = |tags: &[(u32, u32)]| {
                    tags[..decided].iter().any(|&(of, _)| self.text(of) == key)
                };
                if !listed(key) || is_decided(&tags) {
                    continue;
                }
                let text = value.text();
                if text.len() <= settings.value_bytes_max {
                    tags.push((self.intern(key), self.intern(&text)));
                }
            }
            decided = tags.len();
        }
        tags
    }

    pub(crate) fn text(&self, at: u32) -> &str {
        self.texts.get(at as usize).map_or("", |text| text)
    }

    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if let Some(&at) = self.positions.get(text) {
            return at;
        }
        let at = self.texts.len() as u32;
        let text: Arc<str> = text.into();
        self.text_bytes += text.len();
        self.texts.push(text.clone());
        self.positions.insert(text, at);
        at
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let tags: usize = self.rows.iter().map(|row| row.tags.len() * 8).sum();
        self.rows.len() * size_of::<Row>() + tags + self.texts.len() * 72 + self.text_bytes + 400
    }

    /// From the earliest start to the latest end, of the spans that had arrived by then.
    pub(crate) fn extent(&self, horizon_unix_ns: u64) -> Option<(u64, u64)> {
        let there = || {
            let there = |row: &&Row| row.arrived_unix_ns <= horizon_unix_ns;
            self.rows.iter().filter(there)
        };
        let end = |row: &Row| row.start_unix_ns.saturating_add(row.duration_ns);
        let start = there().map(|row| row.start_unix_ns).min()?;
        Some((start, there().map(end).max()?))
    }

    pub(crate) fn has_error(&self) -> bool {
        self.rows.iter().any(|row| row.error)
    }

    pub(crate) fn status(&self) -> TraceStatus {
        let ids: HashSet<SpanId> = self.rows.iter().map(|row| row.span_id).collect();
        let orphan = |row: &Row| row.parent.is_some_and(|id| !ids.contains(&id));
        let rootless = self.rows.iter().all(|row| row.parent.is_some());
        let partial = rootless || self.rows.iter().any(orphan);
        TraceStatus::from_parts(partial, self.has_error())
    }

    /// The rows as spans, with their searchable attributes as their own.
    pub(crate) fn to_batch(&self, trace_id: TraceId) -> SpanBatch {
        let mut builder = BatchBuilder::new(1);
        let scope = builder.scope(&ScopeInput::default());
        let mut attributes = Vec::new();
        for row in &self.rows {
            let resource = builder.resource(&ResourceInput {
                service: self.text(row.service),
                ..ResourceInput::default()
            });
            attributes.clear();
            let tag = |&(key, text): &(u32, u32)| {
                Attribute::new(self.text(key), Value::Str(self.text(text)))
            };
            attributes.extend(row.tags.iter().map(tag));
            builder.push(&SpanInput {
                trace_id,
                span_id: row.span_id,
                parent: row.parent,
                resource,
                scope,
                start_unix_ns: row.start_unix_ns,
                duration_ns: row.duration_ns,
                operation: self.text(row.operation),
                kind: SpanKind::Unspecified,
                status: match row.error {
                    true => StatusCode::Error,
                    false => StatusCode::Unset,
                },
                status_message: "",
                flags: 0,
                attributes: &attributes,
                event_attributes: &[],
                rest: &[],
                marks: Marks::default(),
            });
        }
        builder.finish_one()
    }
}
