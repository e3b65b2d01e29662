//! Broken directories pieced together: which part of a directory comes behind which.
//!
//! A set of entries that one cluster begins and another ends is proved by its checksum. Where sets happen to end with
//! their cluster, the nearest part behind is taken.

use std::collections::{HashMap, HashSet};

use crate::bytes::Spans;
use crate::fs::cluster::{Cluster, Runs};
use crate::fs::exfat::Exfat;
use crate::fs::exfat::disk::{ENTRY, FILE, Slot, file_entry, set_checksum};
use crate::source::SourceGone;

/// Most entries of a set that can stand in the next cluster.
const MOST: usize = 18;

/// The clusters of each directory in `open`, which miss as many as told, with parts that belong to none.
pub fn join(
    exfat: &Exfat,
    open: &[(Cluster, Runs, u32)],
    parts: &[Cluster],
) -> Result<HashMap<Cluster, Runs>, SourceGone> {
    let (mut joined, mut taken) = (HashMap::new(), HashSet::new());
    for (start, runs, missing) in open {
        let (mut runs, mut missing) = (runs.clone(), *missing);
        while missing > 0 {
            let Some(last) = runs.last() else { break };
            let left: Vec<Cluster> = parts.iter().copied().filter(|part| !taken.contains(part)).collect();
            let Some(next) = follower(exfat, last, &left)? else { break };
            taken.insert(next);
            runs.push(next);
            missing -= 1;
        }
        joined.insert(*start, runs);
    }
    Ok(joined)
}

/// The part that comes behind a cluster.
fn follower(exfat: &Exfat, last: Cluster, parts: &[Cluster]) -> Result<Option<Cluster>, SourceGone> {
    let cut = cut_set(exfat, last)?;
    let mut nearest = None::<(u64, Cluster)>;
    for &part in parts {
        let first = slots(exfat, part, 0, MOST)?;
        if cut.is_empty() {
            let begins = first.first().is_some_and(|slot| slot[0] == FILE);
            let apart = u64::from(part.number()).checked_sub(last.number().into()).unwrap_or(u64::MAX);
            if begins && nearest.is_none_or(|(known, _)| apart < known) {
                nearest = Some((apart, part));
            }
        } else if completes(&cut, &first) {
            return Ok(Some(part));
        }
    }
    Ok(nearest.map(|(_, part)| part))
}

/// The entries of a set that a cluster begins and does not end; none where its last set is whole.
fn cut_set(exfat: &Exfat, cluster: Cluster) -> Result<Vec<Slot>, SourceGone> {
    let count = (exfat.layout().cluster_size() / ENTRY as u64) as usize;
    let tail = slots(exfat, cluster, count.saturating_sub(MOST + 1), MOST + 1)?;
    let Some(begin) = tail.iter().rposition(|slot| slot[0] == FILE) else { return Ok(Vec::new()) };
    let set = &tail[begin..];
    let wanted = usize::from(file_entry(set[0]).SecondaryCount) + 1;
    Ok(if set.len() < wanted { set.to_vec() } else { Vec::new() })
}

/// True if a set that was begun is completed by these entries.
fn completes(begun: &[Slot], first: &[Slot]) -> bool {
    let wanted = usize::from(file_entry(begun[0]).SecondaryCount) + 1;
    let Some(rest) = first.get(..wanted.saturating_sub(begun.len())) else { return false };
    let set: Vec<Slot> = begun.iter().chain(rest).copied().collect();
    set_checksum(&set) == file_entry(begun[0]).SetChecksum.get()
}

fn slots(exfat: &Exfat, cluster: Cluster, from: usize, count: usize) -> Result<Vec<Slot>, SourceGone> {
    let start = exfat.layout().offset(cluster) + (from * ENTRY) as u64;
    let end = exfat.layout().span(cluster).end.min(start + (count * ENTRY) as u64);
    let mut bytes = vec![0; end.saturating_sub(start) as usize];
    exfat.source.read(start, &mut bytes, &mut Spans::new())?;
    Ok(bytes.chunks_exact(ENTRY).filter_map(|slot| slot.try_into().ok()).collect())
}
