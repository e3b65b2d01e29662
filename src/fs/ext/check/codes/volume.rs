//! Codes of pass 0: what a mount looks at first, the superblock, descriptors, the journal.

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
    BACKUP_ELSEWHERE = "ext-superblock-backup-elsewhere", Warning,
        "the backup superblock lies where repair programs do not look",
        explain: "The groups are not as large as the block size allows, so the first backup is in an unusual place. It was found and used here; a repair program has to be told the block (`-b`) and its size (`-B`).",
        repair: "gives up unless it is told the place",
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
        "block numbers of 64 bits without extents",
        explain: "Block maps have numbers of 32 bits, so no file could use all of a large volume.",
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
        explain: "Revision 0 of the format has no feature fields. Kernels go by them all the same, and so does the reader.",
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
        e2fsck: ["PR_0_JOURNAL_UNSUPP_VERSION", "PR_0_JOURNAL_BAD_SUPER"];
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
}
