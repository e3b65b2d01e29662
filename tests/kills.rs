//! Copies that are disturbed again and again, to every kind of destination: offmount is killed, the server is killed, the
//! line is cut. Each time the same command goes on. At the end all is there, and hardly anything was sent twice.
//!
//! `OFFMOUNT_KILLS` says how often a run is disturbed, and thereby how much there is to copy; 50 is the full size.
//! `OFFMOUNT_PROGRAM` names another build.

mod common;
mod copying;
#[path = "servers/proxy.rs"]
mod proxy;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Mounted, Scratch, offmount, run, system};
use copying::ext4;
use proxy::Proxy;
use servers::{free_ports, rclone, rclone_webdav, swift_in};
use sshd::Sshd;

const MIB: u64 = 1 << 20;

/// How often a run is disturbed.
fn kills() -> u64 {
    std::env::var("OFFMOUNT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// Numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}

/// What is copied: a few large files, some of middle size, many small ones.
struct Load {
    scratch: Scratch,
    image: PathBuf,
    mounted: Mounted,
    /// Bytes of all files together.
    bytes: u64,
    files: u64,
}

impl Load {
    /// `largest`: bytes of the largest file, for each time that the run is disturbed.
    fn new(kills: u64, largest: u64) -> Self {
        let scratch = Scratch::new();
        let (large, second) = (largest * kills + 12_345, largest * kills / 3);
        let (middle, small) = (12, 60 * kills);
        let script = format!(
            "head -c {large} /dev/urandom > large; mkdir -p d/e; head -c {second} /dev/urandom > d/second; \
             for i in $(seq {middle}); do head -c $((3000000 + i * 700001)) /dev/urandom > d/middle$i; done; \
             for i in $(seq {small}); do head -c $((i * 7919 % 40000)) /dev/urandom > d/e/$i; done"
        );
        let image = ext4(&scratch, (large + second) * 9 / 8 + 192 * MIB, &script);
        let mounted = Mounted::read_only(&image, "noload");
        let sizes: Vec<u64> = files_below(mounted.path()).into_iter().map(|(_, size)| size).collect();
        Load { scratch, image, mounted, bytes: sizes.iter().sum(), files: sizes.len() as u64 }
    }
}

/// Regular files below a directory, without offmount's own, with their sizes.
fn files_below(top: &Path) -> Vec<(PathBuf, u64)> {
    let (mut files, mut open) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (Ok(kind), path) = (entry.file_type(), entry.path()) else { continue };
            if kind.is_file() {
                let Ok(meta) = entry.metadata() else { continue };
                files.push((path.strip_prefix(top).unwrap().to_owned(), meta.size()));
            } else if kind.is_dir() && entry.file_name() != ".offmount" && entry.file_name() != "lost+found" {
                open.push(path);
            }
        }
    }
    files
}

/// The other side of a copy.
struct Far<'a> {
    url: String,
    settings: Vec<(&'static str, String)>,
    /// What stands between offmount and the server; `None` for a directory of this machine.
    proxy: Option<Proxy>,
    /// Kills the server, and lets it come back.
    kill_server: Box<dyn FnMut() + 'a>,
    /// Where its files stand, where that can be looked at.
    folder: Option<PathBuf>,
    /// Bytes that one disturbance may cost.
    in_flight: u64,
    /// Further arguments of a copy.
    more: &'static [&'static str],
}

impl Far<'_> {
    fn offmount(&self, load: &Load, args: &[&str]) -> Command {
        let program = std::env::var("OFFMOUNT_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_offmount").into());
        let mut command = system(&program);
        command.args(args).env("XDG_STATE_HOME", load.scratch.join("state")).env("HOME", load.scratch.path());
        command.env("NO_COLOR", "1").envs(self.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn copy(&self, load: &Load) -> Child {
        let image = load.image.to_str().unwrap();
        let mut command = self.offmount(load, &["copy", image, "--to", &self.url, "--quiet"]);
        command.args(self.more);
        let said = fs::File::options().create(true).append(true).open(load.scratch.join("said")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("the program")
    }
}

/// Bytes sent so far: through the proxy, or written by the processes that are over and the one that runs.
struct Sent<'p> {
    proxy: Option<&'p Proxy>,
    before: u64,
}

