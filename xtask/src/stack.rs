//! `cargo xtask stack`: the four real engines for tests, on any Debian machine without Docker. They are
//! started once, on loopback and free ports, and shared; dev/stack has their settings and says more.

mod engines;
mod jars;
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::tools;
use engines::{ENGINES, Engine};

/// An engine that runs.
pub(crate) struct Running {
    /// The variable in which tests look for it.
    pub(crate) variable: &'static str,
    pub(crate) address: String,
    pid: u32,
    ports: Vec<u16>,
}

/// `stack up [--dir DIR] [ENGINE…]` and `stack down [--dir DIR]`.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let (dir, words) = match arguments {
        [command, "--dir", dir, engines @ ..] => (PathBuf::from(dir), (*command, engines)),
        [command, engines @ ..] => (default_dir()?, (*command, engines)),
        [] => bail!("stack up, or stack down?"),
    };
    match words {
        ("up", wanted) => {
            for engine in up(&dir, wanted)? {
                println!("export {}={}", engine.variable, engine.address);
            }
            let (variable, xtask) = myself()?;
            println!("export {variable}={xtask}");
            Ok(())
        }
        ("down", []) => down(&dir),
        _ => bail!("stack up [--dir DIR] [ENGINE…], or stack down [--dir DIR]"),
    }
}

/// For tests that stop an engine, and so must have one of their own: the program that starts it.
pub(crate) fn myself() -> anyhow::Result<(&'static str, String)> {
    let xtask = std::env::current_exe().context("find this program")?;
    Ok(("STACK_XTASK", xtask.display().to_string()))
}

/// Where the engines of a build live: two builds have two stacks.
pub(crate) fn default_dir() -> anyhow::Result<PathBuf> {
    Ok(tools::target()?.join("stack"))
}

/// Starts those of the wanted engines (all, if none is named) that do not run, and answers all that do.
pub(crate) fn up(dir: &Path, wanted: &[&str]) -> anyhow::Result<Vec<Running>> {
    let known = |name: &&&str| !ENGINES.iter().any(|engine| engine.name == **name);
    if let Some(unknown) = wanted.iter().find(known) {
        bail!("there is no engine {unknown}: {}", engines::names());
    }
    std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    let noted = noted(&dir);
    let jars = jars::fetched()?;
    let wanted = |engine: &&Engine| wanted.is_empty() || wanted.contains(&engine.name);
    let starts: Vec<_> = std::thread::scope(|scope| {
        let start = |engine: &'static Engine| {
            let (dir, ports) = (dir.join(engine.name), noted.get(engine.name).cloned());
            let jars = &jars;
            (
                engine,
                scope.spawn(move || start(engine, &dir, jars, ports)),
            )
        };
        let threads: Vec<_> = ENGINES.iter().filter(wanted).map(start).collect();
        let join = |(engine, thread): (&'static Engine, std::thread::ScopedJoinHandle<'_, _>)| {
            (engine, thread.join().expect("starting does not panic"))
        };
        threads.into_iter().map(join).collect()
    });
    let mut running = BTreeMap::new();
    let mut broken = Vec::new();
    for (engine, outcome) in starts {
        match outcome {
            Ok(started) => drop(running.insert(engine.name, started)),
            Err(error) => broken.push(format!("{}: {error:#}", engine.name)),
        }
    }
    note(&dir, &running)?;
    if broken.is_empty() {
        Ok(running.into_values().collect())
    } else {
        down(&dir)?;
        bail!("{}", broken.join("\n"))
    }
}

fn start(
    engine: &'static Engine,
    dir: &Path,
    jars: &Path,
    ports: Option<Vec<u16>>,
) -> anyhow::Result<Running> {
    let running = process::running(dir);
    // After a kill the engine comes back where its clients look for it.
    let ports = match ports {
        Some(ports) => ports,
        None => engines::free_ports(engine)?,
    };
    let pid = match running {
        Some(pid) => pid,
        None => {
            std::fs::create_dir_all(dir)?;
            let place = engines::Place {
                dir,
                jars,
                ports: &ports,
            };
            let command = (engine.command)(&place)?;
            process::launch(dir, command, engine.ready)?
        }
    };
    Ok(Running {
        variable: engine.variable,
        address: format!("{}127.0.0.1:{}", engine.scheme, ports[0]),
        pid,
        ports,
    })
}

/// The engines of one run of the tests; they stop with it.
pub(crate) struct Stack {
    dir: PathBuf,
    engines: Vec<Running>,
}

impl Stack {
    /// Starts all engines, or answers why this machine cannot have them. One that it has and that
    /// does not start is an error.
    pub(crate) fn start() -> anyhow::Result<Result<Stack, String>> {
        if let Err(error) = jars::fetched() {
            return Ok(Err(format!("{error:#}")));
        }
        let dir = default_dir()?;
        let engines = up(&dir, &[])?;
        Ok(Ok(Stack { dir, engines }))
    }

    /// Where tests look for them.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.engines
            .iter()
            .map(|engine| (engine.variable, engine.address.as_str()))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Err(error) = down(&self.dir) {
            println!("xtask: could not stop the engines: {error:#}");
        }
    }
}

/// Stops what runs there and removes its data.
pub(crate) fn down(dir: &Path) -> anyhow::Result<()> {
    let Ok(dir) = dir.canonicalize() else {
        return Ok(()); // nothing was ever started there
    };
    for engine in ENGINES {
        process::stop(&dir.join(engine.name))?;
    }
    std::fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))
}

/// The ports of engines that were started here before.
fn noted(dir: &Path) -> BTreeMap<String, Vec<u16>> {
    let text = std::fs::read_to_string(dir.join("addresses.json")).unwrap_or_default();
    let noted: Value = serde_json::from_str(&text).unwrap_or_default();
    let ports = |engine: &Value| {
        let ports = engine["ports"].as_array().into_iter().flatten();
        ports
            .filter_map(|port| port.as_u64().and_then(|port| port.try_into().ok()))
            .collect()
    };
    let engines = noted.as_object().into_iter().flatten();
    engines
        .map(|(name, engine)| (name.clone(), ports(engine)))
        .collect()
}

/// Writes `addresses.json`: these engines, and those noted before.
fn note(dir: &Path, running: &BTreeMap<&str, Running>) -> anyhow::Result<()> {
    let path = dir.join("addresses.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_absent| "{}".to_owned());
    let mut noted: Value = serde_json::from_str(&text).context("read addresses.json")?;
    for (name, engine) in running {
        noted[*name] =
            json!({ "address": engine.address, "pid": engine.pid, "ports": engine.ports });
    }
    let next = dir.join("addresses.json.next");
    std::fs::write(&next, format!("{noted:#}\n"))?;
    Ok(std::fs::rename(&next, &path)?)
}
