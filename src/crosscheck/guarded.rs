//! A second reader whose panics end nothing but the call: [`Guarded`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

use super::{Meter, Peer, Reader, Refusal};
use crate::source::Source;

/// A reader that panics more often than this is not asked again.
const PATIENCE: u32 = 32;

/// One worker's instance of a second reader, opened when first asked, and anew after a panic.
pub(super) struct Guarded<'p> {
    peer: &'p Peer,
    source: Source,
    meter: Arc<Meter>,
    reader: Option<Box<dyn Reader>>,
    /// Why it did not open; it is not tried again.
    closed: Option<Refusal>,
    panics: u32,
}

impl<'p> Guarded<'p> {
    pub(super) fn new(peer: &'p Peer, source: Source) -> Self {
        Guarded { peer, source, meter: Meter::new(), reader: None, closed: None, panics: 0 }
    }

    /// Calls the reader. A panic, and reads that failed for our own reasons, are limits of the second reader.
    pub(super) fn call<T>(&mut self, ask: impl FnOnce(&mut dyn Reader) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.open()?;
        let Some(reader) = &mut self.reader else { return Err(Refusal::Limit("it can not be opened".into())) };
        match quietly(|| ask(&mut **reader)) {
            Some(Err(_)) if self.meter.stopped().is_some() => Err(self.stopped()),
            Some(answer) => answer,
            None => {
                self.panics += 1;
                self.drop_reader();
                Err(Refusal::Limit("it panicked".into()))
            }
        }
    }

    /// How many writes it tried.
    pub(super) fn writes_refused(&self) -> u64 {
        self.meter.writes()
    }

    fn open(&mut self) -> Result<(), Refusal> {
        if let Some(refusal) = &self.closed {
            return Err(refusal.clone());
        }
        if self.reader.is_some() {
            return Ok(());
        }
        let opened = match self.panics {
            0..=PATIENCE => quietly(|| (self.peer.open)(&self.source, self.meter.clone())),
            _ => None,
        };
        let refusal = match opened {
            Some(Ok(reader)) => {
                self.reader = Some(reader);
                return Ok(());
            }
            Some(Err(_)) if self.meter.stopped().is_some() => self.stopped(),
            Some(Err(refusal)) => refusal,
            None => Refusal::Limit("it panicked".into()),
        };
        self.closed = Some(refusal.clone());
        Err(refusal)
    }

    fn stopped(&self) -> Refusal {
        Refusal::Limit(self.meter.stopped().unwrap_or_default().into())
    }

    /// Its destructor may write, and panic when refused.
    fn drop_reader(&mut self) {
        let reader = self.reader.take();
        quietly(|| drop(reader));
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        self.drop_reader();
    }
}

thread_local! {
    static IN_SECOND_READER: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; `None` if it panicked. Nothing is printed of such a panic: it is counted in the result instead.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IN_SECOND_READER.get() {
                print(info);
            }
        }));
    });
    IN_SECOND_READER.set(true);
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    IN_SECOND_READER.set(false);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crosscheck::{Metered, Opened, Seen, Visit};
    use crate::node::Kind;
    use crate::source::MemorySource;

    /// Panics on the directory `panic`, reads for ever on `loop`, panics when dropped.
    struct Crooked(Metered, Arc<Meter>);

    impl Reader for Crooked {
        fn list(&mut self, dir: &[u8]) -> Result<Vec<Seen>, Refusal> {
            self.1.allow(1 << 20);
            match dir {
                b"panic" => panic!("on purpose"),
                b"loop" => loop {
                    self.0.read_exact_at(0, &mut [0; 16]).map_err(|e| Refusal::Fault(e.to_string()))?;
                },
                b"bad" => Err(Refusal::Fault("bad".into())),
                _ => Ok(Vec::new()),
            }
        }

        fn read(&mut self, _: &[u8], _: Kind, _: &mut Visit<'_>) -> Result<(), Refusal> {
            Ok(())
        }
    }

    impl Drop for Crooked {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    fn open(source: &Source, meter: Arc<Meter>) -> Opened {
        Ok(Box::new(Crooked(Metered::new(source.clone(), meter.clone()), meter)))
    }

    fn peer() -> Peer {
        Peer { name: "crooked", driver: "none", open, node_limit: |_| None, content_limit: |_| None }
    }

    #[test]
    fn panics_and_endless_reads_end_the_call_alone() {
        let peer = peer();
        let mut reader = Guarded::new(&peer, Arc::new(MemorySource(vec![0; 16])));
        let mut list = |dir: &[u8]| reader.call(|reader| reader.list(dir));
        assert_eq!(list(b"fine"), Ok(Vec::new()));
        assert_eq!(list(b"panic"), Err(Refusal::Limit("it panicked".into())));
        assert!(matches!(list(b"loop"), Err(Refusal::Limit(why)) if why.contains("stopped")));
        assert_eq!(list(b"bad"), Err(Refusal::Fault("bad".into())));
        assert_eq!(list(b"fine"), Ok(Vec::new()));
        for _ in 0..=PATIENCE {
            let _ = list(b"panic");
        }
        assert!(list(b"fine").is_err(), "one that panics all the time is not asked again");
    }
}
