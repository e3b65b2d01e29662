//! Paths for findings that name only an inode.

use std::collections::HashMap;

use crate::finding::Log;
use crate::node::NodeId;
use crate::tree::Tree;

/// Fills in the path of every finding kept that names an inode of the tree. An inode of several paths gets the first.
pub fn name_inodes(log: &mut Log, tree: &Tree) {
    let mut paths: HashMap<NodeId, Option<String>> = HashMap::new();
    for finding in log.findings().filter(|finding| finding.place.path.is_none()) {
        paths.extend(finding.place.inode.map(|inode| (NodeId(inode), None)));
    }
    if paths.is_empty() {
        return;
    }
    for item in tree.items() {
        if let Some(path) = paths.get_mut(&tree.id(item)).filter(|path| path.is_none()) {
            *path = Some(format!("/{}", String::from_utf8_lossy(&tree.path(item))));
        }
    }
    for finding in log.findings_mut().filter(|finding| finding.place.path.is_none()) {
        let path = finding.place.inode.and_then(|inode| paths.get(&NodeId(inode)));
        finding.place.path = path.cloned().flatten();
    }
}
