//! [`chunks`]: one pass over a source, in large reads on all processors, with the results in the order of the disk.

use std::sync::Mutex;

use rayon::prelude::*;

use crate::bytes::{Buffer, Spans};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// Bytes read at once: large enough for any disk, small enough that every processor has one.
const CHUNK: u64 = 4 << 20;

/// Calls `look` with each chunk of `source` (a multiple of `unit` bytes, zeros where it is unreadable) and its place,
/// on any thread, then `take` with what it returned, in the order of the disk.
///
/// # Errors
/// When the source is gone.
pub fn chunks<T: Send>(
    source: &Source,
    unit: u64,
    progress: &dyn Progress,
    look: impl Fn(u64, &[u8]) -> T + Sync,
    mut take: impl FnMut(T),
) -> Result<(), SourceGone> {
    let unit = unit.max(1);
    let chunk = CHUNK.next_multiple_of(unit);
    let whole = source.len() / unit * unit;
    let batch = chunk * rayon::current_num_threads() as u64 * 4;
    let buffers: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());
    let mut from = 0;
    while from < whole && !progress.interrupted() {
        let to = whole.min(from.saturating_add(batch));
        let starts: Vec<u64> = (from..to).step_by(chunk as usize).collect();
        let seen: Result<Vec<T>, SourceGone> = starts
            .into_par_iter()
            .map(|at| {
                let mut buf = buffers.lock().map_or_else(|_| None, |mut free| free.pop()).unwrap_or_default();
                buf.resize(chunk.min(to - at) as usize);
                source.read(at, &mut buf, &mut Spans::new())?;
                let seen = look(at, &buf);
                progress.advance(buf.len() as u64);
                if let Ok(mut free) = buffers.lock() {
                    free.push(buf);
                }
                Ok(seen)
            })
            .collect();
        seen?.into_iter().for_each(&mut take);
        from = to;
    }
    Ok(())
}
