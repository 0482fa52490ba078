//! Whether the server is as the roles need it, for `tracewell doctor`.

use tracewell_storage::{Checkup, Error};

use crate::connection::Redis;

/// What the server is like, and what is wrong with it.
pub fn check(redis: &Redis) -> Result<Checkup, Error> {
    let info: String = redis.call(|connection| redis::cmd("INFO").query(connection))?;
    let field = |name: &str| {
        let of_name = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_owned());
        info.lines().find_map(of_name).unwrap_or_default()
    };
    let (version, policy) = (field("redis_version"), field("maxmemory_policy"));
    let capped = field("maxmemory") != "0";
    let mut checkup = Checkup {
        seen: format!("version {version}, {policy}"),
        ..Checkup::default()
    };
    checkup.expect(
        !capped || policy == "noeviction",
        format!("maxmemory-policy is {policy}: figures are thrown out when memory is short, and nobody is told"),
        "redis-cli config set maxmemory-policy noeviction; redis-cli config rewrite",
    );
    // Where it may not be asked for (managed servers), whoever runs it knows.
    let save: Result<(String, String), Error> = redis.call(|connection| {
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg("save").query(connection)
    });
    let unsaved = matches!(save, Ok((_, when)) if when.is_empty()) && field("aof_enabled") != "1";
    checkup.expect(
        !unsaved,
        "nothing is saved to disk: a restart forgets the figures of the last eight days",
        "redis-cli config set appendonly yes; redis-cli config rewrite",
    );
    Ok(checkup)
}
