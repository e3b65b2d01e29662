//! A file on its way to a server: [`Sending`]; and a file's contents as such, [`Writing`].

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::listing::weak;
use super::{NAME, Server, WebDav, bad, good};
use crate::name::OWN_FOLDER;
use crate::node::Unkept;
use crate::sink::budget::Share;
use crate::sink::http::{Answer, Header};
use crate::sink::{Committed, Drain, Entry, Failure, lacks};
use crate::time::Time;

/// Where temporary files stand.
pub const FOLDER: &str = ".offmount/tmp";

/// Files up to this size are gathered in memory and sent at once.
pub const SMALL: u64 = 256 << 10;

/// Pieces of a stream that wait to be sent.
const WAITING: usize = 4;

/// What became of a file that is not to be found under its name.
const MISNAMED: &str = "the server did not give it its name, when it was sent and had only to be moved there (some cut names \
                        at ? and #)";

/// It is gone before it got its name.
const CLEARED_AWAY: &str = "what was sent is gone; does another machine copy to the same place?";

/// Sent, but not under its name yet.
#[derive(Default)]
struct Sent {
    /// The server took the time.
    has_time: bool,
    /// What it calls the contents.
    etag: Option<String>,
}

impl Sent {
    fn of(answer: &Answer) -> Self {
        let has_time = answer.header("X-OC-Mtime").is_some_and(|taken| taken == "accepted");
        Sent { has_time, etag: answer.header("ETag").map(weak) }
    }
}

/// A file being sent under a temporary name.
pub struct Sending {
    server: Arc<Server>,
    temporary: Vec<u8>,
    size: u64,
    modified: Option<Time>,
    at: u64,
    small: Vec<u8>,
    stream: Option<Stream>,
    is_moved: bool,
    /// The connection was lost: what is left over there is swept away later.
    is_lost: bool,
}

/// A thread that sends what it is handed.
struct Stream {
    pieces: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<Result<Sent, Failure>>>,
}

impl Sending {
    /// Begins a file of `size` bytes.
    pub fn begin(server: Arc<Server>, temporary: Vec<u8>, size: u64, modified: Option<Time>) -> Self {
        let small = Vec::with_capacity(if size <= SMALL { size as usize } else { 0 });
        Sending { server, temporary, size, modified, at: 0, small, stream: None, is_moved: false, is_lost: false }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.zeros_to(offset)?;
        self.add(bytes)
    }

    fn zeros_to(&mut self, offset: u64) -> Result<(), Failure> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while self.at < offset {
            let len = (offset - self.at).min(ZEROS.len() as u64) as usize;
            self.add(&ZEROS[..len])?;
        }
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.at += bytes.len() as u64;
        if self.size <= SMALL {
            self.small.extend_from_slice(bytes);
            return Ok(());
        }
        if self.stream.is_none() {
            self.stream = Some(self.open());
        }
        let pieces = self.stream.as_ref().and_then(|stream| stream.pieces.as_ref());
        match pieces.is_some_and(|pieces| pieces.send(bytes.to_vec()).is_ok()) {
            true => Ok(()),
            // The thread ended before it had everything: it knows why.
            false => Err(self.end().err().unwrap_or_else(|| Failure::Passing("the server took no more".into()))),
        }
    }

    fn open(&self) -> Stream {
        let (pieces, waiting) = sync_channel(WAITING);
        let (server, url) = (self.server.clone(), self.server.address(&self.temporary));
        let (size, modified) = (self.size, self.modified);
        let thread = std::thread::spawn(move || {
            let body = Pieces { waiting, piece: Vec::new(), at: 0, left: size };
            let (length, time) = (size.to_string(), seconds(modified));
            let headers = headers(&length, time.as_deref());
            taken(server.stream(&url, &headers, body)?).map(|answer| Sent::of(&answer))
        });
        Stream { pieces: Some(pieces), thread: Some(thread) }
    }

    /// Waits for the server to have it all.
    fn end(&mut self) -> Result<Sent, Failure> {
        let sent = self.end_sending();
        self.is_lost = sent.as_ref().is_err_and(Failure::may_pass);
        sent
    }

    fn end_sending(&mut self) -> Result<Sent, Failure> {
        if self.size <= SMALL {
            let (length, time) = (self.small.len().to_string(), seconds(self.modified));
            let headers = headers(&length, time.as_deref());
            let answer = self.server.send("PUT", &self.server.address(&self.temporary), &headers, &self.small)?;
            return taken(answer).map(|answer| Sent::of(&answer));
        }
        let thread = self.stream.take().and_then(|mut stream| {
            stream.pieces = None;
            stream.thread.take()
        });
        let lost = || Failure::Passing("the sending of it ended early".into());
        thread.ok_or_else(lost)?.join().map_err(|_| lost())?
    }

    /// Makes the file appear at `path`, in place of what stands there if `overwrite` says so.
    fn finish(&mut self, path: &[u8], overwrite: bool) -> Result<Sent, Failure> {
        self.zeros_to(self.size)?;
        let sent = self.end()?;
        let (from, to) = (self.server.address(&self.temporary), self.server.address(path));
        let headers = [("Destination", &*to), ("Overwrite", if overwrite { "T" } else { "F" })];
        let answer = self.server.send("MOVE", &from, &headers, b"")?;
        if !answer.is_good() {
            let is_gone = matches!(answer.status(), 403 | 404 | 409 | 412) && self.is_gone()?;
            match is_gone {
                false => return Err(bad(answer)),
                // The file has its name already, and only the answer to that was lost.
                true if self.etag(path).is_ok() => {}
                // Another machine's run clears away what it knows nothing of.
                true => return Err(Failure::Forgotten(CLEARED_AWAY.into())),
            }
        }
        self.is_moved = true;
        Ok(sent)
    }

    fn is_gone(&self) -> Result<bool, Failure> {
        Ok(self.server.send("HEAD", &self.server.address(&self.temporary), &[], b"")?.status() == 404)
    }

    /// What the server calls the file at `path`, which must be there, whole.
    fn etag(&self, path: &[u8]) -> Result<Option<String>, Failure> {
        let answer = good(self.server.send("HEAD", &self.server.address(path), &[], b"")?);
        let answer = answer.map_err(|_| Failure::Refused(MISNAMED.into()))?;
        let length = answer.header("Content-Length").and_then(|length| length.parse::<u64>().ok());
        match length {
            Some(length) if length != self.size => Err(Failure::Refused(MISNAMED.into())),
            _ => Ok(answer.header("ETag").map(weak)),
        }
    }
}

