//! The code table of ext2, ext3 and ext4. One row a code; ids are never reused. Rows are grouped by the structure they
//! speak of, in the order a volume is opened.

crate::finding::codes! {
    // The superblock and what it says of the volume.
    SUPERBLOCK_CHECKSUM = "ext-superblock-checksum", Damage,
        "the superblock's checksum does not match",
        explain: "The superblock describes the whole volume, and its bytes are not those that were written last. Its fields were judged one by one and used where they agree with the rest of the volume. Compare `offmount info` with what you know of the disk before you trust sizes and times.",
        repair: "takes a backup superblock, or rewrites the checksum",
        e2fsck: ["PR_0_SB_CSUM_INVALID"];
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

    // The journal.
    JOURNAL_SUPERBLOCK = "ext-journal-superblock", Damage,
        "the journal's superblock is damaged",
        explain: "What the journal holds can not be relied on, or not be read at all. Where the damage leaves it no use, nothing is replayed: changes of the last seconds before the server died may be missing, and the rest stands as it lies on the disk.",
        repair: "clears the journal and makes a new one; what waited in it is lost",
        e2fsck: ["PR_0_JOURNAL_BAD_SUPER", "PR_0_JOURNAL_SUPER_CSUM_INVALID"];
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
    JOURNAL_FAST_COMMIT = "ext-journal-fast-commit", Warning,
        "fast commits wait in the journal and are not shown",
        explain: "The server wrote its last changes as fast commits, which are not replayed here. The files named are shown as the last full commit left them, mostly a few seconds older. A mount of a copy would show the newer state.",
        repair: "replays them",
        e2fsck: [];
    JOURNAL_EXTERNAL = "ext-journal-external", Warning,
        "the journal is on another device, which was not given",
        explain: "What the journal holds is not replayed: changes of the last seconds before the server died may be missing.",
        repair: "asks for the device, or makes the volume one without journal",
        e2fsck: [];
}
