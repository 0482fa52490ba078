//! Which traces are recorded. A decision is taken once, where the trace begins, and travels as the sampled
//! flag; what is not sampled costs two ids and nothing else.

use std::fmt;
use std::sync::Arc;

use crate::context::SpanContext;
use crate::id::TraceId;
use crate::span::Kind;

/// What a sampler decides by.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Sampling<'a> {
    /// The trace's id: the caller's, or the new one.
    pub trace_id: TraceId,
    /// The parent, if there is one.
    pub parent: Option<&'a SpanContext>,
    /// The decision of a caller that named no trace (a `b3: 0` header).
    pub decision: Option<bool>,
    /// The span's name and kind.
    pub name: &'a str,
    /// See `name`.
    pub kind: Kind,
}

/// A sampler of one's own: give it to [`Sampler::custom`].
pub trait Sample: Send + Sync {
    /// Whether to record the span and set the sampled flag.
    fn sample(&self, sampling: &Sampling<'_>) -> bool;
}

impl<F: Fn(&Sampling<'_>) -> bool + Send + Sync> Sample for F {
    fn sample(&self, sampling: &Sampling<'_>) -> bool {
        self(sampling)
    }
}

/// Decides which spans are recorded.
///
/// ```
/// use tracewell_sdk::{Sampler, Tracer};
///
/// // A tenth of the traces that begin here; of others, what their callers decided.
/// let tracer = Tracer::builder().sampler(Sampler::parent_based(Sampler::ratio(0.1))).build();
/// # tracer.shutdown(std::time::Duration::ZERO);
/// ```
#[derive(Clone, Debug)]
pub struct Sampler(Kept);

#[derive(Clone)]
enum Kept {
    All,
    None,
    /// Trace ids whose random bits lie below.
    Below(u64),
    AsParent(Arc<Kept>),
    Custom(Arc<dyn Sample>),
}

impl Sampler {
    /// Every span.
    pub const fn always() -> Self {
        Sampler(Kept::All)
    }

    /// No span.
    pub const fn never() -> Self {
        Sampler(Kept::None)
    }

    /// This share of traces, by trace id: every process with the same share, and any with OpenTelemetry's
    /// `traceidratio`, decides alike, and a larger share contains a smaller one.
    pub fn ratio(share: f64) -> Self {
        if share >= 1.0 {
            return Sampler::always();
        }
        // Not a number and negative are 0 here.
        let bound = share.max(0.0) * (1u64 << 63) as f64;
        Sampler(Kept::Below(bound as u64))
    }

    /// What the parent decided, `root` where there is no parent. The default is
    /// `parent_based(always())`.
    pub fn parent_based(root: Sampler) -> Self {
        Sampler(Kept::AsParent(Arc::new(root.0)))
    }

    /// One of your own.
    pub fn custom(sampler: impl Sample + 'static) -> Self {
        Sampler(Kept::Custom(Arc::new(sampler)))
    }

    #[inline]
    pub(crate) fn samples(&self, sampling: &Sampling<'_>) -> bool {
        self.0.samples(sampling)
    }
}

impl Kept {
    #[inline]
    fn samples(&self, sampling: &Sampling<'_>) -> bool {
        match self {
            Kept::All => true,
            Kept::None => false,
            Kept::Below(bound) => sampling.trace_id.low() >> 1 < *bound,
            Kept::AsParent(root) => match (sampling.parent, sampling.decision) {
                (Some(parent), _) => parent.is_sampled(),
                (None, Some(decision)) => decision,
                (None, None) => root.samples(sampling),
            },
            Kept::Custom(sampler) => sampler.sample(sampling),
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler::parent_based(Sampler::always())
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::All => f.write_str("always"),
            Kept::None => f.write_str("never"),
            Kept::Below(bound) => write!(f, "ratio({})", *bound as f64 / (1u64 << 63) as f64),
            Kept::AsParent(root) => write!(f, "parent_based({root:?})"),
            Kept::Custom(_) => f.write_str("custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id;

    fn samples(sampler: &Sampler, trace_id: TraceId) -> bool {
        let (parent, decision, name, kind) = (None, None, "", Kind::Internal);
        sampler.samples(&Sampling {
            trace_id,
            parent,
            decision,
            name,
            kind,
        })
    }

    #[test]
    fn a_ratio_keeps_its_share_and_contains_smaller_ones() {
        let (tenth, half) = (Sampler::ratio(0.1), Sampler::ratio(0.5));
        let mut kept = 0;
        for _ in 0..100_000 {
            let (trace_id, _) = id::root();
            let by_tenth = samples(&tenth, trace_id);
            assert!(!by_tenth || samples(&half, trace_id));
            kept += u32::from(by_tenth);
        }
        // 10,000 expected with a deviation of 95.
        assert!((9_300..10_700).contains(&kept), "{kept}");
    }

    #[test]
    fn edges_of_ratios() {
        let (lowest, highest) = (
            TraceId::from_bytes([0; 16]),
            TraceId::from_bytes([0xff; 16]),
        );
        for share in [0.0, -1.0, f64::NAN] {
            assert!(!samples(&Sampler::ratio(share), lowest), "{share}");
        }
        assert!(samples(&Sampler::ratio(1.0), highest));
        assert!(!samples(&Sampler::ratio(0.999), highest));
        // OpenTelemetry compares the low 63 bits of the id's right half, shifted, with share * 2^63.
        let mut half = [0; 16];
        half[8] = 0x80;
        assert!(!samples(&Sampler::ratio(0.5), TraceId::from_bytes(half)));
        half[8] = 0x7f;
        assert!(samples(&Sampler::ratio(0.5), TraceId::from_bytes(half)));
    }
}
