//! One lane of a run: reads, hashes and writes batch after batch.

use super::Hashes;
use super::batch::Company;
use super::done::Done;
use super::hash::Hasher;
use super::job::{Halt, Job};
use super::patience::{ACHIEVED, BEGUN, Patience};
use super::plan::Planned;
use super::standing;
use crate::bytes::{Buffer, Span, Spans};
use crate::fs::content::{Ahead, Content, Run};
use crate::manifest::{Digests, Flaw, Record, Status};
use crate::node::{Kind, Node, Trust};
use crate::sink::{Committed, Drain, Entry, Failure, Sink};
use crate::source::SourceGone;
use crate::tree::ItemId;

/// Bytes read, hashed and written at a time: few enough to stay in the cache meanwhile.
const BUFFER: usize = 256 << 10;

/// A hole between two files that is read along rather than skipped.
const GAP: u64 = 64 << 10;

/// Bytes read ahead at a time, at most.
const WINDOW: u64 = 1 << 20;

/// Bytes that all lanes together hold of what they read ahead.
const WINDOWS: u64 = 4 << 20;

/// Files with more holes than this, and hardly any data beside them, are not hashed whole: a ruined size must not keep
/// us hashing zeros for hours.
const HOLES: u64 = 16 << 30;

/// Longest target of a symbolic link (`PATH_MAX`).
pub const TARGET: usize = 4096;

/// The buffers of one lane.
pub struct Lane {
    buffer: Buffer,
    ahead: Ahead,
    /// Bytes that it reads ahead.
    window: u64,
    hasher: Hasher,
    /// Bytes that the attempt at the present file handed to the destination.
    written: u64,
}

impl Lane {
    /// Buffers, empty, of one of so many lanes.
    pub fn new(hashes: Hashes, lanes: usize) -> Self {
        let window = WINDOW.min(WINDOWS / lanes.max(1) as u64);
        Lane { buffer: Buffer::new(BUFFER), ahead: Ahead::default(), window, hasher: Hasher::new(hashes), written: 0 }
    }
}

/// A file about to be copied.
pub struct Opened<'f> {
    /// What it is.
    pub node: Node,
    content: Option<Content<'f>>,
    runs: Vec<Run>,
}

impl Opened<'_> {
    /// Where its first data lies, if that is one short piece.
    fn short_piece(&self) -> Option<Span> {
        let piece = self.runs.iter().find_map(|run| match run {
            Run::Data(span, place) => Some(place.map(|place| Span::new(place, span.len()))),
            _ => None,
        });
        piece.flatten().filter(|span| span.len() <= BUFFER as u64)
    }
}

/// Files of one part about to be copied.
#[derive(Clone, Copy)]
pub struct OpenBatch<'b, 'f> {
    /// Which.
    pub files: &'b [Planned],
    /// The same, opened; `None` for what leads to no node.
    pub opened: &'b [Option<Opened<'f>>],
}

/// A file being copied, as every step needs it.
#[derive(Clone, Copy)]
pub struct Copying<'a, 'f> {
    /// The file in the plan.
    pub file: &'a Planned,
    /// What is made of it.
    pub entry: &'a Entry<'a>,
    /// Its bytes.
    pub content: &'a Content<'f>,
    /// The same as runs.
    pub runs: &'a [Run],
}

/// What reading a file gave.
pub struct ContentRead {
    /// Hashes of all of it, zeros included.
    pub digests: Digests,
    /// Hash of the data alone, instead.
    pub data_blake3: Option<[u8; 32]>,
    /// Bytes that could not be read.
    pub lost: Spans,
}

impl ContentRead {
    /// Of a file all of which was there to be hashed.
    pub fn whole(digests: Digests) -> Self {
        ContentRead { digests, data_blake3: None, lost: Spans::new() }
    }
}

