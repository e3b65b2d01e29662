//! A copy to another machine or service: [`to_remote`].
//!
//! Manifest and sums are written here, in a folder of this machine, and put into the destination at the end, whatever end
//! that is. The next run reads them here; where they are gone, or another machine wrote newer ones, from the destination.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::checkpoint::{Keeper, fetch};
use super::patience::patiently;
use super::plan::Plan;
use super::previous::Previous;
use super::run::{Prepared, pool, through_folder};
use super::there::There;
use super::{Error, Outcome, Request, Stopped};
use crate::manifest::{Algorithm, FOLDER, NAME};
use crate::progress::Progress;
use crate::sink::local::{Folder, open_root};
use crate::sink::{Failure, Store};

/// Files taken at a time where a store does not say.
const LANES: usize = 4;

/// Files taken at a time where small ones go together: so many packs fill a line, and more of them memory.
const PACKING: usize = 6;

/// Files of at most so many bytes cost a store of objects as much as none.
const SMALL: u64 = 64 << 10;

/// So many of them take minutes, mostly.
const MANY: usize = 20_000;

/// Copies what `request` selects to `store`, with its state in the directory `state` of this machine.
pub fn to_remote(
    request: &Request<'_>,
    store: &dyn Store,
    state: &Path,
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    let folder = state_folder(state)?.ok_or(Error::Busy)?;
    let unread = |failure: Failure| {
        let doing = "reading the manifest in the destination".into();
        Error::Destination(doing, io::Error::other(failure.to_string()))
    };
    let there = patiently(progress, request.patience, || There::look(store, &folder)).map_err(unread)?;
    let left = patiently(progress, request.patience, || fetch(&there)).map_err(unread)?;
    let keeper = Keeper::new(store, &folder, request.checkpoint, left);
    let limits = store.limits();
    // Lanes wait for the network, mostly: there are more of them than cores.
    let packed = request.pack.filter(|_| limits.packs);
    let lanes = if packed.is_some() { PACKING } else { limits.lanes.unwrap_or(LANES) };
    let pool = pool(lanes.max(request.threads.unwrap_or(1)))?;
    let mut prepared = pool.install(|| Prepared::new(request, limits.names, progress))?;
    match packed {
        Some(longest) => prepared.plan.gather_packs(longest),
        None if limits.packs => advise(&prepared.plan, progress),
        None => {}
    }
    let previous = Previous::read(&folder)?;
    let (mut outcome, published) =
        through_folder(request, store, (&folder, Some((&keeper, &there))), prepared, previous, &pool, progress)?;
    published?;
    if !matches!(outcome.stopped, Some(Stopped::DestinationGone(_)))
        && let Err(failure) = upload(store, &folder, request.patience, progress)
            .and_then(|()| patiently(progress, request.patience, || keeper.end()))
    {
        let note =
            format!("the manifest could not be put into the destination ({failure}); it is in {}", state.display());
        outcome.notes.push(note);
        outcome.stopped.get_or_insert(Stopped::DestinationGone(failure.to_string()));
    }
    Ok(outcome)
}

/// Says what would be faster, where it matters.
fn advise(plan: &Plan, progress: &dyn Progress) {
    let small = plan.files.iter().filter(|file| (1..=SMALL).contains(&file.size)).count();
    if small >= MANY {
        progress.say(&format!(
            "{small} small files go one by one, which may take hours: with --pack they go together, in archives"
        ));
    }
}

/// The folder of a run's state; `None` where another run has it.
fn state_folder(state: &Path) -> Result<Option<Folder>, Error> {
    let failed = |error| Error::Destination(format!("opening the state folder {}", state.display()), error);
    fs::create_dir_all(state).map_err(failed)?;
    let root = open_root(state).map_err(failed)?;
    Folder::open(root.root(), FOLDER).map_err(failed)
}

/// Puts manifest and sums into the destination.
fn upload(store: &dyn Store, folder: &Folder, patience: Duration, progress: &dyn Progress) -> Result<(), Failure> {
    let names = Algorithm::ALL.into_iter().map(Algorithm::sums_name).chain([NAME]);
    for name in names {
        let file = folder.open_file(name).map_err(|error| Failure::of("reading the manifest", error))?;
        if let Some(file) = file {
            patiently(progress, patience, || store.put_own(name, &file))?;
        }
    }
    Ok(())
}
