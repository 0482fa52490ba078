//! How the current context goes along when work moves: to a thread, a pool, a task, through a channel.
//!
//! A context is a value. A closure takes it along with [`Context::carry`], a future with
//! [`Context::follow`], a message in a field of its own.
//!
//! # Threads
//!
//! ```
//! use tracewell_sdk::{Context, Tracer};
//!
//! # let tracer = Tracer::builder().build();
//! let order = tracer.start("order");
//! let _current = order.enter();
//! let charge = Context::current().carry(move || tracer.start("charge").span_context().clone());
//! let charged = std::thread::spawn(charge).join().unwrap();
//! assert_eq!(charged.trace_id(), order.span_context().trace_id());
//! # tracer.shutdown(std::time::Duration::ZERO);
//! ```
//!
//! # rayon
//!
//! Work that a pool steals runs on any of its threads: each piece attaches the context itself.
//!
//! ```
//! use rayon::prelude::*;
//! use tracewell_sdk::{Context, Tracer};
//!
//! # let tracer = Tracer::builder().build();
//! let batch = tracer.start("resize all");
//! let context = batch.context();
//! let traces: Vec<_> = (0..8)
//!     .into_par_iter()
//!     .map(|_| context.clone().within(|| tracer.start("resize one").span_context().trace_id()))
//!     .collect();
//! assert!(traces.iter().all(|trace| *trace == batch.span_context().trace_id()));
//! # tracer.shutdown(std::time::Duration::ZERO);
//! ```
//!
//! # tokio
//!
//! A task is polled by whichever thread is free, so its context is attached for the length of each
//! poll, never across an `.await`: a [`CurrentGuard`](crate::CurrentGuard) does not compile there.
//!
//! ```
//! use tracewell_sdk::{Context, Tracer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let tracer = Tracer::builder().build();
//! let page = tracer.start("page");
//! let trace = page.span_context().trace_id();
//! let task = page.context().follow(async move {
//!     tokio::task::yield_now().await;
//!     // A span around a future: current while that runs, and ended with it.
//!     tracer.start("look up").around(async { Context::current().span().trace_id() }).await
//! });
//! assert_eq!(tokio::spawn(task).await.unwrap(), trace);
//! # tracer.shutdown(std::time::Duration::ZERO);
//! # }
//! ```
//!
//! # Channels
//!
//! ```
//! use std::sync::mpsc;
//! use tracewell_sdk::{Context, Kind, Tracer};
//!
//! struct Job {
//!     context: Context,
//!     number: u32,
//! }
//!
//! # let tracer = Tracer::builder().build();
//! let (jobs, queue) = mpsc::sync_channel(16);
//! let leave = tracer.span("jobs publish").kind(Kind::Producer).start();
//! jobs.send(Job { context: leave.context(), number: 7 }).unwrap();
//!
//! let job: Job = queue.recv().unwrap();
//! let take = tracer.span("jobs process").kind(Kind::Consumer).parent(&job.context).start();
//! assert_eq!(take.span_context().trace_id(), leave.span_context().trace_id());
//! # assert_eq!(job.number, 7);
//! # tracer.shutdown(std::time::Duration::ZERO);
//! ```

use std::future::{Future, poll_fn};
use std::pin::pin;

use crate::context::Context;
use crate::span::Span;

impl Context {
    /// The future with this as its current context, whatever thread polls it. See
    /// [`handoff`](crate::handoff#tokio).
    pub async fn follow<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(move |task| {
            let _current = self.clone().attach();
            future.as_mut().poll(task)
        })
        .await
    }
}

impl Span {
    /// The future with this as its current span, which ends when the future does, or is dropped. See
    /// [`handoff`](crate::handoff#tokio).
    pub async fn around<F: Future>(self, future: F) -> F::Output {
        self.context().follow(future).await
    }
}
