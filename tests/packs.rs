//! Small files that go to a store together, in archives: fetched by rclone, they become what they were; GNU tar reads them too.

mod common;
mod copying;
mod servers;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use common::{Mounted, Ran, Scratch, offmount, run, system};
use copying::{EVERYTHING, ext4, records, rsync_differences};
use offmount::manifest::Record;
use servers::{Server, free_ports, rclone, rclone_webdav};

const MIB: u64 = 1 << 20;

/// One Swift for all tests; it ends with this process.
fn swift_port() -> u16 {
    static SWIFT: OnceLock<Server> = OnceLock::new();
    SWIFT.get_or_init(servers::swift).port
}

/// A store of objects: its settings, and what rclone calls it.
struct Store {
    scheme: &'static str,
    settings: Vec<(&'static str, String)>,
    remote: String,
}

impl Store {
    fn swift() -> Self {
        let auth = format!("http://127.0.0.1:{}/auth/v1.0", swift_port());
        let remote = format!(":swift,user='test:tester',key=testing,auth='{auth}':");
        let settings = vec![("ST_AUTH", auth), ("ST_USER", "test:tester".into()), ("ST_KEY", "testing".into())];
        Store { scheme: "swift", settings, remote }
    }

    fn s3() -> Self {
        let endpoint = format!("http://127.0.0.1:{}", swift_port());
        let options = "provider=Other,access_key_id='test:tester',secret_access_key=testing,force_path_style=true";
        let remote = format!(":s3,{options},endpoint='{endpoint}':");
        let keys = [("AWS_ACCESS_KEY_ID", "test:tester"), ("AWS_SECRET_ACCESS_KEY", "testing")];
        let keys = keys.map(|(name, value)| (name, value.to_owned()));
        Store { scheme: "s3", settings: [("AWS_ENDPOINT_URL", endpoint)].into_iter().chain(keys).collect(), remote }
    }

    /// A place in it that nobody used.
    fn place(&self, name: &str) -> Place<'_> {
        // Both interfaces of Swift show the same containers.
        let container = format!("{name}-{}", self.scheme);
        run(rclone().args(["mkdir", &format!("{}{container}", self.remote)]), b"").exits(0);
        let (to, remote) = (format!("{}://{container}/x", self.scheme), format!("{}{container}/x", self.remote));
        Place { store: self, to, remote, state: Scratch::new() }
    }
}

struct Place<'s> {
    store: &'s Store,
    to: String,
    remote: String,
    state: Scratch,
}

impl Place<'_> {
    fn offmount(&self, args: &[&str]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args).env("XDG_STATE_HOME", self.state.path()).env("HOME", self.state.path());
        command.envs(self.store.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn copy(&self, image: &Path, more: &[&str]) -> Ran {
        run(&mut self.copying(image, more), b"")
    }

    fn copying(&self, image: &Path, more: &[&str]) -> Command {
        self.offmount(&[&["copy", image.to_str().unwrap(), "--to", &self.to], more].concat())
    }

    fn verify(&self, more: &[&str]) -> Ran {
        run(&mut self.offmount(&[&["verify", "--to", &self.to], more].concat()), b"")
    }

    /// Names of its objects.
    fn objects(&self) -> Vec<String> {
        let listed = run(rclone().args(["lsf", "-R", "--files-only", &self.remote]), b"").exits(0);
        listed.text().lines().map(str::to_owned).collect()
    }

    fn packs(&self) -> Vec<String> {
        self.objects().into_iter().filter(|name| name.starts_with(".offmount/packs/")).collect()
    }

    /// All of it, fetched.
    fn fetched(&self) -> Scratch {
        let got = Scratch::new();
        run(rclone().args(["copy", "-q", &self.remote]).arg(got.path()), b"").exits(0);
        got
    }
}

/// Files of one byte to 9 kB, many more than one pack holds; two large ones.
const MANY: &str = r#"
mkdir -p d/e f; for i in $(seq 900); do head -c $((i * 7919 % 9000 + 1)) /dev/urandom > d/e/$i; done
for i in $(seq 100); do echo $i > f/$i; done; head -c 3000000 /dev/urandom > large; head -c 70000 /dev/urandom > f/larger
"#;

/// More than are gathered at a time.
const MANY_MORE: &str = r#"
python3 -c 'import os
for i in range(6000): open(str(i), "wb").write(os.urandom(i * 7919 % 16000))'
"#;

