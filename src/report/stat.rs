//! Everything that is known of one file: [`Stat`].

use std::fmt::Write as _;

use serde::Serialize;

use super::file::FileRecord;
use super::finding::{FindingRecord, example};
use super::listing::mode;
use super::text::size;
use crate::bytes::Span;
use crate::finding::Finding;
use crate::name;
use crate::node::{Backing, Extent, Mapping, Node, Trust, Xattr};

/// One file with all that its filesystem tells of it.
pub struct Stat<'a> {
    /// The path asked for.
    pub path: &'a [u8],
    /// Name of its volume.
    pub volume: &'a str,
    /// Where on the disk the volume begins, in bytes.
    pub volume_start: u64,
    /// Its metadata.
    pub node: &'a Node,
    /// How name, place and metadata can be trusted.
    pub trust: Trust,
    /// Where a symbolic link leads.
    pub target: Option<&'a [u8]>,
    /// Where its bytes lie.
    pub mapping: &'a Mapping,
    /// Extended attributes.
    pub xattrs: &'a [Xattr],
    /// What only its filesystem has.
    pub details: &'a [(&'static str, String)],
    /// What is wrong with it.
    pub findings: &'a [Finding],
}

#[derive(Serialize)]
struct StatRecord<'a> {
    #[serde(flatten)]
    file: FileRecord<'a>,
    extents: Vec<ExtentRecord>,
    xattrs: Vec<XattrRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acls: Vec<AclRecord>,
    details: serde_json::Map<String, serde_json::Value>,
    findings: Vec<FindingRecord<'a>>,
}

/// Offsets and lengths in bytes.
#[derive(Serialize)]
struct ExtentRecord {
    logical: u64,
    len: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_offset: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    member: u16,
    state: &'static str,
}

fn is_zero(member: &u16) -> bool {
    *member == 0
}

#[derive(Serialize)]
struct XattrRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_b64: Option<String>,
    value_b64: String,
}

#[derive(Serialize)]
struct AclRecord {
    attribute: String,
    entries: Vec<String>,
}

impl Stat<'_> {
    /// As a document in JSON.
    pub fn to_json(&self) -> impl Serialize + '_ {
        let file = FileRecord {
            path: self.path,
            volume: Some(self.volume),
            id: Some(self.node.id),
            kind: self.node.kind,
            node: Some(self.node),
            target: self.target,
            trust: self.trust,
        };
        let details = self.details.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
        StatRecord {
            file,
            extents: self.mapping.extents.iter().map(|extent| self.extent(extent)).collect(),
            xattrs: self.xattrs.iter().map(XattrRecord::from).collect(),
            acls: self.acls().map(|(attribute, entries)| AclRecord { attribute, entries }).collect(),
            details: details.collect(),
            findings: self.findings.iter().map(|finding| FindingRecord::new(self.volume, finding)).collect(),
        }
    }

    fn extent(&self, extent: &Extent) -> ExtentRecord {
        let Extent { logical, len, backing } = extent;
        let mut record = ExtentRecord {
            logical: *logical,
            len: *len,
            device_offset: None,
            volume_offset: None,
            member: 0,
            state: state(backing),
        };
        if let Backing::Device { member, offset } = backing {
            record.member = *member;
            record.volume_offset = Some(*offset);
            record.device_offset = (*member == 0).then(|| self.volume_start.saturating_add(*offset));
        }
        record
    }

    fn acls(&self) -> impl Iterator<Item = (String, Vec<String>)> + '_ {
        self.xattrs.iter().filter(|xattr| xattr.name.starts_with(b"system.posix_acl_")).filter_map(|xattr| {
            let entries = acl(&xattr.value)?;
            Some((String::from_utf8_lossy(&xattr.name).into_owned(), entries))
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).unwrap_or_default(); // writing to memory can not fail
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let node = self.node;
        write!(text, "  path: {}", name::escaped(self.path))?;
        match self.target {
            Some(target) => writeln!(text, " -> {}", name::escaped(target))?,
            None => writeln!(text)?,
        }
        writeln!(text, "volume: {}, inode {}, {}", self.volume, node.id, links(node.links))?;
        writeln!(
            text,
            "  mode: {} ({:04o}), owner {}, group {}",
            mode(node.kind, node.mode),
            node.mode,
            node.uid,
            node.gid
        )?;
        writeln!(text, "  size: {} ({}), {} on the disk", node.size, size(node.size), size(node.allocated))?;
        if let Some((major, minor)) = node.device {
            writeln!(text, "device: {major}, {minor}")?;
        }
        if node.encrypted {
            writeln!(text, "        the filesystem encrypts it: contents and names are shown as they lie")?;
        }
        writeln!(text, " trust: {}", self.trust)?;
        let times = &node.times;
        let named = [
            ("modify", times.modified),
            ("access", times.accessed),
            ("change", times.changed),
            ("create", times.created),
            ("delete", times.deleted),
        ];
        for (label, time) in named {
            if let Some(time) = time {
                writeln!(text, "{label}: {time}")?;
            }
        }
        self.write_extents(text)?;
        self.write_xattrs(text)?;
        for (name, value) in self.details {
            writeln!(text, "{name}: {}", name::escaped(value.as_bytes()))?;
        }
        for finding in self.findings {
            writeln!(text, "found: {}: {}: {}", finding.code.id, finding.code.title, example(finding))?;
        }
        Ok(())
    }

    fn write_extents(&self, text: &mut String) -> std::fmt::Result {
        if self.mapping.extents.is_empty() {
            return Ok(());
        }
        writeln!(text, "extents, in bytes (in the file: on the disk, in the volume):")?;
        for extent in &self.mapping.extents {
            let record = self.extent(extent);
            let Span { start, end } = extent.span();
            write!(text, "  {start}..{end}: ")?;
            match (record.device_offset, record.volume_offset) {
                (Some(device), Some(volume)) => writeln!(text, "{device}, {volume}")?,
                (None, Some(volume)) => writeln!(text, "device {} of the filesystem, {volume}", record.member)?,
                _ => writeln!(text, "{}", record.state)?,
            }
        }
        Ok(())
    }

    fn write_xattrs(&self, text: &mut String) -> std::fmt::Result {
        for xattr in self.xattrs {
            writeln!(text, "attribute {}: {}", name::escaped(&xattr.name), name::escaped(&xattr.value))?;
        }
        for (attribute, entries) in self.acls() {
            writeln!(text, "{attribute}: {}", entries.join(", "))?;
        }
        Ok(())
    }
}

