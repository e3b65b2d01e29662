//! What to do with what stands at a path already.

use super::Hashes;
use super::hash::Hasher;
use super::job::{Halt, Job};
use super::lane::{ContentRead, Copying, Lane};
use super::packs;
use super::previous::Proof;
use crate::bytes::{Buffer, Span};
use crate::manifest::Digests;
use crate::node::Kind;
use crate::progress::Progress;
use crate::sink::{Committed, Entry, Failure, ReadBack, Standing};

/// Bytes of the destination read at a time.
const BUFFER: usize = 256 << 10;

/// True if what stands there is what `entry` would make, attributes aside.
pub fn is_same_special(entry: &Entry<'_>, standing: &Standing) -> bool {
    let node = entry.node;
    standing.kind == node.kind
        && match node.kind {
            Kind::Symlink => standing.target == entry.target,
            Kind::CharDevice | Kind::BlockDevice => standing.device == node.device,
            Kind::Fifo | Kind::Socket => true,
            Kind::File | Kind::Directory | Kind::Unknown => false,
        }
}

/// Whether `entry` may take the place of what stands there.
pub fn may_replace(entry: &Entry<'_>, standing: &Standing) -> Result<(), Failure> {
    match standing.kind {
        Kind::Directory => Err(Failure::Stands("a directory")),
        _ if entry.overwrite => Ok(()),
        Kind::File if entry.node.kind == Kind::File => Err(Failure::Stands("a different file")),
        Kind::File => Err(Failure::Stands("a file")),
        Kind::Symlink => Err(Failure::Stands("a different link")),
        _ => Err(Failure::Stands("something else")),
    }
}

/// True if what the destination tells of a file of the same size is what it told, or was told, when the file was copied.
/// Times are compared in seconds: more is not kept everywhere.
pub fn is_recognised(entry: &Entry<'_>, there: &Standing, proof: &Proof) -> bool {
    if let Some(etag) = &proof.etag {
        return there.etag.as_ref() == Some(etag);
    }
    let was_set = !proof.unkept.iter().any(|unkept| unkept.what == "times");
    match entry.node.times.modified.filter(|_| was_set) {
        Some(modified) => modified.secs == there.modified.secs,
        // Neither of them is told: then the size and our own name for it have to do.
        None => true,
    }
}

/// Which bytes of a file are hashed.
pub enum Cover<'a> {
    /// All of them.
    Whole,
    /// These alone.
    Only(&'a [Span]),
}

/// Hashes what stands in the destination. `None` if the user asked to stop.
pub fn hash_standing(
    file: &mut dyn ReadBack,
    size: u64,
    cover: &Cover<'_>,
    hashes: Hashes,
    progress: &dyn Progress,
) -> std::io::Result<Option<Digests>> {
    let (mut hasher, mut buffer) =
        (Hasher::new(hashes), Buffer::new(BUFFER.min(size.max(1).next_power_of_two() as usize)));
    let whole = [Span::new(0, size)];
    let spans = match cover {
        Cover::Whole => &whole[..],
        Cover::Only(spans) => spans,
    };
    for span in spans {
        let mut at = span.start;
        while at < span.end {
            let len = (span.end - at).min(buffer.len() as u64) as usize;
            match file.read_at(at, &mut buffer[..len])? {
                0 => return Ok(Some(Digests::default())),
                n => {
                    hasher.update(&buffer[..n]);
                    at += n as u64;
                }
            }
            if progress.interrupted() {
                return Ok(None);
            }
        }
    }
    Ok(Some(hasher.finish()))
}

impl Job<'_> {
    /// What the file's content is, if a file of the same size that stands there has the same. An earlier manifest proves it
    /// without reading the source; without one both are read.
    pub fn compare_standing(
        &self,
        it: &Copying<'_, '_>,
        lane: &mut Lane,
        there: &Standing,
    ) -> Result<Option<(ContentRead, Committed)>, Halt> {
        let Copying { file, entry, content, runs } = *it;
        let hashes = self.hashes;
        let unreadable = |error: std::io::Error| Failure::of("reading what stands there", error);
        let proof = self.proof(it);
        if let Some(proof) = proof.as_ref().filter(|proof| proof.packed.is_none() && self.sink.limits().is_far)
            && self.has_all_hashes(proof)
            && is_recognised(entry, there, proof)
        {
            return Ok(Some((ContentRead::whole(proof.digests), proof.committed())));
        }
        let mut standing = self.sink.read_back(entry.path)?;
        if let Some(proof) = proof {
            let found = hash_standing(&mut *standing, entry.node.size, &Cover::Whole, hashes, self.progress)
                .map_err(unreadable)?;
            let digests = found.ok_or(Halt::Interrupted)?;
            if digests.blake3 == proof.digests.blake3 {
                let etag = there.etag.clone();
                return Ok(Some((ContentRead::whole(digests), Committed { unkept: proof.unkept, etag, packed: None })));
            }
        }
        let read = self.read_file(file, content, runs, lane, None)?;
        let (cover, wanted) = match read.data_blake3 {
            Some(hash) => (Cover::Only(entry.data), Some(hash)),
            None => (Cover::Whole, read.digests.blake3),
        };
        let found =
            hash_standing(&mut *standing, entry.node.size, &cover, hashes, self.progress).map_err(unreadable)?;
        if found.ok_or(Halt::Interrupted)?.blake3 != wanted {
            return Ok(None);
        }
        // Nothing proves that its attributes were restored: the run that made it may have been killed.
        let unkept = self.sink.restore(entry)?;
        Ok(Some((read, Committed { unkept, etag: there.etag.clone(), packed: None })))
    }

    /// The same for a file that an earlier run sent in an archive, which is still there.
    pub fn is_in_pack(&self, it: &Copying<'_, '_>) -> Result<Option<(ContentRead, Committed)>, Failure> {
        let Some(proof) = self.proof(it).filter(|proof| self.has_all_hashes(proof)) else { return Ok(None) };
        let Some(packed) = proof.packed.as_ref().filter(|_| self.sink.limits().packs) else { return Ok(None) };
        let there = packs::standing(packed, it.entry.node.size, |path| self.sink.standing(path))?;
        // An archive is named by its contents: where the store has no other name for them, that will do.
        let is_it = there.is_some_and(|there| proof.etag.is_none() || proof.etag == there.etag);
        Ok(is_it.then(|| (ContentRead::whole(proof.digests), proof.committed())))
    }

    fn proof(&self, it: &Copying<'_, '_>) -> Option<Proof> {
        self.previous?.proof(it.entry.path, self.identity(it.file.part), it.entry.node)
    }

    fn has_all_hashes(&self, proof: &Proof) -> bool {
        self.hashes.algorithms().all(|algorithm| proof.digests.get(algorithm).is_some())
    }
}
