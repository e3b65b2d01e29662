//! What is on a disk: what `fdisk -l`, `blkid` and `df` show together.

use std::fmt::Write as _;

use serde::Serialize;

use super::finding::{CodeCount, code_counts, grouped};
use super::text::{Align, Table, size};
use crate::fs::Summary;
use crate::name;
use crate::server::{Placed, Server};
use crate::survey::{Content, FORMER_DISK, Opened, Volume};
use crate::volume::{Partition, Scheme};

/// A disk with all that is known of it, as a document in JSON. Positions and sizes are in bytes.
#[derive(Serialize)]
pub struct DiskRecord<'a> {
    image: String,
    size: u64,
    device: bool,
    sector_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<Scheme>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    root: Option<&'a str>,
    decisions: Vec<Decision<'a>>,
    findings: Vec<CodeCount>,
    volumes: Vec<VolumeRecord<'a>>,
    fstab: Vec<MountRecord<'a>>,
    mounted_here: Vec<String>,
}

/// A decision about a damaged disk or volume.
#[derive(Serialize)]
pub struct Decision<'a> {
    /// Name of the volume; `None` for the partition table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<&'a str>,
    /// One sentence.
    pub text: String,
}

#[derive(Serialize)]
struct VolumeRecord<'a> {
    name: &'a str,
    start: u64,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<&'a Partition>,
    content: &'static str,
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_b64: Option<String>,
    uuid: Option<String>,
    mounted_at: Vec<String>,
    #[serde(flatten)]
    filesystem: Option<FileSystemFields>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<(&'static str, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    advice: Vec<String>,
}

#[derive(Serialize)]
struct FileSystemFields {
    block_size: u64,
    filesystem_size: u64,
    used: Option<u64>,
    available: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inodes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inodes_used: Option<u64>,
    state: Vec<&'static str>,
    features: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_mounted: Option<String>,
    findings: Vec<CodeCount>,
}

#[derive(Serialize)]
struct MountRecord<'a> {
    line: usize,
    spec: String,
    at: String,
    kind: String,
    options: String,
    volume: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Every decision made about the disk: of its partition table, then of its volumes.
pub fn decisions(server: &Server) -> Vec<Decision<'_>> {
    let disk = server.disk();
    let of_table = disk.table.iter().flat_map(|table| &table.decisions);
    let of_table = of_table.map(|text| Decision { volume: None, text: text.clone() });
    let of_former = disk.former.iter().map(|text| Decision { volume: Some(FORMER_DISK), text: text.clone() });
    let of_volumes = disk.volumes.iter().flat_map(|volume| {
        let made = volume.fs().map(|fs| fs.summary().decisions).unwrap_or_default();
        made.into_iter().map(|text| Decision { volume: Some(&volume.name), text })
    });
    of_table.chain(of_former).chain(of_volumes).collect()
}

/// A decision as one paragraph for people.
pub fn decision_text(decision: &Decision<'_>) -> String {
    let about = decision.volume.unwrap_or("partition table");
    format!("{about}: {}", name::escaped(decision.text.as_bytes()))
}

/// Where the server mounts a volume.
fn mounted_at(server: &Server, volume: usize) -> Vec<String> {
    let mounts = server.mounts().iter().filter(|mount| mount.placed == Placed::On(volume));
    let mut at: Vec<String> = mounts.map(|mount| name::escaped(&mount.at).to_string()).collect();
    if server.root() == Some(volume) && !at.iter().any(|at| at == "/") {
        at.insert(0, "/".into());
    }
    at
}

fn available(summary: &Summary) -> Option<u64> {
    summary.used.map(|used| summary.size.saturating_sub(used))
}

