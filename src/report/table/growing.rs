//! A table that grows line by line while somebody reads it.

use super::super::page::sanitize;

/// Columns that never become narrower, so that new lines stand below the old ones.
#[derive(Debug, Default)]
pub struct Growing {
    widths: Vec<usize>,
}

impl Growing {
    /// These rows as lines below those that were written before.
    pub fn lines(&mut self, rows: &[Vec<String>]) -> String {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| sanitize(cell)).collect()).collect();
        for row in &rows {
            self.widths.resize(self.widths.len().max(row.len()), 0);
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:width$}   "));
            format!("{}\n", cells.collect::<String>().trim_end())
        };
        rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_lines_stand_below_the_old_ones() {
        let mut table = Growing::default();
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table.lines(&[row(["NAME", "X", "AGE"]), row(["a", "long", "1s"])]),
            "NAME   X      AGE\na      long   1s\n"
        );
        assert_eq!(table.lines(&[row(["b", "", "2s"])]), "b             2s\n");
        assert_eq!(table.lines(&[row(["longer", "x", "\u{1b}"])]), "longer   x      \\u{1b}\n");
        assert_eq!(table.lines(&[]), "");
    }
}
