//! Progress bars on standard error: [`Bar`].

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::interrupt;
use super::output::complain;
use crate::progress::{Progress, Unit};
use crate::report::text::digits;

/// A progress bar; nothing where standard error is no terminal, or where the user wants none. It has no colours.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    files: Arc<AtomicU64>,
    quiet: bool,
    told: Told,
}

/// What troubles were told last: many lanes meet the same at a time.
#[derive(Default)]
struct Told(Mutex<Option<(String, Instant)>>);

impl Told {
    /// How long the same trouble is not told again.
    const SILENCE: Duration = Duration::from_secs(20);

    fn is_new(&self, what: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = last.as_ref().is_none_or(|(told, when)| told != what || when.elapsed() > Self::SILENCE);
        if is_new {
            *last = Some((what.to_owned(), Instant::now()));
        }
        is_new
    }
}

impl Bar {
    /// A bar that shows nothing before the first stage.
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::no_length();
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Bar { bar, files: Arc::default(), quiet, told: Told::default() }
    }

    /// Takes the bar off the terminal, until the next stage.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn style(&self, total: Option<u64>, unit: Unit) -> ProgressStyle {
        let template = match (unit, total) {
            (Unit::Bytes, Some(_)) => "{msg} {wide_bar} {bytes}/{total_bytes}{files} {bytes_per_sec} {eta}",
            (Unit::Bytes, None) => "{spinner} {msg} {bytes}{files} {bytes_per_sec}",
            (Unit::Items, Some(_)) => "{msg} {wide_bar} {human_pos}/{human_len}{files} {per_sec} {eta}",
            (Unit::Items, None) => "{spinner} {msg} {human_pos}{files} {per_sec}",
        };
        let files = self.files.clone();
        let show_files = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let n = files.load(Ordering::Relaxed);
            if n > 0 {
                let _ = write!(out, ", {} files", digits(n));
            }
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        style.with_key("files", show_files).progress_chars("=> ")
    }
}

impl Progress for Bar {
    fn stage(&self, name: &str, total: Option<u64>, unit: Unit) {
        let Some(bar) = &self.bar else { return };
        self.files.store(0, Ordering::Relaxed);
        bar.reset();
        bar.set_style(self.style(total, unit));
        match total {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_message(name.to_owned());
    }

    fn advance(&self, n: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(n);
        }
    }

    fn files(&self, n: u64) {
        self.files.fetch_add(n, Ordering::Relaxed);
    }

    fn say(&self, what: &str) {
        if self.quiet || !self.told.is_new(what) {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(what)),
            None => complain(what),
        }
    }

    fn interrupted(&self) -> bool {
        interrupt::asked()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
