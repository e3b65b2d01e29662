//! Whether what lies on a volume agrees with the geometry that it was opened with.

use std::ops::ControlFlow;

use super::super::Fat;
use super::super::dir::{Looks, Slot, is_dot, is_dotdot};
use crate::fs::cluster::{Cluster, Link, Runs, follow};
use crate::source::SourceGone;

/// Entries of the root directory that are asked.
const MOST_ASKED: usize = 32;
/// Entries of the root directory that are looked at.
const MOST_SLOTS: u64 = 512;
/// Longer files are not asked: their chains take long to follow.
const MOST_CLUSTERS: u32 = 4096;

/// How many of the root directory's entries agree with a geometry: a directory that begins where its entry says, a file
/// whose chain is as long as its size needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    right: usize,
    wrong: usize,
    /// A table begins as tables do.
    begins: bool,
    /// The table says that there are files.
    uses: bool,
}

impl Agreement {
    /// True where what was found speaks against the geometry, or nothing for it.
    pub fn is_poor(self) -> bool {
        (self.wrong > 0 && self.wrong >= self.right) || (self.right == 0 && (self.uses || !self.begins))
    }

    /// What is more, speaks more for a geometry. What agrees hardly does so by chance; what does not may be damaged.
    pub fn weight(self) -> impl Ord + use<> {
        (self.right.cast_signed() * 2 - self.wrong.cast_signed(), self.begins)
    }

    fn count(&mut self, is_right: bool) {
        if is_right {
            self.right += 1;
        } else {
            self.wrong += 1;
        }
    }
}

impl Fat {
    /// Asks the root directory's first entries.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn agreement(&self) -> Result<Agreement, SourceGone> {
        let mut agreement = Agreement { begins: self.table_begins(), ..Agreement::default() };
        let Some(root) = self.root_place() else { return Ok(Agreement { wrong: 1, ..agreement }) };
        let mut slots = Vec::new();
        let walked = self.walk(root, &mut |slot| {
            let is_over = slots.len() == MOST_ASKED || slot.index >= MOST_SLOTS;
            slots.push(slot);
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        agreement.wrong += walked.findings.len();
        agreement.uses = self.uses_clusters(&walked.runs)?;
        for slot in &slots {
            self.ask(slot, &mut agreement)?;
        }
        Ok(agreement)
    }

    /// True where the table's beginning says that clusters besides the root directory's are in use.
    fn uses_clusters(&self, root: &Runs) -> Result<bool, SourceGone> {
        for cluster in self.layout().clusters().take(MOST_CLUSTERS as usize) {
            if self.table.links(cluster)?.first().is_used() && root.clusters().all(|it| it != cluster) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks one entry, if it can tell anything.
    fn ask(&self, slot: &Slot, agreement: &mut Agreement) -> Result<(), SourceGone> {
        let entry = &slot.entry;
        let size = entry.DIR_FileSize.get();
        let tells = entry.is_directory() || size > 0;
        if !tells || entry.is_deleted() || entry.is_label() || is_dot(entry) || is_dotdot(entry) {
            return Ok(());
        }
        let need = self.layout().clusters_for(size.into());
        match self.layout().cluster(self.first_cluster(entry)) {
            None => agreement.count(false),
            Some(start) if entry.is_directory() => {
                agreement.count(self.looks(start)? == Looks::Head);
                agreement.count(self.chain_ends(start)?);
            }
            Some(start) if need <= MOST_CLUSTERS => {
                agreement.count(follow(&self.table, start, need)?.flaw.is_none());
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// True for a chain of a moderate length.
    fn chain_ends(&self, start: Cluster) -> Result<bool, SourceGone> {
        let mut at = start;
        for _ in 0..MOST_CLUSTERS {
            match self.table.links(at)?.first() {
                Link::Next(next) => at = next,
                link => return Ok(link == Link::End),
            }
        }
        Ok(false)
    }
}
