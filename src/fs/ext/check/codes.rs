//! The code table of the checks: one row a code, in the order of the passes that report them; ids are never reused.
//!
//! Where e2fsck has a problem that means the same, its name is in the row. Rows whose severity is below damage are those
//! that `e2fsck -fn` reports without failing the volume. Three things e2fsck reports have no row: headings and questions
//! around a problem, failures of its own run, and what it only says while it repairs.
//!
//! Where verdicts differ from e2fsck's, and why ours stands:
//! - A journal that waits, and whose replay damages the volume: `e2fsck -fn` judges the volume as it lies, and after
//!   `e2fsck -E journal_only` a run without `-f` believes the superblock's word that all is clean. With `-f` it reports
//!   the bitmaps and counts that are reported here.
//! - The inode for growing: e2fsck looks at the first quarter of its list ([`RESIZE_INODE_LATER`]).
//! - A time of the superblock past 2106: e2fsck 1.47.0 does not read the upper byte.

crate::finding::codes! {
    // Pass 0: the superblock.
    SUPERBLOCK_UNUSABLE = "ext-superblock-unusable", Critical,
        "the primary superblock can not be used",
        explain: "Without it nothing can be mounted. A backup of it in a later block group is used instead if there is one; the volume's contents are mostly untouched.",
        repair: "takes a backup superblock and writes it over the primary",
        e2fsck: ["PR_0_OPEN_FAILED"];
    NO_SUPERBLOCK = "ext-superblock-none", Critical,
        "no superblock can be used",
        explain: "Neither the primary superblock nor its first backup describes a volume, so nothing could be checked. The files may still be found by a search: try listing or copying.",
        repair: "gives up",
        e2fsck: ["PR_0_SB_CORRUPT"];
    DESCRIPTORS_UNUSABLE = "ext-descriptors-unusable", Critical,
        "group descriptors point outside the volume or at each other",
        explain: "The primary group descriptors name impossible places for bitmaps or inode tables. The copy behind the backup superblock is used instead where it can be read.",
        repair: "takes the backup descriptors",
        e2fsck: ["PR_0_CHECK_DESC_FAILED"];
    FIRST_DATA_BLOCK = "ext-superblock-first-block", Damage,
        "the first data block is not what the block size demands",
        explain: "Groups are counted from the first data block, 1 for blocks of 1 KiB and 0 otherwise. With another number every group seems shifted.",
        repair: "asks, then gives up",
        e2fsck: ["PR_0_FIRST_DATA_BLOCK", "PR_0_SB_CORRUPT"];
    INODE_COUNT = "ext-superblock-inode-count", Critical,
        "the number of inodes is not that of all groups together",
        explain: "Every group has as many inodes as the others, so the total follows from the number of groups. One of the two numbers is damaged.",
        repair: "corrects the total, or takes a backup superblock",
        e2fsck: ["PR_0_INODE_COUNT_WRONG", "PR_0_MISC_CORRUPT_SUPER", "PR_0_OPEN_FAILED"];
    SUPERBLOCK_IMPOSSIBLE = "ext-superblock-impossible", Critical,
        "a superblock field that everything depends on is out of range",
        explain: "By this superblock no volume can be laid out, so the check went no further with it.",
        repair: "gives up",
        e2fsck: ["PR_0_MISC_CORRUPT_SUPER"];
    SUPERBLOCK_FIELD = "ext-superblock-field", Damage,
        "a superblock field is out of range",
        explain: "One field of the superblock has a value that no volume of this size can have. The fields that are needed to read files were judged separately.",
        repair: "gives up",
        e2fsck: ["PR_0_MISC_CORRUPT_SUPER", "PR_0_SB_CORRUPT"];
    FIRST_META_GROUP = "ext-superblock-first-meta-group", Damage,
        "the first meta block group lies behind the last group",
        explain: "The number that says from which group on descriptors lie in their own groups is too large.",
        repair: "sets it to the number of descriptor blocks",
        e2fsck: ["PR_0_FIRST_META_BG_TOO_BIG"];
    VOLUME_LARGER_THAN_DEVICE = "ext-volume-larger-than-device", Damage,
        "the volume claims more blocks than the device has",
        explain: "Either the image was cut off while it was taken, or a partition was made smaller than its filesystem. Files in the missing part can not be read.",
        repair: "asks whether to give up",
        e2fsck: ["PR_0_FS_SIZE_WRONG"];
    BOTH_CHECKSUM_FEATURES = "ext-superblock-both-checksums", Damage,
        "both kinds of descriptor checksums are switched on",
        explain: "metadata_csum replaces uninit_bg, and only one may be set.",
        repair: "clears uninit_bg",
        e2fsck: ["PR_0_META_AND_GDT_CSUM_SET"];
    SEED_WITHOUT_CHECKSUMS = "ext-superblock-seed-without-checksums", Warning,
        "a checksum seed without checksums",
        explain: "metadata_csum_seed means nothing without metadata_csum.",
        repair: "clears the feature",
        e2fsck: ["PR_0_CSUM_SEED_WITHOUT_META_CSUM"];
    LARGE_WITHOUT_EXTENTS = "ext-superblock-large-without-extents", Damage,
        "more than 2^32 blocks without extents",
        explain: "Block maps have numbers of 32 bits, so part of the volume can not be used by any file.",
        repair: "switches extents on",
        e2fsck: ["PR_0_64BIT_WITHOUT_EXTENTS"];
    UNKNOWN_FEATURES = "ext-superblock-unknown-features", Damage,
        "features are switched on that nobody knows",
        explain: "The volume can be read without them, but no repair program will touch it. A newer kernel wrote it, or the superblock is damaged.",
        repair: "refuses to run",
        e2fsck: [];
    RESIZE_WITH_META_GROUPS = "ext-superblock-resize-with-meta-groups", Damage,
        "resize_inode and meta_bg exclude each other",
        explain: "Descriptors that lie in their own groups need no room to grow; both features together confuse every program that resizes.",
        repair: "clears resize_inode",
        e2fsck: ["PR_0_DISABLE_RESIZE_INODE"];
    FEATURES_IN_REVISION_0 = "ext-superblock-features-in-revision-0", Warning,
        "features are switched on in a revision without features",
        explain: "Revision 0 of the format has no feature fields, so they are not believed.",
        repair: "raises the revision",
        e2fsck: ["PR_0_FS_REV_LEVEL", "PR_1_FS_REV_LEVEL"];
    MIN_EXTRA_SIZE = "ext-superblock-min-extra-size", Damage,
        "the required extra size of inodes is impossible",
        explain: "It is larger than an inode has room for behind its first 128 bytes.",
        repair: "sets the standard size",
        e2fsck: ["PR_0_BAD_MIN_EXTRA_ISIZE"];
    WANT_EXTRA_SIZE = "ext-superblock-want-extra-size", Damage,
        "the wanted extra size of inodes is impossible",
        explain: "It is larger than an inode has room for behind its first 128 bytes.",
        repair: "sets the standard size",
        e2fsck: ["PR_0_BAD_WANT_EXTRA_ISIZE"];
    QUOTA_INODE_NUMBER = "ext-superblock-quota-inode", Damage,
        "a quota file's inode number is impossible",
        explain: "The superblock names an inode that can not hold a quota file, so quota can not be enforced. No file is touched.",
        repair: "sets it to 0 and rebuilds the quota file",
        e2fsck: ["PR_0_INVALID_QUOTA_INO"];
    MOUNTED_IN_FUTURE = "ext-superblock-mounted-in-future", Warning,
        "the last mount lies in the future",
        explain: "The clock of the machine that mounted it, or the clock here, is wrong.",
        repair: "sets the time",
        e2fsck: ["PR_0_FUTURE_SB_LAST_MOUNT"];
    MOUNTED_AHEAD = "ext-superblock-mounted-ahead", Note,
        "the last mount lies less than a day in the future",
        explain: "The clock of the machine that mounted it, or the clock here, is in another time zone.",
        repair: "sets the time",
        e2fsck: ["PR_0_FUTURE_SB_LAST_MOUNT_FUDGED"];
    WRITTEN_AHEAD = "ext-superblock-written-ahead", Note,
        "the last write lies less than a day in the future",
        explain: "The clock of the machine that wrote it, or the clock here, is in another time zone.",
        repair: "sets the time",
        e2fsck: ["PR_0_FUTURE_SB_LAST_WRITE_FUDGED"];
    WRITTEN_IN_FUTURE = "ext-superblock-written-in-future", Warning,
        "the last write lies in the future",
        explain: "The clock of the machine that wrote it, or the clock here, is wrong.",
        repair: "sets the time",
        e2fsck: ["PR_0_FUTURE_SB_LAST_WRITE"];
    // Pass 0: group descriptors.
    BLOCK_BITMAP_PLACE = "ext-group-block-bitmap-place", Damage,
        "a block bitmap lies where none may",
        explain: "The descriptor names a block outside its group or the volume for the map of blocks in use. Files are not touched, but nothing can be written safely.",
        repair: "allocates another block and rebuilds the bitmap",
        e2fsck: ["PR_0_BB_NOT_GROUP"];
    INODE_BITMAP_PLACE = "ext-group-inode-bitmap-place", Damage,
        "an inode bitmap lies where none may",
        explain: "The descriptor names a block outside its group or the volume for the map of inodes in use.",
        repair: "allocates another block and rebuilds the bitmap",
        e2fsck: ["PR_0_IB_NOT_GROUP"];
    INODE_TABLE_PLACE = "ext-group-inode-table-place", Critical,
        "an inode table lies where none may",
        explain: "The descriptor names blocks outside its group or the volume for the inodes of this group. All files of the group are lost to a repair unless the backup descriptors know better.",
        repair: "allocates an empty table: the group's files are gone",
        e2fsck: ["PR_0_ITABLE_NOT_GROUP"];
    UNINITIALISED_WITHOUT_FEATURE = "ext-group-uninitialised-without-feature", Warning,
        "a group is marked as never initialised, without the feature",
        explain: "The marks that spare a group from being read only count where descriptors have checksums.",
        repair: "clears the marks",
        e2fsck: ["PR_0_GDT_UNINIT"];
    DESCRIPTOR_CHECKSUM = "ext-group-descriptor-checksum", Damage,
        "a group descriptor's checksum does not match",
        explain: "The descriptor's bytes are not those written last. Where its fields agree with the bitmaps and tables they name, only counts are in doubt.",
        repair: "recomputes it, and believes none of the marks of what was never initialised",
        e2fsck: ["PR_0_GDT_CSUM"];
    LAST_BITMAP_UNINITIALISED = "ext-group-last-bitmap", Damage,
        "the last group's block bitmap is marked as never initialised",
        explain: "The last group is mostly shorter than the others, so its bitmap must be written.",
        repair: "clears the mark",
        e2fsck: ["PR_0_BB_UNINIT_LAST"];
    UNUSED_INODES_COUNT = "ext-group-unused-inodes", Damage,
        "a group counts more untouched inodes than free ones",
        explain: "Inodes that are wrongly counted as never used are skipped by programs that trust the count: files in them seem to be gone.",
        repair: "sets the count to 0",
        e2fsck: ["PR_0_GDT_ITABLE_UNUSED"];
    // Pass 0: the journal, the inode for growing, multi-mount protection.
    RECOVERY_WITHOUT_JOURNAL = "ext-journal-recovery-without-journal", Damage,
        "recovery is asked for, and there is no journal",
        explain: "The superblock says that a journal waits to be replayed, but names none.",
        repair: "clears the flag",
        e2fsck: ["PR_0_JOURNAL_RECOVER_SET"];
    JOURNAL_INODE = "ext-journal-inode", Critical,
        "the journal's inode is no journal",
        explain: "The inode that the superblock names is no file, too short, or not mapped whole. What waited in the journal is lost; the files are as they were last written in place.",
        repair: "makes a new journal",
        e2fsck: ["PR_0_JOURNAL_BAD_INODE"];
    JOURNAL_TWO = "ext-journal-inside-and-outside", Damage,
        "the superblock names a journal in the volume and one on another device",
        explain: "A volume has one journal. The one in the volume is read here; a repair program looks for the other and gives up.",
        repair: "gives up",
        e2fsck: [];
    JOURNAL_V2_FIELDS = "ext-journal-users", Damage,
        "the journal's superblock has fields that an own journal can not have",
        explain: "A version 1 journal has no features and users, and a journal inside its filesystem has one user at most.",
        repair: "clears the fields",
        e2fsck: ["PR_0_CLEAR_V2_JOURNAL"];
    JOURNAL_SUPERBLOCK = "ext-journal-superblock-unusable", Critical,
        "the journal's superblock is damaged",
        explain: "Its type, checksum or sizes are wrong, so the log behind it can not be found safely and nothing of it was replayed.",
        repair: "clears the journal: what waited in it is gone",
        e2fsck: ["PR_0_JOURNAL_BAD_SUPER"];
    JOURNAL_VERSION = "ext-journal-version", Critical,
        "the journal's version is unknown",
        explain: "The journal's superblock has a type that no version of the format has.",
        repair: "gives up, or clears the journal",
        e2fsck: ["PR_0_JOURNAL_UNSUPP_SUPER", "PR_0_JOURNAL_BAD_SUPER"];
    JOURNAL_INCOMPATIBLE = "ext-journal-incompatible", Critical,
        "the journal has unknown incompatible features",
        explain: "It was written by a newer kernel, or its features are damaged.",
        repair: "gives up",
        e2fsck: ["PR_0_JOURNAL_UNSUPP_INCOMPAT", "PR_0_JOURNAL_BAD_SUPER"];
    JOURNAL_READ_ONLY = "ext-journal-read-only-features", Critical,
        "the journal has unknown features that forbid writing",
        explain: "It was written by a newer kernel, or its features are damaged.",
        repair: "gives up",
        e2fsck: ["PR_0_JOURNAL_UNSUPP_ROCOMPAT", "PR_0_JOURNAL_BAD_SUPER"];
    JOURNAL_WITHOUT_FEATURE = "ext-journal-without-feature", Damage,
        "there is a journal, and the feature is off",
        explain: "The superblock names a journal but does not say that the volume has one, so a mount would ignore it.",
        repair: "switches the feature on",
        e2fsck: ["PR_0_JOURNAL_HAS_JOURNAL"];
    RECOVERY_FLAG_CLEAR = "ext-journal-recovery-flag", Damage,
        "the journal waits, and the superblock does not say so",
        explain: "The log is not empty, but the flag that asks for its replay is off. Changes in it may be newer than what lies on the disk, or old.",
        repair: "asks whether to replay it",
        e2fsck: ["PR_0_JOURNAL_RECOVERY_CLEAR", "PR_0_JOURNAL_RUN", "PR_0_JOURNAL_RESET_JOURNAL"];
    JOURNAL_TRANSACTION = "ext-journal-replay-short", Warning,
        "a transaction in the journal is damaged, and the replay ends before it",
        explain: "What the transaction and those after it would have changed is lost; the files are as they were before it.",
        repair: "ends the replay there as well",
        e2fsck: ["PR_0_JNL_TXN_CORRUPT"];
    RESERVED_WITHOUT_FEATURE = "ext-resize-reserved-without-feature", Damage,
        "descriptor blocks are reserved without the feature",
        explain: "The superblock keeps blocks for growing, but resize_inode is off.",
        repair: "clears the number",
        e2fsck: ["PR_0_NONZERO_RESERVED_GDT_BLOCKS"];
    RESIZE_NOT_CLEAR = "ext-resize-not-clear", Damage,
        "the inode for growing holds blocks without the feature",
        explain: "The reserved inode 7 should be empty where resize_inode is off.",
        repair: "clears the inode",
        e2fsck: ["PR_0_CLEAR_RESIZE_INODE"];
    RESIZE_INODE = "ext-resize-inode", Damage,
        "the inode for growing is wrong",
        explain: "The blocks kept for more group descriptors are not listed as they must be. Files are not touched; the volume can not be grown while mounted.",
        repair: "recreates the inode",
        e2fsck: ["PR_0_RESIZE_INODE_INVALID"];
    RESIZE_INODE_LATER = "ext-resize-inode-later", Warning,
        "a later block of the inode for growing is wrong",
        explain: "The blocks kept for more group descriptors are not listed as they must be, in a part of the list that e2fsck does not look at. Files are not touched; growing the volume while mounted stops there.",
        repair: "does not see it",
        e2fsck: [];
    MMP_BLOCK = "ext-mmp-block", Damage,
        "the block of multi-mount protection lies outside the volume",
        explain: "Nothing can tell whether another machine has the volume mounted.",
        repair: "allocates another",
        e2fsck: ["PR_0_MMP_INVALID_BLK"];
    MMP_MAGIC = "ext-mmp-magic", Damage,
        "the block of multi-mount protection is no such block",
        explain: "Nothing can tell whether another machine has the volume mounted.",
        repair: "rewrites the block",
        e2fsck: ["PR_0_MMP_INVALID_MAGIC"];
    MMP_CHECKSUM = "ext-mmp-checksum", Damage,
        "the checksum of multi-mount protection does not match",
        explain: "Nothing can tell for sure whether another machine has the volume mounted.",
        repair: "rewrites the block",
        e2fsck: ["PR_0_MMP_CSUM_INVALID"];
    MMP_IN_USE = "ext-mmp-in-use", Damage,
        "another machine, or a repair, seems to use the volume",
        explain: "The mark of multi-mount protection is not that of a clean unmount. If no machine has it mounted, the last one to do so crashed.",
        repair: "refuses to run",
        e2fsck: [];
    // Pass 1: where metadata lies.
    INODE_TABLE_CONFLICT = "ext-inode-table-conflict", Critical,
        "an inode table lies on other metadata",
        explain: "Two structures claim the same blocks, so at least one of them is overwritten.",
        repair: "relocates one of them",
        e2fsck: ["PR_1_ITABLE_CONFLICT"];
    BLOCK_BITMAP_CONFLICT = "ext-block-bitmap-conflict", Damage,
        "a block bitmap lies on other metadata",
        explain: "Two structures claim the same block. The bitmap can be rebuilt from the files.",
        repair: "relocates the bitmap",
        e2fsck: ["PR_1_BB_CONFLICT"];
    INODE_BITMAP_CONFLICT = "ext-inode-bitmap-conflict", Damage,
        "an inode bitmap lies on other metadata",
        explain: "Two structures claim the same block. The bitmap can be rebuilt from the inodes.",
        repair: "relocates the bitmap",
        e2fsck: ["PR_1_IB_CONFLICT"];
    INODE_TABLE_UNREADABLE = "ext-inode-table-unreadable", Critical,
        "part of an inode table can not be read",
        explain: "The sectors are bad, or the image ends before them. The files whose inodes lie there can not be checked.",
        repair: "reads zeros in their place",
        e2fsck: ["PR_1_ISCAN_ERROR"];
    BLOCK_BITMAP_BAD = "ext-bad-blocks-block-bitmap", Damage,
        "a block bitmap lies on a bad block",
        explain: "The list of bad blocks names it.",
        repair: "relocates the bitmap",
        e2fsck: ["PR_1_BB_BAD_BLOCK"];
    INODE_BITMAP_BAD = "ext-bad-blocks-inode-bitmap", Damage,
        "an inode bitmap lies on a bad block",
        explain: "The list of bad blocks names it.",
        repair: "relocates the bitmap",
        e2fsck: ["PR_1_IB_BAD_BLOCK"];
    SUPERBLOCK_BAD = "ext-bad-blocks-superblock", Critical,
        "the primary superblock lies on a bad block",
        explain: "The list of bad blocks names it. If it is true, the volume must be copied now.",
        repair: "asks, then gives up or removes it from the list",
        e2fsck: ["PR_1_BAD_PRIMARY_SUPERBLOCK"];
    DESCRIPTORS_BAD = "ext-bad-blocks-descriptors", Critical,
        "the primary group descriptors lie on a bad block",
        explain: "The list of bad blocks names it. If it is true, the volume must be copied now.",
        repair: "asks, then gives up or removes it from the list",
        e2fsck: ["PR_1_BAD_PRIMARY_GROUP_DESCRIPTOR"];
    SUPERBLOCK_COPY_BAD = "ext-bad-blocks-superblock-copy", Warning,
        "a backup superblock lies on a bad block",
        explain: "One of several backups is of no use.",
        repair: "warns",
        e2fsck: ["PR_1_BAD_SUPERBLOCK"];
    DESCRIPTORS_COPY_BAD = "ext-bad-blocks-descriptors-copy", Warning,
        "a copy of the group descriptors lies on a bad block",
        explain: "One of several copies is of no use.",
        repair: "warns",
        e2fsck: ["PR_1_BAD_GROUP_DESCRIPTORS"];
    BAD_LIST_ON_METADATA = "ext-bad-blocks-list-on-metadata", Damage,
        "the list of bad blocks lies on metadata",
        explain: "A block of the list itself is a block of metadata.",
        repair: "clears the list",
        e2fsck: ["PR_1_BB_FS_BLOCK", "PR_1_BBINODE_BAD_METABLOCK"];
    BAD_LIST_NUMBER = "ext-bad-blocks-number", Damage,
        "the list of bad blocks names a block outside the volume",
        explain: "The list is damaged, or was made for a larger volume. No file is touched.",
        repair: "removes the number",
        e2fsck: ["PR_1_BB_ILLEGAL_BLOCK_NUM"];
    BAD_LIST_ON_ITSELF = "ext-bad-blocks-on-itself", Damage,
        "the list of bad blocks names the block of its own inode",
        explain: "With it, the root directory and the journal would lie on a bad block: the list is more likely wrong than the disk.",
        repair: "clears the list",
        e2fsck: ["PR_1_BADBLOCKS_IN_BADBLOCKS"];
    BAD_LIST_INODE = "ext-bad-blocks-inode", Damage,
        "the inode of the list of bad blocks is none",
        explain: "It has a mode, an owner or links, which that inode never has.",
        repair: "clears the inode",
        e2fsck: ["PR_1_INVALID_BAD_INODE"];
    // Pass 1: special inodes.
    ROOT_NOT_DIRECTORY = "ext-root-not-directory", Critical,
        "the root is no directory",
        explain: "Nothing can be reached by path. The files themselves may be whole.",
        repair: "makes a new root and moves everything to lost+found",
        e2fsck: ["PR_1_ROOT_NO_DIR"];
    ROOT_DELETED = "ext-root-deleted", Damage,
        "the root has a time of deletion",
        explain: "An old mkfs did this; otherwise the inode is damaged.",
        repair: "clears the time",
        e2fsck: ["PR_1_ROOT_DTIME"];
    RESERVED_MODE = "ext-reserved-mode", Damage,
        "a reserved inode has a mode it can not have",
        explain: "Inodes 3 to 10 belong to the filesystem itself.",
        repair: "clears the inode",
        e2fsck: ["PR_1_RESERVED_BAD_MODE"];
    JOURNAL_MODE = "ext-journal-mode", Damage,
        "the journal is no regular file",
        explain: "Its mode was overwritten.",
        repair: "sets the mode",
        e2fsck: ["PR_1_JOURNAL_BAD_MODE"];
    JOURNAL_NOT_CLEAR = "ext-journal-not-clear", Damage,
        "the journal's inode is not in use, and holds data",
        explain: "The volume has no journal, but inode 8 has blocks or links.",
        repair: "clears the inode",
        e2fsck: ["PR_1_JOURNAL_INODE_NOT_CLEAR"];
    QUOTA_MODE = "ext-quota-mode", Damage,
        "a quota file is no regular file",
        explain: "Its mode was overwritten.",
        repair: "sets the mode",
        e2fsck: ["PR_1_QUOTA_BAD_MODE"];
    QUOTA_NOT_CLEAR = "ext-quota-not-clear", Damage,
        "a quota inode is not in use, and holds data",
        explain: "The volume has no quota, but inode 3 or 4 has blocks or links.",
        repair: "clears the inode",
        e2fsck: ["PR_1_QUOTA_INODE_NOT_CLEAR"];
    ORPHAN_FILE_MODE = "ext-orphan-file-mode", Damage,
        "the orphan file is no regular file",
        explain: "Its mode was overwritten.",
        repair: "clears it",
        e2fsck: ["PR_1_ORPHAN_FILE_BAD_MODE"];
    ORPHAN_FILE_NOT_CLEAR = "ext-orphan-file-not-clear", Damage,
        "the orphan file is not in use, and holds data",
        explain: "The superblock names an orphan file, but the feature is off.",
        repair: "clears the inode",
        e2fsck: ["PR_1_ORPHAN_FILE_NOT_CLEAR"];
    // Pass 1: any inode.
    INODE_GARBAGE = "ext-inode-garbage", Critical,
        "an inode seems to be garbage",
        explain: "More than half of the inodes in its block have wrong checksums: something else was written over that part of the table.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_INODE_IS_GARBAGE"];
    INODE_CHECKSUM = "ext-inode-checksum", Damage,
        "an inode's checksum does not match",
        explain: "Some byte of the inode is not what was written last. Where nothing else is reported the file is most likely whole.",
        repair: "recomputes the checksum",
        e2fsck: ["PR_1_INODE_ONLY_CSUM_INVALID"];
    CASEFOLD_NOT_DIRECTORY = "ext-inode-casefold-not-directory", Damage,
        "the casefold flag stands on what is no directory",
        explain: "Only directories compare names regardless of case.",
        repair: "clears the flag",
        e2fsck: ["PR_1_CASEFOLD_NONDIR"];
    CASEFOLD_WITHOUT_FEATURE = "ext-inode-casefold-without-feature", Damage,
        "the casefold flag is set without the feature",
        explain: "The volume knows no casefolding, so the flag is most likely damage.",
        repair: "clears the flag",
        e2fsck: ["PR_1_CASEFOLD_FEATURE"];
    INLINE_FLAG_WITH_EXTENTS = "ext-inode-inline-flag-with-extents", Damage,
        "an inode with extents is marked as holding its data inline",
        explain: "Both flags are set, and the inode holds an extent tree.",
        repair: "clears the inline flag",
        e2fsck: ["PR_1_CLEAR_INLINE_DATA_FOR_EXTENT"];
    EXTENTS_FLAG_WITH_INLINE = "ext-inode-extents-flag-with-inline", Damage,
        "an inode with inline data is marked as having extents",
        explain: "Both flags are set, and the inode holds its data.",
        repair: "clears the extents flag",
        e2fsck: ["PR_1_CLEAR_EXTENT_FOR_INLINE_DATA"];
    BOTH_FLAGS_WITH_BLOCK_MAP = "ext-inode-both-flags-with-block-map", Damage,
        "an inode with a block map is marked as having inline data and extents",
        explain: "Both flags are set, and the inode holds neither but block numbers.",
        repair: "clears both flags",
        e2fsck: ["PR_1_CLEAR_EXTENT_INLINE_DATA_FLAGS"];
    BOTH_FLAGS_WITH_JUNK = "ext-inode-both-flags-with-junk", Critical,
        "an inode is marked as having inline data and extents, and has neither",
        explain: "The place of the map holds nothing that makes sense, so the contents can not be found.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_CLEAR_EXTENT_INLINE_DATA_INODE"];
    INLINE_WITHOUT_FEATURE = "ext-inode-inline-without-feature", Damage,
        "an inode holds its data inline, and the feature is off",
        explain: "The data is there, and the kernel refuses to read it.",
        repair: "switches the feature on",
        e2fsck: ["PR_1_INLINE_DATA_FEATURE"];
    INLINE_FLAG_WITHOUT_FEATURE = "ext-inode-inline-flag-without-feature", Damage,
        "the inline flag is set without the feature",
        explain: "No inline data is there either: the flags are damaged.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_INLINE_DATA_SET"];
    INLINE_WITHOUT_ATTRIBUTE = "ext-inode-inline-without-attribute", Damage,
        "the attribute that inline data goes on in is missing",
        explain: "At most the first 60 bytes of the file are left.",
        repair: "truncates the file",
        e2fsck: ["PR_1_INLINE_DATA_NO_ATTR"];
    EXTENTS_WITHOUT_FEATURE = "ext-inode-extents-without-feature", Damage,
        "an inode has extents, and the feature is off",
        explain: "The file is whole, and the kernel refuses to read it.",
        repair: "switches the feature on",
        e2fsck: ["PR_1_EXTENT_FEATURE"];
    EXTENTS_FLAG_WITHOUT_FEATURE = "ext-inode-extents-flag-without-feature", Critical,
        "the extents flag is set without the feature",
        explain: "No extent tree is there either: the inode is damaged.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_EXTENTS_SET"];
    EXTENTS_FLAG_MISSING = "ext-inode-extents-flag-missing", Damage,
        "an inode holds an extent tree and does not say so",
        explain: "Read as block numbers, the tree leads to other files' data.",
        repair: "sets the flag",
        e2fsck: ["PR_1_UNSET_EXTENT_FL"];
    DELETED_WITHOUT_TIME = "ext-inode-deleted-without-time", Damage,
        "a deleted inode has no time of deletion",
        explain: "The file was deleted, or still open when the machine stopped, and its blocks were not freed yet.",
        repair: "sets the time, or finishes the deletion",
        e2fsck: ["PR_1_ZERO_DTIME"];
    ORPHAN_LIST_LEFT = "ext-inode-orphan-list-left", Damage,
        "an inode was part of a broken list of orphans",
        explain: "Its time of deletion is so small that it is an inode number: the next inode of a list of files that were deleted while open.",
        repair: "clears the field",
        e2fsck: ["PR_1_LOW_DTIME", "PR_1_ORPHAN_LIST_REFUGEES"];
    IN_USE_BUT_DELETED = "ext-inode-in-use-but-deleted", Damage,
        "an inode in use has a time of deletion",
        explain: "Links say the file exists, and the time says it was deleted.",
        repair: "clears the time",
        e2fsck: ["PR_1_SET_DTIME"];
    AFS_FLAG = "ext-inode-afs-flag", Damage,
        "an inode has the flag of AFS without the feature",
        explain: "The flag would hide it from directories.",
        repair: "clears the flag",
        e2fsck: ["PR_1_SET_IMAGIC"];
    EXTRA_SIZE = "ext-inode-extra-size", Damage,
        "the extra size of an inode is impossible",
        explain: "It says how many bytes behind the first 128 are fields; attributes begin behind them. Times of high precision and attributes in the inode can not be read.",
        repair: "sets the standard size",
        e2fsck: ["PR_1_EXTRA_ISIZE"];
    TIME_OUT_OF_RANGE = "ext-inode-time-misread", Warning,
        "a time lies past 2310, and is most likely one before 1970",
        explain: "Kernels before 3.14 wrote such times wrongly.",
        repair: "corrects the times",
        e2fsck: ["PR_1_EA_TIME_OUT_OF_RANGE"];
    REALLY_A_DIRECTORY = "ext-inode-really-a-directory", Damage,
        "an inode of another kind seems to be a directory",
        explain: "Its first block begins with the entries `.` and `..` of this very inode: its mode was overwritten.",
        repair: "makes it a directory again",
        e2fsck: ["PR_1_TREAT_AS_DIRECTORY"];
    SPECIAL_WITH_MAP = "ext-inode-special-with-map", Damage,
        "a device, pipe or socket has flags of a file with contents",
        explain: "Such files have no contents.",
        repair: "clears the flags",
        e2fsck: ["PR_1_SPECIAL_EXTENTS_IDATA"];
    SPECIAL_IMMUTABLE = "ext-inode-special-immutable", Damage,
        "a device, pipe, socket or symbolic link is immutable or append-only",
        explain: "No program sets this; the flags are damaged.",
        repair: "clears the flags",
        e2fsck: ["PR_1_SET_IMMUTABLE"];
    SPECIAL_WITH_SIZE = "ext-inode-special-with-size", Damage,
        "a device, pipe or socket has a size",
        explain: "Such files have no contents.",
        repair: "sets the size to 0",
        e2fsck: ["PR_1_SET_NONZSIZE"];
    FAST_SYMLINK_EXTENTS = "ext-inode-symlink-extents", Damage,
        "a symbolic link in its inode is marked as having extents",
        explain: "The target lies in the inode, where a reader that believes the flag looks for an extent tree.",
        repair: "clears the flag",
        e2fsck: ["PR_1_FAST_SYMLINK_EXTENT_FL"];
    SIZE = "ext-inode-size", Damage,
        "the size of a file or directory does not fit its blocks",
        explain: "There are blocks behind the end, or the size is larger than the map can hold. What lies between the two sizes may be lost, or junk at the end.",
        repair: "sets the size to what the blocks say",
        e2fsck: ["PR_1_BAD_I_SIZE"];
    BLOCKS_COUNT = "ext-inode-blocks-count", Damage,
        "an inode counts another number of blocks than it has",
        explain: "The contents are not touched; tools that show disk usage are wrong.",
        repair: "corrects the count",
        e2fsck: ["PR_1_BAD_I_BLOCKS"];
    DIRECTORY_EMPTY = "ext-directory-empty", Damage,
        "a directory has no block",
        explain: "Not even its entries `.` and `..` are left: what it named is without names.",
        repair: "clears the directory, and moves what it named to lost+found",
        e2fsck: ["PR_1_ZERO_LENGTH_DIR"];
    // Pass 1: extended attributes.
    XATTR_INODE_COLLISION = "ext-xattr-inode-collision", Damage,
        "attributes in an inode overlap",
        explain: "Entries or values of extended attributes (ACLs and security labels among them) lie over each other or past the end.",
        repair: "clears the inode's attributes",
        e2fsck: ["PR_1_INODE_EA_ALLOC_COLLISION"];
    XATTR_NAME_LENGTH = "ext-xattr-name-length", Damage,
        "the name of an attribute in an inode is too long",
        explain: "It reaches past the end of the inode.",
        repair: "clears the inode's attributes",
        e2fsck: ["PR_1_ATTR_NAME_LEN"];
    XATTR_VALUE_OFFSET = "ext-xattr-value-offset", Damage,
        "the value of an attribute in an inode lies outside of it",
        explain: "The value can not be read.",
        repair: "clears the inode's attributes",
        e2fsck: ["PR_1_ATTR_VALUE_OFFSET"];
    XATTR_VALUE_SIZE = "ext-xattr-value-size", Damage,
        "the value of an attribute in an inode is too large",
        explain: "The value can not be read.",
        repair: "clears the inode's attributes",
        e2fsck: ["PR_1_ATTR_VALUE_SIZE"];
    XATTR_HASH = "ext-xattr-hash", Damage,
        "an attribute's hash does not match",
        explain: "The name or the value of the attribute was changed after it was written.",
        repair: "clears the attribute",
        e2fsck: ["PR_1_ATTR_HASH"];
    XATTR_VALUE_INODE = "ext-xattr-value-inode", Damage,
        "an attribute's value lies in an inode that can not hold it",
        explain: "The number is impossible, or the inode has another size. The value is lost.",
        repair: "clears the attribute",
        e2fsck: ["PR_1_ATTR_VALUE_EA_INODE"];
    XATTR_VALUE_INODE_FLAG = "ext-xattr-value-inode-flag", Damage,
        "the inode of an attribute's value is not marked as such",
        explain: "The value may be right, and the inode may be an ordinary file as well.",
        repair: "sets the flag, or clears the attribute",
        e2fsck: ["PR_1_ATTR_SET_EA_INODE_FL", "PR_1_ATTR_NO_EA_INODE_FL"];
    XATTR_BLOCK = "ext-xattr-block-old", Damage,
        "an inode's block of attributes is of the first version",
        explain: "The block does not begin as blocks of attributes do. ACLs and security labels of the file are lost.",
        repair: "forgets the block",
        e2fsck: ["PR_1_BAD_EA_BLOCK"];
    XATTR_MAGIC = "ext-xattr-magic", Damage,
        "a block of attributes begins with an unknown magic number",
        explain: "The block was overwritten, or never was one of attributes.",
        repair: "clears the attributes, or gives up when it corrects the count of its files",
        e2fsck: ["PR_1_BAD_EA_BLOCK"];
    XATTR_BLOCK_COUNT = "ext-xattr-block-count", Damage,
        "a block of attributes claims to be several",
        explain: "The format knows only single blocks.",
        repair: "clears the attributes",
        e2fsck: ["PR_1_EA_MULTI_BLOCK"];
    XATTR_COLLISION = "ext-xattr-collision", Damage,
        "attributes in a block overlap",
        explain: "Entries or values lie over each other or past the end.",
        repair: "clears the attributes of all files that share the block",
        e2fsck: ["PR_1_EA_ALLOC_COLLISION"];
    XATTR_NAME = "ext-xattr-name", Damage,
        "an attribute in a block has an impossible name",
        explain: "Its class is none that is known.",
        repair: "clears the attributes of all files that share the block",
        e2fsck: ["PR_1_EA_BAD_NAME"];
    XATTR_VALUE = "ext-xattr-value", Damage,
        "the value of an attribute in a block lies outside of it",
        explain: "The value can not be read.",
        repair: "clears the attributes of all files that share the block",
        e2fsck: ["PR_1_EA_BAD_VALUE"];
    XATTR_CHECKSUM = "ext-xattr-block-checksum", Damage,
        "the checksum of a block of attributes does not match",
        explain: "Some byte of it is not what was written last.",
        repair: "recomputes the checksum",
        e2fsck: ["PR_1_EA_BLOCK_ONLY_CSUM_INVALID"];
    XATTR_REFERENCES = "ext-xattr-references", Damage,
        "a block of attributes counts the wrong number of files",
        explain: "Files share blocks of equal attributes. With a count that is too low the block may be freed while files still need it.",
        repair: "corrects the count",
        e2fsck: ["PR_1_EXTATTR_REFCOUNT"];
    ENCRYPTION_MISSING = "ext-encryption-missing", Damage,
        "an encrypted inode has no encryption context",
        explain: "Without it no key can open the file; or the flag itself is damage.",
        repair: "clears the flag",
        e2fsck: ["PR_1_MISSING_ENCRYPTION_XATTR"];
    ENCRYPTION_CORRUPT = "ext-encryption-corrupt", Damage,
        "an encryption context is damaged",
        explain: "Its version or size is unknown, so the key can not be found.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_CORRUPT_ENCRYPTION_XATTR"];
    // Pass 1: maps.
    EXTENT_ROOT = "ext-extent-root", Critical,
        "the extent tree in an inode has no header",
        explain: "The map to all of the file's contents is lost.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_MISSING_EXTENT_HEADER"];
    EXTENT_HEADER = "ext-extent-header", Critical,
        "a node of an extent tree is none",
        explain: "The part of the file that it maps is lost; the rest can be read.",
        repair: "cuts the node off: that part of the file is gone",
        e2fsck: ["PR_1_EXTENT_HEADER_INVALID"];
    EXTENT_START = "ext-extent-start", Damage,
        "an extent begins outside the volume",
        explain: "That part of the file is lost.",
        repair: "removes the extent: it reads as zeros",
        e2fsck: ["PR_1_EXTENT_BAD_START_BLK"];
    EXTENT_END = "ext-extent-end", Damage,
        "an extent ends outside the volume",
        explain: "What lies past the end of the volume is lost.",
        repair: "removes the extent: it reads as zeros",
        e2fsck: ["PR_1_EXTENT_ENDS_BEYOND"];
    EXTENT_ORDER = "ext-extent-order", Damage,
        "extents are out of order",
        explain: "Two extents claim the same part of the file, or they are not sorted.",
        repair: "removes the extent: it reads as zeros",
        e2fsck: ["PR_1_OUT_OF_ORDER_EXTENTS"];
    EXTENT_COLLISION = "ext-extent-collision", Damage,
        "two extents map the same block of a file",
        explain: "Only one of both can be right. Which one is read depends on the reader.",
        repair: "clears the second extent",
        e2fsck: ["PR_1_EXTENT_COLLISION"];
    EXTENT_OUT_OF_BOUNDS = "ext-extent-out-of-bounds", Damage,
        "an extent lies outside the part its node maps",
        explain: "It belongs to another part of the file than the index above says.",
        repair: "removes the extent: it reads as zeros",
        e2fsck: ["PR_1_EXTENT_END_OUT_OF_BOUNDS"];
    EXTENT_LENGTH_ZERO = "ext-extent-length-zero", Damage,
        "an extent has no block",
        explain: "It maps nothing and can be removed without loss.",
        repair: "removes the extent",
        e2fsck: ["PR_1_EXTENT_LENGTH_ZERO"];
    EXTENT_CHECKSUM = "ext-extent-node-checksum", Damage,
        "the checksum of an extent tree's node does not match",
        explain: "Some byte of it is not what was written last, so the blocks it names may be another file's.",
        repair: "recomputes the checksum",
        e2fsck: ["PR_1_EXTENT_ONLY_CSUM_INVALID"];
    EXTENT_INDEX_START = "ext-extent-index-start", Damage,
        "an index of an extent tree begins elsewhere than the node below",
        explain: "Reading can still find every block; the tree was not written as it should.",
        repair: "corrects the index",
        e2fsck: ["PR_1_EXTENT_INDEX_START_INVALID"];
    EXTENT_TREE_DEPTH = "ext-extent-tree-depth", Note,
        "an extent tree is deeper than it need be",
        explain: "Nothing is wrong with it.",
        repair: "may rebuild the tree",
        e2fsck: ["PR_1_EXTENT_BAD_MAX_DEPTH"];
    EXTENT_TREE_COLLAPSE = "ext-extent-tree-shorter", Note,
        "an extent tree could be shorter",
        explain: "Nothing is wrong with it.",
        repair: "may rebuild the tree",
        e2fsck: ["PR_1E_CAN_COLLAPSE_EXTENT_TREE"];
    EXTENT_TREE_NARROW = "ext-extent-tree-narrower", Note,
        "an extent tree could be narrower",
        explain: "Nothing is wrong with it.",
        repair: "may rebuild the tree",
        e2fsck: ["PR_1E_CAN_NARROW_EXTENT_TREE"];
    CRITICAL_BLOCK = "ext-map-on-metadata", Critical,
        "a map's block lies on metadata",
        explain: "A block of indirect numbers or of an extent tree is also a superblock, descriptor, bitmap or inode table. It was not followed.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_CRITICAL_METADATA_COLLISION"];
    ILLEGAL_BLOCK = "ext-map-block-number", Damage,
        "a block map names a block outside the volume",
        explain: "That part of the file is lost.",
        repair: "clears the number: it reads as zeros",
        e2fsck: ["PR_1_ILLEGAL_BLOCK_NUM"];
    TOO_MANY_ILLEGAL = "ext-map-too-many-illegal", Critical,
        "a block map names many blocks outside the volume",
        explain: "The inode was most likely overwritten as a whole.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_TOO_MANY_BAD_BLOCKS"];
    BLOCK_MAP_WITH_CLUSTERS = "ext-map-with-clusters", Damage,
        "a block map on a volume with clusters",
        explain: "Volumes with bigalloc know only extents.",
        repair: "clears the file",
        e2fsck: ["PR_1_NO_BIGALLOC_BLOCKMAP_FILES"];
    MISALIGNED_CLUSTER = "ext-map-misaligned-cluster", Damage,
        "a file's blocks do not lie in clusters as they must",
        explain: "Two parts of files may share a cluster of which each believes to own all.",
        repair: "copies the blocks to clusters of their own",
        e2fsck: ["PR_1_MISALIGNED_CLUSTER"];
    DIRECTORY_GAP = "ext-directory-gap", Damage,
        "a directory's blocks leave a gap",
        explain: "Directories have no holes: a block, and the names in it, was lost.",
        repair: "moves the later blocks up",
        e2fsck: ["PR_1_COLLAPSE_DBLOCK"];
    DIRECTORY_UNWRITTEN = "ext-directory-unwritten", Damage,
        "a directory's block is marked as never written",
        explain: "The names in it read as nothing, although they may be there.",
        repair: "clears the mark",
        e2fsck: ["PR_1_UNINIT_DBLOCK"];
    // Pass 1: roots of hashed directories.
    HASHED_NOT_DIRECTORY = "ext-hash-not-directory", Damage,
        "the flag of hashed directories stands on what is no directory",
        explain: "The flags are damaged.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_NODIR"];
    HASHED_WITHOUT_FEATURE = "ext-hash-without-feature", Damage,
        "a directory is hashed, and the feature is off",
        explain: "The names are read without the hash.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_SET"];
    HASHED_ROOT = "ext-hash-root", Damage,
        "a hashed directory has no valid root",
        explain: "The names are read without the hash, and none is lost by that.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_BADROOT"];
    HASH_VERSION = "ext-hash-version", Damage,
        "a hashed directory uses an unknown hash",
        explain: "The names are read without the hash.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_HASHV"];
    HASH_NOT_SIPHASH = "ext-hash-not-siphash", Damage,
        "an encrypted and casefolded directory uses the wrong hash",
        explain: "Such directories use SipHash.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_NEEDS_SIPHASH"];
    HASH_SIPHASH = "ext-hash-siphash", Damage,
        "a directory uses SipHash, and may not",
        explain: "Only encrypted and casefolded directories use SipHash.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_CANNOT_SIPHASH"];
    HASH_FLAGS = "ext-hash-flags", Damage,
        "a hashed directory has an unknown flag",
        explain: "The root of its tree is damaged, or newer than known.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_INCOMPAT"];
    HASH_DEPTH = "ext-hash-depth", Damage,
        "a hash tree is too deep",
        explain: "The root of the tree is damaged. The names are read without it.",
        repair: "clears the flag",
        e2fsck: ["PR_1_HTREE_DEPTH"];
    // Passes 1B to 1D: blocks claimed twice.
    SHARED_BLOCK = "ext-shared-block", Critical,
        "a block is claimed more than once",
        explain: "One of the files holds the data of another, or of metadata. Compare their contents before either is thrown away.",
        repair: "asks to copy the block for each file, or to delete the files",
        e2fsck: ["PR_1B_DUP_BLOCK"];
    SHARED_BLOCKS = "ext-shared-blocks", Critical,
        "blocks in a row are claimed more than once",
        explain: "One of the files holds the data of another, or of metadata. Compare their contents before either is thrown away.",
        repair: "asks to copy the blocks for each file, or to delete the files",
        e2fsck: ["PR_1B_DUP_RANGE"];
    SHARING_FILE = "ext-shared-file", Critical,
        "a file has blocks that are not its own alone",
        explain: "At most one of those who claim a block holds what it should.",
        repair: "asks to copy the blocks for each file, or to delete the files",
        e2fsck: ["PR_1D_DUP_FILE"];
    SHARED_WITH_METADATA = "ext-shared-with-metadata", Critical,
        "a file claims blocks of the filesystem's metadata",
        explain: "Its contents there are inode tables, bitmaps or the like; writing to it would destroy the volume.",
        repair: "asks to copy the blocks, or to delete the file",
        e2fsck: ["PR_1D_SHARE_METADATA"];
    SHARED_WITH = "ext-shared-with", Critical,
        "a file shares blocks with others",
        explain: "The others are named in the finding.",
        repair: "asks to copy the blocks for each file, or to delete the files",
        e2fsck: ["PR_1D_DUP_FILE_LIST"];
    // Pass 2: inodes that entries name.
    ATTRIBUTES_WITHOUT_FEATURE = "ext-inode-attributes-without-feature", Damage,
        "an inode names a block of attributes, and the feature is off",
        explain: "The field is damaged, or attributes were switched off.",
        repair: "clears the field",
        e2fsck: ["PR_2_FILE_ACL_ZERO"];
    ATTRIBUTES_BLOCK = "ext-inode-attributes-block", Damage,
        "an inode's block of attributes lies outside the volume",
        explain: "ACLs and security labels of the file are lost.",
        repair: "clears the field",
        e2fsck: ["PR_2_FILE_ACL_BAD"];
    ATTRIBUTES_HIGH = "ext-inode-attributes-high", Damage,
        "the upper half of a block number of attributes is set",
        explain: "Without 64-bit blocks it must be zero.",
        repair: "clears the field",
        e2fsck: ["PR_2_I_FILE_ACL_HI_ZERO"];
    FRAGMENT_ADDRESS = "ext-inode-fragment", Damage,
        "the address of a fragment is set",
        explain: "Fragments never existed; the field must be zero.",
        repair: "clears the field",
        e2fsck: ["PR_2_FADDR_ZERO"];
    BLOCKS_HIGH = "ext-inode-blocks-high", Damage,
        "the upper half of the count of blocks is set",
        explain: "Without the feature huge_file it must be zero.",
        repair: "clears the field",
        e2fsck: ["PR_2_BLOCKS_HI_ZERO"];
    DIRECTORY_SIZE_HIGH = "ext-inode-directory-size-high", Damage,
        "the upper half of a directory's size is set",
        explain: "Without the feature large_dir it must be zero.",
        repair: "clears the field",
        e2fsck: ["PR_2_DIR_SIZE_HIGH_ZERO"];
    MODE = "ext-inode-mode", Critical,
        "an inode is of no known kind",
        explain: "Its mode was overwritten, so nothing tells whether it is a file or a directory.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_2_BAD_MODE"];
    CHAR_DEVICE = "ext-inode-char-device", Damage,
        "an inode is no valid character device",
        explain: "It has fields that devices have not.",
        repair: "clears the inode",
        e2fsck: ["PR_2_BAD_CHAR_DEV"];
    BLOCK_DEVICE = "ext-inode-block-device", Damage,
        "an inode is no valid block device",
        explain: "It has fields that devices have not.",
        repair: "clears the inode",
        e2fsck: ["PR_2_BAD_BLOCK_DEV"];
    FIFO = "ext-inode-fifo", Damage,
        "an inode is no valid pipe",
        explain: "It has fields that pipes have not.",
        repair: "clears the inode",
        e2fsck: ["PR_2_BAD_FIFO"];
    SOCKET = "ext-inode-socket", Damage,
        "an inode is no valid socket",
        explain: "It has fields that sockets have not.",
        repair: "clears the inode",
        e2fsck: ["PR_2_BAD_SOCKET"];
    SYMLINK = "ext-inode-symlink", Damage,
        "a symbolic link is not valid",
        explain: "Its target is not as long as its size says, or can not be read.",
        repair: "clears the inode: the link is gone",
        e2fsck: ["PR_2_INVALID_SYMLINK"];
    // Pass 2: blocks of directories.
    DIRECTORY_HOLE = "ext-directory-hole", Damage,
        "a directory has a hole",
        explain: "A block of it is missing, with the names in it. What it named may be found without names.",
        repair: "fills the hole with an empty block",
        e2fsck: ["PR_2_DIRECTORY_HOLE"];
    DIRECTORY_CORRUPTED = "ext-directory-corrupted", Critical,
        "an entry of a directory does not fit its block",
        explain: "The names behind it in this block can not be found by following lengths. The reader searches for them.",
        repair: "salvages what it can: names behind it may be lost",
        e2fsck: ["PR_2_DIR_CORRUPTED"];
    LEAF_WITHOUT_CHECKSUM = "ext-directory-without-checksum", Damage,
        "a block of a directory has no checksum",
        explain: "The last bytes of the block are not the tail that holds it.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_LEAF_NODE_MISSING_CSUM"];
    LEAF_UNPROVED = "ext-directory-checksum-unproved", Warning,
        "a directory's checksums can not be proved, for its inode's is wrong",
        explain: "Checksums of a directory's blocks begin with its inode's generation. Where the inode's own checksum does not match, theirs prove nothing.",
        repair: "recomputes the checksums",
        e2fsck: ["PR_2_LEAF_NODE_ONLY_CSUM_INVALID"];
    LEAF_CHECKSUM = "ext-directory-checksum", Damage,
        "the checksum of a block of a directory does not match",
        explain: "Some byte of it is not what was written last, so a name or an inode number may be wrong.",
        repair: "recomputes the checksum",
        e2fsck: ["PR_2_LEAF_NODE_ONLY_CSUM_INVALID"];
    INLINE_DIRECTORY_SIZE = "ext-directory-inline-size", Damage,
        "the size of an inline directory is no multiple of 4",
        explain: "Entries are aligned to 4 bytes.",
        repair: "corrects the size",
        e2fsck: ["PR_2_BAD_INLINE_DIR_SIZE"];
    DOT_MISSING = "ext-directory-dot-missing", Damage,
        "a directory has no entry `.`",
        explain: "The first entry is not in use.",
        repair: "writes the entry",
        e2fsck: ["PR_2_MISSING_DOT"];
    DOT_NOT_FIRST = "ext-directory-dot-not-first", Damage,
        "a directory's first entry is not `.`",
        explain: "The block was overwritten, or is another's.",
        repair: "renames the entry",
        e2fsck: ["PR_2_1ST_NOT_DOT"];
    DOT_NOT_TERMINATED = "ext-directory-dot-not-terminated", Damage,
        "the entry `.` is not ended by a zero",
        explain: "Old kernels read names up to a zero.",
        repair: "writes the zero",
        e2fsck: ["PR_2_DOT_NULL_TERM"];
    DOT_INODE = "ext-directory-dot-inode", Damage,
        "the entry `.` names another inode",
        explain: "The block belongs to another directory, or was damaged.",
        repair: "corrects the number",
        e2fsck: ["PR_2_BAD_INODE_DOT"];
    DOT_BIG = "ext-directory-dot-big", Damage,
        "the entry `.` is longer than it must be",
        explain: "There is room for another entry in it.",
        repair: "splits the entry",
        e2fsck: ["PR_2_SPLIT_DOT"];
    DOTDOT_MISSING = "ext-directory-dotdot-missing", Damage,
        "a directory has no entry `..`",
        explain: "The second entry is not in use.",
        repair: "writes the entry",
        e2fsck: ["PR_2_MISSING_DOT_DOT"];
    DOTDOT_NOT_SECOND = "ext-directory-dotdot-not-second", Damage,
        "a directory's second entry is not `..`",
        explain: "The block was overwritten, or is another's.",
        repair: "renames the entry",
        e2fsck: ["PR_2_2ND_NOT_DOT_DOT"];
    DOTDOT_NOT_TERMINATED = "ext-directory-dotdot-not-terminated", Damage,
        "the entry `..` is not ended by a zero",
        explain: "Old kernels read names up to a zero.",
        repair: "writes the zero",
        e2fsck: ["PR_2_DOT_DOT_NULL_TERM"];
    ENTRY_LAST_LENGTH = "ext-entry-last-length", Damage,
        "the last entry of a block does not reach its end",
        explain: "The length was damaged.",
        repair: "corrects the length",
        e2fsck: ["PR_2_FINAL_RECLEN"];
    ENTRY_INODE = "ext-entry-inode", Damage,
        "an entry names an impossible inode",
        explain: "The number is reserved, or larger than the volume has inodes. What the name stood for is lost, or among the files without names.",
        repair: "removes the entry",
        e2fsck: ["PR_2_BAD_INO"];
    ENTRY_UNUSED = "ext-entry-unused", Damage,
        "an entry names an inode that is not in use",
        explain: "The file was deleted, or its inode was destroyed.",
        repair: "removes the entry",
        e2fsck: ["PR_2_UNUSED_INODE"];
    ENTRY_IN_BAD_BLOCK = "ext-entry-in-bad-block", Damage,
        "an entry names an inode in a bad block",
        explain: "The list of bad blocks names the part of the inode table that it lies in.",
        repair: "removes the entry",
        e2fsck: ["PR_2_BB_INODE"];
    ENTRY_SELF = "ext-entry-self", Damage,
        "an entry names its own directory",
        explain: "A directory is named by its parent alone. Walks that follow the entry never end.",
        repair: "removes the entry",
        e2fsck: ["PR_2_LINK_DOT"];
    ENTRY_ROOT = "ext-entry-root", Damage,
        "an entry names the root directory",
        explain: "A directory has one parent, and the root has none.",
        repair: "removes the entry",
        e2fsck: ["PR_2_LINK_ROOT"];
    ENTRY_GROUP_UNINITIALISED = "ext-entry-group-uninitialised", Damage,
        "an entry names an inode of a group marked as never initialised",
        explain: "The mark is wrong, or the entry. If it is the mark, files of that group seem to be gone and are not.",
        repair: "clears the mark and looks again",
        e2fsck: ["PR_2_INOREF_BG_INO_UNINIT"];
    ENTRY_IN_UNUSED = "ext-entry-in-unused", Damage,
        "an entry names an inode behind those ever used",
        explain: "The group's count of untouched inodes is wrong, or the entry. If it is the count, the file is there.",
        repair: "corrects the count and looks again",
        e2fsck: ["PR_2_INOREF_IN_UNUSED"];
    NAME_EMPTY = "ext-entry-name-empty", Damage,
        "an entry has an empty name",
        explain: "What it names can not be reached by path.",
        repair: "removes the entry",
        e2fsck: ["PR_2_NULL_NAME"];
    NAME_CHARACTERS = "ext-entry-name-characters", Damage,
        "a name holds a slash or a zero byte",
        explain: "Such a name can not be opened.",
        repair: "replaces the characters",
        e2fsck: ["PR_2_BAD_NAME"];
    NAME_ENCODING = "ext-entry-name-encoding", Damage,
        "a name in a casefolded directory is not UTF-8",
        explain: "Strict directories accept only valid Unicode.",
        repair: "renames the entry",
        e2fsck: ["PR_2_BAD_ENCODED_NAME"];
    ENCRYPTED_NAME = "ext-entry-encrypted-name", Damage,
        "an encrypted name is too short",
        explain: "Encrypted names are at least one block of the cipher long.",
        repair: "removes the entry",
        e2fsck: ["PR_2_BAD_ENCRYPTED_NAME"];
    ENTRY_UNENCRYPTED = "ext-entry-unencrypted", Damage,
        "an encrypted directory names a file that is not encrypted",
        explain: "The kernel refuses to open it.",
        repair: "removes the entry",
        e2fsck: ["PR_2_UNENCRYPTED_FILE"];
    ENCRYPTION_POLICY = "ext-entry-encryption-policy", Damage,
        "an encrypted directory names a file with another policy",
        explain: "The kernel refuses to open it.",
        repair: "removes the entry",
        e2fsck: ["PR_2_INCONSISTENT_ENCRYPTION_POLICY"];
    DOT_TWICE = "ext-entry-dot-twice", Damage,
        "a directory has a second entry `.`",
        explain: "Only the first has a meaning.",
        repair: "removes the entry",
        e2fsck: ["PR_2_DUP_DOT"];
    DOTDOT_TWICE = "ext-entry-dotdot-twice", Damage,
        "a directory has a second entry `..`",
        explain: "Only the first has a meaning.",
        repair: "removes the entry",
        e2fsck: ["PR_2_DUP_DOT_DOT"];
    DIRECTORY_LINKED_TWICE = "ext-entry-directory-twice", Damage,
        "a directory is named in two places",
        explain: "A directory has one name. The other entry is an old copy, or damage.",
        repair: "removes the entry",
        e2fsck: ["PR_2_LINK_DIR"];
    ENTRY_TWICE = "ext-entry-twice", Damage,
        "a directory has the same entry twice",
        explain: "Name and inode are the same.",
        repair: "removes one of them",
        e2fsck: ["PR_2_DUPLICATE_DIRENT"];
    NAME_TWICE = "ext-entry-name-twice", Damage,
        "a directory has a name twice",
        explain: "Only one of the two files can be opened by that name.",
        repair: "renames one of them",
        e2fsck: ["PR_2_NON_UNIQUE_FILE"];
    KIND_MISSING = "ext-entry-kind-missing", Warning,
        "an entry does not record the kind of its file",
        explain: "Programs have to look at the inode instead.",
        repair: "records it",
        e2fsck: ["PR_2_SET_FILETYPE"];
    KIND_WRONG = "ext-entry-kind-wrong", Damage,
        "an entry records the wrong kind of its file",
        explain: "The inode was reused, or one of both was damaged.",
        repair: "corrects it",
        e2fsck: ["PR_2_BAD_FILETYPE"];
    KIND_WITHOUT_FEATURE = "ext-entry-kind-without-feature", Damage,
        "an entry records a kind without the feature",
        explain: "Without the feature the byte belongs to the length of the name.",
        repair: "clears it",
        e2fsck: ["PR_2_CLEAR_FILETYPE"];
    LARGE_FILE_FEATURE = "ext-superblock-large-file", Damage,
        "files of 2 GiB and more, and the feature is off",
        explain: "Old kernels would read them wrongly.",
        repair: "switches the feature on",
        e2fsck: ["PR_2_FEATURE_LARGE_FILES"];
    LARGE_DIR_FEATURE = "ext-superblock-large-dir", Damage,
        "directories of 2 GiB and more, and the feature is off",
        explain: "Kernels without the feature would read them wrongly.",
        repair: "switches the feature on",
        e2fsck: ["PR_2_FEATURE_LARGE_DIRS"];
    // Pass 2: hash trees.
    HASH_ROOT_FIELDS = "ext-hash-root-fields", Damage,
        "the root of a hash tree has fields that no tree of this volume has",
        explain: "Its reserved field, length or depth is impossible. The names are read without the tree.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_BAD_ROOT"];
    HASH_LIMIT = "ext-hash-limit", Damage,
        "a node of a hash tree has a wrong limit",
        explain: "It does not match the size of the block. The names are read without the tree.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_BAD_LIMIT"];
    HASH_COUNT = "ext-hash-count", Damage,
        "a node of a hash tree counts more entries than it has room for",
        explain: "The names are read without the tree.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_BAD_COUNT"];
    HASH_ORDER = "ext-hash-order", Damage,
        "the hashes in a node are not sorted",
        explain: "Names may not be found by lookup, and are still listed.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_HASH_ORDER"];
    HASH_BLOCK = "ext-hash-block", Damage,
        "a node of a hash tree names a block that the directory has not",
        explain: "The names are read without the tree.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_BADBLK"];
    HASH_NOT_NAMED = "ext-hash-not-named", Damage,
        "no node of the hash tree names a block",
        explain: "The names in it are not found by lookup, and are still listed.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_NOTREF"];
    HASH_NAMED_TWICE = "ext-hash-named-twice", Damage,
        "a block is named twice in the hash tree",
        explain: "Names may not be found by lookup, and are still listed.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_DUPREF"];
    HASH_MIN = "ext-hash-min", Damage,
        "a block holds names with smaller hashes than the tree says",
        explain: "Those names are not found by lookup, and are still listed.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_MIN_HASH"];
    HASH_MAX = "ext-hash-max", Damage,
        "a block holds names with larger hashes than the tree says",
        explain: "Those names are not found by lookup, and are still listed.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_MAX_HASH"];
    HASH_LEAF_DEPTH = "ext-hash-leaf-depth", Damage,
        "a block of names lies at the wrong depth of the tree",
        explain: "Names may not be found by lookup, and are still listed.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_BAD_DEPTH"];
    HASH_TREE = "ext-hash-tree", Damage,
        "a directory's hash tree is of no use",
        explain: "Lookups fail or find nothing; listing the directory still finds every name.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_CLEAR"];
    HASH_UNEXPECTED = "ext-hash-unexpected", Damage,
        "a hashed directory has more blocks than expected",
        explain: "A block lies behind those that its map counts.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_UNEXPECTED_HTREE_BLOCK"];
    HASH_ROOT_CHECKSUM = "ext-hash-root-checksum", Damage,
        "the checksum of a hash tree's root does not match",
        explain: "Some byte of it is not what was written last.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_ROOT_CSUM_INVALID"];
    HASH_NODE_CHECKSUM = "ext-hash-node-checksum", Damage,
        "the checksum of a hash tree's node does not match",
        explain: "Some byte of it is not what was written last.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_HTREE_NODE_CSUM_INVALID"];
    // Pass 3.
    ROOT_MISSING = "ext-root-missing", Critical,
        "the root directory is not in use",
        explain: "Nothing can be reached by path. The files themselves may be whole.",
        repair: "makes a new root and moves everything to lost+found",
        e2fsck: ["PR_3_NO_ROOT_INODE"];
    DIRECTORY_UNCONNECTED = "ext-directory-unconnected", Critical,
        "no directory names a directory",
        explain: "It and all below it can not be reached by path. The reader shows it where its `..` says it was.",
        repair: "moves it to lost+found, under its number",
        e2fsck: ["PR_3_UNCONNECTED_DIR"];
    DIRECTORY_LOOP = "ext-directory-loop", Critical,
        "directories name each other in a circle",
        explain: "None of them is reached from the root.",
        repair: "moves one of them to lost+found",
        e2fsck: ["PR_3_LOOPED_DIR"];
    DOTDOT_WRONG = "ext-directory-dotdot-wrong", Damage,
        "`..` names another directory than the one that names it",
        explain: "Either the directory was moved while the machine stopped, or one of both entries is damaged.",
        repair: "corrects the entry",
        e2fsck: ["PR_3_BAD_DOT_DOT"];
    // Pass 4.
    UNATTACHED = "ext-inode-unattached", Critical,
        "no directory names an inode in use",
        explain: "The file is whole as far as known, and has no name.",
        repair: "moves it to lost+found, under its number",
        e2fsck: ["PR_4_UNATTACHED_INODE"];
    UNATTACHED_EMPTY = "ext-inode-unattached-empty", Warning,
        "no directory names an empty file",
        explain: "Nothing of worth is in it.",
        repair: "removes it",
        e2fsck: ["PR_4_ZERO_LEN_INODE"];
    LINK_COUNT = "ext-inode-link-count", Damage,
        "an inode counts another number of links than name it",
        explain: "With a count that is too low the file is lost when the first of its names is removed.",
        repair: "corrects the count",
        e2fsck: ["PR_4_BAD_REF_COUNT"];
    VALUE_REFERENCES = "ext-xattr-value-references", Damage,
        "an attribute's value counts the wrong number of owners",
        explain: "With a count that is too low the value is freed while files still need it.",
        repair: "corrects the count",
        e2fsck: ["PR_4_EA_INODE_REF_COUNT"];
    LINKS_FEATURE = "ext-superblock-dir-nlink", Damage,
        "a directory has more subdirectories than the volume allows",
        explain: "The feature dir_nlink is off.",
        repair: "switches the feature on",
        e2fsck: ["PR_4_DIR_NLINK_FEATURE"];
    LINKS_OVERFLOW = "ext-inode-links-overflow", Warning,
        "a directory's links are marked as too many to count, and can be counted",
        explain: "Nothing is lost by it.",
        repair: "writes the count",
        e2fsck: ["PR_4_DIR_OVERFLOW_REF_COUNT"];
    // Pass 5.
    BLOCK_UNUSED = "ext-bitmap-block-unused", Damage,
        "a block is marked as in use, and no file has it",
        explain: "Space is lost; no file is touched. If files were lost, their blocks may be among these.",
        repair: "frees the block",
        e2fsck: ["PR_5_BLOCK_UNUSED"];
    BLOCKS_UNUSED = "ext-bitmap-blocks-unused", Damage,
        "blocks are marked as in use, and no file has them",
        explain: "Space is lost; no file is touched. If files were lost, their blocks may be among these.",
        repair: "frees the blocks",
        e2fsck: ["PR_5_BLOCK_RANGE_UNUSED"];
    BLOCK_USED = "ext-bitmap-block-used", Damage,
        "a block in use is marked as free",
        explain: "A mount that writes may give it to another file, which destroys this one.",
        repair: "marks the block",
        e2fsck: ["PR_5_BLOCK_USED"];
    BLOCKS_USED = "ext-bitmap-blocks-used", Damage,
        "blocks in use are marked as free",
        explain: "A mount that writes may give them to another file, which destroys this one.",
        repair: "marks the blocks",
        e2fsck: ["PR_5_BLOCK_RANGE_USED"];
    BLOCKS_IN_UNINITIALISED = "ext-group-blocks-in-uninitialised", Damage,
        "files have blocks in a group whose bitmap is marked as never initialised",
        explain: "A mount that writes may give them to another file.",
        repair: "clears the mark",
        e2fsck: ["PR_5_BLOCK_UNINIT"];
    BLOCK_BITMAP_PADDING = "ext-bitmap-block-padding", Damage,
        "the end of a block bitmap is not set",
        explain: "Bits behind the last block must be set, so that nothing is ever allocated there.",
        repair: "sets them",
        e2fsck: ["PR_5_BLOCK_BMAP_PADDING"];
    BLOCK_BITMAP_CHECKSUM = "ext-bitmap-block-checksum", Damage,
        "a block bitmap's checksum does not match",
        explain: "Some byte of it is not what was written last.",
        repair: "recomputes the checksum",
        e2fsck: ["PR_5_BLOCK_BITMAP_CSUM_INVALID"];
    FREE_BLOCKS_GROUP = "ext-group-free-blocks", Damage,
        "a group counts the wrong number of free blocks",
        explain: "No file is touched by it; free space may be shown wrongly.",
        repair: "corrects the count",
        e2fsck: ["PR_5_FREE_BLOCK_COUNT_GROUP"];
    FREE_BLOCKS = "ext-superblock-free-blocks", Warning,
        "the volume counts the wrong number of free blocks",
        explain: "The total is only brought up to date when a volume is unmounted; no file is touched.",
        repair: "corrects the count",
        e2fsck: ["PR_5_FREE_BLOCK_COUNT"];
    INODE_UNUSED = "ext-bitmap-inode-unused", Damage,
        "an inode is marked as in use, and is not",
        explain: "An inode is lost to new files; no file is touched.",
        repair: "frees the inode",
        e2fsck: ["PR_5_INODE_UNUSED"];
    INODES_UNUSED = "ext-bitmap-inodes-unused", Damage,
        "inodes are marked as in use, and are not",
        explain: "Inodes are lost to new files; no file is touched.",
        repair: "frees the inodes",
        e2fsck: ["PR_5_INODE_RANGE_UNUSED"];
    INODE_USED = "ext-bitmap-inode-used", Damage,
        "an inode in use is marked as free",
        explain: "A mount that writes may give it to another file, which destroys this one.",
        repair: "marks the inode",
        e2fsck: ["PR_5_INODE_USED"];
    INODES_USED = "ext-bitmap-inodes-used", Damage,
        "inodes in use are marked as free",
        explain: "A mount that writes may give them to other files, which destroys these.",
        repair: "marks the inodes",
        e2fsck: ["PR_5_INODE_RANGE_USED"];
    INODES_IN_UNINITIALISED = "ext-group-inodes-in-uninitialised", Damage,
        "a group marked as never initialised has inodes in use",
        explain: "Programs that believe the mark do not see the files.",
        repair: "clears the mark",
        e2fsck: ["PR_5_INODE_UNINIT"];
    INODE_BITMAP_PADDING = "ext-bitmap-inode-padding", Damage,
        "the end of an inode bitmap is not set",
        explain: "Bits behind the last inode must be set.",
        repair: "sets them",
        e2fsck: ["PR_5_INODE_BMAP_PADDING"];
    INODE_BITMAP_CHECKSUM = "ext-bitmap-inode-checksum", Damage,
        "an inode bitmap's checksum does not match",
        explain: "Some byte of it is not what was written last.",
        repair: "recomputes the checksum",
        e2fsck: ["PR_5_INODE_BITMAP_CSUM_INVALID"];
    FREE_INODES_GROUP = "ext-group-free-inodes", Damage,
        "a group counts the wrong number of free inodes",
        explain: "No file is touched by it; free space may be shown wrongly.",
        repair: "corrects the count",
        e2fsck: ["PR_5_FREE_INODE_COUNT_GROUP"];
    FREE_INODES = "ext-superblock-free-inodes", Warning,
        "the volume counts the wrong number of free inodes",
        explain: "The total is only brought up to date when a volume is unmounted; no file is touched.",
        repair: "corrects the count",
        e2fsck: ["PR_5_FREE_INODE_COUNT"];
    DIRECTORIES_GROUP = "ext-group-directories", Damage,
        "a group counts the wrong number of directories",
        explain: "No file is touched by it; free space may be shown wrongly.",
        repair: "corrects the count",
        e2fsck: ["PR_5_FREE_DIR_COUNT_GROUP"];
    // After pass 5.
    QUOTA_USAGE = "ext-quota-usage", Warning,
        "a quota file records another usage than there is",
        explain: "Limits are applied to wrong sums; no file is touched.",
        repair: "corrects the quota file",
        e2fsck: ["PR_6_UPDATE_QUOTAS"];
}
