//! The comparison itself: [`cross_check`].

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use blake3::Hash;

use super::guarded::Guarded;
use super::{Comparison, Difference, PEERS, Peer, Refusal, Seen, Verdict};
use crate::bytes::Spans;
use crate::fs::FileSystem;
use crate::fs::content::Content;
use crate::node::{Kind, Node, Trust};
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone};
use crate::tree::{ItemId, ROOT, Tree};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Holes of more bytes than this are not read as zeros by a second reader.
const MOST_HOLES: u64 = 16 << 30;

/// What to compare.
pub struct Request<'r> {
    /// Our reading of the volume.
    pub tree: &'r Tree,
    /// The volume as it lies on the disk, without our replay of its journal.
    pub source: &'r Source,
    /// Which items; a directory's own entries are compared where the directory is wanted.
    pub wanted: &'r (dyn Fn(ItemId) -> bool + Sync),
    /// The BLAKE3 hash of contents that were read before; `None` where they are to be read now.
    pub hash_of: &'r (dyn Fn(ItemId) -> Option<Hash> + Sync),
}

/// Reads the volume again with a second reader and compares every path, kind, size and content.
///
/// Directories are shared out among as many workers as the current thread pool has threads; each has a second reader
/// of its own. The result does not depend on their number.
///
/// # Errors
/// When the source is gone.
pub fn cross_check(request: &Request<'_>, progress: &dyn Progress) -> Result<Comparison, SourceGone> {
    let tree = request.tree;
    let driver = tree.fs().driver().name;
    let directories: Vec<ItemId> = tree.items().filter(|&item| tree.kind(item) == Kind::Directory).collect();
    let Some(peer) = PEERS.iter().find(|peer| peer.driver == driver) else {
        let mut none = Comparison::new(None);
        let reason = format!("there is no second reader for {driver}");
        none.unjudged.insert(reason, tree.items().filter(|&item| (request.wanted)(item)).count() as u64);
        return Ok(none);
    };
    progress.stage("reading again", Some(tree.len() as u64), Unit::Items);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut worker = Worker::new(request, peer);
        while let Some(&dir) = directories.get(next.fetch_add(1, Ordering::Relaxed)) {
            if progress.interrupted() {
                break;
            }
            worker.directory(dir, progress)?;
        }
        worker.found.writes_refused = worker.theirs.writes_refused();
        Ok(worker.found)
    };
    let workers = rayon::current_num_threads().min(directories.len()).max(1);
    let results: Vec<Result<Comparison, SourceGone>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all = Comparison::new(Some(peer.name));
    for result in results {
        all.merge(result?);
    }
    Ok(all)
}

struct Worker<'r> {
    request: &'r Request<'r>,
    tree: &'r Tree,
    fs: &'r dyn FileSystem,
    peer: &'r Peer,
    theirs: Guarded<'r>,
    found: Comparison,
}

impl<'r> Worker<'r> {
    fn new(request: &'r Request<'r>, peer: &'r Peer) -> Self {
        let tree = request.tree;
        let theirs = Guarded::new(peer, request.source.clone());
        Worker { request, tree, fs: &**tree.fs(), peer, theirs, found: Comparison::new(Some(peer.name)) }
    }

    /// Compares the entries of a directory, and the contents of its files. The root stands for itself.
    fn directory(&mut self, dir: ItemId, progress: &dyn Progress) -> Result<(), SourceGone> {
        let children: Vec<ItemId> = self.tree.children(dir).filter(|&item| (self.request.wanted)(item)).collect();
        if children.is_empty() && !(self.request.wanted)(dir) {
            return Ok(());
        }
        let path = self.tree.path(dir);
        let listed = self.theirs.call(|reader| reader.list(&path));
        let seen = match listed {
            Ok(seen) => seen,
            Err(refusal) => return self.refused_directory(dir, children, refusal),
        };
        if dir == ROOT && (self.request.wanted)(dir) {
            self.found.add(Vec::new(), Verdict::Agrees);
        }
        let mut by_name: HashMap<&[u8], &Seen> = seen.iter().map(|seen| (seen.name.as_slice(), seen)).collect();
        let nodes = self.tree.nodes(&children)?;
        for (&item, node) in children.iter().zip(&nodes) {
            let verdict = match by_name.remove(self.tree.name(item)) {
                Some(seen) => self.item(item, node.as_ref(), seen)?,
                None => Verdict::Differs(Difference::Missing),
            };
            let verdict = self.excuse(item, node.as_ref(), verdict)?;
            self.found.add(self.tree.path(item), verdict);
            progress.advance(1);
        }
        if (self.request.wanted)(dir) {
            let ours: Vec<&[u8]> = self.tree.children(dir).map(|item| self.tree.name(item)).collect();
            by_name.retain(|name, _| !ours.contains(name));
            self.extra(dir, by_name.into_keys())?;
        }
        Ok(())
    }

    /// Where the second reader can not list a directory, nothing is known of what it holds.
    fn refused_directory(&mut self, dir: ItemId, children: Vec<ItemId>, refusal: Refusal) -> Result<(), SourceGone> {
        let verdict = self.excuse(dir, None, of_refusal(refusal))?;
        let reason = match &verdict {
            Verdict::CannotJudge { reason } => reason.clone(),
            _ => "the directory is refused".into(),
        };
        // Any other directory was compared as an entry of its own directory.
        if dir == ROOT || matches!(verdict, Verdict::Differs(_)) {
            self.found.add(self.tree.path(dir), verdict);
        }
        for item in children {
            self.found.add(self.tree.path(item), Verdict::CannotJudge { reason: reason.clone() });
        }
        Ok(())
    }

