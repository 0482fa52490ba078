//! Which spans a question is about: conditions on a span itself, decided on a batch's columns first.

use tracewell_model::{SpanBatch, StatusCode};

use crate::find::TagFilter;
use crate::scan::ScanQuery;

/// Conditions on a span; all hold.
#[derive(Clone, Debug, Default)]
pub struct SpanQuery {
    /// Its service.
    pub service: Option<String>,
    /// Its operation.
    pub operation: Option<String>,
    /// Whether it failed.
    pub error: Option<bool>,
    /// Its duration, at least.
    pub min_duration_ns: Option<u64>,
    /// Its duration, at most.
    pub max_duration_ns: Option<u64>,
    /// Its attributes.
    pub tags: Vec<TagFilter>,
    /// Its start, at or after.
    pub start_unix_ns: Option<u64>,
    /// Its start, before.
    pub end_unix_ns: Option<u64>,
}

impl SpanQuery {
    /// What a store can leave out by itself.
    pub fn scan(&self) -> ScanQuery {
        ScanQuery {
            start_unix_ns: self.start_unix_ns,
            end_unix_ns: self.end_unix_ns,
            service: self.service.clone(),
            one_of: 1,
        }
    }

    /// True when a span of this duration may be asked for.
    pub fn lasts(&self, duration_ns: u64) -> bool {
        self.min_duration_ns
            .is_none_or(|least| duration_ns >= least)
            && self.max_duration_ns.is_none_or(|most| duration_ns <= most)
    }

    /// True when a span with this start may be asked for.
    pub fn begins(&self, start_unix_ns: u64) -> bool {
        self.start_unix_ns.is_none_or(|from| start_unix_ns >= from)
            && self.end_unix_ns.is_none_or(|to| start_unix_ns < to)
    }

    /// The same place and time, whatever the span is like there. Where nothing else is asked for,
    /// the same time.
    pub fn surroundings(&self) -> SpanQuery {
        let is_place_all = self.error.is_none()
            && self.min_duration_ns.is_none()
            && self.max_duration_ns.is_none()
            && self.tags.is_empty();
        let place = |name: &Option<String>| name.clone().filter(|_| !is_place_all);
        SpanQuery {
            service: place(&self.service),
            operation: place(&self.operation),
            start_unix_ns: self.start_unix_ns,
            end_unix_ns: self.end_unix_ns,
            ..SpanQuery::default()
        }
    }
}

/// A query made ready for one batch.
#[derive(Debug)]
pub struct Matcher<'a> {
    query: &'a SpanQuery,
    batch: &'a SpanBatch,
    /// By position in the batch's resources: it is of the service.
    services: Vec<bool>,
    /// The operation's position in the dictionary; none: any.
    operation: Option<Option<u32>>,
}

impl<'a> Matcher<'a> {
    /// Makes it ready.
    pub fn new(query: &'a SpanQuery, batch: &'a SpanBatch) -> Matcher<'a> {
        let columns = batch.columns();
        let wanted = query.service.as_deref();
        let is_wanted = |service| wanted.is_none_or(|wanted| columns.text.get(service) == wanted);
        let resources = columns.resources.iter();
        let operation = query.operation.as_deref();
        Matcher {
            services: resources
                .map(|resource| is_wanted(resource.service))
                .collect(),
            operation: operation.map(|operation| columns.text.find(operation)),
            query,
            batch,
        }
    }

    /// True when no span of the batch matches.
    pub fn is_hopeless(&self) -> bool {
        self.operation == Some(None) || !self.services.contains(&true)
    }

    /// True when this span is asked for.
    pub fn matches(&self, row: u32) -> bool {
        let (columns, at) = (self.batch.columns(), row as usize);
        let query = self.query;
        let error = columns.status[at] == StatusCode::Error as u8;
        self.operation
            .is_none_or(|operation| operation == Some(columns.operation[at]))
            && self.services[columns.resource[at] as usize]
            && query.error.is_none_or(|wanted| wanted == error)
            && query.lasts(columns.duration_ns[at])
            && query.begins(columns.start_unix_ns[at])
            && (query.tags.iter()).all(|filter| filter.holds(self.batch.span(row)))
    }
}
