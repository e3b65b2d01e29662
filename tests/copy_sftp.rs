//! Copies to another machine over the system's ssh: a real sshd, and a proxy that counts and cuts.

mod common;
mod copying;
#[path = "servers/proxy.rs"]
mod proxy;
#[path = "servers/sshd.rs"]
mod sshd;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Mounted, Scratch, run, system, tool, untouched};
use copying::{EVERYTHING, ext4, record};
use offmount::manifest::Status;
use proxy::Proxy;
use sshd::Sshd;

const MIB: u64 = 1 << 20;

/// What rsync would change, as far as SFTP keeps it: contents, kinds, owners, modes, times in seconds, hard links.
fn differences(original: &Path, copy: &Path) -> String {
    let mut command = system("rsync");
    command.args(["-aHnic", "--modify-window=1", "--numeric-ids", "--delete", "--no-specials", "--no-devices"]);
    command.args(["--exclude=/.offmount", "--exclude=/lost+found", "--exclude=/etc/nothing", "--exclude=/var/log/f1"]);
    for path in [original, copy] {
        command.arg(format!("{}/", path.display()));
    }
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    told.lines().filter(|line| !line.starts_with("skipping")).collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_that_sftp_keeps_arrives_and_the_manifest_keeps_the_rest() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let (to, image_text) = (scratch.join("copy"), image.to_str().unwrap());
    let url = sshd.url(sshd.port, &to);
    untouched(&image, |_| sshd.offmount(&["copy", image_text, "--to", &url]).exits(0));
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(differences(mounted.path(), &to), "");
    assert!(to.join(".offmount/B3SUMS").exists());
    let passwd = record(&to, "etc/passwd");
    assert_eq!(passwd.status, Status::Copied);
    assert!(passwd.unkept.iter().any(|unkept| unkept.what == "user.tag") && !passwd.xattrs.is_empty());
    assert!(record(&to, "home/alice/pipe").unkept.iter().any(|unkept| unkept.what == "itself"));

    sshd.offmount(&["verify", "--to", &url]).exits(0);
    sshd.offmount(&["verify", "--to", &url, "--read-back"]).exits(0);
    let manifest = to.join(".offmount/manifest.jsonl");
    sshd.offmount(&["verify", image_text, "--manifest", manifest.to_str().unwrap()]).exits(0);

    let again = sshd.offmount(&["copy", image_text, "--to", &url]).exits(0);
    assert!(!again.text().contains("copied 1 file") && again.text().contains("already there"), "{again:?}");
    // The state here may be lost: the manifest there says the same.
    fs::remove_dir_all(sshd.state()).unwrap();
    let again = sshd.offmount(&["copy", image_text, "--to", &url, "--resume"]).exits(0);
    assert!(!again.text().contains(" files,"), "{again:?}");

    let big = to.join("home/alice/big");
    let times = tool("stat", &["-c", "@%Y", big.to_str().unwrap()]);
    let mut bytes = fs::read(&big).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&big, bytes).unwrap();
    tool("touch", &["-d", String::from_utf8_lossy(&times).trim(), big.to_str().unwrap()]);
    for how in [&["--quiet"][..], &["--read-back"]] {
        let told = sshd.offmount(&[&["verify", "--to", &url][..], how].concat()).exits(1);
        assert!(told.text().contains("home/alice/big: ") && told.text().contains("1 differ"), "{told:?}");
    }
}

#[test]
fn links_that_stand_there_are_never_followed() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 32 * MIB, "mkdir -p d/e; echo 1 > d/e/x; echo 2 > y");
    let (to, outside) = (scratch.dir("copy"), scratch.dir("outside"));
    std::os::unix::fs::symlink(&outside, to.join("d")).unwrap();
    std::os::unix::fs::symlink(outside.join("y"), to.join("y")).unwrap();
    let url = sshd.url(sshd.port, &to);
    let ran = sshd.offmount(&["copy", image.to_str().unwrap(), "--to", &url]).exits(1);
    assert!(ran.text().contains("d/e/x: not copied") || ran.text().contains("d/e/x: "), "{ran:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(to.join("y").is_symlink());
}

