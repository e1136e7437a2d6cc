//! Digests: what names contents (OCI image spec, "Digests").

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use ring::digest::{Context, SHA256, SHA512};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The algorithms that are registered (OCI image spec, "Registered algorithms"), those of no use apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// As in a digest, before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn ring(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha512 => &SHA512,
        }
    }
}

/// A digest, such as `sha256:6c3c...`. It is safe as a file's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoDigest {
    #[error("{0:?} is no digest: it has no colon (sha256:HEX)")]
    Form(String),
    #[error("{0:?}: only sha256 and sha512 are understood")]
    Algorithm(String),
    #[error("{text:?} is no digest: {digits} hexadecimal digits, in lower case, must follow the colon")]
    Digits { text: String, digits: usize },
}

impl Digest {
    /// Of these bytes, by SHA-256.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::by(Algorithm::Sha256, bytes)
    }

    /// Of these bytes, by this algorithm.
    #[must_use]
    pub fn by(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hexadecimal digits, in lower case.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Its first twelve digits: what people are shown.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let (name, hex) = text.split_once(':').ok_or_else(|| NoDigest::Form(text.to_owned()))?;
        let known = Algorithm::ALL.into_iter().find(|one| one.name() == name);
        let algorithm = known.ok_or_else(|| NoDigest::Algorithm(text.to_owned()))?;
        let digits = algorithm.ring().output_len() * 2;
        if hex.len() != digits || !hex.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NoDigest::Digits { text: text.to_owned(), digits });
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Makes a digest of what it is given.
#[derive(Clone)]
pub struct Hasher {
    algorithm: Algorithm,
    context: Context,
}

impl Hasher {
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, context: Context::new(algorithm.ring()) }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    #[must_use]
    pub fn finish(self) -> Digest {
        let hex = self.context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Digest { algorithm: self.algorithm, hex }
    }
}

/// Hashes and counts what is read through it.
pub struct Hashed<R> {
    reader: R,
    hasher: Hasher,
    /// Bytes so far.
    read: u64,
}

impl<R: Read> Hashed<R> {
    #[must_use]
    pub fn new(reader: R, algorithm: Algorithm) -> Self {
        Self { reader, hasher: Hasher::new(algorithm), read: 0 }
    }

    /// The digest of all that was read, and how many bytes that were.
    #[must_use]
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.read)
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        self.read += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// FIPS 180's example, and what nobody may take for a digest: it becomes a file's name.
    #[test]
    fn digests_are_read_and_made() {
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse::<Digest>().unwrap().short(), "ba7816bf8f01");
        let long = format!("sha512:{}", "0".repeat(128));
        assert_eq!(long.parse::<Digest>().unwrap().to_string(), long);
        let upper = format!("sha256:{}", "A".repeat(64));
        let escape = format!("sha256:../{}", "a".repeat(61));
        for text in ["", "abc", "sha256:", "sha256:abc", "md5:900150983cd24fb0d6963f7d28e17f72", &upper, &escape] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let mut hashed = Hashed::new(&b"abc"[..], Algorithm::Sha256);
        io::copy(&mut hashed, &mut io::sink()).unwrap();
        let (digest, length) = hashed.finish();
        assert_eq!((digest.to_string().as_str(), length), (abc, 3));
    }
}
