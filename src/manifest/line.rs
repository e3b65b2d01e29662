//! The form of a record in JSON, and the way to it and back.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hex::Hex;
use super::{Digests, Flaw, Record, Status};
use crate::bytes::Span;
use crate::name::{from_base64, from_json, to_base64, to_json};
use crate::node::{Kind, Trust, Unkept, Xattr};
use crate::time::{Time, Times};

fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// Fields in the order they are written. Of a name and its `_b64` twin exactly one is there.
#[derive(Serialize, Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    #[serde(borrow, default)]
    volume: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_b64: Option<String>,
    inode: u64,
    kind: Kind,
    size: u64,
    mode: u16,
    uid: u32,
    gid: u32,
    links: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accessed: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<(u32, u32)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_b64: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    xattrs: Vec<WireXattr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha1: Option<Hex<20>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    md5: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_blake3: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    extents: Cow<'a, [(u64, u64, u64)]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    data: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "is_empty")]
    findings: Cow<'a, [Flaw]>,
    trust: Trust,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    unkept: Cow<'a, [Unkept]>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    etag: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct WireXattr {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_b64: Option<String>,
    value_b64: String,
}

/// The two fields that stand for a name's bytes.
fn name(bytes: &[u8]) -> (Option<Cow<'_, str>>, Option<String>) {
    let (text, base64) = to_json(bytes);
    (text.map(Cow::Borrowed), base64)
}

fn pairs(spans: &[Span]) -> Vec<(u64, u64)> {
    spans.iter().map(|span| (span.start, span.len())).collect()
}

fn spans(pairs: Vec<(u64, u64)>) -> Vec<Span> {
    pairs.into_iter().map(|(start, len)| Span::new(start, len)).collect()
}

impl WireXattr {
    fn of(xattr: &Xattr) -> Self {
        let (text, name_b64) = name(&xattr.name);
        WireXattr { name: text.map(Cow::into_owned), name_b64, value_b64: to_base64(&xattr.value) }
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
        let (path, path_b64) = name(&self.path);
        let (source, source_b64) = self.source.as_deref().map_or((None, None), name);
        let (target, target_b64) = self.target.as_deref().map_or((None, None), name);
        let wire = Wire {
            path,
            path_b64,
            volume: Cow::Borrowed(&self.volume),
            source,
            source_b64,
            inode: self.inode,
            kind: self.kind,
            size: self.size,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            links: self.links,
            modified: self.times.modified,
            accessed: self.times.accessed,
            changed: self.times.changed,
            created: self.times.created,
            deleted: self.times.deleted,
            device: self.device,
            target,
            target_b64,
            xattrs: self.xattrs.iter().map(WireXattr::of).collect(),
            blake3: self.digests.blake3.map(Hex),
            sha256: self.digests.sha256.map(Hex),
            sha1: self.digests.sha1.map(Hex),
            md5: self.digests.md5.map(Hex),
            data_blake3: self.data_blake3.map(Hex),
            extents: Cow::Borrowed(&self.extents),
            data: pairs(&self.data),
            lost: pairs(&self.lost),
            findings: Cow::Borrowed(&self.findings),
            trust: self.trust,
            status: self.status,
            reason: self.reason.as_deref().map(Cow::Borrowed),
            unkept: Cow::Borrowed(&self.unkept),
            etag: self.etag.as_deref().map(Cow::Borrowed),
        };
        // Writing to memory can not fail, and no map here has a key that is not text.
        let _ = serde_json::to_writer(&mut *out, &wire);
        out.push(b'\n');
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
            extents: self.extents.into_owned(),
            data: spans(self.data),
            lost: spans(self.lost),
            findings: self.findings.into_owned(),
            trust: self.trust,
            status: self.status,
            reason: self.reason.map(Cow::into_owned),
            unkept: self.unkept.into_owned(),
            etag: self.etag.map(Cow::into_owned),
        })
    }
}
