//! Codes of passes 3 to 5 and after: connections, links, bitmaps, counters, quotas.

crate::finding::codes! {
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
        explain: "None of them is reached from the root. e2fsck 1.47.0 takes each for found as soon as the others lead to it: it corrects `..`, calls the volume clean, and leaves them where no path leads.",
        repair: "does not see it: copy them out, the repair brings them nowhere",
        e2fsck: [];
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
    LINKS_OVERFLOW = "ext-inode-links-overflow", Note,
        "a directory's links are marked as too many to count, and can be counted",
        explain: "Kernels leave the mark when the directory has few subdirectories again. Nothing is wrong with it, and only a repair speaks of it.",
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
    QUOTA_USAGE = "ext-quota-usage", Damage,
        "a quota file records another usage than there is",
        explain: "Limits are applied to wrong sums; no file is touched.",
        repair: "corrects the quota file",
        e2fsck: ["PR_6_UPDATE_QUOTAS"];
    ORPHAN_FILE_DIRTY = "ext-orphan-file-dirty", Damage,
        "a block of the orphan file is not as it is on a volume that was unmounted",
        explain: "The file lists what was unlinked while open, or being truncated; between mounts it is empty. Either the volume was in use when it was cut off, and a mount cleans up, or the block was overwritten. No file that a directory names is lost by it.",
        repair: "clears the block, or makes the file anew",
        e2fsck: ["PR_6_ORPHAN_BLOCK_DIRTY", "PR_6_ORPHAN_FILE_CORRUPTED"];
}
