//! Copies to object stores, Swift and WebDAV, against servers of other projects; what arrived is fetched by rclone.

mod common;
mod copying;
mod servers;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use common::{Mounted, Ran, Scratch, run, system};
use copying::ext4;
use servers::{Server, free_ports, rclone, rclone_webdav};

/// Names that are hard to write in a URL, in XML or in a header, files of all sizes, and what no store holds.
const FILES: &str = r#"
mkdir -p 'a dir/ünïcode' empty/in/empty deep/er $'odd\xff\n'/sub
echo 13 > $'odd\xff\n'/sub/plain; echo 14 > $'odd\xff\n'/$'f\\\xfe'
echo 1 > 'a dir/a b'; echo 2 > 'a dir/ünïcode/日本'; echo 3 > $'bad\xffname'; echo 4 > 'bad%FFname'; echo 5 > $'new\nline'
echo 6 > '100% sure'; echo 7 > 'a+b&c=d'; echo 8 > "quote'\"<>"; echo 9 > 'back\slash'; echo 10 > '~{}[]^`|'
echo 11 > '...'; echo 12 > '%2E'; : > zero; chmod 4711 zero; touch -d 2001-02-03 zero
for i in $(seq 40); do head -c $((i * 997)) /dev/urandom > deep/er/$i; done
head -c 41943043 /dev/urandom > big; truncate -s 12M sparse; echo end >> sparse
ln big deep/again; ln -s ../zero deep/link; mkfifo deep/pipe
"#;

/// The image, its files as the kernel shows them, and a folder for the rest of the test.
struct Case {
    scratch: Scratch,
    image: PathBuf,
    files: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let image = ext4(&scratch, 160 << 20, FILES);
        let mut files = files_below(Mounted::read_only(&image, "noload").path());
        // A further name of a file stands in the manifest.
        assert!(files.remove(&b"deep/again"[..]).is_some());
        assert_eq!(files.len(), 57);
        Case { scratch, image, files }
    }

    /// A copy to `to`, to be started.
    fn copy(&self, to: &str, settings: &[(&str, &str)]) -> Command {
        let mut command = self.offmount(settings);
        command.arg("copy").arg(&self.image).args(["--to", to]);
        command
    }

    fn offmount(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        for (name, _) in std::env::vars()
            .filter(|(name, _)| ["AWS_", "ST_", "OS_", "AZURE_", "GOOGLE_"].iter().any(|it| name.starts_with(it)))
        {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        command.envs(settings.iter().copied());
        command
    }

    /// Copies all, and again: then everything is there already.
    #[track_caller]
    fn copies_twice(&self, to: &str, settings: &[(&str, &str)]) {
        run(&mut self.copy(to, settings), b"").exits(0);
        let again = run(&mut self.copy(to, settings), b"").exits(0);
        assert!(said(&again).contains("57 already there"), "{again:?}");
        run(self.offmount(settings).args(["verify", "--to", to]), b"").exits(0);
        run(self.offmount(settings).args(["verify", "--read-back", "--to", to]), b"").exits(0);
    }

    /// What rclone fetches from `remote` is what the image holds.
    #[track_caller]
    fn is_in(&self, remote: &str) {
        let got = Scratch::new();
        let ran = run(rclone().args(["copy", "-q", "--fast-list", remote]).arg(got.path()), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        self.is_below(got.path());
    }

    /// What rclone fetches is, once its metadata is restored, what was on the disk: names, owners, links and all.
    #[track_caller]
    fn becomes_what_it_was(&self, remote: &str) {
        let got = Scratch::new();
        run(rclone().args(["copy", "-q", remote]).arg(got.path()), b"").exits(0);
        run(self.offmount(&[]).arg("restore-metadata").arg(got.path()), b"").exits(0);
        let mounted = Mounted::read_only(&self.image, "noload");
        assert_eq!(copying::rsync_differences(mounted.path(), got.path()), "");
    }

    /// What stands in a directory is what the image holds.
    #[track_caller]
    fn is_below(&self, directory: &Path) {
        let found: BTreeMap<_, _> =
            files_below(directory).into_iter().map(|(name, bytes)| (decoded(&name), bytes)).collect();
        let names = |files: &BTreeMap<Vec<u8>, Vec<u8>>| -> Vec<String> {
            files.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
        };
        assert_eq!(names(&found), names(&self.files));
        for (name, bytes) in &self.files {
            assert!(found[name] == *bytes, "{} differs", String::from_utf8_lossy(name));
        }
    }

    /// Kills copies with SIGKILL, each twice as late as the one before, until one gets to its end.
    #[track_caller]
    fn survives_kills(&self, to: &str, settings: &[(&str, &str)]) {
        let mut kills = 0;
        for round in 0..8 {
            let mut child = spawn(&mut self.copy(to, settings));
            std::thread::sleep(Duration::from_millis(200 << round));
            if child.try_wait().expect("a child").is_some() {
                break;
            }
            child.kill().expect("a child that runs");
            child.wait().expect("a child");
            kills += 1;
        }
        assert!(kills > 0, "it was too quick to be killed");
        run(&mut self.copy(to, settings), b"").exits(0);
    }
}

fn said(ran: &Ran) -> String {
    ran.text().to_owned() + &ran.stderr
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a program")
}

/// Regular files below a directory, by their paths, without offmount's own.
fn files_below(top: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let (kind, path) = (entry.file_type().unwrap(), entry.path());
            if kind.is_file() {
                let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes().to_vec();
                files.insert(name, fs::read(&path).unwrap());
            } else if kind.is_dir() && entry.file_name() != ".offmount" && entry.file_name() != "lost+found" {
                open.push(path);
            }
        }
    }
    files
}

