//! LVM2 physical volumes. Label, header and metadata area as LVM2's `lib/format_text/layout.h` lays them out.

mod text;

use super::{Inside, Role, Signature};
use crate::bytes::{Span, le32, le64};
use crate::source::{Source, SourceGone, read_whole};
use text::Section;

const ADVICE: &[&str] = &["pvs DEVICE", "vgchange --activate ay --readonly", "lvs --options +devices"];

/// The label stands in one of the first four sectors.
const LABEL_SECTORS: u64 = 4;

/// Longest metadata text that is read.
const MAX_TEXT: u64 = 1 << 20;

/// The start of a metadata area's header, after its checksum.
const AREA_MAGIC: &[u8; 16] = b" LVM2 x[5A%r0N*>";

/// More areas than any physical volume lists.
const MAX_AREAS: usize = 16;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for sector in 0..LABEL_SECTORS {
        let Some(label) = read_whole(&**source, sector * 512, 512)? else { continue };
        let is_label =
            label.starts_with(b"LABELONE") && le64(&label, 8) == Some(sector) && label[24..32] == *b"LVM2 001";
        let Some(header) = le32(&label, 20).filter(|_| is_label).and_then(|at| label.get(at as usize..)) else {
            continue;
        };
        if header.len() < 40 || le32(&label, 16) != Some(checksum(&label[20..])) {
            continue;
        }
        let mut found = Signature::new("LVM2_member", Role::Container, ADVICE);
        found.uuid = Some(dashed(&header[..32]));
        found.size = le64(header, 32);
        if let Some(text) = metadata(source, header)? {
            describe(&text, &mut found);
        }
        return Ok(Some(found));
    }
    Ok(None)
}

/// CRC-32 with LVM's start value and without the final complement.
fn checksum(bytes: &[u8]) -> u32 {
    // The crc crate wants the start value of a reflected CRC the other way round.
    const LVM: crc::Algorithm<u32> =
        crc::Algorithm { init: 0xf597_a6cf_u32.reverse_bits(), xorout: 0, ..crc::CRC_32_ISO_HDLC };
    const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&LVM);
    CRC.checksum(bytes)
}

/// 32 characters in groups of 6, 4, 4, 4, 4, 4, 6.
fn dashed(id: &[u8]) -> String {
    let text = String::from_utf8_lossy(id);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if matches!(i, 6 | 10 | 14 | 18 | 22 | 26) {
            out.push('-');
        }
        out.push(c);
    }
    out
}

/// The text of the first metadata area that has one.
fn metadata(source: &Source, header: &[u8]) -> Result<Option<String>, SourceGone> {
    // Two lists of (offset, size), each ended by zeros: data areas, then metadata areas.
    let locations: Vec<(u64, u64)> =
        header[40..].chunks_exact(16).map_while(|raw| Some((le64(raw, 0)?, le64(raw, 8)?))).collect();
    let areas = locations.split(|location| location.0 == 0).nth(1).unwrap_or_default();
    for &(at, size) in areas.iter().take(MAX_AREAS) {
        let Some(area) = read_whole(&**source, at, 512)?.filter(|area| area[4..20] == *AREA_MAGIC) else { continue };
        let place = || Some((le64(&area, 40)?, le64(&area, 48)?));
        let Some((offset, len)) = place().filter(|(offset, len)| *offset < size && (1..=MAX_TEXT).contains(len)) else {
            continue;
        };
        // The text is written in a ring, after the area's header.
        let before_end = len.min(size - offset);
        let Some(mut text) = read_whole(&**source, at.saturating_add(offset), before_end as usize)? else { continue };
        if before_end < len {
            let Some(rest) = read_whole(&**source, at.saturating_add(512), (len - before_end) as usize)? else {
                continue;
            };
            text.extend(rest);
        }
        return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
    }
    Ok(None)
}

/// Takes the names of the volume group and of its logical volumes, and where those lie that are in one piece.
fn describe(text: &str, found: &mut Signature) {
    let all = Section::parse(text);
    let Some((group_name, group)) = all.sections.first() else { return };
    found.facts.push(("volume group", group_name.clone()));
    let volumes = group.section("logical_volumes").map_or(&[][..], |volumes| &volumes.sections);
    if !volumes.is_empty() {
        let names: Vec<&str> = volumes.iter().map(|(name, _)| name.as_str()).collect();
        found.facts.push(("logical volumes", names.join(", ")));
    }
    for (name, volume) in volumes {
        if let Some(span) = in_one_piece(group, volume, found.uuid.as_deref()) {
            // The device mapper's name: hyphens within a name are doubled.
            let name = format!("{}-{}", group_name.replace('-', "--"), name.replace('-', "--"));
            found.inside.push(Inside { name, span });
        }
    }
}

/// The bytes of a logical volume that is visible, and is one linear segment on the physical volume `this`.
fn in_one_piece(group: &Section, volume: &Section, this: Option<&str>) -> Option<Span> {
    if volume.number("segment_count") != Some(1) || !volume.list("status").iter().any(|status| status == "VISIBLE") {
        return None;
    }
    let segment = volume.section("segment1").filter(|segment| segment.text("type") == Some("striped"))?;
    let [on, first] = segment.list("stripes") else { return None };
    let physical = group.section("physical_volumes")?.section(on).filter(|physical| physical.text("id") == this)?;
    let (extent, first) = (group.number("extent_size")?, first.parse::<u64>().ok()?);
    let start = physical.number("pe_start")?.checked_add(first.checked_mul(extent)?)?.checked_mul(512)?;
    let len = segment.number("extent_count")?.checked_mul(extent)?.checked_mul(512)?;
    (len > 0).then(|| Span::new(start, len))
}
