//! The search group: spans into an index apart from the store (a cluster has one; the embedded
//! store is its own index). All of it is the sink's doing, as with the storage group.

/// The group's name, in the log and in metrics.
pub const GROUP: &str = "search";
