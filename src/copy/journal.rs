//! What is half-sent, so that a run that is killed can be gone on with: [`Journal`].
//!
//! A file of lines of JSON that only grows while a run is at work. Each line is one write; a torn last line is ignored, and
//! then the part it tells of is sent again. Of each file: that it was begun, from which source, and how the destination
//! finds it again; the hash of every part that the destination took; that it is over, done or dropped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::Error;
use super::previous::{Key, key};
use crate::name::escaped;
use crate::sink::local::Folder;
use crate::sink::{Half, Mark, Token};

/// Its name in offmount's own folder.
pub const NAME: &str = "journal.jsonl";

/// Its name while it is written anew.
const NEW: &str = "journal.new.jsonl";

/// The hash of the source's bytes in a part.
pub type PartHash = [u8; 32];

/// A half-sent file.
#[derive(Clone, Debug)]
pub struct Sent {
    source: String,
    part_size: u64,
    /// What the destination needs.
    pub half: Half,
    /// Of each of its marks' parts.
    pub hashes: Vec<PartHash>,
}

/// The journal of a run.
pub struct Journal {
    state: Mutex<State>,
}

struct State {
    file: File,
    sent: HashMap<Key, Sent>,
}

/// One line.
#[derive(Serialize, Deserialize)]
struct Line {
    file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<Begun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
}

#[derive(Serialize, Deserialize)]
struct Begun {
    path: String,
    source: String,
    part_size: u64,
    token: Token,
}

#[derive(Serialize, Deserialize)]
struct Part {
    hash: String,
    #[serde(flatten)]
    mark: Mark,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

impl Journal {
    /// Reads what an earlier run left in offmount's own folder, and goes on from there.
    pub fn open(folder: &Folder) -> Result<Self, Error> {
        let failed = |error| Error::Destination(format!("opening {NAME}"), error);
        let mut sent = HashMap::new();
        if let Some(file) = folder.open_file(NAME).map_err(failed)? {
            read(BufReader::new(file), &mut sent).map_err(failed)?;
        }
        // Written anew, so that it does not grow from run to run.
        let mut state = State { file: folder.create(NEW).map_err(failed)?, sent: HashMap::new() };
        for (file, it) in sent {
            state.begin(file, String::new(), it).map_err(failed)?;
        }
        folder.rename(NEW, NAME).map_err(failed)?;
        Ok(Journal { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the destination must keep.
    pub fn tokens(&self) -> Vec<Token> {
        self.lock().sent.values().map(|sent| sent.half.token.clone()).collect()
    }

    /// What was sent of the very same source to a path, in parts of this size.
    pub fn sent(&self, path: &[u8], source: &Key, part_size: u64) -> Option<Sent> {
        let state = self.lock();
        let sent = state.sent.get(&key(path))?;
        (sent.source == hex(source) && sent.part_size == part_size).then(|| sent.clone())
    }

    /// How many parts of a file are known to have been taken.
    pub fn parts_sent(&self, path: &[u8]) -> usize {
        self.lock().sent.get(&key(path)).map_or(0, |sent| sent.hashes.len())
    }

    /// A file is begun.
    pub fn begin(&self, path: &[u8], source: &Key, part_size: u64, token: Token) -> io::Result<()> {
        let half = Half { token, marks: Vec::new() };
        let sent = Sent { source: hex(source), part_size, half, hashes: Vec::new() };
        self.lock().begin(key(path), escaped(path).to_string(), sent)
    }

    /// A file is gone on with, of which the destination holds `held` bytes.
    pub fn go_on(&self, path: &[u8], held: u64) -> io::Result<()> {
        let mut state = self.lock();
        let Some(mut sent) = state.sent.remove(&key(path)) else { return Ok(()) };
        let whole = sent.half.marks.iter().take_while(|mark| mark.end <= held).count();
        sent.half.marks.truncate(whole);
        sent.hashes.truncate(whole);
        state.begin(key(path), escaped(path).to_string(), sent)
    }

    /// The destination took a part.
    pub fn part(&self, path: &[u8], hash: PartHash, mark: Mark) -> io::Result<()> {
        let mut state = self.lock();
        let Some(sent) = state.sent.get_mut(&key(path)) else { return Ok(()) };
        sent.hashes.push(hash);
        sent.half.marks.push(mark.clone());
        state.write(&Line { part: Some(Part { hash: hex(&hash), mark }), ..Line::of(key(path)) })
    }

    /// A file is complete, or given up.
    pub fn over(&self, path: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        if state.sent.remove(&key(path)).is_none() {
            return Ok(());
        }
        state.write(&Line { over: true, ..Line::of(key(path)) })
    }

    /// Removes the journal if nothing is half-sent.
    pub fn close(self, folder: &Folder) -> io::Result<()> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.sent.is_empty() { folder.remove(NAME) } else { Ok(()) }
    }
}

impl Line {
    fn of(file: Key) -> Self {
        Line { file: hex(&file), begun: None, part: None, over: false }
    }
}

impl State {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)
    }

