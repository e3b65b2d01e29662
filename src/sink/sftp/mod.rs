//! A directory of another machine, over the system's own `ssh`: [`Sftp`].
//!
//! The protocol (`packet`) and its connection (`line`) are our own, and short: crates for it take names for UTF-8, and the
//! names on a rescued disk are bytes; one such name in a listing would end their connection.
//!
//! SFTP has no handles of directories. No link is followed for another reason: before anything is done below a directory
//! it is known to be one, made by this run or looked at (`SSH_FXP_LSTAT`). Files are written in `.offmount/tmp` and
//! renamed when they are whole. A lost connection is opened again by whoever needs it next.

mod attributes;
mod file;
mod hash;
mod line;
mod packet;
mod sink;
mod ssh;
mod store;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use self::file::Reading;
use self::line::{Broken, Line, Pending};
use self::packet::{Answer, Ask, Attributes, Fields, kind, open, status};
use self::ssh::{Way, advice, lasting};
use super::local::is_plain;
use super::store::{Options, Unopened, run_number};
use super::url::Url;
use super::{Entry, Failure, Found, Made};
use crate::name::{OWN_FOLDER, escaped};
use crate::node::Kind;

/// Files taken at a time: each waits for three or four answers.
const LANES: usize = 16;

/// Bytes of a part of a large file.
const PART: u64 = 2 << 20;

/// Where files are written.
const TEMPORARY: &str = "tmp";

/// Less free than this is full, where a server says no more than "failure".
const NO_ROOM: u64 = 4 << 20;

/// Bytes of the file that tells whether a server still takes any.
const BLOCK: usize = 32 << 10;

/// SFTP has no word for a quota.
const TAKES_NOTHING: &str = "the server takes nothing more, though its disk has room: a quota may be used up (ask `quota` \
                             there), or its disk fails";

type Key = [u8; 16];

/// A directory of another machine, with all below it.
pub struct Sftp {
    way: Way,
    name: String,
    line: Mutex<Option<Arc<Line>>>,
    /// Path of the destination on the server.
    root: Vec<u8>,
    found: Found,
    look_only: bool,
    name_max: usize,
    is_root: bool,
    /// Directories that are known to be ones, and whether they stood there before this run.
    directories: Mutex<HashMap<Key, bool>>,
    /// What directories held that stood there before.
    listed: Mutex<HashMap<Key, Arc<Listing>>>,
    /// Files that may have been renamed when the connection was lost.
    doubtful: Mutex<HashSet<Key>>,
    /// Tells its temporaries from those of other machines' runs.
    run: u64,
    next: AtomicU64,
    /// What others left was cleared away.
    is_swept: AtomicBool,
    hasher: OnceLock<Vec<&'static str>>,
}

type Listing = HashMap<Vec<u8>, Attributes>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(path: &[u8]) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(path).as_bytes()[..16]);
    key
}

/// The directory that holds a path, and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.iter().rposition(|&b| b == b'/').map_or((&path[..0], path), |slash| (&path[..slash], &path[slash + 1..]))
}

fn is_top(path: &[u8]) -> bool {
    path.is_empty() || path == b"."
}

impl Sftp {
    /// Connects, and finds or makes the directory.
    ///
    /// # Errors
    /// What is wrong and what to do, in words.
    pub fn open(url: &Url, options: &Options) -> Result<Self, Unopened> {
        let way = Way::to(url, options.ssh.as_deref(), options.stall)?;
        let name = url.to_string();
        let line = connect(&way).map_err(|said| {
            let next = advice(&said).map(|advice| format!("\n{advice}")).unwrap_or_default();
            format!("cannot reach {name}: {said}{next}")
        })?;
        let mut sftp = Sftp {
            way,
            name,
            line: Mutex::new(Some(Arc::new(line))),
            root: Vec::new(),
            found: Found::Other,
            look_only: options.look_only,
            name_max: 255,
            is_root: false,
            directories: Mutex::default(),
            listed: Mutex::default(),
            doubtful: Mutex::default(),
            run: run_number(),
            next: AtomicU64::new(0),
            is_swept: AtomicBool::new(false),
            hasher: OnceLock::new(),
        };
        let failed = |failure: Failure| format!("{url}: {failure}");
        sftp.find_root(&url.path).map_err(failed)?;
        sftp.look_around().map_err(failed)?;
        Ok(sftp)
    }

