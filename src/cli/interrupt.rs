//! Ctrl-C: the first asks the run to finish what is half done, the second ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Exit status of a run that a second signal ended: 128 and the number of SIGINT.
const KILLED: i32 = 130;

/// Begins to listen.
pub(crate) fn install() {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, and sets it. Registering fails only for signals that
        // can not be caught.
        let _ = flag::register_conditional_shutdown(signal, KILLED, ASKED.clone());
        let _ = flag::register(signal, ASKED.clone());
    }
}

/// True once the user asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