/// A name in a store as the README tells it: `%` and two digits are a byte.
fn decoded(name: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), name);
    while let Some(&first) = rest.first() {
        let escaped = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            None => {
                bytes.push(first);
                rest = &rest[1..];
            }
        }
    }
    bytes
}

/// One Swift for all tests; it ends with this process.
fn swift_port() -> u16 {
    static SWIFT: OnceLock<Server> = OnceLock::new();
    SWIFT.get_or_init(servers::swift).port
}

/// Address, user and key of Swift, and what rclone calls it.
fn swift_login() -> (String, String) {
    let auth = format!("http://127.0.0.1:{}/auth/v1.0", swift_port());
    let remote = format!(":swift,user='test:tester',key=testing,auth='{auth}':");
    (auth, remote)
}

#[test]
fn swift() {
    let (case, (auth, remote)) = (Case::new(), swift_login());
    let settings = [("ST_AUTH", &*auth), ("ST_USER", "test:tester"), ("ST_KEY", "testing")];
    case.copies_twice("swift://plain/a folder", &settings);
    case.is_in(&format!("{remote}plain/a folder"));
    case.becomes_what_it_was(&format!("{remote}plain/a folder"));

    let wrong = [("ST_AUTH", &*auth), ("ST_USER", "test:tester"), ("ST_KEY", "wrong")];
    let refused = run(&mut case.copy("swift://plain", &wrong), b"").exits(2);
    assert!(refused.stderr.contains("refuses the credentials"), "{refused:?}");
    let none = run(&mut case.copy("swift://plain", &[]), b"").exits(2);
    assert!(none.stderr.contains("ST_AUTH"), "{none:?}");

    case.survives_kills("swift://killed", &settings);
    case.is_in(&format!("{remote}killed"));
}

#[test]
fn s3_of_swift() {
    let (case, (_, _)) = (Case::new(), swift_login());
    let endpoint = format!("http://127.0.0.1:{}", swift_port());
    let settings =
        [("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", "test:tester"), ("AWS_SECRET_ACCESS_KEY", "testing")];
    let remote = format!(
        ":s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='{endpoint}',force_path_style=true:"
    );
    let missing = run(&mut case.copy("s3://missing/x", &settings), b"").exits(2);
    assert!(missing.stderr.contains("there is no bucket missing"), "{missing:?}");
    run(rclone().args(["mkdir", &format!("{remote}bucket")]), b"").exits(0);
    case.copies_twice("s3://bucket/a folder", &settings);
    case.is_in(&format!("{remote}bucket/a folder"));

    let mut wrong = settings;
    wrong[2].1 = "wrong";
    let refused = run(&mut case.copy("s3://bucket/x", &wrong), b"").exits(2);
    assert!(refused.stderr.contains("refuses the credentials"), "{refused:?}");
    let none = run(&mut case.copy("s3://bucket/x", &settings[..1]), b"").exits(2);
    assert!(none.stderr.contains("~/.aws/credentials"), "{none:?}");

    // Keys and endpoint as AWS tools keep them in files.
    fs::create_dir(case.scratch.join(".aws")).unwrap();
    let keys = "[night]\naws_access_key_id = test:tester\naws_secret_access_key = testing\n";
    fs::write(case.scratch.join(".aws/credentials"), keys).unwrap();
    fs::write(case.scratch.join(".aws/config"), format!("[profile night]\nendpoint_url = {endpoint}\n")).unwrap();
    let profile = [("AWS_PROFILE", "night")];
    case.survives_kills("s3://bucket/killed", &profile);
    case.is_in(&format!("{remote}bucket/killed"));
}

