//! The program: arguments become a plain request, one file per command does it.

mod arguments;
mod cat;
mod check;
mod completions;
mod confine;
mod copy;
mod doomed;
mod evidence;
mod explain;
mod export;
mod find;
mod info;
mod interrupt;
mod ls;
mod man;
mod output;
mod plan;
mod progress;
mod remote;
mod restore;
mod session;
mod stat;
mod stop;
mod verify;
mod verify_log;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use confine::{Confinement, confine};
use stop::Stop;

const ABOUT: &str = "Reads a dead server's disk without mounting it: shows what is on it, says what is wrong, and copies \
                     the files out, hashed";

const EXIT_CODES: &str = "\
Exit status:
  info, ls, stat, cat, find   0 done; 1 something asked for is missing or damaged; 2 could not run
  plan, copy, export,
  restore-metadata            0 complete; 1 something is partial, skipped or different; 2 could not run
  verify, verify-log          0 everything is as recorded; 1 something differs; 2 could not run
  check                       as fsck: 0 clean; 4 damage found; 8 could not finish; 16 usage (4 and 8 add up)
  any                         130 interrupted

IMAGE is a disk image or a block device; nothing is ever written to it. PATH is one of the server's own paths \
(/etc/fstab), followed over its mounts (bind mounts too) and symbolic links; p2:/etc/fstab names a volume explicitly.

Example:
  offmount info testdata/server.img";

/// All arguments.
#[derive(Parser, Debug)]
#[command(name = "offmount", version, about = ABOUT, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Arguments {
    /// Threads to use, at most 1024; one for each core unless given
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Show no progress and no decisions
    #[arg(short, long, global = true)]
    quiet: bool,

    #[command(flatten)]
    evidence: evidence::EvidenceArguments,

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
    Plan(plan::Arguments),
    Copy(copy::Arguments),
    Verify(verify::Arguments),
    RestoreMetadata(restore::Arguments),
    Export(export::Arguments),
    Check(check::Arguments),
    VerifyLog(verify_log::Arguments),
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
        Ok(parsed) => ExitCode::from(run(parsed, &arguments)),
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

impl Verb {
    /// Where on this machine the command writes; `None` where not all of it is known beforehand.
    fn writes(&self) -> Option<Vec<PathBuf>> {
        match self {
            Verb::Copy(arguments) => arguments.writes(),
            Verb::Check(arguments) => arguments.writes(),
            Verb::Verify(_) | Verb::RestoreMetadata(_) | Verb::Completions(_) | Verb::Man(_) => None,
            _ => Some(Vec::new()),
        }
    }

    /// Exit status of a run that could not be done.
    fn could_not_run(&self) -> u8 {
        if matches!(self, Verb::Check(_)) { 8 } else { 2 }
    }
}

fn run(arguments: Arguments, words: &[OsString]) -> u8 {
    interrupt::install();
    let could_not_run = arguments.verb.could_not_run();
    let confined = match arguments.verb.writes() {
        Some(below) => confine(&below.into_iter().chain(arguments.evidence.writes()).collect::<Vec<_>>()),
        None => Confinement::Not("what this command, or a program it starts, writes is not known beforehand".into()),
    };
    let begun = arguments.evidence.begin(words, &confined);
    let done = begun.and_then(|()| run_verb(arguments));
    let status = status(done, could_not_run);
    match evidence::end(status) {
        Ok(()) => status,
        Err(stop) => self::status(Err(stop), could_not_run),
    }
}

fn run_verb(arguments: Arguments) -> Result<u8, Stop> {
    let threads = arguments.threads.map(usize::from);
    let global = Global { quiet: arguments.quiet, threads };
    if let Some(threads) = threads {
        // Fails only where a pool is there already, and none is yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    match arguments.verb {
        Verb::Info(arguments) => info::run(arguments, global),
        Verb::Ls(arguments) => ls::run(arguments, global),
        Verb::Stat(arguments) => stat::run(arguments, global),
        Verb::Cat(arguments) => cat::run(arguments, global),
        Verb::Find(arguments) => find::run(arguments, global),
        Verb::Plan(arguments) => plan::run(arguments, global),
        Verb::Copy(arguments) => copy::run(arguments, global),
        Verb::Verify(arguments) => verify::run(arguments, global),
        Verb::RestoreMetadata(arguments) => restore::run(arguments, global),
        Verb::Export(arguments) => export::run(arguments, global),
        Verb::Check(arguments) => check::run(arguments, global),
        Verb::VerifyLog(arguments) => verify_log::run(arguments),
        Verb::Explain(arguments) => explain::run(arguments),
        Verb::Completions(arguments) => completions::run(arguments),
        Verb::Man(arguments) => man::run(arguments),
    }
}

/// The exit status of what was done.
fn status(done: Result<u8, Stop>, could_not_run: u8) -> u8 {
    match done {
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
