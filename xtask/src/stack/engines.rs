//! How each engine is started: its settings written, its command made.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// An engine.
pub(super) struct Engine {
    pub(super) name: &'static str,
    /// The variable in which tests look for its address.
    pub(super) variable: &'static str,
    /// What stands before host and port there.
    pub(super) scheme: &'static str,
    ports: usize,
    /// What it prints once it takes requests.
    pub(super) ready: &'static str,
    /// Writes its settings, and answers what to run.
    pub(super) command: fn(&Place<'_>) -> anyhow::Result<Command>,
}

/// Where an engine runs. The first port is for clients.
pub(super) struct Place<'a> {
    pub(super) dir: &'a Path,
    pub(super) jars: &'a Path,
    pub(super) ports: &'a [u16],
}

pub(super) const ENGINES: &[Engine] = &[
    Engine {
        name: "kafka",
        variable: "STACK_KAFKA",
        scheme: "",
        ports: 2,
        ready: "Kafka Server started",
        command: kafka,
    },
    Engine {
        name: "cassandra",
        variable: "STACK_CASSANDRA",
        scheme: "",
        ports: 2,
        ready: "Startup complete",
        command: cassandra,
    },
    Engine {
        name: "opensearch",
        variable: "STACK_OPENSEARCH",
        scheme: "http://",
        ports: 2,
        ready: "Node started",
        command: opensearch,
    },
    Engine {
        name: "redis",
        variable: "STACK_REDIS",
        scheme: "redis://",
        ports: 1,
        ready: "Ready to accept connections",
        command: redis,
    },
];

