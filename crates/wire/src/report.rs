//! What a decoder says of a body: how many spans it kept, which it refused and why.
//! One bad span never costs its neighbours; a body that cannot be read at all is a `DecodeError`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tracewell_model::row::NotUtf8;

use crate::named::Named;
use crate::proto::Malformed;
use crate::rest::NOT_UTF8;

/// Why a span was refused. The names are metric labels and API values: stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Absent, of the wrong length, all zero, or not hex.
    TraceId,
    /// Absent, of the wrong length, all zero, or not hex.
    SpanId,
    /// Present but no id.
    ParentSpanId,
    /// No service name where the format demands one.
    ServiceName,
    /// No operation name where the format demands one.
    OperationName,
    /// Absent, negative or beyond the year 2554.
    StartTime,
    /// Negative, not finite, or beyond what 64 bits of nanoseconds hold.
    Duration,
    /// Neither `ok` nor `error` where the format demands one of them.
    Status,
    /// A member has the wrong type.
    WrongType,
    /// Attribute values nested deeper than the cap.
    TooDeep,
    /// The span's own bytes cannot be read, though the body around it can.
    Malformed,
}

impl Reason {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Reason::TraceId => "trace_id",
            Reason::SpanId => "span_id",
            Reason::ParentSpanId => "parent_span_id",
            Reason::ServiceName => "service_name",
            Reason::OperationName => "operation_name",
            Reason::StartTime => "start_time",
            Reason::Duration => "duration",
            Reason::Status => "status",
            Reason::WrongType => "wrong_type",
            Reason::TooDeep => "too_deep",
            Reason::Malformed => "malformed",
        }
    }
}

/// A span that is not taken, on its way to the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What was seen and what is accepted.
    pub detail: Cow<'static, str>,
}

impl Refused {
    /// Shorthand.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Refused {
            reason,
            detail: detail.into(),
        }
    }
}

impl From<NotUtf8> for Refused {
    fn from(_: NotUtf8) -> Self {
        NOT_UTF8.into()
    }
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Refused::new(Reason::Malformed, malformed.0)
    }
}

/// One refusal, told so that its sender can find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which span of the body, counted from 0 in body order.
    pub span: usize,
    /// Why.
    pub reason: Reason,
    /// A sentence fragment: what was seen and what is accepted.
    pub detail: String,
}

/// What became of a body's spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Spans pushed into the builder.
    pub accepted: usize,
    /// Refused spans by reason; their sum is the number refused.
    pub refused: BTreeMap<Reason, usize>,
    /// The first few refusals in full.
    pub examples: Vec<Refusal>,
    /// Refused spans that have ids, with the reason.
    pub named: Vec<(Named, Reason)>,
}

impl Report {
    /// Refusals told in full; the rest is only counted, so that a bad body cannot grow its answer.
    const EXAMPLES_MAX: usize = 5;
    /// Refused spans of one body that are remembered by their ids.
    const NAMED_MAX: usize = 1_000;

    /// Counts a span kept.
    pub fn accept(&mut self) {
        self.accepted += 1;
    }

    /// Counts a span refused; spans are numbered by the order of `accept` and `refuse` calls.
    pub fn refuse(&mut self, reason: Reason, detail: impl Into<String>) {
        let span = self.seen();
        *self.refused.entry(reason).or_default() += 1;
        if self.examples.len() < Self::EXAMPLES_MAX {
            self.examples.push(Refusal {
                span,
                reason,
                detail: detail.into(),
            });
        }
    }

    /// Counts a span by what became of it.
    pub fn note(&mut self, outcome: Result<(), Refused>) {
        match outcome {
            Ok(()) => self.accept(),
            Err(refused) => self.refuse(refused.reason, refused.detail),
        }
    }

    /// Counts a span by what became of it; `named` says which it was, and is asked only if it is refused.
    pub fn note_named(
        &mut self,
        outcome: Result<(), Refused>,
        named: impl FnOnce() -> Option<Named>,
    ) {
        if let Err(refused) = &outcome
            && self.named.len() < Self::NAMED_MAX
            && let Some(named) = named()
        {
            self.named.push((named, refused.reason));
        }
        self.note(outcome);
    }

    /// Counts what another report has counted, after what this one has.
    pub fn add(&mut self, other: Report) {
        let seen = self.seen();
        self.accepted += other.accepted;
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        let room = Self::NAMED_MAX.saturating_sub(self.named.len());
        self.named.extend(other.named.into_iter().take(room));
        let room = Self::EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(
            other
                .examples
                .into_iter()
                .take(room)
                .map(|refusal| Refusal {
                    span: seen + refusal.span,
                    ..refusal
                }),
        );
    }

    /// Spans seen so far.
    pub fn seen(&self) -> usize {
        self.accepted + self.refused_count()
    }

    /// Spans refused so far.
    pub fn refused_count(&self) -> usize {
        self.refused.values().sum()
    }

    /// The refusals in one line, for headers and `partial_success`; empty when there were none.
    pub fn refusals(&self) -> String {
        let mut line: Vec<String> = self
            .examples
            .iter()
            .map(|r| format!("span {}: {}: {}", r.span, r.reason.name(), r.detail))
            .collect();
        let untold = self.refused_count() - self.examples.len();
        if untold > 0 {
            line.push(format!("and {untold} more"));
        }
        line.join("; ")
    }
}

/// A body of which nothing can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not this format at all; the text says where and what was expected.
    #[error("{0}")]
    Malformed(String),
    /// Decompressed, it is larger than the cap.
    #[error(
        "the body is larger than {limit} bytes once decompressed; \
         accepted are bodies up to the cap and, above 1 MiB, up to 100 times their compressed size"
    )]
    TooLarge {
        /// The cap in bytes.
        limit: usize,
    },
}