fn path_of(record: &Record) -> &Path {
    Path::new(OsStr::from_bytes(&record.path))
}

#[test]
fn small_files_go_together_and_become_what_they_were() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let mounted = Mounted::read_only(&image, "noload");
    for store in [Store::swift(), Store::s3()] {
        let place = store.place("together");
        let copied = place.copy(&image, &["--pack"]).exits(0);
        assert!(copied.text().contains("sent together, in archives in .offmount/packs"), "{copied:?}");
        // Alone stand what is larger, the manifest and its sums.
        let alone = place.objects().into_iter().filter(|name| !name.starts_with(".offmount/")).count();
        assert!(alone < 8, "{:?}", place.objects());
        assert!((1..4).contains(&place.packs().len()), "{:?}", place.packs());
        place.verify(&[]).exits(0);
        place.verify(&["--read-back"]).exits(0);
        // What is there is there, whether it would be packed now or not.
        for more in [&["--pack"][..], &[]] {
            let again = place.copy(&image, more).exits(0);
            assert!(again.text().contains("copied nothing") || again.text().contains("0 B of contents"), "{again:?}");
            assert!((1..4).contains(&place.packs().len()), "{:?}", place.packs());
        }
        run(&mut place.offmount(&["verify", image.to_str().unwrap(), "--manifest"]), b"").exits(2);

        let got = place.fetched();
        offmount(&[OsStr::new("verify"), got.path().as_os_str()]).exits(0);
        let restored = offmount(&[OsStr::new("restore-metadata"), got.path().as_os_str()]).exits(0);
        assert!(restored.text().contains("out of archives"), "{restored:?}");
        assert_eq!(rsync_differences(mounted.path(), got.path()), "");
        offmount(&[OsStr::new("verify"), got.path().as_os_str()]).exits(0);
        // Once more nothing is left to do.
        let again = offmount(&[OsStr::new("restore-metadata"), got.path().as_os_str()]).exits(0);
        assert!(!again.text().contains("out of archives"), "{again:?}");
        // What was unpacked is checked as what it is.
        fs::write(got.join("var/log/f3"), b"changed").unwrap();
        offmount(&[OsStr::new("verify"), got.path().as_os_str()]).exits(1);
    }
}

#[test]
fn gnu_tar_unpacks_an_archive_of_small_files() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let (mounted, store) = (Mounted::read_only(&image, "noload"), Store::swift());
    let place = store.place("untarred");
    place.copy(&image, &["--pack=1MiB"]).exits(0);
    let (got, to) = (place.fetched(), scratch.dir("untarred"));
    for pack in place.packs() {
        let flags =
            ["--xattrs", "--xattrs-include=*", "--same-owner", "--numeric-owner", "--warning=no-timestamp", "-xpf"];
        let ran = run(system("tar").args(flags).arg(got.join(pack)).current_dir(&to), b"").exits(0);
        assert_eq!(ran.stderr, "");
    }
    let mut unpacked = 0;
    for record in records(got.path()).iter().filter(|record| record.packed.is_some() && !record.is_in_manifest_alone())
    {
        let (ours, theirs) = (to.join(path_of(record)), mounted.join(path_of(record)));
        let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(read(&ours) == read(&theirs), "{}", ours.display());
        let attributes = |path: &Path| {
            let it = fs::symlink_metadata(path).unwrap();
            (it.mode(), it.uid(), it.gid(), it.mtime(), it.mtime_nsec())
        };
        assert_eq!(attributes(&ours), attributes(&theirs), "{}", ours.display());
        unpacked += 1;
    }
    assert!(unpacked > 400, "{unpacked}");
    let capability = |top: &Path| run(system("getcap").arg("var/log/f7").current_dir(top), b"").text().to_owned();
    assert_eq!(capability(&to), capability(mounted.path()));
}

