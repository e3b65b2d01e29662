//! Records of files in the forms that examiners' tools read: [`Format`] says which, [`Export`] writes them.

mod bodyfile;
mod csv;
mod dfxml;
mod hashdeep;

use std::io::{self, Write};

pub use hashdeep::is_possible as hashdeep_can_list;

use crate::manifest::{Algorithm, Header, Record, Status};

/// A form of list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The Sleuth Kit's body file, version 3, which `mactime` makes time lines of.
    Bodyfile,
    /// Digital Forensics XML, with where on the image each file lies.
    Dfxml,
    /// What `hashdeep -a` audits against.
    Hashdeep,
    /// Comma-separated values (RFC 4180).
    Csv,
}

/// A list being written.
pub struct Export<W> {
    format: Format,
    out: W,
    /// The hashes that the list gives: those a copy was asked to make.
    algorithms: Vec<Algorithm>,
    /// Files that the form has no place for.
    pub left_out: u64,
}

impl<W: Write> Export<W> {
    /// Begins a list of what `header` describes. `algorithms` are the hashes that its records hold.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(format: Format, header: &Header, algorithms: Vec<Algorithm>, mut out: W) -> io::Result<Self> {
        match format {
            Format::Bodyfile => {}
            Format::Dfxml => dfxml::begin(header, &mut out)?,
            Format::Hashdeep => hashdeep::begin(&algorithms, &mut out)?,
            Format::Csv => csv::begin(&mut out)?,
        }
        Ok(Export { format, out, algorithms, left_out: 0 })
    }

    /// Adds a record. Paths that were not copied are no part of a list of copied files.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn add(&mut self, record: &Record) -> io::Result<()> {
        if !matches!(record.status, Status::Copied | Status::AlreadyThere | Status::Planned) {
            self.left_out += 1;
            return Ok(());
        }
        let taken = match self.format {
            Format::Bodyfile => bodyfile::write(record, &mut self.out)?,
            Format::Dfxml => dfxml::write(record, &mut self.out)?,
            Format::Hashdeep => hashdeep::write(record, &self.algorithms, &mut self.out)?,
            Format::Csv => csv::write(record, &mut self.out)?,
        };
        self.left_out += u64::from(!taken);
        Ok(())
    }

    /// Ends the list.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<u64> {
        if self.format == Format::Dfxml {
            dfxml::end(&mut self.out)?;
        }
        self.out.flush()?;
        Ok(self.left_out)
    }
}

/// A hash in hexadecimal digits; empty where there is none.
fn hex(record: &Record, algorithm: Algorithm) -> String {
    record.digests.get(algorithm).unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect()
}
