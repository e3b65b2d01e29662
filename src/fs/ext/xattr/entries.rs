//! Judge: a list of attributes, [`entries`].

use std::ops::Range;

use crate::bytes::le32;
use crate::fs::ext::disk::at;
use crate::fs::ext::disk::xattr::{ENTRY_SIZE, PREFIXES, XattrEntry, entry_len};

/// Values of `e_name_index` that no program is shown: the filesystem's own.
const HIDDEN: [u8; 4] = [0, 7, 8, 9];

/// One attribute of a list.
pub struct Entry<'b> {
    /// `e_name_index`
    pub index: u8,
    /// Its name without prefix.
    pub name: &'b [u8],
    /// Where its value is.
    pub value: Value,
}

/// Where an attribute's value is.
pub enum Value {
    /// In the same region; not checked to lie within it.
    Here(Range<usize>),
    /// In an inode of this number, of so many bytes.
    Inode(u32, u32),
}

impl Entry<'_> {
    /// Prefix and name; `None` for one that no program is shown.
    pub fn full_name(&self) -> Option<Vec<u8>> {
        let (_, prefix) = PREFIXES.iter().find(|(index, _)| *index == self.index && !HIDDEN.contains(index))?;
        if self.is_acl() { Some(prefix.to_vec()) } else { Some([prefix, self.name].concat()) }
    }

    /// Bytes it takes in the list.
    pub fn len(&self) -> usize {
        // A name's length is one byte on the disk.
        entry_len(self.name.len() as u8)
    }

    /// True for a POSIX ACL.
    pub fn is_acl(&self) -> bool {
        matches!(self.index, 2 | 3)
    }
}

/// The attributes listed in `region` from `first` on, offsets of values counting from `base`; and whether the list
/// ends as it should.
pub fn entries(region: &[u8], first: usize, base: usize) -> (Vec<Entry<'_>>, bool) {
    let (mut list, mut at_byte) = (Vec::new(), first);
    loop {
        match le32(region, at_byte) {
            // A list that fills its region to the last entry has no room for the zeros.
            None => return (list, at_byte >= region.len()),
            Some(0) => return (list, true),
            Some(_) => {}
        }
        let Some(entry) = at::<XattrEntry>(region, at_byte) else { return (list, false) };
        let name_at = at_byte + ENTRY_SIZE;
        let Some(name) = region.get(name_at..name_at + usize::from(entry.e_name_len)) else { return (list, false) };
        let value = match entry.e_value_inum.get() {
            0 => {
                let start = base + usize::from(entry.e_value_offs.get());
                let size = entry.e_value_size.get();
                // An empty value lies nowhere.
                if size == 0 { Value::Here(0..0) } else { Value::Here(start..start.saturating_add(size as usize)) }
            }
            nr => Value::Inode(nr, entry.e_value_size.get()),
        };
        list.push(Entry { index: entry.e_name_index, name, value });
        at_byte += entry_len(entry.e_name_len);
    }
}
