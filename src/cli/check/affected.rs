//! `offmount check --affected`: the files on unreadable parts of the disk.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::super::output;
use super::super::session::Session;
use super::super::stop::Stop;
use super::{Arguments, DAMAGED, UNFINISHED};
use crate::bytes::{Span, Spans};
use crate::check::{affected, domain_map};
use crate::report::affected::AffectedRecord;
use crate::report::disk::decisions;
use crate::report::text::{count, size};
use crate::report::{StreamHeader, json_line};
use crate::server::Part;

/// Lists the files; the exit status says whether there are any.
pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<u8, Stop> {
    let (parts, missing) = parts(session, &arguments.volumes)?;
    let mut text = Vec::new();
    if arguments.json {
        json_line(&mut text, &StreamHeader::new(&session.opened, decisions(&session.server)))?;
    } else {
        session.show_decisions();
    }
    let (mut needed, mut files, mut lost) = (Spans::new(), 0, 0);
    for part in &parts {
        let volume = session.server.volume(part.volume);
        let bad = unreadable(session, volume.span);
        for it in affected(&part.tree, &part.items(), &bad, &session.progress)? {
            let mut path = Vec::new();
            part.path_into(it.item, &mut path);
            let on_disk =
                it.needed.iter().map(|span| Span::new(volume.span.start.saturating_add(span.start), span.len()));
            on_disk.for_each(|span| needed.insert(span));
            (files, lost) = (files + 1, lost + it.lost.total());
            if arguments.json {
                json_line(&mut text, &AffectedRecord::new(&path, &volume.name, part.tree.kind(it.item), &it.lost))?;
            } else {
                write!(text, "{:>12}  ", it.lost.total())?;
                output::names().write(&path, &mut text);
                text.push(b'\n');
            }
        }
    }
    session.progress.clear();
    session.unless_interrupted()?;
    let mut out = output::stdout();
    out.write_all(&text)?;
    out.flush()?;
    if let Some(path) = &arguments.domain_map {
        let map = domain_map(&needed, session.opened.size);
        fs::write(path, map).map_err(|error| Stop::with_file("write", path, &error))?;
    }
    output::complain(&format!("{} on unreadable parts, {} of them lost", count(files, "path"), size(lost)));
    let status = if missing { UNFINISHED } else { 0 };
    Ok(if files > 0 { status | DAMAGED } else { status })
}

/// What was asked for (volumes, paths, or everything), and whether some of it is missing.
fn parts<'s>(session: &'s Session, asked: &[String]) -> Result<(Vec<Part<'s>>, bool), Stop> {
    if asked.is_empty() {
        return Ok((session.server.everything(&session.progress)?, false));
    }
    let (mut parts, mut missing) = (Vec::new(), false);
    for name in asked {
        let is_volume = session.server.volume_named(name.as_bytes()).is_some();
        let path = if is_volume { format!("{name}:/") } else { name.clone() };
        match session.resolve(Path::new(&path), false)? {
            Some(top) => parts.extend(session.server.below(&top, &session.progress)?),
            None => missing = true,
        }
    }
    Ok((parts, missing))
}

/// The bytes of a volume that can not be read: what the mapfile says, and what lies past the end of the image.
fn unreadable(session: &Session, volume: Span) -> Spans {
    let opened = &session.opened;
    let past_end = Span { start: opened.size.min(volume.end), end: volume.end };
    let bad = opened.unfinished.within(volume).chain(past_end.intersection(volume));
    bad.map(|span| Span::new(span.start - volume.start, span.len())).collect()
}
