//! A repair program run on a copy, within limits of time and space, and how that ends ([`Outcome`]).

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use serde::Serialize;

use super::repairs::Repair;
use crate::progress::Progress;

/// How often the repair is asked whether it is done.
const TICK: Duration = Duration::from_millis(20);
/// How long its last words are waited for, once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes that are kept of what it says.
const KEPT: usize = 16 << 10;
/// Bytes by which it may make the copy larger.
const GROWTH: u64 = 1 << 20;

/// The bit of a repair's exit code that says it could not do its work.
const OPERATIONAL: i32 = 8;
/// What the C library calls a full disk.
const NO_SPACE: &str = "No space left on device";

/// How a repair ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It ended by itself.
    Ended {
        /// Its exit code: 0 nothing to do, 1 repaired, 4 and more not wholly.
        code: i32,
    },
    /// It crashed: running it on the disk is a danger.
    Crashed {
        /// The signal.
        signal: i32,
    },
    /// It did not end in time.
    TimedOut,
    /// The program is not installed.
    NotInstalled {
        /// The package it is in.
        package: &'static str,
    },
}

/// Runs a repair on the file `copy`, which may hardly grow, and ends it when it takes too long.
///
/// # Errors
/// When it can not be run, or the user asked to stop.
pub fn attempt(repair: &Repair, copy: &Path, limit: Duration, progress: &dyn Progress) -> io::Result<Outcome> {
    let path = std::env::var("PATH").unwrap_or_default();
    let started = Command::new(repair.program)
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .arg(repair.argument)
        .arg(copy)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // What it starts itself ends with it.
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(Outcome::NotInstalled { package: repair.package });
        }
        Err(e) => return Err(e),
    };
    let words = last_words(&mut child);
    let group = Pid::from_child(&child);
    let size = Some(copy.metadata()?.len().saturating_add(GROWTH));
    // It may have ended already; then there is nothing to limit.
    let _ = prlimit(Some(group), Resource::Fsize, Rlimit { current: size, maximum: size });
    let end = Instant::now().checked_add(limit);
    loop {
        if let Some(status) = child.try_wait()? {
            return outcome(status, &words);
        }
        let is_late = end.is_some_and(|end| Instant::now() >= end);
        if is_late || progress.interrupted() {
            let _ = kill_process_group(group, Signal::KILL);
            child.wait()?;
            return if is_late { Ok(Outcome::TimedOut) } else { Err(io::ErrorKind::Interrupted.into()) };
        }
        std::thread::sleep(TICK);
    }
}

fn outcome(status: ExitStatus, words: &Receiver<String>) -> io::Result<Outcome> {
    let Some(code) = status.code() else {
        return Ok(Outcome::Crashed { signal: status.signal().unwrap_or_default() });
    };
    let words = words.recv_timeout(LAST_WORDS).unwrap_or_default();
    if code & OPERATIONAL != 0 && words.contains(NO_SPACE) {
        // The folder of the copy is full, which says nothing of the disk.
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(caught_signal(&words).map_or(Outcome::Ended { code }, |signal| Outcome::Crashed { signal }))
}

/// The signal of a crash that the program caught itself: e2fsck then says `Signal (11) SIGSEGV` and exits.
fn caught_signal(words: &str) -> Option<i32> {
    words.lines().find_map(|line| line.strip_prefix("Signal (")?.split_once(')')?.0.parse().ok())
}

/// The end of what a program says on standard error, as soon as it has said all.
fn last_words(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let (mut kept, mut buf) = (VecDeque::new(), [0; 4096]);
            while let Ok(n @ 1..) = stderr.read(&mut buf) {
                kept.extend(&buf[..n]);
                kept.drain(..kept.len().saturating_sub(KEPT));
            }
            // Nobody waits any more where the program was ended.
            let _ = sender.send(String::from_utf8_lossy(kept.make_contiguous()).into_owned());
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_that_was_caught_is_one() {
        assert_eq!(caught_signal("e2fsck 1.47.0\nSignal (11) SIGSEGV si_code=SEGV_MAPERR\n"), Some(11));
        assert_eq!(caught_signal("e2fsck 1.47.0\n/dev/sdb: Signal (x)\n"), None);
    }
}
