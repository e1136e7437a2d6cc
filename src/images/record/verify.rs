//! Holds a tree against its record.

use std::collections::HashMap;
use std::io::BufRead;
use std::os::fd::BorrowedFd;

use super::differences::{Difference, What, between};
use super::entry::{Entry, Kind};
use super::error::RecordError;
use super::read::Reader;
use super::tree::{self, Found, See};

/// Reads every file of a tree (its folder, open for reading), and tells what isn't as it was recorded, by path. What can't be
/// read is a difference as well: a damaged disk may say so instead of giving what it has.
///
/// # Errors
/// The record can't be read or is damaged.
pub fn verify(folder: BorrowedFd<'_>, record: impl BufRead) -> Result<Vec<Difference>, RecordError> {
    let mut reader = Reader::new(record)?;
    let mut recorded = HashMap::new();
    while let Some(entry) = reader.advance()? {
        recorded.insert(entry.path.clone(), entry);
    }
    let mut verifier = Verifier { recorded, differences: Vec::new(), hashed: HashMap::new() };
    match tree::see_all(folder, &mut verifier) {
        Err(RecordError::Tree { path, cause }) => {
            let path = path.into_os_string().into_encoded_bytes();
            verifier.put(&path, What::Unreadable(cause));
        }
        seen => seen?,
    }
    let Verifier { recorded, mut differences, .. } = verifier;
    let mut missing: Vec<Vec<u8>> = recorded.into_keys().collect();
    missing.sort();
    let mut above: Option<Vec<u8>> = None;
    for path in missing {
        let is_below = |above: &Vec<u8>| path.strip_prefix(&above[..]).is_some_and(|rest| rest.starts_with(b"/"));
        if !above.as_ref().is_some_and(is_below) {
            above = Some(path.clone());
            differences.push(Difference { path, what: What::Missing });
        }
    }
    differences.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(differences)
}

struct Verifier {
    /// Those that weren't seen yet.
    recorded: HashMap<Vec<u8>, Entry>,
    differences: Vec<Difference>,
    /// Files with several names, by inode: each is read once.
    hashed: HashMap<u64, [u8; 32]>,
}

impl Verifier {
    fn put(&mut self, path: &[u8], what: What) {
        self.differences.push(Difference { path: path.to_owned(), what });
    }
}

impl See for Verifier {
    fn see(&mut self, found: &Found<'_>) -> bool {
        let Some(recorded) = self.recorded.remove(found.path) else {
            self.put(found.path, What::Extra);
            return true;
        };
        let known = match recorded.kind {
            // Of another size its content is another one: it need not be read.
            Kind::File { size, sha256 } if size != found.stat.st_size as u64 => Some(sha256),
            _ => self.hashed.get(&found.stat.st_ino).copied(),
        };
        match found.entry(known) {
            Ok(entry) => {
                if let (Kind::File { sha256, .. }, true) = (&entry.kind, known.is_none() && found.stat.st_nlink > 1) {
                    self.hashed.insert(found.stat.st_ino, *sha256);
                }
                for what in between(&recorded, &entry) {
                    self.put(found.path, what);
                }
            }
            Err(cause) => self.put(found.path, What::Unreadable(cause)),
        }
        true
    }
}
