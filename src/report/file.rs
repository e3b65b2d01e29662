//! A file's metadata as a record in JSON: [`FileRecord`]. The manifest calls the same facts by the same names.

use serde::{Serialize, Serializer};

use crate::json::{Entries, Fields, Object};
use crate::node::{Kind, Node, NodeId, Trust};

/// A path and the metadata of its node. Times are RFC 3339 in UTC with nanoseconds, sizes are in bytes.
#[derive(Clone, Copy)]
pub struct FileRecord<'a> {
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

impl FileRecord<'_> {
    /// Appends the record to `out` as one line of JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        self.fields(&mut object);
        object.end();
    }

    fn fields(&self, to: &mut impl Fields) {
        to.name(["path", "path_b64"], self.path);
        if let Some(volume) = self.volume {
            to.text("volume", volume);
        }
        if let Some(id) = self.id {
            to.value("inode", &id);
        }
        to.value("kind", &self.kind);
        if let Some(node) = self.node {
            metadata(node, to);
        }
        if let Some(target) = self.target {
            to.name(["target", "target_b64"], target);
        }
        to.value("trust", &self.trust);
    }
}

fn metadata(node: &Node, to: &mut impl Fields) {
    to.value("size", &node.size);
    to.value("allocated", &node.allocated);
    node.attributes(to);
    if node.encrypted {
        to.value("encrypted", &true);
    }
}

impl Serialize for FileRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = Entries::of(serializer.serialize_map(None)?);
        self.fields(&mut entries);
        entries.end()
    }
}
