//! What stands in front of the tables: boot sector and its backup, FSInfo, marks, labels.

use std::ops::ControlFlow;

use crate::bytes::Span;
use crate::finding::{Code, Finding, Log, Place};
use crate::fs::cluster::Width;
use crate::fs::fat::geometry::type_name;
use crate::fs::fat::{Fat, codes};
use crate::source::{SourceGone, read_whole};

const SECTOR: u64 = 512;
/// Characters that no label may have.
const NOT_IN_LABELS: &[u8] = b"\"*+,./:;<=>?[\\]|";

/// Checks everything in front of the tables.
pub fn check(fat: &Fat) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    if fat.geometry.is_fat32() && fat.geometry.media.is_some() {
        check_backup(fat, &mut log)?;
        check_fs_info(fat, &mut log)?;
    }
    check_signature(fat, &mut log)?;
    check_marks(fat, &mut log)?;
    check_label(fat, &mut log)?;
    Ok(log)
}

fn at(offset: u64) -> Place {
    Place::volume().at(Span::new(offset, SECTOR))
}

fn check_signature(fat: &Fat, log: &mut Log) -> Result<(), SourceGone> {
    let sector = read_whole(&*fat.source, 0, SECTOR as usize)?.unwrap_or_default();
    let end = sector.get(510..512).unwrap_or_default();
    if fat.decisions.is_empty() && end != [0x55, 0xaa] {
        log.add(Finding::new(codes::BOOT_SIGNATURE, at(0), format!("{end:02x?}"), "55 aa"));
    }
    Ok(())
}

fn check_backup(fat: &Fat, log: &mut Log) -> Result<(), SourceGone> {
    let Some(backup) = fat.geometry.backup else {
        log.add(Finding::new(codes::BOOT_BACKUP_MISSING, at(0), "no backup", "a backup in sector 6"));
        return Ok(());
    };
    let first = read_whole(&*fat.source, 0, SECTOR as usize)?;
    let second = read_whole(&*fat.source, backup, SECTOR as usize)?;
    if first != second {
        let differing = |(a, b): (Vec<u8>, Vec<u8>)| a.iter().zip(&b).filter(|(a, b)| a != b).count();
        let found = first.zip(second).map_or(SECTOR as usize, differing);
        log.add(Finding::new(codes::BOOT_BACKUP, at(backup), format!("{found} bytes differ"), "a copy"));
    }
    Ok(())
}

fn check_fs_info(fat: &Fat, log: &mut Log) -> Result<(), SourceGone> {
    let Some(place) = fat.geometry.fs_info else {
        log.add(Finding::new(codes::FS_INFO_MISSING, at(0), "no FSInfo sector", ""));
        return Ok(());
    };
    let Some(info) = fat.read_fs_info()? else {
        log.add(Finding::new(codes::FS_INFO, at(place), "no signature", ""));
        return Ok(());
    };
    let next = info.FSI_Nxt_Free.get();
    if next != u32::MAX && fat.layout().cluster(next).is_none() {
        log.add(Finding::new(codes::NEXT_FREE, at(place), format!("cluster {next}"), "a cluster of the volume"));
    }
    Ok(())
}

fn check_marks(fat: &Fat, log: &mut Log) -> Result<(), SourceGone> {
    let state = fat.state();
    for (word, code) in [("not unmounted", codes::DIRTY), ("disk errors recorded", codes::IO_ERRORS)] {
        if state.contains(&word) {
            log.add(Finding::new(code, at(0), word, ""));
        }
    }
    // Bits below the media byte's may be anything that is at least f8.
    let wanted = match fat.geometry.width {
        Width::Twelve => 0xff0,
        Width::Sixteen => 0xfff0,
        Width::ThirtyTwo | Width::Exfat => 0x0fff_fff0,
    };
    for copy in 0..fat.table.copies() {
        let first = fat.table.raw(copy, 0)?.unwrap_or_default();
        if first & wanted != wanted {
            let place = Place::volume().at(Span::new(fat.table.offset(copy, 0), 4));
            let expected = format!("{} and the media byte", type_name(fat.geometry.width));
            log.add(Finding::new(codes::MEDIA_BYTE, place, format!("{first:#x}"), expected));
        }
    }
    Ok(())
}

fn check_label(fat: &Fat, log: &mut Log) -> Result<(), SourceGone> {
    let Some(boot) = fat.geometry.label else { return Ok(()) };
    let (mut root, mut place) = (None, at(0));
    if let Some(dir) = fat.root_place() {
        fat.walk(dir, &mut |slot| {
            if slot.entry.is_label() && !slot.entry.is_deleted() {
                root = Some(slot.entry.DIR_Name);
                place = Place::volume().at(Span::new(slot.offset, 32));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
    }
    let text = |raw: &[u8; 11]| String::from_utf8_lossy(raw).trim_end().to_owned();
    let valid =
        |raw: &[u8; 11]| raw[0] > b' ' && raw.iter().all(|&b| b >= b' ' && b != 0x7f && !NOT_IN_LABELS.contains(&b));
    let none = boot == *b"NO NAME    ";
    let mut note = |code: Code, found: String, expected: String| {
        log.add(Finding::new(code, place.clone(), found, expected));
    };
    match root {
        Some(root) if root == boot && valid(&root) => {}
        Some(root) if !valid(&root) => note(codes::LABEL_INVALID, text(&root), String::new()),
        Some(root) if none => note(codes::LABEL_ROOT_ONLY, text(&root), "the same in the boot sector".to_owned()),
        Some(root) => note(codes::LABEL_DIFFERS, text(&boot), text(&root)),
        None if !none && !valid(&boot) => note(codes::LABEL_INVALID, text(&boot), "NO NAME".to_owned()),
        None if !none => note(codes::LABEL_BOOT_ONLY, text(&boot), "NO NAME".to_owned()),
        _ => {}
    }
    Ok(())
}
