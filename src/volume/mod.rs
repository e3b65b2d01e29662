//! Partition tables and what else names volumes: turns one source into named smaller ones.
//!
//! [`table`] reads a partition table, [`signature::identify`] recognises what a volume holds that no driver reads.

pub mod codes;
pub mod signature;
mod table;

pub use table::{Partition, PartitionType, Scheme, Table, table};
