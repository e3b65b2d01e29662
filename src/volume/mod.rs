//! Partition tables and what else names volumes: turns one source into named smaller ones.
//!
//! [`table()`] reads a partition table, [`search_table`] looks for one that is not where it should be, and
//! [`signature::identify`] recognises what a volume holds that no driver reads.

pub mod codes;
pub mod signature;

mod gpt;
mod mbr;
mod table;
mod types;

pub use table::{Partition, PartitionType, Scheme, Table, search_table, table};
