//! ext2, ext3 and ext4.
//!
//! Three steps are never mixed. *Decode*: [`disk`] has the structures as they lie. *Judge*: [`geometry`], [`inode`],
//! [`map`], [`dir`] and [`xattr`] take them field by field, note what is wrong and keep the rest. *Use*: only judged
//! values reach [`Ext`], which answers as a [`FileSystem`](crate::fs::FileSystem).

#![allow(dead_code, reason = "the reader on top of these is being laid")]

pub mod codes;

mod check;
mod checksum;
mod disk;
mod evidence;
mod feature;
mod geometry;
mod journal;
mod number;
mod salvage;
