//! Extended headers: what PAX says of an entry, and GNU's long names (pax(1), "pax Header Block").

use super::number::decimal;
use super::sparse;
use crate::images::record::Time;

/// What headers before an entry said of it. What the kernel or Go has no use for is skipped.
#[derive(Debug, Default)]
pub(super) struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pub(super) gnu_name: Option<Vec<u8>>,
    pub(super) gnu_link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) modified: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Of a sparse file: its name, its whole size, and its table in the forms 0.0 and 0.1.
    sparse_name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    pieces: Option<Vec<(u64, u64)>>,
    offset: Option<u64>,
    /// Major and minor version of its form.
    version: (u64, u64),
    anything: bool,
}

impl Extended {
    pub(super) fn is_empty(&self) -> bool {
        !self.anything && self.gnu_name.is_none() && self.gnu_link.is_none()
    }

    pub(super) fn path(&self) -> Option<Vec<u8>> {
        self.sparse_name.clone().or_else(|| self.path.clone()).or_else(|| self.gnu_name.clone())
    }

    pub(super) fn link(&self) -> Option<Vec<u8>> {
        self.link.clone().or_else(|| self.gnu_link.clone())
    }

    /// Whether a table of pieces is at the beginning of the content (form 1.0).
    pub(super) fn sparse_in_content(&self) -> bool {
        self.version == (1, 0)
    }

    /// The table of pieces and the whole size, in the forms before that.
    #[allow(clippy::type_complexity, reason = "pieces and size, as for the other forms")]
    pub(super) fn sparse_in_header(&self) -> Result<Option<(Vec<(u64, u64)>, u64)>, &'static str> {
        if self.version != (0, 0) && self.version != (0, 1) {
            return Err("is of a sparse file in an unknown form");
        }
        let Some(pieces) = &self.pieces else { return Ok(None) };
        Ok(Some((pieces.clone(), self.real_size.ok_or(sparse::WRONG)?)))
    }

    /// Takes all records of an extended header.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<(), &'static str> {
        const DAMAGED: &str = "is extended, and has records that are damaged";
        self.anything = true;
        let mut rest = data;
        while !rest.is_empty() {
            // "LENGTH KEY=VALUE\n"; the length is that of all of it.
            let space = rest.iter().take(20).position(|byte| *byte == b' ').ok_or(DAMAGED)?;
            let length = decimal(&rest[..space]).and_then(|length| usize::try_from(length).ok()).ok_or(DAMAGED)?;
            let record = rest.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or(DAMAGED)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(DAMAGED)?;
            self.take(&record[..equals], &record[equals + 1..])?;
            rest = &rest[length..];
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        const NUMBER: &str = "is extended, and has a record that isn't a number";
        // Without a value it takes back what was said before.
        let text = (!value.is_empty()).then(|| value.to_owned());
        let number = || if value.is_empty() { Ok(None) } else { decimal(value).ok_or(NUMBER).map(Some) };
        match key {
            b"path" => self.path = text,
            b"linkpath" => self.link = text,
            b"size" => self.size = number()?,
            b"uid" => self.uid = number()?,
            b"gid" => self.gid = number()?,
            b"mtime" => self.modified = if value.is_empty() { None } else { Some(time(value).ok_or(NUMBER)?) },
            b"GNU.sparse.name" => self.sparse_name = text,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.real_size = number()?,
            b"GNU.sparse.major" => self.version.0 = number()?.unwrap_or_default(),
            b"GNU.sparse.minor" => self.version.1 = number()?.unwrap_or_default(),
            b"GNU.sparse.offset" => self.offset = number()?,
            b"GNU.sparse.numbytes" => {
                let piece = self.offset.take().zip(number()?).ok_or(sparse::WRONG)?;
                self.pieces.get_or_insert_default().push(piece);
            }
            b"GNU.sparse.map" => self.pieces = Some(sparse::list(value).ok_or(sparse::WRONG)?),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.").filter(|name| !name.is_empty()) {
                    if name.contains(&0) {
                        return Err("has an extended attribute whose name has a zero byte");
                    }
                    self.xattrs.retain(|(known, _)| known != name);
                    self.xattrs.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Ok(())
    }
}

/// Seconds, with a fraction of any length, of which nine digits count.
fn time(text: &[u8]) -> Option<Time> {
    let (is_negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (is_negative, nanoseconds) {
        (false, nanoseconds) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        (true, nanoseconds) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}
