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
use servers::{free_ports, rclone, rclone_webdav, swift};
use sshd::Sshd;

/// What is done with first.
const FILES: &str = "for i in $(seq 30); do head -c 200000 /dev/urandom > f$i; done";

/// Bytes of that.
const SMALL: u64 = 6_000_000;

/// How a copy is lost.
struct Loss {
    /// Bytes of a file that is half sent by then.
    large: u64,
    /// When so many bytes were sent.
    until: u64,
    /// Bytes a second at most.
    pace: &'static str,
    /// What goes on its way between a checkpoint and the end, and what is on the line: nobody knows of that.
    forgotten: u64,
}

/// Parts are small, or there are none.
const SOON: Loss = Loss { large: 20_000_000, until: 16_000_000, pace: "3MiB", forgotten: 6_500_000 };

/// Parts of 5 MiB, of which two are on their way.
const LATER: Loss = Loss { large: 40_000_000, until: 34_000_000, pace: "3MiB", forgotten: 18_000_000 };

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
    fn new(large: u64) -> Self {
        let scratch = Scratch::new();
        let image = ext4(&scratch, 96 << 20, &format!("{FILES}; head -c {large} /dev/urandom > large"));
        Case { scratch, image }
    }

    fn offmount(&self, far: &Far, args: &[&str]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args).env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        command.env("NO_COLOR", "1").envs(far.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// Begins a copy, loses it and all that is known of it here in its middle.
    fn lose(&self, far: &Far, loss: &Loss) {
        let image = self.image.to_str().unwrap();
        let slowly = ["--order", "small-first", "--checkpoint", "1s", "--bwlimit", loss.pace];
        let mut command = self.offmount(far, &[&["copy", image, "--to", &far.url][..], &slowly].concat());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while far.proxy.sent() < loss.until {
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
fn goes_on(far: &Far, loss: &Loss, parts: bool) {
    let case = Case::new(loss.large);
    case.lose(far, loss);
    let (sent, received) = (far.proxy.sent(), far.proxy.received());
    let image = case.image.to_str().unwrap();
    let ran = run(&mut case.offmount(far, &["copy", image, "--to", &far.url]), b"").exits(0);
    let (sent, received) = (far.proxy.sent() - sent, far.proxy.received() - received);
    assert!(ran.text().contains("already there"), "{ran:?}");
    let most = loss.large + loss.forgotten - if parts { loss.until - SMALL } else { 0 };
    println!("{}: {sent} bytes sent, {received} received", far.url);
    assert!(sent < most, "{sent} bytes were sent again");
    assert!(received < SMALL * 3 / 4, "{received} bytes were read back");
    run(&mut case.offmount(far, &["verify", "--to", &far.url]), b"").exits(0);
}

#[test]
fn sftp() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    let proxy = Proxy::before(sshd.port);
    let url = sshd.url(proxy.port, &there.join("copy"));
    goes_on(&Far { proxy, url, settings: vec![("OFFMOUNT_SSH", sshd.ssh("ssh"))] }, &SOON, true);
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
    let swift = Far { proxy, url: "swift://lost/x".into(), settings };
    let proxy = Proxy::before(server.port);
    let settings = vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.port)),
        ("AWS_ACCESS_KEY_ID", "test:tester".into()),
        ("AWS_SECRET_ACCESS_KEY", "testing".into()),
    ];
    let remote = format!(
        ":s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='http://127.0.0.1:{}',force_path_style=true:",
        server.port
    );
    run(rclone().args(["mkdir", &format!("{remote}bucket")]), b"").exits(0);
    let s3 = Far { proxy, url: "s3://bucket/y".into(), settings };
    std::thread::scope(|scope| {
        scope.spawn(|| goes_on(&swift, &LATER, true));
        scope.spawn(|| goes_on(&s3, &LATER, true));
    });
}

#[test]
fn webdav() {
    let (served, port) = (Scratch::new(), free_ports(1));
    let _server = rclone_webdav(served.path(), port);
    let proxy = Proxy::before(port);
    let url = format!("webdav://user@127.0.0.1:{}/copy", proxy.port);
    goes_on(&Far { proxy, url, settings: vec![("OFFMOUNT_WEBDAV_PASSWORD", "word".into())] }, &SOON, false);
    assert_eq!(fs::read_dir(served.join("copy/.offmount")).unwrap().count(), 3);
}
