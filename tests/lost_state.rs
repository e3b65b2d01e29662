//! The machine that copies is lost in the middle of a copy, with all that it knew of it: a rescue system that starts anew has
//! forgotten everything. The same command goes on from what was put on record in the destination.

mod common;
mod copying;
#[path = "servers/far.rs"]
mod far;
#[path = "servers/proxy.rs"]
mod proxy;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::fs;

use common::Scratch;
use far::{Far, Machine, wait_until};
use servers::{free_ports, rclone_webdav, swift};
use sshd::Sshd;

/// What is done with first: so many files, of so many bytes in all.
const FILES: (usize, u64) = (30, 6_000_000);

/// Bytes sent for all that is no content: manifests, and what protocols need.
const BESIDE: u64 = 1_500_000;

/// How a copy is lost.
struct Loss {
    /// Bytes of a file that is half sent by then.
    large: u64,
    /// So many of them are on record.
    known: u64,
}

/// Parts are small.
const SOON: Loss = Loss { large: 40_000_000, known: 8_000_000 };

/// Parts of 5 MiB.
const LATER: Loss = Loss { large: 60_000_000, known: 15_000_000 };

/// There are none: the file is sent anew.
const NEVER: Loss = Loss { large: 40_000_000, known: 0 };

impl Loss {
    /// True once all that is done with is on record, and as much of the large file as is to be.
    fn is_due(&self, far: &Far) -> bool {
        let (records, parts) = (far.on_record("manifest"), far.on_record("journal"));
        let ends = parts.split("\"end\":").skip(1).filter_map(|it| it.split([',', '}']).next()?.parse::<u64>().ok());
        let is_on_record = |n| records.contains(&format!("\"path\":\"f{n}\""));
        ends.max().unwrap_or(0) >= self.known && (1..=FILES.0).all(is_on_record)
    }
}

/// The copy is lost in its middle, and goes on from what is on record.
#[track_caller]
fn goes_on(far: &Far, loss: &Loss) {
    let files =
        format!("for i in $(seq {}); do head -c {} /dev/urandom > f$i; done", FILES.0, FILES.1 / FILES.0 as u64);
    let machine = Machine::new(&format!("{files}; head -c {} /dev/urandom > large", loss.large));
    let mut child = machine.begin(far, &["--order", "small-first", "--checkpoint", "1s", "--bwlimit", "3MiB"]);
    wait_until("records", &mut child, || loss.is_due(far));
    machine.lose(child);
    let (sent, received) = (far.proxy.sent(), far.proxy.received());
    let ran = machine.copy(far, &[]).exits(0);
    let (sent, received) = (far.proxy.sent() - sent, far.proxy.received() - received);
    assert!(ran.text().contains("already there"), "{ran:?}");
    println!("{}: {sent} bytes sent, {received} received", far.url);
    assert!(sent < loss.large - loss.known + BESIDE, "{sent} bytes were sent again");
    assert!(received < FILES.1 * 3 / 4, "{received} bytes were read back");
    machine.verify(far);
}

#[test]
fn sftp() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    goes_on(&Far::sftp(&sshd, &there.join("copy")), &SOON);
    let own = fs::read_dir(there.join("copy/.offmount")).unwrap().flatten().map(|it| it.file_name());
    let mut own: Vec<_> = own.map(|name| name.into_string().unwrap()).collect();
    own.sort();
    assert_eq!(own, ["B3SUMS", "manifest.jsonl", "tmp"]);
}

#[test]
fn swift_and_s3() {
    let server = swift();
    std::thread::scope(|scope| {
        scope.spawn(|| goes_on(&Far::swift(&server, "lost/x"), &LATER));
        scope.spawn(|| goes_on(&Far::s3(&server, "y"), &LATER));
    });
}

#[test]
fn webdav() {
    let (served, port) = (Scratch::new(), free_ports(1));
    let _server = rclone_webdav(served.path(), port);
    goes_on(&Far::webdav(port, served.path(), "copy"), &NEVER);
    assert_eq!(fs::read_dir(served.join("copy/.offmount")).unwrap().count(), 3);
}
