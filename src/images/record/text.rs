//! An entry as a line, and back.

use std::io::Write;

use super::entry::{Entry, Kind, Time};

/// Appends an entry's line, with its end.
pub(super) fn put(entry: &Entry, line: &mut Vec<u8>) {
    let Entry { path, kind, mode, uid, gid, modified, xattrs } = entry;
    line.push(kind.letter());
    let Time { seconds, nanoseconds } = modified;
    // To memory: it can't fail.
    let _ = write!(line, "\t{mode:o}\t{uid}\t{gid}\t{seconds}.{nanoseconds:09}\t");
    match kind {
        Kind::File { size, sha256 } => {
            let _ = write!(line, "{size}\t");
            put_hex(sha256, line);
            line.push(b'\t');
        }
        Kind::Link { target } => {
            put_escaped(target, line);
            line.push(b'\t');
        }
        Kind::Character { major, minor } | Kind::Block { major, minor } => {
            let _ = write!(line, "{major}:{minor}\t");
        }
        Kind::Folder | Kind::Fifo | Kind::Socket => {}
    }
    put_escaped(path, line);
    for (name, value) in xattrs {
        line.push(b'\t');
        put_escaped(name, line);
        line.push(b'=');
        put_hex(value, line);
    }
    line.push(b'\n');
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn put_hex(bytes: &[u8], line: &mut Vec<u8>) {
    for byte in bytes {
        line.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Printable ASCII as it is but for the two characters that mean something, all else as `\xHH`.
fn put_escaped(bytes: &[u8], line: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\\' | b'=' | ..=0x1f | 0x7f.. => {
                line.extend(b"\\x");
                put_hex(&[*byte], line);
            }
            byte => line.push(*byte),
        }
    }
}

/// An entry of its line, without the line's end, or what is wrong with that.
pub(super) fn entry(line: &[u8]) -> Result<Entry, &'static str> {
    let mut fields = line.split(|byte| *byte == b'\t');
    let mut field = || fields.next().ok_or("has too few fields");
    let letter = field()?;
    let mode = std::str::from_utf8(field()?).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
    let mode = mode.filter(|mode| *mode <= 0o7777).ok_or("has no mode")?;
    let (uid, gid) = (number(field()?)?, number(field()?)?);
    let modified = time(field()?).ok_or("has no time")?;
    let kind = match letter {
        b"f" => {
            let size = number(field()?)?;
            let sha256 = hex(field()?).and_then(|bytes| bytes.try_into().ok()).ok_or("has no SHA-256")?;
            Kind::File { size, sha256 }
        }
        b"d" => Kind::Folder,
        b"l" => Kind::Link { target: unescaped(field()?)? },
        b"c" | b"b" => {
            let numbers = field()?;
            let colon = numbers.iter().position(|byte| *byte == b':').ok_or("has no device numbers")?;
            let (major, minor) = (number(&numbers[..colon])?, number(&numbers[colon + 1..])?);
            if letter == b"c" { Kind::Character { major, minor } } else { Kind::Block { major, minor } }
        }
        b"p" => Kind::Fifo,
        b"s" => Kind::Socket,
        _ => return Err("has an unknown kind"),
    };
    let path = unescaped(field()?)?;
    let xattr = |field: &[u8]| {
        let end = field.iter().position(|byte| *byte == b'=').ok_or("has an attribute without a value")?;
        Ok((
            unescaped(&field[..end])?,
            hex(&field[end + 1..]).ok_or("has an attribute's value that isn't hexadecimal")?,
        ))
    };
    let xattrs = fields.map(xattr).collect::<Result<_, &'static str>>()?;
    Ok(Entry { path, kind, mode, uid, gid, modified, xattrs })
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Result<T, &'static str> {
    std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).ok_or("has no number where one is to be")
}

fn time(field: &[u8]) -> Option<Time> {
    let (seconds, nanoseconds) = std::str::from_utf8(field).ok()?.split_once('.')?;
    let nanoseconds = nanoseconds.parse().ok().filter(|_| nanoseconds.len() == 9)?;
    Some(Time { seconds: seconds.parse().ok()?, nanoseconds })
}

pub(super) fn hex(field: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte);
    let (pairs, rest) = field.as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4 | digit(*low)?) as u8);
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())
}

fn unescaped(field: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    loop {
        match rest {
            [] => return Ok(bytes),
            [b'\\', b'x', high, low, after @ ..] => {
                bytes.extend(hex(&[*high, *low]).ok_or("has an escape that isn't hexadecimal")?);
                rest = after;
            }
            [b'\\' | b'=' | ..=0x1f | 0x7f.., ..] => return Err("has a character that should be escaped"),
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}