#[test]
fn s3_of_s3rver() {
    let case = Case::new();
    let Some(server) = servers::s3rver(&case.scratch.dir("served")) else { return };
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    let settings =
        [("AWS_ENDPOINT_URL_S3", &*endpoint), ("AWS_ACCESS_KEY_ID", "S3RVER"), ("AWS_SECRET_ACCESS_KEY", "S3RVER")];
    case.copies_twice("s3://bucket", &settings);
    case.is_in(&format!(
        ":s3,provider=Other,access_key_id=S3RVER,secret_access_key=S3RVER,endpoint='{endpoint}',force_path_style=true:bucket"
    ));
}

/// The key of the account that every Azurite has (Azure documentation, "Use the Azurite emulator").
const AZURITE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[test]
fn azure_of_azurite() {
    let case = Case::new();
    let Some(server) = servers::azurite(&case.scratch.dir("served")) else { return };
    let endpoint = format!("http://127.0.0.1:{}/devstoreaccount1", server.port);
    let settings = [
        ("AZURE_STORAGE_ENDPOINT", &*endpoint),
        ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1"),
        ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY),
    ];
    let refused = |settings: &[(&str, &str)], words: &[&str]| {
        let ran = run(&mut case.copy("az://some/x", settings), b"").exits(2);
        words.iter().for_each(|word| assert!(ran.stderr.contains(word), "{ran:?}"));
    };
    refused(&[], &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"]);
    refused(&settings[..2], &["no credentials", "AZURE_STORAGE_ACCOUNT_KEY"]);
    refused(&settings, &["no container some", "az storage container create --name some"]);
    let wrong = [settings[0], settings[1], ("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")];
    refused(&wrong, &["AZURE_STORAGE_ACCOUNT_KEY", "clock"]);

    let remote = format!(":azureblob,use_emulator=true,encoding=Slash,endpoint='{endpoint}':");
    run(rclone().args(["mkdir", &format!("{remote}some")]), b"").exits(0);
    case.copies_twice("az://some/whole", &settings);
    case.is_in(&format!("{remote}some/whole"));
    case.survives_kills("az://some/killed", &settings);
    case.is_in(&format!("{remote}some/killed"));
}

#[test]
fn google_tells_what_it_wants_to_know() {
    let case = Case::new();
    let refused = |settings: &[(&str, &str)], words: &[&str]| {
        let ran = run(&mut case.copy("gs://some/x", settings), b"").exits(2);
        words.iter().for_each(|word| assert!(ran.stderr.contains(word), "{ran:?}"));
    };
    refused(&[], &["GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login"]);
    refused(&[("GOOGLE_APPLICATION_CREDENTIALS", "/not/there.json")], &["Google Cloud Storage", "/not/there.json"]);
}

