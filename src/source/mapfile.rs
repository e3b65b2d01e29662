//! ddrescue's mapfile: which bytes of an image were read from the disk it was made of.
//!
//! The form is that of GNU ddrescue's manual, chapter "Mapfile structure".

use crate::bytes::{Span, Spans};

/// The bytes that a mapfile does not call finished.
///
/// # Errors
/// The number of the first line that is none of a mapfile's, and what is wrong with it.
pub fn unfinished(mapfile: &str) -> Result<Spans, (usize, &'static str)> {
    let mut lines = mapfile.lines().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    // The first line tells where ddrescue stands.
    let Some((at, status)) = lines.next() else { return Err((1, "no status line")) };
    if status.split_whitespace().next().and_then(number).is_none() {
        return Err((at + 1, "no position"));
    }
    let mut bad = Spans::new();
    for (at, line) in lines {
        let mut fields = line.split_whitespace();
        let place = fields.next().and_then(number).zip(fields.next().and_then(number));
        let (Some((start, len)), Some(status)) = (place, fields.next()) else {
            return Err((at + 1, "not a position, a size and a status"));
        };
        match status {
            "+" => {}
            "?" | "*" | "/" | "-" => bad.insert(Span::new(start, len)),
            _ => return Err((at + 1, "not a status")),
        }
    }
    Ok(bad)
}

/// A number as C writes it: decimal, `0x` hexadecimal, `0` octal.
fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of ddrescue's manual.
    const MANUAL: &str = "\
# Mapfile. Created by GNU ddrescue version 1.27
# Command line: ddrescue -d -c18 /dev/fd0 fdimage mapfile
# Start time:   2023-01-01 12:00:00
# current_pos  current_status  current_pass
0x00120000     ?               1
#      pos        size  status
0x00000000  0x00117000  +
0x00117000  0x00000200  -
0x00117200  0x00001000  /
0x00118200  0x00007E00  *
0x00120000  0x00048000  ?
";

    #[test]
    fn all_but_what_is_finished_is_bad() {
        let bad = unfinished(MANUAL).unwrap();
        assert_eq!(bad.iter().collect::<Vec<_>>(), [Span { start: 0x11_7000, end: 0x16_8000 }]);
    }

    #[test]
    fn a_line_of_another_form_is_named() {
        assert_eq!(unfinished("0 +\n0 512 +\n512 x +"), Err((3, "not a position, a size and a status")));
        assert_eq!(unfinished("0 +\n0 512 !"), Err((2, "not a status")));
        assert_eq!(unfinished("# nothing"), Err((1, "no status line")));
    }
}
