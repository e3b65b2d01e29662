//! Broken directories pieced together: which part of a directory comes behind which.
//!
//! A long name that one cluster begins and another ends proves it. Where names happen to end with their cluster, the
//! nearest part behind with names of the same kind is taken.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::fs::cluster::{Cluster, Runs};
use crate::fs::fat::Fat;
use crate::fs::fat::dir::Place;
use crate::fs::fat::disk::ENTRY;
use crate::fs::fat::name::{Fit, LongName};
use crate::source::SourceGone;

/// More parts than this are joined only where long names prove it.
const MOST_COMPARED: usize = 4096;

struct Piece {
    start: Cluster,
    runs: Runs,
    first_slot: [u8; ENTRY],
    first_name: Vec<u8>,
    last_name: Vec<u8>,
    pending: LongName,
    ended: bool,
}

/// The clusters of each directory in `open`, and of parts that belong to no known directory, by first cluster.
pub fn join(fat: &Fat, open: &[Cluster], parts: &[Cluster]) -> Result<HashMap<Cluster, Runs>, SourceGone> {
    let mut pieces = Vec::new();
    let mut taken = HashSet::new();
    for &start in open.iter().chain(parts) {
        if !taken.contains(&start) {
            let piece = read(fat, start)?;
            taken.extend(piece.runs.clusters());
            pieces.push(piece);
        }
    }
    let is_part: HashSet<Cluster> = parts.iter().copied().collect();
    let next = successors(&pieces, &is_part);
    let behind: HashSet<usize> = next.values().copied().collect();
    let mut joined = HashMap::new();
    for (i, piece) in pieces.iter().enumerate().filter(|(i, _)| !behind.contains(i)) {
        let (mut runs, mut at) = (piece.runs.clone(), i);
        while let Some(&following) = next.get(&at) {
            runs.extend(&pieces[following].runs);
            at = following;
        }
        joined.insert(piece.start, runs);
    }
    Ok(joined)
}

fn read(fat: &Fat, start: Cluster) -> Result<Piece, SourceGone> {
    let (mut first_name, mut last_name) = (Vec::new(), Vec::new());
    let walked = fat.walk(Place::Chain(start), &mut |slot| {
        if !slot.entry.is_deleted() {
            last_name = fat.name_of(&slot.long, &slot.entry);
            if first_name.is_empty() || slot.index < 2 {
                first_name.clone_from(&last_name);
            }
        }
        ControlFlow::Continue(())
    })?;
    let first_slot = fat.first_slot(start)?;
    let (runs, pending, ended) = (walked.runs, walked.pending, walked.ended);
    Ok(Piece { start, runs, first_slot, first_name, last_name, pending, ended })
}

/// For each piece the one that comes behind it. No piece comes behind two, and none behind itself.
fn successors(pieces: &[Piece], is_part: &HashSet<Cluster>) -> HashMap<usize, usize> {
    let mut next = HashMap::new();
    let mut placed: HashSet<usize> = HashSet::new();
    let followers = |fit: Fit, from: &Piece| -> Vec<usize> {
        let fits = |to: &Piece| {
            is_part.contains(&to.start) && to.start != from.start && from.pending.fits(&to.first_slot) == fit
        };
        (0..pieces.len()).filter(|&to| fits(&pieces[to])).collect()
    };
    for (i, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.ended) {
        let proven: Vec<usize> = followers(Fit::Proven, piece).into_iter().filter(|to| !placed.contains(to)).collect();
        // Two names may share a checksum; the nearer part behind is the likelier one.
        let nearest = proven.into_iter().min_by_key(|&to| distance(piece, &pieces[to]));
        if let Some(to) = nearest.filter(|&to| !leads_to(&next, to, i)) {
            placed.insert(to);
            next.insert(i, to);
        }
    }
    if pieces.len() > MOST_COMPARED {
        return next;
    }
    let mut pairs = Vec::new();
    for (i, piece) in pieces.iter().enumerate().filter(|(i, piece)| !piece.ended && !next.contains_key(i)) {
        for to in followers(Fit::Possible, piece).into_iter().filter(|to| !placed.contains(to)) {
            pairs.push((distance(piece, &pieces[to]), likeness(piece, &pieces[to]), i, to));
        }
    }
    // Writers take clusters in ascending order: the nearest part behind is the likeliest.
    pairs.sort_unstable();
    for (_, likeness, from, to) in pairs {
        if likeness > 1 && !next.contains_key(&from) && !placed.contains(&to) && !leads_to(&next, to, from) {
            placed.insert(to);
            next.insert(from, to);
        }
    }
    next
}

/// True if `to` comes somewhere behind `from`.
fn leads_to(next: &HashMap<usize, usize>, mut from: usize, to: usize) -> bool {
    while from != to {
        match next.get(&from) {
            Some(&following) => from = following,
            None => return false,
        }
    }
    true
}

/// How far a part lies behind a piece; a part in front counts as further than any behind.
fn distance(from: &Piece, to: &Piece) -> u64 {
    let last = from.runs.last().map_or(0, |last| u64::from(last.number()));
    u64::from(to.start.number()).checked_sub(last).unwrap_or(u64::from(u32::MAX) * 2)
}

/// How alike the names at the seam are: how far they agree from the start, and their extensions.
fn likeness(from: &Piece, to: &Piece) -> usize {
    let (a, b) = (&from.last_name, &to.first_name);
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let extension = |name: &[u8]| name.rsplitn(2, |&b| b == b'.').next().map(<[u8]>::to_vec);
    common * 2 + usize::from(extension(a) == extension(b))
}
