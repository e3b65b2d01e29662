//! What commands have in common whose destination may be on another machine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::arguments::duration;
use super::interrupt;
use super::output::complain;
use super::stop::Stop;
use crate::sink::Store;
use crate::sink::store::{Options, open};
use crate::sink::url::{To, Url};

/// Options of remote destinations.
#[derive(Args, Debug)]
pub(crate) struct RemoteArguments {
    /// Where manifest and journal are kept while a copy to a URL runs [default: offmount/ in $XDG_STATE_HOME]
    #[arg(long, value_name = "DIR", help_heading = HEADING)]
    state: Option<PathBuf>,

    /// The command to use in place of `ssh`, with its arguments [default: $OFFMOUNT_SSH, or ssh]
    #[arg(long, value_name = "COMMAND", help_heading = HEADING)]
    ssh: Option<String>,

    /// Take a connection for lost over which nothing has moved for so long (a slow one is not)
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s", help_heading = HEADING)]
    stall: Duration,

    /// How long to try again what may pass (a line that is down, a server that restarts), while nothing gets through
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m", help_heading = HEADING)]
    pub(crate) patience: Duration,
}

/// How long to wait for a server that is there, and says that it can not do anything now: one that restarts, or of which a
/// part does.
const BUSY: Duration = Duration::from_secs(180);

/// How long between two attempts.
const BETWEEN: Duration = Duration::from_secs(5);

const HEADING: &str = "Remote destinations";

/// Understands what follows `--to`.
pub(crate) fn destination_parser() -> impl TypedValueParser<Value = To> {
    OsStringValueParser::new().try_map(|text| To::parse(&text))
}

impl RemoteArguments {
    /// Opens a remote destination.
    pub(crate) fn open(&self, url: &Url, look_only: bool) -> Result<Box<dyn Store>, Stop> {
        let ssh = self.ssh.clone().or_else(|| std::env::var("OFFMOUNT_SSH").ok());
        let options = Options { ssh, look_only, stall: self.stall.max(Duration::from_secs(1)) };
        let began = Instant::now();
        loop {
            match open(url, &options) {
                Ok(store) => return Ok(store),
                Err(unopened) if unopened.is_busy && began.elapsed() < BUSY => {
                    complain(&format!("{}; trying again (Ctrl-C ends)", unopened.why));
                }
                Err(unopened) => return Err(Stop::Failed(unopened.why)),
            }
            let again = Instant::now() + BETWEEN;
            while Instant::now() < again {
                if interrupt::asked() {
                    return Err(Stop::Interrupted);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// The directory of this machine that keeps the state of copies to a destination.
    pub(crate) fn state(&self, url: &Url) -> Result<PathBuf, Stop> {
        if let Some(state) = &self.state {
            return Ok(state.clone());
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || set("HOME").map(|home| home.join(".local/state"));
        let base = set("XDG_STATE_HOME").or_else(home);
        let base = base.ok_or_else(|| Stop::Failed("no home directory is known: say where with --state DIR".into()))?;
        let id = blake3::hash(url.to_string().as_bytes()).to_hex();
        Ok(base.join("offmount").join(&id[..32]))
    }
}
