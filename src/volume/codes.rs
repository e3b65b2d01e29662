//! What can be wrong with a partition table.

crate::finding::codes! {
    PAST_END = "partition-past-end", Damage,
        "a partition reaches past the end of the disk",
        explain: "The table gives a partition more bytes than the disk or image has. Mostly the image was cut short while \
                  it was made, or the disk reports a smaller size than it had. What lies past the end reads as lost and \
                  each file concerned is named; take the image again if the disk still answers.",
        repair: "", e2fsck: [];
    OVERLAP = "partition-overlap", Damage,
        "two partitions share bytes",
        explain: "Two partitions of the table claim the same bytes. At most one of them is right; both are shown, and a \
                  filesystem tells by its own size which. Do not write to either before that is known.",
        repair: "", e2fsck: [];
}
