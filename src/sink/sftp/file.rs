//! A file on its way to a server: under a temporary name until it is whole.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::{Committed, Drain, Entry, Failure, Half, Made, Mark, ReadBack, Token};
use super::line::{Line, Pending};
use super::packet::{Answer, Ask, Attributes, kind, open, status};
use super::{PART, Sftp, attributes};

/// Requests of one file that wait for their answers.
const IN_FLIGHT: usize = 32;

/// How the name of a temporary begins that can be gone on with.
pub const HALF: &str = "half-";

/// A file being written.
pub struct Writing<'a> {
    sftp: &'a Sftp,
    line: Arc<Line>,
    entry: &'a Entry<'a>,
    /// Path of the temporary.
    temporary: Vec<u8>,
    /// Its name, where it can be gone on with.
    name: Option<String>,
    handle: Vec<u8>,
    /// Writes that are not answered: where they begin.
    in_flight: VecDeque<(u64, Pending)>,
    /// Where the next byte goes.
    at: u64,
    held: u64,
    /// End of the last part that was told to be taken.
    told: u64,
    is_over: bool,
}

impl<'a> Writing<'a> {
    /// A new temporary for `entry`, or what `half` left of it.
    pub fn begin(sftp: &'a Sftp, entry: &'a Entry<'a>, half: Option<&Half>) -> Result<Self, Failure> {
        let line = sftp.line()?;
        let left = half.and_then(|half| half.token.get("name")?.as_str().filter(|name| is_ours(name)));
        if let (Some(half), Some(name)) = (half, left)
            && let Some(found) = Self::go_on(sftp, &line, entry, half, name)?
        {
            return Ok(found);
        }
        let is_large = entry.node.size >= PART * 2;
        let name = format!("{}{}", if is_large { HALF } else { "" }, sftp.new_name());
        let temporary = sftp.temporary(&name);
        let flags = open::WRITE | open::CREATE | open::EXCLUSIVE;
        let mode = Attributes { mode: Some(0o600), ..Attributes::default() };
        let ask = Ask::new(kind::OPEN).bytes(&temporary).u32(flags).attributes(&mode);
        let handle = sftp.handle("making a file", &line, &ask)?;
        Ok(Writing {
            sftp,
            line,
            entry,
            temporary,
            name: is_large.then_some(name),
            handle,
            in_flight: VecDeque::new(),
            at: 0,
            held: 0,
            told: 0,
            is_over: false,
        })
    }

    fn go_on(
        sftp: &'a Sftp,
        line: &Arc<Line>,
        entry: &'a Entry<'a>,
        half: &Half,
        name: &str,
    ) -> Result<Option<Self>, Failure> {
        let temporary = sftp.temporary(name);
        let ask = Ask::new(kind::OPEN).bytes(&temporary).u32(open::WRITE).attributes(&Attributes::default());
        let handle = match sftp.handle("opening what was sent", line, &ask) {
            Ok(handle) => handle,
            Err(failure) if failure.may_pass() => return Err(failure),
            Err(_) => return Ok(None),
        };
        let size = match sftp.ask(line, &Ask::new(kind::FSTAT).bytes(&handle))? {
            Answer::Attributes(found) => found.size.unwrap_or(0),
            _ => 0,
        };
        let held = half.marks.iter().map(|mark| mark.end).filter(|end| *end <= size).max().unwrap_or(0);
        Ok(Some(Writing {
            sftp,
            line: line.clone(),
            entry,
            temporary,
            name: Some(name.to_owned()),
            handle,
            in_flight: VecDeque::new(),
            at: held,
            held,
            told: held,
            is_over: false,
        }))
    }

