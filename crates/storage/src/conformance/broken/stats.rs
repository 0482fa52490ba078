//! Statistics that are wrong on purpose.

use std::sync::Arc;

use tracewell_model::clock::ManualClock;
use tracewell_model::histogram::Histogram;

use crate::conformance::{Durability, OpenStats, Restart, StatsFixture};
use crate::error::Error;
use crate::log::Position;
use crate::memory::MemoryStats;
use crate::roll::RollCall;
use crate::stats::{
    Answer, Basis, EdgeFigures, OperationFigures, STEP_NS, ServiceFigures, StatsDelta, StatsReader,
    StatsWriter, Window,
};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsFault {
    /// Comes back empty, yet calls everything saved.
    ForgetsOnRestart,
    /// Calls saved what a crash takes.
    DurableTooEarly,
    /// Saves figures, but its positions never.
    NeverSavesPositions,
    /// Counts a delta twice.
    CountsTwice,
    /// Counts no errors.
    LosesErrors,
    /// Keeps an average for a distribution.
    AveragesLatencies,
    /// Counts the step after a window too.
    WindowTooLong,
    /// Shows no service without entry spans.
    EntrySpansOnly,
    /// Shows every operation of every service.
    MixesServices,
    /// Loses the edges.
    LosesEdges,
    /// Puts a whole series into its first step.
    FlatSeries,
}

impl StatsFault {
    /// Every fault.
    pub const ALL: [StatsFault; 11] = [
        StatsFault::ForgetsOnRestart,
        StatsFault::DurableTooEarly,
        StatsFault::NeverSavesPositions,
        StatsFault::CountsTwice,
        StatsFault::LosesErrors,
        StatsFault::AveragesLatencies,
        StatsFault::WindowTooLong,
        StatsFault::EntrySpansOnly,
        StatsFault::MixesServices,
        StatsFault::LosesEdges,
        StatsFault::FlatSeries,
    ];
}

/// Opens statistics with this fault.
#[derive(Clone, Copy, Debug)]
pub struct BrokenStats(pub StatsFault);

impl StatsFixture for BrokenStats {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, _clock: Arc<ManualClock>) -> Box<dyn OpenStats> {
        let (inner, written) = (MemoryStats::new(), std::sync::Mutex::default());
        Box::new(Broken {
            fault: self.0,
            inner,
            written,
            claimed: Vec::new(),
        })
    }
}

struct Broken {
    fault: StatsFault,
    inner: MemoryStats,
    /// Positions of the last delta.
    written: std::sync::Mutex<Vec<Position>>,
    /// What was called saved before the last restart.
    claimed: Vec<Position>,
}

impl OpenStats for Broken {
    fn writer(&self) -> &dyn StatsWriter {
        self
    }

    fn reader(&self) -> &dyn StatsReader {
        self
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStats> {
        let claimed = self.durable();
        let inner = match self.fault {
            StatsFault::ForgetsOnRestart => MemoryStats::new(),
            _ => self.inner.restart(how),
        };
        Box::new(Broken {
            inner,
            claimed,
            ..*self
        })
    }
}

impl StatsWriter for Broken {
    fn write(&self, mut delta: StatsDelta) -> Result<(), Error> {
        if let Ok(mut written) = self.written.lock() {
            written.clone_from(&delta.positions);
        }
        for figures in delta.figures.values_mut() {
            match self.fault {
                StatsFault::LosesErrors => figures.error_count = 0,
                StatsFault::AveragesLatencies => {
                    let middle = figures.latency.quantile(0.5).unwrap_or(0);
                    figures.latency = Histogram::default();
                    (0..figures.count).for_each(|_| figures.latency.record(middle / 2));
                }
                _ => {}
            }
        }
        if self.fault == StatsFault::CountsTwice {
            self.inner.write(delta.clone())?;
        }
        self.inner.write(delta)
    }

    fn durable(&self) -> Vec<Position> {
        let durable = self.inner.durable();
        let written = || {
            self.written
                .lock()
                .map(|written| written.clone())
                .unwrap_or_default()
        };
        match self.fault {
            StatsFault::DurableTooEarly => written(),
            StatsFault::NeverSavesPositions => Vec::new(),
            StatsFault::ForgetsOnRestart if durable.is_empty() => self.claimed.clone(),
            _ => durable,
        }
    }

    fn flush(&self) -> Result<(), Error> {
        self.inner.flush()
    }
}

impl Broken {
    fn window(&self, window: &Window) -> Window {
        let longer = if self.fault == StatsFault::WindowTooLong {
            STEP_NS
        } else {
            0
        };
        Window {
            to_unix_ns: window.to_unix_ns + longer,
            ..*window
        }
    }
}

impl StatsReader for Broken {
    fn read_services(&self, window: &Window) -> Result<Answer<ServiceFigures>, Error> {
        let mut answer = self.inner.read_services(&self.window(window))?;
        match self.fault {
            StatsFault::EntrySpansOnly => {
                answer.rows.retain(|row| row.basis == Basis::EntrySpans);
            }
            StatsFault::FlatSeries => {
                for row in &mut answer.rows {
                    row.series
                        .iter_mut()
                        .for_each(|(_, figures)| *figures = Default::default());
                    if let Some((_, first)) = row.series.first_mut() {
                        first.clone_from(&row.figures);
                    }
                }
            }
            _ => {}
        }
        Ok(answer)
    }

    fn read_operations(
        &self,
        service: &str,
        window: &Window,
    ) -> Result<Answer<OperationFigures>, Error> {
        let window = self.window(window);
        let mut answer = self.inner.read_operations(service, &window)?;
        if self.fault == StatsFault::MixesServices {
            answer
                .rows
                .extend(self.inner.read_operations("cart", &window)?.rows);
        }
        Ok(answer)
    }

    fn read_graph(&self, window: &Window) -> Result<Answer<EdgeFigures>, Error> {
        match self.fault {
            StatsFault::LosesEdges => Ok(Answer::default()),
            _ => self.inner.read_graph(&self.window(window)),
        }
    }

    fn read_roll(&self, service: &str) -> Result<RollCall, Error> {
        self.inner.read_roll(service)
    }
}
