//! Keys by which a person leaves a container's terminal: they don't reach the container.

/// Those that are waited for, and those of them that have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
    come: usize,
}

impl DetachKeys {
    /// From podman's notation: keys behind commas, each a character or `ctrl-` and one of `a` to `z`, `@`, `[`, `\`, `]`, `^`, `_`. Empty:
    /// there are none.
    ///
    /// # Errors
    /// In words, where it isn't that.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = |word: &str| match (word.strip_prefix("ctrl-"), word.as_bytes()) {
            (Some(name), _) => match name.as_bytes() {
                [letter @ (b'a'..=b'z' | b'@' | b'['..=b'_')] => Ok(letter & 0x1f),
                _ => Err(format!("there is no key {word:?}; write it like ctrl-p,ctrl-q")),
            },
            (None, [character @ b' '..=b'~']) => Ok(*character),
            (None, _) => Err(format!("there is no key {word:?}; write it like ctrl-p,ctrl-q")),
        };
        let words = text.split(',').filter(|_| !text.is_empty());
        Ok(Self { keys: words.map(key).collect::<Result<_, _>>()?, come: 0 })
    }

    /// Nothing that is typed is held back.
    pub fn none() -> Self {
        Self { keys: Vec::new(), come: 0 }
    }

    /// Puts what is for the container into `to`; `true`: the keys have come, and what is behind them is for nobody.
    pub fn pass(&mut self, typed: &[u8], to: &mut Vec<u8>) -> bool {
        for byte in typed {
            while self.come > 0 && self.keys[self.come] != *byte {
                self.step_back(to);
            }
            if self.keys.is_empty() || self.keys[self.come] != *byte {
                to.push(*byte);
                continue;
            }
            self.come += 1;
            if self.come == self.keys.len() {
                self.come = 0;
                return true;
            }
        }
        false
    }

    /// The first of the keys that have come was for the container. The others may be the beginning yet.
    fn step_back(&mut self, to: &mut Vec<u8>) {
        let come = &self.keys[..self.come];
        let rest = (0..self.come).rev().find(|rest| come.ends_with(&self.keys[..*rest])).unwrap_or_default();
        to.extend_from_slice(&come[..self.come - rest]);
        self.come = rest;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn their_notation() {
        for (text, keys) in [
            ("ctrl-p,ctrl-q", &[16, 17][..]),
            ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,ctrl-z", &[0, 27, 28, 29, 30, 31, 26]),
            ("a", b"a"),
            ("~,.", b"~."),
            ("", b""),
        ] {
            assert_eq!(DetachKeys::parse(text).unwrap().keys, keys, "{text}");
        }
        for text in ["ctrl-", "ctrl-A", "ctrl-pq", "ab", "ctrl-p,", ",", "\u{e4}"] {
            assert!(DetachKeys::parse(text).unwrap_err().contains("write it like ctrl-p,ctrl-q"), "{text}");
        }
    }

    /// However they are cut into pieces.
    #[test]
    fn what_reaches_the_container() {
        for (keys, typed, passed, left) in [
            ("ctrl-p,ctrl-q", "ab\x10\x11cd", "ab", true),
            ("ctrl-p,ctrl-q", "\x10x\x11\x10\x10\x11", "\x10x\x11\x10", true),
            ("ctrl-p,ctrl-q", "a\x10", "a", false),
            ("", "\x10\x11", "\x10\x11", false),
            ("a", "ba", "b", true),
            ("a,a,b", "aaab", "a", true),
            ("a,b,a,b,c", "ababababc", "abab", true),
            ("a,b,a,b,c", "ababac", "ababac", false),
        ] {
            for size in 1..=typed.len() {
                let (mut keys, mut to) = (DetachKeys::parse(keys).unwrap(), Vec::new());
                let come = typed.as_bytes().chunks(size).any(|part| keys.pass(part, &mut to));
                assert_eq!((String::from_utf8(to).unwrap().as_str(), come), (passed, left), "{typed:?} by {size}");
            }
        }
    }
}