    /// Takes the answers that are there; waits for those beyond `most`.
    fn settle(&mut self, most: usize) -> Result<(), Failure> {
        while let Some((_, pending)) = self.in_flight.front() {
            let answer = match pending.look().map_err(|broken| self.sftp.broken(broken))? {
                Some(answer) => answer,
                None if self.in_flight.len() <= most => return Ok(()),
                None => {
                    let Some((_, pending)) = self.in_flight.pop_front() else { return Ok(()) };
                    let answer = pending.wait().map_err(|broken| self.sftp.broken(broken))?;
                    self.sftp.success("writing", &answer)?;
                    continue;
                }
            };
            self.in_flight.pop_front();
            self.sftp.success("writing", &answer)?;
        }
        Ok(())
    }

    fn send(&self, ask: &Ask) -> Result<Pending, Failure> {
        self.line.send(ask, None).map_err(|broken| self.sftp.broken(broken))
    }

    /// Asks for the file's length, where it ends with a hole.
    fn set_size(&self) -> Result<Option<Pending>, Failure> {
        let size = self.entry.node.size;
        let lacks = self.at < size;
        lacks.then(|| self.set(&Attributes { size: Some(size), ..Attributes::default() })).transpose()
    }

    /// Waits for all that was written, for the length and for the end.
    fn end(&mut self, size: Option<Pending>, close: Pending) -> Result<(), Failure> {
        self.settle(0)?;
        if let Some(size) = size {
            self.sftp.success("setting its length", &self.sftp.wait(size)?)?;
        }
        self.sftp.success("closing it", &self.sftp.wait(close)?)?;
        self.handle.clear();
        Ok(())
    }

    /// Closes the file with its attributes set at once.
    fn close_with(&mut self, all: &Attributes) -> Result<Made, Failure> {
        let (size, all) = (self.set_size()?, self.set(all)?);
        let close = self.send(&Ask::new(kind::CLOSE).bytes(&self.handle))?;
        self.end(size, close)?;
        match self.sftp.wait(all)? {
            Answer::Status(status::OK, _) => Ok(attributes::unkept(self.entry)),
            _ => self.sftp.restore_at(self.entry, &self.temporary),
        }
    }

    /// Closes the file with its attributes set one by one.
    fn close(&mut self) -> Result<Made, Failure> {
        let node = self.entry.node;
        let (mut unkept, size) = (attributes::unkept(self.entry), self.set_size()?);
        // The owner first: changing it takes setuid away. The server takes requests about one file in order.
        let mut owner = attributes::owner(node).map(|owner| self.set(&owner)).transpose()?;
        let is_owned = match owner.take_if(|_| attributes::needs_owner(node)) {
            Some(pending) => attributes::note(&mut unkept, "owner", &self.sftp.wait(pending)?),
            None => owner.is_some(),
        };
        let mode = self.set(&attributes::mode(node, is_owned, &mut unkept))?;
        let times = attributes::times(node).map(|times| self.set(&times)).transpose()?;
        let close = self.send(&Ask::new(kind::CLOSE).bytes(&self.handle))?;
        self.end(size, close)?;
        for (what, pending) in [("owner", owner), ("mode", Some(mode)), ("times", times)] {
            if let Some(pending) = pending {
                attributes::note(&mut unkept, what, &self.sftp.wait(pending)?);
            }
        }
        Ok(unkept)
    }

    fn set(&self, attributes: &Attributes) -> Result<Pending, Failure> {
        self.send(&Ask::new(kind::FSETSTAT).bytes(&self.handle).attributes(attributes))
    }
}