fn links(n: u32) -> String {
    super::text::count(u64::from(n), "link")
}

fn state(backing: &Backing) -> &'static str {
    match backing {
        Backing::Device { .. } => "data",
        Backing::Zero => "unwritten",
        Backing::Inline(_) => "inline",
        Backing::Lost => "lost",
    }
}

impl<'a> From<&'a Xattr> for XattrRecord<'a> {
    fn from(xattr: &'a Xattr) -> Self {
        let (name, name_b64) = name::to_json(&xattr.name);
        XattrRecord { name, name_b64, value_b64: name::to_base64(&xattr.value) }
    }
}

/// The entries of a POSIX ACL as `getfacl` writes them, from the form that `getxattr` gives (Linux
/// `include/uapi/linux/posix_acl_xattr.h`: version 2, then tag, permissions and number of each entry).
fn acl(value: &[u8]) -> Option<Vec<String>> {
    use crate::bytes::{le16, le32};
    if le32(value, 0)? != 2 || value.len() % 8 != 4 {
        return None;
    }
    let entry = |at: usize| {
        let (tag, perm, id) = (le16(value, at)?, le16(value, at + 2)?, le32(value, at + 4)?);
        let who = match tag {
            0x01 => "user:".to_owned(),
            0x02 => format!("user:{id}"),
            0x04 => "group:".to_owned(),
            0x08 => format!("group:{id}"),
            0x10 => "mask:".to_owned(),
            0x20 => "other:".to_owned(),
            other => format!("{other:#x}:{id}"),
        };
        let bit = |mask: u16, letter: char| if perm & mask != 0 { letter } else { '-' };
        Some(format!("{who}:{}{}{}", bit(4, 'r'), bit(2, 'w'), bit(1, 'x')))
    };
    (4..value.len()).step_by(8).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_reads_as_getfacl_writes_it() {
        // `getfattr -e hex -n system.posix_acl_access` after `setfacl -m u:1000:rw-,g:50:r--` on a file of mode 0640.
        let hex =
            "0200000001000600ffffffff02000600e803000004000400ffffffff080004003200000010000600ffffffff20000000ffffffff";
        let value: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let expected = ["user::rw-", "user:1000:rw-", "group::r--", "group:50:r--", "mask::rw-", "other::---"];
        assert_eq!(acl(&value).unwrap(), expected);
        assert_eq!(acl(&value[..10]), None);
        assert_eq!(acl(b"\x01\0\0\0"), None);
    }
}
