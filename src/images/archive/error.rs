//! Why an archive can't be read.

use std::io;

use thiserror::Error;

/// Why an archive can't be read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The stream itself; its words are complete.
    #[error("{0}")]
    Read(#[source] io::Error),
    #[error("the tar archive ends in the middle, after {at} bytes")]
    Ends { at: u64 },
    #[error("this isn't a tar archive that can be read: the header at byte {at} {why}")]
    Header { at: u64, why: &'static str },
    #[error("{name}: the tar archive has an entry of the type {letter:?}, which isn't supported")]
    Unknown { name: String, letter: char },
    #[error("more than {limit} bytes follow the end of the tar archive")]
    Rest { limit: usize },
    #[error("the tar archive is larger than the {limit} bytes that are allowed")]
    Large { limit: u64 },
}

/// A name out of an archive, for people.
pub(super) fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
