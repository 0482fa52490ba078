//! `tracewell demo`: a living shop of a dozen services that send with our own SDK, over real HTTP. It
//! has a past (so that charts are full), a drift in latency, errors, and a service that crashes;
//! another one can be made to die, or to overflow its ring.

mod deaths;
mod flows;
mod services;
mod tape;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracewell_model::clock::{Clock, SystemClock};

use crate::cli::DemoArgs;
use crate::client;
use deaths::Deaths;
use services::Services;

/// Traces between two looks at what waits to be sent.
const TRACES_AT_ONCE: usize = 25;
/// A tick of the shop.
const TICK: Duration = Duration::from_millis(250);

/// The customers' side of the shop: sends until told to stop.
#[derive(Debug)]
pub(crate) struct Shop {
    services: Services,
    deaths: Deaths,
    /// Pods that are dead and gone.
    buried: Vec<(&'static str, u64)>,
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
            services: Services::new(ingest_url, known("--overflow", args.overflow.as_deref())?),
            deaths: Deaths::new(known("--crash", args.crash.as_deref())?),
            buried: Vec::new(),
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
            let (played, spans) = self.play_until(SystemClock.unix_ns(), &mut at)?;
            if played == 0 {
                if let Some(spans) = past_spans.take() {
                    tracing::info!(spans, "the shop's past is played; it lives on");
                }
                client::wait(TICK);
                continue;
            }
            self.services.settle()?;
            past_spans = past_spans.map(|sum: usize| sum + spans);
        }
        self.services.close();
        Ok(())
    }

    /// Plays the next customers' requests that began before `until`; `at` is when the next one begins.
    /// Answers how many, and how many spans they had.
    fn play_until(&mut self, until: u64, at: &mut u64) -> anyhow::Result<(usize, usize)> {
        let (mut played, mut spans) = (0, 0);
        while *at < until && played < TRACES_AT_ONCE {
            self.bury(*at)?;
            let tape = flows::request(&mut self.rng, *at, &self.deaths);
            self.services.play(&tape);
            (played, spans) = (played + 1, spans + tape.spans.len());
            *at += (1e9 / self.rate * (0.5 + self.rng.f64())) as u64;
        }
        Ok((played, spans))
    }

    /// Kills the pods that are dead by now; those that are no longer come back with their next span.
    fn bury(&mut self, unix_ns: u64) -> anyhow::Result<()> {
        let dead: Vec<_> = self.deaths.dead(unix_ns).collect();
        for &(service, pod) in dead.iter().filter(|pod| !self.buried.contains(pod)) {
            self.services.kill(service, pod)?;
            tracing::debug!(service, pod, "crashed");
        }
        self.buried = dead;
        Ok(())
    }
}

/// A service by the name that an option gives.
fn known(option: &str, name: Option<&str>) -> anyhow::Result<Option<&'static str>> {
    let Some(name) = name else { return Ok(None) };
    let found = services::NAMES.into_iter().find(|known| *known == name);
    anyhow::ensure!(
        found.is_some(),
        "{option} {name}: accepted are {}",
        services::NAMES.join(", ")
    );
    Ok(found)
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

    /// Services, traces with an error, traces with a lost span and others, among three thousand in ten minutes.
    fn shop(crash: Option<&'static str>) -> (Vec<&'static str>, usize, usize) {
        let mut rng = fastrand::Rng::with_seed(1);
        let start = 1_700_000_000_000_000_000;
        let deaths = Deaths::new(crash);
        let tapes: Vec<_> = (0..3_000)
            .map(|i| flows::request(&mut rng, start + i * 201_000_000, &deaths))
            .collect();
        let spans = tapes.iter().flat_map(|tape| &tape.spans);
        let services: std::collections::BTreeSet<_> = spans.map(|span| span.service).collect();
        let traces_with = |what: fn(&tape::Recorded) -> bool| {
            let with = tapes.iter().filter(|tape| tape.spans.iter().any(what));
            with.count()
        };
        let failed = traces_with(|span| span.failure.is_some());
        (
            services.into_iter().collect(),
            failed,
            traces_with(|span| span.lost),
        )
    }

    #[test]
    fn the_shop_has_a_dozen_services_errors_and_a_crash() {
        let (services, errors, partial) = shop(None);
        assert_eq!(services, services::NAMES);
        assert!((30..900).contains(&errors), "{errors}");
        assert!((3..300).contains(&partial), "{partial}");
    }

    #[test]
    fn a_service_that_crashes_takes_spans_with_it_and_answers_nobody() {
        let (_, errors_without, partial_without) = shop(None);
        // Every request goes through auth: a sixth of them fails, those of a second each minute lose spans.
        let (_, errors, partial) = shop(Some("auth"));
        assert!(errors > errors_without + 300, "{errors}");
        assert!(partial > partial_without + 30, "{partial}");
    }

    #[test]
    fn a_service_that_is_not_there_is_refused_by_name() {
        assert_eq!(known("--crash", Some("payment")).unwrap(), Some("payment"));
        let error = known("--overflow", Some("paymen")).unwrap_err().to_string();
        assert!(
            error.starts_with("--overflow paymen: accepted are ads, auth,"),
            "{error}"
        );
    }
}
