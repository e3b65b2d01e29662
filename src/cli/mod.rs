//! The program: arguments become a plain request, one file per command does it.

mod arguments;
mod cat;
mod check;
mod completions;
mod copy;
mod explain;
mod find;
mod info;
mod interrupt;
mod ls;
mod man;
mod output;
mod progress;
mod remote;
mod session;
mod stat;
mod stop;
mod verify;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use stop::Stop;

const ABOUT: &str = "Reads a dead server's disk without mounting it: shows what is on it, says what is wrong, and copies \
                     the files out, hashed";

const EXIT_CODES: &str = "\
Exit status:
  info, ls, stat, cat, find   0 done; 1 something asked for is missing or damaged; 2 could not run
  copy, verify                0 complete and equal; 1 something is partial, skipped or different; 2 could not run
  check                       as fsck: 0 clean; 4 damage found; 8 could not finish; 16 usage (4 and 8 add up)
  any                         130 interrupted

IMAGE is a disk image or a block device; nothing is ever written to it. PATH is one of the server's own paths
(/etc/fstab), followed over its mounts and symbolic links; p2:/etc/fstab names a volume explicitly.

Example:
  offmount info testdata/server.img";

/// All arguments.
#[derive(Parser, Debug)]
#[command(name = "offmount", version, about = ABOUT, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Arguments {
    /// Threads to use; one for each core unless given
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Show no progress and no decisions
    #[arg(short, long, global = true)]
    quiet: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is only ever one")]
enum Verb {
    Info(info::Arguments),
    Ls(ls::Arguments),
    Stat(stat::Arguments),
    Cat(cat::Arguments),
    Find(find::Arguments),
    Copy(copy::Arguments),
    Verify(verify::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// What every command gets besides its own arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Global {
    /// No progress, no decisions.
    pub(crate) quiet: bool,
    /// Threads to use; `None` for one a core.
    pub(crate) threads: Option<usize>,
}

/// The definition of all commands, for completions and manual pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => ExitCode::from(run(parsed)),
        Err(error) => {
            // Where not even this can be printed, the exit status has to do.
            let _ = error.print();
            ExitCode::from(usage_status(error.kind(), &arguments))
        }
    }
}

/// Exit status of arguments that are no request: 0 for help, as fsck's for `check`, else 2.
fn usage_status(kind: ErrorKind, arguments: &[OsString]) -> u8 {
    let is_help = matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let verb = arguments.iter().skip(1).find(|word| !word.to_string_lossy().starts_with('-'));
    match (is_help, verb) {
        (true, _) => 0,
        (false, Some(verb)) if verb == "check" => 16,
        _ => 2,
    }
}

fn run(arguments: Arguments) -> u8 {
    interrupt::install();
    let threads = arguments.threads.map(NonZeroUsize::get);
    let global = Global { quiet: arguments.quiet, threads };
    if let Some(threads) = threads {
        // Fails only where a pool is there already, and none is yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    let (could_not_run, result) = match arguments.verb {
        Verb::Info(arguments) => (2, info::run(arguments, global)),
        Verb::Ls(arguments) => (2, ls::run(arguments, global)),
        Verb::Stat(arguments) => (2, stat::run(arguments, global)),
        Verb::Cat(arguments) => (2, cat::run(arguments, global)),
        Verb::Find(arguments) => (2, find::run(arguments, global)),
        Verb::Copy(arguments) => (2, copy::run(arguments, global)),
        Verb::Verify(arguments) => (2, verify::run(arguments, global)),
        Verb::Check(arguments) => (8, check::run(arguments, global)),
        Verb::Explain(arguments) => (2, explain::run(arguments)),
        Verb::Completions(arguments) => (2, completions::run(arguments)),
        Verb::Man(arguments) => (2, man::run(arguments)),
    };
    match result {
        Ok(status) => status,
        // Who reads our output has read enough.
        Err(Stop::BrokenPipe) => 0,
        Err(Stop::Interrupted) => {
            output::complain("interrupted");
            130
        }
        Err(Stop::Failed(why)) => {
            output::complain(&why);
            could_not_run
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_ends_its_help_with_an_example() {
        for verb in command().get_subcommands().filter(|verb| verb.get_name() != "help") {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", verb.get_name());
        }
    }

    #[test]
    fn wrong_usage_of_check_ends_as_fsck_does() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(usage_status(ErrorKind::UnknownArgument, &words("offmount --quiet check --nonsense")), 16);
        assert_eq!(usage_status(ErrorKind::UnknownArgument, &words("offmount ls check --nonsense")), 2);
        assert_eq!(usage_status(ErrorKind::DisplayHelp, &words("offmount check --help")), 0);
    }
}