#[test]
fn what_can_not_be_reached_is_told_with_what_to_do() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 32 * MIB, "echo 1 > x");
    let image = image.to_str().unwrap();
    let url = sshd.url(sshd.port, &scratch.join("copy"));
    let with = |ssh: &str, url: &str| sshd.offmount(&["copy", image, "--to", url, "--ssh", &sshd.ssh(ssh)]);
    let told = |ran: &common::Ran, what: &[&str]| {
        assert_eq!(ran.code, 2, "{ran:?}");
        what.iter().for_each(|what| assert!(ran.stderr.contains(what), "{what}: {ran:?}"));
    };
    told(&with("ssh-other", &url), &["host's key", "ssh-keygen -R"]);
    told(&with("ssh-stranger", &url), &["Permission denied", "key"]);
    told(&with("ssh", &sshd.url(1, &scratch.join("copy"))), &["refused", "does sshd run"]);
    told(&with("ssh", "root@host:/srv"), &["sftp://USER@HOST/PATH", "./root@host:/srv"]);
    told(&with("ssh", "sftp://127.0.0.1:x/y"), &["port"]);
    told(&with("ssh", "gopher://host/x"), &["gopher", "sftp://"]);
    told(&with("ssh", &sshd.url(sshd.port, Path::new("/proc/nowhere"))), &["/proc/nowhere can not be made"]);
    assert!(!scratch.join("copy").exists());
}

/// Whoever knows a host's name may be gone with the line: that passes, as the line does.
#[test]
fn a_host_whose_name_is_not_known_for_a_while_is_waited_for() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 64 * MIB, "head -c 20000000 /dev/urandom > x");
    let (nameless, tried) = (scratch.join("nameless"), scratch.join("tried"));
    let script = format!(
        "#!/bin/sh\n[ -e {0} ] || exec {1} \"$@\"\ntouch {2}\nexec {1} no.such.host.invalid\n",
        nameless.display(),
        sshd.ssh("ssh"),
        tried.display()
    );
    let ssh = scratch.join("ssh");
    fs::write(&ssh, script).unwrap();
    tool("chmod", &["+x", ssh.to_str().unwrap()]);
    let url = sshd.url(sshd.port, &scratch.join("copy"));
    let mut command = sshd.command(&["copy", image.to_str().unwrap(), "--to", &url, "--bwlimit", "6MiB", "--ssh"]);
    let mut child = command.arg(&ssh).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    fs::write(&nameless, "").unwrap();
    sshd.kill_sessions();
    let began = Instant::now();
    while !tried.exists() {
        assert!(child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60), "it did not try");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    fs::remove_file(&nameless).unwrap();
    assert!(child.wait().unwrap().success());
    sshd.offmount(&["verify", "--to", &url]).exits(0);
}

/// What was read before the line broke is not read again.
#[test]
fn a_line_that_breaks_does_not_make_a_copy_differ() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image =
        ext4(&scratch, 128 * MIB, "head -c 60000000 /dev/urandom > x; for i in $(seq 50); do echo $i > f$i; done");
    let url = sshd.url(sshd.port, &scratch.join("copy"));
    sshd.offmount(&["copy", image.to_str().unwrap(), "--to", &url]).exits(0);
    let proxy = Proxy::before(sshd.port);
    let url = sshd.url(proxy.port, &scratch.join("copy"));
    let mut command = sshd.command(&["verify", "--read-back", "--to", &url]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut cuts, mut next) = (0, 10_000_000);
    while child.try_wait().unwrap().is_none() {
        if proxy.received() > next {
            proxy.cut();
            cuts += 1;
            next = proxy.received() + 10_000_000;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && cuts > 1, "{cuts}: {output:?}");
    assert!(proxy.received() < 60_000_000 + cuts * 8_000_000, "{cuts} cuts, {} bytes", proxy.received());
}

/// The server's system takes paths of 4 kB.
#[test]
fn a_tree_deeper_than_its_paths_may_be_arrives_whole() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let deep = "for i in $(seq 25); do mkdir \"$(printf 'd%.0s' $(seq 200))\"; cd d*; echo $i > at; done";
    let image = ext4(&scratch, 32 * MIB, deep);
    let to = scratch.join("copy");
    let url = sshd.url(sshd.port, &to);
    let copied = sshd.offmount(&["copy", image.to_str().unwrap(), "--to", &url]).exits(0);
    assert!(copied.text().contains("can not hold so long a path"), "{copied:?}");
    sshd.offmount(&["verify", "--read-back", "--to", &url]).exits(0);
    let moved: Vec<_> = fs::read_dir(to.join("#long")).unwrap().flatten().collect();
    assert!(!moved.is_empty() && moved.iter().all(|it| it.path().is_dir()), "{moved:?}");
}