impl Sent<'_> {
    fn now(&self, child: &Child) -> u64 {
        self.proxy.map_or_else(|| self.before + written(child), Proxy::sent)
    }
}

/// Bytes that a process asked the kernel to write.
fn written(child: &Child) -> u64 {
    let told = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
    told.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

/// True if a process ended; it is not waited for, so that what it wrote can still be asked.
fn is_over(child: &Child) -> bool {
    let told = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // Of one that was waited for, nothing is told.
    told.is_empty() || told.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// Waits until the moment of the next disturbance: so many bytes, or over a line so long, after the last. False if the copy
/// ended.
fn until_next(dice: &mut Dice, step: u64, sent: &Sent<'_>, child: &Child) -> bool {
    let by_time = sent.proxy.is_some() && dice.below(3) == 0;
    let (bytes, time) = (dice.below(2 * step), Duration::from_millis(dice.below(900)));
    let (began, from) = (Instant::now(), sent.now(child));
    loop {
        if is_over(child) {
            return false;
        }
        let is_time = if by_time { began.elapsed() >= time } else { sent.now(child) >= from + bytes };
        if is_time {
            return true;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "nothing moves");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stops a process for good, and tells what it wrote till then.
fn kill(child: &mut Child) -> u64 {
    let pid = child.id().to_string();
    run(system("kill").args(["-STOP", &pid]), b"");
    let written = written(child);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    written
}

/// No name leads to a file that is not whole.
fn nothing_half(load: &Load, folder: &Path) {
    for (path, size) in files_below(folder) {
        let whole = load.mounted.join(&path).metadata().map_or(0, |it| it.len());
        assert_eq!(size, whole, "{} is not whole", path.display());
    }
}

fn survive(name: &str, load: &Load, mut far: Far<'_>) {
    let kills = kills();
    let mut dice = Dice(name.bytes().fold(kills, |n, b| n * 31 + u64::from(b)));
    let proxy = far.proxy.take();
    let mut sent = Sent { proxy: proxy.as_ref(), before: 0 };
    let (mut by_kind, mut runs, began) = ([0u64; 3], 1, Instant::now());
    let mut child = far.copy(load);
    for _ in 0..kills {
        if !until_next(&mut dice, load.bytes * 7 / 10 / kills, &sent, &child) {
            sent.before += written(&child);
            if child.wait().unwrap().success() {
                break;
            }
            (child, runs) = (far.copy(load), runs + 1);
        }
        let kind = if proxy.is_some() { dice.below(3) as usize } else { 2 };
        by_kind[kind] += 1;
        match (kind, &proxy) {
            (0, Some(proxy)) => proxy.cut(),
            (1, _) => (far.kill_server)(),
            _ => {
                sent.before += kill(&mut child);
                far.folder.iter().for_each(|folder| nothing_half(load, folder));
                (child, runs) = (far.copy(load), runs + 1);
            }
        }
    }
    // A run that could not begin, for want of a server, is begun again; so is one that gave up.
    for _ in 0..3 {
        while !is_over(&child) {
            std::thread::sleep(Duration::from_millis(20));
        }
        sent.before += written(&child);
        if child.wait().unwrap().success() {
            break;
        }
        (child, runs) = (far.copy(load), runs + 1);
    }
    let said = fs::read_to_string(load.scratch.join("said")).unwrap_or_default();
    assert!(child.wait().unwrap().success(), "{name}: it does not come to its end: {said}");
    let last = proxy.as_ref().map_or(sent.before, Proxy::sent);
    let disturbed: u64 = by_kind.iter().sum();
    let [cuts, servers, ours] = by_kind;
    let most = (load.bytes + disturbed * far.in_flight) * 102 / 100 + 2 * MIB;
    println!(
        "{name}: {} files, {} MB; {cuts} cuts, {servers} kills of the server, {ours} of offmount, {runs} runs, {:.0} s: {:.1} MB \
         sent, {:.3} of the data, {:.2} MB more a disturbance; at most {:.0} MB allowed",
        load.files,
        load.bytes / 1_000_000,
        began.elapsed().as_secs_f64(),
        last as f64 / 1e6,
        last as f64 / load.bytes as f64,
        last.saturating_sub(load.bytes) as f64 / 1e6 / disturbed.max(1) as f64,
        most as f64 / 1e6,
    );
    assert!(disturbed * 10 >= kills * 6, "only {disturbed} of {kills} disturbances came in time");
    assert!(last <= most, "{last} bytes sent for {} with {disturbed} disturbances", load.bytes);
    run(&mut far.offmount(load, &["verify", "--to", &far.url]), b"").exits(0);
    let again = run(&mut far.offmount(load, &["copy", load.image.to_str().unwrap(), "--to", &far.url]), b"").exits(0);
    let all = format!("{} already there", load.files);
    assert!(again.text().replace(',', "").contains(&all), "{again:?}");
}

/// What rsync would change: contents, kinds, owners, modes, times in seconds, links.
fn rsync_finds_the_same(load: &Load, copy: &Path, compared: &str) {
    let mut command = system("rsync");
    command.args([
        compared,
        "--modify-window=1",
        "--numeric-ids",
        "--delete",
        "--exclude=/.offmount",
        "--exclude=/lost+found",
    ]);
    command.args([load.mounted.path(), copy].map(|path| format!("{}/", path.display())));
    let ran = run(&mut command, b"").exits(0);
    assert_eq!(ran.text(), "");
}

/// What rclone fetches is what the image holds.
fn rclone_finds_the_same(load: &Load, remote: &str) {
    let mut command = rclone();
    command.args(["check", "-q", "--download", "--exclude", "/.offmount/**", "--exclude", "/lost+found/**"]);
    run(command.arg(load.mounted.path()).arg(remote), b"").exits(0);
}

#[test]
fn a_directory() {
    let load = Load::new(kills(), 8 * MIB);
    let to = load.scratch.join("copy");
    let far = Far {
        url: to.to_str().unwrap().to_owned(),
        settings: Vec::new(),
        proxy: None,
        kill_server: Box::new(|| {}),
        folder: Some(to.clone()),
        // Of each of two threads: a part of a large file, or a file of middle size.
        in_flight: 2 * 12 * MIB,
        more: &[],
    };
    survive("a directory", &load, far);
    rsync_finds_the_same(&load, &to, "-aHAXnic");
    let own = fs::read_dir(to.join(".offmount")).unwrap().count();
    assert_eq!(own, 2, "the manifest and one list of sums");
}

#[test]
fn sftp() {
    let (load, sshd) = (Load::new(kills(), 8 * MIB), Sshd::start());
    let (proxy, to) = (Proxy::before(sshd.port), load.scratch.join("copy"));
    let far = Far {
        url: sshd.url(proxy.port, &to),
        settings: vec![("OFFMOUNT_SSH", sshd.ssh("ssh"))],
        proxy: Some(proxy),
        kill_server: Box::new(|| sshd.kill_sessions()),
        folder: Some(to.clone()),
        // Of every large file a part and the writes that are not answered; of every lane a file of less than two parts.
        in_flight: 2 * 10 * MIB + 16 * 4 * MIB,
        more: &[],
    };
    survive("sftp", &load, far);
    rsync_finds_the_same(&load, &to, "-aHnic");
    let own: Vec<_> = fs::read_dir(to.join(".offmount/tmp")).unwrap().collect();
    assert!(own.is_empty(), "{own:?}");
}

/// Parts and small files in memory together.
const OBJECTS_IN_FLIGHT: u64 = 48 * MIB;

/// A copy to Swift with further arguments; `then` is told what rclone calls it, while the server lives.
fn survive_to_swift(name: &str, load: &Load, more: &'static [&'static str], then: impl FnOnce(&str)) {
    let (served, port) = (Scratch::new(), free_ports(5));
    let mut server = Some(swift_in(served.path(), port));
    let proxy = Proxy::before(port);
    let far = Far {
        url: "swift://killed/below".into(),
        settings: vec![
            ("ST_AUTH", format!("http://127.0.0.1:{}/auth/v1.0", proxy.port)),
            ("ST_USER", "test:tester".into()),
            ("ST_KEY", "testing".into()),
        ],
        proxy: Some(proxy),
        kill_server: Box::new(|| {
            drop(server.take());
            server = Some(swift_in(served.path(), port));
        }),
        folder: None,
        in_flight: OBJECTS_IN_FLIGHT,
        more,
    };
    survive(name, load, far);
    let remote = format!(":swift,user='test:tester',key=testing,auth='http://127.0.0.1:{port}/auth/v1.0':");
    then(&format!("{remote}killed/below"));
}

#[test]
fn swift() {
    let load = Load::new(kills(), 8 * MIB);
    survive_to_swift("swift", &load, &[], |remote| rclone_finds_the_same(&load, remote));
}

#[test]
fn swift_with_small_files_together() {
    let load = Load::new(kills(), 8 * MIB);
    survive_to_swift("packs", &load, &["--pack"], |remote| {
        let got = load.scratch.dir("fetched");
        // A Swift that was killed may list what was deleted.
        run(rclone().args(["copy", "-q", "--exclude", "/.offmount/uploads/**", remote]).arg(&got), b"").exits(0);
        offmount(&[OsStr::new("restore-metadata"), got.as_os_str()]).exits(0);
        rsync_finds_the_same(&load, &got, "-aHAXnic");
    });
}

#[test]
fn s3() {
    let (load, served, port) = (Load::new(kills(), 8 * MIB), Scratch::new(), free_ports(5));
    let mut server = Some(swift_in(served.path(), port));
    let proxy = Proxy::before(port);
    let remote = format!(
        ":s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='http://127.0.0.1:{port}',force_path_style=true:"
    );
    run(rclone().args(["mkdir", &format!("{remote}bucket")]), b"").exits(0);
    let far = Far {
        url: "s3://bucket/below".into(),
        settings: vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.port)),
            ("AWS_ACCESS_KEY_ID", "test:tester".into()),
            ("AWS_SECRET_ACCESS_KEY", "testing".into()),
        ],
        proxy: Some(proxy),
        kill_server: Box::new(|| {
            drop(server.take());
            server = Some(swift_in(served.path(), port));
        }),
        folder: None,
        in_flight: OBJECTS_IN_FLIGHT,
        more: &[],
    };
    survive("s3", &load, far);
    rclone_finds_the_same(&load, &format!("{remote}bucket/below"));
    let left = run(rclone().args(["backend", "list-multipart-uploads", &format!("{remote}bucket")]), b"").exits(0);
    // Where the answer to the beginning of an upload is lost, nobody knows of it but the store; and nothing is in it. Swift
    // keeps parts as objects named KEY/UPLOAD/PART.
    let swift = format!(":swift,user='test:tester',key=testing,auth='http://127.0.0.1:{port}/auth/v1.0':");
    let parts = run(rclone().args(["lsf", "-R", "--files-only", &format!("{swift}bucket+segments")]), b"").exits(0);
    let parts = parts.text();
    assert!(parts.contains("large/"), "the parts of what was copied: {parts}");
    for id in left.text().lines().filter_map(|line| line.trim().strip_prefix(r#""UploadId": ""#)) {
        let id = id.trim_end_matches(['"', ',']);
        assert!(!parts.contains(&format!("/{id}/")), "an abandoned upload holds parts: {parts}");
    }
}

#[test]
fn webdav() {
    // A file that was half sent is sent anew: none may be so large that none gets through between two kills.
    let (load, port) = (Load::new(kills(), 5 * MIB / 2), free_ports(1));
    let served = load.scratch.dir("served");
    let mut server = Some(rclone_webdav(&served, port));
    let proxy = Proxy::before(port);
    let far = Far {
        url: format!("webdav://user@127.0.0.1:{}/copy", proxy.port),
        settings: vec![("OFFMOUNT_WEBDAV_PASSWORD", "word".into())],
        proxy: Some(proxy),
        kill_server: Box::new(|| {
            drop(server.take());
            server = Some(rclone_webdav(&served, port));
        }),
        folder: Some(served.join("copy")),
        // The files on their way.
        in_flight: 5 * MIB / 2 * kills() + 32 * MIB,
        more: &[],
    };
    survive("webdav", &load, far);
    // The server keeps no times.
    rsync_finds_the_same(&load, &served.join("copy"), "-rnic");
    let own: Vec<_> = fs::read_dir(served.join("copy/.offmount/tmp")).unwrap().collect();
    assert!(own.is_empty(), "{own:?}");
}
