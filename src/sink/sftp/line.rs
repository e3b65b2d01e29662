//! A connection to a server of SFTP: [`Line`]. Requests are sent from many threads and answered in any order.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::packet::{Answer, Ask, Fields};

/// Longest packet taken from a server; OpenSSH's are 256 KiB at most.
const LONGEST: u32 = 4 << 20;

/// Bytes of a file in a request where the server does not say: every server takes these (the draft's section 3).
const PIECE: usize = 32 << 10;

/// Bytes of a file in a request at most.
const MOST: u64 = 255 << 10;

/// Bytes handed to `ssh` at once: so often is seen that something moves.
const AT_ONCE: usize = 32 << 10;

/// How often it is looked whether something moves.
const LOOK: Duration = Duration::from_secs(1);

/// How much of what `ssh` says is kept.
const SAID: usize = 4 << 10;

/// The connection broke.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

/// A connection: a process that speaks SFTP on its pipes, and what waits for answers.
pub struct Line {
    input: Mutex<Option<ChildStdin>>,
    shared: Arc<Shared>,
    child: Arc<Mutex<Child>>,
    /// Extensions of the server, with their versions.
    extensions: HashMap<Vec<u8>, Vec<u8>>,
    /// Bytes of a file in one request.
    pub piece: usize,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    said: Mutex<Vec<u8>>,
    /// Counts what moves, in either direction.
    moved: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    next: u32,
    senders: HashMap<u32, Sender<Answer>>,
    broken: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer that is still to come.
pub struct Pending {
    receiver: Receiver<Answer>,
    shared: Arc<Shared>,
}

impl Pending {
    /// Waits for the answer.
    pub fn wait(self) -> Result<Answer, Broken> {
        self.receiver.recv().map_err(|_| self.shared.why())
    }

    /// The answer, if it is there.
    pub fn look(&self) -> Result<Option<Answer>, Broken> {
        match self.receiver.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(self.shared.why()),
        }
    }
}

impl Shared {
    fn why(&self) -> Broken {
        let said = lock(&self.said);
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines.is_empty() {
            true => Broken("the connection broke".into()),
            false => Broken(lines.join("; ")),
        }
    }
}

