//! ext2, ext3 and ext4.

#![allow(dead_code, reason = "the reader on top of these is being laid")]

pub mod codes;

mod checksum;
mod disk;
mod feature;
mod number;
