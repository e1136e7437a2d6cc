//! Decompressed streams: gzip (of several members), zstd (of several frames, with skippable ones between them), or plain.
//!
//! The first bytes tell which it is. What a manifest's media type says of it may be wrong, and Docker's old types say gzip of
//! everything. An empty stream is plain. Memory is bounded whatever the stream asks for.

use std::fmt;
use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

/// How much compressed data is read at once.
const BUFFER: usize = 256 << 10;
/// The largest window of a zstd frame, as a power of two: 128 MiB, as the zstd tool allows unless told otherwise.
const LARGEST_WINDOW: u32 = 27;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first bytes of a stream, four or all there are.
    fn of(start: &[u8]) -> Result<Self, CompressionError> {
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', ..] => Err(CompressionError::Unknown("xz")),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Err(CompressionError::Unknown("bzip2")),
            _ => Ok(Self::None),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Why a stream can't be decompressed.
#[derive(Debug, Error)]
pub enum CompressionError {
    #[error("it is compressed by {0}, which isn't supported: gzip, zstd and uncompressed layers are")]
    Unknown(&'static str),
    #[error("the {0} stream ends in the middle")]
    Ends(Compression),
    #[error("the {compression} stream is damaged: {cause}")]
    Damaged { compression: Compression, cause: io::Error },
}

/// A stream as it was before it was compressed. Errors of what it reads from come as they are; others are an [`io::Error`]
/// around a [`CompressionError`].
pub struct Decompressed<R: Read> {
    compression: Compression,
    decoder: Decoder<R>,
}

enum Decoder<R: Read> {
    None(Buffered<R>),
    Gzip(Box<MultiGzDecoder<Buffered<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Buffered<R>>),
}

impl<R: Read> Decompressed<R> {
    /// Reads the beginning, to know what it is.
    ///
    /// # Errors
    /// It can't be read, or is compressed in another way.
    pub fn new(reader: R) -> io::Result<Self> {
        let mut start = Vec::new();
        let mut reader = Source { reader, failed: false };
        (&mut reader).take(4).read_to_end(&mut start)?;
        let compression = Compression::of(&start).map_err(io::Error::other)?;
        let buffered = BufReader::with_capacity(
            BUFFER,
            Source { reader: io::Cursor::new(start).chain(reader.reader), failed: false },
        );
        let decoder = match compression {
            Compression::None => Decoder::None(buffered),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(buffered))),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
                decoder.window_log_max(LARGEST_WINDOW)?;
                Decoder::Zstd(decoder)
            }
        };
        Ok(Self { compression, decoder })
    }

    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What the compressed stream is read from.
    #[must_use]
    pub fn into_inner(self) -> R {
        let buffered = match self.decoder {
            Decoder::None(buffered) => buffered,
            Decoder::Gzip(decoder) => decoder.into_inner(),
            Decoder::Zstd(decoder) => decoder.finish(),
        };
        buffered.into_inner().reader.into_inner().1
    }

    /// Whether the last failure was the reader's own.
    fn failed(&self) -> bool {
        match &self.decoder {
            Decoder::None(buffered) => buffered.get_ref().failed,
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref().failed,
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref().failed,
        }
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::None(buffered) => return buffered.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        };
        read.map_err(|cause| {
            if self.failed() {
                return cause;
            }
            let compression = self.compression;
            match cause.kind() {
                kind @ io::ErrorKind::UnexpectedEof => io::Error::new(kind, CompressionError::Ends(compression)),
                _ => io::Error::new(io::ErrorKind::InvalidData, CompressionError::Damaged { compression, cause }),
            }
        })
    }
}

type Buffered<R> = BufReader<Source<io::Chain<io::Cursor<Vec<u8>>, R>>>;

/// Remembers whether it was the reader that failed, as decoders hand on its errors among their own. Goes on after signals, as
/// the decoders don't.
struct Source<R> {
    reader: R,
    failed: bool,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
                read => return read,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect()
    }

    fn decompress(bytes: &[u8]) -> io::Result<(Compression, Vec<u8>)> {
        let mut decompressed = Decompressed::new(bytes)?;
        let mut all = Vec::new();
        decompressed.read_to_end(&mut all)?;
        let compression = decompressed.compression();
        assert!(decompressed.into_inner().is_empty(), "{compression}: all of it is read");
        Ok((compression, all))
    }

    #[test]
    fn streams_of_every_kind_are_read_to_their_end() {
        let (one, two) = (text(700_000), text(10));
        let both = [&one[..], &two].concat();
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let frames = [&skippable[..], &zstd(&one), &skippable, &zstd(&[]), &zstd(&two), &skippable].concat();
        let members = [gzip(&one), gzip(&[]), gzip(&two)].concat();
        for (given, compression, wanted) in [
            (&both, Compression::None, &both[..]),
            (&members, Compression::Gzip, &both),
            (&frames, Compression::Zstd, &both),
            (&gzip(&[]), Compression::Gzip, &[]),
            (&zstd(&[]), Compression::Zstd, &[]),
            (&skippable, Compression::Zstd, &[]),
            (&Vec::new(), Compression::None, &[]),
            (&vec![0x1f], Compression::None, &[0x1f]),
        ] {
            let (found, all) = decompress(given).unwrap();
            assert!(found == compression && all == wanted, "{compression} of {}", given.len());
        }
    }

    #[test]
    fn every_cut_is_found() {
        for (name, whole) in [("gzip", gzip(&text(300))), ("zstd", zstd(&text(300)))] {
            for cut in 4..whole.len() {
                let error = decompress(&whole[..cut]).unwrap_err();
                assert_eq!(error.to_string(), format!("the {name} stream ends in the middle"), "{cut}");
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            }
        }
    }

    #[test]
    fn damage_is_found() {
        for (name, whole) in [("gzip", gzip(&text(5_000))), ("zstd", zstd(&text(5_000)))] {
            let mut damaged = whole.clone();
            damaged[whole.len() / 2] ^= 0x40;
            let error = decompress(&damaged).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the {name} stream ")), "{error}");
            let mut trailing = whole;
            trailing.extend(b"what comes after it");
            let error = decompress(&trailing).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the {name} stream is damaged: ")), "{error}");
        }
        for (start, name) in [(&b"\xfd7zXZ\0"[..], "xz"), (b"BZh91AY", "bzip2")] {
            let error = decompress(start).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    /// A frame of a few bytes can ask for 1 TiB.
    #[test]
    fn a_window_is_bounded() {
        let frame = |exponent: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3][..], &[1, 0, 0]].concat();
        assert_eq!(decompress(&frame(17)).unwrap().1, b"");
        let error = decompress(&frame(18)).unwrap_err().to_string();
        assert!(error.contains("too much memory"), "{error}");
    }

    #[test]
    fn errors_of_the_reader_are_its_own() {
        struct Stalls;
        impl Read for Stalls {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no more of it"))
            }
        }
        for start in [gzip(&text(5_000)), zstd(&text(5_000)), text(500)] {
            let reader = start[..start.len() - 20].chain(Stalls);
            let error = Decompressed::new(reader).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.to_string(), "no more of it");
        }
    }
}
