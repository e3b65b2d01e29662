//! A destination on the disk that is read would overwrite what is to be saved: [`on_source`] finds out.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

/// Why `destination` lies on `image`, in words; `None` where it does not.
///
/// For a device, that is so where the destination's filesystem is on it, directly or through partitions, LVM, md,
/// encryption. For an image file, where the destination's filesystem is mounted from that very file.
pub fn on_source(image: &Path, destination: &Path) -> Option<String> {
    let image_stat = fs::metadata(image).ok()?;
    let standing = destination.ancestors().find_map(|path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::metadata(path).ok()
    })?;
    let below = devices_below(standing.dev());
    if image_stat.file_type().is_block_device() {
        let device = (major(image_stat.rdev()), minor(image_stat.rdev()));
        let lies_on = below.contains(&device);
        return lies_on.then(|| format!("{} is on {}", destination.display(), image.display()));
    }
    let is_image =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|s| (s.dev(), s.ino()) == (image_stat.dev(), image_stat.ino()));
    let mounted = below.iter().filter_map(|device| backing_file(*device)).any(|path| is_image(&path));
    mounted.then(|| format!("{} is on the filesystem mounted from {}", destination.display(), image.display()))
}

/// The block devices that a filesystem lies on, whole disks and the members of LVM and md among them.
fn devices_below(device: u64) -> BTreeSet<(u32, u32)> {
    let mut first = (major(device), minor(device));
    if first.0 == 0
        && let Some(real) = device_of_mount(first)
    {
        first = real;
    }
    let (mut found, mut open) = (BTreeSet::new(), vec![first]);
    while let Some(device) = open.pop() {
        if !found.insert(device) {
            continue;
        }
        let folder = PathBuf::from(format!("/sys/dev/block/{}:{}", device.0, device.1));
        if folder.join("partition").exists() {
            open.extend(fs::canonicalize(&folder).ok().and_then(|real| number(&real.parent()?.join("dev"))));
        }
        let members = fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
        open.extend(members.filter_map(|member| number(&member.path().join("dev"))));
    }
    found
}

/// The file behind a loop device.
fn backing_file(device: (u32, u32)) -> Option<PathBuf> {
    let path = format!("/sys/dev/block/{}:{}/loop/backing_file", device.0, device.1);
    Some(PathBuf::from(fs::read_to_string(path).ok()?.trim_end_matches('\n')))
}

/// A filesystem over several devices (btrfs) has a number of its own; the list of mounts names one of its devices.
fn device_of_mount(number: (u32, u32)) -> Option<(u32, u32)> {
    let wanted = format!("{}:{}", number.0, number.1);
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&wanted))?;
    let device = line.split(" - ").nth(1)?.split(' ').nth(1)?;
    let stat = fs::metadata(device).ok()?;
    stat.file_type().is_block_device().then(|| (major(stat.rdev()), minor(stat.rdev())))
}

fn number(path: &Path) -> Option<(u32, u32)> {
    let text = fs::read_to_string(path).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
