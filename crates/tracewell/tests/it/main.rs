//! Black-box tests of the binary, in one test binary (link time), and the walk of one span through
//! all rooms. `TRACEWELL_BIN` names the binary to test; without it, this build's own.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's way to fail

mod bad_input;
mod bench;
mod big_traces;
mod cli;
#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod cluster_faults;
#[cfg(feature = "cluster")]
mod cluster_log;
#[cfg(feature = "cluster")]
mod cluster_outage;
#[cfg(feature = "cluster")]
mod cluster_roles;
#[cfg(feature = "cluster")]
mod cluster_same;
#[cfg(feature = "cluster")]
mod cluster_sampling;
mod cold_reads;
mod crash;
mod damage;
mod demo;
mod difference;
#[cfg(feature = "cluster")]
mod engines;
mod expect;
mod export;
mod faults;
mod follow_one_span;
mod ingest;
#[cfg(feature = "cluster")]
mod otel_collector;
mod overload;
mod power_cut;
mod readme;
mod sampling;
mod server;
#[cfg(feature = "cluster")]
mod stack;
