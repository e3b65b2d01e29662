//! No faster than asked: [`Pace`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sleeps are no longer than this, so that a wish to stop is heard.
const LONGEST: Duration = Duration::from_millis(200);

/// What was not used may be caught up for so long.
const BURST: Duration = Duration::from_secs(1);

/// Bytes a second, shared by all lanes.
pub struct Pace {
    rate: u64,
    /// When the bytes given out so far are paid for.
    due: Mutex<Instant>,
}

impl Pace {
    /// `rate` bytes a second; at least one.
    pub fn new(rate: u64) -> Self {
        Pace { rate: rate.max(1), due: Mutex::new(Instant::now()) }
    }

    /// Waits until `bytes` more may go. Ends early if `stopped` says so.
    pub fn wait(&self, bytes: u64, stopped: impl Fn() -> bool) {
        let now = Instant::now();
        let due = {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = now.checked_sub(BURST).unwrap_or(now);
            *due = (*due).max(earliest) + Duration::from_secs_f64(bytes as f64 / self.rate as f64);
            *due
        };
        while let Some(left) = due.checked_duration_since(Instant::now())
            && !left.is_zero()
            && !stopped()
        {
            std::thread::sleep(left.min(LONGEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time() {
        let pace = Pace::new(1_000_000);
        let began = Instant::now();
        for _ in 0..15 {
            pace.wait(100_000, || false);
        }
        // 1.5 MB at 1 MB/s, of which the first second's worth may go at once.
        assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    }

    #[test]
    fn a_wish_to_stop_is_heard() {
        let began = Instant::now();
        Pace::new(1).wait(1_000_000, || true);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
