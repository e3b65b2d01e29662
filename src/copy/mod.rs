//! Copying files out: what is asked for ([`Request`]), the run ([`run()`]) and what came of it ([`Outcome`]); and checking
//! a copy against its manifest ([`verify()`]), or giving it back what the manifest kept ([`restore()`]).
//!
//! A run decides where everything goes (`place`), what is wanted (`select`), and in which order (`plan`: that of the
//! disk). Then lanes take batches of neighbouring files and read, hash and write them (`lane`). What they come to reaches
//! the manifest in the order of the plan, whatever the number of threads (`order`, `book`).

mod against;
mod batch;
mod book;
mod carried;
mod checkpoint;
mod directory;
mod done;
mod dry;
mod guard;
mod hash;
mod job;
mod journal;
mod lane;
mod link;
mod order;
mod outcome;
mod pace;
mod packs;
mod parts;
mod patience;
mod place;
mod plan;
mod previous;
mod remote;
mod request;
mod restore;
mod run;
mod select;
mod space;
mod standing;
mod there;
mod together;
mod verify;
pub mod worth;

pub use against::verify_image;
pub use checkpoint::CHECKPOINT;
pub use outcome::{Counts, Error, Outcome, Problem, Stopped};
pub use patience::PATIENCE;
pub use place::is_below;
pub use request::{Chosen, Destination, Hashes, Order, Part, Request, Selection};
pub use restore::{Restored, restore};
pub use run::run;
pub use select::may_be_glob;
pub use verify::{Difference, Options as VerifyOptions, Verified, What, verify, verify_store};
