//! Figures until they are written. An octave of latencies of a series' step is a cache line of
//! counters; per span one of them moves. Names are looked up once a stretch of a batch, histograms made
//! once a second.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap};
use tracewell_model::SpanBatch;
use tracewell_storage::stats::{Figures, SeriesKey};

use crate::table::{Key, TOUCHED, Table};

/// Lines of counters held before they must be written: what a flood of distinct series may hold up.
const LINES_MAX: usize = 64 * 1024;
/// Spans counted before they must be written, so that no counter overflows.
const SPANS_MAX: u32 = u32::MAX / 2;
/// Series known before all are forgotten, and the bytes of their names.
const SERIES_MAX: usize = 100_000;
const NAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a span adds to the figures of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counted {
    /// Its start, in steps.
    pub(crate) step: u32,
    /// Its duration's bucket.
    pub(crate) bucket: u16,
    pub(crate) error: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    names: Names,
    /// By number less one.
    series: Vec<Series>,
    /// By [`Series::packed`].
    numbers: HashMap<u64, u32>,
    /// Where in `lines` the counters of an octave lie, counted from 1; by [`pack`], mixed.
    octaves: Table<u64>,
    mixer: Mixer,
    lines: Vec<Line>,
    spans: u32,
    /// Counters to move: an octave, and one of its line.
    moving: Vec<(Key, u8)>,
    /// Room for [`Tally::of_batch`].
    batch: BatchNames,
}

/// Sixteen buckets. Errors are counted in the first counter of an octave that no duration has.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([u32; 16]);

const ERRORS: u8 = 63;

/// A series by the numbers of its names.
#[derive(Clone, Copy, Debug)]
enum Series {
    Operation {
        service: u32,
        operation: u32,
        entry: bool,
    },
    Edge {
        parent: u32,
        child: u32,
    },
}

/// The numbers of a batch's names: of a resource's service, and of an operation with the series that
/// it was last seen in.
#[derive(Debug, Default)]
struct BatchNames {
    /// Which call of [`Tally::of_batch`] it is: what was seen in another one counts for nothing.
    batch: u64,
    services: Vec<u32>,
    operations: Vec<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    batch: u64,
    operation: u32,
    service: u32,
    /// By entry; 0 where it was not looked up yet.
    series: [u32; 2],
}

