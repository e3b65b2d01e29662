//! Standard output and standard error: data on the one, everything else on the other.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use crate::report::listing::Names;

/// Standard output with one large buffer.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 20, io::stdout().lock())
}

/// How names are written to standard output: escaped where a terminal would obey them.
pub(crate) fn names() -> Names {
    if io::stdout().is_terminal() { Names::Escaped } else { Names::Raw }
}

/// Says on standard error what went wrong, and in the log if there is one.
pub(crate) fn complain(what: &str) {
    super::evidence::note("message", serde_json::json!({ "text": what }));
    // Where nobody reads standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "offmount: {what}");
}