impl Job<'_> {
    /// Copies a batch of files of one part.
    pub fn copy_files(&self, files: &[Planned], company: Company, lane: &mut Lane) -> Done {
        let mut done = Done::new(self.hashes);
        let part = files[0].part;
        let opened = if self.is_stopped() { None } else { self.open_batch(part, files) };
        let Some(opened) = opened else {
            files.iter().for_each(|file| done.add(&self.left(part, file.item)));
            return done;
        };
        let batch = OpenBatch { files, opened: &opened };
        let settled = |file: &Planned, record: Record| self.settled(file, &record, &mut done);
        match company {
            Company::Neighbours => self.copy_each(batch, lane, settled),
            Company::Directory(item) => self.copy_whole(batch, &self.places.path(part, item), lane, settled),
            Company::Pack(longest) => self.copy_together(batch, longest, lane, settled),
        }
        let long = |file: &&Planned| file.bytes > BUFFER as u64;
        self.progress.advance(files.iter().filter(|file| !long(file)).map(|file| file.bytes).sum());
        self.progress.files(files.len() as u64);
        done
    }

    /// Copies all files of a directory, which appears with all of them, if the destination can do that.
    fn copy_whole(
        &self,
        batch: OpenBatch<'_, '_>,
        directory: &[u8],
        lane: &mut Lane,
        mut then: impl FnMut(&Planned, Record),
    ) {
        if !self.sink.begin_whole(directory) {
            return self.copy_each(batch, lane, then);
        }
        let mut records = Vec::with_capacity(batch.files.len());
        self.copy_each(batch, lane, |_, record| records.push(record));
        if self.sink.end_whole(directory).is_err() {
            // Somebody else made something there: file by file, then.
            records.clear();
            self.copy_each(batch, lane, |_, record| records.push(record));
        }
        batch.files.iter().zip(records).for_each(|(file, record)| then(file, record));
    }

    /// Copies the files of a batch one after the other, and hands on what each came to.
    fn copy_each(&self, batch: OpenBatch<'_, '_>, lane: &mut Lane, mut then: impl FnMut(&Planned, Record)) {
        self.visit_each(batch, lane, |file, it, lane| {
            then(file, self.copy_or_miss(file, it, lane));
            true
        });
    }

    /// Visits the files of a batch one after the other, as long as `visit` says so. What lies close together is read ahead.
    pub fn visit_each(
        &self,
        batch: OpenBatch<'_, '_>,
        lane: &mut Lane,
        mut visit: impl FnMut(&Planned, Option<&Opened<'_>>, &mut Lane) -> bool,
    ) {
        lane.ahead.forget();
        let mut read_ahead_until = 0;
        for (i, (file, it)) in batch.files.iter().zip(batch.opened).enumerate() {
            if it.is_some() && i >= read_ahead_until {
                read_ahead_until = self.read_ahead(file.part, batch.opened, i, lane);
            }
            if !visit(file, it.as_ref(), lane) {
                return;
            }
        }
    }

    /// Copies one file, or says that nothing is left of it.
    pub fn copy_or_miss(&self, file: &Planned, it: Option<&Opened<'_>>, lane: &mut Lane) -> Record {
        match it {
            Some(it) => self.copy_file(file, it, lane),
            None => self.nothing_left_of(file.part, file.item),
        }
    }

    /// Takes down what a file came to.
    fn settled(&self, file: &Planned, record: &Record, done: &mut Done) {
        if record.status == Status::Copied {
            done.counts.bytes += file.bytes;
        }
        if file.linked {
            self.remember(file.part, file.item, record);
        }
        done.add(record);
    }

    /// Nodes and maps of a batch; `None` where the source is gone.
    pub fn open_batch(&self, part: u16, batch: &[Planned]) -> Option<Vec<Option<Opened<'_>>>> {
        let items: Vec<ItemId> = batch.iter().map(|file| file.item).collect();
        let tree = self.part(part).tree;
        let open = |node: Node| -> Result<Opened<'_>, SourceGone> {
            let has_content = matches!(node.kind, Kind::File | Kind::Symlink);
            let content = if has_content { Some(Content::open(&**tree.fs(), &node)?) } else { None };
            let runs = content.as_ref().map(Content::runs).unwrap_or_default();
            Ok(Opened { node, content, runs })
        };
        let opened =
            tree.nodes(&items).and_then(|nodes| nodes.into_iter().map(|node| node.map(open).transpose()).collect());
        opened.map_err(|gone| self.stop(super::Stopped::SourceGone(gone))).ok()
    }

    /// Reads at once what lies close together of the short files from number `from` on; returns the number of the first
    /// file that is not among them.
    fn read_ahead(&self, part: u16, opened: &[Option<Opened<'_>>], from: usize, lane: &mut Lane) -> usize {
        let mut window: Option<Span> = None;
        let mut until = from;
        for it in &opened[from..] {
            let piece = it.as_ref().and_then(Opened::short_piece);
            let Some(piece) = piece else {
                if it.as_ref().is_some_and(|it| it.content.is_some() && it.node.size > BUFFER as u64) {
                    break;
                }
                until += 1;
                continue;
            };
            let open = window.unwrap_or(Span { start: piece.start, end: piece.start });
            let near = piece.start >= open.start && piece.start <= open.end.saturating_add(GAP);
            let end = open.end.max(piece.end);
            if !near || end - open.start > lane.window {
                break;
            }
            window = Some(Span { start: open.start, end });
            until += 1;
        }
        if until > from + 1
            && let Some(window) = window
        {
            // What is lost in it is read again, file by file, and found lost there; so is a source that is gone.
            let _ = lane.ahead.read(&**self.part(part).tree.fs(), window);
        }
        until.max(from + 1)
    }

    /// Copies one file.
    pub fn copy_file(&self, file: &Planned, it: &Opened<'_>, lane: &mut Lane) -> Record {
        let (mut patience, mut sent, mut begun) = (Patience::new(self.request.patience), 0, 1);
        loop {
            let mut record = self.record(file.part, file.item, Some(&it.node));
            lane.written = 0;
            match self.try_file(file, it, (self.sink, lane), &mut record) {
                Ok(()) => {
                    self.luck.note();
                    return record;
                }
                Err(Halt::Failure(Failure::Forgotten(_))) if begun < BEGUN && !self.is_stopped() => begun += 1,
                Err(halt) => {
                    // Each attempt that sent more of the file than the last achieved something.
                    let now = self.journal.map_or(0, |journal| journal.parts_sent(&record.path));
                    if now > std::mem::replace(&mut sent, now) || lane.written >= ACHIEVED {
                        patience = Patience::new(self.request.patience);
                    }
                    if let Halt::Failure(failure) = &halt
                        && patience.wait(failure, (self.progress, &self.luck), || self.is_stopped())
                    {
                        continue;
                    }
                    self.settle(&mut record, halt);
                    return record;
                }
            }
        }
    }

    /// Copies one file into `sink`, once.
    pub fn try_file(
        &self,
        file: &Planned,
        it: &Opened<'_>,
        (sink, lane): (&dyn Sink, &mut Lane),
        record: &mut Record,
    ) -> Result<(), Halt> {
        let Opened { node, content, runs } = it;
        self.read_xattrs(file.part, node, record)?;
        if let Some(content) = content {
            record.trust = record.trust.max(content.mapping().trust);
            record.findings.extend(content.mapping().findings.iter().map(Flaw::from));
        }
        let path = record.path.clone();
        let xattrs = std::mem::take(&mut record.xattrs);
        let data = data_spans(runs);
        let mut target = Vec::new();
        if let (Kind::Symlink, Some(content)) = (node.kind, content) {
            target = read_target(content, record)?;
        }
        let overwrite = self.request.overwrite;
        let entry = Entry { path: &path, node, target: &target, xattrs: &xattrs, data: &data, overwrite };
        let made = match (node.kind, content) {
            (Kind::File, Some(content)) => {
                note_extents(record, runs, self.part(file.part).start);
                self.write_file(&Copying { file, entry: &entry, content, runs }, (sink, lane), record)
            }
            (Kind::Directory, _) => Err(Failure::Refused("it is a directory that stands elsewhere".into()).into()),
            _ => self.write_special(&entry, sink, record),
        };
        record.xattrs = xattrs;
        record.target = (node.kind == Kind::Symlink).then_some(target);
        made
    }

    fn write_special(&self, entry: &Entry<'_>, sink: &dyn Sink, record: &mut Record) -> Result<(), Halt> {
        if let Some(standing) = sink.standing(entry.path)? {
            if standing::is_same_special(entry, &standing) {
                record.status = Status::AlreadyThere;
                record.unkept = sink.restore(entry)?;
                return Ok(());
            }
            standing::may_replace(entry, &standing)?;
        }
        record.unkept = sink.special(entry)?;
        Ok(())
    }

    fn write_file(
        &self,
        it: &Copying<'_, '_>,
        (sink, lane): (&dyn Sink, &mut Lane),
        record: &mut Record,
    ) -> Result<(), Halt> {
        let Copying { file, entry, content, runs } = *it;
        if let Some((read, committed)) = self.is_there(it, sink, lane)? {
            record.status = Status::AlreadyThere;
            note_committed(record, committed);
            note_content(record, read, entry.data);
            // What an attempt left that was killed at its very end is of no use any more.
            let over = self.journal.map_or(Ok(()), |journal| journal.over(entry.path));
            return Ok(over.map_err(super::parts::not_written)?);
        }
        if let (Some(journal), Some(part_size)) = (self.journal, sink.part_size(entry.node.size)) {
            let (read, committed) = self.write_in_parts(it, part_size, journal, lane)?;
            note_content(record, read, entry.data);
            note_committed(record, committed);
            return Ok(());
        }
        let mut drain = sink.create(entry, None)?;
        let read = self.read_file(file, content, runs, lane, Some(&mut *drain))?;
        note_content(record, read, entry.data);
        note_committed(record, drain.commit()?);
        Ok(())
    }

    /// What the destination holds of a file already, if that is all of it.
    ///
    /// # Errors
    /// Also where something else stands there, and is to be left alone.
    fn is_there(
        &self,
        it: &Copying<'_, '_>,
        sink: &dyn Sink,
        lane: &mut Lane,
    ) -> Result<Option<(ContentRead, Committed)>, Halt> {
        let entry = it.entry;
        let Some(standing) = sink.standing(entry.path)? else { return Ok(self.is_in_pack(it)?) };
        if standing.kind == Kind::File
            && standing.size == entry.node.size
            && let Some(same) = self.compare_standing(it, lane, &standing)?
        {
            return Ok(Some(same));
        }
        standing::may_replace(entry, &standing)?;
        Ok(None)
    }

    /// Reads and hashes a file, and writes it to `drain` if there is one.
    pub fn read_file(
        &self,
        file: &Planned,
        content: &Content<'_>,
        runs: &[Run],
        lane: &mut Lane,
        mut drain: Option<&mut (dyn Drain + '_)>,
    ) -> Result<ContentRead, Halt> {
        let mut lost = Spans::new();
        let data_only = is_nearly_all_hole(runs);
        let Lane { buffer, ahead, hasher, written, .. } = lane;
        hasher.reset();
        let held = drain.as_ref().map_or(0, |drain| drain.held());
        for run in runs {
            let span = run.span();
            match run {
                Run::Data(..) => {
                    if let Some(bytes) = content.read_ahead(span, ahead) {
                        hasher.update(bytes);
                        if let Some(drain) = &mut drain {
                            self.pace(span.len());
                            drain.write_at(span.start, bytes)?;
                        }
                        self.tell(file, span.len())?;
                        continue;
                    }
                    let mut at = span.start;
                    while at < span.end {
                        let len = (span.end - at).min(buffer.len() as u64) as usize;
                        let piece = &mut buffer[..len];
                        content.read(at, piece, &mut lost)?;
                        hasher.update(piece);
                        if let Some(drain) = &mut drain {
                            self.pace(len as u64);
                            drain.write_at(at, piece)?;
                            *written += if at >= held { len as u64 } else { 0 };
                        }
                        at += len as u64;
                        self.tell(file, len as u64)?;
                    }
                }
                Run::Lost(_) | Run::Hole(_) => {
                    if matches!(run, Run::Lost(_)) {
                        lost.insert(span);
                    }
                    if !data_only && !hasher.zeros(span.len(), self.progress) {
                        return Err(Halt::Interrupted);
                    }
                }
            }
        }
        let digests = hasher.finish();
        Ok(match data_only {
            true => ContentRead { digests: Digests::default(), data_blake3: digests.blake3, lost },
            false => ContentRead { digests, data_blake3: None, lost },
        })
    }

    /// Tells the progress of a long file, and hears whether to stop; the reason is kept already.
    fn tell(&self, file: &Planned, bytes: u64) -> Result<(), Halt> {
        if file.bytes <= BUFFER as u64 {
            return Ok(());
        }
        self.progress.advance(bytes);
        if self.is_stopped() { Err(Halt::Interrupted) } else { Ok(()) }
    }

    /// The record of an item that was not reached.
    pub fn left(&self, part: u16, item: ItemId) -> Record {
        Record { status: Status::Left, ..self.record(part, item, None) }
    }

    /// The record of an entry that leads to no node.
    pub fn nothing_left_of(&self, part: u16, item: ItemId) -> Record {
        let reason = Some("its entry leads to nothing".into());
        Record { status: Status::Failed, reason, ..self.record(part, item, None) }
    }
}

fn data_spans(runs: &[Run]) -> Vec<Span> {
    let mut data: Vec<Span> = Vec::new();
    for run in runs {
        let Run::Data(span, _) = run else { continue };
        match data.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => data.push(*span),
        }
    }
    data
}

