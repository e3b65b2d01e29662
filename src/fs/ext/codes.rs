//! The code table of ext2, ext3 and ext4. One row a code; ids are never reused. Rows are grouped by the structure they
//! speak of, in the order a volume is opened.

crate::finding::codes! {
    // The superblock and what it says of the volume.
    SUPERBLOCK_CHECKSUM = "ext-superblock-checksum", Damage,
        "the superblock's checksum does not match",
        explain: "The superblock describes the whole volume, and its bytes are not those that were written last. Its fields were judged one by one and used where they agree with the rest of the volume. Compare `offmount info` with what you know of the disk before you trust sizes and times.",
        repair: "takes a backup superblock, or rewrites the checksum",
        e2fsck: ["PR_0_SB_CSUM_INVALID"];
}
