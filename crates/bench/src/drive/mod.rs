//! The load: bodies over so many connections from one thread of its own, at a rate or as fast as the
//! answers come, with an account of what was acknowledged.

mod connection;
mod source;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use tracewell_model::clock::{Clock, SystemClock};
use tracewell_model::histogram::Histogram;

use crate::body::{Encoding, Format, Plan};
use crate::process;

use connection::Outcome;
pub(crate) use connection::{Answer, Connection, Target};
use source::{Parcel, Source};

/// Bodies acknowledged last that are remembered, for questions about what is fresh.
const RECENT_MAX: usize = 20_000;

/// What to send.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Where.
    pub target: Target,
    /// Over how many connections.
    pub connections: usize,
    /// How many spans.
    pub spans: u64,
    /// Spans per second; none as fast as answers come.
    pub rate: Option<u64>,
    /// Whether what an overloaded server turned away is sent again.
    pub retry: bool,
    /// When the first cycle began.
    pub began_unix_ns: u64,
    /// The first body of the sequence.
    pub first: u64,
}

/// What others may see of a load while it runs.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Set to end the load early.
    pub stop: AtomicBool,
    /// Spans acknowledged.
    pub spans: AtomicU64,
    recent: Mutex<VecDeque<(u64, u64)>>,
}

impl Progress {
    /// Bodies acknowledged so long ago.
    pub(crate) fn acknowledged_ago(&self, ns: Range<u64>) -> Vec<u64> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at after the last one was noted.
        let now_ns = SystemClock.monotonic_ns();
        let of_then = recent
            .iter()
            .filter(|(at_ns, _)| ns.contains(&(now_ns - at_ns)));
        of_then.map(|(_, body)| *body).collect()
    }

    fn acknowledged(&self, parcel: &Parcel) {
        self.spans.fetch_add(parcel.spans, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back((SystemClock.monotonic_ns(), parcel.number));
    }
}

/// The account of a load.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Spans acknowledged.
    pub spans: u64,
    /// Spans that the server found unusable.
    pub refused_spans: u64,
    /// Answers that said: not now.
    pub overloaded: u64,
    /// Spans given up after such an answer.
    pub given_up_spans: u64,
    /// Bytes of bodies sent, repeats counted.
    pub bytes: u64,
    /// From the first body to the last answer.
    pub seconds: f64,
    /// Nanoseconds from a body to its answer.
    pub latency: Histogram,
    /// CPU of the thread that sent.
    pub cpu_s: f64,
    /// Bodies acknowledged, by their place in the sequence.
    pub ledger: Vec<u64>,
    /// Why it ended early.
    pub failure: Option<String>,
    /// Where the sequence goes on.
    pub next: u64,
    /// The pool's bodies.
    pub templates: Vec<Bytes>,
}

/// A load that runs.
#[derive(Debug)]
pub(crate) struct Driver {
    thread: JoinHandle<anyhow::Result<Sent>>,
    /// What it does.
    pub progress: Arc<Progress>,
}

impl Driver {
    /// Makes what must be made ahead, then starts.
    pub(crate) fn start(
        plan: Arc<Plan>,
        templates: Vec<Bytes>,
        load: Load,
    ) -> anyhow::Result<Driver> {
        let mut source = Source::new(plan, templates, load.first, load.spans, load.began_unix_ns);
        if load.target.encoding != Encoding::Identity {
            source.compress_ahead(load.target.encoding, load.target.format == Format::OtlpGrpc)?;
        }
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                let tasks = tokio::task::LocalSet::new();
                tasks.block_on(&runtime, run(source, load, shared))
            });
        Ok(Driver {
            thread: thread.context("start the load")?,
            progress,
        })
    }

    /// True when it has ended by itself.
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> anyhow::Result<Sent> {
        self.thread
            .join()
            .map_err(|_| anyhow!("the load's thread broke"))?
    }

    /// Ends it now.
    pub(crate) fn stop(self) -> anyhow::Result<Sent> {
        self.progress.stop.store(true, Ordering::Relaxed);
        self.finish()
    }
}

/// What the connections share.
struct Desk {
    source: Source,
    sent: Sent,
    load: Load,
    progress: Arc<Progress>,
    began_ns: u64,
}

async fn run(source: Source, load: Load, progress: Arc<Progress>) -> anyhow::Result<Sent> {
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::to(&load.target).await?);
    }
    let cpu = process::thread_cpu_s()?;
    let began_ns = SystemClock.monotonic_ns();
    let desk = Rc::new(RefCell::new(Desk {
        source,
        sent: Sent::default(),
        load,
        progress,
        began_ns,
    }));
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::task::spawn_local(serve(connection, Rc::clone(&desk))))
        .collect();
    for task in tasks {
        if let Err(error) = task.await? {
            desk.borrow_mut()
                .sent
                .failure
                .get_or_insert_with(|| format!("{error:#}"));
        }
    }
    let mut desk = desk.borrow_mut();
    let mut sent = std::mem::take(&mut desk.sent);
    sent.seconds = (SystemClock.monotonic_ns() - began_ns) as f64 / 1e9;
    sent.cpu_s = process::thread_cpu_s()? - cpu;
    sent.next = desk.source.next();
    sent.templates = std::mem::take(&mut desk.source.templates);
    Ok(sent)
}

/// Sends over one connection until all is sent, or someone says stop.
async fn serve(mut connection: Connection, desk: Rc<RefCell<Desk>>) -> anyhow::Result<()> {
    let target = desk.borrow().load.target.clone();
    loop {
        let Some((parcel, wait)) = next(&desk) else {
            return Ok(());
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        loop {
            let began_ns = SystemClock.monotonic_ns();
            let outcome = connection.post(&target, parcel.bytes.clone()).await?;
            let taken_ns = SystemClock.monotonic_ns() - began_ns;
            let again = desk.borrow_mut().note(&parcel, &outcome, taken_ns)?;
            let Some(later) = again else { break };
            tokio::time::sleep(later).await;
        }
    }
}

/// The next body, and how long it is to wait for its turn.
fn next(desk: &RefCell<Desk>) -> Option<(Parcel, Duration)> {
    let mut desk = desk.borrow_mut();
    if desk.progress.stop.load(Ordering::Relaxed) || desk.sent.failure.is_some() {
        return None;
    }
    let parcel = desk.source.take()?;
    let due_ns = desk.load.rate.map_or(0, |rate| {
        (parcel.spans_before as f64 / rate as f64 * 1e9) as u64
    });
    let wait = (desk.began_ns + due_ns).saturating_sub(SystemClock.monotonic_ns());
    Some((parcel, Duration::from_nanos(wait)))
}

impl Desk {
    /// Books an answer; says how long to wait when the body is to be sent again.
    fn note(
        &mut self,
        parcel: &Parcel,
        outcome: &Outcome,
        taken_ns: u64,
    ) -> anyhow::Result<Option<Duration>> {
        self.sent.bytes += parcel.bytes.len() as u64;
        match outcome {
            Outcome::Accepted { refused } => {
                self.sent.latency.record(taken_ns);
                self.sent.spans += parcel.spans - refused;
                self.sent.refused_spans += refused;
                self.sent.ledger.push(parcel.number);
                self.progress.acknowledged(parcel);
                Ok(None)
            }
            Outcome::Overloaded(after) => {
                self.sent.overloaded += 1;
                if self.load.retry && !self.progress.stop.load(Ordering::Relaxed) {
                    return Ok(Some(*after));
                }
                self.sent.given_up_spans += parcel.spans;
                Ok(None)
            }
            Outcome::Refused(said) => Err(anyhow!("the server refused a body: {said}")),
        }
    }
}