/// Notes where on the image a file's data lies. `start` is where its volume begins.
pub fn note_extents(record: &mut Record, runs: &[Run], start: u64) {
    for run in runs {
        let Run::Data(span, Some(place)) = run else { continue };
        let place = start.saturating_add(*place);
        match record.extents.last_mut() {
            Some(last) if last.0 + last.2 == span.start && last.1 + last.2 == place => last.2 += span.len(),
            _ => record.extents.push((span.start, place, span.len())),
        }
    }
}

/// Notes on a record what a destination says of a file. The name of a pack is known when it is sent.
fn note_committed(record: &mut Record, committed: Committed) {
    Committed { unkept: record.unkept, etag: record.etag, packed: record.packed } = committed;
}

fn note_content(record: &mut Record, read: ContentRead, data: &[Span]) {
    record.digests = read.digests;
    record.data_blake3 = read.data_blake3;
    if read.data_blake3.is_some() {
        record.data = data.to_vec();
    }
    note_lost(record, &read.lost);
}

fn note_lost(record: &mut Record, lost: &Spans) {
    if !lost.is_empty() {
        record.lost = lost.iter().collect();
        record.trust = record.trust.max(Trust::Partial);
    }
}

fn read_target(content: &Content<'_>, record: &mut Record) -> Result<Vec<u8>, Halt> {
    let Some((target, lost)) = content.read_all(TARGET)? else {
        return Err(Failure::Refused("its target is longer than any link's".into()).into());
    };
    note_lost(record, &lost);
    // POSIX has neither in a link.
    if target.is_empty() || target.contains(&0) {
        let why = if lost.is_empty() { "its target is empty, or holds a byte of zero" } else { "its target is lost" };
        return Err(Failure::Refused(why.into()).into());
    }
    Ok(target)
}

/// True for a file that is not hashed whole.
fn is_nearly_all_hole(runs: &[Run]) -> bool {
    let (mut data, mut holes) = (0u64, 0u64);
    for run in runs {
        match run {
            Run::Data(span, _) => data = data.saturating_add(span.len()),
            Run::Hole(span) | Run::Lost(span) => holes = holes.saturating_add(span.len()),
        }
    }
    holes > HOLES && holes / 16 > data
}
