//! The readers of the engine: by id, search, names, everything. Handles are cheap; each call works on one view
//! of the engine and holds no lock while it reads.
#![warn(clippy::indexing_slicing)]

mod by_id;
mod count;
mod export;
mod failed;
mod find;
mod locate;
mod names;
mod narrow;
mod probe;
mod projected;
mod rank;
mod scan;

use std::sync::Arc;

use tracewell_model::TraceId;
use tracewell_storage::scan::{Each, Point};
use tracewell_storage::{
    Error, Found, FoundTrace, Names, ReadContext, ScanQuery, Scanned, Sets, SpanQuery, SpanScanner,
    TraceFinder, TraceQuery, TraceReader, ValueCounts,
};

use crate::engine::Engine;

/// Reads traces of an [`Engine`].
#[derive(Clone, Debug)]
pub struct EmbeddedTraces {
    engine: Arc<Engine>,
}

impl EmbeddedTraces {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        EmbeddedTraces { engine }
    }
}

impl TraceReader for EmbeddedTraces {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        Ok(by_id::get_trace(&self.engine, id, context))
    }
}

impl TraceFinder for EmbeddedTraces {
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error> {
        Ok(find::find_traces(&self.engine, query, context))
    }

    fn list_services(&self, context: &ReadContext) -> Result<Names, Error> {
        Ok(names::list_services(&self.engine, context))
    }

    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error> {
        Ok(names::list_operations(&self.engine, service, context))
    }

    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        Ok(names::list_tag_keys(&self.engine, prefix, limit, context))
    }

    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error> {
        Ok(names::list_tag_values(
            &self.engine,
            names::Values { key, prefix, limit },
            context,
        ))
    }
}

impl SpanScanner for EmbeddedTraces {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        export::scan_spans(&self.engine, query, context, each)
    }

    fn scan_points(
        &self,
        query: &SpanQuery,
        one_of: u32,
        context: &ReadContext,
        each: &mut dyn FnMut(&[Point]),
    ) -> Result<Scanned, Error> {
        count::scan_points(&self.engine, query, one_of, context, each)
    }

    fn count_values(
        &self,
        sets: &Sets<'_>,
        one_of: u32,
        context: &ReadContext,
        counts: &mut ValueCounts,
    ) -> Result<Scanned, Error> {
        count::count_values(&self.engine, sets, one_of, context, counts)
    }
}
