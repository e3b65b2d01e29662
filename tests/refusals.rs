//! What the other side refuses: each time the program says what it found and what to do, ends with the code that its help
//! names, and loses nothing; once the other side gives way, the same command goes on.

mod common;
mod copying;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::{Mounted, Ran, Scratch, run, system, tool};
use copying::ext4;
use servers::{Server, free_ports, rclone, rclone_webdav, swift_with};
use sshd::Sshd;

/// Some files small enough for one piece, and one that goes in parts.
const FILES: &str =
    "for i in $(seq 30); do head -c 300000 /dev/urandom > f$i; done; head -c 30000000 /dev/urandom > large";

/// Bytes of all of them.
const BYTES: u64 = 39_000_000;

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

    fn prepare(&self, mut command: Command, settings: &[(&str, &str)]) -> Command {
        for (name, _) in
            std::env::vars().filter(|(name, _)| ["AWS_", "ST_", "OS_"].iter().any(|it| name.starts_with(it)))
        {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path()).env("NO_COLOR", "1");
        command.envs(settings.iter().copied());
        command
    }

    fn offmount(&self, args: &[&str], settings: &[(&str, &str)]) -> Ran {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args);
        run(&mut self.prepare(command, settings), b"")
    }

    fn copy(&self, to: &str, settings: &[(&str, &str)]) -> Ran {
        self.offmount(&["copy", self.image.to_str().unwrap(), "--to", to], settings)
    }

    /// The copy goes on and comes to its end, and what arrived is right.
    #[track_caller]
    fn goes_on(&self, to: &str, settings: &[(&str, &str)]) {
        self.copy(to, settings).exits(0);
        self.offmount(&["verify", "--read-back", "--to", to], settings).exits(0);
    }
}

#[track_caller]
fn says(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    let said = format!("{}{}", ran.text(), ran.stderr);
    words.iter().for_each(|words| assert!(said.contains(words), "{words}: {ran:?}"));
}

/// A Swift, with what it needs.
struct Swift {
    _server: Server,
    _served: Scratch,
    port: u16,
    auth: String,
    endpoint: String,
}

impl Swift {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (served, port) = (Scratch::new(), free_ports(5));
        let server = swift_with(served.path(), port, settings);
        let (auth, endpoint) = (format!("http://127.0.0.1:{port}/auth/v1.0"), format!("http://127.0.0.1:{port}"));
        Swift { _server: server, _served: served, port, auth, endpoint }
    }

    /// One for all tests that ask nothing special of it.
    fn common() -> &'static Self {
        static COMMON: OnceLock<Swift> = OnceLock::new();
        COMMON.get_or_init(|| Swift::start(&[]))
    }

    fn login(&self) -> [(&str, &str); 3] {
        [("ST_AUTH", &*self.auth), ("ST_USER", "test:tester"), ("ST_KEY", "testing")]
    }

    fn keys(&self) -> [(&str, &str); 3] {
        [
            ("AWS_ENDPOINT_URL", &*self.endpoint),
            ("AWS_ACCESS_KEY_ID", "test:tester"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ]
    }

    /// Makes a container, or sets how much it takes.
    fn container(&self, name: &str, quota: &str) {
        let headers = run(
            system("curl").args(["-si", "-H", "X-Auth-User: test:tester", "-H", "X-Auth-Key: testing", &self.auth]),
            b"",
        );
        let token =
            headers.text().lines().find_map(|line| line.strip_prefix("X-Auth-Token: ")).unwrap().trim().to_owned();
        let url = format!("http://127.0.0.1:{}/v1/AUTH_test/{name}", self.port);
        let (token, quota) = (format!("X-Auth-Token: {token}"), format!("X-Container-Meta-Quota-Bytes: {quota}"));
        tool("curl", &["-sf", "-X", "PUT", "-H", &*token, "-H", &*quota, &*url]);
    }
}

