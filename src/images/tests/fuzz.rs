//! Texts that somebody has changed by chance: every reader of what nobody vouches for has to live with them.

use std::fmt::Display;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestCaseError, TestRunner};

/// What JSON is made of, and what stands in it of which readers make something.
pub const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "1e999",
    "18446744073709551615",
    "\"\"",
    "[]",
    "{}",
    "\\u0000",
    "\\u001b[31m",
    "\\ud800",
    "\\\"",
    " ",
    "\n",
    "\0",
    "\u{1b}",
    "\u{e4}",
    "\u{202e}",
    "..",
    "/",
    "@",
    "sha256:",
    "*",
    "=",
];

/// Likewise, for what is no JSON.
pub const WORDS: &[&str] = &[
    "[[registry]]\n",
    "[[registry.mirror]]\n",
    "[aliases]\n",
    "[",
    "]",
    "{",
    "}",
    "=",
    "\"",
    "'''",
    "\"\"\"",
    "#",
    "\n",
    "\r",
    ",",
    ".",
    "*.",
    "true",
    "-1",
    "0x",
    "1979-05-27",
    "prefix",
    "location",
    "\\",
    "\\U00110000",
    "\0",
    "\u{1b}[31m",
    "\u{e4}",
    " ",
    "\t",
    ":",
    "@sha256:",
    "Bearer ",
    "Basic ",
    "realm=",
];

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    /// Something of `pieces` in the place of so many bytes.
    Piece(Index, Index, u8),
    Byte(Index, u8),
    /// A part once more, elsewhere.
    Copy(Index, Index, u8),
    /// The text ends here.
    End(Index),
    /// The same again and again.
    Repeat(Index, Index, u16),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => any::<(Index, Index, u8)>().prop_map(|(at, piece, cut)| Change::Piece(at, piece, cut % 12)),
        2 => any::<(Index, u8)>().prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => any::<(Index, Index, u8)>().prop_map(|(from, to, count)| Change::Copy(from, to, count)),
        1 => any::<Index>().prop_map(Change::End),
        1 => any::<(Index, Index, u16)>().prop_map(|(at, piece, times)| Change::Repeat(at, piece, times)),
    ]
}

fn changed(text: &str, pieces: &[&str], changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        let place = |index: &Index| index.index(bytes.len() + 1);
        let until = |from: usize, count: u8| (from + usize::from(count)).min(bytes.len());
        match change {
            Change::Piece(at, piece, cut) => {
                let (at, piece) = (place(at), piece.get(pieces));
                bytes.splice(at..until(at, *cut), piece.bytes());
            }
            Change::Byte(at, byte) => bytes.insert(place(at), *byte),
            Change::Copy(from, to, count) => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from..until(from, *count)].to_vec();
                bytes.splice(to..to, part);
            }
            Change::End(at) => bytes.truncate(place(at)),
            Change::Repeat(at, piece, times) => {
                let (at, part) = (place(at), piece.get(pieces).repeat(usize::from(*times)));
                bytes.splice(at..at, part.into_bytes());
            }
        }
    }
    bytes
}

/// How often something is tried: `BAREPOD_FUZZ` times, by default 256.
pub fn cases() -> ProptestConfig {
    let times = std::env::var("BAREPOD_FUZZ").ok().map_or(256, |text| text.parse().expect("BAREPOD_FUZZ is a number"));
    ProptestConfig::with_cases(times)
}

/// Gives a reader what becomes of these texts by changes of all kinds, and the texts as they are.
pub fn live(texts: &[&str], pieces: &[&str], read: impl Fn(&[u8]) -> Result<(), TestCaseError>) {
    for text in texts {
        read(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    }
    let mut runner = TestRunner::new(cases());
    let input = (any::<Index>(), proptest::collection::vec(change(), 1..6))
        .prop_map(|(text, changes)| Text(changed(texts[text.index(texts.len())], pieces, &changes)));
    if let Err(fault) = runner.run(&input, |Text(bytes)| read(&bytes)) {
        panic!("{fault}");
    }
}

/// Readable where it fails.
struct Text(Vec<u8>);

impl std::fmt::Debug for Text {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}", self.0.escape_ascii())
    }
}

/// There are words for a fault, and they quote what was read at most once.
pub fn is_fit(said: &impl Display, bytes: &[u8]) -> Result<(), TestCaseError> {
    let said = said.to_string();
    // Of a byte `escape_debug` makes up to eight.
    let most = bytes.len() * 8 + 1000;
    prop_assert!(!said.is_empty() && said.len() < most, "{} of {} bytes: {said:.200}", said.len(), bytes.len());
    Ok(())
}
