//! Everything that can be wrong with an exFAT volume.

use crate::finding::codes;

codes! {
    BOOT_SECTOR = "exfat-boot-sector", Critical, "the boot sector does not describe an exFAT volume",
        explain: "The first sector says where everything lies. Without it no system mounts the volume. offmount reads it \
            through the backup boot region, or infers the numbers; the summary says which.",
        repair: "restores the boot region from its backup", e2fsck: [];
    BOOT_CHECKSUM = "exfat-boot-checksum", Damage, "the checksum of the boot region does not match",
        explain: "The boot region ends in a checksum over all of it; something in it was changed.",
        repair: "restores the boot region from its backup", e2fsck: [];
    BOOT_BACKUP = "exfat-boot-backup", Warning, "the backup boot region is damaged or differs",
        explain: "exFAT keeps a second boot region behind the first. It is needed when the first is lost.",
        repair: "", e2fsck: [];
    TRUNCATED = "exfat-truncated", Critical, "the image ends before the volume does",
        explain: "Everything behind the end of the image is lost: what files have there is listed as lost.", repair: "", e2fsck: [];
    DIRTY = "exfat-dirty", Warning, "the volume was not unmounted",
        explain: "A mark says that writing was under way when the volume was last used: files may be half written.",
        repair: "removes the mark", e2fsck: [];
    MEDIA_FAILURE = "exfat-media-failure", Warning, "the volume's last user met errors of the disk",
        explain: "A mark says that reading or writing failed.", repair: "", e2fsck: [];
    ROOT_CLUSTER = "exfat-root-cluster", Critical, "the root directory has no cluster",
        explain: "The boot sector names a first cluster of the root directory that the volume does not have.",
        repair: "fsck.exfat gives up", e2fsck: [];
    BITMAP_MISSING = "exfat-bitmap-missing", Critical, "there is no allocation bitmap",
        explain: "The root directory names no bitmap of the clusters in use, or none that can be.",
        repair: "fsck.exfat gives up", e2fsck: [];
    BITMAP_SIZE = "exfat-bitmap-size", Damage, "the allocation bitmap has the wrong size",
        explain: "The bitmap has one bit for each cluster of the volume.", repair: "", e2fsck: [];
    BITMAP_FREE = "exfat-bitmap-free", Damage, "the bitmap calls clusters of a file free",
        explain: "A writer would give these clusters to another file and destroy what they hold.",
        repair: "marks them as in use", e2fsck: [];
    BITMAP_USED = "exfat-bitmap-used", Warning, "the bitmap calls clusters in use that belong to no file",
        explain: "The space is lost, or the directory entry of a file is.", repair: "marks them as free", e2fsck: [];
    UPCASE_MISSING = "exfat-upcase-missing", Damage, "there is no up-case table",
        explain: "The table says which letters are the same when names are compared.", repair: "fsck.exfat gives up", e2fsck: [];
    UPCASE_CHECKSUM = "exfat-upcase-checksum", Damage, "the checksum of the up-case table does not match",
        explain: "The table says which letters are the same when names are compared. It was changed or overwritten.",
        repair: "fsck.exfat gives up", e2fsck: [];
    LABEL = "exfat-label", Damage, "the volume label has an impossible length",
        explain: "A label has 11 characters at most.", repair: "", e2fsck: [];
    SET_CHECKSUM = "exfat-set-checksum", Damage, "the checksum of a set of entries does not match",
        explain: "The entries that describe a file were changed after they were written. The file is listed as they say.",
        repair: "deletes the file, or corrects the checksum", e2fsck: [];
    SET_BROKEN = "exfat-set-broken", Damage, "a file's set of entries is not whole",
        explain: "A file needs an entry of its own, one of its stream, and its name. What is left is used.",
        repair: "deletes the file", e2fsck: [];
    NAME_HASH = "exfat-name-hash", Damage, "the hash of a file's name does not match",
        explain: "Systems that search by hash do not find the file.", repair: "corrects it", e2fsck: [];
    NAME_INVALID = "exfat-name", Damage, "a name has characters that no name may have, or none",
        explain: "Systems can not open the file.", repair: "renames the file", e2fsck: [];
    DUPLICATE_NAME = "exfat-duplicate-name", Warning, "two files of a directory have the same name",
        explain: "Only the first can be opened by name.", repair: "renames the second", e2fsck: [];
    VALID_LENGTH = "exfat-valid-length", Damage, "more of a file is valid than it is long",
        explain: "The length that was written is greater than the length of the file.", repair: "corrects it", e2fsck: [];
    DIRECTORY_SIZE = "exfat-directory-size", Damage, "a directory's size is no multiple of a cluster, or too large",
        explain: "Directories have whole clusters, and 256 MiB at most.", repair: "", e2fsck: [];
    FIRST_CLUSTER = "exfat-first-cluster", Damage, "a file begins at a cluster that the volume does not have",
        explain: "The stream entry names a first cluster that can not be. The file's contents can not be found.",
        repair: "truncates the file to 0 bytes", e2fsck: [];
    EMPTY_CONTIGUOUS = "exfat-empty-contiguous", Damage, "an empty file says that its clusters lie behind each other",
        explain: "A file without clusters has no use for the mark; drivers refuse to write to it.", repair: "removes the mark", e2fsck: [];
    CHAIN_FREE = "exfat-chain-free", Damage, "a chain runs into an entry that leads nowhere",
        explain: "The table has nothing for a cluster of the file: the chain was cut, or never written.",
        repair: "ends the file there", e2fsck: [];
    CHAIN_BAD = "exfat-chain-bad", Damage, "a chain runs into a cluster marked bad",
        explain: "The table says that a cluster of the file is bad and must not be used.", repair: "ends the file there", e2fsck: [];
    CHAIN_INVALID = "exfat-chain-invalid", Damage, "a chain leads out of the volume",
        explain: "An entry of the table names a cluster that the volume does not have.", repair: "ends the file there", e2fsck: [];
    CHAIN_LOOP = "exfat-chain-loop", Damage, "a chain goes in circles",
        explain: "An entry of the table leads back to an earlier cluster of the same file.", repair: "cuts the circle", e2fsck: [];
    CHAIN_SHORT = "exfat-chain-short", Damage, "a file is longer than its chain",
        explain: "The file has more bytes than its clusters hold. What is missing is listed as lost, unless it was found elsewhere.",
        repair: "shortens the file", e2fsck: [];
    CHAIN_LONG = "exfat-chain-long", Damage, "a chain is longer than its file",
        explain: "The file has clusters that it does not need.", repair: "cuts the chain", e2fsck: [];
    CROSS_LINK = "exfat-cross-link", Damage, "two files share a cluster",
        explain: "At most one of them can be right.", repair: "ends one of the files there", e2fsck: [];
    TABLE_UNREADABLE = "exfat-table-unreadable", Critical, "a part of the allocation table can not be read",
        explain: "The chains through this part are lost; contiguous files do not need it.", repair: "", e2fsck: [];
    RESERVED_ENTRY = "exfat-reserved-entry", Damage, "the first two entries of the table are not what they must be",
        explain: "The table begins with f8 ff ff ff ff ff ff ff. Anything else means that its beginning was overwritten.",
        repair: "", e2fsck: [];
    DIRECTORY_GARBAGE = "exfat-directory-garbage", Damage, "a directory holds what can be no entry",
        explain: "A part of the directory was overwritten. What is no entry is skipped; all else is listed.",
        repair: "deletes the entries", e2fsck: [];
    DIRECTORY_GAP = "exfat-directory-gap", Damage, "a part of a directory was overwritten with zeros",
        explain: "Entries follow behind a gap that other programs take for the end of the directory. They are listed.",
        repair: "", e2fsck: [];
    DIRECTORY_UNREADABLE = "exfat-directory-unreadable", Critical, "a part of a directory can not be read",
        explain: "The entries in it are lost; the directories they named are searched for.", repair: "", e2fsck: [];
    TIME_INVALID = "exfat-time", Note, "a date or time is none",
        explain: "A month 13, an hour 25: such a time is not carried over.", repair: "", e2fsck: [];
}
