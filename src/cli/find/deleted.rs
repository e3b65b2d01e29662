//! `offmount find --deleted`: files that are no more, of which the inode is left.

use std::ops::ControlFlow;

use super::super::session::Session;
use super::super::stop::Stop;
use super::Arguments;
use crate::fs::Census;
use crate::node::Node;
use crate::report::file::{File, FileRecord};
use crate::report::json_line;
use crate::report::listing::{Line, Names, long};

/// Lists the deleted files of every volume that is read. Their names are lost: numbers stand for them.
pub(super) fn list(session: &Session, arguments: &Arguments, names: Names) -> Result<Vec<u8>, Stop> {
    let mut text = Vec::new();
    for volume in &session.server.disk().volumes {
        let Some(fs) = volume.fs() else { continue };
        let mut nodes: Vec<Node> = Vec::new();
        fs.census(Census::Deleted, &session.progress, &mut |node| {
            let conditions = &arguments.conditions;
            if conditions.holds_for_name(b"", node.kind) && conditions.holds_for_node(Some(&node), node.trust) {
                nodes.push(node);
            }
            ControlFlow::Continue(())
        })?;
        session.progress.clear();
        session.unless_interrupted()?;
        write(&volume.name, &nodes, arguments, names, &mut text)?;
    }
    Ok(text)
}

fn write(volume: &str, nodes: &[Node], arguments: &Arguments, names: Names, text: &mut Vec<u8>) -> Result<(), Stop> {
    let paths: Vec<String> = nodes.iter().map(|node| format!("{volume}:#deleted/{}", node.id)).collect();
    if arguments.json {
        for (node, path) in nodes.iter().zip(&paths) {
            let file = File {
                path: path.as_bytes(),
                volume: Some(volume),
                id: Some(node.id),
                kind: node.kind,
                node: Some(node),
                target: None,
                trust: node.trust,
            };
            json_line(text, &FileRecord::from(file))?;
        }
    } else if arguments.long {
        let lines: Vec<Line<'_>> =
            nodes.iter().zip(&paths).map(|(node, path)| Line::of_node(path.as_bytes(), node)).collect();
        text.extend(long(&lines, names, arguments.source.utc_offset()));
    } else {
        for path in paths {
            names.write(path.as_bytes(), text);
            text.push(if arguments.print0 { 0 } else { b'\n' });
        }
    }
    Ok(())
}
