//! Where a file's bytes lie: its chain as extents.

use super::Fat;
use super::codes;
use crate::finding::{Code, Finding, Place};
use crate::fs::cluster::Object;
use crate::fs::cluster::{Cluster, Flaw, Runs, Verdict, follow};
use crate::node::{Mapping, Node, NodeId, Trust};
use crate::source::SourceGone;

impl Fat {
    pub(super) fn map(&self, node: &Node) -> Result<Mapping, SourceGone> {
        match Object::of(node.id) {
            Object::Root | Object::Directory(_) => self.map_directory(node),
            Object::Chain(place) => {
                let runs = self.survey()?.chain(place).cloned().unwrap_or_default();
                Ok(self.mapping_of(&runs, node.size, Trust::Doubtful, Vec::new()))
            }
            Object::Entry(offset) => {
                let Some(entry) = self.entry_at(offset)? else { return Ok(Mapping::default()) };
                if entry.is_directory() {
                    return Ok(Mapping { trust: Trust::Partial, ..Mapping::default() });
                }
                if entry.is_deleted() {
                    let (runs, trust) = self.guess_deleted(&entry, node.size)?;
                    let trust =
                        if runs.count() < self.layout().clusters_for(node.size) { Trust::Partial } else { trust };
                    return Ok(self.mapping_of(&runs, node.size, trust, Vec::new()));
                }
                self.map_file(node.id, self.first_cluster(&entry), node.size)
            }
        }
    }

    fn map_directory(&self, node: &Node) -> Result<Mapping, SourceGone> {
        use super::dir::Place as Lies;
        use crate::node::{Backing, Extent};
        Ok(match self.place_of(node.id) {
            None => Mapping { trust: Trust::Partial, ..Mapping::default() },
            Some(Lies::Fixed(span)) => {
                let backing = Backing::Device { member: 0, offset: span.start };
                Mapping { extents: vec![Extent { logical: 0, len: span.len(), backing }], ..Mapping::default() }
            }
            Some(place @ Lies::Chain(_)) => {
                let walked = self.walk(place, &mut |_| std::ops::ControlFlow::Continue(()))?;
                let size = u64::from(walked.runs.count()) * self.layout().cluster_size();
                Mapping {
                    extents: walked.runs.extents(self.layout(), size.min(node.size)),
                    trust: walked.trust,
                    findings: walked.findings,
                }
            }
        })
    }

    fn map_file(&self, id: NodeId, start: u32, size: u64) -> Result<Mapping, SourceGone> {
        if size == 0 {
            return Ok(Mapping::default());
        }
        let need = self.layout().clusters_for(size);
        let Some(start) = self.layout().cluster(start) else {
            let found = format!("first cluster {start}");
            let finding = Finding::new(codes::CHAIN_START, Place::inode(id.0), found, "a cluster of the volume");
            return Ok(self.mapping_of(&Runs::default(), size, Trust::Partial, vec![finding.costing(1, size)]));
        };
        if let Some(verdict) = self.survey.get().and_then(|survey| survey.verdict(id)) {
            return Ok(self.judged(id, need, size, verdict));
        }
        let chain = follow(&self.table, start, need)?;
        if chain.flaw.is_none() && !chain.disputed {
            return Ok(self.mapping_of(&chain.runs, size, Trust::Intact, Vec::new()));
        }
        // Not in order: what all other files have tells what is this one's.
        if let Some(verdict) = self.survey()?.verdict(id) {
            return Ok(self.judged(id, need, size, verdict));
        }
        let findings = chain.flaw.map(|flaw| describe(id, flaw, &chain.runs, need)).into_iter().collect();
        Ok(self.mapping_of(&chain.runs, size, chain.trust(need), findings))
    }

    fn judged(&self, id: NodeId, need: u32, size: u64, verdict: &Verdict) -> Mapping {
        let mut findings: Vec<Finding> =
            verdict.flaw.map(|flaw| describe(id, flaw, &verdict.runs, need)).into_iter().collect();
        findings.extend(verdict.shared.map(|(other, cluster)| {
            let place = Place::inode(id.0).at_block(cluster.number().into());
            Finding::new(codes::CROSS_LINK, place, format!("a cluster of {other} too"), "").costing(1, size)
        }));
        self.mapping_of(&verdict.runs, size, verdict.trust, findings)
    }

    fn mapping_of(&self, runs: &Runs, size: u64, trust: Trust, findings: Vec<Finding>) -> Mapping {
        Mapping { extents: runs.extents(self.layout(), size), trust, findings }
    }
}

/// The code and words for a chain's flaw.
pub fn describe(id: NodeId, flaw: Flaw, runs: &Runs, need: u32) -> Finding {
    let (code, cluster): (Code, Option<Cluster>) = match flaw {
        Flaw::Free(cluster) => (codes::CHAIN_FREE, Some(cluster)),
        Flaw::Bad(cluster) => (codes::CHAIN_BAD, Some(cluster)),
        Flaw::Invalid(cluster, _) => (codes::CHAIN_INVALID, Some(cluster)),
        Flaw::Unreadable(cluster) => (codes::TABLE_UNREADABLE, Some(cluster)),
        Flaw::Loop(cluster) => (codes::CHAIN_LOOP, Some(cluster)),
        Flaw::Short => (codes::CHAIN_SHORT, None),
        Flaw::Long => (codes::CHAIN_LONG, None),
    };
    let place = Place::inode(id.0);
    let place = cluster.map_or(place.clone(), |c| place.at_block(c.number().into()));
    let found = match flaw {
        Flaw::Long => format!("more than {} clusters", runs.count()),
        Flaw::Invalid(cluster, value) => format!("{value:#x} behind cluster {}", cluster.number()),
        _ => format!("{} clusters", runs.count()),
    };
    Finding::new(code, place, found, format!("{need} clusters"))
}
