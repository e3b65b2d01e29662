//! What of offmount's own stands in a destination far away: [`There`]. Runs of other machines may replace it at any time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};

use super::previous::Previous;
use crate::manifest::{Algorithm, FOLDER, NAME};
use crate::sink::local::Folder;
use crate::sink::{Failure, Found, Store};

/// Longest first line of a manifest that is compared.
const FIRST_LINE: u64 = 1 << 20;

/// What stood in a destination when a run began.
pub struct There<'a> {
    /// The destination.
    pub store: &'a dyn Store,
    /// What is kept of it here.
    pub folder: &'a Folder,
    /// The names of offmount's own files.
    pub names: Vec<Vec<u8>>,
    /// The manifest was not known here, and was fetched.
    pub is_news: bool,
    /// The first line of the manifest.
    known: Option<Vec<u8>>,
}

/// What a run left that came to its end while this one was at work.
pub struct Ended {
    /// Its manifest, by its name here.
    pub manifest: String,
    /// The sums that it made or kept up.
    pub sums: Vec<Algorithm>,
}

impl<'a> There<'a> {
    /// Looks, and fetches the manifest unless it is the one that is known here.
    pub fn look(store: &'a dyn Store, folder: &'a Folder) -> Result<Self, Failure> {
        let failed = |error| Failure::of("what is kept of it here", error);
        let mut it = There { store, folder, names: Vec::new(), is_news: false, known: None };
        if store.found() == Found::Copy {
            it.names = store.own_names()?;
        }
        let path = format!("{FOLDER}/{NAME}");
        let Some(standing) = store.standing(path.as_bytes())? else { return Ok(it) };
        let here = folder.open_file(NAME).map_err(failed)?;
        if let Some(here) = here
            && here.metadata().map_err(failed)?.len() == standing.size
        {
            it.known = Some(first_line(BufReader::new(here)).map_err(failed)?);
        }
        if let Some((line, _)) = it.fetch_news()? {
            (it.known, it.is_news) = (Some(line), true);
        }
        Ok(it)
    }

    /// The sums that are kept up there.
    pub fn sums(&self) -> Vec<Algorithm> {
        sums_in(&self.names)
    }

    /// Fetches the manifest of a run that came to its end since: this one's, put there as it is, would be without its
    /// records. Where both end within the time from here until the manifest is there, the later one still puts its own over
    /// the other: no store and no server that we know of has a lock for that.
    pub fn meanwhile(&self) -> Result<Option<Ended>, Failure> {
        let Some((_, manifest)) = self.fetch_news()? else { return Ok(None) };
        Ok(Some(Ended { manifest, sums: sums_in(&self.store.own_names()?) }))
    }

    /// Fetches the manifest if it is another than the one that is known; tells its first line, and its name here.
    fn fetch_news(&self) -> Result<Option<(Vec<u8>, String)>, Failure> {
        let failed = |error| Failure::of("keeping it here", error);
        let Some(manifest) = self.store.get_own(NAME)? else { return Ok(None) };
        let mut manifest = BufReader::new(manifest);
        let line = first_line(&mut manifest).map_err(broken)?;
        if self.known.as_ref() == Some(&line) {
            return Ok(None);
        }
        let name = Previous::next_killed(self.folder);
        let fetched = format!("{name}.fetched");
        let mut file = self.folder.create(&fetched).map_err(failed)?;
        file.write_all(&line).map_err(failed)?;
        copy_all(&mut manifest, &mut file)?;
        self.folder.rename(&fetched, &name).map_err(failed)?;
        Ok(Some((line, name)))
    }
}

fn sums_in(names: &[Vec<u8>]) -> Vec<Algorithm> {
    let has = |it: &Algorithm| names.iter().any(|name| name == it.sums_name().as_bytes());
    Algorithm::ALL.into_iter().filter(has).collect()
}

/// The first line of a manifest, which says when its run began: no two have the same.
pub fn first_line(manifest: impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    manifest.take(FIRST_LINE).read_until(b'\n', &mut line)?;
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

/// A stream that ends too soon is a lost connection.
pub fn broken(error: io::Error) -> Failure {
    Failure::Passing(format!("it broke off: {error}"))
}
