//! Files that say what is trusted.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// As open(2), read(2); where it is no regular file, or larger.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // A FIFO in its place must not hang us, and a terminal must not become ours.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    Ok(bytes)
}
