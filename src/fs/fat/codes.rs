//! Everything that can be wrong with a FAT volume.

use crate::finding::codes;

codes! {
    BOOT_SECTOR = "fat-boot-sector", Critical, "the boot sector does not describe a FAT volume",
        explain: "The first sector says where everything lies. Without it no system mounts the volume. offmount reads it \
            through the backup boot sector, or infers the numbers from the tables and directories; the summary says which.",
        repair: "fsck.fat refuses the volume", e2fsck: [];
    BOOT_SIGNATURE = "fat-boot-signature", Warning, "the boot sector does not end in 55 aa",
        explain: "Firmware refuses to boot from such a volume; Linux mounts it.", repair: "", e2fsck: [];
    BOOT_BACKUP = "fat-boot-backup", Warning, "the backup boot sector differs from the boot sector",
        explain: "FAT32 keeps a copy of its boot sector. Where the two differ, one of them was damaged or written by a \
            program that knows only one.",
        repair: "asks which of the two to keep", e2fsck: [];
    BOOT_BACKUP_MISSING = "fat-boot-backup-missing", Damage, "the volume keeps no backup of its boot sector",
        explain: "FAT32 may keep a copy of its boot sector; this one has none, so a damaged boot sector can only be inferred.",
        repair: "offers to make one", e2fsck: [];
    CLUSTER_COUNT = "fat-cluster-count", Warning, "the volume is larger than its table",
        explain: "The boot sector counts more clusters than the allocation table has entries for. The clusters past the \
            table's end can belong to no file.",
        repair: "", e2fsck: [];
    TYPE_CLAIM = "fat-type-claim", Note, "the boot sector's text names another FAT type than its numbers make",
        explain: "The type follows from the number of clusters alone; the text decides nothing.", repair: "", e2fsck: [];
    TRUNCATED = "fat-truncated", Critical, "the image ends before the volume does",
        explain: "Everything behind the end of the image is lost: what files have there is listed as lost.",
        repair: "fsck.fat refuses the volume", e2fsck: [];
    MEDIA_BYTE = "fat-media-byte", Damage, "the first entry of the table is not the media byte",
        explain: "The table begins with the media byte of the boot sector, filled up with ones. Anything else means that the \
            beginning of the table was overwritten.",
        repair: "writes it anew", e2fsck: [];
    DIRTY = "fat-dirty", Damage, "the volume was not unmounted",
        explain: "A mark says that writing was under way when the volume was last used: files may be half written.",
        repair: "removes the mark", e2fsck: [];
    IO_ERRORS = "fat-io-errors", Warning, "the volume's last user met errors of the disk",
        explain: "A mark in the table says that reading or writing failed.", repair: "", e2fsck: [];
    TABLES_DIFFER = "fat-tables-differ", Damage, "the copies of the allocation table differ",
        explain: "All copies of the table should be equal. offmount decides entry by entry, for the copy that makes chains and \
            file sizes agree.",
        repair: "copies one table over the others", e2fsck: [];
    TABLE_UNREADABLE = "fat-table-unreadable", Critical, "a part of the allocation table can not be read",
        explain: "The chains through this part are known only from another copy, or not at all.", repair: "", e2fsck: [];
    ROOT_CLUSTER = "fat-root-cluster", Critical, "the root directory has no chain",
        explain: "The boot sector names the first cluster of the root directory; that number is none of this volume's, or the \
            table calls the cluster free or bad.",
        repair: "fsck.fat gives up", e2fsck: [];
    ROOT_EMPTY = "fat-root-size", Damage, "the root directory has no room",
        explain: "The boot sector says that the root directory has no entries, or a number that fills no whole sector.",
        repair: "", e2fsck: [];
    CHAIN_START = "fat-chain-start", Damage, "a file begins at a cluster that the volume does not have",
        explain: "The directory entry names a first cluster that can not be. The file's contents can not be found.",
        repair: "truncates the file to 0 bytes", e2fsck: [];
    CHAIN_FREE = "fat-chain-free", Damage, "a chain runs into a free cluster",
        explain: "The table says that a cluster of the file is free: the chain was cut, or never written.",
        repair: "ends the file there", e2fsck: [];
    CHAIN_BAD = "fat-chain-bad", Damage, "a chain runs into a cluster marked bad",
        explain: "The table says that a cluster of the file is bad and must not be used.",
        repair: "ends the file there", e2fsck: [];
    CHAIN_INVALID = "fat-chain-invalid", Damage, "a chain leads out of the volume",
        explain: "An entry of the table names a cluster that the volume does not have.",
        repair: "ends the file there", e2fsck: [];
    CHAIN_LOOP = "fat-chain-loop", Damage, "a chain goes in circles",
        explain: "An entry of the table leads back to an earlier cluster of the same file.",
        repair: "cuts the circle", e2fsck: [];
    CHAIN_SHORT = "fat-chain-short", Damage, "a file is longer than its chain",
        explain: "The directory entry gives the file more bytes than its clusters hold. What is missing is listed as lost, \
            unless it was found elsewhere.",
        repair: "shortens the file", e2fsck: [];
    CHAIN_LONG = "fat-chain-long", Damage, "a chain is longer than its file",
        explain: "The file has clusters that it does not need: space is lost, or the size in the directory entry is wrong.",
        repair: "cuts the chain", e2fsck: [];
    CROSS_LINK = "fat-cross-link", Damage, "two files share a cluster",
        explain: "At most one of them can be right.", repair: "ends one of the files there", e2fsck: [];
    LOST_CHAIN = "fat-lost-chain", Damage, "clusters are in use by no file",
        explain: "The table says that these clusters are in use, yet no directory leads to them: a directory entry was lost, or \
            a file was being written when the power failed.",
        repair: "makes files FSCK0000.REC of them, or frees them", e2fsck: [];
    FREE_COUNT = "fat-free-count", Damage, "the count of free clusters is wrong",
        explain: "FAT32 keeps the number of free clusters as a hint. Programs that trust it report wrong free space.",
        repair: "corrects it", e2fsck: [];
    FREE_COUNT_UNKNOWN = "fat-free-count-unknown", Warning, "the count of free clusters was never set",
        explain: "FAT32 keeps the number of free clusters as a hint; this volume says that it is unknown.",
        repair: "sets it", e2fsck: [];
    NEXT_FREE = "fat-next-free", Note, "the hint for the next free cluster names none",
        explain: "A hint only; writers search from it.", repair: "", e2fsck: [];
    FS_INFO = "fat-fsinfo", Damage, "the FSInfo sector has no valid signature",
        explain: "The sector with the hints of FAT32 was overwritten, or the boot sector points to the wrong place.",
        repair: "offers to make a new one", e2fsck: [];
    FS_INFO_MISSING = "fat-fsinfo-missing", Warning, "the volume has no FSInfo sector",
        explain: "Without it free space must be counted at each mount.", repair: "", e2fsck: [];
    SHORT_NAME = "fat-short-name", Damage, "a short name has characters that no short name may have",
        explain: "Programs that follow the rules can not open the file. The long name, if there is one, is used here.",
        repair: "renames the file to FSCK0000.000", e2fsck: [];
    DUPLICATE_NAME = "fat-duplicate-name", Damage, "two entries of a directory have the same short name",
        explain: "Only the first can be opened by name.", repair: "renames the second, or drops it", e2fsck: [];
    LONG_NAME_ORPHAN = "fat-long-name-orphan", Damage, "parts of a long name stand alone",
        explain: "Parts of a long name belong to no entry: a program that does not know long names deleted or renamed the file.",
        repair: "removes them", e2fsck: [];
    LONG_NAME_FRAGMENT = "fat-long-name-fragment", Warning, "a part of a long name stands outside of any",
        explain: "The part that should begin the name is missing, or its number is wrong.", repair: "", e2fsck: [];
    LONG_NAME_CHECKSUM = "fat-long-name-checksum", Warning, "a long name was made for another short name",
        explain: "The checksum that binds the two does not match; the file is shown by its short name.",
        repair: "removes the long name, or keeps it with a new checksum", e2fsck: [];
    LONG_NAME_BROKEN = "fat-long-name-broken", Warning, "a long name is not whole",
        explain: "Its parts are not numbered down to 1; the file is shown by its short name.", repair: "removes it", e2fsck: [];
    LONG_NAME_FIELD = "fat-long-name-field", Damage, "a part of a long name names a first cluster",
        explain: "The field is always 0.", repair: "clears it", e2fsck: [];
    DOT_ENTRY = "fat-dot-entry", Damage, "a directory does not begin with a valid . entry",
        explain: "The first entry of each directory is . and leads to the directory itself.",
        repair: "makes one, and moves what stands in its place", e2fsck: [];
    DOTDOT_ENTRY = "fat-dotdot-entry", Damage, "a directory's second entry is not a valid .. entry",
        explain: "The second entry of each directory is .. and leads to the directory it is in.",
        repair: "makes one, and moves what stands in its place", e2fsck: [];
    DOT_STRAY = "fat-dot-stray", Damage, "a . or .. entry stands where none belongs",
        explain: "Only the first two entries of a directory have these names, and none of the root's.",
        repair: "renames or deletes it", e2fsck: [];
    DIRECTORY_LOOP = "fat-directory-loop", Damage, "an entry leads to a directory that it is itself in",
        explain: "Following it never ends.", repair: "deletes the entry", e2fsck: [];
    DIRECTORY_SIZE = "fat-directory-size", Damage, "a directory's entry gives it a size",
        explain: "The size of a directory is always recorded as 0.", repair: "sets it to 0", e2fsck: [];
    DIRECTORY_EMPTY = "fat-directory-empty", Damage, "a directory has no cluster",
        explain: "Every directory but the root has at least the cluster with its . and .. entries.",
        repair: "deletes the entry", e2fsck: [];
    DIRECTORY_GARBAGE = "fat-directory-garbage", Damage, "a directory holds what can be no entry",
        explain: "A part of the directory was overwritten. What is no entry is skipped; all else is listed.",
        repair: "drops the entries, or the directory", e2fsck: [];
    DIRECTORY_GAP = "fat-directory-gap", Damage, "a part of a directory was overwritten with zeros",
        explain: "Entries follow behind a gap that other programs take for the end of the directory. They are listed.",
        repair: "", e2fsck: [];
    DIRECTORY_UNREADABLE = "fat-directory-unreadable", Critical, "a part of a directory can not be read",
        explain: "The entries in it are lost; the files they named are searched for.", repair: "", e2fsck: [];
    LABEL_DIFFERS = "fat-label-differs", Damage, "the boot sector and the root directory hold different labels",
        explain: "The label is kept in two places; systems show the one in the root directory.",
        repair: "copies the root directory's label", e2fsck: [];
    LABEL_ROOT_ONLY = "fat-label-root-only", Damage, "only the root directory holds a label",
        explain: "The label is kept in two places; the boot sector says that there is none.",
        repair: "copies it to the boot sector", e2fsck: [];
    LABEL_BOOT_ONLY = "fat-label-boot-only", Damage, "only the boot sector holds a label",
        explain: "The label is kept in two places; the root directory has none.",
        repair: "removes it from the boot sector", e2fsck: [];
    LABEL_INVALID = "fat-label-invalid", Damage, "the label has characters that no label may have",
        explain: "An empty label is recorded as \"NO NAME\".", repair: "removes it", e2fsck: [];
    TIME_INVALID = "fat-time", Note, "a date or time is none",
        explain: "A month 13, an hour 25: such a time is not carried over.", repair: "", e2fsck: [];
}
