//! The code table of what is found about a whole disk, and by no filesystem.

crate::finding::codes! {
    NOTHING_TO_CHECK = "disk-nothing-to-check", Warning,
        "nothing on the disk is a filesystem that can be checked",
        explain: "No superblock, boot sector or partition table led to a filesystem of a kind that is checked here. The disk is empty, holds something else, is encrypted, or its headers are lost: `offmount info` shows what was seen.",
        repair: "gives up",
        e2fsck: ["PR_0_OPEN_FAILED", "PR_0_SB_CORRUPT"];
}
