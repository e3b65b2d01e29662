//! Codes of pass 2: entries, the blocks of directories, hash trees.

crate::finding::codes! {
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
    NAME_IN_TWO_BLOCKS = "ext-entry-name-in-two-blocks", Damage,
        "two blocks of a directory hold the same name",
        explain: "Only one of the two files can be opened by that name. e2fsck compares the names of one block alone, so `e2fsck -fn` calls such a directory clean.",
        repair: "renames one of them if it hashes the directory anew, and does not see them otherwise",
        e2fsck: [];
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
}
