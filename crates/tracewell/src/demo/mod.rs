//! `tracewell demo`: a living shop of a dozen services that send with our own SDK, over real HTTP. It
//! has a past (so that charts are full), a drift in latency, errors, and a service that crashes;
//! another one can be made to die, or to overflow its ring.

mod flows;
mod services;
mod tape;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracewell_model::clock::{Clock, SystemClock};

use crate::cli::DemoArgs;
use crate::client;
use services::Services;
use tape::Tape;

/// Traces between two looks at what waits to be sent.
const TRACES_AT_ONCE: usize = 25;
/// A tick of the shop.
const TICK: Duration = Duration::from_millis(250);
/// The service that shall crash is dying for the last seconds of every minute, and is dead then.
const DYING_S: u64 = 10;

/// The customers' side of the shop: sends until told to stop.
#[derive(Debug)]
pub(crate) struct Shop {
    services: Services,
    /// The service that crashes, and whether it is dying.
    crash: Option<&'static str>,
    dying: bool,
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
            crash: known("--crash", args.crash.as_deref())?,
            dying: false,
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
                    tracing::info!(spans, "the shop's past is played; it lives on");
                }
                client::wait(TICK);
                continue;
            }
            tapes.iter().for_each(|tape| self.services.play(tape));
            self.services.settle()?;
            let spans: usize = tapes.iter().map(|tape| tape.spans.len()).sum();
            past_spans = past_spans.map(|sum: usize| sum + spans);
        }
        self.services.close();
        Ok(())
    }

    /// The next customers' requests that began before `until`; `at` is when the next one begins.
    fn requests_until(&mut self, until: u64, at: &mut u64) -> Vec<Tape> {
        let mut tapes = Vec::new();
        while *at < until && tapes.len() < TRACES_AT_ONCE {
            let dying = self.dying_at(*at);
            tapes.push(flows::request(&mut self.rng, *at, dying));
            *at += (1e9 / self.rate * (0.5 + self.rng.f64())) as u64;
        }
        tapes
    }

    /// The service that is dying then. When it is dead, what its pods had not sent is gone with them.
    fn dying_at(&mut self, unix_ns: u64) -> Option<&'static str> {
        let service = self.crash?;
        let dying = unix_ns / 1_000_000_000 % 60 >= 60 - DYING_S;
        if self.dying && !dying {
            tracing::info!(service, "crashed, and started again");
            self.services.kill(service);
        }
        self.dying = dying;
        dying.then_some(service)
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

    /// Services, traces with an error, traces with a lost span, among three thousand.
    fn shop(dying: Option<&'static str>) -> (Vec<&'static str>, usize, usize) {
        let mut rng = fastrand::Rng::with_seed(1);
        let start = 1_700_000_000_000_000_000;
        let tapes: Vec<Tape> = (0..3_000)
            .map(|i| flows::request(&mut rng, start + i * 200_000_000, dying))
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
        assert!((20..300).contains(&partial), "{partial}");
    }

    #[test]
    fn a_dying_service_answers_nobody() {
        let (_, errors, partial) = shop(Some("auth"));
        assert_eq!(
            (errors, partial),
            (3_000, 3_000),
            "every request begins there"
        );
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
