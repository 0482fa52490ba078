//! How durations lie over time: spans and errors by step of time and band of duration.

use hashbrown::HashMap;
use tracewell_storage::{Error, ReadContext, Scanned, SpanScanner};

use crate::spans::{SpanQuery, as_far_as_read};

/// Bands of one doubling of the duration.
const BANDS_PER_OCTAVE: f64 = 2.0;

/// A field of the map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Spans.
    pub count: u64,
    /// Those that failed.
    pub errors: u64,
}

/// The map: what is not in it is empty.
#[derive(Clone, Debug, Default)]
pub struct Heatmap {
    /// By (step, band), in this order.
    pub cells: Vec<((u32, u32), Cell)>,
    /// What reading was like.
    pub scanned: Scanned,
}

/// The shortest duration of a band.
pub fn band_from_ns(band: u32) -> u64 {
    match band {
        0 => 0,
        band => (f64::from(band) / BANDS_PER_OCTAVE).exp2().ceil() as u64,
    }
}

fn band_of(duration_ns: u64) -> u32 {
    // A logarithm may be off by one at an edge; the edges are what the answer says.
    let near = ((duration_ns.max(1) as f64).log2() * BANDS_PER_OCTAVE) as u32;
    let fits = |band: &u32| band_from_ns(*band) <= duration_ns.max(1);
    [near + 1, near]
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| near.saturating_sub(1))
}

/// Maps the spans of a query, whose range of time is cut into equal steps.
pub fn map(
    scanner: &dyn SpanScanner,
    query: &SpanQuery,
    (from_unix_ns, step_ns): (u64, u64),
    one_of: u32,
    context: &ReadContext,
) -> Result<Heatmap, Error> {
    let mut cells: HashMap<(u32, u32), Cell> = HashMap::new();
    let read = scanner.scan_points(query, one_of, context, &mut |points| {
        for point in points {
            let since_ns = point.start_unix_ns.saturating_sub(from_unix_ns);
            let step = (since_ns / step_ns.max(1)) as u32;
            let cell = cells.entry((step, band_of(point.duration_ns))).or_default();
            cell.count += 1;
            cell.errors += u64::from(point.error);
        }
    });
    let scanned = as_far_as_read(read)?;
    let mut cells: Vec<_> = cells.into_iter().collect();
    cells.sort_unstable_by_key(|(at, _)| *at);
    Ok(Heatmap { cells, scanned })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_in_the_band_that_says_so() {
        for duration in
            (0..64).flat_map(|power| [(1u64 << power) - 1, 1 << power, (1 << power) + 1])
        {
            let band = band_of(duration);
            assert!(band_from_ns(band) <= duration.max(1), "{duration}");
            assert!(
                band >= 127 || band_from_ns(band + 1) > duration,
                "{duration}"
            );
        }
    }
}