/// Refuses what is no good answer to a file. Servers that can not write it say that in many ways: `rclone` that its method is
/// not allowed.
fn taken(answer: Answer) -> Result<Answer, Failure> {
    match answer.status() {
        status @ (403 | 405 | 409) => Err(Failure::Refused(format!(
            "the server does not take it ({status}): it may be full, or not let us write"
        ))),
        _ => good(answer),
    }
}

/// True for a name in which some servers see the end of a path.
fn is_cut(path: &[u8]) -> bool {
    path.iter().any(|b| b"?#;".contains(b))
}

/// `X-OC-Mtime` is in whole seconds; a server that takes it says so.
fn headers<'h>(length: &'h str, seconds: Option<&'h str>) -> Vec<Header<'h>> {
    let time = seconds.map(|seconds| ("X-OC-Mtime", seconds));
    [("Content-Length", length), ("Content-Type", "application/octet-stream")].into_iter().chain(time).collect()
}

fn seconds(modified: Option<Time>) -> Option<String> {
    modified.filter(|time| time.is_valid() && time.secs > 0).map(|time| time.secs.to_string())
}

impl Drop for Sending {
    fn drop(&mut self) {
        let begun = self.stream.is_some() || self.at > 0;
        if let Some(mut stream) = self.stream.take() {
            // The thread's body ends short of what was announced, and the request with it.
            stream.pieces = None;
            let _ = stream.thread.take().map(JoinHandle::join);
        }
        if begun && !self.is_moved && !self.is_lost {
            let _ = self.server.send("DELETE", &self.server.address(&self.temporary), &[], b"");
        }
    }
}

/// Pieces handed over by another thread, as a stream.
struct Pieces {
    waiting: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
    left: u64,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && self.left > 0 {
            // Given up: a body that ended here in good order could be taken for the whole file.
            let given_up = |_| io::Error::new(io::ErrorKind::UnexpectedEof, "given up");
            self.piece = self.waiting.recv().map_err(given_up)?;
            self.at = 0;
        }
        let len = (self.piece.len() - self.at).min(buffer.len());
        buffer[..len].copy_from_slice(&self.piece[self.at..self.at + len]);
        self.at += len;
        self.left = self.left.saturating_sub(len as u64);
        Ok(len)
    }
}

/// A file's contents, on their way.
pub struct Writing<'a> {
    dav: &'a WebDav,
    sending: Sending,
    /// Of what may be on its way, once a byte is.
    share: Option<Share>,
    entry: &'a Entry<'a>,
}

impl<'a> Writing<'a> {
    /// The contents of `entry`.
    pub fn new(dav: &'a WebDav, sending: Sending, entry: &'a Entry<'a>) -> Self {
        Writing { dav, sending, share: dav.share(entry.node.size), entry }
    }
}

impl Drain for Writing<'_> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.sending.write_at(offset, bytes)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, Failure> {
        let committed = self.finish();
        if committed.as_ref().is_err_and(Failure::may_pass) {
            // It may have been moved to its name; an answer is lost.
            self.dav.doubt(self.entry.path);
        }
        committed
    }
}

impl Writing<'_> {
    fn finish(&mut self) -> Result<Committed, Failure> {
        let Entry { path, overwrite, .. } = *self.entry;
        let Sent { has_time, etag } = self.sending.finish(path, overwrite)?;
        self.share = None;
        let mut unkept = lacks::of(self.entry, NAME);
        let etag = match etag {
            _ if is_cut(path) => self.sending.etag(path)?,
            _ if has_time => None,
            Some(etag) if self.dav.tags.are_kept() => Some(etag),
            etag => {
                let now = self.sending.etag(path)?;
                self.dav.tags.note(etag.is_some() && etag == now);
                now
            }
        };
        if has_time {
            unkept.retain(|it| it.what != "times");
            unkept.push(Unkept { what: Unkept::NANOSECONDS.into(), why: "WebDAV keeps whole seconds".into() });
        }
        Ok(Committed { unkept, etag, packed: None })
    }
}

/// Sends one of offmount's own files.
pub fn send_own(server: Arc<Server>, temporary: Vec<u8>, name: &str, mut file: &File) -> Result<(), Failure> {
    let reading = |error: io::Error| Failure::Refused(format!("reading {name}: {error}"));
    io::Seek::rewind(&mut file).map_err(reading)?;
    let size = file.metadata().map_err(reading)?.len();
    let mut sending = Sending::begin(server, temporary, size, None);
    let (mut buffer, mut at) = (vec![0; 256 << 10], 0);
    while at < size {
        match file.read(&mut buffer).map_err(reading)? {
            0 => break,
            n => sending.write_at(at, &buffer[..n])?,
        }
        at = sending.at;
    }
    sending.finish(format!("{}/{name}", OWN_FOLDER).as_bytes(), true).map(drop)
}
