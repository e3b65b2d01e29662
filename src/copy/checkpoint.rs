//! What a run that never comes back leaves in a destination far away: [`Keeper`].
//!
//! Manifest and journal lie in a folder of this machine while a copy runs, and go with it: a rescue system that starts anew
//! has forgotten everything. So the lines that were added to them are put into the destination every few minutes, in pieces
//! under names of their own. A run that knows nothing of them here puts the pieces together again ([`fetch`]); one that comes
//! to its end puts the whole manifest there and takes the pieces away.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::journal;
use super::previous::Previous;
use super::there::{There, broken, copy_all, first_line};
use crate::manifest::{AHEAD, NAME, PARTIAL};
use crate::sink::local::Folder;
use crate::sink::{Failure, Store};

/// What is put there at least so often, unless the user says otherwise.
pub const CHECKPOINT: Duration = Duration::from_secs(120);

/// Longest piece, but for a longer line: every store takes as much at once.
const PIECE: usize = 4 << 20;

/// Between two checkpoints passes so many times what one takes: they are not to slow the copy down.
const SELDOM: u32 = 5;

/// What is put there is gathered under this name here.
const GATHERED: &str = "piece.jsonl";

/// Of which file a piece is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Of {
    Manifest,
    Journal,
}

/// The files that grow while a run is at work.
const FILES: [(&str, Of); 3] = [(PARTIAL, Of::Manifest), (AHEAD, Of::Manifest), (journal::NAME, Of::Journal)];

/// The name of a piece: which run, its number in that run, of what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Piece {
    run: u64,
    number: u64,
    of: Of,
}

impl Piece {
    fn name(&self) -> String {
        let of = match self.of {
            Of::Manifest => "manifest",
            Of::Journal => "journal",
        };
        format!("running.{:016x}.{:06}.{of}.jsonl", self.run, self.number)
    }

    fn parse(name: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(name).ok()?.strip_prefix("running.")?.split('.');
        let (run, number, of) = (parts.next()?, parts.next()?, parts.next()?);
        let of = match of {
            "manifest" => Of::Manifest,
            "journal" => Of::Journal,
            _ => return None,
        };
        Some(Piece { run: u64::from_str_radix(run, 16).ok()?, number: number.parse().ok()?, of })
            .filter(|piece| piece.name().as_bytes() == name)
    }
}

/// Puts what is new into the destination, time after time.
pub struct Keeper<'a> {
    store: &'a dyn Store,
    folder: &'a Folder,
    every: Duration,
    state: Mutex<State>,
    is_over: Mutex<bool>,
    over: Condvar,
}

struct State {
    /// What earlier runs left in the destination.
    left: Vec<Piece>,
    own: Vec<Own>,
    run: u64,
    /// How much of each of [`FILES`] is there.
    kept: [u64; FILES.len()],
}

