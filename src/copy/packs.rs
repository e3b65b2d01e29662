//! Archives of small files in a destination, as places of contents.

use crate::manifest::Record;
use crate::node::{Kind, Packed};
use crate::sink::{Failure, Standing};

/// What stands in the place of `size` bytes in an archive, as if it were a file of its own; `None` where the archive is not
/// there, or too short. `look` says what stands at a path.
pub fn standing(
    packed: &Packed,
    size: u64,
    look: impl FnOnce(&[u8]) -> Result<Option<Standing>, Failure>,
) -> Result<Option<Standing>, Failure> {
    let there = look(&packed.path())?.filter(|pack| pack.kind == Kind::File);
    let holds_it = |pack: &Standing| packed.at.checked_add(size).is_some_and(|end| end <= pack.size);
    Ok(there.filter(holds_it).map(|pack| Standing { size, ..pack }))
}

/// What stands at a record's path; where that is nothing, in the archive that holds its contents, which is told too.
pub fn standing_of(
    record: &Record,
    look: impl Fn(&[u8]) -> Result<Option<Standing>, Failure>,
) -> Result<Option<(Standing, Option<&Packed>)>, Failure> {
    if let Some(there) = look(&record.path)? {
        return Ok(Some((there, None)));
    }
    let Some(packed) = &record.packed else { return Ok(None) };
    let there = standing(packed, record.size, look)?;
    Ok(there.map(|there| (there, Some(packed))))
}
