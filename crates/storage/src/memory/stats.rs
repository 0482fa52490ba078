//! Statistics in memory: a ladder, and the bytes a crash would leave of it.

use std::sync::{Arc, Mutex};

use super::{Restart, lock};
use crate::error::Error;
use crate::ladder::Ladder;
use crate::log::Position;
use crate::roll::{Roll, RollCall};
use crate::stats::{
    Answer, EdgeFigures, OperationFigures, STEP_NS, ServiceFigures, StatsDelta, StatsReader,
    StatsWriter, Window,
};

/// Figures in memory. Clones are handles of the same figures: one writes, others read.
#[derive(Clone, Debug, Default)]
pub struct MemoryStats {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    ladder: Ladder,
    roll: Roll,
    positions: Vec<Position>,
    /// Figures and positions as last saved, together.
    saved: Vec<u8>,
    saved_roll: Roll,
    saved_positions: Vec<Position>,
    saved_unix_ns: u64,
}

impl MemoryStats {
    /// No figures yet.
    pub fn new() -> Self {
        MemoryStats::default()
    }

    /// These figures: for tests of readers.
    pub fn with(delta: StatsDelta) -> Self {
        let stats = MemoryStats::new();
        lock(&stats.state).write(&delta);
        stats
    }

    /// What a new process would find.
    pub fn restart(&self, how: Restart) -> MemoryStats {
        let mut state = lock(&self.state).clone();
        if how == Restart::CleanStop {
            state.save();
        }
        state.ladder = Ladder::decode(&state.saved).unwrap_or_default();
        state.roll = state.saved_roll.clone();
        state.positions = state.saved_positions.clone();
        MemoryStats {
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl State {
    fn write(&mut self, delta: &StatsDelta) {
        self.ladder.add(delta);
        delta.instances.iter().for_each(|one| self.roll.add(one));
        for position in &delta.positions {
            match self
                .positions
                .iter_mut()
                .find(|known| known.partition == position.partition)
            {
                Some(known) => known.offset = known.offset.max(position.offset),
                None => self.positions.push(*position),
            }
        }
        // Apart in either direction: a clock set back must not put off saving.
        if delta.now_unix_ns.abs_diff(self.saved_unix_ns) >= STEP_NS {
            self.saved_unix_ns = delta.now_unix_ns;
            self.save();
        }
    }

    fn save(&mut self) {
        self.saved.clear();
        self.ladder.encode(&mut self.saved);
        self.saved_roll.clone_from(&self.roll);
        self.saved_positions.clone_from(&self.positions);
    }
}

impl StatsWriter for MemoryStats {
    fn write(&self, delta: StatsDelta) -> Result<(), Error> {
        lock(&self.state).write(&delta);
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        lock(&self.state).saved_positions.clone()
    }

    fn flush(&self) -> Result<(), Error> {
        lock(&self.state).save();
        Ok(())
    }
}

impl StatsReader for MemoryStats {
    fn read_services(&self, window: &Window) -> Result<Answer<ServiceFigures>, Error> {
        Ok(named(lock(&self.state).ladder.services(window)))
    }

    fn read_operations(
        &self,
        service: &str,
        window: &Window,
    ) -> Result<Answer<OperationFigures>, Error> {
        Ok(named(lock(&self.state).ladder.operations(service, window)))
    }

    fn read_graph(&self, window: &Window) -> Result<Answer<EdgeFigures>, Error> {
        Ok(named(lock(&self.state).ladder.graph(window)))
    }

    fn read_roll(&self, service: &str) -> Result<RollCall, Error> {
        Ok(lock(&self.state).roll.call(service))
    }
}

fn named<T>(mut answer: Answer<T>) -> Answer<T> {
    answer.searched.backend = "memory";
    answer
}