impl Tally {
    /// True when its counters or names want to be written before more is counted.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX || self.spans >= SPANS_MAX || self.has_many_names()
    }

    /// Takes spans of this batch from here on.
    pub(crate) fn of_batch<'a>(&'a mut self, batch: &'a SpanBatch) -> BatchTally<'a> {
        let c = batch.columns();
        let Tally {
            names, batch: room, ..
        } = self;
        let services = c
            .resources
            .iter()
            .map(|resource| names.number(c.text.get(resource.service)));
        room.batch += 1;
        room.services.clear();
        room.services.extend(services);
        if room.operations.len() < c.text.len() {
            room.operations.resize(c.text.len(), Seen::default());
        }
        BatchTally { tally: self, batch }
    }

    /// The number of the series of calls from one service to another.
    pub(crate) fn edge(&mut self, parent: &str, child: &str) -> u32 {
        let (parent, child) = (self.names.number(parent), self.names.number(child));
        self.number(Series::Edge { parent, child })
    }

    /// Adds a span of a series; [`Tally::count`] is to follow.
    #[inline]
    pub(crate) fn add(&mut self, series: u32, counted: Counted) {
        let Counted {
            step,
            bucket,
            error,
        } = counted;
        let key = |octave| self.mixer.mix(pack(series, step, octave));
        self.moving
            .push((key((bucket >> 4) as u8), bucket as u8 & 15));
        if error {
            self.moving.push((key(ERRORS), 0));
        }
    }

    /// Moves the counters of what was added. Apart from adding, so that the processor looks for
    /// many of them at once.
    pub(crate) fn count(&mut self) {
        for moving in self.moving.chunks(TOUCHED) {
            self.octaves.touch(moving.iter().map(|&(key, _)| key));
            for &(key, counter) in moving {
                if self.octaves.is_full() {
                    self.octaves.grow(usize::MAX);
                }
                let Some(line) = self.octaves.get_or_insert(key) else {
                    continue;
                };
                if *line == 0 {
                    self.lines.push(Line::default());
                    *line = self.lines.len() as u64;
                }
                self.lines[*line as usize - 1].0[usize::from(counter)] += 1;
            }
        }
        self.spans += self.moving.len() as u32;
        self.moving.clear();
    }

    /// What was counted, by step and series.
    pub(crate) fn figures(&self) -> HashMap<(u64, SeriesKey), Figures> {
        let unmixed = |(key, line)| (self.mixer.unmix(key), line);
        let mut octaves: Vec<(u64, u64)> = self.octaves.iter().map(unmixed).collect();
        octaves.sort_unstable();
        let runs = octaves.chunk_by(|a, b| a.0 >> OCTAVE_BITS == b.0 >> OCTAVE_BITS);
        let figures = runs.map(|run| {
            let (series, step) = series_and_step(run[0].0);
            ((u64::from(step), self.key(series)), self.sum(run))
        });
        figures.collect()
    }

    /// The figures of the octaves of one series and step, in order.
    fn sum(&self, run: &[(u64, u64)]) -> Figures {
        let mut figures = Figures::default();
        for &(packed, line) in run {
            let octave = packed as u8 & ERRORS;
            let counters = &self.lines[line as usize - 1].0;
            if octave == ERRORS {
                figures.error_count = u64::from(counters[0]);
                continue;
            }
            for (sub, &count) in counters.iter().enumerate().filter(|&(_, &count)| count > 0) {
                let bucket = u16::from(octave) << 4 | sub as u16;
                figures.latency.buckets.push((bucket, u64::from(count)));
                figures.count += u64::from(count);
            }
        }
        figures
    }

    /// Begins anew, once what was counted is written.
    pub(crate) fn clear(&mut self) {
        self.octaves.clear();
        self.lines.clear();
        self.spans = 0;
    }

    /// Forgets names when they are many. Numbers from before mean nothing any more then: true.
    pub(crate) fn forget_names(&mut self) -> bool {
        debug_assert!(self.lines.is_empty());
        let many = self.has_many_names();
        if many {
            *self = Tally::default();
        }
        many
    }

    fn has_many_names(&self) -> bool {
        self.series.len() >= SERIES_MAX || self.names.bytes >= NAME_BYTES_MAX
    }

    fn number(&mut self, series: Series) -> u32 {
        *self.numbers.entry(series.packed()).or_insert_with(|| {
            self.series.push(series);
            self.series.len() as u32
        })
    }

    fn key(&self, series: u32) -> SeriesKey {
        let name = |number: u32| self.names.texts[number as usize].to_string();
        match self.series[series as usize - 1] {
            Series::Operation {
                service,
                operation,
                entry,
            } => SeriesKey::Operation {
                service: name(service),
                operation: name(operation),
                entry,
            },
            Series::Edge { parent, child } => SeriesKey::Edge {
                parent: name(parent),
                child: name(child),
            },
        }
    }
}

/// A tally that knows the numbers of a batch's names.
#[derive(Debug)]
pub(crate) struct BatchTally<'a> {
    tally: &'a mut Tally,
    batch: &'a SpanBatch,
}

