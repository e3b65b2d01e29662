//! Trying again what may pass: [`patiently`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::progress::Progress;
use crate::sink::Failure;

/// How long to go on without success, unless the user says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// For how much of that to go on where a server answers, but takes nothing from anybody: for longer than Swift's proxies pass
/// over a disk that failed (60 s, twice), as they do not tell a full one from one that comes back.
const BUSY: (u32, u32) = (13, 30);

/// The first wait; each is twice the last.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// An attempt that brought so many bytes on their way achieved something: patience begins anew. More than what lies in buffers.
pub const ACHIEVED: u64 = 32 << 20;

/// How often a file is begun where what was sent of it is cleared away by others.
pub const BEGUN: u32 = 3;

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
    total: Duration,
    began: Option<Instant>,
    /// Since when the server has said that it is busy, and what it had taken by then.
    busy: Option<(Instant, u64)>,
    next: Duration,
}

impl Patience {
    /// Nothing has failed yet.
    pub fn new(total: Duration) -> Self {
        Patience { total, began: None, busy: None, next: FIRST }
    }

    /// Waits before the next attempt; false where there should be none: the failure lasts, patience is at its end, or the
    /// run is to stop.
    pub fn wait(
        &mut self,
        failure: &Failure,
        (progress, luck): (&dyn Progress, &Luck),
        stopped: impl Fn() -> bool,
    ) -> bool {
        if !failure.may_pass() || stopped() {
            return false;
        }
        let is_over = self.began.get_or_insert_with(Instant::now).elapsed() + self.next > self.total;
        if is_over || self.is_refused(failure, luck) {
            return false;
        }
        progress.say(&format!("{failure}; trying again"));
        let (until, seen) = (Instant::now() + self.next, luck.seen());
        while Instant::now() < until && luck.seen() == seen {
            if stopped() {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        self.next = (self.next * 2).min(LONGEST);
        !stopped()
    }

    /// True if the server has been there for long, and took nothing from anybody.
    fn is_refused(&mut self, failure: &Failure, luck: &Luck) -> bool {
        let is_busy = matches!(failure, Failure::Busy(_));
        self.busy = self.busy.filter(|(_, seen)| is_busy && *seen == luck.seen());
        let most = self.total * BUSY.0 / BUSY.1;
        is_busy && self.busy.get_or_insert_with(|| (Instant::now(), luck.seen())).0.elapsed() + self.next > most
    }
}

/// Does something, and again for as long as what fails may pass, or was undone by others.
pub fn patiently<T>(
    progress: &dyn Progress,
    total: Duration,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (mut patience, luck, mut begun) = (Patience::new(total), Luck::default(), 1);
    loop {
        match attempt() {
            Err(Failure::Forgotten(_)) if begun < BEGUN => begun += 1,
            Err(failure) if patience.wait(&failure, (progress, &luck), || progress.interrupted()) => {}
            done => return done,
        }
    }
}
