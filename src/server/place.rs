//! Which volume an fstab line means.

use super::Placed;
use super::fstab::Line;
use crate::survey::{Disk, Volume};

/// What the first field of a line asks for.
#[derive(PartialEq, Eq, Debug)]
enum Wanted<'l> {
    Uuid(&'l [u8]),
    Label(Vec<u8>),
    PartUuid(&'l [u8]),
    PartLabel(Vec<u8>),
    /// A partition by its number, on the disk of this name (`sda`; empty where it is not named).
    Number {
        disk: &'l [u8],
        number: u32,
    },
    /// A whole disk (`vdb`).
    WholeDisk(&'l [u8]),
    /// LVM, LUKS, multipath: the device mapper's name.
    Mapping(Vec<u8>),
    /// Software RAID.
    Raid,
    Unknown,
}

/// The volume that a line means. `this_disk` is the server's name of the disk (`sda`), where that is known.
pub(super) fn place(line: &Line, disk: &Disk, this_disk: Option<&[u8]>) -> Placed {
    let foreign = |name: &[u8]| !name.is_empty() && this_disk.is_some_and(|this| this != name);
    let found = match Wanted::of(&line.spec) {
        Wanted::Uuid(wanted) => {
            find(disk, |volume| volume.uuid().is_some_and(|uuid| uuid.as_bytes().eq_ignore_ascii_case(wanted)))
        }
        Wanted::Label(wanted) => find(disk, |volume| volume.label().is_some_and(|label| label == wanted)),
        Wanted::PartUuid(wanted) => find_partition(disk, |p| p.partuuid.as_bytes().eq_ignore_ascii_case(wanted)),
        Wanted::PartLabel(wanted) => {
            find_partition(disk, |p| p.label.as_ref().is_some_and(|label| label.as_bytes() == wanted))
        }
        Wanted::Number { disk: name, .. } | Wanted::WholeDisk(name) if foreign(name) => {
            return Placed::Nowhere(format!("on another disk, {}", String::from_utf8_lossy(name)));
        }
        Wanted::Number { number, .. } => {
            let found = find_partition(disk, |p| p.number == number);
            match found.filter(|&index| !fits(line, &disk.volumes[index])) {
                Some(other) => return mismatch(line, &disk.volumes[other]),
                None => found,
            }
        }
        Wanted::WholeDisk(_) => find(disk, |volume| volume.partition.is_none() && volume.span.start == 0),
        Wanted::Mapping(name) => match find(disk, |volume| inner_name(volume) == Some(&name)) {
            Some(index) => Some(index),
            None => return Placed::Nowhere("on LVM, LUKS or another mapping, which is not read".into()),
        },
        Wanted::Raid => match only_mirror(disk) {
            Some(index) => Some(index),
            None => return Placed::Nowhere("on software RAID, and no mirror of this disk is sure to be it".into()),
        },
        Wanted::Unknown => return Placed::Nowhere("not a way to name a volume that is known".into()),
    };
    found.map_or_else(|| Placed::Nowhere("no volume of this disk".into()), Placed::On)
}

/// The name of the disk that a line names by device, without the partition: `sda`.
pub(super) fn disk_name(line: &Line) -> Option<&[u8]> {
    match Wanted::of(&line.spec) {
        Wanted::Number { disk, .. } | Wanted::WholeDisk(disk) => Some(disk).filter(|disk| !disk.is_empty()),
        _ => None,
    }
}

fn find(disk: &Disk, is_it: impl Fn(&Volume) -> bool) -> Option<usize> {
    disk.volumes.iter().position(is_it)
}

fn find_partition(disk: &Disk, is_it: impl Fn(&crate::volume::Partition) -> bool) -> Option<usize> {
    find(disk, |volume| volume.partition.as_ref().is_some_and(&is_it))
}

/// The name of a volume inside another one: `vg0-root` (on a mirror or not), `md`.
fn inner_name(volume: &Volume) -> Option<&[u8]> {
    let (_, inner) = volume.name.split_once('.')?;
    Some(inner.strip_prefix("md.").unwrap_or(inner).as_bytes())
}

/// The only mirror of a disk: which of several is md0 its name does not tell.
fn only_mirror(disk: &Disk) -> Option<usize> {
    let mut mirrors = (0..disk.volumes.len()).filter(|&i| inner_name(&disk.volumes[i]) == Some(b"md"));
    mirrors.next().filter(|_| mirrors.next().is_none())
}

/// A device name says less than a UUID does: the type must not speak against it.
fn fits(line: &Line, volume: &Volume) -> bool {
    let family = |kind: &[u8]| match kind {
        b"ext2" | b"ext3" | b"ext4" => b"ext".to_vec(),
        b"vfat" | b"msdos" | b"fat" => b"fat".to_vec(),
        b"ntfs" | b"ntfs3" | b"ntfs-3g" => b"ntfs".to_vec(),
        other => other.to_vec(),
    };
    let Some(kind) = volume.kind() else { return true };
    let kind = family(kind.as_bytes());
    line.kind.split(|&b| b == b',').any(|wanted| wanted == b"auto" || family(wanted) == kind)
}

fn mismatch(line: &Line, volume: &Volume) -> Placed {
    let kind = String::from_utf8_lossy(&line.kind);
    Placed::Nowhere(format!("{} holds {}, not {kind}", volume.name, volume.kind().unwrap_or("nothing")))
}

impl<'l> Wanted<'l> {
    fn of(spec: &'l [u8]) -> Self {
        let tag = |name: &str| {
            let (tag, value) = spec.split_at_checked(name.len())?;
            tag.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        };
        if let Some(value) = tag("UUID=").or_else(|| tag("/dev/disk/by-uuid/")) {
            Wanted::Uuid(value)
        } else if let Some(value) = tag("PARTUUID=").or_else(|| tag("/dev/disk/by-partuuid/")) {
            Wanted::PartUuid(value)
        } else if let Some(value) = tag("LABEL=") {
            Wanted::Label(value.to_vec())
        } else if let Some(value) = tag("PARTLABEL=") {
            Wanted::PartLabel(value.to_vec())
        } else if let Some(value) = tag("/dev/disk/by-label/") {
            Wanted::Label(unescape_udev(value))
        } else if let Some(value) = tag("/dev/disk/by-partlabel/") {
            Wanted::PartLabel(unescape_udev(value))
        } else if let Some(value) = tag("/dev/disk/by-id/").or_else(|| tag("/dev/disk/by-path/")) {
            Wanted::of_link(value)
        } else if let Some(name) = tag("/dev/mapper/") {
            Wanted::Mapping(name.to_vec())
        } else if let Some(name) = tag("/dev/dm-") {
            Wanted::Mapping(name.to_vec())
        } else if tag("/dev/md").is_some() {
            Wanted::Raid
        } else if let Some(name) = tag("/dev/") {
            Wanted::of_device(name)
        } else {
            Wanted::Unknown
        }
    }

    /// `scsi-0QEMU_disk-part2`: only the number says anything about an image.
    fn of_link(name: &'l [u8]) -> Self {
        let dash = name.windows(5).rposition(|part| part == b"-part");
        match dash.and_then(|dash| number(&name[dash + 5..])) {
            Some(number) => Wanted::Number { disk: b"", number },
            None => Wanted::Unknown,
        }
    }

    /// `sda1`, `vda`, `nvme0n1p2`, `mmcblk0p1`; anything with a slash is a logical volume (`vg0/root`).
    fn of_device(name: &'l [u8]) -> Self {
        if let Some(slash) = name.iter().position(|&b| b == b'/') {
            let doubled = |part: &[u8]| part.iter().flat_map(|&b| [b].repeat(1 + usize::from(b == b'-'))).collect();
            let [group, volume]: [Vec<u8>; 2] = [doubled(&name[..slash]), doubled(&name[slash + 1..])];
            return Wanted::Mapping([group, volume].join(&b'-'));
        }
        let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let (stem, last) = name.split_at(name.len() - digits);
        let prefixes: [&[u8]; 4] = [b"sd", b"hd", b"vd", b"xvd"];
        if prefixes.iter().any(|prefix| stem.starts_with(prefix)) {
            return match number(last) {
                Some(number) => Wanted::Number { disk: stem, number },
                None => Wanted::WholeDisk(stem),
            };
        }
        let numbered: [&[u8]; 4] = [b"nvme", b"mmcblk", b"loop", b"nbd"];
        if !numbered.iter().any(|prefix| name.starts_with(prefix)) {
            return Wanted::Unknown;
        }
        // The disk's own name ends in a digit, so that a p stands before the partition's number.
        match (stem.strip_suffix(b"p"), number(last)) {
            (Some(disk), Some(number)) if disk.last().is_some_and(u8::is_ascii_digit) => {
                Wanted::Number { disk, number }
            }
            _ => Wanted::WholeDisk(name),
        }
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// udev writes bytes it does not like as `\x20`.
fn unescape_udev(name: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), name);
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..3).filter(|hex| first == b'\\' && hex[0] == b'x');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(&hex[1..]).ok()?, 16).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_volume() {
        let number = |disk, number| Wanted::Number { disk, number };
        for (spec, wanted) in [
            ("UUID=0A34-07DE", Wanted::Uuid(b"0A34-07DE")),
            ("uuid=0A34-07DE", Wanted::Uuid(b"0A34-07DE")),
            ("/dev/disk/by-uuid/0A34-07DE", Wanted::Uuid(b"0A34-07DE")),
            ("LABEL=my data", Wanted::Label(b"my data".to_vec())),
            (r"/dev/disk/by-label/my\x20data", Wanted::Label(b"my data".to_vec())),
            ("PARTUUID=1234-02", Wanted::PartUuid(b"1234-02")),
            ("PARTLABEL=root", Wanted::PartLabel(b"root".to_vec())),
            ("/dev/sda12", number(b"sda", 12)),
            ("/dev/xvda1", number(b"xvda", 1)),
            ("/dev/vdb", Wanted::WholeDisk(b"vdb")),
            ("/dev/nvme0n1p3", number(b"nvme0n1", 3)),
            ("/dev/nvme0n1", Wanted::WholeDisk(b"nvme0n1")),
            ("/dev/mmcblk0p1", number(b"mmcblk0", 1)),
            ("/dev/disk/by-id/scsi-0QEMU_a-part2", number(b"", 2)),
            ("/dev/mapper/vg0-root", Wanted::Mapping(b"vg0-root".to_vec())),
            ("/dev/my-vg/root", Wanted::Mapping(b"my--vg-root".to_vec())),
            ("/dev/md0", Wanted::Raid),
            ("/dev/fd0", Wanted::Unknown),
            ("something", Wanted::Unknown),
        ] {
            assert_eq!(Wanted::of(spec.as_bytes()), wanted, "{spec}");
        }
    }
}
