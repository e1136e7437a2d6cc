//! `$(NAME)` in command, args, env values and subPathExpr (R10.2): what Kubernetes' forked expansion package does,
//! character for character.

/// What execve takes of one argument or `NAME=value`, in bytes: MAX_ARG_STRLEN but for the NUL at the end, execve(2).
pub(crate) const STRING: usize = 128 * 1024 - 1;
/// What it takes of all together at most, however large the stack may be: three quarters of 8 MiB, fs/exec.c.
pub(crate) const ALL: usize = 6 * 1024 * 1024;
/// What each of them takes beside its text: `=` or nothing, the NUL, a pointer.
pub(crate) const EACH: usize = 10;
/// What a path has at most, in bytes: PATH_MAX but for the NUL.
pub(crate) const PATH: usize = 4095;

/// More came out than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Replaces `$(NAME)` by `value(NAME)`; where that is `None` the reference stays as it is written. `$$` is one `$`,
/// a `$` before anything else or at the end stays.
///
/// # Errors
/// Where more than `most` bytes come out: ten lines can ask for more than any box has.
pub(crate) fn expand(
    text: &str,
    most: usize,
    mut value: impl FnMut(&str) -> Option<String>,
) -> Result<String, TooLong> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        if out.len() > most {
            return Err(TooLong);
        }
        let after = &rest[at + 1..];
        rest = match after.chars().next() {
            None => {
                out.push('$');
                after
            }
            Some('$') => {
                out.push('$');
                &after[1..]
            }
            Some('(') => match after.find(')') {
                Some(end) => {
                    let name = &after[1..end];
                    match value(name) {
                        Some(value) => out.push_str(&value),
                        None => {
                            out.push_str("$(");
                            out.push_str(name);
                            out.push(')');
                        }
                    }
                    &after[end + 1..]
                }
                // An unclosed reference is text: what follows is still looked at.
                None => {
                    out.push_str("$(");
                    &after[1..]
                }
            },
            Some(other) => {
                out.push('$');
                out.push(other);
                &after[other.len_utf8()..]
            }
        };
    }
    out.push_str(rest);
    if out.len() > most { Err(TooLong) } else { Ok(out) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::{STRING, TooLong, expand};

    /// R10.2, with the cases of the package's own test as far as they differ in kind.
    #[test]
    fn references_expand_as_in_kubernetes() {
        let value = |name: &str| match name {
            "VAR_A" => Some("A".to_owned()),
            "VAR_B" => Some("B".to_owned()),
            "VAR_REF" => Some("$(VAR_A)".to_owned()),
            "VAR_EMPTY" => Some(String::new()),
            _ => None,
        };
        for (input, expected) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("$(VAR_A)$(VAR_B)", "AB"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("foo$(VAR_EMPTY)bar", "foobar"),
            ("$$(VAR_A)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$$$$", "$$"),
            ("f$$", "f$"),
            ("$", "$"),
            ("foo$", "foo$"),
            ("$VAR_A", "$VAR_A"),
            ("$(NOPE)", "$(NOPE)"),
            ("$()", "$()"),
            ("$(VAR_A", "$(VAR_A"),
            ("$($(VAR_A)", "$($(VAR_A)"),
            ("$ü(VAR_A)", "$ü(VAR_A)"),
            ("", ""),
        ] {
            assert_eq!(expand(input, STRING, value).unwrap(), expected, "{input}");
        }
    }

    /// As little as is needed is put together to see that it is too much.
    #[test]
    fn what_comes_to_too_much_is_refused() {
        let value = |name: &str| (name == "A").then(|| "x".repeat(1000));
        assert_eq!(expand("$(A)$(A)", 2000, value).unwrap().len(), 2000);
        for (text, most) in [("$(A)$(A)", 1999), ("$(A)y", 1000), ("123", 2), (&*"$(A)".repeat(1_000_000), STRING)] {
            assert_eq!(expand(text, most, value), Err(TooLong));
        }
    }

    proptest! {
        #[test]
        fn text_without_dollars_stays(text in "[^$]{0,60}") {
            prop_assert_eq!(expand(&text, STRING, |_| Some(String::new())).unwrap(), text);
        }

        #[test]
        fn doubled_dollars_are_undone(text in "\\PC{0,60}") {
            prop_assert_eq!(expand(&text.replace('$', "$$"), STRING, |_| Some("x".to_owned())).unwrap(), text);
        }
    }
}
