//! What every test of the program shares: scratch folders, other people's tools, and the proof that an image is
//! unchanged.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

pub mod poke;

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A temporary folder, removed with all it holds at the end of the test.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        Scratch(tempfile::Builder::new().prefix("offmount-test.").tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path below it, which need not exist.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// A new file of `len` zeros that use no room.
    pub fn sparse(&self, name: &str, len: u64) -> PathBuf {
        let path = self.join(name);
        File::create(&path).and_then(|file| file.set_len(len)).expect("a sparse file");
        path
    }

    /// A new directory.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir(&path).expect("a new directory");
        path
    }

    /// A copy of `file`, holes kept, to damage.
    pub fn copy_of(&self, file: &Path, name: &str) -> PathBuf {
        let path = self.join(name);
        tool("cp", &[OsStr::new("--sparse=always"), file.as_os_str(), path.as_os_str()]);
        path
    }
}

/// A file of `testdata/`.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// What a program left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Ran {
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// Exit code; 128 and the signal's number where a signal ended it.
    pub code: i32,
}

impl Ran {
    /// Standard output, which must be UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("output in UTF-8")
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// The same, if it ended with exit code `code`; fails with all it said otherwise.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; {self:?}");
        self
    }
}

impl Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(f, "exit code {}\n--- stdout\n{stdout}--- stderr\n{}---", self.code, self.stderr)
    }
}

/// Runs a command with `input` on its standard input and gives what it left, whatever its exit code.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            panic!("{program} is not installed: `bash tests/run` installs what the tests need")
        }
        Err(e) => panic!("{program}: {e}"),
    };
    let mut stdin = child.stdin.take().expect("a pipe was asked for");
    let output = std::thread::scope(|scope| {
        // A program may end without reading its input: the broken pipe is no fault.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("the program's output")
    });
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    Ran {
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)),
    }
}

/// A command of the system, in English, UTC and with the administrator's tools on the path.
pub fn system(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin")).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command
}

/// Runs someone else's tool, which must succeed, and gives its standard output.
#[track_caller]
pub fn tool<A: AsRef<OsStr>>(program: &str, args: &[A]) -> Vec<u8> {
    tool_fed(program, args, b"")
}

/// The same, with `input` on its standard input.
#[track_caller]
pub fn tool_fed<A: AsRef<OsStr>>(program: &str, args: &[A], input: &[u8]) -> Vec<u8> {
    let ran = run(system(program).args(args), input);
    let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
    assert!(ran.code == 0, "{program} {args:?}: {ran:?}");
    ran.stdout
}

/// Runs debugfs commands, one a line, on an image that they may change. debugfs reports no failure by its exit code,
/// so what it says on standard error beside its version counts as one.
#[track_caller]
pub fn debugfs(image: &Path, commands: &str) -> Vec<u8> {
    let ran = run(system("debugfs").args(["-w", "-f", "-"]).arg(image), commands.as_bytes());
    let complaint = ran.stderr.lines().any(|line| !line.starts_with("debugfs ") && !line.is_empty());
    assert!(ran.code == 0 && !complaint, "debugfs {commands:?} on {}: {ran:?}", image.display());
    ran.stdout
}

/// Runs the program under test.
#[track_caller]
pub fn offmount<A: AsRef<OsStr>>(args: &[A]) -> Ran {
    run(system(env!("CARGO_BIN_EXE_offmount")).args(args).env("NO_COLOR", "1"), b"")
}

/// Runs `work` for 1 and for 8 threads (its argument is the value for `--threads`): both must give the same.
#[track_caller]
pub fn with_threads<T: PartialEq + Debug>(mut work: impl FnMut(&str) -> T) -> T {
    let one = work("1");
    let eight = work("8");
    assert!(one == eight, "1 thread gave\n{one:?}\n8 threads gave\n{eight:?}");
    eight
}

/// Runs the program under test with 1 and with 8 threads: exit code and all output must be the same.
#[track_caller]
pub fn same_for_threads<A: AsRef<OsStr>>(args: &[A]) -> Ran {
    with_threads(|threads| {
        let mut all: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        all.extend(["--threads", threads].map(OsStr::new));
        offmount(&all)
    })
}

/// Does `work` on an image and proves that it left the image as it was: contents, length, time of last change, and
/// the blocks it uses.
#[track_caller]
pub fn untouched<T>(image: &Path, work: impl FnOnce(&Path) -> T) -> T {
    let before = State::of(image);
    let result = work(image);
    let after = State::of(image);
    assert!(before == after, "{} was changed:\n{before:?}\n{after:?}", image.display());
    result
}

#[derive(PartialEq, Eq, Debug)]
struct State {
    hash: String,
    len: u64,
    blocks: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl State {
    fn of(image: &Path) -> Self {
        // A filesystem that allocates late counts the blocks of what was just written later.
        File::open(image).and_then(|file| file.sync_all()).expect("the image on its disk");
        let meta = fs::metadata(image).unwrap_or_else(|e| panic!("{}: {e}", image.display()));
        State {
            hash: hash_file(image),
            len: meta.len(),
            blocks: meta.blocks(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }
}

/// BLAKE3 of a file's contents, in hexadecimal.
#[track_caller]
pub fn hash_file(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    hasher.update_reader(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    hasher.finalize().to_hex().to_string()
}

/// An image mounted through a loop device; unmounted when dropped.
pub struct Mounted {
    at: Scratch,
}

/// The kernel hands out a free loop device and takes it in two steps: mounts of one test process take turns.
static MOUNTING: Mutex<()> = Mutex::new(());

impl Mounted {
    /// Mounts to read and write: to let the kernel fill a filesystem. `options` as of mount, may be empty.
    #[track_caller]
    pub fn writable(image: &Path, options: &str) -> Self {
        Mounted::new(image, &format!("loop,rw,{options}"))
    }

    /// Mounts an image for reading only, and without a replay of its journal: the image stays as it is.
    #[track_caller]
    pub fn read_only(image: &Path, options: &str) -> Self {
        Mounted::new(image, &format!("loop,ro,{options}"))
    }

    #[track_caller]
    fn new(image: &Path, options: &str) -> Self {
        assert!(is_root(), "mounting needs root");
        let at = Scratch::new();
        let options = options.trim_end_matches(',');
        let turn = MOUNTING.lock().unwrap_or_else(|broken| broken.into_inner());
        let mut tries = 5;
        loop {
            let ran = run(system("mount").args(["-o", options]).arg(image).arg(at.path()), b"");
            tries -= 1;
            // Another process may have taken the free loop device in between.
            let busy = ran.stderr.contains("failed to setup loop device") && tries > 0;
            if ran.code == 0 {
                drop(turn);
                return Mounted { at };
            }
            assert!(busy, "mount -o {options} {}: {ran:?}", image.display());
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.at.path()
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.at.join(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let umount = || run(system("umount").arg(self.path()), b"");
        let mut ran = umount();
        // A process that another test just started holds our open files until it becomes another program.
        for _ in 0..50 {
            if !ran.stderr.contains("busy") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
            ran = umount();
        }
        if ran.code != 0 {
            run(system("umount").arg("--lazy").arg(self.path()), b"");
            assert!(std::thread::panicking(), "umount {}: {ran:?}", self.path().display());
        }
    }
}

/// True where the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says, past the test harness that would swallow it, that a test could not run; `tests/run` counts these.
/// Only for what the machine lacks and no package can give. The test must return after it.
pub fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(io::stderr().lock(), "\nskipped: {name}: {why}").expect("standard error");
}
