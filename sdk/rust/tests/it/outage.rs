//! The real server stopped, killed and started again under a service that goes on working: the service's thread
//! never waits, the newest spans arrive, and what was lost is counted, here and by the server.

use std::time::Duration;

use tracewell_sdk::{DropReason, Tracer};

use crate::PATIENCE;
use crate::allocations::waits;
use crate::server::{Server, until};

const RING: usize = 1_000;

fn tracer(server: &Server) -> Tracer {
    Tracer::builder()
        .service_name("cart")
        .endpoint(&format!("http://{}", server.at("ingest")))
        .settings(|settings| {
            settings.ring_spans_max = RING;
            settings.exchange_timeout = Duration::from_millis(100);
        })
        .build()
}

/// Ends so many spans, and never waits for anybody meanwhile.
fn work(tracer: Tracer, spans: u64) {
    let mut waited = waits(|| (0..spans).for_each(|_| tracer.start("work").end()));
    // A thread may lose its processor to memory that has to be fetched; once more, all is there.
    if waited.is_some_and(|waits| waits > 0) {
        waited = waits(|| (0..spans).for_each(|_| tracer.start("work").end()));
    }
    assert_eq!(waited.unwrap_or(0), 0);
}

/// Everything that was lost or is queued is sent or counted, and the server has what was sent.
fn settle(tracer: Tracer, server: &Server) {
    until(|| tracer.flush(Duration::from_secs(1)).then_some(()));
    let account = tracer.account();
    assert_eq!(account.ended, account.sent + account.dropped_total());
    assert_eq!(
        account.dropped_total(),
        account.dropped(DropReason::RingFull)
    );
    let told = format!(
        r#"tracewell_sdk_dropped_spans_total{{service="cart",reason="ring_full"}} {}"#,
        account.dropped_total()
    );
    // The last batch tells of the losses before it: one span more is sure to tell of all.
    tracer.start("after").end();
    assert!(tracer.flush(PATIENCE));
    until(|| server.page("/metrics")?.contains(&told).then_some(()));
}

#[test]
fn a_stopped_collector_costs_nothing_and_hears_of_all_losses() {
    let Some(server) = Server::start("stopped") else {
        return;
    };
    let tracer = tracer(&server);
    work(tracer, 100);
    assert!(tracer.flush(PATIENCE));
    server.signal("STOP");
    work(tracer, 5_000);
    let account = tracer.account();
    assert_eq!(account.sent, 100, "nobody answers");
    assert!(
        account.dropped(DropReason::RingFull) >= 4_000 - RING as u64,
        "{account:?}"
    );
    server.signal("CONT");
    settle(tracer, &server);
    // Stored with the spans as well, with the times between which the losses lie.
    let after = until(|| {
        let found = server.get("/api/traces?service=cart&operation=after")?;
        found["traces"][0]["trace_id"].as_str().map(str::to_owned)
    });
    let trace = until(|| server.get(&format!("/api/traces/{after}")));
    let told = &trace["spans"][0]["scope"]["attributes"];
    let lost = tracer.account().dropped_total();
    assert_eq!(told["tracewell.sdk.dropped.ring_full"], lost, "{told}");
    assert!(tracer.shutdown(PATIENCE));
}

#[test]
fn a_killed_collector_costs_nothing_and_is_found_again() {
    let Some(server) = Server::start("killed") else {
        return;
    };
    let tracer = tracer(&server);
    work(tracer, 100);
    assert!(tracer.flush(PATIENCE));
    let server = server.restart(|| work(tracer, 5_000));
    settle(tracer, &server);
    assert!(tracer.shutdown(PATIENCE));
}