    /// Names that only the second reader lists.
    fn extra<'n>(&mut self, dir: ItemId, names: impl Iterator<Item = &'n [u8]>) -> Result<(), SourceGone> {
        for name in names {
            let verdict = self.excuse(dir, None, Verdict::Differs(Difference::Extra))?;
            let mut path = self.tree.path(dir);
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.found.add(path, verdict);
        }
        Ok(())
    }

    /// Compares one item that both list.
    fn item(&mut self, item: ItemId, node: Option<&Node>, seen: &Seen) -> Result<Verdict, SourceGone> {
        let Some(node) = node else { return Ok(cannot("nothing is left of what it names")) };
        if node.kind != seen.kind {
            return Ok(Verdict::Differs(Difference::Kind(node.kind, seen.kind)));
        }
        if let Some(theirs) = seen.size.filter(|&theirs| node.kind == Kind::File && theirs != node.size) {
            return Ok(Verdict::Differs(Difference::Size(node.size, theirs)));
        }
        if node.kind != Kind::File && node.kind != Kind::Symlink {
            return Ok(Verdict::Agrees);
        }
        self.content(item, node)
    }

    /// Compares what a file, or the target of a link, holds.
    fn content(&mut self, item: ItemId, node: &Node) -> Result<Verdict, SourceGone> {
        let content = Content::open(self.fs, node)?;
        let stored: u64 = content.mapping().extents.iter().map(|extent| extent.len).sum();
        if node.size.saturating_sub(stored) > MOST_HOLES {
            return Ok(cannot("holes too large to read as zeros"));
        }
        let ours = match (self.request.hash_of)(item) {
            Some(hash) => hash,
            None => match hash(&content)? {
                Some(hash) => hash,
                None => return Ok(cannot("some of its bytes are lost")),
            },
        };
        let path = self.tree.path(item);
        let (mut hasher, mut len) = (blake3::Hasher::new(), 0);
        let read = self.theirs.call(|reader| {
            reader.read(&path, node.kind, &mut |piece| {
                hasher.update(piece);
                len += piece.len() as u64;
                if len > node.size { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        let theirs = hasher.finalize();
        Ok(match read {
            Err(refusal) => of_refusal(refusal),
            Ok(()) if len != node.size => Verdict::Differs(Difference::Size(node.size, len)),
            Ok(()) if theirs != ours => {
                Verdict::Differs(Difference::Content(ours.to_hex().to_string(), theirs.to_hex().to_string()))
            }
            Ok(()) => {
                self.found.bytes += len;
                Verdict::Agrees
            }
        })
    }

    /// Turns a difference into [`Verdict::CannotJudge`] where damage, or a known limit of the second reader, on the
    /// item or on its way from the root explains it.
    fn excuse(&self, item: ItemId, node: Option<&Node>, verdict: Verdict) -> Result<Verdict, SourceGone> {
        if !matches!(verdict, Verdict::Differs(_)) {
            return Ok(verdict);
        }
        let summary = self.fs.summary();
        if !summary.decisions.is_empty() {
            return Ok(cannot("the volume is damaged"));
        }
        if summary.state.contains(&"needs recovery") {
            return Ok(cannot("the journal was not empty: the two replay it each in its own way"));
        }
        if let Some(reason) = node.and_then(|node| self.content_excuse(node).transpose()).transpose()? {
            return Ok(cannot(reason));
        }
        let mut at = item;
        loop {
            if let Some(reason) = self.way_excuse(at)? {
                return Ok(cannot(reason));
            }
            if at == ROOT {
                return Ok(verdict);
            }
            at = self.tree.parent(at);
        }
    }

    /// What excuses a difference in a file's contents.
    fn content_excuse(&self, node: &Node) -> Result<Option<&'static str>, SourceGone> {
        if !matches!(node.kind, Kind::File | Kind::Symlink) {
            return Ok(None);
        }
        let mapping = self.fs.mapping(node)?;
        Ok(if mapping.trust > Trust::Intact { Some("it is damaged") } else { (self.peer.content_limit)(&mapping) })
    }

    /// What excuses a difference at an item and at all below it.
    fn way_excuse(&self, item: ItemId) -> Result<Option<&'static str>, SourceGone> {
        if self.tree.trust(item) > Trust::Intact || self.tree.is_lost_directory(item) {
            return Ok(Some("it is damaged"));
        }
        let Some(node) = self.fs.node(self.tree.id(item))? else { return Ok(Some("it is damaged")) };
        if node.trust > Trust::Intact {
            return Ok(Some("it is damaged"));
        }
        if let Some(limit) = (self.peer.node_limit)(&node) {
            return Ok(Some(limit));
        }
        if node.kind != Kind::Directory {
            return Ok(None);
        }
        let judged = self.fs.entries(&node, &mut |_| ControlFlow::Continue(()))?;
        Ok((judged.trust > Trust::Intact).then_some("its directory is damaged"))
    }
}

/// The BLAKE3 hash of our reading; `None` where bytes are lost.
fn hash(content: &Content<'_>) -> Result<Option<Hash>, SourceGone> {
    let (mut hasher, mut lost) = (blake3::Hasher::new(), Spans::new());
    let mut buf = vec![0; PIECE.min(content.size() as usize)];
    let mut at = 0;
    while at < content.size() && lost.is_empty() {
        let read = content.read(at, &mut buf, &mut lost)?;
        hasher.update(&buf[..read]);
        at += read as u64;
    }
    Ok(lost.is_empty().then(|| hasher.finalize()))
}

fn cannot(reason: &str) -> Verdict {
    Verdict::CannotJudge { reason: reason.into() }
}

fn of_refusal(refusal: Refusal) -> Verdict {
    match refusal {
        Refusal::Limit(reason) => Verdict::CannotJudge { reason },
        Refusal::Fault(why) => Verdict::Differs(Difference::Refused(why)),
    }
}
