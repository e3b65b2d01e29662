//! All chains of a volume weighed against each other: whose cluster is whose.
//!
//! Files are added as [`Claim`]s. Those whose chains have exactly the length their files need own their clusters.
//! [`Allocation::settle`] then pieces the broken ones together from what nobody owns, and doubts those that share a
//! cluster. What is used and owned by none is lost.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::ending::{Ending, ending};
use super::{Chain, Cluster, ClusterSet, Flaw, Layout, Link, Runs, Table, follow};
use crate::node::{NodeId, Trust};
use crate::source::SourceGone;

/// Steps spent on one broken chain, beyond 64 for each of its clusters.
const PATIENCE: u64 = 1 << 16;

/// Loose chains that are tried as one file's end.
const MOST_TAILS: usize = 256;

/// What may be guessed while a way for a broken chain is searched.
#[derive(Clone, Copy)]
struct Means {
    /// The end may be a loose chain.
    tails: bool,
    /// The cluster behind may be taken although something else leads to it.
    pointed: bool,
}

/// A file, or a directory, that says which clusters it has.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose.
    pub id: NodeId,
    /// First cluster.
    pub start: Cluster,
    /// How many clusters its size needs.
    pub need: u32,
    /// How many bytes were written to it; 0 where that is not known.
    pub written: u64,
    /// Its clusters, where they are known without the table: a directory was read, or the file is contiguous.
    pub known: Option<Runs>,
    /// What says so is in order: its checksum agrees, where there is one.
    pub proven: bool,
}

/// What was decided about a claim that is not simply in order.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The clusters.
    pub runs: Runs,
    /// How far they can be trusted.
    pub trust: Trust,
    /// What is wrong with the chain in the table.
    pub flaw: Option<Flaw>,
    /// Another that claims one of the clusters too.
    pub shared: Option<(NodeId, Cluster)>,
}

/// Who owns which cluster.
pub struct Allocation<'t> {
    table: &'t Table,
    claims: Vec<Claim>,
    /// For each cluster the claim that owns it, plus one.
    owners: Vec<u32>,
    starts: ClusterSet,
    /// Claims whose chains do not fit their sizes.
    broken: Vec<u32>,
    /// Pairs of claims that share a cluster.
    crossed: BTreeSet<(u32, u32, Cluster)>,
    verdicts: HashMap<NodeId, Verdict>,
    /// How often each copy of the table was right where they differ.
    votes: Vec<u64>,
    /// Clusters in use that exFAT's bitmap tells of; the table tells for FAT.
    bitmap: Option<ClusterSet>,
    heads: Option<HashMap<u32, Vec<Cluster>>>,
}

impl<'t> Allocation<'t> {
    /// Nothing is owned yet. `bitmap` tells which clusters are in use where the table does not.
    pub fn new(table: &'t Table, bitmap: Option<ClusterSet>) -> Self {
        Allocation {
            table,
            claims: Vec::new(),
            owners: vec![0; table.layout().count() as usize + 2],
            starts: ClusterSet::new(table.layout()),
            broken: Vec::new(),
            crossed: BTreeSet::new(),
            verdicts: HashMap::new(),
            votes: vec![0; table.copies()],
            bitmap,
            heads: None,
        }
    }

