//! Lines as `ls -l` writes them.

use std::fmt::Write as _;

use jiff::tz::{Offset, TimeZone};

use super::text::{Align, Table};
use crate::name;
use crate::node::{Kind, Node, Trust};
use crate::time::Time;

/// How names are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// Their bytes as they are, for programs.
    Raw,
    /// Escaped, so that one name is one line and no terminal obeys it.
    Escaped,
}

impl Names {
    /// The bytes to write for a name.
    pub fn write(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Names::Raw => out.extend_from_slice(bytes),
            Names::Escaped => out.extend_from_slice(name::escaped(bytes).to_string().as_bytes()),
        }
    }
}

/// One line of a long listing.
pub struct Line<'a> {
    /// The name or path to show.
    pub name: &'a [u8],
    /// What it is, also where no node is left.
    pub kind: Kind,
    /// Its metadata; `None` where only its name is left.
    pub node: Option<&'a Node>,
    /// True for the directory of what is lost, which was made here and is on no disk.
    pub made_here: bool,
    /// Where a symbolic link leads.
    pub target: Option<&'a [u8]>,
    /// How far it can be trusted.
    pub trust: Trust,
}

impl<'a> Line<'a> {
    /// The line of a node, with nothing more known of it.
    pub fn of_node(name: &'a [u8], node: &'a Node) -> Self {
        Line { name, kind: node.kind, node: Some(node), made_here: false, target: None, trust: node.trust }
    }
}

/// Long lines: mode, links, owner, group, size (or device number), time of last change, trust where it is not
/// `intact`, name, target.
pub fn long(lines: &[Line<'_>], names: Names, offset: Offset) -> Vec<u8> {
    use Align::{Left, Right};
    let heads = [("", Left), ("", Right), ("", Right), ("", Right), ("", Right), ("", Left), ("", Left)];
    let mut table = Table::new(&heads);
    for line in lines {
        table.row(cells(line, offset));
    }
    let mut out = Vec::new();
    // The first line holds the heads, which are empty.
    for (line, left) in lines.iter().zip(table.lines().into_iter().skip(1)) {
        out.extend_from_slice(left.as_bytes());
        out.push(b' ');
        names.write(line.name, &mut out);
        if let Some(target) = line.target {
            out.extend_from_slice(b" -> ");
            names.write(target, &mut out);
        }
        out.push(b'\n');
    }
    out
}

fn cells(line: &Line<'_>, offset: Offset) -> Vec<String> {
    if line.made_here {
        let mut cells = vec!["-".to_owned(); 6];
        cells[0] = "d---------".into();
        cells.push("made here".into());
        return cells;
    }
    let Some(node) = line.node else {
        let unknown = || "?".to_owned();
        let gone = format!("{}?????????", line.kind.letter());
        return vec![gone, unknown(), unknown(), unknown(), unknown(), unknown(), "no inode".into()];
    };
    let size = node.device.map_or(node.size.to_string(), |(major, minor)| format!("{major}, {minor}"));
    let trust = if line.trust == Trust::Intact { String::new() } else { line.trust.to_string() };
    vec![
        mode(node.kind, node.mode),
        node.links.to_string(),
        node.uid.to_string(),
        node.gid.to_string(),
        size,
        node.times.modified.map(|time| local(time, offset)).unwrap_or_default(),
        trust,
    ]
}

/// Kind and permissions as `ls -l` begins a line: `drwxr-sr-t`.
pub fn mode(kind: Kind, mode: u16) -> String {
    let mut text = String::from(kind.letter());
    for (shift, special, mark) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => mark,
            (false, true) => mark.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// A time to the second: `2024-05-01 12:00:00`; what is no time as the disk has it.
fn local(time: Time, offset: Offset) -> String {
    let mut text = String::new();
    let shown = jiff::Timestamp::from_second(time.secs)
        .ok()
        .filter(|_| time.is_valid())
        .map(|stamp| stamp.to_zoned(TimeZone::fixed(offset)))
        .and_then(|zoned| write!(text, "{}", zoned.strftime("%Y-%m-%d %H:%M:%S")).ok());
    if shown.is_none() { time.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_as_ls_writes_them() {
        // What `ls -ld` of coreutils shows for files with these modes.
        let pairs = [
            (Kind::File, 0o644, "-rw-r--r--"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::File, 0o4755, "-rwsr-xr-x"),
            (Kind::File, 0o6644, "-rwSr-Sr--"),
            (Kind::Directory, 0o3770, "drwxrws--T"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
        ];
        for (kind, bits, text) in pairs {
            assert_eq!(mode(kind, bits), text);
        }
    }

    #[test]
    fn times_to_the_second_or_raw() {
        assert_eq!(local(Time::from_secs(1_600_000_000), Offset::UTC), "2020-09-13 12:26:40");
        assert_eq!(local(Time::from_secs(1_600_000_000), jiff::tz::offset(2)), "2020-09-13 14:26:40");
        assert_eq!(local(Time::from_secs(i64::MAX), Offset::UTC), "@9223372036854775807.000000000");
    }
}