#[test]
fn a_quota_ends_the_run_and_more_of_it_lets_it_go_on() {
    let (case, swift) = (Case::new(), Swift::common());
    for (to, container, settings) in
        [("swift://full/x", "full", swift.login()), ("s3://tight/x", "tight", swift.keys())]
    {
        // Less than one file: what the container holds already Swift may remember from a minute ago.
        swift.container(container, "200000");
        let full = case.copy(to, &settings);
        says(&full, 1, &["the destination is full"]);
        swift.container(container, "400000000");
        case.goes_on(to, &settings);
    }
}

#[test]
fn who_may_not_write_is_told_so() {
    let (case, swift) = (Case::new(), Swift::common());
    swift.container("closed", "400000000");
    let mut guest = swift.login();
    (guest[1].1, guest[2].1) = ("test:guest", "visiting");
    says(&case.copy("swift://closed/x", &guest), 2, &["may not", "closed", "403"]);
    let mut guest = swift.keys();
    (guest[1].1, guest[2].1) = ("test:guest", "visiting");
    says(&case.copy("s3://closed/x", &guest), 2, &["may not", "closed"]);
}

#[test]
fn a_wrong_clock_is_told_with_what_to_do() {
    let (case, swift) = (Case::new(), Swift::common());
    swift.container("bucket", "400000000");
    let mut command = system("faketime");
    command.args([
        "-f",
        "-3h",
        env!("CARGO_BIN_EXE_offmount"),
        "copy",
        case.image.to_str().unwrap(),
        "--to",
        "s3://bucket/x",
    ]);
    let ran = run(&mut case.prepare(command, &swift.keys()), b"");
    says(&ran, 2, &["clock", "timedatectl"]);
    case.goes_on("s3://bucket/x", &swift.keys());
}

#[test]
fn a_token_that_expires_is_renewed() {
    let (case, swift) = (Case::new(), Swift::start(&[("TOKEN_LIFE", "1")]));
    let slowly = ["copy", case.image.to_str().unwrap(), "--to", "swift://brief/x", "--bwlimit", "8MiB"];
    let ran = case.offmount(&slowly, &swift.login());
    says(&ran, 0, &["31 files"]);
    case.goes_on("swift://brief/x", &swift.login());
    assert!(case.image.metadata().unwrap().len() > BYTES);
}

