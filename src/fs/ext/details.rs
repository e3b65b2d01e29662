//! What `stat` shows of an inode that only this filesystem has.

use super::Ext;
use super::disk::inode::flags;
use super::inode::{Inode, Layout};

/// Facts of an inode, as name and value.
pub fn details(ext: &Ext, inode: &Inode<'_>) -> Vec<(&'static str, String)> {
    let geometry = &ext.volume.geometry;
    let raw = &inode.raw;
    let (group, index) = geometry.group_of_inode(inode.nr);
    let mut facts = vec![
        ("flags", flag_names(raw.i_flags.get())),
        ("generation", raw.i_generation.to_string()),
        ("map", layout(inode.layout(geometry)).to_owned()),
        ("checksum", checksum(inode, ext)),
        ("place", format!("inode {index} of group {group}")),
    ];
    if let Some(offset) = geometry.inode_offset(inode.nr) {
        facts.push(("inode offset", offset.to_string()));
    }
    if let Some(Ok(block)) = inode.attribute_block(geometry) {
        facts.push(("attribute block", block.to_string()));
    }
    if raw.extra_reaches(0xA0) && geometry.features.has(super::feature::PROJECT) {
        facts.push(("project", raw.i_projid.to_string()));
    }
    if ext.orphans.contains(&inode.nr) {
        facts.push(("orphan", "was unlinked while open, or being truncated".to_owned()));
    }
    facts
}

/// Names of the flags set, and the bits nobody knows; `none` where there are none.
fn flag_names(bits: u32) -> String {
    let mut names: Vec<String> =
        flags::NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
    let unknown = flags::NAMES.iter().fold(bits, |bits, (bit, _)| bits & !bit);
    if unknown != 0 {
        names.push(format!("{unknown:#x}"));
    }
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn layout(layout: Layout) -> &'static str {
    match layout {
        Layout::Nothing => "none",
        Layout::Inline => "inline",
        Layout::FastLink => "in the inode",
        Layout::Extents => "extents",
        Layout::Pointers => "block pointers",
    }
}

fn checksum(inode: &Inode<'_>, ext: &Ext) -> String {
    match inode.sums(&ext.volume.geometry) {
        None => "none".to_owned(),
        Some(sums) if sums.agree() => "right".to_owned(),
        Some(sums) => format!("wrong: {:08x}, expected {:08x}", sums.found, sums.computed),
    }
}
