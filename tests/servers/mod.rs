//! Servers of other projects, on the loopback address, for the time of a test.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::common::{Scratch, run, skipped, system};

/// A server; killed with all its processes when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
    scratch: Option<Scratch>,
    /// A file with the numbers of processes that left its process group.
    pids: Option<PathBuf>,
}

impl Server {
    /// Starts a program that ends with its standard input, or is killed, and waits until it listens.
    #[track_caller]
    pub fn start(mut command: Command, port: u16) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(child.try_wait().expect("a child").is_none(), "{command:?} ended before it listened");
            assert!(began.elapsed() < Duration::from_secs(120), "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Server { child, port, scratch: None, pids: None }
    }

    /// Kills it, with SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        let pids = self.pids.as_ref().and_then(|pids| std::fs::read_to_string(pids).ok()).unwrap_or_default();
        let group = format!("-{}", self.child.id());
        run(system("kill").args(["-9", "--", &group]).args(pids.split_whitespace()), b"");
        self.child.wait().expect("a child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports given away already.
static NEXT: Mutex<u16> = Mutex::new(0);

/// The first of `count` ports one after the other on which nobody listens.
pub fn free_ports(count: u16) -> u16 {
    let mut next = NEXT.lock().unwrap_or_else(|broken| broken.into_inner());
    if *next == 0 {
        *next = 21000 + (std::process::id() % 200) as u16 * 50;
    }
    loop {
        let first = *next;
        *next += count;
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (first..first + count).all(is_free) {
            return first;
        }
    }
}

/// OpenStack Swift, with its S3 interface; user `test:tester`, key `testing`.
pub fn swift() -> Server {
    let scratch = Scratch::new();
    let mut server = swift_in(scratch.path(), free_ports(5));
    server.scratch = Some(scratch);
    server
}

/// The same with what it holds in a directory, for one that comes back.
pub fn swift_in(directory: &Path, port: u16) -> Server {
    swift_with(directory, port, &[])
}

/// The same with settings of its script.
pub fn swift_with(directory: &Path, port: u16, settings: &[(&str, &str)]) -> Server {
    // One that was killed may take a moment to let go of its ports.
    (0..=4).for_each(|n| wait_until(|| TcpListener::bind((Ipv4Addr::LOCALHOST, port + n)).is_ok()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/swift.sh");
    let mut command = system("bash");
    command.arg(script).arg(directory).arg(port.to_string()).envs(settings.iter().copied());
    let mut server = Server::start(command, port);
    server.pids = Some(directory.join("pids"));
    // The proxy listens before the servers behind it do.
    (1..=4).for_each(|n| wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port + n)).is_ok()));
    server
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `rclone serve webdav` of a directory; user `user`, password `word`.
pub fn rclone_webdav(directory: &Path, port: u16) -> Server {
    let mut command = rclone();
    command.args(["serve", "webdav", "--user", "user", "--pass", "word", "--addr", &format!("127.0.0.1:{port}")]);
    command.arg(directory);
    Server::start(command, port)
}

/// WsgiDAV of a directory, for everybody; `None`, and said so, where it can not be installed.
pub fn wsgidav(directory: &Path) -> Option<Server> {
    let program = installed("wsgidav", "bin/wsgidav", |folder| {
        run(system("python3").args(["-m", "venv"]).arg(folder), b"").code == 0 && pip(folder)
    });
    let Some(program) = program else {
        skipped("WsgiDAV can not be installed (python3 -m venv, pip install wsgidav cheroot)");
        return None;
    };
    let port = free_ports(1);
    let mut command = Command::new(program);
    command.args(["--host", "127.0.0.1", "--auth", "anonymous", "--no-config", "-q", "--port", &port.to_string()]);
    command.arg("--root").arg(directory);
    Some(Server::start(command, port))
}

fn pip(folder: &Path) -> bool {
    let pip = folder.join("bin/pip");
    run(Command::new(pip).args(["install", "-q", "wsgidav", "cheroot"]), b"").code == 0
}

/// s3rver with a bucket `bucket`; key `S3RVER`, secret `S3RVER`. `None`, and said so, where it can not be installed.
pub fn s3rver(directory: &Path) -> Option<Server> {
    let program = of_npm("s3rver", "s3rver")?;
    let port = free_ports(1);
    let mut command = Command::new(program);
    command.args(["--address", "127.0.0.1", "--no-vhost-buckets", "--configure-bucket", "bucket"]);
    command.args(["--port", &port.to_string(), "--directory"]).arg(directory);
    Some(Server::start(command, port))
}

/// Azurite, Microsoft's own stand-in for Azure Blob Storage, whose account and key all the world knows. `None`, and said
/// so, where it can not be installed.
pub fn azurite(directory: &Path) -> Option<Server> {
    let program = of_npm("azurite", "azurite-blob")?;
    let port = free_ports(1);
    let mut command = Command::new(program);
    command.args(["--silent", "--skipApiVersionCheck", "--blobHost", "127.0.0.1"]);
    command.args(["--blobPort", &port.to_string(), "--location"]).arg(directory);
    Some(Server::start(command, port))
}

/// A program of a package of npm's, installed where it is missing.
fn of_npm(package: &str, program: &str) -> Option<PathBuf> {
    let program = installed(package, &format!("node_modules/.bin/{program}"), |folder| {
        std::fs::create_dir_all(folder).expect("a folder for tools");
        let mut npm = system("npm");
        npm.args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"]).arg(folder).arg(package);
        let made = npm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        made.is_ok_and(|status| status.success())
    });
    if program.is_none() {
        skipped(&format!("{package} can not be installed (npm install {package})"));
    }
    program
}

/// A program in a folder of its own among the tools, which `install` fills where it is missing; one test at a time.
fn installed(folder: &str, program: &str, install: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
    std::fs::create_dir_all(tools()).expect("a folder for tools");
    let lock = std::fs::File::create(tools().join("lock")).expect("a file to lock");
    lock.lock().expect("a lock");
    let folder = tools().join(folder);
    let program = folder.join(program);
    (program.exists() || install(&folder)).then_some(program)
}

/// Where programs that no Debian package holds are kept between runs.
fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tools")
}

/// rclone, without settings of the user's.
pub fn rclone() -> Command {
    let mut command = system("rclone");
    command.args(["--config", "/dev/null"]).env_remove("AWS_CA_BUNDLE");
    command
}
