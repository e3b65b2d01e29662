//! What was read last: [`Recent`], a bounded cache for all threads.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts of a cache, each with a lock of its own.
const SHARDS: usize = 16;

/// The values used last, each by its key.
pub struct Recent<K, V> {
    shards: [Mutex<Shard<K, V>>; SHARDS],
    hasher: RandomState,
    most_per_shard: usize,
}

struct Shard<K, V> {
    /// When each was used last, and what it is.
    values: HashMap<K, (u64, V)>,
    clock: u64,
}

impl<K: Copy + Eq + Hash, V: Clone> Recent<K, V> {
    /// An empty cache of at most `most` values.
    pub fn new(most: usize) -> Self {
        let shard = || Mutex::new(Shard { values: HashMap::new(), clock: 0 });
        let shards = std::array::from_fn(|_| shard());
        Recent { shards, hasher: RandomState::new(), most_per_shard: most.div_ceil(SHARDS).max(1) }
    }

    /// The value of a key; what `make` gives where it is not kept.
    ///
    /// # Errors
    /// Those of `make`; nothing is kept then.
    pub fn get_or_make<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(value) = self.shard(key).get(key) {
            return Ok(value);
        }
        // Without the lock: making takes a read of a disk.
        let value = make()?;
        self.shard(key).put(key, value.clone(), self.most_per_shard);
        Ok(value)
    }

    fn shard(&self, key: K) -> MutexGuard<'_, Shard<K, V>> {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        // A thread that panicked left a whole cache: its changes are single calls.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Shard<K, V> {
    fn get(&mut self, key: K) -> Option<V> {
        self.clock += 1;
        let (used, value) = self.values.get_mut(&key)?;
        *used = self.clock;
        Some(value.clone())
    }

    fn put(&mut self, key: K, value: V, most: usize) {
        if self.values.len() >= most {
            let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            oldest.and_then(|key| self.values.remove(&key));
        }
        self.values.insert(key, (self.clock, value));
    }
}
