//! The code table of ext2, ext3 and ext4. One row a code; ids are never reused. Rows are grouped by the structure they
//! speak of, in the order a volume is opened.

crate::finding::codes! {
    // The superblock and what it says of the volume.
    SUPERBLOCK_CHECKSUM = "ext-superblock-checksum", Damage,
        "the superblock's checksum does not match",
        explain: "The superblock describes the whole volume, and its bytes are not those that were written last. Its fields were judged one by one and used where they agree with the rest of the volume. Compare `offmount info` with what you know of the disk before you trust sizes and times.",
        repair: "takes a backup superblock, or rewrites the checksum",
        e2fsck: ["PR_0_OPEN_FAILED"];
    SUPERBLOCK_COUNTS = "ext-superblock-counts", Damage,
        "the superblock's numbers contradict each other",
        explain: "Two numbers of the superblock that must agree do not. The one that the layout of the volume follows from was used; nothing of a file is lost by this alone.",
        repair: "corrects the number, or takes a backup superblock",
        e2fsck: ["PR_0_INODE_COUNT_WRONG", "PR_0_SB_CORRUPT"];
    SUPERBLOCK_FEATURES = "ext-superblock-features", Warning,
        "the superblock asks for features that nobody knows",
        explain: "The superblock has feature bits set that no known version of the filesystem uses. A kernel refuses to mount it for that. Mostly a bit flipped; the bits were ignored.",
        repair: "refuses to work, or takes a backup superblock",
        e2fsck: [];
    VOLUME_TRUNCATED = "ext-volume-truncated", Critical,
        "the image ends before the volume does",
        explain: "The superblock says that the volume is longer than what was given to read: the image was cut while it was made or copied, or the partition was shrunk. Files whose blocks lie in the missing part come out with zeros there, and the bytes concerned are listed.",
        repair: "asks to abort; what lies past the end is cleared",
        e2fsck: ["PR_0_FS_SIZE_WRONG"];

    // Group descriptors.
    GROUP_CHECKSUM = "ext-group-checksum", Damage,
        "a group descriptor's checksum does not match",
        explain: "Group descriptors say where inode tables lie. The places this one names were used where they are possible, and no inode of the group was taken for unused on its word.",
        repair: "takes a backup, or recomputes the descriptor",
        e2fsck: ["PR_0_GDT_CSUM"];
    GROUP_PLACE = "ext-group-place", Critical,
        "a group descriptor names an impossible place",
        explain: "The descriptor of a block group says that its inode table or a bitmap lies outside the volume. Without the inode table, files of that group can not be read until it is found by other means.",
        repair: "moves the table to free blocks, which loses its inodes unless the old place is known",
        e2fsck: ["PR_0_BB_NOT_GROUP", "PR_0_IB_NOT_GROUP", "PR_0_ITABLE_NOT_GROUP"];
    GROUP_UNREADABLE = "ext-group-unreadable", Critical,
        "a group descriptor can not be read",
        explain: "The block of the disk with the descriptor is unreadable or missing. Files of that group can not be read until its inode table is found by other means.",
        repair: "takes a backup",
        e2fsck: [];

    // The volume's past.
    ERRORS_RECORDED = "ext-errors-recorded", Warning,
        "the filesystem recorded errors while it was in use",
        explain: "The kernel met errors on this volume while it was mounted and counted them in the superblock. They say that something was wrong then; a check tells what is wrong now.",
        repair: "checks the whole volume and clears the count",
        e2fsck: [];

    // The journal.
    JOURNAL_SUPERBLOCK = "ext-journal-superblock", Damage,
        "the journal's superblock is damaged",
        explain: "What the journal holds can not be relied on, or not be read at all. Where the damage leaves it no use, nothing is replayed: changes of the last seconds before the server died may be missing, and the rest stands as it lies on the disk.",
        repair: "clears the journal and makes a new one; what waited in it is lost",
        e2fsck: ["PR_0_JOURNAL_BAD_SUPER"];
    JOURNAL_TRANSACTION = "ext-journal-transaction", Damage,
        "a transaction in the journal does not match its checksum",
        explain: "The replay ends before this transaction, as a mount's would: what it and later ones changed is missing.",
        repair: "replays what comes before it and checks the volume",
        e2fsck: [];
    JOURNAL_BLOCK = "ext-journal-block", Damage,
        "a block in the journal does not match its checksum",
        explain: "The block was skipped in the replay, and its older version on the disk is used. Files whose metadata it held may be shown as they were before.",
        repair: "skips the block and checks the volume",
        e2fsck: [];
    JOURNAL_TARGET = "ext-journal-target", Damage,
        "the journal holds a block that belongs outside the volume",
        explain: "The block was skipped in the replay. The journal is damaged, or belongs to another volume.",
        repair: "stops the replay with an error",
        e2fsck: [];
    JOURNAL_FAST_COMMIT = "ext-journal-fast-commit", Note,
        "fast commits waited in the journal",
        explain: "The server wrote its last changes as fast commits, behind the transactions of the journal. They were applied in memory to the files named, as a mount would apply them on the disk.",
        repair: "replays them",
        e2fsck: [];
    JOURNAL_EXTERNAL = "ext-journal-external", Warning,
        "the journal is on another device, which was not given",
        explain: "What the journal holds is not replayed: changes of the last seconds before the server died may be missing.",
        repair: "asks for the device, or makes the volume one without journal",
        e2fsck: [];
    JOURNAL_REPLAYED = "ext-journal-replayed", Note,
        "transactions waited in the journal",
        explain: "The volume was not cleanly unmounted. What its journal holds was replayed in memory, as a mount would do it on the disk, and everything shown is the state after that. Not one byte was written.",
        repair: "replays the journal onto the disk",
        e2fsck: [];
    JOURNAL_UNFLAGGED = "ext-journal-unflagged", Warning,
        "the journal holds transactions, and the superblock does not say so",
        explain: "The superblock says that nothing waits in the journal, but its log has a beginning. Mostly the superblock was restored from a backup. The transactions were replayed in memory; see what the volume holds without them with --no-replay.",
        repair: "replays the journal",
        e2fsck: ["PR_0_JOURNAL_RUN"];

    // Orphans.
    ORPHAN_LIST = "ext-orphan-list", Damage,
        "the list of orphans leads nowhere",
        explain: "The list of files that were unlinked while open, or being truncated, names an impossible inode or goes in a circle. No file that a directory names is lost by it.",
        repair: "clears the list",
        e2fsck: ["PR_0_ORPHAN_ILLEGAL_HEAD_INODE", "PR_0_ORPHAN_ILLEGAL_INODE"];
    ORPHAN_FILE = "ext-orphan-file", Damage,
        "the orphan file is damaged",
        explain: "The file that lists what was unlinked while open, or being truncated, can not be read in whole. No file that a directory names is lost by it.",
        repair: "makes a new one",
        e2fsck: ["PR_6_ORPHAN_BLOCK_DIRTY", "PR_6_ORPHAN_FILE_CORRUPTED"];

    // Where a file's bytes lie.
    MAP_BLOCK = "ext-map-block", Damage,
        "a file's map leads outside the volume, or back into itself",
        explain: "The inode, or a block of its map, names a block that can not be one of this file. The bytes it stood for are lost unless they are found by other means; all others are kept.",
        repair: "clears the pointer, so that the bytes become a hole",
        e2fsck: ["PR_1_ILLEGAL_BLOCK_NUM", "PR_1_EXTENT_BAD_START_BLK", "PR_1_EXTENT_ENDS_BEYOND"];
    MAP_UNREADABLE = "ext-map-unreadable", Damage,
        "a block of a file's map can not be read",
        explain: "The disk does not give back a block that says where parts of the file lie. Those parts are lost unless they are found by other means.",
        repair: "clears the pointer to it",
        e2fsck: ["PR_1_BLOCK_ITERATE"];
    MAP_INLINE = "ext-map-inline", Damage,
        "a file kept in its inode is longer than the inode has room for",
        explain: "The inode says that it holds the contents itself, and its size is more than it holds. The bytes beyond are lost.",
        repair: "corrects the size",
        e2fsck: [];
    EXTENT_MAGIC = "ext-extent-magic", Damage,
        "a node of an extent tree is none",
        explain: "A block that must hold part of a file's map, or the inode's own part, holds something else. The bytes it covered are lost unless they are found by other means.",
        repair: "clears the node, so that the bytes become a hole",
        e2fsck: ["PR_1_EXTENT_HEADER_INVALID", "PR_1_MISSING_EXTENT_HEADER"];
    EXTENT_DEPTH = "ext-extent-depth", Damage,
        "a node of an extent tree has the wrong depth",
        explain: "A node says that it is at another height of the tree than where it stands. It was read as what its place makes it.",
        repair: "clears the node",
        e2fsck: ["PR_1_EXTENT_BAD_MAX_DEPTH"];
    EXTENT_ENTRIES = "ext-extent-entries", Damage,
        "a node of an extent tree claims more entries than it has room for",
        explain: "The count of entries is wrong. Those that fit were read and judged one by one.",
        repair: "clears the node",
        e2fsck: ["PR_1_EXTENT_HEADER_INVALID"];
    EXTENT_RANGE = "ext-extent-range", Damage,
        "an extent overlaps another, or is empty, or lies outside its node",
        explain: "An entry of a file's map contradicts the entries before it or the node above. It was left out; the bytes it stood for read as a hole.",
        repair: "clears the entry",
        e2fsck: ["PR_1_OUT_OF_ORDER_EXTENTS", "PR_1_EXTENT_LENGTH_ZERO"];
    EXTENT_CHECKSUM = "ext-extent-checksum", Damage,
        "the checksum of a node of an extent tree does not match",
        explain: "The block is not what was written last. Its entries were judged one by one and used where they are possible.",
        repair: "clears the node, or accepts it if all entries are possible",
        e2fsck: ["PR_1_EXTENT_ONLY_CSUM_INVALID"];

    // Directories.
    DIR_ENTRY = "ext-dir-entry", Damage,
        "a directory entry is damaged",
        explain: "An entry of a directory is impossible. It was left out, and the entries behind it were found again one by one.",
        repair: "clears the entry, or the rest of the block",
        e2fsck: ["PR_2_DIR_CORRUPTED", "PR_2_BAD_INO"];
    DIR_UNREADABLE = "ext-dir-unreadable", Damage,
        "a block of a directory can not be read",
        explain: "The disk does not give back a block of names. What it named is found by its inode, without its name.",
        repair: "replaces the block by an empty one; what it named goes to lost+found",
        e2fsck: ["PR_2_READ_DIRBLOCK"];
    DIR_CHECKSUM = "ext-dir-checksum", Damage,
        "the checksum of a directory block does not match",
        explain: "The block is not what was written last. Its entries were judged one by one and used where they are possible.",
        repair: "rewrites the checksum if all entries are possible, or salvages the block",
        e2fsck: ["PR_2_LEAF_NODE_ONLY_CSUM_INVALID"];
    DIR_NO_CHECKSUM = "ext-dir-no-checksum", Damage,
        "a directory block has no checksum where it must have one",
        explain: "The volume keeps a checksum in each directory block, and this one has none. Its entries were judged one by one and used where they are possible.",
        repair: "rebuilds the directory",
        e2fsck: ["PR_2_LEAF_NODE_MISSING_CSUM"];

    // Extended attributes.
    XATTR_BLOCK = "ext-xattr-block", Damage,
        "the block of extended attributes is none",
        explain: "The inode names a block for its attributes that holds something else or lies outside the volume. Attributes that stand in the inode itself are kept.",
        repair: "clears the pointer",
        e2fsck: ["PR_1_BAD_EA_BLOCK", "PR_1_READ_EA_BLOCK"];
    XATTR_UNREADABLE = "ext-xattr-unreadable", Damage,
        "extended attributes can not be read",
        explain: "The disk does not give back the block with the attributes or with the value of one.",
        repair: "clears the pointer",
        e2fsck: ["PR_1_READ_EA_BLOCK"];
    XATTR_CHECKSUM = "ext-xattr-checksum", Damage,
        "the checksum of a block of extended attributes does not match",
        explain: "The block is not what was written last. Its attributes were used where they are possible.",
        repair: "rewrites the checksum if all is possible, or clears the block",
        e2fsck: ["PR_1_EA_BLOCK_ONLY_CSUM_INVALID"];
    XATTR_ENTRY = "ext-xattr-entry", Damage,
        "an extended attribute is damaged",
        explain: "The list of attributes does not end as it should, or a value lies outside the place that attributes have. What could be read is kept.",
        repair: "clears the attributes",
        e2fsck: ["PR_1_EA_BAD_NAME", "PR_1_EA_BAD_VALUE", "PR_1_ATTR_VALUE_BLOCK", "PR_1_ATTR_VALUE_SIZE"];
    XATTR_INODE = "ext-xattr-inode", Damage,
        "the value of an extended attribute does not stand where it should",
        explain: "A large value is kept in an inode of its own, and that inode holds no such value or one with another checksum.",
        repair: "clears the attribute",
        e2fsck: ["PR_1_ATTR_VALUE_EA_INODE"];
}