/// The disk as a document in JSON.
pub fn to_json<'a>(opened: &Opened, server: &'a Server) -> DiskRecord<'a> {
    let disk = server.disk();
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fstab = server.mounts().iter().filter(|mount| mount.line > 0).map(|mount| MountRecord {
        line: mount.line,
        spec: lossy(&mount.spec),
        at: lossy(&mount.at),
        kind: lossy(&mount.kind),
        options: lossy(&mount.options),
        volume: match mount.placed {
            Placed::On(volume) => Some(&server.volume(volume).name),
            Placed::Bound(_) | Placed::Nowhere(_) => None,
        },
        reason: match &mount.placed {
            Placed::On(_) => None,
            Placed::Bound(_) => Some("a bind mount: it shows a directory of the server"),
            Placed::Nowhere(reason) => Some(reason),
        },
    });
    DiskRecord {
        image: opened.path.to_string_lossy().into_owned(),
        size: opened.size,
        device: opened.is_device,
        sector_size: disk.sector_size,
        scheme: disk.table.as_ref().map(|table| table.scheme),
        id: disk.table.as_ref().and_then(|table| table.id.as_deref()),
        root: server.root().map(|root| server.volume(root).name.as_str()),
        decisions: decisions(server),
        findings: code_counts(&disk.log),
        volumes: (0..disk.volumes.len()).map(|volume| volume_record(opened, server, volume)).collect(),
        fstab: fstab.collect(),
        mounted_here: opened.mounted.iter().map(|mount| mount.at.to_string_lossy().into_owned()).collect(),
    }
}

fn volume_record<'a>(opened: &Opened, server: &'a Server, index: usize) -> VolumeRecord<'a> {
    let volume = server.volume(index);
    let (label, label_b64) = match volume.label() {
        Some(label) => {
            let (text, base64) = name::to_json(&label);
            (text.map(str::to_owned), base64)
        }
        None => (None, None),
    };
    VolumeRecord {
        name: &volume.name,
        start: volume.span.start,
        size: volume.span.len(),
        partition: volume.partition.as_ref(),
        content: content(volume),
        kind: volume.kind(),
        label,
        label_b64,
        uuid: volume.uuid(),
        mounted_at: mounted_at(server, index),
        filesystem: volume.fs().map(|fs| filesystem(&fs.summary(), code_counts(&fs.log()))),
        facts: match &volume.content {
            Content::Known(signature) => signature.facts.clone(),
            _ => Vec::new(),
        },
        advice: volume.advice(&opened.path, opened.is_device),
    }
}

fn filesystem(summary: &Summary, findings: Vec<CodeCount>) -> FileSystemFields {
    FileSystemFields {
        block_size: summary.block_size,
        filesystem_size: summary.size,
        used: summary.used,
        available: available(summary),
        inodes: summary.inodes.map(|(all, _)| all),
        inodes_used: summary.inodes.map(|(_, used)| used),
        state: summary.state.clone(),
        features: summary.features.clone(),
        last_mounted: summary.last_mounted.as_ref().map(|path| path.to_string_lossy().into_owned()),
        findings,
    }
}

fn content(volume: &Volume) -> &'static str {
    match &volume.content {
        Content::FileSystem(_) => "filesystem",
        Content::Closed(_) => "closed",
        Content::Known(_) => "known",
        Content::Unknown => "unknown",
        Content::Empty => "empty",
        Content::Unreadable => "unreadable",
    }
}

/// The disk for people. Decisions are not in it: they go where warnings go.
pub fn to_text(opened: &Opened, server: &Server) -> String {
    let mut text = head(opened, server);
    text.push('\n');
    if server.disk().table.is_some() {
        text.push_str(&partitions(server));
        text.push('\n');
    }
    text.push_str(&volumes(server));
    for part in [fstab(server), advice(opened, server), findings(server)] {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&part);
        }
    }
    text
}

fn head(opened: &Opened, server: &Server) -> String {
    let disk = server.disk();
    let mut text = format!("{}: {} ({} bytes)", name::escaped(path_bytes(opened)), size(opened.size), opened.size);
    if let Some(table) = &disk.table {
        let scheme = match table.scheme {
            Scheme::Mbr => "MBR",
            Scheme::Gpt => "GPT",
        };
        let id = table.id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
        let _ = write!(text, ", {scheme} partition table{id}, sectors of {} bytes", table.sector_size);
    } else {
        text.push_str(", no partition table");
    }
    match server.root() {
        Some(root) => {
            let _ = writeln!(text, "; the root filesystem is {}", server.volume(root).name);
        }
        None => text.push_str("; no root filesystem was found\n"),
    }
    text
}

fn path_bytes(opened: &Opened) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(opened.path.as_os_str())
}

