//! The server's table of filesystems, as fstab(5) describes it.

/// One line, decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// What is mounted: `UUID=…`, `/dev/sda1`.
    pub spec: Vec<u8>,
    /// Where, as an absolute path in its shortest form.
    pub at: Vec<u8>,
    /// Filesystem type, or a list of them.
    pub kind: Vec<u8>,
    /// Mount options.
    pub options: Vec<u8>,
    /// Counted from 1.
    pub number: usize,
}

/// Longest fstab that is read.
pub(super) const MAX_SIZE: usize = 1 << 20;

/// Types that lie on no disk of this server, or hold no files.
const FOREIGN: &[&str] = &[
    "swap",
    "proc",
    "sysfs",
    "tmpfs",
    "ramfs",
    "devpts",
    "devtmpfs",
    "debugfs",
    "tracefs",
    "securityfs",
    "configfs",
    "cgroup",
    "cgroup2",
    "bpf",
    "pstore",
    "efivarfs",
    "mqueue",
    "hugetlbfs",
    "fusectl",
    "binfmt_misc",
    "overlay",
    "aufs",
    "autofs",
    "nfs",
    "nfs4",
    "nfsd",
    "rpc_pipefs",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "ceph",
    "glusterfs",
    "lustre",
    "none",
    "ignore",
];

impl Line {
    /// True for a line that mounts a volume of this server: no swap, no network, no kernel's own, no bind mount.
    pub(super) fn concerns_files(&self) -> bool {
        let foreign =
            |kind: &[u8]| FOREIGN.iter().any(|foreign| foreign.as_bytes() == kind) || kind.starts_with(b"fuse");
        is_plain(&self.at) && !foreign(&self.kind) && !self.is_bind() && !self.spec.contains(&b'@')
    }

    /// The directory of the server that a bind mount shows at another place. One that shows what is below itself
    /// leads nowhere else.
    pub(super) fn bound(&self) -> Option<Vec<u8>> {
        let source = shortest(&self.spec);
        let within = source.strip_prefix(&self.at[..]).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        (self.is_bind() && is_plain(&self.at) && is_plain(&source) && self.at != b"/" && !within).then_some(source)
    }

    fn is_bind(&self) -> bool {
        self.options.split(|&b| b == b',').any(|option| option == b"bind" || option == b"rbind")
    }
}

/// True for an absolute path that no kernel refuses to mount at, and that every destination has room for: none that
/// leads upwards.
fn is_plain(path: &[u8]) -> bool {
    path.starts_with(b"/") && path.split(|&b| b == b'/').all(|name| name != b".." && !name.contains(&0))
}

/// The lines of an fstab. Those of fewer than two fields are none.
pub(super) fn parse(text: &[u8]) -> Vec<Line> {
    let line = |(number, line): (usize, &[u8])| {
        let mut fields = line.split(|b| b.is_ascii_whitespace()).filter(|field| !field.is_empty());
        let spec = fields.next().filter(|first| !first.starts_with(b"#"))?;
        let at = fields.next()?;
        Some(Line {
            spec: unquote(&unescape(spec)),
            at: shortest(&unescape(at)),
            kind: fields.next().map_or(b"auto".to_vec(), unescape),
            options: fields.next().map_or(b"defaults".to_vec(), unescape),
            number,
        })
    };
    (1..).zip(text.split(|&b| b == b'\n')).filter_map(line).collect()
}

/// `\040` and its like turned back into bytes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(field.len()), field);
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// `LABEL="data"` without its quotation marks.
fn unquote(spec: &[u8]) -> Vec<u8> {
    spec.iter().copied().filter(|&b| b != b'"').collect()
}

/// A path without empty components and a trailing slash.
fn shortest(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"/") {
        return path.to_vec();
    }
    let names: Vec<&[u8]> = path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    [b"/".as_slice(), &names.join(&b'/')].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_escapes_and_comments() {
        let lines =
            parse(b"# a comment\n\nUUID=\"0a3407de\" / ext4\n/dev/sdb1\t/srv/my\\040data//  xfs  noatime 0 2\nshort\n");
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].spec.as_slice(), lines[0].at.as_slice()), (b"UUID=0a3407de".as_slice(), b"/".as_slice()));
        assert_eq!((lines[0].options.as_slice(), lines[0].number), (b"defaults".as_slice(), 3));
        assert_eq!((lines[1].at.as_slice(), lines[1].number), (b"/srv/my data".as_slice(), 4));
    }

    #[test]
    fn only_volumes_of_the_server_concern_files() {
        let concerned = |line: &[u8]| parse(line)[0].concerns_files();
        assert!(concerned(b"/dev/sda1 / ext4 rw"));
        assert!(concerned(b"LABEL=data /srv auto noauto"));
        for line in ["/dev/sda2 none swap sw", "tmpfs /tmp tmpfs size=1G", "/srv /export none bind", "nas:/x /x nfs ro"]
        {
            assert!(!concerned(line.as_bytes()), "{line}");
        }
        assert!(!concerned(b"/srv /export ext4 ro,bind"));
        assert!(!concerned(b"user@host:/ /mnt fuse.sshfs ro"));
    }

    #[test]
    fn bind_mounts_show_a_directory_elsewhere() {
        let bound = |line: &[u8]| parse(line)[0].bound();
        assert_eq!(bound(b"/srv//www/ /var/www none bind"), Some(b"/srv/www".to_vec()));
        assert_eq!(bound(b"/srv /export ext4 ro,rbind"), Some(b"/srv".to_vec()));
        for line in ["/srv /srv none bind", "/srv/www /srv none bind", "srv /export none bind", "/srv /export ext4 ro"]
        {
            assert_eq!(bound(line.as_bytes()), None, "{line}");
        }
    }
}
