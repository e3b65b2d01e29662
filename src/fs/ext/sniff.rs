//! What a volume's superblock says of it, without opening it.

use super::disk::superblock::{self, Superblock, state};
use super::evidence::read_superblock;
use super::feature::{self, Features};
use super::geometry::{Geometry, text};
use crate::finding::Log;
use crate::fs::Sniffed;
use crate::source::{Source, SourceGone};

/// Bits of `s_feature_incompat` that ext3 knows: filetype, needs_recovery, meta_bg.
const EXT3_INCOMPAT: u32 = feature::FILETYPE.bit | feature::NEEDS_RECOVERY.bit | feature::META_BG.bit;
/// Bits of `s_feature_ro_compat` that ext3 knows: sparse_super, large_file, btree_dir.
const EXT3_RO_COMPAT: u32 = feature::SPARSE_SUPER.bit | feature::LARGE_FILE.bit | feature::BTREE_DIR.bit;

/// Recognises a volume by its primary superblock. A copy says that it belongs to a later group: it does not stand at the
/// start of a volume, and where blocks have 1024 bytes it may look as if it did.
pub fn sniff(source: &Source) -> Result<Option<Sniffed>, SourceGone> {
    let Some(sb) = read_superblock(&**source, superblock::OFFSET)? else { return Ok(None) };
    Ok(sniffed(&sb).filter(|_| sb.s_block_group_nr.get() == 0))
}

/// What a superblock says; `None` where it describes no possible volume.
pub fn sniffed(sb: &Superblock) -> Option<Sniffed> {
    let geometry = Geometry::judge(sb, &mut Log::new()).ok()?;
    Some(Sniffed {
        kind: kind(geometry.features),
        label: Some(geometry.label.clone()).filter(|label| !label.is_empty()),
        uuid: uuid(&geometry.uuid),
        size: geometry.len(),
    })
}

/// ext2, ext3 or ext4, as `blkid` decides it: by the newest feature in use.
pub fn kind(features: Features) -> &'static str {
    if features.has(feature::JOURNAL_DEV) {
        "jbd"
    } else if features.incompat & !EXT3_INCOMPAT != 0 || features.ro_compat & !EXT3_RO_COMPAT != 0 {
        "ext4"
    } else if features.has(feature::HAS_JOURNAL) {
        "ext3"
    } else {
        "ext2"
    }
}

/// A UUID as `blkid` writes it; `None` where it is all zeros.
pub fn uuid(bytes: &[u8; 16]) -> Option<String> {
    (*bytes != [0; 16]).then(|| uuid::Uuid::from_bytes(*bytes).to_string())
}

/// The path a superblock says the volume was mounted at last.
pub fn last_mounted(sb: &Superblock) -> Option<std::path::PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let path = text(&sb.s_last_mounted);
    (!path.is_empty()).then(|| std::ffi::OsStr::from_bytes(path).into())
}

/// The volume's state, in words, from what the disk says before any replay.
pub fn states(sb: &Superblock) -> Vec<&'static str> {
    let mut states = Vec::new();
    if Features::of(sb).has(feature::NEEDS_RECOVERY) {
        states.push("needs recovery");
    } else if sb.s_state.get() & state::VALID == 0 {
        states.push("not cleanly unmounted");
    }
    if sb.s_state.get() & state::ERROR != 0 || sb.s_error_count.get() > 0 {
        states.push("errors recorded");
    }
    if states.is_empty() {
        states.push("clean");
    }
    states
}
