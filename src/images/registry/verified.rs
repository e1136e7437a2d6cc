//! What is read is what was meant: by its digest, at its end.

use std::io::{self, Read};

use thiserror::Error;

use crate::images::digest::{Digest, Hasher};

/// A reader whose content must have a digest.
pub struct Verified<R> {
    reader: R,
    /// `None`: it was compared.
    hasher: Option<Hasher>,
    wanted: Digest,
}

/// What was read isn't what was meant.
#[derive(Debug, Error)]
#[error("the content has the digest {found}, and {wanted} was asked for")]
pub struct OtherDigest {
    pub found: Digest,
    pub wanted: Digest,
}

impl<R: Read> Verified<R> {
    #[must_use]
    pub fn new(reader: R, wanted: Digest) -> Self {
        Self { reader, hasher: Some(Hasher::new(wanted.algorithm())), wanted }
    }
}

impl<R: Read> Read for Verified<R> {
    /// At the end an error with [`OtherDigest`] in it, once, where the content is another.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        if length > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..length]);
            }
        } else if !buffer.is_empty() {
            let found = self.hasher.take().map(Hasher::finish);
            if let Some(found) = found.filter(|found| *found != self.wanted) {
                return Err(io::Error::other(OtherDigest { found, wanted: self.wanted.clone() }));
            }
        }
        Ok(length)
    }
}