impl BatchTally<'_> {
    /// The numbers of the services, by resource.
    pub(crate) fn services(&self) -> &[u32] {
        &self.tally.batch.services
    }

    /// Adds a span of the series of these positions of the batch; [`Tally::count`] is to follow.
    #[inline]
    pub(crate) fn add(&mut self, resource: u32, operation: u32, entry: bool, counted: Counted) {
        let BatchNames {
            batch,
            services,
            operations,
        } = &self.tally.batch;
        let service = services[resource as usize];
        let seen = &operations[operation as usize];
        let mut series = seen.series[usize::from(entry)];
        if (seen.batch, seen.service) != (*batch, service) || series == 0 {
            series = self.look_up(service, operation, entry);
        }
        self.tally.add(series, counted);
    }

    fn look_up(&mut self, service: u32, at: u32, entry: bool) -> u32 {
        let batch = self.tally.batch.batch;
        let mut seen = self.tally.batch.operations[at as usize];
        if seen.batch != batch {
            seen.operation = self.tally.names.number(self.batch.columns().text.get(at));
        }
        if (seen.batch, seen.service) != (batch, service) {
            seen.series = [0; 2];
        }
        let series = self.tally.number(Series::Operation {
            service,
            operation: seen.operation,
            entry,
        });
        (seen.batch, seen.service) = (batch, service);
        seen.series[usize::from(entry)] = series;
        self.tally.batch.operations[at as usize] = seen;
        series
    }
}

/// Numbers for names.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    bytes: usize,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.texts.len() as u32;
        let name: Arc<str> = name.into();
        self.bytes += name.len();
        self.texts.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

impl Series {
    /// One number for each.
    fn packed(self) -> u64 {
        match self {
            Series::Operation {
                service,
                operation,
                entry,
            } => u64::from(service) << 33 | u64::from(operation) << 1 | u64::from(entry),
            Series::Edge { parent, child } => 1 << 63 | u64::from(parent) << 32 | u64::from(child),
        }
    }
}

const OCTAVE_BITS: u32 = 6;
const STEP_BITS: u32 = 31;

/// Series, step and octave in one number; sorted, the octaves of a series' step lie together.
/// Series are counted from 1, so that none is 0; they are forgotten after a hundred thousand, and no
/// record has 2^27 spans more.
fn pack(series: u32, step: u32, octave: u8) -> u64 {
    debug_assert!(series < 1 << 27 && step < 1 << STEP_BITS && octave <= ERRORS);
    u64::from(series) << (STEP_BITS + OCTAVE_BITS)
        | u64::from(step) << OCTAVE_BITS
        | u64::from(octave)
}

fn series_and_step(packed: u64) -> (u32, u32) {
    let step = (packed >> OCTAVE_BITS) as u32 & ((1 << STEP_BITS) - 1);
    ((packed >> (STEP_BITS + OCTAVE_BITS)) as u32, step)
}

/// Spreads packed numbers over all keys, by a factor that nobody can know, and back. One product is
/// not enough: series lie in high bits, where only the factor's low bits reach them, and rising numbers
/// by a factor near a simple fraction fall on few places.
#[derive(Debug)]
struct Mixer {
    factor: u64,
    inverse: u64,
}

impl Default for Mixer {
    fn default() -> Self {
        Mixer::of(DefaultHashBuilder::default().hash_one(0))
    }
}

impl Mixer {
    fn of(chance: u64) -> Mixer {
        let factor = chance | 1;
        // Each round doubles the low bits that are right; an odd number is its own inverse in three.
        let round =
            |inverse: u64, _| inverse.wrapping_mul(2u64.wrapping_sub(factor.wrapping_mul(inverse)));
        let inverse = (0..5).fold(factor, round);
        Mixer { factor, inverse }
    }

    fn mix(&self, packed: u64) -> Key {
        let product = packed.wrapping_mul(self.factor);
        (product ^ product >> 32).wrapping_mul(self.factor)
    }

    fn unmix(&self, key: Key) -> u64 {
        let mixed = key.wrapping_mul(self.inverse);
        (mixed ^ mixed >> 32).wrapping_mul(self.inverse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_spread_evenly_whatever_the_factor() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            let mixer = Mixer::of(random.u64(..));
            let mut places = [0; 1024];
            for series in 1..=1024 {
                let packed = pack(series, 1_750_000_000, 20);
                assert_eq!(mixer.unmix(mixer.mix(packed)), packed);
                places[(mixer.mix(packed) >> 54) as usize] += 1;
            }
            // By chance one place has six or seven; with one product it can be 74.
            assert!(places.iter().all(|&count| count < 20), "{}", mixer.factor);
        }
    }
}
