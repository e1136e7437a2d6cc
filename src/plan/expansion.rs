//! `$(NAME)` in command, args, env values and subPathExpr (R10.2): what Kubernetes' forked expansion package does,
//! character for character.

/// Replaces `$(NAME)` by `value(NAME)`; where that is `None` the reference stays as it is written. `$$` is one `$`,
/// a `$` before anything else or at the end stays.
pub(crate) fn expand(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
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
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::expand;

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
            assert_eq!(expand(input, value), expected, "{input}");
        }
    }

    proptest! {
        #[test]
        fn text_without_dollars_stays(text in "[^$]{0,60}") {
            prop_assert_eq!(expand(&text, |_| Some(String::new())), text);
        }

        #[test]
        fn doubled_dollars_are_undone(text in "\\PC{0,60}") {
            prop_assert_eq!(expand(&text.replace('$', "$$"), |_| Some("x".to_owned())), text);
        }
    }
}
