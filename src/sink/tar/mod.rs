//! A stream in the pax format of tape archives.

use std::fs::File;
use std::io::{self, Write};

use super::{Drain, Entry, Failure, Limits, Made, Sink};

/// A stream of tape archive members, one after the other.
pub struct Tar {
    _stream: std::sync::Mutex<Box<dyn Write + Send>>,
}

impl Tar {
    /// Members are written to `stream`.
    pub fn new(stream: Box<dyn Write + Send>) -> Self {
        Tar { _stream: std::sync::Mutex::new(stream) }
    }

    /// Adds offmount's own files, and ends the archive.
    ///
    /// # Errors
    /// Those of reading the files and of writing.
    pub fn finish<'n>(self, _folder: &str, _own: impl Iterator<Item = (&'n str, File)>) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Tar {
    fn limits(&self) -> Limits {
        Limits { lanes: Some(1), name_max: 255, whole_directories: true, finish_in_order: true }
    }

    fn directory(&self, _entry: &Entry<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn create<'a>(&'a self, _entry: &'a Entry<'a>) -> Result<Box<dyn Drain + 'a>, Failure> {
        Err(Failure::Refused("not yet".into()))
    }

    fn special(&self, _entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(Made::new())
    }

    fn link(&self, _entry: &Entry<'_>, _first: &[u8]) -> Result<Made, Failure> {
        Ok(Made::new())
    }

    fn finish_directory(&self, _entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(Made::new())
    }
}
