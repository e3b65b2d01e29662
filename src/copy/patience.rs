//! Trying again what may pass: [`patiently`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::progress::Progress;
use crate::sink::Failure;

/// How long to go on without success.
const PATIENCE: Duration = Duration::from_secs(300);

/// The first wait; each is twice the last.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// An attempt that went on for so long achieved something: patience begins anew.
const ACHIEVED: Duration = Duration::from_secs(60);

/// Counts what the destination took: where it takes something from others, waiting any longer is of no use.
#[derive(Default)]
pub struct Luck(AtomicU64);

impl Luck {
    /// The destination took something.
    pub fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn seen(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often a wait looks whether the user asks to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Waits between attempts, longer each time.
pub struct Patience {
    began: Option<Instant>,
    last: Instant,
    next: Duration,
}

impl Patience {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Patience { began: None, last: Instant::now(), next: FIRST }
    }

    /// Waits before the next attempt; false where there should be none: patience is at its end, or the user asks to stop.
    pub fn wait(&mut self, progress: &dyn Progress, luck: &Luck) -> bool {
        if self.last.elapsed() > ACHIEVED {
            *self = Patience::new();
        }
        if self.began.get_or_insert_with(Instant::now).elapsed() + self.next > PATIENCE {
            return false;
        }
        let (until, seen) = (Instant::now() + self.next, luck.seen());
        while Instant::now() < until && luck.seen() == seen {
            if progress.interrupted() {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        self.next = (self.next * 2).min(LONGEST);
        self.last = Instant::now();
        !progress.interrupted()
    }
}

/// Does something, and again for as long as what fails may pass.
pub fn patiently<T>(progress: &dyn Progress, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let (mut patience, luck) = (Patience::new(), Luck::default());
    loop {
        match attempt() {
            Err(Failure::Passing(why)) if !patience.wait(progress, &luck) => return Err(Failure::Passing(why)),
            Err(Failure::Passing(_)) => {}
            done => return done,
        }
    }
}