/// True for a name that leads nowhere else.
fn is_ours(name: &str) -> bool {
    name.starts_with(HALF) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl Drain for Writing<'_> {
    fn token(&self) -> Token {
        self.name.as_ref().map_or(Token::Null, |name| serde_json::json!({ "name": name }))
    }

    fn held(&self) -> u64 {
        self.held
    }

    fn write_at(&mut self, mut offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        for piece in bytes.chunks(self.line.piece) {
            let ask = Ask::new(kind::WRITE).bytes(&self.handle).u64(offset);
            let pending = self.line.send(&ask, Some(piece)).map_err(|broken| self.sftp.broken(broken))?;
            self.in_flight.push_back((offset, pending));
            offset += piece.len() as u64;
            self.at = offset;
            self.settle(IN_FLIGHT)?;
        }
        Ok(())
    }

    fn taken(&mut self) -> Result<Vec<Mark>, Failure> {
        self.settle(IN_FLIGHT)?;
        let taken = self.in_flight.front().map_or(self.at, |(begin, _)| *begin);
        let mut marks = Vec::new();
        while self.told + PART <= taken {
            self.told += PART;
            marks.push(Mark { end: self.told, note: Token::Null });
        }
        Ok(marks)
    }

    fn suspend(mut self: Box<Self>) {
        self.is_over = self.name.is_some();
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, Failure> {
        let unkept = match attributes::together(self.entry.node).filter(|_| self.sftp.is_root) {
            Some(all) => self.close_with(&all)?,
            None => self.close()?,
        };
        self.sftp.appear(&self.line, &self.temporary, self.entry)?;
        self.is_over = true;
        Ok(unkept.into())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // What can not be told any more is swept away by the next run.
        if !self.handle.is_empty() {
            let _ = self.send(&Ask::new(kind::CLOSE).bytes(&self.handle)).map(Pending::wait);
        }
        if !self.is_over {
            let _ = self.send(&Ask::new(kind::REMOVE).bytes(&self.temporary)).map(Pending::wait);
        }
    }
}

/// A file being read back, with requests ahead of what is asked for.
pub struct Reading<'a> {
    pub(super) sftp: &'a Sftp,
    pub(super) line: Arc<Line>,
    pub(super) handle: Vec<u8>,
    pub(super) ahead: VecDeque<(u64, Pending)>,
    pub(super) next: u64,
    pub(super) piece: Vec<u8>,
    pub(super) piece_at: u64,
    /// Where [`std::io::Read`] goes on.
    pub(super) next_byte: u64,
}

/// Requests sent ahead.
const AHEAD: usize = 16;

impl Reading<'_> {
    /// The piece that begins at `offset`; false at the end of the file.
    fn fetch(&mut self, offset: u64) -> Result<bool, Failure> {
        if self.ahead.front().is_none_or(|(at, _)| *at != offset) {
            self.ahead.clear();
            self.next = offset;
        }
        while self.ahead.len() < AHEAD {
            let ask = Ask::new(kind::READ).bytes(&self.handle).u64(self.next).u32(self.line.piece as u32);
            let pending = self.line.send(&ask, None).map_err(|broken| self.sftp.broken(broken))?;
            self.ahead.push_back((self.next, pending));
            self.next += self.line.piece as u64;
        }
        let Some((_, pending)) = self.ahead.pop_front() else { return Ok(false) };
        match self.sftp.wait(pending)? {
            Answer::Data(data) if !data.is_empty() => (self.piece, self.piece_at) = (data, offset),
            Answer::Data(_) | Answer::Status(status::EOF, _) => return Ok(false),
            answer => return Err(self.sftp.failure("reading", &answer)),
        }
        Ok(true)
    }
}

impl ReadBack for Reading<'_> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let has = |it: &Self| it.piece_at <= offset && offset < it.piece_at + it.piece.len() as u64;
        if !has(self) && !self.fetch(offset)? {
            return Ok(0);
        }
        let from = (offset - self.piece_at) as usize; // within the piece
        let n = (self.piece.len() - from).min(buffer.len());
        buffer[..n].copy_from_slice(&self.piece[from..from + n]);
        Ok(n)
    }
}

impl std::io::Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // Read from start to end: what was read last tells where.
        let at = self.next_byte;
        let n = self.read_at(at, buffer)?;
        self.next_byte += n as u64;
        Ok(n)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let _ = self.line.send(&Ask::new(kind::CLOSE).bytes(&self.handle), None);
    }
}
