//! An object on its way into a store: [`Upload`]; and a file's contents as such, [`File`].

use std::sync::mpsc::{Receiver, Sender, channel};

use serde::{Deserialize, Serialize};

use super::{Body, NAME, Objects, Part, tag};
use crate::sink::budget::Share;
use crate::sink::{Committed, Drain, Entry, Failure, Half, Mark, Token, lacks};

/// What finds an upload again.
#[derive(Serialize, Deserialize)]
struct Begun {
    upload: String,
    part: u64,
}

/// What a journal keeps of a part.
#[derive(Serialize, Deserialize)]
struct Note {
    tag: String,
    md5: String,
}

/// A part that was sent, or could not be.
type Sent = (usize, Result<Part, Failure>);

/// An object being sent: in one piece, or in parts of which several are on their way.
pub struct Upload<'a> {
    objects: &'a Objects,
    key: String,
    size: u64,
    part: u64,
    /// The upload's name, where the object is sent in parts.
    upload: Option<String>,
    /// What is gathered for the next part, and its share of the memory.
    buffer: Body,
    share: Option<Share>,
    /// Parts by number; `None` while one is on its way.
    parts: Vec<Option<Part>>,
    /// How many of them have been told.
    told: usize,
    held: u64,
    on_way: usize,
    answers: (Sender<Sent>, Receiver<Sent>),
    /// Left in the store when dropped: it is whole, or somebody goes on with it.
    stays: bool,
}

impl<'a> Upload<'a> {
    /// Begins an object of `size` bytes, or goes on with one.
    pub fn begin(objects: &'a Objects, key: String, size: u64, half: Option<&Half>) -> Result<Self, Failure> {
        let part = objects.part(size);
        let mut it = Upload {
            objects,
            key,
            size,
            part,
            upload: None,
            buffer: Body::default(),
            share: None,
            parts: Vec::new(),
            told: 0,
            held: 0,
            on_way: 0,
            answers: channel(),
            stays: false,
        };
        if size > part && !half.is_some_and(|half| it.go_on(half)) {
            it.upload = Some(objects.begin(&it.key)?);
        }
        Ok(it)
    }

    /// Takes over the parts of a half-sent object; false where it is not understood.
    fn go_on(&mut self, half: &Half) -> bool {
        let Ok(begun) = Begun::deserialize(&half.token) else { return false };
        if begun.part != self.part {
            return false;
        }
        for (n, mark) in (1u64..).zip(&half.marks) {
            let Ok(note) = Note::deserialize(&mark.note) else { break };
            if mark.end != n * self.part {
                break;
            }
            let Some(md5) = tag::parse(&note.md5) else { break };
            self.parts.push(Some(Part { tag: note.tag, md5, size: self.part }));
        }
        self.told = self.parts.len();
        self.held = self.told as u64 * self.part;
        self.upload = Some(begun.upload);
        true
    }

    /// Where the next byte goes.
    fn end(&self) -> u64 {
        self.parts.len() as u64 * self.part + self.buffer.len() as u64
    }

