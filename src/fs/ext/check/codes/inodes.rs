//! Codes of pass 1: where metadata lies, inodes, their attributes and maps, blocks claimed twice.

crate::finding::codes! {
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
        e2fsck: ["PR_1_CLEAR_INLINE_DATA_FOR_EXTENT", "PR_1_CLEAR_EXTENT_INLINE_DATA_INODE"];
    EXTENTS_FLAG_WITH_INLINE = "ext-inode-extents-flag-with-inline", Damage,
        "an inode with inline data is marked as having extents",
        explain: "Both flags are set, and the inode holds its data.",
        repair: "clears the extents flag",
        e2fsck: ["PR_1_CLEAR_EXTENT_FOR_INLINE_DATA", "PR_1_CLEAR_EXTENT_INLINE_DATA_INODE"];
    BOTH_FLAGS_WITH_BLOCK_MAP = "ext-inode-both-flags-with-block-map", Damage,
        "an inode with a block map is marked as having inline data and extents",
        explain: "Both flags are set, and the inode holds neither but block numbers.",
        repair: "clears both flags",
        e2fsck: ["PR_1_CLEAR_EXTENT_INLINE_DATA_FLAGS", "PR_1_CLEAR_EXTENT_INLINE_DATA_INODE"];
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
        e2fsck: ["PR_1_EXTENT_FEATURE", "PR_1_EXTENTS_SET"];
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
        explain: "The number is impossible. The value is lost.",
        repair: "clears the attribute",
        e2fsck: ["PR_1_ATTR_VALUE_EA_INODE"];
    XATTR_VALUE_DIFFERS = "ext-xattr-value-inode-differs", Damage,
        "the inode of an attribute's value is not in use, or has another size",
        explain: "The kernel refuses to read such a value. e2fsck compares hashes alone, and calls it clean.",
        repair: "does not see it",
        e2fsck: [];
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
        explain: "It is not as long as its version says, so the key can not be found.",
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
    EXTENT_NODE_EMPTY = "ext-extent-node-empty", Critical,
        "a node of an extent tree holds nothing",
        explain: "A node below the root always holds an extent; this one's count is 0, so the part of the file that it maps is lost. e2fsck without a repair does not get past such a file.",
        repair: "clears the inode: the file is gone",
        e2fsck: ["PR_1_EXTENT_ITERATE_FAILURE"];
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
    EXTENT_NODE_DEPTH = "ext-extent-node-depth", Damage,
        "a node of an extent tree has another depth than its place",
        explain: "The kernel refuses to read the part of the file that the node maps. e2fsck does not look at the depth of nodes, and calls the file clean; it is read here as what its place makes it.",
        repair: "does not see it",
        e2fsck: [];
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
}
