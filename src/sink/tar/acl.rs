//! Access control lists as GNU tar and star write them: in the text form of acl(5), with numbers in place of names.

/// Bytes of the header and of each entry of an attribute `system.posix_acl_*` (Linux, `include/uapi/linux/posix_acl_xattr.h`).
const HEADER: usize = 4;
const ENTRY: usize = 8;

/// The only version there is.
const VERSION: u32 = 2;

/// Which record holds the list in an attribute of this name, if it is one.
pub fn record(name: &[u8]) -> Option<&'static str> {
    match name {
        b"system.posix_acl_access" => Some("SCHILY.acl.access"),
        b"system.posix_acl_default" => Some("SCHILY.acl.default"),
        _ => None,
    }
}

/// The list in an attribute's value as text; `None` where it is not one.
pub fn text(value: &[u8]) -> Option<String> {
    let (header, entries) = value.split_first_chunk::<HEADER>()?;
    if u32::from_le_bytes(*header) != VERSION || entries.len() % ENTRY != 0 {
        return None;
    }
    let lines: Option<Vec<String>> = entries.chunks_exact(ENTRY).map(line).collect();
    Some(lines?.join("\n"))
}

fn line(entry: &[u8]) -> Option<String> {
    let (tag, rest) = entry.split_first_chunk::<2>()?;
    let (permissions, id) = rest.split_first_chunk::<2>()?;
    let (tag, permissions) = (u16::from_le_bytes(*tag), u16::from_le_bytes(*permissions));
    let id = u32::from_le_bytes(id.try_into().ok()?);
    let who = match tag {
        0x01 => "user:".into(),
        0x02 => format!("user:{id}"),
        0x04 => "group:".into(),
        0x08 => format!("group:{id}"),
        0x10 => "mask:".into(),
        0x20 => "other:".into(),
        _ => return None,
    };
    let may = |bit: u16, letter: char| if permissions & bit != 0 { letter } else { '-' };
    Some(format!("{who}:{}{}{}", may(4, 'r'), may(2, 'w'), may(1, 'x')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_the_form_of_acl_5() {
        // What `setfacl -m u:1000:rwx,g:4:r` makes of a file of mode 644, as getfattr shows it.
        let entries: [(u16, u16, u32); 6] =
            [(1, 6, u32::MAX), (2, 7, 1000), (4, 4, u32::MAX), (8, 4, 4), (0x10, 7, u32::MAX), (0x20, 4, u32::MAX)];
        let mut value = VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend([&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat());
        }
        let expected = "user::rw-\nuser:1000:rwx\ngroup::r--\ngroup:4:r--\nmask::rwx\nother::r--";
        assert_eq!(text(&value).as_deref(), Some(expected));
        assert_eq!(text(&value[..value.len() - 1]), None);
        assert_eq!(text(b""), None);
    }
}
