//! A file's metadata as a record in JSON: [`FileRecord`]. The manifest calls the same facts by the same names.

use serde::Serialize;

use crate::name;
use crate::node::{Kind, Node, NodeId, Trust};
use crate::time::Time;

/// A path and the metadata of its node. Times are RFC 3339 in UTC with nanoseconds, sizes are in bytes.
#[derive(Serialize)]
pub struct FileRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<NodeId>,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accessed: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<(u32, u32)>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    encrypted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_b64: Option<String>,
    trust: Trust,
}

/// What a record is made of.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// The path, as the user would ask for it.
    pub path: &'a [u8],
    /// Name of the volume.
    pub volume: Option<&'a str>,
    /// The node's number; `None` for the directory of what is lost.
    pub id: Option<NodeId>,
    /// What it is, also where no node is left.
    pub kind: Kind,
    /// Its metadata; `None` where only its name is left.
    pub node: Option<&'a Node>,
    /// Where a symbolic link leads.
    pub target: Option<&'a [u8]>,
    /// How far name, place and metadata can be trusted.
    pub trust: Trust,
}

impl<'a> From<File<'a>> for FileRecord<'a> {
    fn from(file: File<'a>) -> Self {
        let (path, path_b64) = name::to_json(file.path);
        let (target, target_b64) = file.target.map_or((None, None), name::to_json);
        let node = file.node;
        let times = node.map(|node| node.times).unwrap_or_default();
        FileRecord {
            path,
            path_b64,
            volume: file.volume,
            inode: file.id,
            kind: file.kind,
            size: node.map(|node| node.size),
            allocated: node.map(|node| node.allocated),
            mode: node.map(|node| node.mode),
            uid: node.map(|node| node.uid),
            gid: node.map(|node| node.gid),
            links: node.map(|node| node.links),
            modified: times.modified,
            accessed: times.accessed,
            changed: times.changed,
            created: times.created,
            deleted: times.deleted,
            device: node.and_then(|node| node.device),
            encrypted: node.is_some_and(|node| node.encrypted),
            target,
            target_b64,
            trust: file.trust,
        }
    }
}
