//! `tracewell demo`: a living shop of a dozen services that sends over real HTTP, as services do.
//! It has a past (so that charts are full), a drift in latency, errors, and a service that crashes.

mod flows;
mod tape;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracewell_model::clock::{Clock, SystemClock};
use tracewell_model::{BatchBuilder, SpanBatch};

use crate::cli::DemoArgs;
use crate::client::{self, Client};
use tape::Tape;

/// Traces of one request: what a busy gateway would send at once.
const TRACES_PER_REQUEST: usize = 25;
/// A tick of the shop.
const TICK: Duration = Duration::from_millis(250);

/// The customers' side of the shop: sends until told to stop.
#[derive(Debug)]
pub(crate) struct Shop {
    client: Client,
    rng: fastrand::Rng,
    rate: f64,
    history_s: u64,
}

impl Shop {
    /// A shop that sends to the server at this ingest URL.
    pub(crate) fn new(args: &DemoArgs, ingest_url: &str) -> anyhow::Result<Shop> {
        anyhow::ensure!(
            args.rate > 0.0 && args.rate <= 10_000.0,
            "--rate {}: more than 0 and at most 10000 traces per second are accepted",
            args.rate
        );
        Ok(Shop {
            client: Client::new(ingest_url)?,
            rng: fastrand::Rng::with_seed(args.seed),
            rate: args.rate,
            history_s: args.history.min(24 * 60) * 60,
        })
    }

    /// Sends the past, then lives in the present.
    pub(crate) fn run(mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut at = SystemClock.unix_ns() - self.history_s * 1_000_000_000;
        let mut past_spans = Some(0);
        tracing::info!(minutes = self.history_s / 60, "sending the shop's past");
        while !stop.load(Ordering::Relaxed) {
            let tapes = self.requests_until(SystemClock.unix_ns(), &mut at);
            if tapes.is_empty() {
                if let Some(spans) = past_spans.take() {
                    tracing::info!(spans, "the shop's past is sent; it lives on");
                }
                client::wait(TICK);
                continue;
            }
            let spans = self.send(&tapes)?;
            past_spans = past_spans.map(|sum: usize| sum + spans);
        }
        Ok(())
    }

    /// The next customers' requests that began before `until`; `at` is when the next one begins.
    fn requests_until(&mut self, until: u64, at: &mut u64) -> Vec<Tape> {
        let mut tapes = Vec::new();
        while *at < until && tapes.len() < TRACES_PER_REQUEST {
            tapes.push(flows::request(&mut self.rng, *at));
            *at += (1e9 / self.rate * (0.5 + self.rng.f64())) as u64;
        }
        tapes
    }

    fn send(&self, tapes: &[Tape]) -> anyhow::Result<usize> {
        let batch = batch(tapes);
        let body = tracewell_wire::otlp::encode::encode(batch.spans());
        let answer = self.client.send_otlp(&body)?;
        anyhow::ensure!(
            answer.refused == 0,
            "the server refused {}: {}",
            answer.refused,
            answer.reason
        );
        Ok(batch.len())
    }
}

fn batch(tapes: &[Tape]) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    tapes.iter().for_each(|tape| tape.write(&mut builder));
    builder.finish_one()
}

/// Runs the shop on a thread of its own until `stop`.
pub(crate) fn spawn(
    shop: Shop,
    stop: Arc<AtomicBool>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("demo-shop".to_owned())
        .spawn(move || {
            if let Err(error) = shop.run(&stop)
                && !stop.load(Ordering::Relaxed)
            {
                tracing::error!("the shop closed: {error:#}");
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracewell_model::{TraceStatus, TraceSummary};

    #[test]
    fn the_shop_has_a_dozen_services_errors_and_a_crash() {
        let mut rng = fastrand::Rng::with_seed(1);
        let start = 1_700_000_000_000_000_000;
        let tapes: Vec<Tape> = (0..3_000)
            .map(|i| flows::request(&mut rng, start + i * 200_000_000))
            .collect();
        let (mut services, mut errors, mut partial) = (std::collections::BTreeSet::new(), 0, 0);
        for tape in &tapes {
            let batch = batch(std::slice::from_ref(tape));
            let summary = TraceSummary::of(batch.spans()).unwrap();
            services.extend(summary.services.iter().map(|share| share.name.clone()));
            errors += u32::from(summary.error_count > 0);
            partial += u32::from(summary.status == TraceStatus::Partial);
        }
        assert_eq!(services.len(), 12, "{services:?}");
        assert!((30..900).contains(&errors), "{errors}");
        assert!((20..300).contains(&partial), "{partial}");
    }
}
