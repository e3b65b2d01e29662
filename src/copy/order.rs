//! Results of batches, taken in any order and passed on in the order of the plan: [`Reorder`].

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes held back at most before lanes wait for the one that is behind.
const HELD: usize = 12 << 20;

/// Passes results on in order. A lane that is far ahead waits; the one whose turn it is never does.
pub struct Reorder<T, F> {
    state: Mutex<State<T, F>>,
    moved: Condvar,
}

struct State<T, F> {
    next: usize,
    held: BTreeMap<usize, (T, usize)>,
    bytes: usize,
    pass: F,
}

impl<T, F: FnMut(T)> Reorder<T, F> {
    /// Passes results, from number 0 on, to `pass`.
    pub fn new(pass: F) -> Self {
        let state = State { next: 0, held: BTreeMap::new(), bytes: 0, pass };
        Reorder { state: Mutex::new(state), moved: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the result of a number is passed on as soon as it comes.
    pub fn is_next(&self, number: usize) -> bool {
        self.lock().next == number
    }

    /// Takes the result of a number, which holds `size` bytes.
    pub fn put(&self, number: usize, result: T, size: usize) {
        let mut state = self.lock();
        while state.next != number && state.bytes > HELD {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.next != number {
            state.bytes += size;
            state.held.insert(number, (result, size));
            return;
        }
        (state.pass)(result);
        state.next += 1;
        loop {
            let next = state.next;
            let Some((result, size)) = state.held.remove(&next) else { break };
            state.bytes -= size;
            (state.pass)(result);
            state.next += 1;
        }
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn many_lanes_one_order_bounded_memory() {
        let mut passed = Vec::new();
        {
            let order = Reorder::new(|n: usize| passed.push(n));
            let next = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        loop {
                            let n = next.fetch_add(1, Ordering::Relaxed);
                            if n >= 1000 {
                                return;
                            }
                            if n.is_multiple_of(97) {
                                std::thread::sleep(std::time::Duration::from_millis(1));
                            }
                            order.put(n, n, HELD / 3);
                        }
                    });
                }
            });
        }
        assert_eq!(passed, (0..1000).collect::<Vec<_>>());
    }
}
