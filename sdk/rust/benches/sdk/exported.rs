//! What a span costs its whole process until a collector has it: what others leave to threads of their own
//! is counted here as well. Each contender has a process to itself, whose processor time is read; the
//! collector is another. A slice is sent before the next is recorded, so nobody drops any.

use std::process::{Command, Stdio};

use tracewell_sdk::{Sampler, Tracer};

use crate::collectors;
use crate::others::{self, Ways};
use crate::span_cost::{SPANS, attributed};
use crate::table::Row;

const CHILD: &str = "TRACEWELL_BENCH_EXPORTS";
const SLICES_WARM: u64 = 100;
const SLICES: u64 = 2_000;
/// Of the kernel's clock of processor times.
const NS_PER_TICK: f64 = 1e9 / 100.0;

type Contender = (&'static str, fn(&str) -> Ways);

const CONTENDERS: [Contender; 4] = [
    ("tracewell: root", ours),
    ("opentelemetry_sdk: root, BatchSpanProcessor", |url| {
        others::opentelemetry_batch(others::otlp(url))
    }),
    ("fastrace: root", |url| {
        others::fastrace_root(others::fastrace_otlp(url))
    }),
    ("fastrace: local child", |url| {
        others::fastrace_local(others::fastrace_otlp(url))
    }),
];

fn ours(url: &str) -> Ways {
    let builder = Tracer::builder().service_name("bench").endpoint(url);
    let tracer = builder.sampler(Sampler::always()).build();
    (
        Box::new(move |number| attributed(tracer, number)),
        Box::new(move || assert!(tracer.flush(std::time::Duration::from_secs(60)))),
    )
}

pub(crate) fn rows() -> Vec<Row> {
    let url = collectors::healthy();
    let rows = CONTENDERS.iter().map(|(name, _)| Row {
        group: "a span until it is exported: processor time of the whole process",
        what: (*name).to_owned(),
        figures: vec![("ns", of_child(name, &url))],
    });
    rows.collect()
}

fn of_child(name: &str, url: &str) -> f64 {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .env(CHILD, [name, url].join("|"))
        .stderr(Stdio::inherit());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    said.trim().parse().unwrap()
}

/// In a child: measures one contender, says what it costs, and says that this is a child.
pub(crate) fn as_child() -> bool {
    let Ok(told) = std::env::var(CHILD) else {
        return false;
    };
    let (wanted, url) = told.split_once('|').unwrap();
    let (_, ways) = CONTENDERS.iter().find(|(name, _)| *name == wanted).unwrap();
    let (record, settle) = ways(url);
    let slices = |count| {
        for _ in 0..count {
            settle();
            (0..SPANS).for_each(&record);
        }
        settle();
    };
    slices(SLICES_WARM);
    let before = ticks();
    slices(SLICES);
    let spent = (ticks() - before) as f64 * NS_PER_TICK;
    println!("{}", (spent / (SLICES * SPANS) as f64).round());
    true
}

/// This process's time on processors, in and for it.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_its_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = behind_its_name.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
