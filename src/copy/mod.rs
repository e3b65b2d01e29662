//! Copying files out: what is asked for ([`Request`]), the run ([`run`]) and what came of it ([`Outcome`]); and checking
//! a copy against its manifest ([`verify`]).
//!
//! A run makes a plan of everything selected, in the order of the disk ([`plan`]), then lanes read, hash and write it
//! ([`run`]). Records reach the manifest in the order of the plan, whatever the number of threads.

mod outcome;
mod request;
mod run;
mod verify;

pub use outcome::{Counts, Error, Outcome, Problem, Stopped};
pub use request::{Destination, Hashes, Part, Request, Selection};
pub use run::run;
pub use verify::{Difference, Verified, What, verify};
