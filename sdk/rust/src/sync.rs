//! The primitives that the ring is made of. The model test (`tests/queue_loom.rs`) compiles the ring
//! with loom's in this module's place.

pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
