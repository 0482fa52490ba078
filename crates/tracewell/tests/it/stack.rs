//! Roles apart, as processes of this build, on the four real engines (`cargo xtask stack up`). Each
//! test has a topic, a keyspace and prefixes of its own.

use std::io::Write;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Answer, Server, command_of, eventually};

/// Where the four engines are.
#[derive(Clone)]
pub(crate) struct Engines {
    pub(crate) kafka: String,
    pub(crate) cassandra: String,
    pub(crate) opensearch: String,
    pub(crate) redis: String,
}

impl Engines {
    /// None, said aloud, where one is missing.
    fn of_the_stack() -> Option<Engines> {
        let missing = |variable: &str| {
            let line = format!("skipped: no {variable} (cargo xtask stack up)\n");
            // Past the test harness, which keeps what passing tests print to itself.
            std::io::stdout().write_all(line.as_bytes()).unwrap();
        };
        let find = |variable: &str| {
            let found = std::env::var(variable).ok();
            if found.is_none() {
                missing(variable);
            }
            found
        };
        Some(Engines {
            kafka: find("STACK_KAFKA")?,
            cassandra: find("STACK_CASSANDRA")?,
            opensearch: find("STACK_OPENSEARCH")?,
            redis: find("STACK_REDIS")?,
        })
    }
}

/// A place in the engines, and the file of settings that all its processes share.
pub(crate) struct Stack {
    pub(crate) kafka: String,
    pub(crate) topic: String,
    dir: TempDir,
}

impl Stack {
    /// A place with everything made in it; none without the engines.
    pub(crate) fn new() -> Option<Stack> {
        Stack::with("")
    }

    /// The same, with more of `[kafka]`.
    pub(crate) fn with(more: &str) -> Option<Stack> {
        Some(Stack::on(&Engines::of_the_stack()?, more))
    }

    /// A place in these engines.
    pub(crate) fn on(engines: &Engines, more: &str) -> Stack {
        let stack = Stack::bare(engines, more);
        let made = stack.run(&["schema"]);
        assert!(made.status.success(), "{made:?}");
        stack
    }

    /// Nothing is made yet.
    pub(crate) fn bare(engines: &Engines, more: &str) -> Stack {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}x{number}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let Engines {
            kafka,
            cassandra,
            opensearch,
            redis,
        } = engines;
        let settings = format!(
            r#"[kafka]
{more}
brokers = "{kafka}"
topic = "{name}"
partitions = 4
replicas = 1
in_sync_replicas_min = 1
[cassandra]
nodes = "{cassandra}"
keyspace = "{name}"
replicas = 1
[opensearch]
url = "{opensearch}"
prefix = "{name}"
replicas = 0
attributes = "all"
[redis]
url = "{redis}"
prefix = "{name}:"
"#
        );
        std::fs::write(dir.path().join("tracewell.toml"), settings).unwrap();
        Stack {
            kafka: kafka.clone(),
            topic: name,
            dir,
        }
    }

    pub(crate) fn of_the_stack_bare() -> Option<Stack> {
        Some(Stack::bare(&Engines::of_the_stack()?, ""))
    }

    fn settings(&self) -> String {
        self.dir.path().join("tracewell.toml").display().to_string()
    }

    /// A process with these roles, ready.
    pub(crate) fn start(&self, roles: &str) -> Server {
        self.start_with(roles, &[])
    }

    /// The same, with more settings.
    pub(crate) fn start_with(&self, roles: &str, more: &[&str]) -> Server {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let settings = self.settings();
        let flags = [&["--config", &settings, "--role", roles], more].concat();
        Server::start_with(of_this_build(), dir, &flags)
    }

    /// Every role in a process of its own: the collector, the query, and the three workers.
    pub(crate) fn start_all(&self) -> Roles {
        Roles {
            workers: ["storage-writer", "indexer", "aggregator"].map(|role| self.start(role)),
            collector: self.start("collector"),
            query: self.start("query"),
        }
    }

    /// Runs a command with the stack's settings to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = of_this_build();
        command.args(arguments).args(["--config", &self.settings()]);
        command
    }
}

/// One process a role.
pub(crate) struct Roles {
    pub(crate) workers: [Server; 3],
    pub(crate) collector: Server,
    pub(crate) query: Server,
}

/// The answer once it satisfies this.
pub(crate) fn answer_when(server: &Server, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last: Option<Answer> = None;
    eventually(path, || {
        let answer = server.get(path);
        let found = (answer.status == 200).then(|| answer.json());
        last = Some(answer);
        found.filter(|found| is_so(found))
    })
}

/// The binary with the cluster's features, whatever TRACEWELL_BIN is.
pub(crate) fn of_this_build() -> Command {
    command_of(env!("CARGO_BIN_EXE_tracewell").into())
}

/// Text as a part of a query.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    use tracewell_model::Clock;
    tracewell_model::clock::SystemClock.unix_ns()
}
