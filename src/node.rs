//! What a file is, in terms of no filesystem: [`Node`], [`Kind`], [`Trust`], [`Xattr`], and where its bytes lie, [`Extent`].
//!
//! Filesystems produce these, sinks and manifests consume them; neither knows the other.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::bytes::{Span, Spans};
use crate::finding::Finding;
use crate::json::Fields;
use crate::name::PACKS;
use crate::time::Times;

/// Names a node within its filesystem: the inode number for ext, the place of the directory entry for FAT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The seven kinds of file, and what a damaged inode may say instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Named pipe.
    Fifo,
    /// Unix socket.
    Socket,
    /// Character device.
    CharDevice,
    /// Block device.
    BlockDevice,
    /// A kind that POSIX does not know; never written to a destination.
    Unknown,
}

impl Kind {
    /// The kind in the top four bits of a POSIX mode.
    pub fn from_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Kind::File,
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Symlink,
            0o010_000 => Kind::Fifo,
            0o140_000 => Kind::Socket,
            0o020_000 => Kind::CharDevice,
            0o060_000 => Kind::BlockDevice,
            _ => Kind::Unknown,
        }
    }

    /// The letter that `ls -l` begins a line with.
    pub fn letter(self) -> char {
        match self {
            Kind::File => '-',
            Kind::Directory => 'd',
            Kind::Symlink => 'l',
            Kind::Fifo => 'p',
            Kind::Socket => 's',
            Kind::CharDevice => 'c',
            Kind::BlockDevice => 'b',
            Kind::Unknown => '?',
        }
    }
}

/// How far a file can be trusted, best first. Two judgements of one file combine to the worse: `a.max(b)`.
///
/// None of them claims that contents are proved: ext and FAT keep no checksum of file data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Every structure that leads to the file is in order.
    #[default]
    Intact,
    /// Some of its metadata comes from the journal: replayed, or an older committed copy.
    Journal,
    /// Its name or place in the tree was reconstructed.
    Renamed,
    /// A checksum does not match, and nothing else speaks against it.
    Unproven,
    /// Some of its bytes are lost; they are listed and read as zero.
    Partial,
    /// Structures contradict each other: its bytes may belong to another file.
    Doubtful,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Trust::Intact => "intact",
            Trust::Journal => "journal",
            Trust::Renamed => "renamed",
            Trust::Unproven => "unproven",
            Trust::Partial => "partial",
            Trust::Doubtful => "doubtful",
        })
    }
}

/// A file's metadata, without its name.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name within the filesystem.
    pub id: NodeId,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, setuid, setgid and sticky: `0o7777` at most.
    pub mode: u16,
    /// Owner, as a number.
    pub uid: u32,
    /// Group, as a number.
    pub gid: u32,
    /// Hard links, as the inode counts them.
    pub links: u32,
    /// Length in bytes, after judging: never more than the filesystem can hold.
    pub size: u64,
    /// Bytes of the disk it uses, as the inode counts them.
    pub allocated: u64,
    /// All times recorded.
    pub times: Times,
    /// Major and minor number of a device node.
    pub device: Option<(u32, u32)>,
    /// The contents (and a directory's names) are encrypted by the filesystem, and are read as they lie.
    pub encrypted: bool,
    /// Judged from the inode alone.
    pub trust: Trust,
}

impl Node {
    /// Writes what lists and manifests tell of it alike: permissions, owner, links, times, the device it stands for.
    pub fn attributes(&self, to: &mut impl Fields) {
        to.value("mode", &self.mode);
        to.value("uid", &self.uid);
        to.value("gid", &self.gid);
        to.value("links", &self.links);
        to.times(&self.times);
        if let Some(device) = self.device {
            to.value("device", &device);
        }
    }
}

/// One entry of a directory. Never `.` or `..`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name's bytes: any but NUL and `/`, not empty.
    pub name: Vec<u8>,
    /// The node it names.
    pub id: NodeId,
    /// The kind, where the entry records one.
    pub kind: Option<Kind>,
    /// How the entry was come by.
    pub trust: Trust,
}

/// An extended attribute with its full name (`user.tag`, `security.capability`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Xattr {
    /// Prefix and name.
    pub name: Vec<u8>,
    /// The value, as the kernel's `getxattr` would give it.
    pub value: Vec<u8>,
}

/// A run of a file's bytes and where they come from. What no extent covers is a hole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Where in the file, in bytes.
    pub logical: u64,
    /// How many bytes.
    pub len: u64,
    /// Where they come from.
    pub backing: Backing,
}

impl Extent {
    /// The bytes of the file that it covers.
    pub fn span(&self) -> Span {
        Span::new(self.logical, self.len)
    }
}

/// Where the bytes of an [`Extent`] come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Backing {
    /// On the volume, at a byte offset. `member` counts the filesystem's devices from 0.
    Device {
        /// Which of the filesystem's devices.
        member: u16,
        /// Byte offset on it.
        offset: u64,
    },
    /// Allocated but never written: reads as zero, and is none of the loss.
    Zero,
    /// Held in the metadata itself.
    Inline(Arc<[u8]>),
    /// The map to these bytes is destroyed: reads as zero, and is listed as lost.
    Lost,
}

/// Where a file's bytes lie, and how far that can be trusted.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// In ascending order of `logical`, not overlapping, within the file's size.
    pub extents: Vec<Extent>,
    /// Judged from the map alone.
    pub trust: Trust,
    /// What is wrong with the map.
    pub findings: Vec<Finding>,
}

impl Mapping {
    /// The bytes of the file whose place is destroyed.
    pub fn lost(&self) -> Spans {
        self.extents.iter().filter(|e| e.backing == Backing::Lost).map(Extent::span).collect()
    }
}

/// A value read from a disk, with what was wrong about it.
#[derive(Clone, Debug, Default)]
pub struct Judged<T> {
    /// The value, as far as it could be had.
    pub value: T,
    /// How far it can be trusted.
    pub trust: Trust,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// An attribute of a file that a destination did not take.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Unkept {
    /// `owner`, `mode`, `times`, `itself`, or the full name of an extended attribute.
    pub what: String,
    /// Why, in a few words.
    pub why: String,
}

impl Unkept {
    /// All of it: the destination can not hold such a thing, and the manifest alone keeps it.
    pub const ITSELF: &str = "itself";

    /// Of times what is below a second.
    pub const NANOSECONDS: &str = "nanoseconds";
}

/// Where in an archive of small files the contents of one stand.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Packed {
    /// Name of the archive, in the folder [`PACKS`] of the destination; empty until it is sent.
    #[serde(deserialize_with = "name_of_pack")]
    pub pack: String,
    /// Where in it the contents begin, in bytes.
    pub at: u64,
}

impl Packed {
    /// The archive's path below the destination.
    pub fn path(&self) -> Vec<u8> {
        format!("{PACKS}/{}", self.pack).into_bytes()
    }
}

/// A name, and no path to somewhere else.
fn name_of_pack<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    match name.contains('/') || [".", ".."].contains(&&*name) {
        true => Err(D::Error::custom("an archive's name is no path")),
        false => Ok(name),
    }
}
