//! The query process's end: the last minutes come packed, in one multi-key read; older windows are
//! added up from the slots of all writers. What was answered last is kept for when Redis is down.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use tracewell_storage::Error;
use tracewell_storage::ladder::{FUTURE_NS, Ladder, RUNGS};
use tracewell_storage::roll::RollCall;
use tracewell_storage::stats::{
    Answer, EdgeFigures, OperationFigures, STEP_NS, ServiceFigures, StatsReader, Unjoined, Window,
};

use crate::connection::Redis;
use crate::keys::Keys;
use crate::last::Last;
use crate::roll;

/// Slots asked for in one round trip.
const SLOTS_TOGETHER: usize = 256;

/// Reads the figures of all aggregators.
#[derive(Debug)]
pub struct RedisReader {
    redis: Redis,
    keys: Keys,
    overview: Mutex<Option<(String, Arc<Ladder>)>>,
    services: Last<ServiceFigures>,
    operations: Last<OperationFigures>,
    graph: Last<EdgeFigures>,
}

/// An edition of the packed keys: its name, and from when it has figures.
type Head = (Option<String>, Option<u64>);

impl RedisReader {
    /// A reader; nothing is sent yet.
    pub fn new(redis: Redis) -> RedisReader {
        RedisReader {
            keys: Keys::new(&redis.settings().prefix),
            redis,
            overview: Mutex::default(),
            services: Last::default(),
            operations: Last::default(),
            graph: Last::default(),
        }
    }

    /// All services' figures as last published, if they cover the window. A query between two
    /// editions costs one small read; an edition is fetched once, by one MGET (R30).
    fn packed_overview(&self, window: &Window) -> Result<Option<Arc<Ladder>>, Error> {
        let (head, names): (Head, Vec<String>) = self.redis.call(|connection| {
            let mut pipe = redis::pipe();
            pipe.hmget(self.keys.head(), &["edition", "from"]);
            pipe.smembers(self.keys.services());
            pipe.query(connection)
        })?;
        let Some(edition) = covering(head, window) else {
            return Ok(None);
        };
        let mut known = self.overview.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, ladder)) = &*known
            && *of == edition
        {
            return Ok(Some(ladder.clone()));
        }
        let mut get = redis::cmd("MGET");
        names.iter().for_each(|name| {
            get.arg(self.keys.service(name));
        });
        let packed: Vec<Option<Vec<u8>>> = match names.is_empty() {
            true => Vec::new(),
            false => self.redis.call(|connection| get.query(connection))?,
        };
        let mut ladder = Ladder::new();
        for bytes in packed.iter().flatten() {
            ladder.merge(&decoded(bytes)?)?;
        }
        let ladder = Arc::new(ladder);
        *known = Some((edition, ladder.clone()));
        Ok(Some(ladder))
    }

    /// What one packed key holds, if it covers the window.
    fn packed(&self, key: &str, window: &Window) -> Result<Option<Ladder>, Error> {
        let (head, bytes): (Head, Option<Vec<u8>>) = self.redis.call(|connection| {
            let mut pipe = redis::pipe();
            pipe.hmget(self.keys.head(), &["edition", "from"]).get(key);
            pipe.query(connection)
        })?;
        if covering(head, window).is_none() {
            return Ok(None);
        }
        // An edition without this key has no such figures.
        bytes.map_or_else(
            || Ok(Some(Ladder::new())),
            |bytes| decoded(&bytes).map(Some),
        )
    }

    fn slots(&self, window: &Window) -> Result<Ladder, Error> {
        read_slots(&self.redis, &self.keys, window, self.now())
    }

    fn unjoined(&self) -> Result<Unjoined, Error> {
        let counts: HashMap<String, u64> = self.redis.call(|connection| {
            redis::cmd("HGETALL")
                .arg(self.keys.unjoined())
                .query::<std::collections::HashMap<_, _>>(connection)
                .map(|counts| counts.into_iter().collect())
        })?;
        let count = |reason| counts.get(reason).copied().unwrap_or_default();
        Ok(Unjoined {
            no_parent_in_window: count("no_parent_in_window"),
            over_cap: count("over_cap"),
        })
    }

    fn now(&self) -> u64 {
        self.redis.clock().unix_ns()
    }
}

impl StatsReader for RedisReader {
    fn read_services(&self, window: &Window) -> Result<Answer<ServiceFigures>, Error> {
        let read = || match self.packed_overview(window)? {
            Some(ladder) => Ok(ladder.services(window)),
            None => Ok(self.slots(window)?.services(window)),
        };
        self.services.or_last("", window, self.now(), read())
    }

    fn read_operations(
        &self,
        service: &str,
        window: &Window,
    ) -> Result<Answer<OperationFigures>, Error> {
        let read = || {
            let packed = self.packed(&self.keys.operations(service), window)?;
            let ladder = packed.map_or_else(|| self.slots(window), Ok)?;
            Ok(ladder.operations(service, window))
        };
        self.operations.or_last(service, window, self.now(), read())
    }

    fn read_graph(&self, window: &Window) -> Result<Answer<EdgeFigures>, Error> {
        let read = || {
            let packed = self.packed(&self.keys.graph(), window)?;
            let ladder = packed.map_or_else(|| self.slots(window), Ok)?;
            let mut answer = ladder.graph(window);
            answer.unjoined = self.unjoined()?;
            Ok(answer)
        };
        self.graph.or_last("", window, self.now(), read())
    }

    fn read_roll(&self, service: &str) -> Result<RollCall, Error> {
        roll::read(&self.redis, &self.keys, service)
    }
}

/// The edition, if it has all of this window. It has all that was saved after it begins.
fn covering((edition, from_unix_ns): Head, window: &Window) -> Option<String> {
    let from = window.from_unix_ns - window.from_unix_ns % STEP_NS;
    from_unix_ns.filter(|&published| published <= from)?;
    edition
}

/// All writers' figures of this window, each time in the finest rung that keeps it.
pub(crate) fn read_slots(
    redis: &Redis,
    keys: &Keys,
    window: &Window,
    now_unix_ns: u64,
) -> Result<Ladder, Error> {
    let mut ladder = Ladder::new();
    ladder.roll(now_unix_ns);
    let mut names = Vec::new();
    let mut to_unix_ns = window.to_unix_ns.min(now_unix_ns.saturating_add(FUTURE_NS));
    for (rung, of) in RUNGS.iter().enumerate() {
        let from_unix_ns = window.from_unix_ns.max(of.from_unix_ns(now_unix_ns));
        let slots = from_unix_ns / of.slot_ns..to_unix_ns.div_ceil(of.slot_ns);
        names.extend(slots.map(|number| keys.slot(rung, number)));
        to_unix_ns = to_unix_ns.min(of.from_unix_ns(now_unix_ns));
    }
    for together in names.chunks(SLOTS_TOGETHER) {
        let slots: Vec<Vec<Vec<u8>>> = redis.call(|connection| {
            let mut pipe = redis::pipe();
            for name in together {
                pipe.cmd("HVALS").arg(name);
            }
            pipe.query(connection)
        })?;
        for bytes in slots.iter().flatten() {
            ladder.merge(&decoded(bytes)?)?;
        }
    }
    Ok(ladder)
}

fn decoded(bytes: &[u8]) -> Result<Ladder, Error> {
    Ladder::decode(bytes).ok_or_else(|| Error::corrupt("figures in Redis are damaged"))
}
