//! Features of a filesystem, under the names `dumpe2fs` gives them: [`Feature`], and the set of them, [`Features`].

use super::disk::superblock::Superblock;

/// Which of the superblock's three words a feature is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// `s_feature_compat`: may be ignored.
    Compat,
    /// `s_feature_incompat`: who does not know it can not read.
    Incompat,
    /// `s_feature_ro_compat`: who does not know it can not write.
    RoCompat,
}

/// One feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    /// Its word.
    pub word: Word,
    /// Its bit.
    pub bit: u32,
    /// Its name.
    pub name: &'static str,
}

macro_rules! features {
    ($($const:ident = $word:ident $bit:literal $name:literal;)*) => {
        $(#[doc = concat!("`", $name, "`")]
        #[allow(dead_code, reason = "the list is whole")]
        pub const $const: Feature = Feature { word: Word::$word, bit: $bit, name: $name };)*
        /// All that are known.
        pub const KNOWN: &[Feature] = &[$($const),*];
    };
}

features! {
    DIR_PREALLOC = Compat 0x1 "dir_prealloc";
    IMAGIC_INODES = Compat 0x2 "imagic_inodes";
    HAS_JOURNAL = Compat 0x4 "has_journal";
    EXT_ATTR = Compat 0x8 "ext_attr";
    RESIZE_INODE = Compat 0x10 "resize_inode";
    DIR_INDEX = Compat 0x20 "dir_index";
    LAZY_BG = Compat 0x40 "lazy_bg";
    EXCLUDE_BITMAP = Compat 0x100 "snapshot_bitmap";
    SPARSE_SUPER2 = Compat 0x200 "sparse_super2";
    FAST_COMMIT = Compat 0x400 "fast_commit";
    STABLE_INODES = Compat 0x800 "stable_inodes";
    ORPHAN_FILE = Compat 0x1000 "orphan_file";

    COMPRESSION = Incompat 0x1 "compression";
    FILETYPE = Incompat 0x2 "filetype";
    NEEDS_RECOVERY = Incompat 0x4 "needs_recovery";
    JOURNAL_DEV = Incompat 0x8 "journal_dev";
    META_BG = Incompat 0x10 "meta_bg";
    EXTENTS = Incompat 0x40 "extent";
    BIT64 = Incompat 0x80 "64bit";
    MMP = Incompat 0x100 "mmp";
    FLEX_BG = Incompat 0x200 "flex_bg";
    EA_INODE = Incompat 0x400 "ea_inode";
    DIRDATA = Incompat 0x1000 "dirdata";
    CSUM_SEED = Incompat 0x2000 "metadata_csum_seed";
    LARGE_DIR = Incompat 0x4000 "large_dir";
    INLINE_DATA = Incompat 0x8000 "inline_data";
    ENCRYPT = Incompat 0x1_0000 "encrypt";
    CASEFOLD = Incompat 0x2_0000 "casefold";

    SPARSE_SUPER = RoCompat 0x1 "sparse_super";
    LARGE_FILE = RoCompat 0x2 "large_file";
    BTREE_DIR = RoCompat 0x4 "btree_dir";
    HUGE_FILE = RoCompat 0x8 "huge_file";
    GDT_CSUM = RoCompat 0x10 "uninit_bg";
    DIR_NLINK = RoCompat 0x20 "dir_nlink";
    EXTRA_ISIZE = RoCompat 0x40 "extra_isize";
    HAS_SNAPSHOT = RoCompat 0x80 "snapshot";
    QUOTA = RoCompat 0x100 "quota";
    BIGALLOC = RoCompat 0x200 "bigalloc";
    METADATA_CSUM = RoCompat 0x400 "metadata_csum";
    REPLICA = RoCompat 0x800 "replica";
    READONLY = RoCompat 0x1000 "read-only";
    PROJECT = RoCompat 0x2000 "project";
    SHARED_BLOCKS = RoCompat 0x4000 "shared_blocks";
    VERITY = RoCompat 0x8000 "verity";
    ORPHAN_PRESENT = RoCompat 0x1_0000 "orphan_present";
}

/// The features of a filesystem.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Features {
    /// `s_feature_compat`
    pub compat: u32,
    /// `s_feature_incompat`
    pub incompat: u32,
    /// `s_feature_ro_compat`
    pub ro_compat: u32,
}

impl Features {
    /// Those of a superblock, whatever its revision: kernels and e2fsprogs go by the words alone.
    pub fn of(sb: &Superblock) -> Self {
        Features {
            compat: sb.s_feature_compat.get(),
            incompat: sb.s_feature_incompat.get(),
            ro_compat: sb.s_feature_ro_compat.get(),
        }
    }

    fn word(&self, word: Word) -> u32 {
        match word {
            Word::Compat => self.compat,
            Word::Incompat => self.incompat,
            Word::RoCompat => self.ro_compat,
        }
    }

    /// True if `feature` is switched on.
    pub fn has(&self, feature: Feature) -> bool {
        self.word(feature.word) & feature.bit != 0
    }

    /// The same features with one more.
    pub fn with(mut self, feature: Feature) -> Self {
        match feature.word {
            Word::Compat => self.compat |= feature.bit,
            Word::Incompat => self.incompat |= feature.bit,
            Word::RoCompat => self.ro_compat |= feature.bit,
        }
        self
    }

    /// The bits of a word that no known feature has.
    pub fn unknown(&self, word: Word) -> u32 {
        KNOWN.iter().filter(|f| f.word == word).fold(self.word(word), |bits, f| bits & !f.bit)
    }

    /// Their names in the order of the superblock; `FEATURE_I20` and the like for unknown bits.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (word, letter) in [(Word::Compat, 'C'), (Word::Incompat, 'I'), (Word::RoCompat, 'R')] {
            for bit in (0..32).filter(|bit| self.word(word) & 1 << bit != 0) {
                let known = KNOWN.iter().find(|f| f.word == word && f.bit == 1 << bit);
                names.push(known.map_or_else(|| format!("FEATURE_{letter}{bit}"), |f| f.name.to_owned()));
            }
        }
        names
    }
}