#[test]
fn an_archive_that_decayed_or_is_gone_is_found_and_sent_again() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, MANY);
    for store in [Store::swift(), Store::s3()] {
        let place = store.place("decayed");
        place.copy(&image, &["--pack"]).exits(0);
        let packs = place.packs();
        assert!(packs.len() >= 3, "{packs:?}");
        let got = place.fetched();
        let (changed, gone) = (got.join(&packs[0]), got.join(&packs[1]));
        let mut bytes = fs::read(&changed).unwrap();
        // The last byte of some contents: the end of the archive is 1024 zeros, and blocks are filled with them.
        let at = bytes.iter().rposition(|&b| b != 0).unwrap();
        bytes[at] ^= 1;
        fs::write(&changed, &bytes).unwrap();
        fs::remove_file(&gone).unwrap();

        // A copy that was fetched: one file of the one, all of the other.
        let restored =
            offmount(&[OsStr::new("restore-metadata"), OsStr::new("--json"), got.path().as_os_str()]).exits(1);
        assert!(restored.text().contains("is not what was copied"), "{restored:?}");
        assert!(restored.text().contains("which holds it, is there"), "{restored:?}");
        let recorded = records(got.path());
        let lost: BTreeSet<PathBuf> =
            recorded.iter().map(path_of).filter(|path| !got.join(path).exists()).map(Path::to_owned).collect();
        let names = |pack: &str, record: &Record| record.packed.as_ref().is_some_and(|it| pack.ends_with(&it.pack));
        let in_gone = recorded.iter().filter(|record| names(&packs[1], record)).count();
        assert_eq!(lost.len(), in_gone + 1, "{lost:?}");

        // The store.
        let to = format!("{}/{}", place.remote, packs[0]);
        run(rclone().args(["copyto", "-q", "--ignore-times"]).arg(&changed).arg(&to), b"").exits(0);
        run(rclone().args(["deletefile", "-q", &format!("{}/{}", place.remote, packs[1])]), b"").exits(0);
        for more in [&[][..], &["--read-back"]] {
            let found = place.verify(&[&["--json"], more].concat()).exits(1);
            assert_eq!(found.text().matches(r#""what":"missing""#).count(), in_gone, "{found:?}");
            assert_eq!(found.text().matches("blake3").count(), 1, "{found:?}");
        }
        place.copy(&image, &["--pack"]).exits(0);
        place.verify(&["--read-back"]).exits(0);
    }
}

#[test]
fn a_killed_copy_of_archives_is_gone_on_with() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, MANY_MORE);
    let mounted = Mounted::read_only(&image, "noload");
    let store = Store::swift();
    let place = store.place("killed");
    let mut child = place.copying(&image, &["--pack", "--bwlimit", "4MiB"]);
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while place.packs().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it was over before it could be killed");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Until its records are written down.
    std::thread::sleep(Duration::from_millis(200));
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = place.packs();
    let went_on = place.copy(&image, &["--pack"]).exits(0);
    assert!(went_on.text().contains("already there, and the same"), "{went_on:?}");
    let all = place.packs();
    assert!(begun.iter().all(|pack| all.contains(pack)) && all.len() > begun.len(), "{begun:?} {all:?}");
    place.verify(&["--read-back"]).exits(0);
    let got = place.fetched();
    offmount(&[OsStr::new("restore-metadata"), got.path().as_os_str()]).exits(0);
    assert_eq!(rsync_differences(mounted.path(), got.path()), "");
}

#[test]
fn who_sends_many_small_files_one_by_one_is_told_of_the_faster_way() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, r#"python3 -c 'for i in range(20000): open(str(i), "w").write("x")'"#);
    let store = Store::swift();
    let place = store.place("told");
    // Nothing is sent: the time is over before it begins.
    let told = |more: &[&str]| place.copy(&image, &[&["--deadline", "0s"], more].concat()).exits(1).stderr;
    assert!(told(&[]).contains("20000 small files go one by one, which may take hours: with --pack"), "{}", told(&[]));
    assert!(!told(&["--pack"]).contains("go one by one"));
}

#[test]
fn only_object_stores_take_archives_of_small_files() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "echo 1 > a");
    let port = free_ports(1);
    let _server = rclone_webdav(&scratch.dir("served"), port);
    let webdav = format!("webdav://user@127.0.0.1:{port}/x");
    let (directory, archive) = (scratch.join("to"), format!("tar:{}", scratch.join("x.tar").display()));
    for to in [&webdav, directory.to_str().unwrap(), &archive] {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.arg("copy").arg(&image).args(["--pack", "--to", to]).env("OFFMOUNT_WEBDAV_PASSWORD", "word");
        let refused = run(command.env("XDG_STATE_HOME", scratch.path()), b"").exits(2);
        assert!(refused.stderr.contains("object stores"), "{refused:?}");
    }
    assert!(!directory.exists() && !scratch.join("x.tar").exists());
    let place = Store::swift();
    let refused = place.place("refused").copy(&image, &["--pack=2MiB"]).exits(2);
    assert!(refused.stderr.contains("at most 1MiB"), "{refused:?}");
}
