//! Whether this machine has the source mounted: [`mounted`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A mount of the source, of one of its partitions, or of a loop device or mapping over it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mounted {
    /// Where.
    pub at: PathBuf,
    /// What the kernel says is mounted: `/dev/sda1`.
    pub device: String,
    /// False for a filesystem that the kernel holds read-only.
    pub writable: bool,
}

/// A device number: major and minor.
type Device = (u32, u32);

/// The mounts of an opened file or device on this machine, as far as the kernel tells (`/proc` and `/sys`).
pub fn mounted(file: &File) -> Vec<Mounted> {
    let devices = devices_over(file);
    if devices.is_empty() {
        return Vec::new();
    }
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut mounts: Vec<Mounted> =
        table.split(|&b| b == b'\n').filter_map(Line::parse).filter_map(|line| line.if_on(&devices)).collect();
    mounts.sort();
    mounts.dedup();
    mounts
}

/// A line of mountinfo.
struct Line {
    device: Device,
    at: PathBuf,
    source: Vec<u8>,
    writable: bool,
}

impl Line {
    /// Fields as proc(5) gives them: id, parent, device, root, mount point, options, optional fields, `-`, type,
    /// source, options of the superblock.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&b| b == b' ');
        let device = device_number(std::str::from_utf8(fields.nth(2)?).ok()?)?;
        let at = PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?)));
        let mut after = fields.skip_while(|field| *field != b"-").skip(2);
        let source = unescape(after.next()?);
        let writable = after.next()?.split(|&b| b == b',').any(|option| option == b"rw");
        Some(Line { device, at, source, writable })
    }

    fn if_on(self, devices: &BTreeSet<Device>) -> Option<Mounted> {
        let source = PathBuf::from(OsString::from_vec(self.source));
        // btrfs mounts have a device number of their own: the source tells.
        let named = || fs::metadata(&source).ok().filter(|meta| meta.file_type().is_block_device());
        let is_ours =
            devices.contains(&self.device) || named().is_some_and(|meta| devices.contains(&split(meta.rdev())));
        is_ours.then(|| Mounted { at: self.at, device: source.display().to_string(), writable: self.writable })
    }
}

/// The file's device, its partitions, loop devices over it, and mappings over any of them.
fn devices_over(file: &File) -> BTreeSet<Device> {
    let mut devices = BTreeSet::new();
    let Ok(meta) = file.metadata() else { return devices };
    if meta.file_type().is_block_device() {
        add_with_holders(split(meta.rdev()), &mut devices);
    } else {
        loops_over(&meta).into_iter().for_each(|device| add_with_holders(device, &mut devices));
    }
    devices
}

/// Adds a device, its partitions, and what holds any of them.
fn add_with_holders(device: Device, devices: &mut BTreeSet<Device>) {
    if !devices.insert(device) {
        return;
    }
    let folder = PathBuf::from(format!("/sys/dev/block/{}:{}", device.0, device.1));
    let partitions = subfolders(&folder).into_iter().filter(|below| below.join("partition").exists());
    for below in partitions.chain(subfolders(&folder.join("holders"))) {
        if let Some(number) = number_of(&below) {
            add_with_holders(number, devices);
        }
    }
}

/// The loop devices whose backing file is the one that `meta` describes.
fn loops_over(meta: &fs::Metadata) -> Vec<Device> {
    let is_over = |folder: &PathBuf| {
        let Ok(path) = fs::read(folder.join("loop/backing_file")) else { return false };
        let path = PathBuf::from(OsString::from_vec(path.trim_ascii_end().to_vec()));
        fs::metadata(path).is_ok_and(|backing| (backing.dev(), backing.ino()) == (meta.dev(), meta.ino()))
    };
    subfolders(Path::new("/sys/block")).iter().filter(|folder| is_over(folder)).filter_map(|f| number_of(f)).collect()
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}

/// The device number in a folder of `/sys`.
fn number_of(folder: &Path) -> Option<Device> {
    device_number(fs::read_to_string(folder.join("dev")).ok()?.trim_end())
}

fn device_number(text: &str) -> Option<Device> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn split(device: u64) -> Device {
    (rustix::fs::major(device), rustix::fs::minor(device))
}

/// Octal escapes (`\040`) turned back into bytes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(field.len()), 0);
    while at < field.len() {
        let octal = field.get(at + 1..at + 4).filter(|_| field[at] == b'\\');
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(field[at]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo() {
        // The example of proc(5), with an escaped space.
        let line = br"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root ro,errors=continue";
        let line = Line::parse(line).unwrap();
        assert_eq!((line.device, line.writable), ((98, 0), false));
        assert_eq!((line.at.as_path(), line.source.as_slice()), (Path::new("/mnt 2"), b"/dev/root".as_slice()));
    }
}
