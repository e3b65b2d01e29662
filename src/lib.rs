//! offmount reads a server's disk without mounting it: it shows what is on a disk image or block device, says what is
//! wrong with it before anyone runs a repair, and copies the files out, hashed, to where they are safe.
//!
//! Errors are about our run; findings are about their disk: no byte on the disk makes a function fail, it becomes a
//! [`finding::Finding`].
//!
//! The modules stand on floors; each imports only from lower ones:
//!
//! | floor | module | what it is for |
//! | --- | --- | --- |
//! | 0 | [`bytes`], [`time`], [`name`], [`progress`] | positions on a disk, points in time, names, how a run tells what it does |
//! | 1 | [`finding`] | what is wrong with a disk |
//! | 1 | [`json`] | records of which there are as many as files |
//! | 1 | [`evidence`] | what a run did, in a chain of hashes |
//! | 2 | [`node`], [`source`] | what a file is, in terms of no filesystem; where bytes come from, the only read |
//! | 3 | [`volume`] | partition tables, and what else names volumes |
//! | 3 | [`fs`] | filesystems, one folder each, behind one trait |
//! | 3 | [`sink`], [`manifest`] | where copied files go; what was copied, in a form that proves it |
//! | 4 | [`survey`], [`tree`] | a whole disk as volumes and filesystems; the paths of a filesystem |
//! | 5 | [`server`] | the server's own paths |
//! | 5 | [`check`] | names for what was found, files on unreadable parts |
//! | 5 | [`copy`] | selecting, copying, resuming, verifying |
//! | 5 | [`crosscheck`] | a second, independent reader |
//! | 6 | [`report`] | text and JSON of everything above |
//! | 7 | [`cli`] | the program: arguments to plain requests, one file per command |

pub mod bytes;
pub mod name;
pub mod progress;
pub mod time;

pub mod evidence;
pub mod finding;
pub mod json;
pub mod node;

pub mod source;

pub mod fs;
pub mod manifest;
pub mod sink;
pub mod volume;

pub mod survey;
pub mod tree;

pub mod check;
pub mod copy;
pub mod crosscheck;
pub mod server;

pub mod report;

pub mod cli;
