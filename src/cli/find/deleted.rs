//! `offmount find --deleted`: files that are no more, and of which something is left.

use std::collections::{HashMap, HashSet};

use super::super::session::Session;
use super::super::stop::Stop;
use super::Arguments;
use crate::fs::Stray;
use crate::node::{Kind, NodeId};
use crate::report::file::FileRecord;
use crate::report::listing::{Line, Names, long};
use crate::tree::{DELETED, Tree};

/// Lists the deleted files of every volume that is read. Where a name is lost, its number stands for it.
pub(super) fn list(session: &Session, arguments: &Arguments, names: Names) -> Result<Vec<u8>, Stop> {
    let mut text = Vec::new();
    for (index, volume) in session.server.disk().volumes.iter().enumerate() {
        let Some(fs) = volume.fs() else { continue };
        let mut strays = fs.deleted(&session.progress)?;
        strays.retain(|Stray { node, name, .. }| {
            let conditions = &arguments.conditions;
            let name = name.as_deref().unwrap_or_default();
            conditions.holds_for_name(name, node.kind) && conditions.holds_for_node(Some(node), node.trust)
        });
        let tree = session.server.tree(index, &session.progress)?;
        session.progress.clear();
        session.unless_interrupted()?;
        let paths = paths(&volume.name, tree, &strays);
        write(&volume.name, &strays, &paths, arguments, names, &mut text)?;
    }
    Ok(text)
}

fn write(
    volume: &str,
    strays: &[Stray],
    paths: &[Vec<u8>],
    arguments: &Arguments,
    names: Names,
    text: &mut Vec<u8>,
) -> Result<(), Stop> {
    let nodes = || strays.iter().map(|stray| &stray.node);
    if arguments.json {
        for (node, path) in nodes().zip(paths) {
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
        let lines: Vec<Line<'_>> = nodes().zip(paths).map(|(node, path)| Line::of_node(path, node)).collect();
        text.extend(long(&lines, names, arguments.source.utc_offset()));
    } else {
        for path in paths {
            names.write(path, text);
            text.push(if arguments.print0 { 0 } else { b'\n' });
        }
    }
    Ok(())
}

/// How deleted files are called: by the path they had, as far as its directory is still there, else by their numbers.
fn paths(volume: &str, tree: Option<&Tree>, strays: &[Stray]) -> Vec<Vec<u8>> {
    let wanted: HashSet<NodeId> = strays.iter().filter(|it| it.name.is_some()).filter_map(|it| it.parent).collect();
    let items = tree.into_iter().flat_map(|tree| tree.items().map(move |item| (tree, item)));
    let directories = items.filter(|(tree, item)| tree.kind(*item) == Kind::Directory);
    let parents: HashMap<NodeId, Vec<u8>> = directories
        .filter(|(tree, item)| wanted.contains(&tree.id(*item)))
        .map(|(tree, item)| (tree.id(item), tree.path(item)))
        .collect();
    let path = |stray: &Stray| {
        let known = stray.parent.and_then(|parent| parents.get(&parent)).zip(stray.name.as_ref());
        let below = match known {
            Some((parent, name)) if parent.is_empty() => name.clone(),
            Some((parent, name)) => [parent, &b"/"[..], name].concat(),
            None => stray.node.id.to_string().into_bytes(),
        };
        [volume.as_bytes(), b":", DELETED, b"/", &below].concat()
    };
    strays.iter().map(path).collect()
}