    /// Finds the destination, and makes it where it is missing.
    fn find_root(&mut self, path: &[u8]) -> Result<(), Failure> {
        let line = self.line()?;
        let wanted: Vec<u8> = match path {
            b"" | b"/~" => b".".to_vec(),
            path => path.strip_prefix(b"/~/").unwrap_or(path).to_vec(),
        };
        if !self.look_only {
            let ends = (1..wanted.len()).filter(|&i| wanted[i] == b'/').chain([wanted.len()]);
            for end in ends {
                let mode = Attributes { mode: Some(0o777), ..Attributes::default() };
                // Those that are there, or can not be made, fail: what matters is asked below.
                self.ask(&line, &Ask::new(kind::MKDIR).bytes(&wanted[..end]).attributes(&mode))?;
            }
        }
        let shown = escaped(&wanted).to_string();
        match self.ask(&line, &Ask::new(kind::STAT).bytes(&wanted))? {
            Answer::Attributes(it) if it.mode.is_none_or(|mode| Kind::from_mode(mode) == Kind::Directory) => {}
            Answer::Attributes(_) => return Err(Failure::Refused(format!("{shown} is no directory"))),
            Answer::Status(status::NO_SUCH_FILE, _) if self.look_only => {
                return Err(Failure::Refused(format!("there is no directory {shown}")));
            }
            Answer::Status(status::NO_SUCH_FILE | status::PERMISSION_DENIED, _) => {
                let why = "can not be made by this user; choose a path below its home: sftp://HOST/~/NAME";
                return Err(Failure::Refused(format!("{shown} {why}")));
            }
            answer => return Err(self.failure("looking at the destination", &answer)),
        }
        match self.ask(&line, &Ask::new(kind::REALPATH).bytes(&wanted))? {
            Answer::Names(names) if !names.is_empty() => self.root.clone_from(&names[0].0),
            answer => return Err(self.failure("asking for the destination's path", &answer)),
        }
        Ok(())
    }

    /// Finds out what the destination holds, and makes offmount's own folder in it.
    fn look_around(&mut self) -> Result<(), Failure> {
        let line = self.line()?;
        let held = self.list(b"")?;
        self.found = match held.contains_key(OWN_FOLDER.as_bytes()) {
            true => Found::Copy,
            false if held.is_empty() => Found::Empty,
            false => Found::Other,
        };
        lock(&self.directories).insert(key(b""), self.found != Found::Empty);
        lock(&self.listed).insert(key(b""), held);
        if let Answer::Extended(body) = self.ask(&line, &self.statvfs())? {
            let mut fields = Fields(&body);
            let name_max = (0..11).map(|_| fields.u64()).last().flatten().unwrap_or(255);
            self.name_max = name_max.clamp(1, 255) as usize; // clamped
        }
        if self.look_only {
            return Ok(());
        }
        let temporary = format!("{OWN_FOLDER}/{TEMPORARY}");
        for (path, mode) in [(OWN_FOLDER, 0o755), (&temporary, 0o700)] {
            let whole = self.below(path.as_bytes());
            let mode = Attributes { mode: Some(mode), ..Attributes::default() };
            let made = self.ask(&line, &Ask::new(kind::MKDIR).bytes(&whole).attributes(&mode))?;
            match self.ask(&line, &Ask::new(kind::LSTAT).bytes(&whole))? {
                Answer::Attributes(it) if it.mode.is_some_and(|mode| Kind::from_mode(mode) == Kind::Directory) => {
                    self.is_root = it.owner.is_some_and(|(uid, _)| uid == 0);
                }
                Answer::Attributes(_) => return Err(Failure::Refused(format!("{path} there is no directory"))),
                _ => return Err(self.failure(&format!("making {path}"), &made)),
            }
        }
        Ok(())
    }

    fn statvfs(&self) -> Ask {
        Ask::extended("statvfs@openssh.com").bytes(&self.root)
    }

    /// The connection; opened again where it was lost.
    fn line(&self) -> Result<Arc<Line>, Failure> {
        let mut line = lock(&self.line);
        if let Some(line) = line.as_ref().filter(|line| !line.is_broken()) {
            return Ok(line.clone());
        }
        *line = None;
        let opened = connect(&self.way).map_err(|said| match lasting(&said) {
            Some(advice) => Failure::Gone(std::io::Error::other(format!("{said}; {advice}"))),
            None => Failure::Passing(format!("cannot reach {}: {said}", self.name)),
        })?;
        Ok(line.insert(Arc::new(opened)).clone())
    }