/// Waits until a copy to `folder` has brought its first file.
fn until_files_arrive(folder: &Path) {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    let has_files = || {
        let held = fs::read_dir(folder).into_iter().flatten().flatten();
        held.into_iter().any(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
    };
    while !has_files() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn webdav_of_rclone() {
    let case = Case::new();
    let (served, port) = (case.scratch.dir("served"), free_ports(1));
    let mut server = rclone_webdav(&served, port);
    let settings = [("OFFMOUNT_WEBDAV_PASSWORD", "word")];
    let to = format!("webdav://user@127.0.0.1:{port}/to%20be/made");
    case.copies_twice(&to, &settings);
    case.is_below(&served.join("to be/made"));
    let left = fs::read_dir(served.join("to be/made/.offmount/tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files were left over");

    let refused = run(&mut case.copy(&to, &[("OFFMOUNT_WEBDAV_PASSWORD", "wrong")]), b"").exits(2);
    assert!(refused.stderr.contains("401"), "{refused:?}");

    // The server is killed while it takes files, and comes back.
    let to = format!("webdav://user@127.0.0.1:{port}/killed");
    let mut child = spawn(&mut case.copy(&to, &settings));
    until_files_arrive(&served.join("killed"));
    server.kill();
    std::thread::sleep(Duration::from_millis(500));
    let _server = rclone_webdav(&served, port);
    assert!(child.wait().unwrap().success());
    case.is_below(&served.join("killed"));
    case.survives_kills(&format!("webdav://user@127.0.0.1:{port}/again"), &settings);
    case.is_below(&served.join("again"));
}

#[test]
fn webdav_of_wsgidav() {
    let case = Case::new();
    let served = case.scratch.dir("served");
    let Some(server) = servers::wsgidav(&served) else { return };
    case.copies_twice(&format!("webdav://127.0.0.1:{}/made", server.port), &[]);
    case.is_below(&served.join("made"));
}

/// A name of 255 bytes that no text are, and directories in one another until their path has 5 kB.
const LONG: &str = r#"
echo odd > "$(printf '\xff%.0s' $(seq 255))"; mkdir deep; cd deep
for i in $(seq 25); do mkdir "$(printf 'd%.0s' $(seq 200))"; cd d*; echo $i > at; done
"#;

/// A store takes names of some 1,000 bytes, a server of files what its own disk takes.
#[test]
fn what_has_too_long_a_name_or_path_goes_to_another_place_and_is_whole() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 32 << 20, LONG);
    let (case, (auth, swift)) = (Case { scratch, image, files: BTreeMap::new() }, swift_login());
    let (rclone_serves, wsgidav_serves) = (case.scratch.dir("served"), case.scratch.dir("served too"));
    let port = free_ports(1);
    let _webdav = rclone_webdav(&rclone_serves, port);
    let settings =
        [("ST_AUTH", &*auth), ("ST_USER", "test:tester"), ("ST_KEY", "testing"), ("OFFMOUNT_WEBDAV_PASSWORD", "word")];
    let mut far = vec!["swift://long/x".to_owned(), format!("webdav://user@127.0.0.1:{port}/x")];
    let wsgidav = servers::wsgidav(&wsgidav_serves);
    far.extend(wsgidav.iter().map(|server| format!("webdav://127.0.0.1:{}/x", server.port)));
    for to in &far {
        let copied = run(&mut case.copy(to, &settings), b"").exits(0);
        assert!(said(&copied).contains("can not hold so long a path"), "{to}: {copied:?}");
        run(case.offmount(&settings).args(["verify", "--read-back", "--to", to]), b"").exits(0);
    }
    let got = Scratch::new();
    run(rclone().args(["copy", "-q", "--fast-list", &format!("{swift}long/x")]).arg(got.path()), b"").exits(0);
    for top in [got.path(), &rclone_serves.join("x"), &wsgidav_serves.join("x")] {
        if top.exists() {
            run(case.offmount(&[]).arg("restore-metadata").arg(top), b"").exits(0);
            let contents: Vec<String> = copying::records(top)
                .iter()
                .filter(|record| record.kind == offmount::node::Kind::File)
                .map(|record| fs::read_to_string(top.join(std::ffi::OsStr::from_bytes(&record.path))).unwrap())
                .collect();
            let expected: Vec<String> = (1..=25).map(|n| format!("{n}\n")).chain(["odd\n".to_owned()]).collect();
            assert!(expected.iter().all(|it| contents.contains(it)), "{contents:?}");
        }
    }
}

/// How many uploads of parts are noted in a store.
fn noted(remote: &str) -> usize {
    run(rclone().args(["lsf", &format!("{remote}/.offmount/uploads")]), b"").text().lines().count()
}

fn until_an_upload_is_begun(child: &mut std::process::Child, remote: &str) {
    let began = std::time::Instant::now();
    while noted(remote) == 0 {
        assert!(child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60), "no upload is begun");
    }
}

