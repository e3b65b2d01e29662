//! ISO 9660 (ECMA-119), with Joliet names.

use super::{Role, Signature, label, label16};
use crate::bytes::{Span, le16, le32};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t iso9660 -o ro DEVICE /mnt", "7z l DEVICE"];

/// Where the volume descriptors begin, and the size of each.
const FIRST: u64 = 32768;
const SIZE: u64 = 2048;

/// More descriptors than any disc has.
const MAX_DESCRIPTORS: u64 = 16;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let (mut found, mut joliet) = (None, None);
    for i in 0..MAX_DESCRIPTORS {
        let Some(descriptor) = read_whole(&**source, FIRST + i * SIZE, SIZE as usize)? else { break };
        if descriptor[1..6] != *b"CD001" || descriptor[0] == 255 {
            break;
        }
        match descriptor[0] {
            1 if found.is_none() => found = Some(read(&descriptor)),
            2 if matches!(&descriptor[88..91], b"%/@" | b"%/C" | b"%/E") => {
                joliet = label16(descriptor[40..72].chunks_exact(2).map(|u| u16::from_be_bytes([u[0], u[1]])));
            }
            _ => {}
        }
    }
    if let (Some(found), Some(name)) = (&mut found, joliet) {
        // A Joliet name has 16 characters at most: the plain one is whole where it begins the same.
        let cut = found
            .label
            .as_ref()
            .is_some_and(|plain: &Vec<u8>| plain.len() > name.len() && plain[..name.len()].eq_ignore_ascii_case(&name));
        if !cut {
            found.label = Some(name);
        }
    }
    Ok(found)
}

fn read(descriptor: &[u8]) -> Signature {
    let mut found = Signature::new("iso9660", Role::FileSystem, ADVICE);
    found.label = label(&descriptor[40..72]);
    let blocks = le32(descriptor, 80).map(u64::from);
    found.size = blocks.zip(le16(descriptor, 128)).map(|(blocks, size)| blocks * u64::from(size));
    // An image is written as a whole.
    found.written.insert(Span::new(0, found.size.unwrap_or(0)));
    found.uuid = date(&descriptor[830..847]).or_else(|| date(&descriptor[813..830]));
    found
}

/// A date of 16 digits and a time zone, as `blkid` makes a UUID of it; `None` where it was not set.
fn date(digits: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(&digits[..16]).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    let is_set = text.bytes().any(|b| b != b'0') || digits[16] != 0;
    let part = |range: std::ops::Range<usize>| &text[range];
    is_set
        .then(|| [part(0..4), part(4..6), part(6..8), part(8..10), part(10..12), part(12..14), part(14..16)].join("-"))
}
