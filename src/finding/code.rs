//! The form of a code table: one [`Row`] per code, written once, never reused.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing is wrong.
    Note,
    /// Unusual, and no data is at stake.
    Warning,
    /// A structure is wrong; a repair would change it.
    Damage,
    /// Files, or the whole volume, can not be reached the usual way.
    Critical,
}

/// One row of a code table.
#[derive(Debug)]
pub struct Row {
    /// Stable name, unique over all tables, in words: `ext-inode-checksum`.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub title: &'static str,
    /// A paragraph for the owner of the disk: what it means, what it costs, what to do.
    pub explain: &'static str,
    /// What the usual repair program (e2fsck, fsck.fat, fsck.exfat) does about it; empty where it does nothing.
    pub repair: &'static str,
    /// The names of e2fsck's problem codes that mean the same.
    pub e2fsck: &'static [&'static str],
}

/// A row, compared and ordered by its stable name.
#[derive(Clone, Copy)]
pub struct Code(pub &'static Row);

impl std::ops::Deref for Code {
    type Target = Row;
    fn deref(&self) -> &Row {
        self.0
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Code {}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(other.id)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// Declares a folder's code table: constants for the code that reports them, and `TABLE` with all rows.
///
/// ```text
/// codes! {
///     SUPERBLOCK_CHECKSUM = "ext-superblock-checksum", Damage,
///         "the superblock's checksum does not match",
///         explain: "…",
///         repair: "rewrites the checksum",
///         e2fsck: ["PR_0_SB_CSUM_INVALID"];
/// }
/// ```
macro_rules! codes {
    ($($name:ident = $id:literal, $severity:ident, $title:literal,
       explain: $explain:literal, repair: $repair:literal, e2fsck: [$($problem:literal),* $(,)?];)*) => {
        $(#[doc = $title]
        pub const $name: $crate::finding::Code = $crate::finding::Code(&$crate::finding::Row {
            id: $id,
            severity: $crate::finding::Severity::$severity,
            title: $title,
            explain: $explain,
            repair: $repair,
            e2fsck: &[$($problem),*],
        });)*
        /// Every code of this table, in order of declaration.
        pub const TABLE: &[$crate::finding::Code] = &[$($name),*];
    };
}
pub(crate) use codes;

/// Tables as one, whose length is `N`. None of them may be empty.
pub(crate) const fn joined<const N: usize>(tables: &[&[Code]]) -> [Code; N] {
    let mut all = [tables[0][0]; N];
    let (mut i, mut table, mut row) = (0, 0, 0);
    while i < N {
        if row == tables[table].len() {
            (table, row) = (table + 1, 0);
        }
        all[i] = tables[table][row];
        (i, row) = (i + 1, row + 1);
    }
    all
}