/// The S3 interface of Swift, for `body`: its settings, and its name for rclone.
fn with_s3_of_swift(body: impl Fn(&[(&str, &str)], &str)) {
    let endpoint = format!("http://127.0.0.1:{}", swift_port());
    let keys =
        [("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", "test:tester"), ("AWS_SECRET_ACCESS_KEY", "testing")];
    let options = "provider=Other,access_key_id='test:tester',secret_access_key=testing,force_path_style=true";
    body(&keys, &format!(":s3,{options},endpoint='{endpoint}':"));
}

/// Kills a copy once its large file is on its way, and loses all that this machine knew of it.
fn run_that_never_comes_back(case: &Case, to: &str, remote: &str, settings: &[(&str, &str)]) {
    let mut slow = case.copy(to, settings);
    let mut child = spawn(slow.args(["--bwlimit", "6MiB", "--exclude", "sparse"]));
    until_an_upload_is_begun(&mut child, remote);
    // Long enough for a part to arrive.
    std::thread::sleep(Duration::from_secs(3));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(noted(remote) > 0, "it was over before it could be killed");
    fs::remove_dir_all(case.scratch.join("state")).unwrap();
    let mut without = case.copy(to, settings);
    // Nothing else that goes in parts: those of whole files stay.
    run(without.args(["--exclude", "big", "--exclude", "again", "--exclude", "sparse"]), b"").exits(0);
    assert_eq!(noted(remote), 0);
}

#[test]
fn what_a_run_sent_that_never_comes_back_is_forgotten_by_the_next() {
    let (case, (auth, swift)) = (Case::new(), swift_login());
    with_s3_of_swift(|keys, s3| {
        run(rclone().args(["mkdir", &format!("{s3}left")]), b"").exits(0);
        run_that_never_comes_back(&case, "s3://left/x", &format!("{s3}left/x"), keys);
        let left = run(rclone().args(["backend", "list-multipart-uploads", &format!("{s3}left")]), b"").exits(0);
        assert!(!left.text().contains("UploadId"), "{left:?}");
    });

    let settings = [("ST_AUTH", &*auth), ("ST_USER", "test:tester"), ("ST_KEY", "testing")];
    run_that_never_comes_back(&case, "swift://lost/x", &format!("{swift}lost/x"), &settings);
    let left = run(rclone().args(["lsf", "-R", "--files-only", &format!("{swift}lost_segments")]), b"").exits(0);
    assert_eq!(left.text(), "");
}

/// While a large file is on its way, somebody copies to the same place who knows nothing of it.
fn run_beside_another_machine(case: &Case, to: &str, remote: &str, settings: &[(&str, &str)]) {
    let mut slow = case.copy(to, settings);
    let child = slow.args(["--bwlimit", "8MiB", "--exclude", "sparse"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    until_an_upload_is_begun(&mut child, remote);
    // Long enough for a part to arrive.
    std::thread::sleep(Duration::from_secs(2));
    let mut beside = case.copy(to, settings);
    beside.args(["--exclude", "big", "--exclude", "again", "--exclude", "sparse"]);
    run(beside.env("XDG_STATE_HOME", case.scratch.join("elsewhere")), b"").exits(0);
    assert!(child.try_wait().unwrap().is_none(), "it was over too soon");
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{to}: {}", String::from_utf8_lossy(&out.stderr));
    run(case.offmount(settings).args(["verify", "--read-back", "--to", to]), b"").exits(0);
    assert_eq!(noted(remote), 0);
}

#[test]
fn a_large_file_whose_parts_another_machine_forgot_is_begun_anew() {
    let (case, (auth, swift)) = (Case::new(), swift_login());
    with_s3_of_swift(|keys, s3| {
        run(rclone().args(["mkdir", &format!("{s3}both")]), b"").exits(0);
        run_beside_another_machine(&case, "s3://both/x", &format!("{s3}both/x"), keys);
    });
    let settings = [("ST_AUTH", &*auth), ("ST_USER", "test:tester"), ("ST_KEY", "testing")];
    run_beside_another_machine(&case, "swift://two/x", &format!("{swift}two/x"), &settings);
}
