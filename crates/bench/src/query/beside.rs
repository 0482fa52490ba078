//! Questions at a rate beside ingest at half of its full one (R14): what a span costs with and without.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use tracewell_model::clock::{Clock, SystemClock};

use super::Bench;
use crate::drive::{Connection, Driver};
use crate::process;
use crate::questions::{BY_ID, Expect, MISSING, Question, SEARCH};
use crate::record::{Beside, rounded};
use crate::tally::Tally;

/// Connections that ask: enough for a rate of hundreds while some wait for a slow answer.
const CONNECTIONS: usize = 16;
/// For answers that are late at the end.
const GRACE_NS: u64 = 5_000_000_000;
/// What is asked how often, in a hundred.
const MIX: [(&str, usize); 7] = [
    (BY_ID, 45),
    (MISSING, 5),
    (SEARCH, 20),
    ("service, operation", 10),
    ("service", 10),
    ("newest", 5),
    ("services with their figures", 5),
];

/// CPU of a while, by what it was for.
struct Spent {
    ingest_s: f64,
    query_s: f64,
    spans: f64,
}

impl Bench {
    /// Half the full rate for so many seconds without questions, and as long with.
    pub(super) fn beside(&mut self, qps: u64, seconds: u64) -> anyhow::Result<Beside> {
        let rate = (self.full_rate / 2.0) as u64;
        let time = Duration::from_secs(seconds);
        let driver = self.load(rate)?;
        let without = self.spent(&driver, || {
            crate::pause(time);
            Ok(())
        });
        let mut tally = Tally::default();
        let mut answered = 0;
        let with = self.spent(&driver, || {
            (tally, answered) = self.mixed(qps, time)?;
            Ok(())
        });
        self.unload(driver)?;
        let (without, with) = (without?, with?);
        let us_per_span = |spent: &Spent| rounded(spent.ingest_s * 1e6 / spent.spans.max(1.0), 3);
        Ok(Beside {
            qps,
            answered_per_s: rounded(answered as f64 / seconds.max(1) as f64, 1),
            spans_per_s: rate,
            ingest_us_per_span_without: us_per_span(&without),
            ingest_us_per_span_with: us_per_span(&with),
            query_ms_per_question: rounded(
                (with.query_s - without.query_s) * 1e3 / (answered as f64).max(1.0),
                3,
            ),
            answer: tally.latency(),
            wrong: tally.wrong,
        })
    }

    /// What the server's threads used while this was done.
    fn spent(
        &self,
        driver: &Driver,
        during: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Spent> {
        let pid = self.server()?.pid();
        let look = || -> anyhow::Result<(f64, f64, f64)> {
            let query_s = process::query_cpu_s(pid)?;
            let spans = driver
                .progress
                .spans
                .load(std::sync::atomic::Ordering::Relaxed);
            Ok((process::cpu(pid)?.total_s(), query_s, spans as f64))
        };
        let (cpu, query, spans) = look()?;
        during()?;
        let (cpu_after, query_after, spans_after) = look()?;
        let query_s = query_after - query;
        Ok(Spent {
            ingest_s: cpu_after - cpu - query_s,
            query_s,
            spans: spans_after - spans,
        })
    }

    /// The mix, each question when it is due, whether or not those before it were answered.
    fn mixed(&self, qps: u64, time: Duration) -> anyhow::Result<(Tally, u64)> {
        let mut questions = Vec::new();
        for (name, share) in MIX {
            questions.extend(self.questions.of(name).iter().cycle().take(share).cloned());
        }
        let asking = Asking {
            host: self.server()?.address("query"),
            questions,
            count: (qps as f64 * time.as_secs_f64()) as u64,
            gap_ns: 1_000_000_000 / qps,
            began_ns: SystemClock.monotonic_ns(),
            next: Cell::new(0),
            in_time: Cell::new(0),
            tally: RefCell::default(),
        };
        let asking = Rc::new(asking);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, async {
            let tasks: Vec<_> = (0..CONNECTIONS)
                .map(|_| tokio::task::spawn_local(Rc::clone(&asking).ask()))
                .collect();
            for task in tasks {
                task.await??;
            }
            anyhow::Ok(())
        })?;
        Ok((asking.tally.take(), asking.in_time.get()))
    }
}

/// What the connections that ask share.
struct Asking {
    host: String,
    questions: Vec<Question>,
    count: u64,
    gap_ns: u64,
    began_ns: u64,
    next: Cell<u64>,
    in_time: Cell<u64>,
    tally: RefCell<Tally>,
}

impl Asking {
    async fn ask(self: Rc<Self>) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.host, false).await?;
        let end_ns = self.began_ns + self.count * self.gap_ns;
        // Who cannot keep up is not asked for ever: `answered_per_s` tells.
        while self.next.get() < self.count && SystemClock.monotonic_ns() < end_ns + GRACE_NS {
            let nth = self.next.replace(self.next.get() + 1);
            let due_ns = self.began_ns + nth * self.gap_ns;
            tokio::time::sleep(Duration::from_nanos(
                due_ns.saturating_sub(SystemClock.monotonic_ns()),
            ))
            .await;
            // Names take turns: the stride has no divisor in common with a hundred.
            let question = &self.questions[nth as usize * 37 % self.questions.len()];
            let answer = connection.ask(Method::GET, &question.path).await?;
            let now_ns = SystemClock.monotonic_ns();
            if now_ns <= end_ns {
                self.in_time.set(self.in_time.get() + 1);
            }
            let moving = !matches!(question.expect, Expect::Spans(_));
            let mut tally = self.tally.borrow_mut();
            tally.note(
                question,
                answer.status,
                &answer.body,
                now_ns.saturating_sub(due_ns),
                moving,
            );
        }
        Ok(())
    }
}
