//! One aggregator's end: figures gather in memory and are saved every ten seconds, together with the
//! positions they cover, in one transaction.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::Pipeline;
use tracewell_storage::ladder::{LadderCounts, RUNGS};
use tracewell_storage::stats::{STEP_NS, StatsWriter, Unjoined};
use tracewell_storage::{Error, Position, StatsDelta};

use crate::connection::Redis;
use crate::keys::Keys;
use crate::publish;
use crate::roll::Heard;
use crate::slots::Slots;

/// What may wait for Redis to come back; then the aggregator waits, and the log keeps its spans.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Slots are kept this much longer than their rung reaches: clocks differ.
const SLACK_S: u64 = 600;

/// Positions go forward only: an aggregator that was cut off and comes back does not undo the work
/// of the one that took over.
const FORWARD: &str = "for i = 1, #ARGV, 2 do
local known = redis.call('HGET', KEYS[1], ARGV[i])
if not known or tonumber(known) < tonumber(ARGV[i + 1]) then
redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end end";

/// Saves one aggregator's figures.
#[derive(Debug)]
pub struct RedisWriter {
    redis: Redis,
    keys: Keys,
    /// Its field of every slot: of this process alone, so that nobody else's is overwritten.
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slots: Slots,
    heard: Heard,
    unjoined: Unjoined,
    positions: BTreeMap<u32, u64>,
    saved_positions: BTreeMap<u32, u64>,
    tried_unix_ns: u64,
    now_unix_ns: u64,
    failure: Option<Error>,
}

impl RedisWriter {
    /// A writer that goes on where the figures in Redis end.
    pub fn open(redis: Redis) -> Result<RedisWriter, Error> {
        let keys = Keys::new(&redis.settings().prefix);
        let positions = keys.positions(&redis.settings().log);
        let saved: BTreeMap<u32, u64> =
            redis.call(|connection| redis::cmd("HGETALL").arg(positions).query(connection))?;
        let state = State {
            positions: saved.clone(),
            saved_positions: saved,
            now_unix_ns: redis.clock().unix_ns(),
            ..State::default()
        };
        Ok(RedisWriter {
            redis,
            keys,
            name: format!("{:016x}", fastrand::u64(..)),
            state: Mutex::new(state),
        })
    }

    /// What an operator should look at, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let failure = self.state().failure.clone();
        let said = failure.map(|error| format!("figures could not be saved: {error}"));
        said.into_iter().collect()
    }

    /// Spans that started too long ago, or in the future, to be in any figure.
    pub fn counts(&self) -> LadderCounts {
        self.state().slots.counts()
    }

    /// Bytes of memory held, for the budget (D15).
    pub fn memory_bytes(&self) -> usize {
        self.state().slots.memory_bytes()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves what is not saved, and publishes the last minutes when it is this writer's turn.
    fn save(&self, state: &mut State, own_turn: bool) -> Result<(), Error> {
        // Whether it works or not, the next try is due a step later.
        state.tried_unix_ns = state.now_unix_ns;
        let transaction = self.transaction(state);
        let saved = self
            .redis
            .call(|connection| transaction.query::<()>(connection));
        state.failure = saved.as_ref().err().cloned();
        saved?;
        state.slots.saved(state.now_unix_ns);
        state.heard.saved();
        state.unjoined = Unjoined::default();
        state.saved_positions.clone_from(&state.positions);
        let (keys, now) = (&self.keys, state.now_unix_ns);
        let published = publish::publish(&self.redis, keys, &self.name, now, own_turn);
        // The figures are safe, and the next turn publishes them.
        state.failure = published.err();
        Ok(())
    }

    fn transaction(&self, state: &State) -> Pipeline {
        let mut transaction = redis::pipe();
        transaction.atomic();
        for ((rung, number), slot) in state.slots.unsaved() {
            let mut bytes = Vec::new();
            slot.figures.encode(&mut bytes);
            let key = self.keys.slot(rung, number);
            let field = format!("{}:{}", self.name, slot.field);
            transaction.hset(&key, field, bytes).ignore();
            let expires = (number + 1) * RUNGS[rung].slot_ns + RUNGS[rung].reach_ns;
            let expires_s = expires.saturating_sub(state.now_unix_ns) / 1_000_000_000 + SLACK_S;
            transaction.expire(key, expires_s as i64).ignore();
        }
        for (reason, spans) in [
            ("no_parent_in_window", state.unjoined.no_parent_in_window),
            ("over_cap", state.unjoined.over_cap),
        ] {
            if spans > 0 {
                transaction
                    .hincr(self.keys.unjoined(), reason, spans)
                    .ignore();
            }
        }
        state.heard.put(&mut transaction, &self.keys, &self.name);
        let mut forward = redis::cmd("EVAL");
        let log = &self.redis.settings().log;
        forward.arg(FORWARD).arg(1).arg(self.keys.positions(log));
        for (partition, offset) in &state.positions {
            forward.arg(partition).arg(offset);
        }
        transaction.add_command(forward).ignore();
        transaction
    }
}

impl StatsWriter for RedisWriter {
    fn write(&self, delta: StatsDelta) -> Result<(), Error> {
        let mut state = self.state();
        state.now_unix_ns = delta.now_unix_ns;
        // Apart in either direction: a clock set back must not put off saving.
        let due = delta.now_unix_ns.abs_diff(state.tried_unix_ns) >= STEP_NS;
        if state.failure.is_some() && state.slots.memory_bytes() > WAITING_BYTES_MAX {
            // Nothing more is taken in before this is out; the caller keeps its delta.
            self.save(&mut state, false)?;
        }
        state.slots.add(&delta);
        state.heard.note(&delta.instances);
        state.unjoined.no_parent_in_window += delta.unjoined.no_parent_in_window;
        state.unjoined.over_cap += delta.unjoined.over_cap;
        for position in &delta.positions {
            let known = state.positions.entry(position.partition).or_default();
            *known = position.offset.max(*known);
        }
        let was_away = state.failure.is_some();
        if due
            && let Err(error) = self.save(&mut state, false)
            && !was_away
        {
            // The figures are taken in and wait in memory: said here once and by `problems` while it
            // lasts, tried again in a step.
            tracing::warn!(%error, "figures wait for Redis");
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let saved = self.state().saved_positions.clone();
        let position = |(partition, offset)| Position { partition, offset };
        saved.into_iter().map(position).collect()
    }

    fn flush(&self) -> Result<(), Error> {
        let mut state = self.state();
        self.save(&mut state, true)
    }
}
