//! A file being read back ([`Reading`]).

use std::io::{self, Read};
use std::sync::Arc;

use super::Server;
use crate::sink::{Failure, ReadBack};

/// A file on the server, of which a stream may be open.
pub struct Reading {
    server: Arc<Server>,
    url: String,
    stream: Option<(u64, Box<dyn Read>)>,
}

impl Reading {
    /// The file with this address.
    pub fn new(server: Arc<Server>, url: String) -> Self {
        Reading { server, url, stream: None }
    }

    /// A stream that begins at an offset; `None` past the end.
    fn open(&self, offset: u64) -> io::Result<Option<Box<dyn Read>>> {
        let range = format!("bytes={offset}-");
        let headers = [("Range", &*range)];
        let headers = if offset == 0 { &headers[..0] } else { &headers[..] };
        let answer = self.server.send("GET", &self.url, headers, b"")?;
        if answer.status() == 416 {
            return Ok(None);
        }
        let whole = answer.status() == 200 && offset > 0;
        let mut stream: Box<dyn Read> = Box::new(super::good(answer)?.into_reader());
        if whole {
            io::copy(&mut (&mut stream).take(offset), &mut io::sink()).map_err(broken)?;
        }
        Ok(Some(stream))
    }
}

impl ReadBack for Reading {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stream.as_ref().is_none_or(|(at, _)| *at != offset) {
            self.stream = self.open(offset)?.map(|stream| (offset, stream));
        }
        let Some((at, stream)) = &mut self.stream else { return Ok(0) };
        let len = match stream.read(buffer) {
            Ok(len) => len,
            Err(error) => {
                self.stream = None;
                return Err(broken(error));
            }
        };
        *at += len as u64;
        Ok(len)
    }
}

/// A stream that breaks off is a connection that was lost.
fn broken(error: io::Error) -> io::Error {
    Failure::Passing(format!("the connection was lost: {error}")).into()
}
