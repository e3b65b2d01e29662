//! LUKS, versions 1 and 2. Headers as the LUKS On-Disk Format specifications give them.

use super::{Role, Signature, label};
use crate::bytes::{Span, be16, be32, be64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] =
    &["cryptsetup luksDump DEVICE", "cryptsetup open --readonly DEVICE opened", "offmount info /dev/mapper/opened"];

/// Where the second header of LUKS 2 may stand: after a first of 16 KiB to 4 MiB.
const SECOND: [u64; 9] = [0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000];

/// Where version 1 counts the sectors before its contents (`payload-offset`).
const PAYLOAD_OFFSET: usize = 104;
/// Where the JSON of version 2 begins, and how long it may be.
const JSON_AT: u64 = 4096;
const MOST_JSON: u64 = 4 << 20;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    if let Some(header) = read_whole(&**source, 0, 512)?.filter(|header| header.starts_with(b"LUKS\xba\xbe")) {
        let Some(mut found) = read(&header) else { return Ok(None) };
        // Where the contents begin, up to which it clears everything.
        let contents = if be16(&header, 6) == Some(1) {
            be32(&header, PAYLOAD_OFFSET).map(|sectors| u64::from(sectors) * 512)
        } else {
            first_segment(source, &header)?
        };
        found.written.insert(Span::new(0, contents.unwrap_or(0)));
        return Ok(Some(found));
    }
    for at in SECOND {
        if let Some(header) = read_whole(&**source, at, 512)?.filter(|header| header.starts_with(b"SKUL\xba\xbe")) {
            let Some(mut found) = read(&header) else { continue };
            found.facts.push(("header", format!("the second, at byte {at}: the first is damaged")));
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Where the first segment of version 2 begins, in bytes, as the JSON behind the header says.
fn first_segment(source: &Source, header: &[u8]) -> Result<Option<u64>, SourceGone> {
    let len = be64(header, 8).and_then(|len| len.checked_sub(JSON_AT)).filter(|len| *len <= MOST_JSON);
    let Some(json) = len.map(|len| read_whole(&**source, JSON_AT, len as usize)).transpose()?.flatten() else {
        return Ok(None);
    };
    let text = json.split(|&byte| byte == 0).next().unwrap_or_default();
    let areas: Option<serde_json::Value> = serde_json::from_slice(text).ok();
    Ok(areas.and_then(|areas| areas.pointer("/segments/0/offset")?.as_str()?.parse().ok()))
}

fn read(header: &[u8]) -> Option<Signature> {
    let version = be16(header, 6).filter(|version| (1..=2).contains(version))?;
    let mut found = Signature::new("crypto_LUKS", Role::Container, ADVICE);
    found.uuid = label(&header[168..208]).map(|uuid| String::from_utf8_lossy(&uuid).into_owned());
    found.facts.push(("version", version.to_string()));
    if version == 1 {
        let name = |at: usize| String::from_utf8_lossy(&label(&header[at..at + 32]).unwrap_or_default()).into_owned();
        found.facts.push(("cipher", format!("{}-{}", name(8), name(40))));
    } else {
        found.label = label(&header[24..72]);
    }
    Some(found)
}
