//! Destinations far away, each behind a proxy ([`Far`]), and the machines that copy to them ([`Machine`]).
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Ran, Scratch, run, system};
use crate::copying::ext4;
use crate::proxy::Proxy;
use crate::servers::{Server, rclone};
use crate::sshd::Sshd;

/// How a destination is reached.
pub struct Far {
    /// What all goes through.
    pub proxy: Proxy,
    /// Its address.
    pub url: String,
    settings: Vec<(&'static str, String)>,
    held: Held,
}

/// Where the tests find what a destination holds.
enum Held {
    Folder(PathBuf),
    Rclone(String),
}

impl Far {
    /// A directory, over SFTP.
    pub fn sftp(sshd: &Sshd, directory: &Path) -> Self {
        let proxy = Proxy::before(sshd.port);
        let url = sshd.url(proxy.port, directory);
        let settings = vec![("OFFMOUNT_SSH", sshd.ssh("ssh"))];
        Far { proxy, url, settings, held: Held::Folder(directory.to_owned()) }
    }

    /// A place in Swift: a container and what is below it.
    pub fn swift(server: &Server, place: &str) -> Self {
        let proxy = Proxy::before(server.port);
        let auth = format!("http://127.0.0.1:{}/auth/v1.0", proxy.port);
        let settings = vec![("ST_AUTH", auth), ("ST_USER", "test:tester".into()), ("ST_KEY", "testing".into())];
        let direct = format!("http://127.0.0.1:{}/auth/v1.0", server.port);
        let held = Held::Rclone(format!(":swift,user='test:tester',key=testing,auth='{direct}':{place}"));
        Far { proxy, url: format!("swift://{place}"), settings, held }
    }

    /// A place in a bucket of Swift's S3 interface, which is made if it is missing.
    pub fn s3(server: &Server, place: &str) -> Self {
        let remote = format!(
            ":s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='http://127.0.0.1:{}',force_path_style=true:",
            server.port
        );
        run(rclone().args(["mkdir", &format!("{remote}bucket")]), b"").exits(0);
        let proxy = Proxy::before(server.port);
        let settings = vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.port)),
            ("AWS_ACCESS_KEY_ID", "test:tester".into()),
            ("AWS_SECRET_ACCESS_KEY", "testing".into()),
        ];
        Far {
            proxy,
            url: format!("s3://bucket/{place}"),
            settings,
            held: Held::Rclone(format!("{remote}bucket/{place}")),
        }
    }

    /// A directory below the one that rclone serves at `port`.
    pub fn webdav(port: u16, served: &Path, directory: &str) -> Self {
        let proxy = Proxy::before(port);
        let url = format!("webdav://user@127.0.0.1:{}/{directory}", proxy.port);
        let settings = vec![("OFFMOUNT_WEBDAV_PASSWORD", "word".into())];
        Far { proxy, url, settings, held: Held::Folder(served.join(directory)) }
    }

    /// What is on record there of runs that are at work, or were lost: pieces of `manifest` or `journal`.
    pub fn on_record(&self, of: &str) -> String {
        match &self.held {
            Held::Folder(folder) => {
                let own = fs::read_dir(folder.join(".offmount")).into_iter().flatten().flatten().map(|it| it.path());
                let mut pieces: Vec<_> = own.filter(|path| is_piece(path, of)).collect();
                pieces.sort();
                // One may be gone by now.
                pieces.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
            }
            Held::Rclone(remote) => {
                let mut cat = rclone();
                cat.args(["cat", "--include", &format!("running.*.{of}.jsonl"), &format!("{remote}/.offmount")]);
                run(&mut cat, b"").text().to_owned()
            }
        }
    }
}

fn is_piece(path: &Path, of: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("running.") && name.ends_with(&format!(".{of}.jsonl"))
}

/// An image, and what the machine that copies it remembers.
pub struct Machine {
    scratch: Scratch,
    /// The image.
    pub image: PathBuf,
}

impl Machine {
    /// One with an image that the shell script `files` filled.
    pub fn new(files: &str) -> Self {
        let scratch = Scratch::new();
        let image = ext4(&scratch, 96 << 20, files);
        Machine { scratch, image }
    }

    /// Another one with the same image.
    pub fn beside(&self) -> Self {
        Machine { scratch: Scratch::new(), image: self.image.clone() }
    }

    fn offmount(&self, far: &Far, args: &[&str]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args).env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        command.env("NO_COLOR", "1").envs(far.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn copy_command(&self, far: &Far, how: &[&str]) -> Command {
        self.offmount(far, &[&["copy", self.image.to_str().unwrap(), "--to", &far.url][..], how].concat())
    }

    /// Copies all, or what `how` says.
    pub fn copy(&self, far: &Far, how: &[&str]) -> Ran {
        run(&mut self.copy_command(far, how), b"")
    }

    /// Begins to copy; what it says is in [`Machine::said`].
    pub fn begin(&self, far: &Far, how: &[&str]) -> Child {
        let said = File::create(self.scratch.join("said")).unwrap();
        let both = said.try_clone().unwrap();
        let mut command = self.copy_command(far, how);
        command.stdin(Stdio::null()).stdout(both).stderr(said).spawn().expect("the program")
    }

    /// What the copy that was begun has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(self.scratch.join("said")).unwrap_or_default()
    }

    /// Checks the copy; it is as its manifest says.
    #[track_caller]
    pub fn verify(&self, far: &Far) {
        run(&mut self.offmount(far, &["verify", "--to", &far.url]), b"").exits(0);
    }

    /// The copy is killed, and the machine forgets all that it knew.
    pub fn lose(&self, mut child: Child) {
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        fs::remove_dir_all(self.scratch.join("state")).unwrap();
    }
}

/// Waits for what comes before the end of a run.
#[track_caller]
pub fn wait_until(what: &str, child: &mut Child, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "{what}: the run ended");
        assert!(began.elapsed() < Duration::from_secs(120), "{what}: it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