    fn layout(&self) -> &'t Layout {
        self.table.layout()
    }

    /// Adds a claim: it owns its clusters if its chain is in order and nobody came before.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn add(&mut self, claim: Claim) -> Result<(), SourceGone> {
        let Ok(index) = u32::try_from(self.claims.len()) else { return Ok(()) };
        self.starts.insert(claim.start);
        let known = claim.known.is_some();
        let chain = match &claim.known {
            Some(runs) => Chain { runs: runs.clone(), ..Chain::default() },
            None => follow(self.table, claim.start, claim.need)?,
        };
        let (id, need) = (claim.id, claim.need);
        let strange = !known && need > 1 && self.ends_strangely(&chain, claim.written)?;
        self.claims.push(claim);
        if !known && (chain.runs.count() < need || chain.ambiguous || strange) {
            self.broken.push(index);
            return Ok(());
        }
        if chain.disputed && chain.flaw.is_none() {
            self.vote(&chain.runs)?;
        }
        if !known && (chain.flaw.is_some() || chain.disputed) {
            let (trust, flaw) = (chain.trust(need), chain.flaw);
            self.verdicts.insert(id, Verdict { runs: chain.runs.clone(), trust, flaw, shared: None });
        }
        self.own(index, &chain.runs);
        Ok(())
    }

    /// True for a chain whose last cluster is no file's last, by the table and by what is in it.
    fn ends_strangely(&self, chain: &Chain, written: u64) -> Result<bool, SourceGone> {
        let marked = matches!(chain.flaw, None | Some(Flaw::Short));
        Ok(!marked && self.ending(&chain.runs, written)? == Ending::Elsewhere)
    }

    fn own(&mut self, index: u32, runs: &Runs) {
        for cluster in runs.clusters() {
            let owner = &mut self.owners[cluster.number() as usize];
            if *owner == 0 {
                *owner = index + 1;
            } else if *owner != index + 1 && self.crossed.len() < 1 << 16 {
                self.crossed.insert((index, *owner - 1, cluster));
            }
        }
    }

    fn disown(&mut self, index: u32, runs: &Runs) {
        for cluster in runs.clusters() {
            let owner = &mut self.owners[cluster.number() as usize];
            if *owner == index + 1 {
                *owner = 0;
            }
        }
    }

    fn vote(&mut self, runs: &Runs) -> Result<(), SourceGone> {
        let mut next = runs.clusters().skip(1);
        for cluster in runs.clusters() {
            let right = next.next().map_or(Link::End, Link::Next);
            if self.table.links(cluster)?.differ() {
                for copy in 0..self.votes.len() {
                    self.votes[copy] += u64::from(self.table.link(copy, cluster)? == right);
                }
            }
        }
        Ok(())
    }

    /// The copy of the table that was right most often.
    pub fn trusted_copy(&self) -> usize {
        (0..self.votes.len()).rev().max_by_key(|&copy| self.votes[copy]).filter(|&c| self.votes[c] > 0).unwrap_or(0)
    }

    /// True if the cluster is in use, as the volume records it.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn is_used(&self, cluster: Cluster) -> Result<bool, SourceGone> {
        match &self.bitmap {
            Some(bitmap) => Ok(bitmap.contains(cluster)),
            None => Ok(self.table.link(self.trusted_copy(), cluster)?.is_used()),
        }
    }

    /// The file that owns a cluster.
    pub fn owner(&self, cluster: Cluster) -> Option<NodeId> {
        let index = self.owners.get(cluster.number() as usize)?.checked_sub(1)?;
        Some(self.claims.get(index as usize)?.id)
    }

    /// True while a claim is not in order.
    pub fn has_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// True where a claim is not in order, or two share a cluster.
    pub fn is_troubled(&self) -> bool {
        self.has_broken() || !self.crossed.is_empty()
    }

    /// What was decided about a claim; `None` where it is simply in order.
    pub fn verdict(&self, id: NodeId) -> Option<&Verdict> {
        self.verdicts.get(&id)
    }

    /// All claims that are not simply in order.
    pub fn verdicts(&self) -> impl Iterator<Item = (NodeId, &Verdict)> {
        self.verdicts.iter().map(|(id, verdict)| (*id, verdict))
    }

    /// What was decided, without what it took to decide.
    pub fn into_verdicts(self) -> HashMap<NodeId, Verdict> {
        self.verdicts
    }

    /// Decides about everything that is broken or shared, for the claims added so far.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn settle(&mut self) -> Result<(), SourceGone> {
        self.settle_crossed()?;
        let mut left = Vec::new();
        for index in std::mem::take(&mut self.broken) {
            if !self.stitch(index, true)? {
                left.push(index);
            }
        }
        // Those that can lie in one piece come first: one that skips others' clusters must not take them.
        let mut scattered = Vec::new();
        for index in left {
            if !self.guess(index, false)? {
                scattered.push(index);
            }
        }
        for index in scattered {
            self.guess(index, true)?;
        }
        Ok(())
    }

    /// Two claims share a cluster: if one of them has another way, it takes that; else the weaker is in doubt, or both.
    fn settle_crossed(&mut self) -> Result<(), SourceGone> {
        let mut settled: HashSet<u32> = HashSet::new();
        for (later, earlier, cluster) in std::mem::take(&mut self.crossed) {
            if settled.contains(&later) || settled.contains(&earlier) {
                continue;
            }
            let strengths = (self.strength(later, cluster)?, self.strength(earlier, cluster)?);
            let (weak, strong) = if strengths.0 <= strengths.1 { (later, earlier) } else { (earlier, later) };
            let tries = [(weak, strong, false), (strong, weak, false), (weak, strong, true), (strong, weak, true)];
            let mut resolved = false;
            for (index, other, tails) in tries {
                if self.reroute(index, other, tails)? {
                    settled.insert(index);
                    resolved = true;
                    break;
                }
            }
            if !resolved {
                self.doubt(weak, strong, cluster, Trust::Doubtful)?;
                let trust = if strengths.0 == strengths.1 { Trust::Doubtful } else { Trust::Unproven };
                self.doubt(strong, weak, cluster, trust)?;
            }
        }
        self.crossed.clear();
        Ok(())
    }

    /// How strong a claim to a cluster is: a file that begins there, or comes to it from the cluster before, is right
    /// more likely than one that jumps there.
    fn strength(&self, index: u32, cluster: Cluster) -> Result<u8, SourceGone> {
        let claim = &self.claims[index as usize];
        if !claim.proven {
            return Ok(0);
        }
        if claim.start == cluster {
            return Ok(4);
        }
        let runs = self.runs_of(index)?;
        let begins_run = runs.runs().iter().any(|run| run.first == cluster);
        let disputed = self.verdicts.contains_key(&claim.id);
        Ok(1 + u8::from(!begins_run) + u8::from(!disputed))
    }

    /// Gives a shared cluster to `other`, and `index` another way, if there is one.
    fn reroute(&mut self, index: u32, other: u32, tails: bool) -> Result<bool, SourceGone> {
        let claim = &self.claims[index as usize];
        if claim.known.is_some() {
            return Ok(false);
        }
        let old = self.runs_of(index)?;
        self.disown(index, &old);
        let rival = self.runs_of(other)?;
        self.own(other, &rival);
        let done = self.stitch(index, tails)?;
        if !done {
            self.own(index, &old);
        }
        Ok(done)
    }

    fn doubt(&mut self, index: u32, other: u32, cluster: Cluster, trust: Trust) -> Result<(), SourceGone> {
        let runs = self.runs_of(index)?;
        let (id, other) = (self.claims[index as usize].id, self.claims[other as usize].id);
        let flaw = self.verdicts.get(&id).and_then(|verdict| verdict.flaw);
        let before = self.verdicts.get(&id).map_or(Trust::Intact, |verdict| verdict.trust);
        let shared = Some((other, cluster));
        self.verdicts.insert(id, Verdict { runs, trust: trust.max(before), flaw, shared });
        Ok(())
    }

    fn runs_of(&self, index: u32) -> Result<Runs, SourceGone> {
        let claim = &self.claims[index as usize];
        if let Some(verdict) = self.verdicts.get(&claim.id) {
            return Ok(verdict.runs.clone());
        }
        match &claim.known {
            Some(runs) => Ok(runs.clone()),
            None => Ok(follow(self.table, claim.start, claim.need)?.runs),
        }
    }

    /// True for a cluster in use that nobody owns and no file begins at.
    fn is_open(&self, cluster: Cluster) -> Result<bool, SourceGone> {
        Ok(self.owners[cluster.number() as usize] == 0
            && !self.starts.contains(cluster)
            && self.table.links(cluster)?.is_used())
    }

    /// True for a cluster in use that nobody owns and nothing leads to: the rest of a broken chain begins there.
    fn is_loose(&self, cluster: Cluster) -> Result<bool, SourceGone> {
        Ok(self.is_open(cluster)? && !self.table.pointed()?.contains(cluster))
    }

    /// Pieces a broken chain together: where the table leads astray, the cluster behind is taken if it is loose, and
    /// with `tails`, what is missing at the end if one loose chain has exactly that length. False where nothing fits.
    fn stitch(&mut self, index: u32, tails: bool) -> Result<bool, SourceGone> {
        let Claim { id, start, need, written, .. } = self.claims[index as usize];
        let flaw = follow(self.table, start, need)?.flaw;
        let mut found = self.search(start, need, written, Means { tails, pointed: false })?;
        if tails && found.as_ref().is_none_or(|(_, ending)| *ending == Ending::Elsewhere) {
            let bold = self.search(start, need, written, Means { tails: false, pointed: true })?;
            found = bold.filter(|(_, ending)| *ending == Ending::Visible).or(found);
        }
        let Some((runs, ending)) = found else { return Ok(false) };
        // A circle was hardly made by chance alone: whatever wrote it may have meant the file to end there.
        let ends = ending == Ending::Visible || (ending == Ending::Unknown && self.fills_room(&runs));
        let doubt = matches!(flaw, Some(Flaw::Loop(_))) || !ends;
        let trust = if doubt { Trust::Doubtful } else { Trust::Unproven };
        self.own(index, &runs);
        self.heads = None;
        self.verdicts.insert(id, Verdict { runs, trust, flaw, shared: None });
        Ok(true)
    }

    fn ending(&self, runs: &Runs, written: u64) -> Result<Ending, SourceGone> {
        ending(self.table.source(), self.layout(), runs, written)
    }

    /// Searches a way for a broken chain: the first whose end shows that it is the file's, or else the first at all.
    fn search(
        &mut self,
        start: Cluster,
        need: u32,
        written: u64,
        means: Means,
    ) -> Result<Option<(Runs, Ending)>, SourceGone> {
        if self.owners[start.number() as usize] != 0 {
            return Ok(None);
        }
        let mut found = None;
        let mut runs = Runs::default();
        let mut seen: HashSet<Cluster> = HashSet::new();
        let mut branches: Vec<(u32, Cluster)> = vec![(0, start)];
        let mut patience = u64::from(need) * 64 + PATIENCE;
        let mut tails = if means.tails { 64 } else { 0 };
        while let Some((count, cluster)) = branches.pop() {
            while runs.count() > count {
                runs.last().map(|last| seen.remove(&last));
                runs.truncate(runs.count() - 1);
            }
            patience -= 1;
            if patience == 0 {
                break;
            }
            runs.push(cluster);
            seen.insert(cluster);
            let links = self.table.links(cluster)?;
            if runs.count() == need {
                if links.iter().any(|link| link == Link::End) {
                    match self.ending(&runs, written)? {
                        Ending::Elsewhere => found = found.or_else(|| Some((runs.clone(), Ending::Elsewhere))),
                        ending => return Ok(Some((runs, ending))),
                    }
                }
                continue;
            }
            let options = self.options(cluster, &seen, means.pointed)?;
            if options.is_empty() && tails > 0 {
                tails -= 1;
                match self.tail(&runs, need, written, &seen)? {
                    Some((whole, Ending::Elsewhere)) => found = found.or(Some((whole, Ending::Elsewhere))),
                    Some(whole) => return Ok(Some(whole)),
                    None => {}
                }
            }
            // The best is tried first, so it is pushed last.
            branches.extend(options.into_iter().rev().map(|next| (runs.count(), next)));
        }
        Ok(found)
    }

    /// Where a chain may go on, best first; with `pointed`, also to a cluster behind that something else leads to.
    fn options(&self, cluster: Cluster, seen: &HashSet<Cluster>, pointed: bool) -> Result<Vec<Cluster>, SourceGone> {
        let mut options = Vec::new();
        let behind = self.layout().after(cluster).filter(|behind| !seen.contains(behind));
        if let Some(behind) = behind
            && self.is_loose(behind)?
        {
            options.push(behind);
        }
        for link in self.table.links(cluster)?.iter() {
            if let Link::Next(next) = link
                && !seen.contains(&next)
                && !options.contains(&next)
                && self.is_open(next)?
            {
                options.push(next);
            }
        }
        if let Some(behind) = behind.filter(|behind| pointed && !options.contains(behind))
            && self.is_open(behind)?
        {
            options.push(behind);
        }
        Ok(options)
    }

    /// `runs` with what is missing at their end: the one loose chain of that length, or of several the one that shows
    /// the file's end.
    fn tail(
        &mut self,
        runs: &Runs,
        need: u32,
        written: u64,
        seen: &HashSet<Cluster>,
    ) -> Result<Option<(Runs, Ending)>, SourceGone> {
        let heads = self.loose_chains(need - runs.count())?;
        let (mut visible, mut only) = (Vec::new(), None);
        for &head in heads.iter().take(MOST_TAILS) {
            let chain = self.lost_chain(head)?;
            if chain.runs.clusters().any(|cluster| seen.contains(&cluster)) {
                continue;
            }
            let mut whole = runs.clone();
            whole.extend(&chain.runs);
            match self.ending(&whole, written)? {
                Ending::Visible => visible.push(whole),
                ending => only = Some((whole, ending)),
            }
        }
        Ok(match visible.len() {
            0 if heads.len() == 1 => only,
            1 => visible.pop().map(|whole| (whole, Ending::Visible)),
            _ => None,
        })
    }

    /// First clusters of the loose chains that have exactly `length` clusters.
    fn loose_chains(&mut self, length: u32) -> Result<Vec<Cluster>, SourceGone> {
        if self.heads.is_none() {
            let mut heads: HashMap<u32, Vec<Cluster>> = HashMap::new();
            for head in self.lost()? {
                let chain = self.lost_chain(head)?;
                if chain.flaw.is_none() {
                    heads.entry(chain.runs.count()).or_default().push(head);
                }
            }
            self.heads = Some(heads);
        }
        Ok(self.heads.as_ref().and_then(|heads| heads.get(&length)).cloned().unwrap_or_default())
    }

    /// The first clusters of chains that nobody owns, in ascending order.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn lost(&self) -> Result<Vec<Cluster>, SourceGone> {
        let mut heads = Vec::new();
        for cluster in self.layout().clusters() {
            if self.owners[cluster.number() as usize] == 0 && self.is_used(cluster)? && self.is_loose(cluster)? {
                heads.push(cluster);
            }
        }
        Ok(heads)
    }

    /// The chain that begins at a loose cluster, as far as nobody owns it.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn lost_chain(&self, head: Cluster) -> Result<Chain, SourceGone> {
        let (mut chain, mut at, mut seen) = (Chain::default(), head, HashSet::new());
        loop {
            if self.owners[at.number() as usize] != 0 || !seen.insert(at) {
                chain.flaw = Some(Flaw::Loop(at));
                return Ok(chain);
            }
            chain.runs.push(at);
            match self.table.link(self.trusted_copy(), at)? {
                Link::Next(next) => at = next,
                Link::End => return Ok(chain),
                Link::Free => chain.flaw = Some(Flaw::Free(at)),
                Link::Bad => chain.flaw = Some(Flaw::Bad(at)),
                Link::Invalid(value) => chain.flaw = Some(Flaw::Invalid(at, value)),
                Link::Unreadable => chain.flaw = Some(Flaw::Unreadable(at)),
            }
            if chain.flaw.is_some() {
                return Ok(chain);
            }
        }
    }

    /// The last resort: where the table knows nothing of a chain, files mostly lie in one piece; with `gaps`, the
    /// clusters of others are skipped, or what is missing is lost. False where nothing was decided.
    fn guess(&mut self, index: u32, gaps: bool) -> Result<bool, SourceGone> {
        let Claim { id, start, need, written, .. } = self.claims[index as usize];
        let chain = follow(self.table, start, need)?;
        let silent = matches!(chain.flaw, Some(Flaw::Free(_) | Flaw::Unreadable(_) | Flaw::Invalid(..)));
        let mut runs = chain.runs;
        let mut shared = self.owner(start).filter(|&owner| owner != id).map(|owner| (owner, start));
        let rival = shared.is_some();
        if !rival {
            let free = runs.clusters().take_while(|c| self.owners[c.number() as usize] == 0).count() as u32;
            let cut = runs.nth(free);
            runs.truncate(free);
            shared = cut.and_then(|cluster| Some((self.owner(cluster)?, cluster)));
        }
        let whole = match silent {
            _ if rival => None,
            _ if runs.count() >= need => Some(runs.clone()),
            true => self.fill(&runs, need, gaps)?,
            false => None,
        };
        if whole.is_none() && !gaps {
            return Ok(false);
        }
        let proven = match &whole {
            Some(whole) if shared.is_none() => match self.ending(whole, written)? {
                Ending::Visible => true,
                Ending::Unknown => self.fills_room(whole),
                Ending::Elsewhere => false,
            },
            _ => false,
        };
        let trust = match whole {
            Some(_) if proven => Trust::Unproven,
            None if shared.is_none() => Trust::Partial,
            _ => Trust::Doubtful,
        };
        let runs = whole.unwrap_or(runs);
        self.own(index, &runs);
        self.verdicts.insert(id, Verdict { runs, trust, flaw: chain.flaw, shared });
        Ok(true)
    }

    /// True for clusters in one piece that reach just to where another file begins.
    fn fills_room(&self, runs: &Runs) -> bool {
        let behind = runs.last().and_then(|last| self.layout().after(last));
        runs.runs().len() == 1 && behind.is_some_and(|behind| self.starts.contains(behind))
    }

    /// `runs`, filled up with the clusters behind them; with `gaps`, those are skipped that somebody owns or a file
    /// begins at.
    fn fill(&self, runs: &Runs, need: u32, gaps: bool) -> Result<Option<Runs>, SourceGone> {
        let (mut runs, Some(mut at)) = (runs.clone(), runs.last()) else { return Ok(None) };
        while runs.count() < need {
            let Some(next) = self.layout().after(at) else { return Ok(None) };
            at = next;
            let taken = self.owners[at.number() as usize] != 0 || self.starts.contains(at);
            if !taken && (!self.table.links(at)?.is_used() || self.is_loose(at)?) {
                runs.push(at);
            } else if !gaps {
                return Ok(None);
            }
        }
        Ok(Some(runs))
    }
}