#[test]
fn a_full_disk_there_ends_the_run_with_what_is_left_and_nothing_half() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 128 * MIB, "for i in $(seq 60); do head -c 400000 /dev/urandom > f$i; done");
    let small = scratch.dir("small");
    tool("mount", &["-t", "tmpfs", "-o", "size=16M", "none", small.to_str().unwrap()]);
    let (to, image) = (small.join("copy"), image.to_str().unwrap());
    let url = sshd.url(sshd.port, &to);
    let ran = sshd.offmount(&["copy", image, "--to", &url]);
    let halves = fs::read_dir(&to).unwrap().flatten().filter(|it| it.file_name().as_encoded_bytes()[0] == b'f');
    let odd: Vec<_> = halves.filter(|it| it.metadata().unwrap().len() != 400_000).map(|it| it.path()).collect();
    tool("mount", &["-o", "remount,size=64M", small.to_str().unwrap()]);
    let then = sshd.offmount(&["copy", image, "--to", &url]);
    let verified = sshd.offmount(&["verify", "--to", &url]);
    tool("umount", &["-l", small.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.text().contains("the destination is full"), "{ran:?}");
    assert!(odd.is_empty(), "{odd:?}");
    assert_eq!((then.code, verified.code), (0, 0), "{then:?} {verified:?}");
}

/// A copy that runs, with the destination behind a proxy.
fn begin(sshd: &Sshd, image: &str, url: &str) -> Child {
    let mut command = sshd.command(&["copy", image, "--to", url, "--quiet"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program")
}

/// Waits until so many bytes were sent; false if the run ended before.
fn wait_for(proxy: &Proxy, sent: u64, child: &mut Child) -> bool {
    let until = Instant::now() + Duration::from_secs(120);
    while proxy.sent() < sent {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < until, "nothing moves");
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

#[test]
fn a_half_sent_file_of_another_source_is_not_gone_on_with() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 128 * MIB, "head -c 60000000 /dev/urandom > large");
    let proxy = Proxy::before(sshd.port);
    let (to, image_text) = (scratch.join("copy"), image.to_str().unwrap());
    let url = sshd.url(proxy.port, &to);
    let mut child = begin(&sshd, image_text, &url);
    assert!(wait_for(&proxy, 40_000_000, &mut child));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!to.join("large").exists());
    // The same inode, size and times, other bytes: only the hashes of the parts can tell.
    let place = tool("debugfs", &["-R", "blocks /large", image_text]);
    let block: u64 = String::from_utf8_lossy(&place).split_whitespace().next().unwrap().parse().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"changed", block * 4096 + 5000).unwrap();
    drop(file);
    let before = proxy.sent();
    sshd.offmount(&["copy", image_text, "--to", &url]).exits(0);
    assert!(proxy.sent() - before > 60_000_000, "it went on with what was not of this file");
    sshd.offmount(&["verify", "--to", &url, "--read-back"]).exits(0);
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(differences(mounted.path(), &to), "");
}

#[test]
fn a_file_whose_beginning_another_machine_cleared_away_is_begun_anew() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 96 * MIB, "head -c 40000000 /dev/urandom > large");
    let proxy = Proxy::before(sshd.port);
    let (to, image_text) = (scratch.join("copy"), image.to_str().unwrap());
    let url = sshd.url(proxy.port, &to);
    let mut command = sshd.command(&["copy", image_text, "--to", &url, "--quiet", "--bwlimit", "16MiB"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(wait_for(&proxy, 20_000_000, &mut child));
    for begun in fs::read_dir(to.join(".offmount/tmp")).unwrap().flatten() {
        fs::remove_file(begun.path()).unwrap();
    }
    assert!(child.wait().unwrap().success());
    sshd.offmount(&["verify", "--to", &url, "--read-back"]).exits(0);
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(differences(mounted.path(), &to), "");
}

/// What stands there is known by its record: without, all of it would be read back, or sent again.
#[test]
fn a_run_that_stops_early_keeps_the_records_of_earlier_ones() {
    let (scratch, sshd) = (Scratch::new(), Sshd::start());
    let image = ext4(&scratch, 32 * MIB, "for i in $(seq 100); do head -c 100000 /dev/urandom > f$i; done");
    let (proxy, image) = (Proxy::before(sshd.port), image.to_str().unwrap());
    let url = sshd.url(proxy.port, &scratch.join("copy"));
    sshd.offmount(&["copy", image, "--to", &url]).exits(0);
    sshd.offmount(&["copy", image, "--to", &url, "--deadline", "0s"]).exits(1);
    let verified = sshd.offmount(&["verify", "--to", &url]).exits(0);
    assert!(verified.text().contains("9.5 MiB"), "{verified:?}");
    let before = proxy.received();
    let again = sshd.offmount(&["copy", image, "--to", &url]).exits(0);
    let received = proxy.received() - before;
    assert!(again.text().contains("100 already there") && received < 500_000, "{received} bytes: {again:?}");
}
