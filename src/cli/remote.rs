//! What commands have in common whose destination may be on another machine.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

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
}

const HEADING: &str = "Remote destinations";

/// Understands what follows `--to`.
pub(crate) fn destination_parser() -> impl TypedValueParser<Value = To> {
    OsStringValueParser::new().try_map(|text| To::parse(&text))
}

impl RemoteArguments {
    /// Opens a remote destination.
    pub(crate) fn open(&self, url: &Url, look_only: bool) -> Result<Box<dyn Store>, Stop> {
        let ssh = self.ssh.clone().or_else(|| std::env::var("OFFMOUNT_SSH").ok());
        let options = Options { ssh, look_only };
        open(url, &options).map_err(Stop::Failed)
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
