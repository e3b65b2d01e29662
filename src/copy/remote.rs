//! A copy to another machine or service: [`to_remote`].
//!
//! Manifest and sums are written here, in a folder of this machine, and put into the destination at the end, whatever end
//! that is. The next run reads them here; where they are gone, or another machine wrote newer ones, from the destination.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use super::checkpoint::{Keeper, fetch};
use super::patience::patiently;
use super::previous::Previous;
use super::run::{Prepared, pool, through_folder};
use super::{Error, Outcome, Request, Stopped};
use crate::manifest::{Algorithm, FOLDER, NAME};
use crate::progress::Progress;
use crate::sink::local::{Folder, open_root};
use crate::sink::{Failure, Store};

/// Files taken at a time where a store does not say.
const LANES: usize = 4;

/// Longest first line of a manifest that is compared.
const FIRST_LINE: u64 = 1 << 20;

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
    let is_news = patiently(progress, request.patience, || fetch_manifest(store, &folder)).map_err(unread)?;
    let left = patiently(progress, request.patience, || fetch(store, &folder, is_news)).map_err(unread)?;
    let keeper = Keeper::new(store, &folder, request.checkpoint, left);
    let limits = store.limits();
    // Lanes wait for the network, mostly: there are more of them than cores.
    let pool = pool(limits.lanes.unwrap_or(LANES).max(request.threads.unwrap_or(1)))?;
    let prepared = pool.install(|| Prepared::new(request, limits.names, progress))?;
    let previous = Previous::read(&folder)?;
    let (mut outcome, published) =
        through_folder(request, store, (&folder, Some(&keeper)), prepared, &previous, &pool, progress)?;
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

/// The folder of a run's state; `None` where another run has it.
fn state_folder(state: &Path) -> Result<Option<Folder>, Error> {
    let failed = |error| Error::Destination(format!("opening the state folder {}", state.display()), error);
    fs::create_dir_all(state).map_err(failed)?;
    let root = open_root(state).map_err(failed)?;
    Folder::open(root.root(), FOLDER).map_err(failed)
}

/// Fetches the manifest that the destination holds, unless it is the one that is known here; tells whether it did.
fn fetch_manifest(store: &dyn Store, folder: &Folder) -> Result<bool, Failure> {
    let failed = |error| Failure::of("what is kept of it here", error);
    let broken = |error: io::Error| Failure::Passing(format!("it broke off: {error}"));
    let here = folder.open_file(NAME).map_err(failed)?;
    let size = here.as_ref().map(|file| file.metadata().map(|it| it.len())).transpose().map_err(failed)?;
    let path = format!("{FOLDER}/{NAME}");
    let there = store.standing(path.as_bytes())?.map(|standing| standing.size);
    if there.is_none() {
        return Ok(false);
    }
    if let Some(here) = here.filter(|_| there == size)
        && let Some(there) = store.get_own(NAME)?
        && first_line(here).map_err(failed)? == first_line(there).map_err(broken)?
    {
        return Ok(false);
    }
    let Some(mut manifest) = store.get_own(NAME)? else { return Ok(false) };
    let name = Previous::next_killed(folder);
    let mut file = folder.create(&format!("{name}.fetched")).map_err(failed)?;
    copy_all(&mut *manifest, &mut file)?;
    folder.rename(&format!("{name}.fetched"), &name).map_err(failed)?;
    Ok(true)
}

/// The first line of a manifest, which says when its run began: no two have the same.
pub fn first_line(manifest: impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(manifest.take(FIRST_LINE)).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// Keeps here what is read from there.
pub fn copy_all(from: &mut dyn Read, to: &mut File) -> Result<(), Failure> {
    io::copy(from, to).map(drop).map_err(|error| match Failure::of("keeping it here", error) {
        // Which side failed is not told; that this one is full is.
        Failure::Refused(why) => Failure::Passing(why),
        failure => failure,
    })
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