    /// A path on the server.
    fn below(&self, path: &[u8]) -> Vec<u8> {
        if is_top(path) {
            return self.root.clone();
        }
        let slash: &[u8] = if self.root.ends_with(b"/") { b"" } else { b"/" };
        [&self.root, slash, path].concat()
    }

    fn temporary(&self, name: &str) -> Vec<u8> {
        self.below(format!("{OWN_FOLDER}/{TEMPORARY}/{name}").as_bytes())
    }

    /// A name among the temporaries that nothing has: no other machine may write to what this run is going to rename.
    fn new_name(&self) -> String {
        format!("{:x}-{}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// True for a name that this run gave.
    fn is_own(&self, name: &str) -> bool {
        name.strip_prefix(file::HALF).unwrap_or(name).starts_with(&format!("{:x}-", self.run))
    }

    fn broken(&self, Broken(why): Broken) -> Failure {
        Failure::Passing(format!("the connection to {} was lost: {why}", self.name))
    }

    fn wait(&self, pending: Pending) -> Result<Answer, Failure> {
        pending.wait().map_err(|broken| self.broken(broken))
    }

    fn ask(&self, line: &Line, ask: &Ask) -> Result<Answer, Failure> {
        self.wait(line.send(ask, None).map_err(|broken| self.broken(broken))?)
    }

    /// Asks for the handle of a file or directory.
    fn handle(&self, doing: &str, line: &Line, ask: &Ask) -> Result<Vec<u8>, Failure> {
        match self.ask(line, ask)? {
            Answer::Handle(handle) => Ok(handle),
            answer => Err(self.failure(doing, &answer)),
        }
    }

    fn success(&self, doing: &str, answer: &Answer) -> Result<(), Failure> {
        match answer {
            Answer::Status(status::OK, _) => Ok(()),
            answer => Err(self.failure(doing, answer)),
        }
    }

    /// Why something failed that `doing` names. For a full disk SFTP has no more than "failure".
    fn failure(&self, doing: &str, answer: &Answer) -> Failure {
        let why = match answer {
            Answer::Status(status::PERMISSION_DENIED, _) => "permission denied".to_owned(),
            Answer::Status(status::NO_SUCH_FILE, _) => "no such file or directory".to_owned(),
            Answer::Status(status::UNSUPPORTED, _) => "the server has no such thing".to_owned(),
            Answer::Status(status::FAILURE, why) => {
                if self.is_full() {
                    return Failure::Full;
                }
                if !self.takes_more() {
                    return Failure::Gone(std::io::Error::other(TAKES_NOTHING));
                }
                format!("the server says only: {}", why.to_lowercase())
            }
            Answer::Status(_, why) => format!("the server says: {why}"),
            _ => "the server answers something else".to_owned(),
        };
        Failure::Refused(format!("{doing}: {why}"))
    }

    fn is_full(&self) -> bool {
        let asked = self.line().and_then(|line| self.ask(&line, &self.statvfs()));
        let Ok(Answer::Extended(body)) = asked else { return false };
        let mut fields = Fields(&body);
        let mut next = || fields.u64().unwrap_or(0);
        let (_, size, _, _, free, files, _, free_files) =
            (next(), next(), next(), next(), next(), next(), next(), next());
        free.saturating_mul(size) < NO_ROOM || (files > 0 && free_files == 0)
    }

    /// Whether a server that said only "failure" takes a small new file; also where that can not be found out.
    fn takes_more(&self) -> bool {
        self.look_only || self.line().and_then(|line| self.try_block(&line)).unwrap_or(true)
    }

    fn try_block(&self, line: &Line) -> Result<bool, Failure> {
        let path = self.temporary(&self.new_name());
        let flags = open::WRITE | open::CREATE | open::EXCLUSIVE;
        let ask = Ask::new(kind::OPEN).bytes(&path).u32(flags).attributes(&Attributes::default());
        let Answer::Handle(handle) = self.ask(line, &ask)? else { return Ok(false) };
        let ask = Ask::new(kind::WRITE).bytes(&handle).u64(0);
        let written = self.wait(line.send(&ask, Some(&[0; BLOCK])).map_err(|broken| self.broken(broken))?)?;
        let closed = self.ask(line, &Ask::new(kind::CLOSE).bytes(&handle))?;
        self.ask(line, &Ask::new(kind::REMOVE).bytes(&path))?;
        let is_good = |answer: &Answer| matches!(answer, Answer::Status(status::OK, _));
        Ok(is_good(&written) && is_good(&closed))
    }

    /// What stands at a path on the server.
    fn look(&self, path: &[u8]) -> Result<Option<Attributes>, Failure> {
        let line = self.line()?;
        match self.ask(&line, &Ask::new(kind::LSTAT).bytes(&self.below(path)))? {
            Answer::Attributes(found) => Ok(Some(found)),
            Answer::Status(status::NO_SUCH_FILE, _) => Ok(None),
            answer => Err(self.failure("looking", &answer)),
        }
    }

    /// Makes sure that a path is a directory, and that all on the way to it are; tells whether it stood there before this
    /// run. `None` where it is missing.
    fn know(&self, path: &[u8]) -> Result<Option<bool>, Failure> {
        if is_top(path) {
            return Ok(Some(self.found != Found::Empty));
        }
        if let Some(older) = lock(&self.directories).get(&key(path)) {
            return Ok(Some(*older));
        }
        let (parent, name) = split(path);
        if !is_plain(name) {
            return Err(Failure::Refused("its path has a part that is no name".into()));
        }
        if self.know(parent)?.is_none() {
            return Ok(None);
        }
        match self.look(path)?.map(|found| Kind::from_mode(found.mode.unwrap_or(0))) {
            None => Ok(None),
            Some(Kind::Directory) => {
                lock(&self.directories).insert(key(path), true);
                Ok(Some(true))
            }
            Some(_) => Err(Failure::Stands("a link or a file, where a directory is needed,")),
        }
    }

    /// A path below a directory that is known to be one.
    fn place(&self, path: &[u8]) -> Result<Vec<u8>, Failure> {
        let (parent, name) = split(path);
        if !is_plain(name) {
            return Err(Failure::Refused("its path has a part that is no name".into()));
        }
        match self.know(parent)? {
            Some(_) => Ok(self.below(path)),
            None => Err(Failure::Refused("its directory could not be made".into())),
        }
    }

    /// What a directory holds.
    fn list(&self, path: &[u8]) -> Result<Arc<Listing>, Failure> {
        let line = self.line()?;
        let handle = self.handle("opening a directory", &line, &Ask::new(kind::OPENDIR).bytes(&self.below(path)))?;
        let mut listing = Listing::new();
        let listed = loop {
            match self.ask(&line, &Ask::new(kind::READDIR).bytes(&handle))? {
                Answer::Names(names) if !names.is_empty() => {
                    listing.extend(names.into_iter().filter(|(name, _)| is_plain(name)));
                }
                Answer::Names(_) | Answer::Status(status::EOF, _) => break Ok(()),
                answer => break Err(self.failure("listing a directory", &answer)),
            }
        };
        self.ask(&line, &Ask::new(kind::CLOSE).bytes(&handle))?;
        listed.map(|()| Arc::new(listing))
    }

    /// The same, asked for once.
    fn listing(&self, path: &[u8]) -> Result<Arc<Listing>, Failure> {
        if let Some(listing) = lock(&self.listed).get(&key(path)) {
            return Ok(listing.clone());
        }
        let listing = self.list(path)?;
        lock(&self.listed).insert(key(path), listing.clone());
        Ok(listing)
    }

    /// Gives the whole file at `temporary` its name.
    fn appear(&self, line: &Line, temporary: &[u8], entry: &Entry<'_>) -> Result<(), Failure> {
        let place = self.place(entry.path)?;
        let replaces = entry.overwrite || !self.is_in_older(entry.path);
        let renamed = self.rename(line, temporary, &place, replaces);
        if renamed.as_ref().is_err_and(Failure::may_pass) {
            // It may have been done; the answer is lost.
            lock(&self.doubtful).insert(key(entry.path));
        }
        match renamed? {
            Answer::Status(status::OK, _) => Ok(()),
            answer => Err(match self.look(entry.path)? {
                Some(found) => Failure::Stands(word(Kind::from_mode(found.mode.unwrap_or(0)))),
                None => match answer {
                    Answer::Status(status::NO_SUCH_FILE, _) => cleared_away(),
                    answer => self.failure("naming it", &answer),
                },
            }),
        }
    }

    /// Makes a name as `ask` asks for it; what stands there makes way if the entry says so, and is no directory.
    fn make(
        &self,
        doing: &str,
        line: &Line,
        entry: &Entry<'_>,
        place: &[u8],
        ask: impl Fn() -> Ask,
    ) -> Result<(), Failure> {
        let mut made = self.ask(line, &ask())?;
        if !matches!(made, Answer::Status(status::OK, _)) {
            match self.look(entry.path)?.map(|found| Kind::from_mode(found.mode.unwrap_or(0))) {
                None => {}
                Some(there) if there == Kind::Directory || !entry.overwrite => {
                    return Err(Failure::Stands(word(there)));
                }
                Some(_) => {
                    self.ask(line, &Ask::new(kind::REMOVE).bytes(place))?;
                    made = self.ask(line, &ask())?;
                }
            }
        }
        self.success(doing, &made)
    }

    /// Renames. `replaces`: what has the name makes way, else the server keeps it (OpenSSH links and unlinks then).
    fn rename(&self, line: &Line, from: &[u8], to: &[u8], replaces: bool) -> Result<Answer, Failure> {
        const POSIX: &str = "posix-rename@openssh.com";
        let plain = Ask::new(kind::RENAME).bytes(from).bytes(to);
        if !replaces {
            return self.ask(line, &plain);
        }
        if line.has(POSIX) {
            return self.ask(line, &Ask::extended(POSIX).bytes(from).bytes(to));
        }
        match self.ask(line, &plain)? {
            Answer::Status(status::FAILURE, _) => {
                self.ask(line, &Ask::new(kind::REMOVE).bytes(to))?;
                self.ask(line, &plain)
            }
            answer => Ok(answer),
        }
    }

    fn is_in_older(&self, path: &[u8]) -> bool {
        lock(&self.directories).get(&key(split(path).0)).copied().unwrap_or(true)
    }

    /// Restores the attributes of something by its path. `link`: of a symbolic link itself.
    fn restore_at(&self, entry: &Entry<'_>, place: &[u8]) -> Result<Made, Failure> {
        const OF_LINKS: &str = "lsetstat@openssh.com";
        let (node, mut unkept, line) = (entry.node, attributes::unkept(entry), self.line()?);
        let is_link = node.kind == Kind::Symlink;
        let set = |attributes: &Attributes| match is_link {
            true if !line.has(OF_LINKS) => Ok(Answer::Status(status::UNSUPPORTED, String::new())),
            true => self.ask(&line, &Ask::extended(OF_LINKS).bytes(place).attributes(attributes)),
            false => self.ask(&line, &Ask::new(kind::SETSTAT).bytes(place).attributes(attributes)),
        };
        if let Some(all) = attributes::together(node).filter(|_| !is_link)
            && matches!(set(&all)?, Answer::Status(status::OK, _))
        {
            return Ok(unkept);
        }
        let owned = match attributes::owner(node) {
            Some(owner) => attributes::note(&mut unkept, "owner", &set(&owner)?),
            None => false,
        };
        if !is_link {
            let mode = attributes::mode(node, owned, &mut unkept);
            attributes::note(&mut unkept, "mode", &set(&mode)?);
        }
        if let Some(times) = attributes::times(node) {
            attributes::note(&mut unkept, "times", &set(&times)?);
        }
        Ok(unkept)
    }

    fn reading(&self, path: &[u8]) -> Result<Option<Reading<'_>>, Failure> {
        let line = self.line()?;
        let ask = Ask::new(kind::OPEN).bytes(path).u32(open::READ).attributes(&Attributes::default());
        let handle = match self.ask(&line, &ask)? {
            Answer::Handle(handle) => handle,
            Answer::Status(status::NO_SUCH_FILE, _) => return Ok(None),
            answer => return Err(self.failure("opening it", &answer)),
        };
        let (ahead, piece) = (VecDeque::new(), Vec::new());
        Ok(Some(Reading { sftp: self, line, handle, ahead, next: 0, piece, piece_at: 0, next_byte: 0 }))
    }
}

fn connect(way: &Way) -> Result<Line, String> {
    let child = way.sftp().map_err(|error| format!("starting ssh: {error}"))?;
    Line::open(child, way.stall).map_err(|Broken(why)| why)
}

/// A temporary is gone that was to be named: another machine's run clears away what it knows nothing of.
fn cleared_away() -> Failure {
    Failure::Forgotten("naming it: no such file; does another machine copy to the same place?".into())
}

/// What stands there, in words.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "another file",
        Kind::Directory => "a directory",
        Kind::Symlink => "a link",
        _ => "something else",
    }
}
