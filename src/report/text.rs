//! What all text for people shares: sizes, counts, columns.

/// A number of bytes in the largest unit that keeps three digits: `512 B`, `4.0 KiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (bytes.max(1).ilog2() / 10) as usize;
    if unit == 0 {
        return format!("{bytes} B");
    }
    let value = bytes as f64 / (1u64 << (10 * unit)) as f64;
    // 1023.95 and more would show as 1024.0 of the smaller unit.
    let (value, unit) =
        if value >= 1023.95 && unit + 1 < UNITS.len() { (value / 1024.0, unit + 1) } else { (value, unit) };
    if value < 100.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// A count with its thing: `1 file`, `1,204 files`.
pub fn count(n: u64, thing: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {thing}{s}", digits(n))
}

/// A number with commas between thousands.
pub fn digits(n: u64) -> String {
    let plain = n.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 3);
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Which side of its column a cell stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Cells in columns as wide as their widest, two spaces apart. Columns without a single cell are left out.
pub struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet, under these heads.
    pub fn new(heads: &[(&'static str, Align)]) -> Self {
        Table { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; cells past the heads are dropped, missing ones are empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.heads.len(), String::new());
        self.rows.push(cells);
    }

    /// The table with its heads, one line a row, each ended.
    pub fn render(&self) -> String {
        self.lines().iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The heads, then the rows, each as wide as the others.
    pub fn lines(&self) -> Vec<String> {
        let used: Vec<usize> =
            (0..self.heads.len()).filter(|&i| self.rows.iter().any(|row| !row[i].is_empty())).collect();
        let width =
            |i: usize| self.rows.iter().map(|row| columns(&row[i])).max().unwrap_or(0).max(self.heads[i].0.len());
        let widths: Vec<usize> = used.iter().map(|&i| width(i)).collect();
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| (*head).to_owned()).collect();
        let line = |row: &Vec<String>| {
            let cells = used.iter().zip(&widths).map(|(&i, &width)| {
                let pad = " ".repeat(width.saturating_sub(columns(&row[i])));
                match self.heads[i].1 {
                    Align::Left => format!("{}{pad}", row[i]),
                    Align::Right => format!("{pad}{}", row[i]),
                }
            });
            cells.collect::<Vec<_>>().join("  ")
        };
        std::iter::once(&heads).chain(&self.rows).map(line).collect()
    }
}

/// Columns that a text takes on a terminal, as far as counting characters tells.
fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let pairs = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (250 << 20, "250 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in pairs {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn counts_read_well() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!(count(1_234_567, "file"), "1,234,567 files");
    }

    #[test]
    fn columns_line_up_and_empty_ones_vanish() {
        let mut table = Table::new(&[("NAME", Align::Left), ("LABEL", Align::Left), ("SIZE", Align::Right)]);
        table.row(vec!["p1".into(), String::new(), "1 B".into()]);
        table.row(vec!["größer".into(), String::new(), "12 B".into()]);
        assert_eq!(table.render(), "NAME    SIZE\np1       1 B\ngrößer  12 B\n");
    }
}
