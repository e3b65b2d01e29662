//! After pass 5: what users, groups and projects use, against the quota files.
//!
//! Tests: bytes and inodes of every id. Needs: the sums of pass 1. Leaves: findings alone.

use std::collections::BTreeMap;
use std::ops::Range;

use super::codes;
use super::extents::Visitor;
use super::volume::{Record, Volume};
use crate::bytes::{le32, le64};
use crate::finding::{Code, Finding, Log, Place};
use crate::source::SourceGone;

use super::super::disk::inode::Inode;
use super::super::disk::quota::{MAGIC, VERSION};
use super::super::feature::{PROJECT, QUOTA};
use super::super::number::InodeNr;

/// Bytes and inodes in use.
type Used = (u64, u64);

/// What each id uses.
#[derive(Clone, Default)]
pub struct Usage {
    users: BTreeMap<u32, Used>,
    groups: BTreeMap<u32, Used>,
    projects: BTreeMap<u32, Used>,
}

impl Usage {
    /// Adds an inode that uses `bytes`.
    pub fn add(&mut self, inode: &Inode, bytes: u64) {
        let project = if inode.extra_reaches(0xA0) { inode.i_projid.get() } else { 0 };
        for (map, id) in
            [(&mut self.users, inode.uid()), (&mut self.groups, inode.gid()), (&mut self.projects, project)]
        {
            let used = map.entry(id).or_default();
            used.0 = used.0.saturating_add(bytes);
            used.1 += 1;
        }
    }

    pub fn merge(&mut self, other: Usage) {
        let pairs =
            [(&mut self.users, other.users), (&mut self.groups, other.groups), (&mut self.projects, other.projects)];
        for (mine, theirs) in pairs {
            for (id, (bytes, inodes)) in theirs {
                let used = mine.entry(id).or_default();
                used.0 = used.0.saturating_add(bytes);
                used.1 += inodes;
            }
        }
    }
}

/// Bytes of a block of a quota file, whatever the volume's.
const QUOTA_BLOCK: usize = 1024;
/// Where the tree begins.
const ROOT: u32 = 1;
/// Levels of the tree: ids of 32 bits, 256 numbers a block.
const DEPTH: u32 = 4;
/// Bytes of the header of a block of entries.
const HEADER: usize = 16;
/// Bytes of an entry (`struct v2r1_disk_dqblk`).
const ENTRY: usize = 72;

/// Holds the quota files against what is in use.
pub fn check(volume: &Volume, usage: &Usage) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    if !volume.has(QUOTA) {
        return Ok(log);
    }
    let sb = &volume.sb;
    let files = [
        ("user", sb.s_usr_quota_inum.get(), &usage.users),
        ("group", sb.s_grp_quota_inum.get(), &usage.groups),
        ("project", sb.s_prj_quota_inum.get(), &usage.projects),
    ];
    for (i, (kind, inode, used)) in files.into_iter().enumerate() {
        if inode == 0 || (i == 2 && !volume.has(PROJECT)) {
            continue;
        }
        let place = Place::inode(inode.into());
        let recorded = match volume.inode(InodeNr(inode))? {
            Some(record) => File::open(volume, &record)?.read(MAGIC[i])?,
            None => None,
        };
        let Some(recorded) = recorded else {
            log.add(Finding::new(codes::QUOTA_USAGE, place, format!("the {kind} quota file can not be read"), ""));
            continue;
        };
        compare(&mut log, codes::QUOTA_USAGE, &place, kind, used, &recorded);
    }
    Ok(log)
}

fn compare(
    log: &mut Log,
    code: Code,
    place: &Place,
    kind: &str,
    used: &BTreeMap<u32, Used>,
    recorded: &BTreeMap<u32, Used>,
) {
    let ids = used.keys().chain(recorded.keys().filter(|id| !used.contains_key(id)));
    for id in ids {
        let (found, expected) =
            (recorded.get(id).copied().unwrap_or_default(), used.get(id).copied().unwrap_or_default());
        if found != expected {
            let words = |(bytes, inodes): Used| format!("{kind} {id} uses {bytes} bytes, {inodes} inodes");
            log.note(code, place.clone(), || (words(found), words(expected)));
        }
    }
}

/// A quota file of format v2r1: a tree of blocks of 1 KiB.
struct File<'a> {
    volume: &'a Volume,
    size: u64,
    /// File block, block and length.
    runs: Vec<(u64, u64, u64)>,
}

impl<'a> File<'a> {
    fn open(volume: &'a Volume, record: &Record) -> Result<Self, SourceGone> {
        struct Runs(Vec<(u64, u64, u64)>);
        impl Visitor for Runs {
            fn map_block(&mut self, _: u64) {}
            fn data(&mut self, logical: u64, block: u64, len: u64, _: bool) -> bool {
                self.0.push((logical, block, len));
                self.0.len() < 1 << 16
            }
            fn problem(&mut self, _: Code, _: u64, _: Range<u64>, _: &dyn Fn() -> String) {}
            fn is_critical(&mut self, _: u64, _: Range<u64>) -> bool {
                false
            }
        }
        let mut runs = Runs(Vec::new());
        super::blocks::walk(volume, record, &mut runs)?;
        Ok(File { volume, size: record.inode.size(), runs: runs.0 })
    }

    /// What the file records for each id; `None` if it is no such file.
    fn read(&self, magic: u32) -> Result<Option<BTreeMap<u32, Used>>, SourceGone> {
        let Some(header) = self.block(0)? else { return Ok(None) };
        if le32(&header, 0) != Some(magic) || le32(&header, 4) != Some(VERSION) {
            return Ok(None);
        }
        let mut found = BTreeMap::new();
        let mut budget = self.size / QUOTA_BLOCK as u64 + 1;
        let whole = self.tree(ROOT, DEPTH, &mut budget, &mut found)?;
        Ok(whole.then_some(found))
    }

    fn tree(
        &self,
        block: u32,
        depth: u32,
        budget: &mut u64,
        found: &mut BTreeMap<u32, Used>,
    ) -> Result<bool, SourceGone> {
        *budget = budget.saturating_sub(1);
        if *budget == 0 {
            return Ok(false);
        }
        let Some(buf) = self.block(block)? else { return Ok(false) };
        if depth == 0 {
            for entry in buf[HEADER..].chunks_exact(ENTRY).filter(|entry| entry.iter().any(|&byte| byte != 0)) {
                let used = (le64(entry, 48).unwrap_or_default(), le64(entry, 24).unwrap_or_default());
                found.insert(le32(entry, 0).unwrap_or_default(), used);
            }
            return Ok(true);
        }
        let mut seen = Vec::new();
        for i in 0..QUOTA_BLOCK / 4 {
            let below = le32(&buf, i * 4).unwrap_or_default();
            if below != 0 && !seen.contains(&below) {
                seen.push(below);
                if !self.tree(below, depth - 1, budget, found)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn block(&self, nr: u32) -> Result<Option<Vec<u8>>, SourceGone> {
        let offset = u64::from(nr) * QUOTA_BLOCK as u64;
        if offset + QUOTA_BLOCK as u64 > self.size {
            return Ok(None);
        }
        let logical = offset / self.volume.block_size;
        let Some((start, block, _)) = self.runs.iter().find(|(start, _, len)| (*start..start + len).contains(&logical))
        else {
            return Ok(None);
        };
        let at = (block + logical - start) * self.volume.block_size + offset % self.volume.block_size;
        let mut buf = vec![0; QUOTA_BLOCK];
        self.volume.read(at, &mut buf)?;
        Ok(Some(buf))
    }
}
