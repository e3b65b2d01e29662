//! Copying many small files as one archive, where each file costs the destination a request, whatever its size.

use super::job::{Halt, Job};
use super::lane::{Lane, OpenBatch};
use super::patience::Patience;
use super::plan::Planned;
use crate::manifest::{Record, Status};
use crate::sink::{Failure, Pack, Sent};

/// What became of the files of a batch, in its order; `None` for those that are copied on their own.
type Records = Vec<Option<Record>>;

impl Job<'_> {
    /// Copies a batch of files together, and hands on what each came to. What does not go together is copied file by file.
    pub fn copy_together(
        &self,
        batch: OpenBatch<'_, '_>,
        longest: u64,
        lane: &mut Lane,
        mut then: impl FnMut(&Planned, Record),
    ) {
        let records = self.send_pack(batch, longest, lane);
        for ((file, it), record) in batch.files.iter().zip(batch.opened).zip(records) {
            let record = record.unwrap_or_else(|| self.copy_or_miss(file, it.as_ref(), lane));
            then(file, record);
        }
    }

    /// Makes a pack of files and sends it, as often as it may do when tried again.
    fn send_pack(&self, batch: OpenBatch<'_, '_>, longest: u64, lane: &mut Lane) -> Records {
        let mut patience = Patience::new(self.request.patience);
        loop {
            let mut records = Records::new();
            let sent = match self.sink.pack(longest) {
                Some(pack) => self.gather(batch, &*pack, lane, &mut records).and_then(|()| pack.send()),
                None => Ok(None),
            };
            records.resize_with(batch.files.len(), || None);
            match sent {
                Ok(sent) => {
                    note_sent(&mut records, sent.as_ref());
                    self.luck.note();
                    return records;
                }
                Err(failure) if patience.wait(&failure, (self.progress, &self.luck), || self.is_stopped()) => {}
                Err(failure) => {
                    self.settle_all(&mut records, failure);
                    return records;
                }
            }
        }
    }

    /// Puts files into a pack.
    ///
    /// # Errors
    /// What may pass: the rest of the files was not reached.
    fn gather(
        &self,
        batch: OpenBatch<'_, '_>,
        pack: &dyn Pack,
        lane: &mut Lane,
        records: &mut Records,
    ) -> Result<(), Failure> {
        let mut passing = None;
        self.visit_each(batch, lane, |file, it, lane| {
            records.push(None);
            let (Some(it), Some(last)) = (it, records.last_mut()) else { return true };
            let mut record = self.record(file.part, file.item, Some(&it.node));
            match self.try_file(file, it, (pack, lane), &mut record) {
                Ok(()) => *last = Some(record),
                Err(Halt::Failure(Failure::Apart)) => {}
                Err(Halt::Failure(failure)) if failure.may_pass() => passing = Some(failure),
                Err(halt) => {
                    self.settle(&mut record, halt);
                    *last = Some(record);
                }
            }
            passing.is_none()
        });
        passing.map_or(Ok(()), Err)
    }

    /// Notes on the records of what was in a pack why it was not sent.
    fn settle_all(&self, records: &mut Records, failure: Failure) {
        let why = failure.to_string();
        let mut failure = Some(failure);
        for record in records.iter_mut().flatten().filter(|record| is_gathered(record)) {
            record.packed = None;
            let failure = failure.take().unwrap_or_else(|| Failure::Refused(why.clone()));
            self.settle(record, Halt::Failure(failure));
            if self.is_stopped() {
                (record.status, record.reason) = (Status::Left, None);
            }
        }
    }
}

/// True for what was put into the pack that is being filled: it has no name yet.
fn is_gathered(record: &Record) -> bool {
    record.packed.as_ref().is_some_and(|packed| packed.pack.is_empty())
}

/// Notes on records where their contents are now.
fn note_sent(records: &mut Records, sent: Option<&Sent>) {
    let Some(sent) = sent else { return };
    for record in records.iter_mut().flatten().filter(|record| is_gathered(record)) {
        record.etag.clone_from(&sent.etag);
        if let Some(packed) = &mut record.packed {
            packed.pack.clone_from(&sent.pack);
        }
    }
}
