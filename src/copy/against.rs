//! Proving a copy's manifest against the image it was made of: [`verify_image`].

use std::collections::HashMap;
use std::io::Read;

use rayon::prelude::*;

use super::hash::Hasher;
use super::previous::{Key, key};
use super::verify::{Comparison, Found, check_records};
use super::{Difference, Error, Hashes, Part, Verified, What};
use crate::bytes::{Buffer, Spans};
use crate::fs::content::{Content, Run};
use crate::manifest::{Digests, Line, Record};
use crate::name::escaped;
use crate::node::{Kind, Node};
use crate::progress::Progress;
use crate::source::SourceGone;
use crate::tree::ItemId;

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

/// Reads the files of `parts` that a manifest has records of, and compares; `each` is told every difference.
///
/// # Errors
/// Where the manifest can not be read.
pub fn verify_image(
    parts: &[Part<'_>],
    manifest: Box<dyn Read + '_>,
    threads: Option<usize>,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&Difference),
) -> Result<Verified, Error> {
    let image = Image { parts, places: places(parts) };
    let mut verified = Verified::default();
    let check =
        |lines: &[Line]| lines.par_iter().map(|line| Found::of(line, |record| image.check(record, progress))).collect();
    check_records(manifest, threads.unwrap_or(0), progress, &mut verified, each, &check)?;
    verified.interrupted = progress.interrupted();
    Ok(verified)
}

struct Image<'a> {
    parts: &'a [Part<'a>],
    /// Part and item of every path.
    places: HashMap<Key, (usize, ItemId)>,
}

/// What tells a path of one volume from those of others.
fn place(volume: &str, path: &[u8]) -> Key {
    key(&[volume.as_bytes(), b"\0", path].concat())
}

fn places(parts: &[Part<'_>]) -> HashMap<Key, (usize, ItemId)> {
    let mut places = HashMap::new();
    for (n, part) in parts.iter().enumerate() {
        places.extend(part.tree.items().map(|item| (place(&part.volume, &part.tree.path(item)), (n, item))));
    }
    places
}

impl Image<'_> {
    fn check(&self, record: &Record, progress: &dyn Progress) -> Found {
        let mut comparison = Comparison::of(record);
        let path = match &record.source {
            Some(source) => &source[..],
            None if record.path == b"." => b"",
            None => &record.path[..],
        };
        let Some((part, item)) = self.places.get(&place(&record.volume, path)) else {
            comparison.note(What::Missing);
            return comparison.found(0, false);
        };
        let tree = self.parts[*part].tree;
        let node = tree.nodes(&[*item]).map(|nodes| nodes.into_iter().next().flatten());
        match node {
            Err(gone) => comparison.note(What::Unreadable(gone.to_string())),
            // A directory of which nothing but its name is left.
            Ok(None) => {}
            Ok(Some(node)) if node.kind != record.kind => {
                comparison.differs("kind", &format!("{:?}", record.kind), &format!("{:?}", node.kind));
            }
            Ok(Some(node)) => {
                if let Err(gone) = self.compare(*part, &node, &mut comparison, progress) {
                    comparison.note(What::Unreadable(gone.to_string()));
                }
            }
        }
        let unhashed = record.kind == Kind::File && record.digests == Digests::default();
        comparison.found(record.size, unhashed && record.data_blake3.is_none())
    }

    fn compare(
        &self,
        part: usize,
        node: &Node,
        comparison: &mut Comparison<'_>,
        progress: &dyn Progress,
    ) -> Result<(), SourceGone> {
        let (record, fs) = (comparison.record, self.parts[part].tree.fs());
        comparison.differs("mode", &format!("{:04o}", record.mode), &format!("{:04o}", node.mode));
        let owner = |uid: u32, gid: u32| format!("{uid}:{gid}");
        comparison.differs("owner", &owner(record.uid, record.gid), &owner(node.uid, node.gid));
        if record.times != node.times {
            comparison.differs("times", &format!("{:?}", record.times), &format!("{:?}", node.times));
        }
        match node.kind {
            Kind::Symlink => {
                let target = Content::open(&**fs, node)?.read_all(BUFFER)?.map(|(target, _)| target);
                let shown = |target: Option<&[u8]>| escaped(target.unwrap_or_default()).to_string();
                comparison.differs("target", &shown(record.target.as_deref()), &shown(target.as_deref()));
            }
            Kind::File if record.size != node.size => {
                comparison.differs("size", &record.size.to_string(), &node.size.to_string());
            }
            Kind::File => {
                let content = Content::open(&**fs, node)?;
                comparison.digests(&hash(&content, record, progress)?);
                progress.advance(node.size);
                progress.files(1);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The hashes that a record has, of a file of the image; of its data alone where the record has no more.
fn hash(content: &Content<'_>, record: &Record, progress: &dyn Progress) -> Result<Digests, SourceGone> {
    let mut hashes = Hashes::default();
    record.digests.algorithms().for_each(|algorithm| hashes.add(algorithm));
    let (mut hasher, mut buffer, mut lost) = (Hasher::new(hashes), Buffer::new(BUFFER), Spans::new());
    for run in content.runs() {
        let mut span = run.span();
        if !matches!(run, Run::Data(..)) {
            if record.data_blake3.is_none() {
                hasher.zeros(span.len(), progress);
            }
            continue;
        }
        while span.start < span.end && !progress.interrupted() {
            let len = span.len().min(BUFFER as u64) as usize; // of the buffer
            content.read(span.start, &mut buffer[..len], &mut lost)?;
            hasher.update(&buffer[..len]);
            span.start += len as u64;
        }
    }
    Ok(hasher.finish())
}