/// The engines' names, for messages.
pub(super) fn names() -> String {
    ENGINES
        .iter()
        .map(|engine| engine.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Ports on which nothing listens, below those that the kernel gives to outgoing connections.
pub(super) fn free_ports(engine: &Engine) -> anyhow::Result<Vec<u16>> {
    let place = ENGINES
        .iter()
        .position(|known| known.name == engine.name)
        .unwrap_or_default();
    // Engines start at once, and so may other stacks: each looks from a place of its own.
    let first = (std::process::id() as usize * 97 + place * 3_000) % 12_000;
    let free = (first..first + 12_000)
        .filter_map(|step| u16::try_from(20_000 + step % 12_000).ok())
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(engine.ports).collect();
    (ports.len() == engine.ports)
        .then_some(ports)
        .context("no port is free")
}

impl Place<'_> {
    /// Writes a file of settings, with this place's directory and ports filled in.
    fn write(&self, name: &str, template: &str) -> anyhow::Result<()> {
        let mut text = template.replace("{dir}", &self.dir.display().to_string());
        for (number, port) in self.ports.iter().enumerate() {
            text = text.replace(&format!("{{port{number}}}"), &port.to_string());
        }
        let path = self.dir.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    /// The arguments of a Java that runs this engine within so much memory.
    fn java(&self, engine: &str, heap: &str) -> Vec<String> {
        // Compiled once and no further: that halves what starting costs.
        let flags = std::env::var("STACK_JVM")
            .unwrap_or_else(|_unset| "-XX:TieredStopAtLevel=1".to_owned());
        let mut java = vec![
            "java".to_owned(),
            "-cp".to_owned(),
            format!("{}/lib/*", self.jars.join(engine).display()),
            "-XX:+UseSerialGC".to_owned(),
            "-Djava.awt.headless=true".to_owned(),
            format!("-Xmx{heap}"),
        ];
        java.extend(flags.split_whitespace().map(str::to_owned));
        java
    }
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn kafka(place: &Place<'_>) -> anyhow::Result<Command> {
    place.write(
        "server.properties",
        include_str!("../../../dev/stack/kafka.properties"),
    )?;
    let mut java = place.java("kafka", "320m");
    java.push("-Dorg.apache.logging.log4j.level=INFO".to_owned());
    if !place.dir.join("data/meta.properties").exists() {
        let mut format = command(&java);
        format.args([
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "c3RhY2tzdGFja3N0YWNrMA",
        ]);
        format
            .args(["-c", "server.properties"])
            .current_dir(place.dir);
        let output = format.output().context("format Kafka's storage")?;
        anyhow::ensure!(
            output.status.success(),
            "format Kafka's storage: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut server = command(&java);
    server.args(["kafka.Kafka", "server.properties"]);
    Ok(server)
}

fn cassandra(place: &Place<'_>) -> anyhow::Result<Command> {
    place.write(
        "cassandra.yaml",
        include_str!("../../../dev/stack/cassandra.yaml"),
    )?;
    place.write(
        "logback.xml",
        include_str!("../../../dev/stack/cassandra-logback.xml"),
    )?;
    let dir = place.dir.display();
    let mut java = place.java("cassandra", "512m");
    java.push("-Xss512k".to_owned());
    let lib = std::fs::read_dir(place.jars.join("cassandra/lib"))?;
    let jamm = lib
        .filter_map(|jar| Some(jar.ok()?.path().display().to_string()))
        .find(|path| path.contains("/jamm-"))
        .context("cassandra/lib has no jamm jar")?;
    java.push(format!("-javaagent:{jamm}"));
    for (property, value) in [
        ("jdk.attach.allowAttachSelf", "true"),
        ("io.netty.tryReflectionSetAccessible", "true"),
        ("logback.configurationFile", &format!("{dir}/logback.xml")),
        ("cassandra.config", &format!("file://{dir}/cassandra.yaml")),
        ("cassandra.storagedir", &dir.to_string()),
        ("cassandra.triggers_dir", &dir.to_string()),
        ("cassandra-foreground", "yes"),
        // One node has nobody to gossip with.
        ("cassandra.skip_wait_for_gossip_to_settle", "0"),
        ("cassandra.ring_delay_ms", "1"),
    ] {
        java.push(format!("-D{property}={value}"));
    }
    // What Cassandra uses of Java's insides, as its own options for Java 17 list it.
    for module in [
        "java.base/jdk.internal.misc",
        "java.management.rmi/com.sun.jmx.remote.internal.rmi",
        "java.rmi/sun.rmi.registry",
        "java.rmi/sun.rmi.server",
        "java.sql/java.sql",
        "java.base/java.lang.ref",
        "jdk.unsupported/sun.misc",
        "jdk.compiler/com.sun.tools.javac.file",
        "jdk.attach/sun.tools.attach",
    ] {
        java.extend(["--add-exports".to_owned(), format!("{module}=ALL-UNNAMED")]);
    }
    for module in [
        "java.base/java.lang.module",
        "java.base/jdk.internal.loader",
        "java.base/jdk.internal.ref",
        "java.base/jdk.internal.reflect",
        "java.base/jdk.internal.math",
        "java.base/jdk.internal.module",
        "java.base/jdk.internal.util.jar",
        "jdk.management/com.sun.management.internal",
        "java.base/sun.nio.ch",
        "java.base/java.io",
        "java.base/java.lang.reflect",
        "java.base/java.lang",
        "java.base/java.util",
        "java.base/java.nio",
    ] {
        java.extend(["--add-opens".to_owned(), format!("{module}=ALL-UNNAMED")]);
    }
    java.push("org.apache.cassandra.service.CassandraDaemon".to_owned());
    // As root it would lock its whole heap in memory.
    let unlocked = ["setpriv".to_owned(), "--bounding-set=-ipc_lock".to_owned()];
    let may = command(&unlocked).arg("true").output();
    if may.is_ok_and(|output| output.status.success()) {
        java.splice(0..0, unlocked);
    }
    Ok(command(&java))
}

fn opensearch(place: &Place<'_>) -> anyhow::Result<Command> {
    place.write(
        "config/opensearch.yml",
        include_str!("../../../dev/stack/opensearch.yml"),
    )?;
    place.write(
        "config/log4j2.properties",
        include_str!("../../../dev/stack/opensearch-log4j2.properties"),
    )?;
    std::fs::create_dir_all(place.dir.join("tmp"))?;
    let dir = place.dir.display();
    let home = place.jars.join("opensearch").display().to_string();
    let mut java = place.java("opensearch", "512m");
    java.push("-Xms512m".to_owned());
    for (property, value) in [
        ("java.io.tmpdir", &*format!("{dir}/tmp")),
        ("file.encoding", "UTF-8"),
        ("java.security.manager", "allow"),
        // No native library: no memory lock, no filter of system calls, no refusal to run as root.
        ("jna.nosys", "true"),
        ("jna.noclasspath", "true"),
        ("log4j.shutdownHookEnabled", "false"),
        ("log4j2.disable.jmx", "true"),
        ("io.netty.noUnsafe", "true"),
        ("io.netty.noKeySetOptimization", "true"),
        ("io.netty.allocator.numDirectArenas", "0"),
        ("opensearch.path.home", &home),
        ("opensearch.path.conf", &format!("{dir}/config")),
        ("opensearch.distribution.type", "tar"),
    ] {
        java.push(format!("-D{property}={value}"));
    }
    java.push("org.opensearch.bootstrap.OpenSearch".to_owned());
    Ok(command(&java))
}

fn redis(place: &Place<'_>) -> anyhow::Result<Command> {
    let mut redis = Command::new("redis-server");
    redis
        .args(["--bind", "127.0.0.1", "--port"])
        .arg(place.ports[0].to_string());
    // On disk as often as it costs little: a killed one comes back with what it had.
    redis.args(["--appendonly", "yes", "--save", ""]);
    Ok(redis)
}