#[test]
fn a_webdav_server_that_lets_nothing_be_written_is_told() {
    let (case, port) = (Case::new(), free_ports(1));
    let served = case.scratch.dir("served");
    let mut command = rclone();
    command.args(["serve", "webdav", "--read-only", "--addr", &format!("127.0.0.1:{port}")]).arg(&served);
    let _server = Server::start(command, port);
    let ran = case.copy(&format!("webdav://127.0.0.1:{port}/"), &[]);
    says(&ran, 2, &["/.offmount"]);
    assert_eq!(fs::read_dir(&served).unwrap().count(), 0);
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_to_look_at() {
    let case = Case::new();
    let login = |auth: &'static str| [("ST_AUTH", auth), ("ST_USER", "a"), ("ST_KEY", "b")];
    says(&case.copy("swift://some/x", &login("http://127.0.0.1:1/v1.0")), 2, &["http://127.0.0.1:1/v1.0", "ST_AUTH"]);
    says(&case.copy("swift://some/x", &login("nonsense")), 2, &["ST_AUTH", "nonsense", "https://"]);
    says(&case.copy("webdav://127.0.0.1:1/x", &[]), 2, &["http://127.0.0.1:1/x", "refused", "look at"]);
    let port = free_ports(1);
    let served = case.scratch.dir("served");
    let _server = rclone_webdav(&served, port);
    says(&case.copy(&format!("webdavs://127.0.0.1:{port}/x"), &[]), 2, &["does not encrypt", "webdav"]);
    says(
        &case.copy(
            "s3://some/x",
            &[("SSL_CERT_FILE", "/not/there"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")],
        ),
        2,
        &["/not/there", "SSL_CERT_FILE"],
    );
}

/// A directory on a disk of `size`.
struct Small(PathBuf);

impl Small {
    fn new(at: PathBuf, size: &str) -> Self {
        fs::create_dir(&at).unwrap();
        tool("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "none", at.to_str().unwrap()]);
        Small(at)
    }

    fn grow(&self, size: &str) {
        tool("mount", &["-o", &format!("remount,size={size}"), self.0.to_str().unwrap()]);
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(system("umount").arg("-l").arg(&self.0), b"");
    }
}

#[test]
fn a_full_disk_behind_webdav_is_told_and_nothing_half_stands_there() {
    let (case, port) = (Case::new(), free_ports(1));
    let small = Small::new(case.scratch.join("small"), "20M");
    let _server = rclone_webdav(small.path(), port);
    let settings = [("OFFMOUNT_WEBDAV_PASSWORD", "word")];
    let to = format!("webdav://user@127.0.0.1:{port}/copy");
    let ran = case.copy(&to, &settings);
    says(&ran, 1, &["large", "full"]);
    let names = |it: fs::DirEntry| (it.file_name().into_string().unwrap(), it.metadata().unwrap().len());
    for (name, len) in fs::read_dir(small.path().join("copy")).unwrap().flatten().map(names) {
        assert!(!name.starts_with('f') || len == 300_000, "{name} has {len} bytes");
    }
    small.grow("96M");
    case.goes_on(&to, &settings);
}

#[test]
fn full_disks_behind_swift_end_the_run_with_what_is_left() {
    let case = Case::new();
    let (served, port) = (Scratch::new(), free_ports(5));
    let small = Small::new(served.join("disks"), "24M");
    let server = swift_with(served.path(), port, &[]);
    let (auth, began) = (format!("http://127.0.0.1:{port}/auth/v1.0"), Instant::now());
    let login = [("ST_AUTH", &*auth), ("ST_USER", "test:tester"), ("ST_KEY", "testing")];
    let image = case.image.to_str().unwrap();
    let full = case.offmount(&["copy", image, "--to", "swift://full/x", "--patience", "12s"], &login);
    says(&full, 1, &["its disks may be full", "trying again", "left"]);
    assert!(began.elapsed() < Duration::from_secs(120), "it took {:?}", began.elapsed());
    // Its proxy would pass over the disk for a minute more.
    drop(server);
    small.grow("160M");
    let _server = swift_with(served.path(), port, &[]);
    case.goes_on("swift://full/x", &login);
}

#[test]
fn a_directory_that_can_not_be_written_is_told_over_sftp() {
    let (case, sshd) = (Case::new(), Sshd::start());
    let closed = case.scratch.dir("closed");
    tool("chattr", &["+i", closed.to_str().unwrap()]);
    let ssh = sshd.ssh("ssh");
    let ran = case.copy(&sshd.url(sshd.port, &closed), &[("OFFMOUNT_SSH", &ssh)]);
    tool("chattr", &["-i", closed.to_str().unwrap()]);
    says(&ran, 2, &["making .offmount"]);
}

#[test]
fn a_quota_is_guessed_at_over_sftp_and_more_of_it_lets_it_go_on() {
    let (case, sshd) = (Case::new(), Sshd::start());
    let image = case.scratch.sparse("btrfs", 256 << 20);
    tool("mkfs.btrfs", &["-q", image.to_str().unwrap()]);
    let mounted = Mounted::writable(&image, "");
    let volume = mounted.join("volume");
    tool("btrfs", &["subvolume", "create", volume.to_str().unwrap()]);
    tool("btrfs", &["quota", "enable", mounted.path().to_str().unwrap()]);
    let limit = |size: &str| drop(tool("btrfs", &["qgroup", "limit", size, volume.to_str().unwrap()]));
    limit("8M");
    let (ssh, to) = (sshd.ssh("ssh"), sshd.url(sshd.port, &volume.join("copy")));
    let settings = [("OFFMOUNT_SSH", &*ssh)];
    says(&case.copy(&to, &settings), 1, &["a quota may be used up", "left"]);
    limit("none");
    case.goes_on(&to, &settings);
}
