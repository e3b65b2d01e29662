//! Writing what was found, many files at once: [`Search`].

use super::super::session::Session;
use super::Arguments;
use crate::node::{Node, Trust};
use crate::report::file::FileRecord;
use crate::report::listing::{Line, Names, long};
use crate::server::{Part, link_target};
use crate::source::SourceGone;
use crate::tree::ItemId;

/// What to look for, and how to write it.
pub(super) struct Search<'a> {
    pub(super) session: &'a Session,
    pub(super) arguments: &'a Arguments,
    pub(super) names: Names,
}

/// What one thread wrote.
#[derive(Default)]
pub(super) struct Written {
    pub(super) text: Vec<u8>,
    /// True if something written is not wholly to be trusted.
    pub(super) damaged: bool,
}

/// A file for which the conditions hold.
struct Match<'n> {
    path: Vec<u8>,
    item: ItemId,
    node: Option<&'n Node>,
    trust: Trust,
}

impl Search<'_> {
    /// Writes those of some items for which the conditions hold.
    pub(super) fn write(&self, part: &Part<'_>, items: &[ItemId]) -> Result<Written, SourceGone> {
        let conditions = &self.arguments.conditions;
        let tree = &part.tree;
        let wanted = |item: &ItemId| conditions.holds_for_name(tree.name(*item), tree.kind(*item));
        let items: Vec<ItemId> = items.iter().copied().filter(wanted).collect();
        let needs_nodes = self.arguments.json || self.arguments.long || conditions.asks_for_nodes();
        let nodes = if needs_nodes { tree.nodes(&items)? } else { vec![None; items.len()] };
        let (mut matches, mut path) = (Vec::new(), Path::default());
        for (&item, node) in items.iter().zip(&nodes) {
            let (path, node) = (path.of(part, item), node.as_ref());
            let trust = tree.trust(item).max(node.map_or(Trust::Intact, |node| node.trust));
            if conditions.holds_for_path(path) && (!needs_nodes || conditions.holds_for_node(node, trust)) {
                matches.push(Match { path: path.to_vec(), item, node, trust });
            }
        }
        let damaged = matches.iter().any(|it| it.trust > Trust::Journal);
        let text = match (self.arguments.json, self.arguments.long) {
            (true, _) => self.records(part, &matches)?,
            (false, true) => self.long_lines(part, &matches)?,
            (false, false) => self.paths(&matches),
        };
        Ok(Written { text, damaged })
    }

    fn paths(&self, matches: &[Match<'_>]) -> Vec<u8> {
        let mut text = Vec::new();
        for Match { path, .. } in matches {
            if self.arguments.print0 {
                text.extend_from_slice(path);
                text.push(0);
            } else {
                self.names.write(path, &mut text);
                text.push(b'\n');
            }
        }
        text
    }

    fn records(&self, part: &Part<'_>, matches: &[Match<'_>]) -> Result<Vec<u8>, SourceGone> {
        let volume = self.session.server.volume(part.volume).name.as_str();
        let mut text = Vec::with_capacity(matches.len() * 400);
        for Match { path, item, node, trust } in matches {
            let target = self.target(part, *node)?;
            let record = FileRecord {
                path,
                volume: Some(volume),
                id: (!part.tree.is_lost_directory(*item)).then(|| part.tree.id(*item)),
                kind: part.tree.kind(*item),
                node: *node,
                target: target.as_deref(),
                trust: *trust,
            };
            record.write(&mut text);
        }
        Ok(text)
    }

    fn long_lines(&self, part: &Part<'_>, matches: &[Match<'_>]) -> Result<Vec<u8>, SourceGone> {
        let targets: Result<Vec<_>, _> = matches.iter().map(|it| self.target(part, it.node)).collect();
        let targets = targets?;
        let lines: Vec<Line<'_>> = matches
            .iter()
            .zip(&targets)
            .map(|(it, target)| Line {
                name: &it.path,
                kind: part.tree.kind(it.item),
                node: it.node,
                made_here: part.tree.is_lost_directory(it.item),
                target: target.as_deref(),
                trust: it.trust,
            })
            .collect();
        Ok(long(&lines, self.names, self.arguments.source.utc_offset()))
    }

    fn target(&self, part: &Part<'_>, node: Option<&Node>) -> Result<Option<Vec<u8>>, SourceGone> {
        match (node, self.session.server.volume(part.volume).fs()) {
            (Some(node), Some(fs)) => link_target(&**fs, node),
            _ => Ok(None),
        }
    }
}

/// The path of one item after the other: that of the directory is made once for all that it holds.
#[derive(Default)]
struct Path {
    parent: Option<ItemId>,
    bytes: Vec<u8>,
    parent_len: usize,
}

impl Path {
    fn of(&mut self, part: &Part<'_>, item: ItemId) -> &[u8] {
        let parent = part.tree.parent(item);
        if item == part.start || self.parent != Some(parent) {
            self.bytes.clear();
            part.path_into(item, &mut self.bytes);
            self.parent = (item != part.start).then_some(parent);
            self.parent_len = self.bytes.len() - part.tree.name(item).len().min(self.bytes.len());
        } else {
            self.bytes.truncate(self.parent_len);
            self.bytes.extend_from_slice(part.tree.name(item));
        }
        &self.bytes
    }
}
