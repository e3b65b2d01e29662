//! Reading one chain: from a file's first cluster through the table, in the copy that makes sense.

use super::{Cluster, Link, Links, Run, Runs, Table};
use crate::node::Trust;
use crate::source::SourceGone;

/// Steps that [`follow`] may take beyond those of a healthy chain, per cluster of it, while it tries copies.
const PATIENCE: u64 = 16;

/// Why a chain is not what its file needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// It runs into a cluster that the table calls free.
    Free(Cluster),
    /// It runs into a cluster that the table calls bad.
    Bad(Cluster),
    /// An entry names no cluster of the volume.
    Invalid(Cluster, u32),
    /// An entry can not be read.
    Unreadable(Cluster),
    /// It comes back to a cluster that it had before.
    Loop(Cluster),
    /// It ends before the file does.
    Short,
    /// It goes on behind the file's end.
    Long,
}

/// A file's chain as far as the table tells it.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The clusters, at most as many as asked for.
    pub runs: Runs,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// The copies of the table differ on it, and the one that makes sense was followed.
    pub disputed: bool,
    /// Two copies of the table differ, and both make sense.
    pub ambiguous: bool,
}

impl Chain {
    /// How far contents read along this chain can be trusted, for a file of `need` clusters.
    pub fn trust(&self, need: u32) -> Trust {
        match self.flaw {
            None if self.ambiguous => Trust::Doubtful,
            None if !self.disputed => Trust::Intact,
            _ if self.runs.count() >= need => Trust::Unproven,
            _ => Trust::Partial,
        }
    }
}

/// The chain of a file of `need` clusters that begins at `start`.
///
/// Where copies of the table differ, that copy is followed which gives exactly the length needed; where none does,
/// every way through all copies is tried; else the longest is given, with its flaw. The work is bounded by the length
/// needed, and a loop ends it early.
///
/// # Errors
/// When the source is gone.
pub fn follow(table: &Table, start: Cluster, need: u32) -> Result<Chain, SourceGone> {
    let mut best = walk(table, start, need, Some(0))?;
    if !best.disputed {
        return Ok(best);
    }
    for copy in 1..table.copies() {
        let other = walk(table, start, need, Some(copy))?;
        match (best.flaw, other.flaw) {
            (None, None) => best.ambiguous |= best.runs != other.runs,
            (Some(_), None) => best = other,
            _ => {}
        }
    }
    if best.flaw.is_none() {
        return Ok(Chain { disputed: true, ..best });
    }
    let mixed = walk(table, start, need, None)?;
    let better = mixed.flaw.is_none() || mixed.runs.count() > best.runs.count();
    Ok(Chain { disputed: true, ..if better { mixed } else { best } })
}

/// One walk: through the given copy of the table, or through all of them with every way tried.
fn walk(table: &Table, start: Cluster, need: u32, copy: Option<usize>) -> Result<Chain, SourceGone> {
    let mut walk = Walk { table, need, copy, runs: Runs::default(), branches: Vec::new(), disputed: false };
    let (mut at, mut best) = (Some(start), None::<Chain>);
    let mut patience = u64::from(need) * PATIENCE + 4096;
    while let Some(cluster) = at {
        let flaw = match walk.from(cluster, &mut patience)? {
            None => return Ok(walk.chain(None)),
            Some(flaw) => flaw,
        };
        if best.as_ref().is_none_or(|best| best.runs.count() < walk.runs.count()) {
            best = Some(walk.chain(Some(flaw)));
        }
        at = if patience == 0 { None } else { walk.turn_back() };
    }
    let best = best.unwrap_or_default();
    Ok(Chain { disputed: walk.disputed, ..best })
}

struct Branch {
    /// Clusters that stood before it.
    count: u32,
    next: Cluster,
}

struct Walk<'t> {
    table: &'t Table,
    need: u32,
    copy: Option<usize>,
    runs: Runs,
    branches: Vec<Branch>,
    disputed: bool,
}

