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
    TABLE_UNREADABLE = "partition-table-unreadable", Damage,
        "the first sector of the disk can not be read",
        explain: "The sector that holds the MBR is unreadable, or the image is shorter than one sector. A GPT is read all \
                  the same; without one, volumes are found by searching the disk for filesystems.",
        repair: "", e2fsck: [];
    TABLE_LOST = "partition-table-lost", Critical,
        "no partition table is left; volumes were found by searching",
        explain: "Neither a partition table nor a filesystem on the whole disk was found, but filesystems lie elsewhere on \
                  it. Each is shown under the byte offset where it begins. Their sizes are what they themselves say; \
                  their partition numbers, names and PARTUUIDs are lost.",
        repair: "", e2fsck: [];
    VOLUME_FOUND = "partition-not-in-table", Damage,
        "a volume lies where the damaged table has no partition",
        explain: "The partition table is damaged, and a search of the space that it gives to no partition found a volume \
                  there. It is shown under the byte offset where it begins.",
        repair: "", e2fsck: [];
    MBR_SIGNATURE = "mbr-signature", Damage,
        "the MBR lacks its closing bytes 55 aa",
        explain: "The last two bytes of the first sector mark it as a boot record, and they are wrong; no kernel reads the \
                  table like this. Its four entries make sense, and are used.",
        repair: "", e2fsck: [];
    MBR_CHAIN = "mbr-logical-chain", Damage,
        "a link in the chain of logical partitions is damaged",
        explain: "Logical partitions hang on each other: each one's boot record names the next. One of these records is \
                  unreadable or lacks its closing bytes, so that those behind it are not in the table any more. Those \
                  before it are unharmed; the space behind it is searched for filesystems.",
        repair: "", e2fsck: [];
    MBR_LOOP = "mbr-logical-loop", Damage,
        "the chain of logical partitions leads back to itself, or has no end",
        explain: "A boot record of a logical partition names one that was there before. Each partition is shown once; what \
                  the chain led to before the damage is searched for in the space that no partition has.",
        repair: "", e2fsck: [];
    GPT_PRIMARY = "gpt-primary-damaged", Damage,
        "the primary GPT is damaged; the backup is used",
        explain: "The header or the entries at the start of the disk do not match their checksums or can not be read. The \
                  copy at the end of the disk is in order and is used instead. A kernel does the same, and firmware \
                  too; gdisk's recovery menu rewrites the primary from the backup.",
        repair: "", e2fsck: [];
    GPT_BACKUP = "gpt-backup-damaged", Warning,
        "the backup GPT is damaged or missing",
        explain: "The copy of the partition table at the end of the disk does not match its checksums or is not there. The \
                  primary is in order, so that nothing is lost; there is no second copy left if it goes too.",
        repair: "", e2fsck: [];
    GPT_CUT = "gpt-disk-cut", Damage,
        "the disk is smaller than its GPT says",
        explain: "The primary GPT expects its backup past the end: the image was cut short, or copied to a smaller disk. \
                  Partitions that reach past the end are named each; the others are whole.",
        repair: "", e2fsck: [];
    GPT_GREW = "gpt-disk-grew", Note,
        "the disk is larger than its GPT says",
        explain: "The backup GPT does not stand at the end of the disk: the disk or image grew since the table was made, \
                  as virtual disks do, or was copied to a larger one. Nothing is lost.",
        repair: "", e2fsck: [];
    GPT_DIFFERS = "gpt-copies-differ", Warning,
        "the two copies of the GPT name different partitions",
        explain: "Both copies match their checksums, but do not say the same: a program changed one of them only. The \
                  primary is used, as a kernel does.",
        repair: "", e2fsck: [];
    GPT_DOUBTFUL = "gpt-checksum", Damage,
        "no copy of the GPT matches its checksums; the most plausible entries are used",
        explain: "Neither the primary nor the backup partition table is in order. The entries used are those that make \
                  sense by themselves: known types, no overlap, inside the disk. Compare them with what the volumes \
                  themselves say.",
        repair: "", e2fsck: [];
    GPT_HEADERS = "gpt-headers-lost", Critical,
        "both GPT headers are gone; entries were recovered without them",
        explain: "Neither end of the disk has a GPT header any more, but an array of partition entries is left at a usual \
                  place, and its entries make sense. They are used; the disk's GUID is lost.",
        repair: "", e2fsck: [];
    GPT_ENTRY = "gpt-entry-invalid", Damage,
        "a GPT entry makes no sense and is left out",
        explain: "A partition entry ends before it begins, or begins where no disk reaches. The other entries are used.",
        repair: "", e2fsck: [];
    GPT_UNPROTECTED = "gpt-no-protective-mbr", Warning,
        "a GPT without the MBR that protects it",
        explain: "The first sector should hold an MBR that marks the whole disk as used by a GPT. It does not, so that \
                  kernels and older tools may take the disk for empty. The GPT itself is in order and is used.",
        repair: "", e2fsck: [];
    GPT_HYBRID = "gpt-hybrid-mbr", Note,
        "the MBR names partitions besides protecting the GPT",
        explain: "A hybrid MBR: some partitions are in the MBR as well, for firmware or systems that know no GPT. The GPT is \
                  used, as Linux does.",
        repair: "", e2fsck: [];
}