    /// Adds bytes at an offset; what was passed over is zero.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.zeros_to(offset)?;
        self.add(bytes)
    }

    fn zeros_to(&mut self, offset: u64) -> Result<(), Failure> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while self.end() < offset {
            let len = (offset - self.end()).min(ZEROS.len() as u64) as usize;
            self.add(&ZEROS[..len])?;
        }
        Ok(())
    }

    fn add(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            if self.share.is_none() {
                let room = self.part.min(self.size.saturating_sub(self.end()));
                self.share = Some(self.objects.budget.take(room));
                self.buffer = Body::new(usize::try_from(room).unwrap_or(usize::MAX)).map_err(Failure::Gone)?;
            }
            let added = self.buffer.add(bytes);
            if added == 0 {
                return Err(Failure::Refused("it is longer than was announced".into()));
            }
            bytes = &bytes[added..];
            // A single piece is sent at the end, whole.
            if self.upload.is_some() && self.buffer.len() as u64 == self.part {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Sends what is gathered, as a part.
    fn send(&mut self) -> Result<(), Failure> {
        self.hear()?;
        let Some(upload) = self.upload.clone() else { return Ok(()) };
        let (body, share, number) = (std::mem::take(&mut self.buffer), self.share.take(), self.parts.len());
        let (bucket, key, answer) = (self.objects.bucket.clone(), self.key.clone(), self.answers.0.clone());
        let line = self.objects.line.clone();
        self.parts.push(None);
        self.on_way += 1;
        self.objects.senders.spawn(move || {
            let (md5, size) = (tag::md5(&body), body.len() as u64);
            let on_line = Objects::line(&line, body.len());
            let sent = bucket.put_part(&key, &upload, number, body, &md5).map(|tag| Part { tag, md5, size });
            drop((share, on_line));
            // Nobody listens any more where the upload was given up.
            let _ = answer.send((number, sent));
        });
        Ok(())
    }

    /// Hears what became of parts, without waiting.
    fn hear(&mut self) -> Result<(), Failure> {
        while let Ok(sent) = self.answers.1.try_recv() {
            self.note(sent)?;
        }
        Ok(())
    }

    fn note(&mut self, (number, sent): Sent) -> Result<(), Failure> {
        self.on_way -= 1;
        let part = sent?;
        if let Some(place) = self.parts.get_mut(number) {
            *place = Some(part);
        }
        Ok(())
    }

    /// Waits for the parts that are on their way.
    fn wait(&mut self) -> Result<(), Failure> {
        let mut result = Ok(());
        while self.on_way > 0 {
            let Ok(sent) = self.answers.1.recv() else { break };
            result = result.and(self.note(sent));
        }
        result
    }

    /// Parts told to nobody yet, up to the first that is still on its way.
    fn taken(&mut self) -> Result<Vec<Mark>, Failure> {
        self.hear()?;
        let new: Vec<&Part> = self.parts[self.told..].iter().map_while(Option::as_ref).collect();
        let marks = new.iter().zip(self.told as u64 + 1..).filter_map(|(part, n)| {
            let note = serde_json::to_value(Note { tag: part.tag.clone(), md5: tag::of_whole(&part.md5) }).ok()?;
            Some(Mark { end: n * self.part, note })
        });
        let marks: Vec<Mark> = marks.collect();
        self.told += marks.len();
        Ok(marks)
    }

    /// Makes the object appear; returns its tag.
    pub fn finish(&mut self) -> Result<String, Failure> {
        self.zeros_to(self.size)?;
        let bucket = self.objects.bucket.clone();
        let Some(upload) = self.upload.clone() else {
            let _on_line = Objects::line(&self.objects.line, self.buffer.len());
            return bucket.put(&self.key, std::mem::take(&mut self.buffer));
        };
        if !self.buffer.is_empty() {
            self.send()?;
        }
        self.wait()?;
        let parts: Vec<Part> = self.parts.iter().flatten().cloned().collect();
        let tag = match bucket.complete(&self.key, &upload, &parts) {
            Ok(tag) => tag,
            // It may have been done, and only the answer was lost.
            Err(failure) => self.done_before(&parts).ok_or(failure)?,
        };
        self.stays = true;
        self.objects.end(&upload);
        Ok(tag)
    }

    /// The tag of the object, if it is there already, of these very parts.
    fn done_before(&self, parts: &[Part]) -> Option<String> {
        let object = self.objects.bucket.find(&self.key).ok()??;
        let is_it = object.size == self.size && tag::is_of(&object.tag, parts);
        is_it.then_some(object.tag)
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        // A part that arrives after the upload was forgotten would be left over.
        let _ = self.wait();
        if let Some(upload) = self.upload.as_ref().filter(|_| !self.stays) {
            self.objects.abort(&self.key, upload);
        }
    }
}

/// A file's contents, on their way.
pub struct File<'a> {
    /// The object.
    pub upload: Upload<'a>,
    /// The file.
    pub entry: &'a Entry<'a>,
}

impl Drain for File<'_> {
    fn token(&self) -> Token {
        let upload = self.upload.upload.clone();
        let begun = upload.map(|upload| Begun { upload, part: self.upload.part });
        begun.and_then(|begun| serde_json::to_value(begun).ok()).unwrap_or_default()
    }

    fn held(&self) -> u64 {
        self.upload.held
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.upload.write_at(offset, bytes)
    }

    fn taken(&mut self) -> Result<Vec<Mark>, Failure> {
        self.upload.taken()
    }

    fn suspend(mut self: Box<Self>) {
        self.upload.stays = true;
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, Failure> {
        let sent = self.upload.finish();
        // The next attempt goes on with the parts that arrived.
        self.upload.stays |= sent.as_ref().is_err_and(Failure::may_pass);
        let tag = sent?;
        Ok(Committed { unkept: lacks::of(self.entry, NAME), etag: (!tag.is_empty()).then_some(tag), packed: None })
    }
}