/// What `fdisk -l` shows. Start and end count sectors; the start, with an `s` after it, is what `--offset` takes.
fn partitions(server: &Server) -> String {
    use Align::{Left, Right};
    let heads = [
        ("VOLUME", Left),
        ("START", Right),
        ("END", Right),
        ("SIZE", Right),
        ("TYPE", Left),
        ("NAME", Left),
        ("BOOT", Left),
    ];
    let mut table = Table::new(&heads);
    let sector = u64::from(server.disk().sector_size.max(1));
    for volume in &server.disk().volumes {
        let Some(partition) = &volume.partition else { continue };
        let kind = &partition.kind;
        table.row(vec![
            volume.name.clone(),
            (volume.span.start / sector).to_string(),
            (volume.span.end / sector).saturating_sub(1).to_string(),
            size(volume.span.len()),
            kind.name.map_or_else(|| kind.id.clone(), str::to_owned),
            partition.label.as_deref().map(|label| name::escaped(label.as_bytes()).to_string()).unwrap_or_default(),
            if partition.bootable { "yes".into() } else { String::new() },
        ]);
    }
    table.render()
}

/// What `blkid` and `df` show.
fn volumes(server: &Server) -> String {
    use Align::{Left, Right};
    let heads = [
        ("VOLUME", Left),
        ("HOLDS", Left),
        ("LABEL", Left),
        ("UUID", Left),
        ("USED", Right),
        ("AVAIL", Right),
        ("STATE", Left),
        ("MOUNTED AT", Left),
    ];
    let mut table = Table::new(&heads);
    for (index, volume) in server.disk().volumes.iter().enumerate() {
        let summary = volume.fs().map(|fs| fs.summary());
        let bytes = |n: Option<u64>| n.map(size).unwrap_or_default();
        table.row(vec![
            volume.name.clone(),
            holds(volume),
            volume.label().map(|label| name::escaped(&label).to_string()).unwrap_or_default(),
            volume.uuid().unwrap_or_default(),
            bytes(summary.as_ref().and_then(|summary| summary.used)),
            bytes(summary.as_ref().and_then(available)),
            summary.map(|summary| summary.state.join(", ")).unwrap_or_default(),
            mounted_at(server, index).join(", "),
        ]);
    }
    table.render()
}

fn holds(volume: &Volume) -> String {
    match &volume.content {
        Content::Unknown => "nothing known".into(),
        Content::Empty => "zeros".into(),
        Content::Unreadable => "(can not be read)".into(),
        _ => volume.kind().unwrap_or_default().into(),
    }
}

/// The lines of the fstab that mean no volume of this disk: nothing here, or a directory of the server.
fn fstab(server: &Server) -> String {
    let mut text = String::new();
    for mount in server.mounts() {
        let (line, spec, at) = (mount.line, name::escaped(&mount.spec), name::escaped(&mount.at));
        let _ = match &mount.placed {
            Placed::On(_) => continue,
            Placed::Bound(_) => writeln!(text, "fstab line {line}: {at} shows {spec} (a bind mount)"),
            Placed::Nowhere(reason) => writeln!(text, "fstab line {line}: {spec} at {at} is not here: {reason}"),
        };
    }
    text
}

fn advice(opened: &Opened, server: &Server) -> String {
    let mut text = String::new();
    for volume in &server.disk().volumes {
        let commands = volume.advice(&opened.path, opened.is_device);
        // The first line only names the device.
        if commands.len() < 2 {
            continue;
        }
        let kind = volume.kind().unwrap_or_default();
        let _ = writeln!(text, "{}: offmount does not read {kind}. To go on, without writing to it:", volume.name);
        for command in commands {
            let _ = writeln!(text, "    {command}");
        }
    }
    text
}

fn findings(server: &Server) -> String {
    let mut text = grouped(&server.disk().log);
    for volume in &server.disk().volumes {
        let Some(log) = volume.fs().map(|fs| fs.log()).filter(|log| !log.is_empty()) else { continue };
        let _ = writeln!(text, "{}, found while opening (`offmount check` looks at everything):", volume.name);
        text.push_str(&grouped(&log));
    }
    text
}