impl Line {
    /// Greets the server that `child` leads to.
    pub fn open(mut child: Child, stall: Duration) -> Result<Self, Broken> {
        let shared = Arc::new(Shared::default());
        let no_pipe = || Broken("the program in place of ssh has no pipes".into());
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut input, output) = (input.ok_or_else(no_pipe)?, output.ok_or_else(no_pipe)?);
        let listener = errors.map(|errors| {
            let shared = shared.clone();
            std::thread::spawn(move || listen(errors, &shared))
        });
        let mut output = BufReader::with_capacity(1 << 16, output);
        let greeted = greet(&mut input, &mut output);
        let hello = match greeted {
            Ok(hello) => hello,
            Err(error) => {
                drop((input, output));
                let _ = child.wait();
                let _ = listener.map(std::thread::JoinHandle::join);
                let Broken(said) = shared.why();
                return Err(Broken(if lock(&shared.said).is_empty() { error.to_string() } else { said }));
            }
        };
        let (taking, watched, child) = (shared.clone(), shared.clone(), Arc::new(Mutex::new(child)));
        std::thread::spawn(move || take(output, &taking));
        let process = child.clone();
        std::thread::spawn(move || watch(&watched, &process, stall));
        let mut line =
            Line { input: Mutex::new(Some(input)), shared, child, extensions: extensions(&hello), piece: PIECE };
        line.ask_limits()?;
        Ok(line)
    }

    /// OpenSSH tells how long a request may be (`limits@openssh.com`).
    fn ask_limits(&mut self) -> Result<(), Broken> {
        if !self.has("limits@openssh.com") {
            return Ok(());
        }
        if let Answer::Extended(body) = self.send(&Ask::extended("limits@openssh.com"), None)?.wait()? {
            let mut fields = Fields(&body);
            let (_packet, read, write) = (fields.u64(), fields.u64().unwrap_or(0), fields.u64().unwrap_or(0));
            let least = read.min(write).min(MOST);
            if least >= PIECE as u64 {
                self.piece = least as usize; // at most MOST
            }
        }
        Ok(())
    }

    /// True if the server has an extension.
    pub fn has(&self, extension: &str) -> bool {
        self.extensions.contains_key(extension.as_bytes())
    }

    /// True if the connection is known to be broken.
    pub fn is_broken(&self) -> bool {
        lock(&self.shared.waiting).broken
    }

    /// Sends a request. Waits only for room in the pipe.
    pub fn send(&self, ask: &Ask, data: Option<&[u8]>) -> Result<Pending, Broken> {
        let (sender, receiver) = channel();
        let id = {
            let mut waiting = lock(&self.shared.waiting);
            if waiting.broken {
                return Err(self.shared.why());
            }
            waiting.next = waiting.next.wrapping_add(1);
            let id = waiting.next;
            waiting.senders.insert(id, sender);
            id
        };
        let head = ask.head(id, data);
        let mut input = lock(&self.input);
        let sent = match input.as_mut() {
            None => Err(io::ErrorKind::BrokenPipe.into()),
            Some(input) => input.write_all(&head).and_then(|()| {
                data.unwrap_or_default().chunks(AT_ONCE).try_for_each(|piece| {
                    self.shared.moved.fetch_add(1, Ordering::Relaxed);
                    input.write_all(piece)
                })
            }),
        };
        if sent.is_err() {
            *input = None;
            break_off(&self.shared);
            return Err(self.shared.why());
        }
        Ok(Pending { receiver, shared: self.shared.clone() })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        *lock(&self.input) = None;
        let mut child = lock(&self.child);
        // A server that answers its last requests ends by itself; one that hangs does not keep us.
        for _ in 0..20 {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Ends a connection over which nothing has moved for `stall`, while answers are waited for.
fn watch(shared: &Shared, child: &Mutex<Child>, stall: Duration) {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        std::thread::sleep(LOOK.min(stall));
        let (is_broken, is_idle) = {
            let waiting = lock(&shared.waiting);
            (waiting.broken, waiting.senders.is_empty())
        };
        let moved = shared.moved.load(Ordering::Relaxed);
        if is_broken {
            return;
        }
        if is_idle || moved != seen {
            (seen, since) = (moved, Instant::now());
        } else if since.elapsed() >= stall {
            lock(&shared.said).extend(format!("\nnothing has moved over it for {} s", stall.as_secs()).bytes());
            let _ = lock(child).kill();
            return;
        }
    }
}

fn break_off(shared: &Shared) {
    let mut waiting = lock(&shared.waiting);
    waiting.broken = true;
    // Those who wait find their sender gone.
    waiting.senders.clear();
}

/// Takes answers until the connection ends.
fn take(mut output: BufReader<ChildStdout>, shared: &Shared) {
    while let Ok(packet) = read_packet(&mut output) {
        let Some((id, answer)) = Answer::parse(&packet) else { break };
        shared.moved.fetch_add(1, Ordering::Relaxed);
        let sender = lock(&shared.waiting).senders.remove(&id);
        if let Some(sender) = sender {
            // Who asked may have lost interest.
            let _ = sender.send(answer);
        }
    }
    break_off(shared);
}

/// Keeps the first of what `ssh` says about the connection.
fn listen(mut errors: ChildStderr, shared: &Shared) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = errors.read(&mut buffer) {
        let mut said = lock(&shared.said);
        let room = SAID.saturating_sub(said.len()).min(n);
        said.extend_from_slice(&buffer[..room]);
    }
}

fn read_packet(output: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    output.read_exact(&mut len)?;
    let len = u32::from_be_bytes(len);
    if len > LONGEST {
        return Err(io::Error::other("what answers does not speak SFTP (does the login print a message?)"));
    }
    let mut packet = vec![0; len as usize];
    output.read_exact(&mut packet)?;
    Ok(packet)
}

/// `SSH_FXP_INIT` and `SSH_FXP_VERSION`, for version 3; returns what follows the version.
fn greet(input: &mut ChildStdin, output: &mut impl Read) -> io::Result<Vec<u8>> {
    input.write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3])?;
    let hello = read_packet(output)?;
    match hello.split_first_chunk::<5>() {
        Some(([2, version @ ..], rest)) if u32::from_be_bytes(*version) >= 3 => Ok(rest.to_vec()),
        _ => Err(io::Error::other("the server does not speak SFTP version 3")),
    }
}

fn extensions(hello: &[u8]) -> HashMap<Vec<u8>, Vec<u8>> {
    let (mut fields, mut found) = (Fields(hello), HashMap::new());
    while let (Some(name), Some(version)) = (fields.bytes(), fields.bytes()) {
        found.insert(name.to_vec(), version.to_vec());
    }
    found
}
