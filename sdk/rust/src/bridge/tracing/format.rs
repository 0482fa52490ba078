//! Log lines that say which span they were written in.

use std::fmt;

use tracing_core::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::context::Context;

/// A format of log lines, with `trace_id` and `span_id` of the current span before them. A line outside
/// of all spans is as it was.
#[derive(Clone, Debug)]
pub struct JoinKey<F> {
    inner: F,
    json: bool,
}

impl<F> JoinKey<F> {
    /// Before lines of text: `trace_id=… span_id=… `.
    pub fn text(inner: F) -> Self {
        JoinKey { inner, json: false }
    }

    /// Inside lines that are JSON objects, as their first members.
    pub fn json(inner: F) -> Self {
        JoinKey { inner, json: true }
    }
}

impl<S, N, F> FormatEvent<S, N> for JoinKey<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let current = Context::current();
        let (trace_id, span_id) = (current.span().trace_id(), current.span().span_id());
        if !current.span().is_valid() {
            return self.inner.format_event(context, writer, event);
        }
        if !self.json {
            write!(writer, "trace_id={trace_id} span_id={span_id} ")?;
            return self.inner.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.inner
            .format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(rest) => {
                let comma = if rest.starts_with('}') { "" } else { "," };
                let ids = format_args!(r#"{{"trace_id":"{trace_id}","span_id":"{span_id}"{comma}"#);
                writer.write_fmt(ids)?;
                writer.write_str(rest)
            }
            None => writer.write_str(&line),
        }
    }
}
