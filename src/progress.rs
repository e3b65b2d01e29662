//! How long-running work tells what it does. The library knows progress, not progress bars.

/// Receives what a long run has done so far, from any thread.
pub trait Progress: Send + Sync {
    /// A new stage begins: what is done, and how many steps (of `unit`) it takes if that is known.
    fn stage(&self, name: &str, total: Option<u64>, unit: Unit);
    /// `n` more steps of the stage are done.
    fn advance(&self, n: u64);
    /// `n` more files are done (a stage counted in bytes shows both).
    fn files(&self, n: u64);
    /// Something to know meanwhile, in words: what failed and is tried again, what would be faster.
    fn say(&self, _what: &str) {}
    /// True once the user asked to stop: finish what is half done, then return.
    fn interrupted(&self) -> bool;
}

/// What a stage's steps are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes read or written.
    Bytes,
    /// Things: inodes, blocks, files.
    Items,
}

/// Shows nothing and never interrupts.
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: Option<u64>, _: Unit) {}
    fn advance(&self, _: u64) {}
    fn files(&self, _: u64) {}
    fn interrupted(&self) -> bool {
        false
    }
}
