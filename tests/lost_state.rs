//! The machine that copies is lost in the middle of a copy, with all that it knew of it: a rescue system that starts anew has
//! forgotten everything. The same command goes on from what was put on record in the destination.

mod common;
mod copying;
#[path = "servers/proxy.rs"]
mod proxy;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Scratch, run, system};
use copying::ext4;
use proxy::Proxy;
use servers::{free_ports, rclone_webdav, swift};
use sshd::Sshd;

/// What is done with first, and a large file that is half sent when the machine is lost.
const FILES: &str =
    "for i in $(seq 60); do head -c 200000 /dev/urandom > f$i; done; head -c 40000000 /dev/urandom > large";

/// Bytes of the small files.
const SMALL: u64 = 12_000_000;

/// Bytes of all of them.
const ALL: u64 = 52_000_000;

/// Bytes that go on their way between a checkpoint and the end, and those that are on the line: nobody knows of them.
const FORGOTTEN: u64 = 12_000_000;

struct Far {
    proxy: Proxy,
    url: String,
    settings: Vec<(&'static str, String)>,
}

struct Case {
    scratch: Scratch,
    image: PathBuf,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let image = ext4(&scratch, 96 << 20, FILES);
        Case { scratch, image }
    }

    fn offmount(&self, far: &Far, args: &[&str]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args).env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        command.env("NO_COLOR", "1").envs(far.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// Begins a copy, loses it and all that is known of it here once `until` bytes were sent.
    fn lose(&self, far: &Far, until: u64) {
        let image = self.image.to_str().unwrap();
        let slowly = ["--order", "small-first", "--checkpoint", "1s", "--bwlimit", "5MiB"];
        let mut command = self.offmount(far, &[&["copy", image, "--to", &far.url][..], &slowly].concat());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while far.proxy.sent() < until {
            assert!(child.try_wait().unwrap().is_none(), "it was over too soon");
            assert!(began.elapsed() < Duration::from_secs(120), "nothing moves");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        fs::remove_dir_all(self.scratch.join("state")).unwrap();
    }
}

/// The copy is lost in its middle; `parts`: what was sent of a large file is not lost with it.
#[track_caller]
fn goes_on(far: &Far, parts: bool) {
    let (case, until) = (Case::new(), 34_000_000);
    case.lose(far, until);
    let (sent, received) = (far.proxy.sent(), far.proxy.received());
    let image = case.image.to_str().unwrap();
    let ran = run(&mut case.offmount(far, &["copy", image, "--to", &far.url]), b"").exits(0);
    let (sent, received) = (far.proxy.sent() - sent, far.proxy.received() - received);
    assert!(ran.text().contains("already there"), "{ran:?}");
    let most = if parts { ALL - until } else { ALL - SMALL } + FORGOTTEN;
    println!("{}: {sent} bytes sent, {received} received", far.url);
    assert!(sent < most, "{sent} bytes were sent again");
    assert!(received < FORGOTTEN * 3 / 4, "{received} bytes were read back");
    run(&mut case.offmount(far, &["verify", "--to", &far.url]), b"").exits(0);
}

#[test]
fn sftp() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    let proxy = Proxy::before(sshd.port);
    let url = sshd.url(proxy.port, &there.join("copy"));
    goes_on(&Far { proxy, url, settings: vec![("OFFMOUNT_SSH", sshd.ssh("ssh"))] }, true);
    let own = fs::read_dir(there.join("copy/.offmount")).unwrap().flatten().map(|it| it.file_name());
    let mut own: Vec<_> = own.map(|name| name.into_string().unwrap()).collect();
    own.sort();
    assert_eq!(own, ["B3SUMS", "manifest.jsonl", "tmp"]);
}

#[test]
fn swift_and_s3() {
    let server = swift();
    let proxy = Proxy::before(server.port);
    let auth = format!("http://127.0.0.1:{}/auth/v1.0", proxy.port);
    let settings = vec![("ST_AUTH", auth), ("ST_USER", "test:tester".into()), ("ST_KEY", "testing".into())];
    goes_on(&Far { proxy, url: "swift://lost/x".into(), settings }, true);
    let proxy = Proxy::before(server.port);
    let settings = vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.port)),
        ("AWS_ACCESS_KEY_ID", "test:tester".into()),
        ("AWS_SECRET_ACCESS_KEY", "testing".into()),
    ];
    goes_on(&Far { proxy, url: "s3://lost/y".into(), settings }, true);
}

#[test]
fn webdav() {
    let (served, port) = (Scratch::new(), free_ports(1));
    let _server = rclone_webdav(served.path(), port);
    let proxy = Proxy::before(port);
    let url = format!("webdav://user@127.0.0.1:{}/copy", proxy.port);
    goes_on(&Far { proxy, url, settings: vec![("OFFMOUNT_WEBDAV_PASSWORD", "word".into())] }, false);
    assert_eq!(fs::read_dir(served.join("copy/.offmount")).unwrap().count(), 3);
}
