//! How much memory the parts on their way may take together ([`Budget`]), and how long an answer to them may take
//! ([`answer_within`]).

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Bytes a second at which a slow line still brings on what was sent.
const SLOW: u64 = 128 << 10;

/// How long to wait for an answer to so many bytes, over a connection that is lost when nothing moves for `stall`. What was
/// sent may still lie in buffers on the way, from which it goes on unseen.
pub fn answer_within(stall: Duration, bytes: u64) -> Duration {
    stall + Duration::from_secs(bytes / SLOW)
}

/// Bytes that may be held at a time.
pub struct Budget {
    total: u64,
    left: Mutex<u64>,
    freed: Condvar,
}

/// Bytes taken from a budget, given back when dropped.
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(total: u64) -> Arc<Self> {
        Arc::new(Budget { total, left: Mutex::new(total), freed: Condvar::new() })
    }

    /// Takes bytes, once there are as many. What is more than the whole budget has to do with all of it.
    ///
    /// Whoever waits here must hold no share that only he himself can give back.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Share {
        let bytes = bytes.min(self.total);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = self.freed.wait_while(left, |left| *left < bytes).unwrap_or_else(PoisonError::into_inner);
        *left -= bytes;
        Share { budget: self.clone(), bytes }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.budget.left.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.freed.notify_all();
    }
}
