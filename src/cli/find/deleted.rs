//! `offmount find --deleted`: files that are no more, and of which something is left.

use std::collections::HashMap;

use super::super::session::Session;
use super::super::stop::Stop;
use super::Arguments;
use crate::node::{Node, NodeId};
use crate::report::file::FileRecord;
use crate::report::listing::{Line, Names, long};
use crate::tree::{DELETED, Tree};

/// Lists the deleted files of every volume that is read. Where a name is lost, its number stands for it.
pub(super) fn list(session: &Session, arguments: &Arguments, names: Names) -> Result<Vec<u8>, Stop> {
    let mut text = Vec::new();
    for (index, volume) in session.server.disk().volumes.iter().enumerate() {
        let Some(living) = session.server.tree(index, &session.progress)? else { continue };
        let strays = living.fs().deleted(&session.progress)?;
        session.progress.clear();
        session.unless_interrupted()?;
        let tree = Tree::of_deleted(living.fs(), living, &strays);
        let nodes: HashMap<NodeId, &Node> = strays.iter().map(|stray| (stray.node.id, &stray.node)).collect();
        let mut found = Vec::new();
        for item in tree.items() {
            // Directories that are still there are only on the way.
            let Some(node) = nodes.get(&tree.id(item)).copied() else { continue };
            let conditions = &arguments.conditions;
            if conditions.holds_for_name(tree.name(item), node.kind)
                && conditions.holds_for_node(Some(node), node.trust)
            {
                let path = [volume.name.as_bytes(), b":", DELETED, b"/", &tree.path(item)].concat();
                found.push((node, path));
            }
        }
        write(&volume.name, &found, arguments, names, &mut text)?;
    }
    Ok(text)
}

fn write(
    volume: &str,
    found: &[(&Node, Vec<u8>)],
    arguments: &Arguments,
    names: Names,
    text: &mut Vec<u8>,
) -> Result<(), Stop> {
    if arguments.json {
        for (node, path) in found {
            let record = FileRecord {
                path,
                volume: Some(volume),
                id: Some(node.id),
                kind: node.kind,
                node: Some(node),
                target: None,
                trust: node.trust,
            };
            record.write(text);
        }
    } else if arguments.long {
        let lines: Vec<Line<'_>> = found.iter().map(|(node, path)| Line::of_node(path, node)).collect();
        text.extend(long(&lines, names, arguments.source.utc_offset()));
    } else {
        for (_, path) in found {
            names.write(path, text);
            text.push(if arguments.print0 { 0 } else { b'\n' });
        }
    }
    Ok(())
}
