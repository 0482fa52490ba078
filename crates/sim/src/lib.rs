//! The storm: the span log, the engine and their workers on a simulated disk and a simulated clock,
//! driven from a seed (D14), with a ledger of what was promised to whom.
//!
//! One seed is one history: requests, seals, merges, questions, full and failing disks, clocks that
//! leap, kills and power cuts, in an order that chance decides and the seed repeats. After each
//! disaster the program is opened again and must keep its promises: what it acknowledged is there
//! (P2), nothing is altered (P5), the account balances (P3), it always starts (P4), a failed sync
//! is never taken for one that worked (P6). `cargo run --release -p tracewell-sim -- --help`.

pub mod disk;
pub mod ledger;
pub mod traffic;
pub mod world;

pub use world::{Story, Weather, live};