/// A piece of this run that stands in the destination: which lines of which of [`FILES`].
struct Own {
    piece: Piece,
    file: &'static str,
    at: Range<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Keeper<'a> {
    /// A keeper of what lies in `folder`, for a run that found `left` of earlier ones.
    pub fn new(store: &'a dyn Store, folder: &'a Folder, every: Duration, left: Left) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64; // until the year 2554
        // Later than what is there, also where the clock says otherwise.
        let run = left.0.iter().map(|piece| piece.run.saturating_add(1)).fold(now, u64::max);
        let state = State { left: left.0, own: Vec::new(), run, kept: [0; FILES.len()] };
        Keeper { store, folder, every, state: Mutex::new(state), is_over: Mutex::new(false), over: Condvar::new() }
    }

    /// Does some work, and keeps meanwhile what comes of it.
    pub fn beside(&self, work: impl FnOnce()) {
        std::thread::scope(|scope| {
            let _end = AtEnd(self);
            scope.spawn(|| self.keep());
            work();
        });
    }

    fn keep(&self) {
        let mut wait = self.every;
        loop {
            let is_over = lock(&self.is_over);
            let waited = self.over.wait_timeout_while(is_over, wait, |is_over| !*is_over);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
            let began = Instant::now();
            // Where it fails, the copy has failures of its own to tell, and the next checkpoint has it all.
            let _ = self.put_new(&FILES);
            wait = self.every.max(began.elapsed().saturating_mul(SELDOM));
        }
    }

    /// Puts there what was added to some of the files.
    fn put_new(&self, files: &[(&'static str, Of)]) -> Result<(), Failure> {
        let mut state = lock(&self.state);
        self.put_again(&state.own, files)?;
        for &(file, of) in files {
            let Some(n) = FILES.iter().position(|(name, _)| *name == file) else { continue };
            while let Some(lines) = self.new_lines(file, state.kept[n])? {
                let piece = Piece { run: state.run, number: state.own.len() as u64, of };
                self.put(&piece.name(), &lines)?;
                let at = state.kept[n]..state.kept[n] + lines.len() as u64;
                state.kept[n] = at.end;
                state.own.push(Own { piece, file, at });
            }
        }
        Ok(())
    }

    /// Puts there again what another machine took away: its run took over what it found, and can not know whether this one
    /// lives. What is added later says nothing without its beginning.
    fn put_again(&self, own: &[Own], files: &[(&str, Of)]) -> Result<(), Failure> {
        let failed = |error| Failure::of("reading what is kept here", error);
        let own: Vec<&Own> = own.iter().filter(|own| files.iter().any(|(name, _)| *name == own.file)).collect();
        if own.is_empty() {
            return Ok(());
        }
        let there: HashSet<Vec<u8>> = self.store.own_names()?.into_iter().collect();
        for Own { piece, file, at } in own.into_iter().filter(|own| !there.contains(own.piece.name().as_bytes())) {
            let Some(file) = self.folder.open_file(file).map_err(failed)? else { continue };
            let mut lines = vec![0; (at.end - at.start) as usize];
            file.read_exact_at(&mut lines, at.start).map_err(failed)?;
            self.put(&piece.name(), &lines)?;
        }
        Ok(())
    }

    /// Whole lines of a file from an offset on; `None` where there are none.
    fn new_lines(&self, name: &str, from: u64) -> Result<Option<Vec<u8>>, Failure> {
        let failed = |error| Failure::of("reading what is kept here", error);
        let Some(file) = self.folder.open_file(name).map_err(failed)? else { return Ok(None) };
        let mut lines = vec![0; PIECE];
        loop {
            let read = read_full(&file, &mut lines, from).map_err(failed)?;
            if let Some(end) = lines[..read].iter().rposition(|&b| b == b'\n') {
                lines.truncate(end + 1);
                return Ok(Some(lines));
            }
            if read < lines.len() {
                return Ok(None);
            }
            lines.resize(lines.len() * 2, 0);
        }
    }

    fn put(&self, name: &str, lines: &[u8]) -> Result<(), Failure> {
        let failed = |error| Failure::of("gathering what is kept", error);
        let mut file = self.folder.create(GATHERED).map_err(failed)?;
        file.write_all(lines).map_err(failed)?;
        self.store.put_own(name, &file)
    }

    /// The run is over, and its manifest stands in the destination. What is half-sent is kept there too; all else goes.
    pub fn end(&self) -> Result<(), Failure> {
        let is_half_sent = self.folder.has(journal::NAME);
        if is_half_sent {
            self.put_new(&FILES[2..])?;
        }
        let _ = self.folder.remove(GATHERED);
        let State { left, own, .. } = &mut *lock(&self.state);
        let done = own.drain(..).map(|own| own.piece).filter(|piece| !(is_half_sent && piece.of == Of::Journal));
        left.extend(done);
        while let Some(piece) = left.last() {
            self.store.remove_own(&piece.name())?;
            left.pop();
        }
        Ok(())
    }
}

/// Tells the keeping thread that the work is over, in whatever way it ended.
struct AtEnd<'k, 'a>(&'k Keeper<'a>);

impl Drop for AtEnd<'_, '_> {
    fn drop(&mut self) {
        *lock(&self.0.is_over) = true;
        self.0.over.notify_all();
    }
}

fn read_full(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], from + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// The pieces that earlier runs left in a destination.
pub struct Left(Vec<Piece>);

/// Fetches what runs left in the destination of which nothing is known here.
pub fn fetch(there: &There<'_>) -> Result<Left, Failure> {
    let There { store, folder, .. } = *there;
    let mut pieces: Vec<Piece> = there.names.iter().filter_map(|name| Piece::parse(name)).collect();
    pieces.sort();
    let mut runs: BTreeMap<u64, Vec<&Piece>> = BTreeMap::new();
    pieces.iter().for_each(|piece| runs.entry(piece.run).or_default().push(piece));
    for (_, pieces) in runs {
        let of = |of: Of| pieces.iter().filter(move |piece| piece.of == of);
        let is_unknown = match of(Of::Manifest).next() {
            Some(first) => !is_known(store, folder, first)?,
            None => there.is_news,
        };
        if is_unknown {
            // The manifest is the sign that it is known here: it comes last.
            add(store, folder, of(Of::Journal), journal::NAME, true)?;
            add(store, folder, of(Of::Manifest), &Previous::next_killed(folder), false)?;
        }
    }
    Ok(Left(pieces))
}

/// True if a manifest here is of the run that a piece is of: its first line says when that began.
fn is_known(store: &dyn Store, folder: &Folder, piece: &Piece) -> Result<bool, Failure> {
    let failed = |error| Failure::of("reading what is kept here", error);
    let Some(there) = store.get_own(&piece.name())? else { return Ok(false) };
    let there = first_line(BufReader::new(there)).map_err(broken)?;
    for name in [NAME.to_owned(), PARTIAL.to_owned(), AHEAD.to_owned()].into_iter().chain(Previous::killed(folder)) {
        if let Some(file) = folder.open_file(&name).map_err(failed)?
            && first_line(BufReader::new(file)).map_err(failed)? == there
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes a file here of pieces, after what it holds already if `after` says so.
fn add<'p>(
    store: &dyn Store,
    folder: &Folder,
    pieces: impl Iterator<Item = &'p &'p Piece>,
    name: &str,
    after: bool,
) -> Result<(), Failure> {
    let failed = |error| Failure::of("keeping it here", error);
    let fetched = format!("{name}.fetched");
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return Ok(());
    }
    let mut file = folder.create(&fetched).map_err(failed)?;
    if let Some(mut here) = folder.open_file(name).map_err(failed)?.filter(|_| after) {
        io::copy(&mut here, &mut file).map_err(failed)?;
    }
    for piece in pieces {
        let Some(there) = store.get_own(&piece.name())? else { continue };
        let mut there: Box<dyn Read + '_> = there;
        copy_all(&mut *there, &mut file)?;
    }
    folder.rename(&fetched, name).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_by_their_names_in_the_order_they_were_made() {
        let piece = |run, number, of| Piece { run, number, of };
        let pieces = [piece(7, 9, Of::Manifest), piece(7, 10, Of::Journal), piece(1 << 63, 0, Of::Manifest)];
        for it in &pieces {
            assert_eq!(Piece::parse(it.name().as_bytes()).as_ref(), Some(it));
        }
        assert!(pieces.is_sorted());
        for name in ["running.7.9.manifest.jsonl", "running..0.manifest", "manifest.jsonl", "running.x.y.z"] {
            assert_eq!(Piece::parse(name.as_bytes()), None);
        }
    }
}