    fn begin(&mut self, file: Key, path: String, sent: Sent) -> io::Result<()> {
        let begun =
            Begun { path, source: sent.source.clone(), part_size: sent.part_size, token: sent.half.token.clone() };
        self.write(&Line { begun: Some(begun), ..Line::of(file) })?;
        for (hash, mark) in sent.hashes.iter().zip(&sent.half.marks) {
            self.write(&Line { part: Some(Part { hash: hex(hash), mark: mark.clone() }), ..Line::of(file) })?;
        }
        self.sent.insert(file, sent);
        Ok(())
    }
}

fn read(mut input: impl BufRead, sent: &mut HashMap<Key, Sent>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some((file, line)) =
            serde_json::from_slice::<Line>(&line).ok().and_then(|it| Some((unhex(&it.file)?, it)))
        {
            apply(file, line, sent);
        }
    }
}

fn apply(file: Key, line: Line, sent: &mut HashMap<Key, Sent>) {
    if line.over {
        sent.remove(&file);
    }
    if let Some(Begun { source, part_size, token, .. }) = line.begun {
        let half = Half { token, marks: Vec::new() };
        sent.insert(file, Sent { source, part_size, half, hashes: Vec::new() });
    }
    if let Some(Part { hash, mark }) = line.part
        && let Some(it) = sent.get_mut(&file)
        && let Some(hash) = unhex(&hash)
        // A gap would be a damaged line: what follows it counts for nothing.
        && mark.end == it.part_size.saturating_mul(it.hashes.len() as u64 + 1)
    {
        it.hashes.push(hash);
        it.half.marks.push(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_costs_one_part_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder =
            || Folder::open(crate::sink::local::open_root(dir.path()).unwrap().root(), "own").unwrap().unwrap();
        let (source, mark) = ([7; 16], |n: u64| Mark { end: n * 10, note: Token::from(n) });
        let first = folder();
        let journal = Journal::open(&first).unwrap();
        journal.begin(b"a/b", &source, 10, Token::from("id")).unwrap();
        journal.begin(b"over", &source, 10, Token::Null).unwrap();
        journal.over(b"over").unwrap();
        (1..=3).for_each(|n| journal.part(b"a/b", [n as u8; 32], mark(n)).unwrap());
        drop((journal, first));
        let path = dir.path().join("own").join(NAME);
        let text = std::fs::read(&path).unwrap();
        let third = text.split(|&b| b == b'\n').position(|line| line.ends_with(b"30,\"note\":3}}")).unwrap();
        let kept: Vec<&[u8]> = text.split(|&b| b == b'\n').take(third).collect();
        std::fs::write(&path, [&kept.join(&b'\n')[..], b"\n{\"file\":\"00", b"\xff\n"].concat()).unwrap();
        let again = folder();
        let journal = Journal::open(&again).unwrap();
        let sent = journal.sent(b"a/b", &source, 10).unwrap();
        assert_eq!((sent.hashes, sent.half.marks), (vec![[1; 32], [2; 32]], vec![mark(1), mark(2)]));
        assert!(journal.sent(b"a/b", &[8; 16], 10).is_none() && journal.sent(b"a/b", &source, 20).is_none());
        assert_eq!(journal.tokens(), [Token::from("id")]);
        journal.go_on(b"a/b", 15).unwrap();
        assert_eq!(journal.sent(b"a/b", &source, 10).unwrap().hashes.len(), 1);
    }
}
