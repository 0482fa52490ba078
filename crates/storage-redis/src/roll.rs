//! The roll of instances: each writer keeps what it heard under a field of its own, readers unite them.

use std::collections::{BTreeSet, HashMap};

use redis::Pipeline;
use tracewell_storage::Error;
use tracewell_storage::ladder::RUNGS;
use tracewell_storage::roll::{Instance, Roll, RollCall};
use tracewell_storage::varint::Reader;

use crate::connection::Redis;
use crate::keys::Keys;

/// What one writer heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    roll: Roll,
    unsaved: BTreeSet<(String, String)>,
    latest_unix_ns: u64,
}

impl Heard {
    pub(crate) fn note(&mut self, instances: &[Instance]) {
        for instance in instances {
            self.roll.add(instance);
            self.unsaved
                .insert((instance.service.clone(), instance.name.clone()));
            self.latest_unix_ns = self.latest_unix_ns.max(instance.last_unix_ns);
        }
    }

    /// Adds what is not saved yet to a transaction.
    pub(crate) fn put(&self, transaction: &mut Pipeline, keys: &Keys, writer: &str) {
        if self.unsaved.is_empty() {
            return;
        }
        // As long as the figures beside which it is read.
        let kept_s = (RUNGS[2].reach_ns / 1_000_000_000) as i64;
        for (service, name) in &self.unsaved {
            let Some(instance) = self.roll.get(service, name) else {
                continue;
            };
            let mut bytes = Vec::new();
            instance.encode(&mut bytes);
            let key = keys.roll(service);
            let field = format!("{writer}:{name}");
            transaction.hset(&key, field, bytes).ignore();
            transaction.expire(key, kept_s).ignore();
        }
        let key = keys.heard();
        transaction.hset(&key, writer, self.latest_unix_ns).ignore();
        transaction.expire(key, kept_s).ignore();
    }

    /// All of it is saved.
    pub(crate) fn saved(&mut self) {
        self.unsaved.clear();
    }
}

/// What all writers heard of a service.
pub(crate) fn read(redis: &Redis, keys: &Keys, service: &str) -> Result<RollCall, Error> {
    let (rows, latest): (Vec<Vec<u8>>, HashMap<String, u64>) = redis.call(|connection| {
        let mut pipe = redis::pipe();
        pipe.cmd("HVALS").arg(keys.roll(service));
        pipe.hgetall(keys.heard());
        pipe.query(connection)
    })?;
    let mut roll = Roll::default();
    for row in &rows {
        let instance = Instance::decode(&mut Reader(row));
        roll.add(&instance.ok_or_else(|| Error::corrupt("the roll in Redis is damaged"))?);
    }
    let mut call = roll.call(service);
    let latest = latest.into_values().max().unwrap_or(0);
    call.latest_unix_ns = call.latest_unix_ns.max(latest);
    Ok(call)
}
