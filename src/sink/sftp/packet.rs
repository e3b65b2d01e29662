//! The packets of SFTP version 3: what is asked, [`Ask`], and what is answered, [`Answer`].
//!
//! draft-ietf-secsh-filexfer-02, with the extensions of OpenSSH's `PROTOCOL` file, section 4 (which also says that the
//! arguments of `SSH_FXP_SYMLINK` come the other way round). Names are bytes: they are on the disks that are rescued.

/// A packet being put together: its type, and what follows the request's number.
pub struct Ask {
    kind: u8,
    body: Vec<u8>,
}

/// `SSH_FXF_*` of opening a file.
pub mod open {
    pub const READ: u32 = 1;
    pub const WRITE: u32 = 2;
    pub const CREATE: u32 = 8;
    pub const EXCLUSIVE: u32 = 0x20;
}

/// `SSH_FXP_*` of requests.
pub mod kind {
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const EXTENDED: u8 = 200;
}

impl Ask {
    /// A request of a type.
    pub fn new(kind: u8) -> Self {
        Ask { kind, body: Vec::with_capacity(64) }
    }

    /// An extended request.
    pub fn extended(name: &str) -> Self {
        Ask::new(kind::EXTENDED).bytes(name.as_bytes())
    }

    /// A string follows: names, handles.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.body.extend_from_slice(&(bytes.len() as u32).to_be_bytes()); // names and handles are short
        self.body.extend_from_slice(bytes);
        self
    }

    /// A number follows.
    pub fn u32(mut self, n: u32) -> Self {
        self.body.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// A long number follows.
    pub fn u64(mut self, n: u64) -> Self {
        self.body.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Attributes follow.
    pub fn attributes(mut self, attributes: &Attributes) -> Self {
        let Attributes { size, owner, mode, times } = attributes;
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        let flags = bit(size.is_some(), 1) | bit(owner.is_some(), 2) | bit(mode.is_some(), 4) | bit(times.is_some(), 8);
        self = self.u32(flags);
        if let Some(size) = size {
            self = self.u64(*size);
        }
        if let Some((uid, gid)) = owner {
            self = self.u32(*uid).u32(*gid);
        }
        if let Some(mode) = mode {
            self = self.u32(*mode);
        }
        if let Some((accessed, modified)) = times {
            self = self.u32(*accessed).u32(*modified);
        }
        self
    }

    /// The packet under a number; `data` are bytes of a file that are sent right after it.
    pub fn head(&self, id: u32, data: Option<&[u8]>) -> Vec<u8> {
        let data_len = data.map_or(0, |data| data.len() + 4);
        let len = 1 + 4 + self.body.len() + data_len;
        let mut packet = Vec::with_capacity(4 + len - data.map_or(0, <[u8]>::len));
        packet.extend_from_slice(&(len as u32).to_be_bytes()); // pieces of files are far shorter
        packet.push(self.kind);
        packet.extend_from_slice(&id.to_be_bytes());
        packet.extend_from_slice(&self.body);
        if let Some(data) = data {
            packet.extend_from_slice(&(data.len() as u32).to_be_bytes());
        }
        packet
    }
}

/// What a file is, as far as it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// Length in bytes.
    pub size: Option<u64>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// Type and permission bits, as POSIX has them.
    pub mode: Option<u32>,
    /// Accessed and modified, in seconds.
    pub times: Option<(u32, u32)>,
}

/// What a server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// `SSH_FXP_STATUS`: a code and a message; code 0 is success.
    Status(u32, String),
    /// `SSH_FXP_HANDLE`.
    Handle(Vec<u8>),
    /// `SSH_FXP_DATA`.
    Data(Vec<u8>),
    /// `SSH_FXP_NAME`.
    Names(Vec<(Vec<u8>, Attributes)>),
    /// `SSH_FXP_ATTRS`.
    Attributes(Attributes),
    /// `SSH_FXP_EXTENDED_REPLY`.
    Extended(Vec<u8>),
}

/// `SSH_FX_*`.
pub mod status {
    pub const OK: u32 = 0;
    pub const EOF: u32 = 1;
    pub const NO_SUCH_FILE: u32 = 2;
    pub const PERMISSION_DENIED: u32 = 3;
    pub const FAILURE: u32 = 4;
    pub const UNSUPPORTED: u32 = 8;
}

/// Reads fields one after the other; `None` past the end.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub fn u64(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*first))
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub fn attributes(&mut self) -> Option<Attributes> {
        let flags = self.u32()?;
        let has = |bit: u32| flags & bit != 0;
        let mut it = Attributes::default();
        if has(1) {
            it.size = Some(self.u64()?);
        }
        if has(2) {
            it.owner = Some((self.u32()?, self.u32()?));
        }
        if has(4) {
            it.mode = Some(self.u32()?);
        }
        if has(8) {
            it.times = Some((self.u32()?, self.u32()?));
        }
        if has(1 << 31) {
            for _ in 0..self.u32()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Some(it)
    }
}

impl Answer {
    /// The number of the request and the answer in a packet; `None` where it is none.
    pub fn parse(packet: &[u8]) -> Option<(u32, Answer)> {
        let mut fields = Fields(packet);
        let (kind, id) = (fields.u8()?, fields.u32()?);
        let answer = match kind {
            101 => {
                let code = fields.u32()?;
                Answer::Status(code, String::from_utf8_lossy(fields.bytes().unwrap_or_default()).into_owned())
            }
            102 => Answer::Handle(fields.bytes()?.to_vec()),
            103 => Answer::Data(fields.bytes()?.to_vec()),
            104 => {
                let count = fields.u32()?;
                let mut names = Vec::new();
                for _ in 0..count {
                    let name = fields.bytes()?.to_vec();
                    fields.bytes()?; // the line that `ls -l` would show
                    names.push((name, fields.attributes()?));
                }
                Answer::Names(names)
            }
            105 => Answer::Attributes(fields.attributes()?),
            201 => Answer::Extended(fields.0.to_vec()),
            _ => return None,
        };
        Some((id, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_as_they_were_sent() {
        let sent =
            Attributes { size: Some(1 << 40), owner: Some((7, 8)), mode: Some(0o100_644), times: Some((9, u32::MAX)) };
        let packet = Ask::new(105).attributes(&sent).head(3, None);
        assert_eq!(Answer::parse(&packet[4..]), Some((3, Answer::Attributes(sent))));
        for len in 4..packet.len() - 1 {
            assert_eq!(Answer::parse(&packet[4..len]), None);
        }
    }
}
