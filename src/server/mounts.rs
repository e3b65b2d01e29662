//! What the server's fstab mounts, and on which of the disk's volumes: [`Mount`].

/// One line of the fstab that concerns files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Absolute path, without a trailing slash (`/` itself apart).
    pub at: Vec<u8>,
    /// The first field: `UUID=…`, `/dev/sda1`.
    pub spec: Vec<u8>,
    /// The type field.
    pub kind: Vec<u8>,
    /// The options field.
    pub options: Vec<u8>,
    /// Line number in the fstab, from 1; 0 for a root that no line names.
    pub line: usize,
    /// The volume it means.
    pub placed: Placed,
}

/// The volume that an fstab line means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placed {
    /// Index into [`Disk::volumes`](crate::survey::Disk::volumes).
    On(usize),
    /// None of them: why, in a few words.
    Nowhere(String),
}
