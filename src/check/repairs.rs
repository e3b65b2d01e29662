//! The system's repair programs, one a filesystem.

/// A program that repairs a filesystem unasked.
#[derive(Debug)]
pub struct Repair {
    /// Name of the [`Driver`](crate::fs::Driver) whose filesystems it repairs.
    pub driver: &'static str,
    /// Its name.
    pub program: &'static str,
    /// What makes it repair everything without a question.
    pub argument: &'static str,
    /// The Debian package it is in.
    pub package: &'static str,
}

/// Every repair program that a preview can run.
const REPAIRS: &[Repair] = &[
    Repair { driver: "ext", program: "e2fsck", argument: "-fy", package: "e2fsprogs" },
    Repair { driver: "fat", program: "fsck.fat", argument: "-a", package: "dosfstools" },
    Repair { driver: "exfat", program: "fsck.exfat", argument: "-y", package: "exfatprogs" },
];

/// The repair program for the filesystems of a driver.
pub fn repair_of(driver: &str) -> Option<&'static Repair> {
    REPAIRS.iter().find(|repair| repair.driver == driver)
}