impl Walk<'_> {
    /// Walks on from a cluster; `None` if the chain ends exactly where the file does.
    fn from(&mut self, start: Cluster, patience: &mut u64) -> Result<Option<Flaw>, SourceGone> {
        // Brent's method: a landmark that moves on after 1, 2, 4, ... steps is met again by whoever goes in circles.
        let (mut at, mut landmark, mut steps, mut stride) = (start, None, 0u32, 1u32);
        loop {
            if landmark == Some(at) {
                return Ok(Some(self.cut_loop()));
            }
            if steps == stride {
                (landmark, steps, stride) = (Some(at), 0, stride.saturating_mul(2));
            }
            steps += 1;
            *patience = patience.saturating_sub(1);
            self.runs.push(at);
            let links = self.table.links(at)?;
            self.disputed |= links.differ();
            let links = match self.copy {
                Some(copy) if links.differ() => Links::of(self.table.link(copy, at)?),
                _ => links,
            };
            if self.runs.count() >= self.need {
                let ends = links.iter().any(|link| link == Link::End);
                // A chain that ends has no circle, unless its way led through more than one copy.
                if (!ends || self.disputed) && self.repeats(patience) {
                    return Ok(Some(self.cut_loop()));
                }
                return Ok(if ends { None } else { Some(flaw_of(at, links.first(), Flaw::Long)) });
            }
            let mut options = links.iter().filter_map(next_of);
            let Some(next) = options.next().filter(|_| *patience > 0) else {
                return Ok(Some(flaw_of(at, links.first(), Flaw::Short)));
            };
            let count = self.runs.count();
            self.branches.extend(options.map(|next| Branch { count, next }));
            at = next;
        }
    }

    /// True if a cluster was met twice. That takes as long as some steps do.
    fn repeats(&self, patience: &mut u64) -> bool {
        *patience = patience.saturating_sub(self.runs.runs().len() as u64);
        let mut runs: Vec<Run> = self.runs.runs().to_vec();
        runs.sort_unstable_by_key(|run| run.first);
        runs.windows(2).any(|pair| pair[0].first.number() + pair[0].len > pair[1].first.number())
    }

    /// Drops what a loop repeats.
    fn cut_loop(&mut self) -> Flaw {
        let mut seen = std::collections::HashSet::new();
        let repeated = self.runs.clusters().enumerate().find(|(_, cluster)| !seen.insert(*cluster));
        // The landmark was met twice; where the second time was not yet pushed, the whole chain is kept.
        let (count, cluster) = repeated.map_or((self.runs.count(), None), |(i, c)| (i as u32, Some(c)));
        self.runs.truncate(count);
        let cluster = cluster.or(self.runs.last());
        cluster.map_or(Flaw::Short, Flaw::Loop)
    }

    fn turn_back(&mut self) -> Option<Cluster> {
        let branch = self.branches.pop()?;
        self.runs.truncate(branch.count);
        Some(branch.next)
    }

    fn chain(&self, flaw: Option<Flaw>) -> Chain {
        Chain { runs: self.runs.clone(), flaw, disputed: self.disputed, ambiguous: false }
    }
}

fn next_of(link: Link) -> Option<Cluster> {
    match link {
        Link::Next(next) => Some(next),
        _ => None,
    }
}

fn flaw_of(at: Cluster, link: Link, otherwise: Flaw) -> Flaw {
    match link {
        Link::Free => Flaw::Free(at),
        Link::Bad => Flaw::Bad(at),
        Link::Invalid(value) => Flaw::Invalid(at, value),
        Link::Unreadable => Flaw::Unreadable(at),
        Link::Next(_) | Link::End => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Layout, Width};
    use super::*;
    use crate::source::MemorySource;

    /// A FAT16 with a copy for each list of entries, from cluster 2 on.
    fn table(copies: &[&[u16]]) -> Table {
        let count = copies[0].len();
        let bytes: Vec<u8> =
            copies.iter().flat_map(|copy| [0xfff8, 0xffff].iter().chain(*copy).flat_map(|e| e.to_le_bytes())).collect();
        let offsets: Vec<u64> = (0..copies.len()).map(|i| (i * (count + 2) * 2) as u64).collect();
        let layout = Layout::new(4096, 512, count as u32).unwrap();
        Table::new(Arc::new(MemorySource(bytes)), Width::Sixteen, layout, &offsets)
    }

    fn numbers(table: &Table, need: u32) -> (Vec<u32>, Option<Flaw>) {
        let chain = follow(table, table.layout().cluster(2).unwrap(), need).unwrap();
        (chain.runs.clusters().map(Cluster::number).collect(), chain.flaw)
    }

    #[test]
    fn the_copy_that_makes_the_length_right_is_followed() {
        // The first copy leads astray at cluster 3, the second at cluster 2.
        let table = table(&[&[3, 9, 5, 0xffff, 0, 0, 0, 0xffff], &[0, 4, 5, 0xffff, 0, 0, 0, 0xffff]]);
        assert_eq!(numbers(&table, 4), (vec![2, 3, 4, 5], None));
        assert_eq!(numbers(&table, 3), (vec![2, 3, 9], None));
    }

    #[test]
    fn a_loop_ends_where_it_closes() {
        let table = table(&[&[3, 4, 5, 3, 0, 0]]);
        let (clusters, flaw) = numbers(&table, 1000);
        assert_eq!(clusters, [2, 3, 4, 5]);
        assert!(matches!(flaw, Some(Flaw::Loop(_))));
    }

    #[test]
    fn a_loop_is_no_way_to_reach_the_length() {
        for need in 5..12 {
            let (clusters, flaw) = numbers(&table(&[&[3, 4, 5, 2, 0, 0]]), need);
            assert_eq!((clusters, matches!(flaw, Some(Flaw::Loop(_)))), (vec![2, 3, 4, 5], true), "{need}");
        }
    }

    #[test]
    fn flaws_are_named() {
        let free = table(&[&[3, 0, 0, 0]]);
        assert_eq!(numbers(&free, 3), (vec![2, 3], Some(Flaw::Free(free.layout().cluster(3).unwrap()))));
        assert_eq!(numbers(&table(&[&[3, 0xffff, 0, 0]]), 3), (vec![2, 3], Some(Flaw::Short)));
        assert_eq!(numbers(&table(&[&[3, 4, 0xffff, 0]]), 2), (vec![2, 3], Some(Flaw::Long)));
    }
}
