//! `start`, `demo` and `check-config`: from settings to a running node, until a signal ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use crate::allocator;
use crate::cli::{DemoArgs, StartArgs};
#[cfg(feature = "cluster")]
use crate::cluster::ClusterNode;
use crate::config::{Config, Layers};
use crate::demo::{self, Shop};
use crate::node::{Node, Running};
use crate::show::line;
use crate::telemetry;

/// Runs a server until SIGTERM or Ctrl-C.
pub(crate) fn start(args: &StartArgs) -> anyhow::Result<()> {
    let config = settings(args)?;
    telemetry::start(&config);
    allocator::refuse_huge_pages();
    #[cfg(feature = "cluster")]
    if config.cluster.is_set() {
        return run(ClusterNode::start(&config)?);
    }
    run(Node::start(&config)?)
}

fn run(node: impl Running) -> anyhow::Result<()> {
    welcome(&node, "")?;
    wait_for_signal()?;
    node.stop()
}

/// Runs a server with a shop that sends to it, or only the shop (`--to`).
pub(crate) fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    let mut config = settings(&args.start)?;
    // The demo's data is nobody's data: it goes with the demo, unless it was given a place to stay.
    let passing = args.start.data.is_none();
    if passing {
        config.data = std::env::temp_dir().join(format!("tracewell-demo-{}", std::process::id()));
    }
    telemetry::start(&config);
    allocator::refuse_huge_pages();
    let stop = Arc::new(AtomicBool::new(false));
    let (node, ingest_url) = match &args.to {
        Some(url) => (None, url.clone()),
        None => {
            let node = Node::start(&config)?;
            let ingest = node
                .addresses()
                .get("ingest")
                .context("the demo runs all roles")?;
            let url = format!("http://{ingest}");
            (Some(node), url)
        }
    };
    let shop = demo::spawn(Shop::new(args, &ingest_url)?, stop.clone()).context("open the shop")?;
    if let Some(node) = &node {
        welcome(
            node,
            "  a dozen services are shopping; payment is slow at times, an inventory pod crashes",
        )?;
    }
    wait_for_signal()?;
    stop.store(true, Ordering::Relaxed);
    shop.join().map_err(|_| anyhow!("the shop ended badly"))?;
    let Some(node) = node else { return Ok(()) };
    node.stop()?;
    if passing {
        std::fs::remove_dir_all(&config.data)
            .with_context(|| format!("remove {}", config.data.display()))?;
    }
    Ok(())
}

/// Shows every setting with where it came from, or every problem at once.
pub(crate) fn check_config(args: &StartArgs) -> anyhow::Result<()> {
    let layers = layers(args);
    parse(&layers)?;
    for (setting, value, source) in layers.values() {
        // What may hold a password is for the process alone.
        let value = match setting.key {
            "kafka_properties" | "cassandra_password" | "opensearch_password"
                if !value.is_empty() =>
            {
                "(hidden)"
            }
            _ if value.contains('@') => "(hidden)",
            _ => value,
        };
        line!(
            "# {}\n{} = {value:?}  # {source}",
            setting.meaning,
            setting.key
        );
    }
    Ok(())
}

fn layers(args: &StartArgs) -> Layers {
    // A variable that is not UTF-8 is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Layers::defaults()
        .file(args.config.as_deref())
        .environment(variables)
        .flags(args.flags())
}

fn parse(layers: &Layers) -> anyhow::Result<Config> {
    layers.parse().map_err(|problems| {
        let list: Vec<String> = problems
            .iter()
            .map(|problem| format!("\n  {problem}"))
            .collect();
        anyhow!(
            "the settings have {} problem(s):{}",
            problems.len(),
            list.concat()
        )
    })
}

pub(crate) fn settings(args: &StartArgs) -> anyhow::Result<Config> {
    parse(&layers(args))
}

fn welcome(node: &impl Running, more: &str) -> anyhow::Result<()> {
    line!("tracewell is ready");
    if !more.is_empty() {
        line!("{more}");
    }
    let said = [
        ("query", "look    http://", ""),
        (
            "ingest",
            "send    http://",
            "  OTLP/HTTP, /v1/spans, Zipkin",
        ),
        ("otlp_grpc", "        http://", "  OTLP/gRPC"),
        ("admin", "health  http://", ""),
    ];
    for (name, before, after) in said {
        if let Some(address) = node.addresses().get(name) {
            line!("  {before}{address}{after}");
        }
    }
    line!("  data    {}", node.data().display());
    Ok(())
}

/// Waits for SIGTERM, SIGINT (Ctrl-C) or SIGHUP. Further ones are ignored: every step of a stop is
/// bounded in time, and kill -9 is safe.
fn wait_for_signal() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let mut hang_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        Ok(())
    })
}
