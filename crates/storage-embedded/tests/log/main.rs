//! The span log and the statistics as their users see them: through the seams, on a real
//! directory, with a file system that fails where it is told to.
// The helpers of tests are tests, but clippy's own exception stops at `#[test]`.
#![allow(clippy::unwrap_used)]

mod conformance;
mod damage;
mod delivery;
mod faults;
mod support;
