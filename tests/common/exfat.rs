//! An exFAT volume mounted through FUSE, to be filled: the kernel has no say in it. The driver wants a block device.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{Scratch, run, system, tool};

/// A volume mounted to be filled.
pub struct Fuse {
    device: String,
    at: Scratch,
}

impl Fuse {
    /// Mounts an image to read and write.
    #[track_caller]
    pub fn mount(image: &Path) -> Self {
        let device = tool("losetup", &["-f", "--show", &image.display().to_string()]);
        let device = String::from_utf8(device).expect("UTF-8").trim().to_owned();
        let at = Scratch::new();
        let ran = run(system("mount.exfat-fuse").arg(&device).arg(at.path()), b"");
        if ran.code != 0 {
            tool("losetup", &["-d", &device]);
            panic!("mount.exfat-fuse: {ran:?}");
        }
        Fuse { device, at }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.at.path()
    }

    /// A path below it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.at.join(name)
    }

    /// Unmounts it; all that was written is on the image then.
    pub fn unmount(self) {}

    fn is_attached(&self) -> bool {
        let list = run(system("losetup").arg("-a"), b"");
        String::from_utf8_lossy(&list.stdout).contains(&format!("{}:", self.device))
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        run(system("umount").arg(self.path()), b"");
        // The driver ends a little after umount does; until then the device is in use.
        for _ in 0..100 {
            run(system("losetup").args(["-d", &self.device]), b"");
            if !self.is_attached() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
