//! Tables of the pieces of sparse files: offset and length of each (GNU tar's manual, "Storing Sparse Files").

use super::number::{BLOCK, decimal, number};

type Pieces = Vec<(u64, u64)>;

pub(super) const WRONG: &str = "is of a sparse file, and its table of pieces is damaged";
/// How many pieces a file may have in tables that have no other limit.
const MOST: usize = 100_000;

/// Whether pieces are in order and fit the file's size and what is stored of it.
pub(super) fn check(pieces: &[(u64, u64)], stored: u64, size: u64) -> Result<(), &'static str> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for (offset, length) in pieces {
        if *offset < end {
            return Err(WRONG);
        }
        end = offset.checked_add(*length).filter(|end| *end <= size).ok_or(WRONG)?;
        sum += length;
    }
    if sum == stored { Ok(()) } else { Err(WRONG) }
}

/// Of the forms 0.1, in an extended header: numbers between commas.
pub(super) fn list(text: &[u8]) -> Option<Pieces> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let numbers = text.split(|byte| *byte == b',').map(decimal).collect::<Option<Vec<u64>>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[offset, length]| (*offset, *length)).collect())
}

/// Of GNU's first form: some in the header, all others in blocks behind it.
pub(super) struct Table {
    pieces: Pieces,
    size: u64,
    pub(super) goes_on: bool,
}

impl Table {
    pub(super) fn in_header(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        let size = number(&block[483..495]).and_then(|size| u64::try_from(size).ok()).ok_or(WRONG)?;
        let mut table = Self { pieces: Vec::new(), size, goes_on: block[482] != 0 };
        table.read(&block[386..482])?;
        Ok(table)
    }

    pub(super) fn more(&mut self, block: &[u8; BLOCK]) -> Result<(), &'static str> {
        self.goes_on = block[504] != 0;
        self.read(&block[..504])
    }

    fn read(&mut self, fields: &[u8]) -> Result<(), &'static str> {
        for field in fields.as_chunks::<24>().0 {
            // An empty one is the last.
            if field[0] == 0 || field[12] == 0 {
                break;
            }
            let part = |part: &[u8]| number(part).and_then(|number| u64::try_from(number).ok()).ok_or(WRONG);
            self.pieces.push((part(&field[..12])?, part(&field[12..])?));
        }
        if self.pieces.len() > MOST { Err("is of a sparse file with too many pieces") } else { Ok(()) }
    }

    pub(super) fn finish(self) -> (Pieces, u64) {
        (self.pieces, self.size)
    }
}

/// Of the form 1.0, in blocks before the content: decimal numbers, each with a line's end; the first says how many pairs.
#[derive(Default)]
pub(super) struct Text {
    line: Vec<u8>,
    /// How many numbers there are, once that is known.
    wanted: Option<usize>,
    numbers: Vec<u64>,
}

impl Text {
    pub(super) fn is_whole(&self) -> bool {
        self.wanted == Some(self.numbers.len())
    }

    pub(super) fn more(&mut self, block: &[u8; BLOCK]) -> Result<(), &'static str> {
        for byte in block {
            if self.is_whole() {
                break;
            }
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > 20 {
                    return Err(WRONG);
                }
                continue;
            }
            let number = decimal(&self.line).ok_or(WRONG)?;
            self.line.clear();
            if self.wanted.is_some() {
                self.numbers.push(number);
            } else {
                let count = usize::try_from(number).ok().filter(|count| *count <= MOST);
                self.wanted = Some(2 * count.ok_or("is of a sparse file with too many pieces")?);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Pieces {
        self.numbers.as_chunks::<2>().0.iter().map(|[offset, length]| (*offset, *length)).collect()
    }
}
