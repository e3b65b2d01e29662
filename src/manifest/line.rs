//! The form of a record in JSON, and the way to it and back.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hex::Hex;
use super::{Algorithm, Digests, Flaw, Record, Status};
use crate::bytes::Span;
use crate::json::{Fields, Object};
use crate::name::{from_base64, from_json, to_base64, to_json};
use crate::node::{Kind, Packed, Trust, Unkept, Xattr};
use crate::time::{Time, Times};

/// A record as it is read. Of a name and its `_b64` twin exactly one is there.
#[derive(Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(default)]
    path_b64: Option<String>,
    #[serde(borrow, default)]
    volume: Cow<'a, str>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
    #[serde(default)]
    source_b64: Option<String>,
    inode: u64,
    kind: Kind,
    size: u64,
    mode: u16,
    uid: u32,
    gid: u32,
    links: u32,
    #[serde(default)]
    modified: Option<Time>,
    #[serde(default)]
    accessed: Option<Time>,
    #[serde(default)]
    changed: Option<Time>,
    #[serde(default)]
    created: Option<Time>,
    #[serde(default)]
    deleted: Option<Time>,
    #[serde(default)]
    device: Option<(u32, u32)>,
    #[serde(borrow, default)]
    target: Option<Cow<'a, str>>,
    #[serde(default)]
    target_b64: Option<String>,
    #[serde(default)]
    xattrs: Vec<WireXattr>,
    #[serde(default)]
    blake3: Option<Hex<32>>,
    #[serde(default)]
    sha256: Option<Hex<32>>,
    #[serde(default)]
    sha1: Option<Hex<20>>,
    #[serde(default)]
    md5: Option<Hex<16>>,
    #[serde(default)]
    data_blake3: Option<Hex<32>>,
    #[serde(default)]
    extents: Vec<(u64, u64, u64)>,
    #[serde(default)]
    data: Vec<(u64, u64)>,
    #[serde(default)]
    lost: Vec<(u64, u64)>,
    #[serde(default)]
    findings: Vec<Flaw>,
    trust: Trust,
    status: Status,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    unkept: Vec<Unkept>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    packed: Option<Packed>,
}

#[derive(Serialize, Deserialize)]
struct WireXattr {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_b64: Option<String>,
    value_b64: String,
}

fn pairs(spans: &[Span]) -> Vec<(u64, u64)> {
    spans.iter().map(|span| (span.start, span.len())).collect()
}

fn spans(pairs: Vec<(u64, u64)>) -> Vec<Span> {
    pairs.into_iter().map(|(start, len)| Span::new(start, len)).collect()
}

impl WireXattr {
    fn of(xattr: &Xattr) -> Self {
        let (name, name_b64) = to_json(&xattr.name);
        WireXattr { name: name.map(str::to_owned), name_b64, value_b64: to_base64(&xattr.value) }
    }

    fn read(self) -> Option<Xattr> {
        Some(Xattr {
            name: from_json(self.name.as_deref(), self.name_b64.as_deref())?,
            value: from_base64(&self.value_b64)?,
        })
    }
}

impl Record {
    /// Appends the record to `out` as one line of JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut to = Object::begin(out);
        self.metadata(&mut to);
        self.contents(&mut to);
        to.value("trust", &self.trust);
        to.value("status", &self.status);
        if let Some(reason) = &self.reason {
            to.text("reason", reason);
        }
        list(&mut to, "unkept", &self.unkept);
        if let Some(etag) = &self.etag {
            to.text("etag", etag);
        }
        if let Some(packed) = &self.packed {
            to.value("packed", packed);
        }
        to.end();
    }

    fn metadata(&self, to: &mut Object<'_>) {
        to.name(["path", "path_b64"], &self.path);
        to.text("volume", &self.volume);
        if let Some(source) = &self.source {
            to.name(["source", "source_b64"], source);
        }
        to.value("inode", &self.inode);
        to.value("kind", &self.kind);
        to.value("size", &self.size);
        self.node().attributes(to);
        if let Some(target) = &self.target {
            to.name(["target", "target_b64"], target);
        }
        if !self.xattrs.is_empty() {
            to.value("xattrs", &self.xattrs.iter().map(WireXattr::of).collect::<Vec<_>>());
        }
    }

    fn contents(&self, to: &mut Object<'_>) {
        for algorithm in Algorithm::ALL {
            if let Some(digest) = self.digests.get(algorithm) {
                to.hex(algorithm.name(), digest);
            }
        }
        if let Some(digest) = &self.data_blake3 {
            to.hex("data_blake3", digest);
        }
        list(to, "extents", &self.extents);
        list(to, "data", &pairs(&self.data));
        list(to, "lost", &pairs(&self.lost));
        list(to, "findings", &self.findings);
    }
}

/// A list, where there is anything in it.
fn list<T: Serialize>(to: &mut Object<'_>, key: &'static str, items: &[T]) {
    if !items.is_empty() {
        to.value(key, items);
    }
}

impl Wire<'_> {
    /// The record; `None` where a name is missing or is not what it should be.
    pub(super) fn read(self) -> Option<Record> {
        Some(Record {
            path: from_json(self.path.as_deref(), self.path_b64.as_deref())?,
            volume: Arc::from(&*self.volume),
            source: from_json(self.source.as_deref(), self.source_b64.as_deref()),
            inode: self.inode,
            kind: self.kind,
            size: self.size,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            links: self.links,
            times: Times {
                modified: self.modified,
                accessed: self.accessed,
                changed: self.changed,
                created: self.created,
                deleted: self.deleted,
            },
            device: self.device,
            target: from_json(self.target.as_deref(), self.target_b64.as_deref()),
            xattrs: self.xattrs.into_iter().map(WireXattr::read).collect::<Option<_>>()?,
            digests: Digests {
                blake3: self.blake3.map(|hex| hex.0),
                sha256: self.sha256.map(|hex| hex.0),
                sha1: self.sha1.map(|hex| hex.0),
                md5: self.md5.map(|hex| hex.0),
            },
            data_blake3: self.data_blake3.map(|hex| hex.0),
            extents: self.extents,
            data: spans(self.data),
            lost: spans(self.lost),
            findings: self.findings,
            trust: self.trust,
            status: self.status,
            reason: self.reason,
            unkept: self.unkept,
            etag: self.etag,
            packed: self.packed,
        })
    }
}
