//! A file on unreadable parts of the disk, as a record in JSON.

use serde::Serialize;

use crate::bytes::Spans;
use crate::name;
use crate::node::Kind;

/// A path and which of its bytes can not be read.
#[derive(Serialize)]
pub struct AffectedRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    volume: &'a str,
    kind: Kind,
    lost_bytes: u64,
    /// Offset in the file, and length.
    lost: Vec<(u64, u64)>,
}

impl<'a> AffectedRecord<'a> {
    /// The record of a path of this volume.
    pub fn new(path: &'a [u8], volume: &'a str, kind: Kind, lost: &Spans) -> Self {
        let (path, path_b64) = name::to_json(path);
        let spans = lost.iter().map(|span| (span.start, span.len())).collect();
        AffectedRecord { path, path_b64, volume, kind, lost_bytes: lost.total(), lost: spans }
    }
}
