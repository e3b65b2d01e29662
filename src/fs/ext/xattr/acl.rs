//! POSIX ACLs: from the form ext4 keeps them in (`fs/ext4/acl.h` of the kernel) to that of `getxattr`
//! (`include/uapi/linux/posix_acl_xattr.h`).

use crate::bytes::{le16, le32};

/// `EXT4_ACL_VERSION`
const DISK_VERSION: u32 = 1;
/// `POSIX_ACL_XATTR_VERSION`
const XATTR_VERSION: u32 = 2;
/// `ACL_UNDEFINED_ID`
const UNDEFINED_ID: u32 = u32::MAX;
/// `e_tag` of the entries that name a user, and a group.
const TAGS_WITH_ID: [u16; 2] = [0x02, 0x08];

/// The value that `getxattr` gives; `None` where `disk` is no ACL.
pub fn to_xattr(disk: &[u8]) -> Option<Vec<u8>> {
    if le32(disk, 0)? != DISK_VERSION {
        return None;
    }
    let mut value = XATTR_VERSION.to_le_bytes().to_vec();
    let mut at = 4;
    while at < disk.len() {
        let (tag, permissions) = (le16(disk, at)?, le16(disk, at + 2)?);
        at += 4;
        let id = if TAGS_WITH_ID.contains(&tag) {
            at += 4;
            le32(disk, at - 4)?
        } else {
            UNDEFINED_ID
        };
        value.extend_from_slice(&tag.to_le_bytes());
        value.extend_from_slice(&permissions.to_le_bytes());
        value.extend_from_slice(&id.to_le_bytes());
    }
    Some(value)
}
