//! The header of an entry: one block.

use super::number::{BLOCK, number, until_zero};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    /// Another name of what was at the path that `link` says.
    HardLink,
    Symlink,
    Character,
    Block,
    Folder,
    Fifo,
}

/// What a header is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Entry(Kind),
    /// A sparse file of GNU's own form.
    Sparse,
    /// More about the entry that follows (PAX).
    Extended,
    /// The same about all that follow.
    Global,
    LongName,
    LongLink,
    Unknown(u8),
}

/// A header's fields. Where an extended header may have gone over one, it is `None` if it can't be read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: Type,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) size: u64,
    pub(super) modified: Option<i64>,
    pub(super) device: Option<(u64, u64)>,
}

impl Header {
    pub(super) fn of(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        let checksum = number(&block[148..156]).ok_or("has no checksum")?;
        let sum = |add: fn(u8) -> i64| -> i64 {
            let bytes = block.iter().enumerate();
            bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { add(*byte) }).sum()
        };
        // Some old writers had signed characters.
        if checksum != sum(i64::from) && checksum != sum(|byte| i64::from(byte.cast_signed())) {
            return Err("has a wrong checksum");
        }
        let is_ustar = &block[257..263] == b"ustar\0";
        let is_gnu = &block[257..265] == b"ustar  \0";
        let mut name = until_zero(&block[..100]).to_owned();
        // star has times behind a shorter prefix.
        let prefix = if &block[508..] == b"tar\0" { &block[345..476] } else { &block[345..500] };
        if is_ustar && !until_zero(prefix).is_empty() {
            name = [until_zero(prefix), b"/", &name].concat();
        }
        let kind = match block[156] {
            b'0' | b'\0' | b'7' => Type::Entry(Kind::File),
            b'1' => Type::Entry(Kind::HardLink),
            b'2' => Type::Entry(Kind::Symlink),
            b'3' => Type::Entry(Kind::Character),
            b'4' => Type::Entry(Kind::Block),
            b'5' => Type::Entry(Kind::Folder),
            b'6' => Type::Entry(Kind::Fifo),
            b'S' if is_gnu => Type::Sparse,
            b'x' => Type::Extended,
            b'g' => Type::Global,
            b'L' => Type::LongName,
            b'K' => Type::LongLink,
            letter => Type::Unknown(letter),
        };
        let positive = |field: &[u8]| number(field).and_then(|number| u64::try_from(number).ok());
        Ok(Self {
            kind,
            name,
            link: until_zero(&block[157..257]).to_owned(),
            mode: number(&block[100..108]).ok_or("has no mode")? as u32 & 0o7777,
            uid: positive(&block[108..116]),
            gid: positive(&block[116..124]),
            size: positive(&block[124..136]).ok_or("has no size")?,
            modified: number(&block[136..148]),
            device: positive(&block[329..337]).zip(positive(&block[337..345])),
        })
    }
}
